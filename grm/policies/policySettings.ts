// The settings of a policy's training, each with what it means and a default.
// Next: policyTrainer.ts.

import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { problemsOf } from "../../nn/checked.ts";

const count = z.int().min(1);
const share = z.number().min(0).max(1);

/** Settings of a policy's training with their ranges, defaults and descriptions. */
export const policySchema = z.strictObject({
  algorithm: z.enum(["ppo", "rloo"]).default("ppo").describe("ppo or rloo"),
  mode: z
    .enum(["full", "lora"])
    .default("full")
    .describe("what is trained: full, or lora (adapters)"),
  seed: z.int().default(0).describe("same seed, same bits"),

  steps: count.default(60).describe("rounds of writing and learning"),
  batchSize: count.default(128).describe("answers of a round"),
  samples: count.default(1).describe("answers to each prompt; rloo needs two or more"),
  epochs: count.default(4).describe("how often a round's answers are learnt from (ppo)"),
  miniBatchSize: count.default(32).describe("answers of an update (ppo)"),

  lr: z.number().positive().default(1e-3).describe("the learning rate"),
  weightDecay: z.number().min(0).default(0).describe("of matrices and tables"),
  maxNorm: z.number().positive().default(1).describe("the largest global norm of the gradients"),

  clip: z.number().positive().default(0.2).describe("how far a ratio may go from 1 (ppo)"),
  valueClip: z
    .number()
    .positive()
    .default(0.2)
    .describe("how far a value may go from the old one (ppo)"),
  valueWeight: z.number().min(0).default(0.1).describe("of the value loss (ppo)"),
  gamma: share.default(1).describe("discount of a token (ppo)"),
  lambda: share.default(0.95).describe("of generalized advantage estimation (ppo)"),
  whiten: z.boolean().default(true).describe("advantages to mean 0 and deviation 1 (ppo)"),

  klWeight: z
    .number()
    .min(0)
    .default(0)
    .describe("of the KL penalty on each token; 0 in the paper's runs"),
  klTarget: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe("the KL, in nats an answer, that the weight is adapted to (default: it stays)"),
  normalise: z.boolean().default(true).describe("rewards by the first round's mean and deviation"),
  rewardClip: z.number().positive().default(10).describe("the largest size of a normalised reward"),

  loraRank: count.default(8).describe("of the adapters' matrices"),
  loraAlpha: z.number().positive().default(16).describe("adapters count alpha / rank"),
  checkpointEvery: count.default(20).describe("rounds from one checkpoint to the next"),
});

/** Complete settings. */
export type PolicySettings = Readonly<z.infer<typeof policySchema>>;

/** What a person says; the rest has defaults. */
export type PolicyOptions = Readonly<z.input<typeof policySchema>>;

/** Fills in defaults and checks; an ArgumentError names each field that is wrong. */
export function policySettings(options: PolicyOptions): PolicySettings {
  const parsed = policySchema.safeParse(options);
  if (!parsed.success) throw new ArgumentError(`policy: ${problemsOf(parsed.error)}`);
  const { algorithm, samples, batchSize, klTarget, klWeight } = parsed.data;
  if (algorithm === "rloo" && samples < 2) {
    throw new ArgumentError(
      "policy: rloo compares answers to one prompt; needed samples of 2 or more",
    );
  }
  if (batchSize % samples !== 0) {
    throw new ArgumentError(
      `policy: batchSize ${batchSize} is no multiple of samples ${samples}, the answers to each prompt`,
    );
  }
  if (klTarget !== null && klWeight === 0) {
    throw new ArgumentError(
      "policy: klTarget adapts klWeight, and 0 stays 0; give it a start, as 0.05",
    );
  }
  return parsed.data;
}
