// What a model is, as one plain object: validated, complete, and JSON. Everything that builds a model
// (new CausalLM(config, ...), checkpoints, the command line) takes it. Next: configHF.ts for Hugging
// Face's config.json, transformer.ts for what is built from it.

import { ArgumentError } from "../core/index.ts";
import { alsoCalled, meant } from "../core/names.ts";
import { accept, signature } from "../core/signature.ts";
import { nearest } from "./nearest.ts";

const takes = signature("modelConfig", "options: object");

alsoCalled(
  "learningrate:lr alpha:lr betas:beta1 l2:weightDecay maxgradnorm:maxNorm clip:maxNorm " +
    "hiddensize:dim,neurons nembd:dim dmodel:dim embeddim:dim width:dim layer:layers depth:layers " +
    "numhiddenlayers:layers head:heads numattentionheads:heads numkeyvalueheads:kvHeads " +
    "intermediatesize:ffDim ninner:ffDim hiddenact:activation blocksize:context seqlen:context " +
    "maxpositionembeddings:context nctx:context npositions:context tiewordembeddings:tied " +
    "initializerrange:initStd ropetheta:ropeBase rmsnormeps:normEps layernormepsilon:normEps " +
    "r:rank loraalpha:alpha loradropout:dropout targetmodules:layers maxnewtokens:maxTokens " +
    "maxlength:maxTokens numreturnsequences:samples eostokenid:stop",
);

export type Activation = "silu" | "gelu" | "gelu_tanh";

/** What a transformer is: complete, checked, and JSON. */
export interface TransformerConfig {
  /** Names and parts of a Llama (RMSNorm, SwiGLU, no biases) or of a GPT-2 (LayerNorm, GELU, biases). */
  readonly style: "llama" | "gpt2";
  /** How many tokens there are. */
  readonly vocabSize: number;
  /** Width of the hidden state. */
  readonly dim: number;
  readonly layers: number;
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads; each serves heads / kvHeads query heads. */
  readonly kvHeads: number;
  /** Width of a head. */
  readonly headDim: number;
  /** Width inside the feed-forward part. */
  readonly ffDim: number;
  readonly activation: Activation;
  /** The longest sequence. */
  readonly context: number;
  /** Rotary (relative) or learned (absolute) positions. */
  readonly positions: "rope" | "learned";
  /** The slowest rotation's wavelength is about 2π times this. */
  readonly ropeBase: number;
  /** How rotary angles are slowed down for a longer context than a model began with; as they are unless said. */
  readonly ropeScaling?: RopeScaling | undefined;
  /** Which projections of a Llama's attention have biases: to queries, keys and values (Qwen2), or all; none unless said. */
  readonly attentionBias?: "qkv" | "all" | undefined;
  /** Whether a Llama's queries and keys go through a norm of their own, head by head (Qwen3); they don't unless said. */
  readonly qkNorm?: boolean | undefined;
  /** Added to the variance in norms. */
  readonly normEps: number;
  /** Whether the output matrix is the embedding. */
  readonly tied: boolean;
  /** Probability, in training, on embeddings, attention patterns and what each part adds. */
  readonly dropout: number;
  /** Deviation of the first weights; those that write to the residual stream get 1 / √(2 layers) of it. */
  readonly initStd: number;
}

/** Position interpolation (arXiv 2306.15595), or Llama 3's, which slows low frequencies alone. */
export type RopeScaling =
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFactor: number;
      readonly highFactor: number;
      /** The context that the model began with. */
      readonly context: number;
    };

/** What an LSTM is: complete, checked, and JSON. */
export interface LSTMConfig {
  readonly style: "lstm";
  readonly vocabSize: number;
  /** Width of embeddings and hidden states. */
  readonly dim: number;
  readonly layers: number;
  readonly tied: boolean;
  readonly dropout: number;
}

/** What a model is: complete, checked, and JSON. `style` says which kind. */
export type ModelConfig = TransformerConfig | LSTMConfig;

/** What must be said of a transformer (vocabSize, dim, layers, heads), and what may be. */
export type TransformerOptions = Partial<TransformerConfig> &
  Pick<TransformerConfig, "vocabSize" | "dim" | "layers" | "heads">;

/** What must be said of an LSTM, and what may be. */
export type LSTMOptions = Partial<LSTMConfig> &
  Pick<LSTMConfig, "style" | "vocabSize" | "dim" | "layers">;

/** What must be said, and what may be. */
export type ModelOptions = TransformerOptions | LSTMOptions;

/** Fills in what is left out and checks everything; an ArgumentError names each field that is wrong. */
export function modelConfig(options: LSTMOptions): LSTMConfig;
export function modelConfig(options: TransformerOptions): TransformerConfig;
export function modelConfig(options: ModelOptions): ModelConfig;
export function modelConfig(options: ModelOptions): ModelConfig {
  accept(takes, arguments);
  const config =
    options.style === "lstm"
      ? { tied: true, dropout: 0, ...options }
      : { ...transformerDefaults(options), ...options };
  check(config, options.style === "lstm" ? lstmFields : Object.keys(rules));
  return config;
}

