// A policy's training stopped between two rounds, as one value and as one file: everything that decides how a
// run goes on. Next: policyTrainer.ts.

import * as z from "zod";
import { parseChecked } from "../../nn/checked.ts";
import { FileError, readTensors, type StateDict } from "../../nn/index.ts";
import { openSafetensors, saveSafetensors } from "../../nn/node.ts";

const count = z.int().min(0);

const stateSchema = z.strictObject({
  settings: z.record(z.string(), z.unknown()),
  step: count,
  seconds: z.number().min(0),
  optimiserStep: count,
  /** Steps that parameters had no gradient at, see OptimiserState. */
  optimiserMissed: z.record(z.string(), count).optional(),
  klWeight: z.number(),
  /** The first round's mean and deviation of rewards; null before it. */
  scale: z.strictObject({ mean: z.number(), deviation: z.number() }).nullable(),
});

/** How far a run is, without its tensors. Randomness is not in here: each round has a seed of its own. */
export type PolicyState = Readonly<z.infer<typeof stateSchema>>;

/** A policy's run stopped between two rounds: all that is needed to go on to the bit. */
export interface PolicyCheckpoint {
  readonly state: PolicyState;
  readonly model: StateDict;
  /** Optimiser state by `<parameter>.<slot>`. */
  readonly optimiser: StateDict;
}

const key = "twoheads.policy";

/** Writes a checkpoint; a kill at any moment leaves the old file or the new one. */
export async function savePolicyCheckpoint(
  path: string,
  { state, model, optimiser }: PolicyCheckpoint,
): Promise<void> {
  const named = (part: string, dict: StateDict) =>
    Object.entries(dict).map(([name, x]) => [`${part}.${name}`, x] as const);
  const tensors = Object.fromEntries([...named("model", model), ...named("optimiser", optimiser)]);
  await saveSafetensors(path, tensors, { metadata: { [key]: JSON.stringify(state) } });
}

/** Reads a checkpoint onto the current device; a FileError if it is none, or damaged. */
export function loadPolicyCheckpoint(path: string): PolicyCheckpoint {
  const file = openSafetensors(path);
  const text = file.metadata.get(key);
  if (text === undefined) {
    file.close();
    throw new FileError(path, "", "is no checkpoint of a policy's training");
  }
  const tensors = Object.entries(readTensors(file));
  const part = (name: string): StateDict =>
    Object.fromEntries(
      tensors.flatMap(([full, x]) =>
        full.startsWith(`${name}.`) ? [[full.slice(name.length + 1), x]] : [],
      ),
    );
  return {
    state: parseChecked(path, text, key, stateSchema),
    model: part("model"),
    optimiser: part("optimiser"),
  };
}
