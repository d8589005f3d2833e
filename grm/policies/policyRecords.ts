// The lines of a policy's metrics.jsonl: one for each round, of the answers that the policy wrote before
// it learnt from them; the last is of answers that nothing was learnt from. Next: policyTrainer.ts.

import * as z from "zod";

const count = z.int().min(0);
const optional = z.number().nullable();

/** What a line of a policy's metrics.jsonl must be: one round of writing and learning. */
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
