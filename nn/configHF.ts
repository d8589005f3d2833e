// Hugging Face's config.json, to and from our configuration. What this transformer doesn't do (other ways to scale
// rotary angles, sliding windows, other activations) is refused by name instead of being computed wrong.
// Next: checkpoints/ for the folder around it.

import { ArgumentError } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import {
  type Activation,
  type LSTMConfig,
  type ModelConfig,
  modelConfig,
  type RopeScaling,
  type TransformerConfig,
} from "./config.ts";
import type { SpecialIds } from "./tokenizers/index.ts";

const takes = signatures({
  configFromHF: "config: object",
  configToHF: "config: { style: string, vocabSize: number, dim: number, ... }",
});

type HF = Readonly<Record<string, unknown>>;

const activationNames: Readonly<Record<Activation, string>> = {
  silu: "silu",
  gelu: "gelu",
  gelu_tanh: "gelu_new",
};

const activations: Readonly<Record<string, Activation>> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_new: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
};

/** Fields that must have this value, or be absent, for our forward pass to be the right one. */
const required: Readonly<Record<string, HF>> = {
  llama: {
    attention_bias: false,
    mlp_bias: false,
    attention_dropout: 0,
    partial_rotary_factor: 1,
  },
  gpt2: {
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
    add_cross_attention: false,
  },
};

function refuse(config: HF, type: string): void {
  for (const [field, needed] of Object.entries(required[type] ?? {})) {
    const value = config[field] ?? needed;
    if (value === needed) continue;
    throw new ArgumentError(
      `configFromHF: ${field} = ${JSON.stringify(value)} isn't supported, only ${JSON.stringify(needed)}`,
    );
  }
}

/** The base of rotary angles; where both say it, rope_parameters wins, as in transformers 5. */
function ropeBase(config: HF): number {
  const parameters = (config.rope_parameters ?? {}) as HF;
  return number(parameters, "rope_theta", number(config, "rope_theta", 10000));
}

/** How rotary angles are scaled: not at all, linearly or as Llama 3 does; other ways are refused. */
function ropeScaling(config: HF): { ropeScaling?: RopeScaling } {
  for (const field of ["rope_parameters", "rope_scaling"]) {
    const given = (config[field] ?? {}) as HF;
    const type = given.rope_type ?? given.type ?? "default";
    if (type === "default") continue;
    if (type === "linear") return { ropeScaling: { type, factor: number(given, "factor") } };
    if (type !== "llama3") {
      throw new ArgumentError(
        `configFromHF: ${field} = ${JSON.stringify(given)} isn't supported, only default, linear and llama3`,
      );
    }
    const [lowFactor, highFactor] = [
      number(given, "low_freq_factor"),
      number(given, "high_freq_factor"),
    ];
    const context = number(given, "original_max_position_embeddings");
    return {
      ropeScaling: { type, factor: number(given, "factor"), lowFactor, highFactor, context },
    };
  }
  return {};
}

function ropeScalingToHF({ ropeScaling: scaling }: TransformerConfig): HF {
  if (scaling === undefined) return {};
  const { type: rope_type, factor } = scaling;
  if (scaling.type === "linear") return { rope_scaling: { rope_type, factor } };
  const [low_freq_factor, high_freq_factor] = [scaling.lowFactor, scaling.highFactor];
  const original_max_position_embeddings = scaling.context;
  return {
    rope_scaling: {
      rope_type,
      factor,
      low_freq_factor,
      high_freq_factor,
      original_max_position_embeddings,
    },
  };
}

/** The field as a number; `otherwise` when it is absent, an ArgumentError when there is neither. */
function number(config: HF, field: string, otherwise?: number): number {
  const value = config[field] ?? otherwise;
  if (typeof value === "number") return value;
  throw new ArgumentError(`configFromHF: ${field} is ${String(value)}, needed a number`);
}

function activation(config: HF, field: string, otherwise: string): Activation {
  const name = config[field] ?? otherwise;
  const known = typeof name === "string" && Object.hasOwn(activations, name);
  if (known) return activations[name] as Activation;
  throw new ArgumentError(
    `configFromHF: ${field} is ${JSON.stringify(name)}; known are ${Object.keys(activations).join(", ")}`,
  );
}

/** Our configuration of a config.json's content; LlamaForCausalLM, GPT2LMHeadModel, and what we write. */
export function configFromHF(config: HF): ModelConfig {
  accept(takes.configFromHF, arguments);
  const type = config.model_type;
  if (type === "llama") return llamaFromHF(config);
  if (type === "gpt2") return gpt2FromHF(config);
  if (type === "twoheads-lstm") return lstmFromHF(config);
  throw new ArgumentError(
    `configFromHF: model_type is ${JSON.stringify(type)}; known are llama, gpt2, twoheads-lstm`,
  );
}

