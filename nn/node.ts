// nn's doors to the disk: models, tokenizers and checkpoints from paths, and saved. Node, Deno and Bun have
// files; a browser has what index.ts exports. Next: checkpoints/onDisk.ts.

export { openFile, replaceFile } from "./checkpoints/files.ts";
export * from "./checkpoints/onDisk.ts";
export { loadCausalLM, saveCausalLM } from "./modelFolder.ts";
export { loadPretrainCheckpoint, savePretrainCheckpoint } from "./pretrain/checkpoint.ts";
export { loadTokenizer, saveTokenizer } from "./tokenizers/onDisk.ts";
