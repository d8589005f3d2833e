// nn: neural networks on top of core. Modules and their names (module.ts), what flows through them by
// name (activations.ts), layers, the transformer and the LSTM behind one interface (backbone.ts), the
// language model (causalLM.ts), adapters, optimisers and generation. May import core, never kernels.
// Read module.ts, layers.ts, attention.ts, transformer.ts, causalLM.ts in this order.

export { capture, edit } from "./activations.ts";
export { GPT2Attention, LlamaAttention, type Pass, SelfAttention } from "./attention.ts";
export { Backbone, type Cache, type ForwardOptions } from "./backbone.ts";
export { KVCache } from "./cache.ts";
export { CausalLM, makeBackbone } from "./causalLM.ts";
export * from "./checkpoints/index.ts";
export {
  type LSTMConfig,
  type LSTMOptions,
  type ModelConfig,
  type ModelOptions,
  modelConfig,
  type TransformerConfig,
  type TransformerOptions,
} from "./config.ts";
export { configFromHF, configToHF } from "./configHF.ts";
export { FeedForward, MLP, SwiGLU } from "./feedForward.ts";
export { type Generated, type GenerateOptions, generate, generateAsync } from "./generate.ts";
export * from "./layers.ts";
export {
  addLoRA,
  LoRA,
  type LoRAOptions,
  loraStateDict,
  mergeLoRA,
  unmergeLoRA,
  withoutAdapters,
} from "./lora.ts";
export { LSTM, LSTMCell } from "./lstm.ts";
export { type LoadReport, Module, type StateDict } from "./module.ts";
export * from "./optim.ts";
export * from "./pretrain.ts";
export { causalLMFiles, causalLMFromFiles } from "./pretrained.ts";
export type { SamplingOptions } from "./sampling.ts";
export * from "./schedule.ts";
export * from "./tokenizers/index.ts";
export { Transformer, TransformerBlock } from "./transformer.ts";
