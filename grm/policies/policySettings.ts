// The settings of a policy's training, each with what it means and a default.
// Next: policyTrainer.ts.

import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { settingsFrom } from "../../nn/checked.ts";
import {
  count,
  largestNorm,
  loraSettings,
  positive,
  seed,
  weightDecay,
} from "../../nn/run/settings.ts";

const share = z.number().min(0).max(1);

/** Settings of a policy's training with their ranges, defaults and descriptions. */
export const policySchema = z.strictObject({
  algorithm: z
    .enum(["ppo", "rloo"])
    .default("ppo")
    .describe("algorithm that trains the policy: ppo or rloo"),
  mode: z
    .enum(["full", "lora"])
    .default("full")
    .describe("what is trained: full (everything) or lora (adapters)"),
  seed,

  steps: count.default(60).describe("number of rounds of writing answers and learning from them"),
  batchSize: count.default(128).describe("number of answers that are written in a round"),
  samples: count.default(1).describe("number of answers to each prompt; RLOO needs two or more"),
  epochs: count
    .default(4)
    .describe("number of times that a round's answers are learnt from (PPO alone)"),
  miniBatchSize: count.default(32).describe("number of answers in an update (PPO alone)"),

  lr: positive.default(1e-3).describe("learning rate of the policy, the same in all rounds"),
  weightDecay: weightDecay(0),
  maxNorm: largestNorm,

  clip: z
    .number()
    .positive()
    .default(0.2)
    .describe(
      "largest distance from 1 of a token's probability ratio that is still learnt from (PPO alone)",
    ),
  valueClip: z
    .number()
    .positive()
    .default(0.2)
    .describe("largest change of a value in a round that is still learnt from (PPO alone)"),
  valueWeight: z
    .number()
    .min(0)
    .default(0.1)
    .describe("weight of the value loss beside the policy loss (PPO alone)"),
  gamma: share.default(1).describe("discount gamma of what a later token earns (PPO alone)"),
  lambda: share
    .default(0.95)
    .describe("factor lambda of generalized advantage estimation (PPO alone)"),
  whiten: z
    .boolean()
    .default(true)
    .describe("whether advantages are given mean 0 and deviation 1 (PPO alone)"),

  klWeight: z
    .number()
    .min(0)
    .default(0)
    .describe("weight of the KL penalty on each token; the paper's runs have 0"),
  klTarget: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe(
      "KL in nats an answer that the penalty's weight is adapted to (default: the weight stays)",
    ),
  normalise: z
    .boolean()
    .default(true)
    .describe("whether rewards are measured in the first round's deviations from its mean"),
  rewardClip: z
    .number()
    .positive()
    .default(10)
    .describe("largest size of a normalised reward; larger ones are cut to it"),

  ...loraSettings,
  checkpointEvery: count.default(20).describe("number of rounds from one checkpoint to the next"),
});

/** Complete settings. */
export type PolicySettings = Readonly<z.infer<typeof policySchema>>;

/** What a person says; the rest has defaults. */
export type PolicyOptions = Readonly<z.input<typeof policySchema>>;

/** Fills in defaults and checks; an ArgumentError names each field that is wrong. */
export function policySettings(options: PolicyOptions): PolicySettings {
  const settings = settingsFrom("policy", options, policySchema);
  const { algorithm, samples, batchSize, klTarget, klWeight } = settings;
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
  return settings;
}
