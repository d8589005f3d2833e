// A training run stopped between two steps, as one value and as one file: weights, the best weights so
// far, optimiser state and the reference's log probabilities as tensors, and beside them, as JSON in the
// file's metadata, everything else that decides how it goes on. One file, replaced in one step, so that a
// kill at any moment leaves a whole checkpoint. Next: ../trainer.ts.

import * as z from "zod";
import { parseChecked } from "../../nn/checked.ts";
import { FileError, readTensors, type StateDict } from "../../nn/index.ts";
import { openSafetensors, saveSafetensors } from "../../nn/node.ts";

const count = z.int().min(0);

const progressSchema = z.strictObject({
  /** As given to train(), complete. */
  settings: z.record(z.string(), z.unknown()),
  /** Of all ids and labels: whether the pairs are the same. */
  digest: z.string(),
  step: count,
  steps: count,
  seconds: z.number().min(0),
  clipped: count,
  optimiserStep: count,
  /** Steps that parameters had no gradient at, see OptimiserState. */
  optimiserMissed: z.record(z.string(), count).optional(),
  position: z.strictObject({ epoch: count, batch: count }),
  dropout: z.strictObject({
    seed: z.string(),
    alea: z.strictObject({ c: z.number(), s0: z.number(), s1: z.number(), s2: z.number() }),
  }),
  /** The best evaluation so far. */
  best: z.strictObject({ step: count, loss: z.number(), accuracy: z.number() }).nullable(),
});

/** How far a run is, without its tensors. */
export type TrainState = Readonly<z.infer<typeof progressSchema>>;

/** A training run stopped between two steps: all that is needed to go on to the bit. */
export interface TrainCheckpoint {
  readonly state: TrainState;
  readonly model: StateDict;
  /** Optimiser state by `<parameter>.<slot>`. */
  readonly optimiser: StateDict;
  /** The trained parameters of the best evaluation; empty if none was kept. */
  readonly best: StateDict;
  /** s_ref of the training pairs, where DPO needs it: s_c and s_r, float64 [N]. */
  readonly reference: StateDict;
}

const key = "twoheads.train";
const parts = ["model", "optimiser", "best", "reference"] as const;

/** Writes a checkpoint; a kill at any moment leaves the old file or the new one. */
export async function saveTrainCheckpoint(
  path: string,
  { state, ...tensors }: TrainCheckpoint,
): Promise<void> {
  const all = parts.flatMap((part) =>
    Object.entries(tensors[part]).map(([name, x]) => [`${part}.${name}`, x] as const),
  );
  const metadata = { [key]: JSON.stringify(state) };
  await saveSafetensors(path, Object.fromEntries(all), { metadata });
}

/** Reads a checkpoint onto the current device; a FileError if it is none, or damaged. */
export function loadTrainCheckpoint(path: string): TrainCheckpoint {
  const file = openSafetensors(path);
  const text = file.metadata.get(key);
  if (text === undefined) {
    file.close();
    throw new FileError(path, "", "is no checkpoint of a reward model's training");
  }
  const tensors = Object.entries(readTensors(file));
  const part = (name: (typeof parts)[number]): StateDict =>
    Object.fromEntries(
      tensors.flatMap(([full, x]) =>
        full.startsWith(`${name}.`) ? [[full.slice(name.length + 1), x]] : [],
      ),
    );
  return {
    state: parseChecked(path, text, key, progressSchema),
    model: part("model"),
    optimiser: part("optimiser"),
    best: part("best"),
    reference: part("reference"),
  };
}
