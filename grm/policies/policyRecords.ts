// The lines of a policy's metrics.jsonl: one for each round, of the answers that the policy wrote before
// it learnt from them; the last is of answers that nothing was learnt from. And a checkpoint: everything
// that decides how a run goes on, in one file. Next: policyTrainer.ts.

import { z } from "zod";
import { parseChecked } from "../../nn/checked.ts";
import {
  FileError,
  readTensors,
  SafetensorsFile,
  type StateDict,
  saveSafetensors,
} from "../../nn/index.ts";

const count = z.int().min(0);
const optional = z.number().nullable();

export const policyRecordSchema = z.strictObject({
  /** Rounds that the policy had learnt from when it wrote these answers. */
  step: count,
  /** Mean reward that is optimised, as the judge gave it; and of the gold reward. */
  proxy: z.number(),
  gold: z.number(),
  /** Of the task's other measures. */
  controls: z.record(z.string(), z.number()),
  /** Estimates of KL(policy ‖ reference), in nats an answer: see kl.ts. */
  kl_k1: z.number(),
  kl_k3: z.number(),
  kl_weight: z.number(),
  /** Mean over tokens, in nats. */
  entropy: z.number(),
  /** Mean tokens of an answer, with the one that ends it. */
  length: z.number(),
  /** Share of the answers that the model ended itself. */
  ended: z.number(),
  /** Rewards that were no finite numbers, whose answers are not learnt from; and rewards cut to rewardClip. */
  refused: count,
  clipped: count,
  /** Of the updates on these answers; null where there were none. */
  policy_loss: optional,
  value_loss: optional,
  /** Share of the tokens whose ratio is outside of 1 ± clip. */
  clip_share: optional,
  grad_norm: optional,
  /** Some answers, as text. */
  samples: z.array(
    z.strictObject({ text: z.string(), proxy: z.number().nullable(), gold: z.number() }),
  ),
  seconds: z.number(),
});

/** A line of metrics.jsonl. */
export type PolicyRecord = Readonly<z.infer<typeof policyRecordSchema>>;

const stateSchema = z.strictObject({
  settings: z.record(z.string(), z.unknown()),
  step: count,
  seconds: z.number().min(0),
  optimiserStep: count,
  klWeight: z.number(),
  /** The first round's mean and deviation of rewards; null before it. */
  scale: z.strictObject({ mean: z.number(), deviation: z.number() }).nullable(),
});

/** How far a run is, without its tensors. Randomness is not in here: each round has a seed of its own. */
export type PolicyState = Readonly<z.infer<typeof stateSchema>>;

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
  const file = SafetensorsFile.open(path);
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
