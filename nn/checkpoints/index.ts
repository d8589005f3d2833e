// Checkpoints: weights and configurations in the formats in which others keep theirs, from any source of
// bytes. Next: folder.ts for a whole model, safetensors.ts for its weights, llama2c.ts for llama2.c's,
// onDisk.ts for paths (twoheads/node).

export {
  type ByteSource,
  bytesAsFile,
  FileError,
  type Files,
  type Folder,
  filesAsFolder,
} from "./byteSource.ts";
export {
  type LoadedModel,
  type ModelParts,
  modelFiles,
  modelFromFiles,
  type RawConfig,
} from "./folder.ts";
export type { StoredTensor } from "./header.ts";
export * from "./llama2c.ts";
export * from "./safetensors.ts";