function llamaFromHF(config: HF): TransformerConfig {
  refuse(config, "llama");
  const [dim, heads] = [number(config, "hidden_size"), number(config, "num_attention_heads")];
  return modelConfig({
    style: "llama",
    vocabSize: number(config, "vocab_size"),
    dim,
    layers: number(config, "num_hidden_layers"),
    heads,
    kvHeads: number(config, "num_key_value_heads", heads),
    headDim: number(config, "head_dim", dim / heads),
    ffDim: number(config, "intermediate_size"),
    activation: activation(config, "hidden_act", "silu"),
    context: number(config, "max_position_embeddings", 2048),
    positions: config.twoheads_positions === "learned" ? "learned" : "rope",
    ropeBase: ropeBase(config),
    ...ropeScaling(config),
    normEps: number(config, "rms_norm_eps", 1e-6),
    tied: config.tie_word_embeddings === true,
    dropout: number(config, "twoheads_dropout", 0),
    initStd: number(config, "initializer_range", 0.02),
  });
}

function gpt2FromHF(config: HF): TransformerConfig {
  refuse(config, "gpt2");
  const [dim, heads] = [number(config, "n_embd"), number(config, "n_head")];
  const drops = ["resid_pdrop", "embd_pdrop", "attn_pdrop"].map((p) => number(config, p, 0.1));
  if (new Set(drops).size > 1) {
    throw new ArgumentError(
      `configFromHF: resid_pdrop, embd_pdrop and attn_pdrop are ${drops.join(", ")}; they must agree`,
    );
  }
  return modelConfig({
    style: "gpt2",
    vocabSize: number(config, "vocab_size"),
    dim,
    layers: number(config, "n_layer"),
    heads,
    headDim: number(config, "twoheads_head_dim", dim / heads),
    ffDim: number(config, "n_inner", 4 * dim),
    activation: activation(config, "activation_function", "gelu_new"),
    context: number(config, "n_positions", 1024),
    positions: config.twoheads_positions === "rope" ? "rope" : "learned",
    ropeBase: ropeBase(config),
    normEps: number(config, "layer_norm_epsilon", 1e-5),
    tied: config.tie_word_embeddings !== false,
    dropout: drops[0] ?? 0,
    initStd: number(config, "initializer_range", 0.02),
  });
}

function lstmFromHF(config: HF): LSTMConfig {
  return modelConfig({
    style: "lstm",
    vocabSize: number(config, "vocab_size"),
    dim: number(config, "hidden_size"),
    layers: number(config, "num_hidden_layers"),
    tied: config.tie_word_embeddings !== false,
    dropout: number(config, "twoheads_dropout", 0),
  });
}

/**
 * The content of a config.json that LlamaForCausalLM or GPT2LMHeadModel open. What they have no field for
 * (dropout of a Llama, learned positions in one) goes into fields that begin with "twoheads_".
 */
export function configToHF(config: ModelConfig): Readonly<Record<string, unknown>> {
  accept(takes.configToHF, arguments);
  if (config.style === "lstm") return lstmToHF(config);
  return config.style === "gpt2" ? gpt2ToHF(config) : llamaToHF(config);
}

/** A tokenizer's roles as fields of config.json, so that whoever generates knows where a text ends. */
export function tokenIdsToHF({ bos, eos, pad }: SpecialIds): HF {
  const ids = Object.entries({ bos_token_id: bos, eos_token_id: eos, pad_token_id: pad });
  return Object.fromEntries(ids.filter(([, id]) => id !== undefined));
}

function llamaToHF(config: TransformerConfig): HF {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: config.vocabSize,
    hidden_size: config.dim,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    intermediate_size: config.ffDim,
    hidden_act: activationNames[config.activation],
    max_position_embeddings: config.context,
    rope_theta: config.ropeBase,
    ...ropeScalingToHF(config),
    rms_norm_eps: config.normEps,
    tie_word_embeddings: config.tied,
    initializer_range: config.initStd,
    attention_bias: false,
    mlp_bias: false,
    torch_dtype: "float32",
    ...(config.dropout > 0 && { twoheads_dropout: config.dropout }),
    ...(config.positions === "learned" && { twoheads_positions: "learned" }),
  };
}

function gpt2ToHF(config: TransformerConfig): HF {
  return {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    vocab_size: config.vocabSize,
    n_embd: config.dim,
    n_layer: config.layers,
    n_head: config.heads,
    n_inner: config.ffDim,
    activation_function: activationNames[config.activation],
    n_positions: config.context,
    layer_norm_epsilon: config.normEps,
    tie_word_embeddings: config.tied,
    initializer_range: config.initStd,
    resid_pdrop: config.dropout,
    embd_pdrop: config.dropout,
    attn_pdrop: config.dropout,
    torch_dtype: "float32",
    ...(config.headDim * config.heads !== config.dim && { twoheads_head_dim: config.headDim }),
    ...(config.positions === "rope" && {
      twoheads_positions: "rope",
      rope_theta: config.ropeBase,
    }),
  };
}

function lstmToHF(config: LSTMConfig): HF {
  return {
    model_type: "twoheads-lstm",
    vocab_size: config.vocabSize,
    hidden_size: config.dim,
    num_hidden_layers: config.layers,
    tie_word_embeddings: config.tied,
    twoheads_dropout: config.dropout,
  };
}
