// Hugging Face's config.json, to and from our configuration: Llama, Mistral, Qwen2, Qwen3 and GPT-2. What this
// transformer doesn't do (sliding windows, mixtures of experts, other activations) is refused by name instead of being
// computed wrong. Next: ropeHF.ts for rotary positions, checkpoints/ for the folder around it.

import { ArgumentError } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import {
  type Activation,
  type LSTMConfig,
  type ModelConfig,
  modelConfig,
  type TransformerConfig,
} from "./config.ts";
import { type HF, number, ropeFromHF, ropeScalingToHF } from "./ropeHF.ts";
import type { SpecialIds } from "./tokenizers/index.ts";

const takes = signatures({
  configFromHF: "config: object",
  configToHF: "config: { style: string, vocabSize: number, dim: number, ... }",
});

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
const required: Readonly<Record<"llama" | "gpt2", HF>> = {
  llama: { mlp_bias: false },
  gpt2: {
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
    add_cross_attention: false,
  },
};

function refuse(config: HF, style: "llama" | "gpt2"): void {
  for (const [field, needed] of Object.entries(required[style])) {
    const value = config[field] ?? needed;
    if (value === needed) continue;
    throw new ArgumentError(
      `configFromHF: ${field} = ${JSON.stringify(value)} isn't supported, only ${JSON.stringify(needed)}`,
    );
  }
}

/** What each model_type with the parts of a Llama takes where config.json is silent, and which biases it has. */
const llamas: Readonly<Record<string, HF & { readonly attentionBias?: "qkv" }>> = {
  llama: {},
  mistral: { num_key_value_heads: 8, max_position_embeddings: 131072, sliding_window: 4096 },
  qwen2: { num_key_value_heads: 32, max_position_embeddings: 32768, attentionBias: "qkv" },
  qwen3: { num_key_value_heads: 32, max_position_embeddings: 32768, head_dim: 128 },
};

/** Why some others can't be opened. */
const reasons: readonly (readonly [type: RegExp, reason: string])[] = [
  [/moe|mixtral|^dbrx/, ", a mixture of experts"],
  [/^gemma/, ", whose embeddings, norms and caps on logits (softcapping) are others"],
];

/** A window that some token of a sequence would not see past. */
function refuseSlidingWindow(config: HF, context: number): void {
  const { model_type, layer_types: types, max_window_layers: whole = 28 } = config;
  const slides =
    model_type === "mistral" ||
    (config.use_sliding_window === true &&
      (Array.isArray(types)
        ? types.includes("sliding_attention")
        : number(config, "num_hidden_layers") > Number(whole)));
  const window = config.sliding_window ?? Infinity;
  if (!slides || Number(window) >= context) return;
  throw new ArgumentError(
    `configFromHF: sliding_window = ${window} isn't supported where max_position_embeddings, ${context}, is more; ` +
      `write ${window} there, too, to use the model on texts of up to so many tokens`,
  );
}

function activation(config: HF, field: string, otherwise: string): Activation {
  const name = config[field] ?? otherwise;
  const known = typeof name === "string" && Object.hasOwn(activations, name);
  if (known) return activations[name] as Activation;
  throw new ArgumentError(
    `configFromHF: ${field} is ${JSON.stringify(name)}; known are ${Object.keys(activations).join(", ")}`,
  );
}

/** Our configuration of a config.json's content: a Llama, Mistral, Qwen2, Qwen3 or GPT-2 of transformers', or what we write. */
export function configFromHF(config: HF): ModelConfig {
  accept(takes.configFromHF, arguments);
  const type = String(config.model_type);
  if (Object.hasOwn(llamas, type)) return llamaFromHF({ ...llamas[type], ...config });
  if (type === "gpt2") return gpt2FromHF(config);
  if (type === "twoheads-lstm") return lstmFromHF(config);
  const [, reason = ""] = reasons.find(([pattern]) => pattern.test(type)) ?? [];
  const known = [...Object.keys(llamas), "gpt2", "twoheads-lstm"].join(", ");
  throw new ArgumentError(
    `configFromHF: model_type is ${JSON.stringify(config.model_type)}${reason}; known are ${known}`,
  );
}

function llamaFromHF(config: HF): TransformerConfig {
  refuse(config, "llama");
  const [dim, heads] = [number(config, "hidden_size"), number(config, "num_attention_heads")];
  const context = number(config, "max_position_embeddings", 2048);
  refuseSlidingWindow(config, context);
  const attentionBias =
    config.attention_bias === true ? "all" : llamas[String(config.model_type)]?.attentionBias;
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
    context,
    positions: config.twoheads_positions === "learned" ? "learned" : "rope",
    ...ropeFromHF(config),
    ...(attentionBias && { attentionBias }),
    ...(config.model_type === "qwen3" && { qkNorm: true }),
    normEps: number(config, "rms_norm_eps", 1e-6),
    tied: config.tie_word_embeddings === true,
    dropout: number(config, "twoheads_dropout", 0),
    initStd: number(config, "initializer_range", 0.02),
  });
}

function gpt2FromHF(config: HF): TransformerConfig {
  refuse(config, "gpt2");
  const [dim, heads] = [number(config, "n_embd"), number(config, "n_head")];
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
    ...ropeFromHF(config),
    normEps: number(config, "layer_norm_epsilon", 1e-5),
    tied: config.tie_word_embeddings !== false,
    dropout: number(config, "resid_pdrop", 0.1), // one for all; where the three differ, that of most places
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
 * The content of a config.json that transformers opens: LlamaForCausalLM, Qwen2's, Qwen3's or GPT2LMHeadModel. What they have no field for
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
  const { attentionBias } = config;
  const isQwen2 = attentionBias === "qkv";
  const type = config.qkNorm ? "qwen3" : isQwen2 ? "qwen2" : "llama";
  return {
    architectures: [`${type[0]?.toUpperCase()}${type.slice(1)}ForCausalLM`],
    model_type: type,
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
    ...ropeScalingToHF(config.ropeScaling),
    rms_norm_eps: config.normEps,
    tie_word_embeddings: config.tied,
    initializer_range: config.initStd,
    ...(!isQwen2 && { attention_bias: attentionBias === "all" }),
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
