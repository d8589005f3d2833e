// Tokenizers: text to ids and back. Next: tokenizer.ts for what they have in common, bpe.ts for the one
// that is trained, folder.ts for loading any of them.

export { BPETokenizer, ByteTokenizer } from "./bpe.ts";
export { type BPETrainOptions, trainBPE } from "./bpeTrain.ts";
export type { Offsets } from "./bytes.ts";
export { tokenizerFromFiles } from "./folder.ts";
export { type HuggingFaceEncodeOptions, HuggingFaceTokenizer } from "./huggingFace.ts";
export { Llama2cTokenizer } from "./llama2c.ts";
export type {
  DecodeOptions,
  EncodeOptions,
  Role,
  SpecialIds,
  SpecialTokens,
  Tokenizer,
  TokenizerFile,
} from "./tokenizer.ts";
export { type WordOptions, WordTokenizer } from "./word.ts";
