// Everything that decides what a pretraining run becomes, as one plain object: checked, complete, JSON.
// The command line makes an option of each field, with the description and the default that stand here.
// Defaults are for five minutes on two cores of a laptop. Next: corpus.ts for the text.

import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import type { CausalLM } from "../causalLM.ts";
import { problemsOf } from "../checked.ts";
import type { ModelOptions } from "../config.ts";

const count = z.int().min(1);
const share = z.number().min(0).lt(1);
const budget = z.number().positive().nullable().default(null);

/**
 * Settings of a pretraining run with their ranges, defaults and descriptions: what pretrain() checks its
 * options with.
 */
export const pretrainSchema = z.strictObject({
  seed: z.int().default(0).describe("same seed, same bits"),
  steps: count.nullable().default(null).describe("how many steps to train; or else:"),
  minutes: budget.describe("how long to train (5, unless steps are given)"),

  tokenizer: z
    .string()
    .min(1)
    .default("bpe")
    .describe("bpe (learnt here), bytes, or a tokenizer's path"),
  vocabSize: z.int().min(258).default(1024).describe("tokens of a learnt tokenizer"),
  separator: z.string().min(1).default("<|endoftext|>").describe("stands between documents"),
  validation: z.number().gt(0).lt(1).default(0.05).describe("share of the documents held out"),

  style: z.enum(["llama", "gpt2", "lstm"]).default("llama").describe("llama, gpt2 or lstm"),
  dim: count.default(128).describe("width of the hidden state"),
  layers: count.default(4).describe("blocks"),
  heads: count.default(4).describe("attention heads of a block (not lstm)"),
  context: count.default(256).describe("tokens of a training window, and the longest sequence"),
  dropout: share.default(0).describe("probability of dropout"),

  batchSize: count.default(2).describe("windows of a step"),
  lr: z.number().positive().default(2e-3).describe("the highest learning rate"),
  warmup: z.int().min(0).default(100).describe("steps in which the rate rises to it"),
  decay: share.default(0.3).describe("share of the steps, the last ones, in which it falls to 0"),
  weightDecay: z.number().min(0).default(0.1).describe("of matrices and tables"),
  beta2: share.default(0.99).describe("of AdamW"),
  clip: z.number().positive().default(1).describe("the largest global norm of the gradients"),

  logEvery: count.default(1).describe("steps from one record of metrics to the next"),
  validateEvery: count.default(250).describe("steps from one validation to the next"),
  validationTokens: count
    .default(16384)
    .describe("how many held-out tokens each looks at, at most"),
  sampleEvery: count.default(1000).describe("steps from one sample to the next"),
  sampleTokens: count.default(150).describe("the longest sample"),
  temperature: z.number().min(0).default(0.8).describe("of samples; 0 takes the likeliest"),
  prompt: z.string().default("").describe("what samples continue; empty: a document's begin"),
  checkpointEvery: count.default(500).describe("steps from one checkpoint to the next"),
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
  const parsed = pretrainSchema.safeParse(options);
  if (!parsed.success) throw new ArgumentError(`pretrain: ${problemsOf(parsed.error)}`);
  const { steps, minutes } = parsed.data;
  if (steps !== null && minutes !== null) {
    throw new ArgumentError(
      `pretrain: got steps ${steps} and minutes ${minutes}; give one, it decides when the run ends`,
    );
  }
  return steps === null && minutes === null ? { ...parsed.data, minutes: 5 } : parsed.data;
}

/** A model's shape as settings, for a run that goes on with it; `context` stays below the model's own. */
export function shapeOf({ config }: CausalLM, context?: number): PretrainOptions {
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
