// A run stopped between two steps, as one value and as one file: weights and optimiser state as tensors,
// and beside them, as JSON in the file's metadata, everything else that decides how it goes on. One file,
// replaced in one step, so that a kill at any moment leaves a whole checkpoint.
// Next: ../pretrain.ts, which makes them and goes on from them.

import * as z from "zod";
import { parseChecked } from "../checked.ts";
import { FileError, readTensors } from "../checkpoints/index.ts";
import { openSafetensors, saveSafetensors } from "../checkpoints/onDisk.ts";
import type { StateDict } from "../module.ts";
import { pretrainSchema } from "./settings.ts";

const count = z.int().min(0);

const progressSchema = z.strictObject({
  settings: pretrainSchema,
  /** The corpus that it was trained on, see CorpusFacts. */
  digest: z.string(),
  /** Steps taken, and how many there will be once that is known. */
  step: count,
  steps: count.nullable(),
  seconds: z.number().min(0),
  clipped: count,
  optimiserStep: count,
  /** Steps that parameters had no gradient at, see OptimiserState. */
  optimiserMissed: z.record(z.string(), count).optional(),
  position: z.strictObject({ epoch: count, window: count }),
  rng: z.strictObject({
    dropout: z.strictObject({
      seed: z.string(),
      alea: z.strictObject({ c: z.number(), s0: z.number(), s1: z.number(), s2: z.number() }),
    }),
  }),
});

/** How far a run is, without its tensors. */
export type Progress = Readonly<z.infer<typeof progressSchema>>;

/** A pretraining run stopped between two steps: all that is needed to go on to the bit. */
export interface PretrainCheckpoint {
  readonly progress: Progress;
  readonly model: StateDict;
  /** Optimiser state by `<parameter>.<slot>`. */
  readonly optimiser: StateDict;
}

const key = "twoheads.pretrain";

function prefixed(prefix: string, tensors: StateDict): StateDict {
  return Object.fromEntries(Object.entries(tensors).map(([name, x]) => [`${prefix}.${name}`, x]));
}

function without(prefix: string, tensors: StateDict): StateDict {
  const own = Object.entries(tensors).filter(([name]) => name.startsWith(`${prefix}.`));
  return Object.fromEntries(own.map(([name, x]) => [name.slice(prefix.length + 1), x]));
}

/** Writes a checkpoint; a kill at any moment leaves the old file or the new one. */
export async function savePretrainCheckpoint(
  path: string,
  checkpoint: PretrainCheckpoint,
): Promise<void> {
  const { progress, model, optimiser } = checkpoint;
  const tensors = { ...prefixed("model", model), ...prefixed("optimiser", optimiser) };
  await saveSafetensors(path, tensors, { metadata: { [key]: JSON.stringify(progress) } });
}

/** Reads a checkpoint onto the current device; a FileError if it is none, or damaged. */
export function loadPretrainCheckpoint(path: string): PretrainCheckpoint {
  const file = openSafetensors(path);
  const text = file.metadata.get(key);
  if (text === undefined) {
    file.close();
    throw new FileError(path, "", "is no checkpoint of a pretraining run");
  }
  const tensors = readTensors(file);
  return {
    progress: parseChecked(path, text, key, progressSchema),
    model: without("model", tensors),
    optimiser: without("optimiser", tensors),
  };
}
