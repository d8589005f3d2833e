// Everything that decides what a pretraining run becomes, as one plain object: checked, complete, JSON.
// The command line makes an option of each field, with the description and the default that stand here.
// Defaults are for five minutes on two cores of a laptop. Next: corpus.ts for the text.

import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { CausalLM } from "../causalLM.ts";
import { settingsFrom } from "../checked.ts";
import type { ModelOptions } from "../config.ts";
import { beta2, count, largestNorm, positive, seed, share, weightDecay } from "../run/settings.ts";

const takes = signatures(
  {
    shapeOf: "lm: CausalLM, context?: number",
  },
  () => ({ CausalLM }),
);

const budget = z.number().positive().nullable().default(null);

/**
 * Settings of a pretraining run with their ranges, defaults and descriptions: what pretrain() checks its
 * options with.
 */
export const pretrainSchema = z.strictObject({
  seed,
  steps: count
    .nullable()
    .default(null)
    .describe("number of steps to train (default: what fits into --minutes)"),
  minutes: budget.describe("minutes to train for, where --steps is not given (default: 5)"),

  tokenizer: z
    .string()
    .min(1)
    .default("bpe")
    .describe("tokenizer: bpe (learnt from the corpus), bytes, or the path of one"),
  vocabSize: z
    .int()
    .min(258)
    .default(1024)
    .describe("number of tokens of a tokenizer that is learnt"),
  separator: z
    .string()
    .min(1)
    .default("<|endoftext|>")
    .describe("text that stands between two documents of a file"),
  validation: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.05)
    .describe("share of the documents that is held out for validation"),

  style: z
    .enum(["llama", "gpt2", "lstm"])
    .default("llama")
    .describe("architecture of the model: llama, gpt2 or lstm"),
  dim: count.default(128).describe("width of the hidden state, in numbers"),
  layers: count.default(4).describe("number of blocks, one above the other"),
  heads: count.default(4).describe("number of attention heads of a block (lstm has none)"),
  context: count
    .default(256)
    .describe("length of a training window and of the longest sequence, in tokens"),
  dropout: share.default(0).describe("probability of dropout while training"),

  batchSize: count.default(2).describe("number of training windows in a step"),
  lr: positive.default(2e-3).describe("highest learning rate of the schedule"),
  warmup: z
    .int()
    .min(0)
    .default(100)
    .describe("number of steps in which the learning rate rises from 0 to its highest"),
  decay: share
    .default(0.3)
    .describe("share of the steps, the last ones, in which the learning rate falls to 0"),
  weightDecay: weightDecay(0.1),
  beta2: beta2(0.99),
  clip: largestNorm,

  logEvery: count.default(1).describe("number of steps from one record of metrics to the next"),
  validateEvery: count.default(250).describe("number of steps from one validation to the next"),
  validationTokens: count
    .default(16384)
    .describe("largest number of held-out tokens that a validation looks at"),
  sampleEvery: count.default(1000).describe("number of steps from one sample text to the next"),
  sampleTokens: count.default(150).describe("longest sample text, in tokens"),
  temperature: z
    .number()
    .min(0)
    .default(0.8)
    .describe("temperature of sample texts; 0 always takes the likeliest token"),
  prompt: z
    .string()
    .default("")
    .describe("text that samples continue; empty for the begin of a document"),
  checkpointEvery: count.default(500).describe("number of steps from one checkpoint to the next"),
});

/** Complete settings. */
export type PretrainSettings = Readonly<z.infer<typeof pretrainSchema>>;

/** What a person says; the rest has defaults. */
export type PretrainOptions = Readonly<z.input<typeof pretrainSchema>>;

/** A run of some seconds that shows every part: what to merge into the options. */
export const quickPretrain: PretrainOptions = {
  steps: 300,
  vocabSize: 512,
  dim: 64,
  layers: 2,
  context: 128,
  batchSize: 4,
  lr: 4e-3,
  warmup: 50,
  validateEvery: 50,
  validationTokens: 4096,
  sampleEvery: 300,
  sampleTokens: 60,
};

/** Fills in defaults and checks; an ArgumentError names each field that is wrong. */
export function pretrainSettings(options: PretrainOptions): PretrainSettings {
  const settings = settingsFrom("pretrain", options, pretrainSchema);
  const { steps, minutes } = settings;
  if (steps !== null && minutes !== null) {
    throw new ArgumentError(
      `pretrain: got steps ${steps} and minutes ${minutes}; give one, it decides when the run ends`,
    );
  }
  return steps === null && minutes === null ? { ...settings, minutes: 5 } : settings;
}

/** A model's shape as settings, for a run that goes on with it; `context` stays below the model's own. */
export function shapeOf(lm: CausalLM, context?: number): PretrainOptions {
  accept(takes.shapeOf, arguments);
  const { config } = lm;
  const { style, dim, layers, dropout } = config;
  if (style === "lstm") return { style, dim, layers, dropout, ...(context && { context }) };
  if (context !== undefined && context > config.context) {
    throw new ArgumentError(
      `pretrain: the base reads ${config.context} tokens at most, and context is ${context}; give no more than that`,
    );
  }
  const { heads } = config;
  return { style, dim, layers, heads, dropout, context: context ?? config.context };
}

/** The model that settings describe. */
export function modelOptions(settings: PretrainSettings, vocabSize: number): ModelOptions {
  const { style, dim, layers, heads, context, dropout } = settings;
  const common = { vocabSize, dim, layers, dropout };
  return style === "lstm" ? { style, ...common } : { style, ...common, heads, context };
}

/** Throws unless what is asked for is what the run to resume was begun with. */
export function checkSameSettings(begun: PretrainSettings, asked: PretrainOptions): void {
  const names = Object.keys(asked) as (keyof PretrainSettings)[];
  const changed = names.filter((name) => asked[name] !== begun[name]);
  if (changed.length === 0) return;
  const list = changed.map((name) => `${name} ${begun[name] ?? "unset"}, not ${asked[name]}`);
  throw new ArgumentError(
    `pretrain: the run to resume has ${list.join(", ")}; leave that as it was, or begin a new run`,
  );
}