function transformerDefaults({ style = "llama", dim, heads }: TransformerOptions) {
  const isLlama = style === "llama";
  return {
    style,
    kvHeads: heads,
    headDim: dim / heads,
    ffDim: isLlama ? 8 * Math.ceil(dim / 3) : 4 * dim, // 3 matrices of a third less: as many parameters as 2
    activation: isLlama ? "silu" : "gelu_tanh",
    context: 512,
    positions: isLlama ? "rope" : "learned",
    ropeBase: 10000,
    normEps: 1e-5,
    tied: true,
    dropout: 0,
    initStd: 0.02,
  } as const;
}

/** How many numbers a model's matrices have, biases and norms left out. */
export function matrixNumbers(config: ModelConfig): number {
  const { vocabSize, dim, layers, tied } = config;
  const words = vocabSize * dim * (tied ? 1 : 2);
  if (config.style === "lstm") return words + layers * 8 * dim * dim;
  const { style, heads, kvHeads, headDim, ffDim, positions, context } = config;
  const attention = 2 * (heads + kvHeads) * headDim * dim;
  const feed = (style === "gpt2" ? 2 : 3) * dim * ffDim;
  return words + layers * (attention + feed) + (positions === "learned" ? context * dim : 0);
}

/** Deviation of the first weights that write to the residual stream, where 2 of each layer add up. */
export function residualStd({ initStd, layers }: TransformerConfig): number {
  return initStd / Math.sqrt(2 * layers);
}

const isCount = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) > 0;
const isPositive = (x: unknown): boolean => typeof x === "number" && x > 0 && x < Infinity;
const isShare = (x: unknown): boolean => typeof x === "number" && x >= 0 && x < 1;
const count = { is: isCount, needed: "a whole number > 0" };
const positive = { is: isPositive, needed: "a number > 0" };

function oneOf(...choices: readonly string[]): { is: (x: unknown) => boolean; needed: string } {
  return { is: (x) => choices.includes(x as string), needed: `one of ${choices.join(", ")}` };
}

const rules: Readonly<Record<string, { is: (x: unknown) => boolean; needed: string }>> = {
  style: oneOf("llama", "gpt2", "lstm"),
  vocabSize: count,
  dim: count,
  layers: count,
  heads: count,
  kvHeads: count,
  headDim: { is: isCount, needed: "a whole number > 0; dim / heads unless said" },
  ffDim: count,
  activation: oneOf("silu", "gelu", "gelu_tanh"),
  context: count,
  positions: oneOf("rope", "learned"),
  ropeBase: positive,
  ropeScaling: {
    is: (x) =>
      x === undefined ||
      Object.values(x as object).every((y) => typeof y === "string" || isPositive(y)),
    needed:
      '{ type: "linear", factor } or { type: "llama3", factor, lowFactor, highFactor, context }',
  },
  attentionBias: {
    is: (x) => x === undefined || x === "qkv" || x === "all",
    needed: "qkv or all, or nothing for none",
  },
  qkNorm: { is: (x) => x === undefined || typeof x === "boolean", needed: "true or false" },
  normEps: positive,
  tied: { is: (x) => typeof x === "boolean", needed: "true or false" },
  dropout: { is: isShare, needed: "a number in [0, 1)" },
  initStd: positive,
};

const lstmFields = ["style", "vocabSize", "dim", "layers", "tied", "dropout"];

function check(config: ModelConfig, fields: readonly string[]): void {
  const values = config as unknown as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(values).filter((field) => !fields.includes(field));
  const problems = [
    ...unknown.map((field) => {
      const other = meant(field, fields);
      if (other !== undefined) return `there is no "${field}"; did you mean ${other}?`;
      return `there is no "${field}"; near are ${nearest(field, fields, 2).join(", ")}`;
    }),
    ...fields.flatMap((field) => {
      const rule = rules[field];
      if (rule === undefined || rule.is(values[field])) return [];
      return [`${field} is ${String(values[field])}, needed ${rule.needed}`];
    }),
  ];
  if (problems.length === 0 && config.style !== "lstm") problems.push(...misfits(config));
  if (problems.length > 0) throw new ArgumentError(`modelConfig: ${problems.join("; ")}`);
}

/** Fields that are fine by themselves and don't go together. */
function misfits(config: TransformerConfig): string[] {
  const { style, heads, kvHeads, headDim, positions, attentionBias, qkNorm = false } = config;
  const problems: string[] = [];
  if (style === "gpt2" && (attentionBias !== undefined || qkNorm))
    problems.push("attentionBias and qkNorm are a llama's; a gpt2 has all biases and no such norm");
  if (qkNorm && attentionBias === "qkv")
    problems.push("with qkNorm, attentionBias is all or none, as in Qwen3");
  if (heads % kvHeads !== 0)
    problems.push(`heads ${heads} must be a multiple of kvHeads ${kvHeads}`);
  if (style === "gpt2" && heads !== kvHeads)
    problems.push(`a gpt2 has as many kvHeads as heads, got ${kvHeads} and ${heads}`);
  if (positions === "rope" && headDim % 2 !== 0)
    problems.push(`headDim ${headDim} must be even for rotary positions`);
  return problems;
}
