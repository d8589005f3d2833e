// Checkpoints: weights and configurations on disk, in the formats in which others keep theirs.
// Next: folder.ts for a whole model, safetensors.ts for its weights, llama2c.ts for llama2.c's.

export { type ByteSource, bytesAsFile, FileError, openFile, replaceFile } from "./files.ts";
export * from "./folder.ts";
export type { StoredTensor } from "./header.ts";
export * from "./llama2c.ts";
export * from "./safetensors.ts";
export { openSharded, type ShardOptions, saveSharded } from "./sharded.ts";
