// Tokenizers on disk: folder.ts, from paths, and saving. Next: ../checkpoints/onDisk.ts for the model.

import { accept, signatures } from "../../core/signature.ts";
import {
  folderOf,
  folderOnDisk,
  joinPath,
  openFile,
  removeFile,
  replaceFile,
} from "../checkpoints/files.ts";
import { binName, tokenizerIn, tokenizerOfBin, tokenizerOfJson } from "./folder.ts";
import { configName, jsonName } from "./jsonFile.ts";
import type { Tokenizer } from "./tokenizer.ts";

const takes = signatures({
  loadTokenizer: "path: string",
  saveTokenizer: "folder: string, tokenizer: { encode: function, decode: function, ... }",
});

/**
 * Loads a tokenizer from a folder that holds tokenizer.json or tokenizer.bin, or from such a file by any
 * name. Roles of special tokens come from the tokenizer_config.json beside it, if there is one.
 */
export function loadTokenizer(path: string): Tokenizer {
  accept(takes.loadTokenizer, arguments);
  if (path.endsWith(".json")) return tokenizerOfJson(openFile(path), folderOnDisk(folderOf(path)));
  return path.endsWith(".bin") ? tokenizerOfBin(openFile(path)) : tokenizerIn(folderOnDisk(path));
}

/** Writes a tokenizer's files into a folder, each replaced atomically, in place of another's. */
export async function saveTokenizer(folder: string, tokenizer: Tokenizer): Promise<void> {
  accept(takes.saveTokenizer, arguments);
  const others = new Set([jsonName, binName, configName]);
  for (const { name, bytes } of tokenizer.files()) {
    await replaceFile(joinPath(folder, name), [bytes]);
    others.delete(name);
  }
  for (const name of others) removeFile(joinPath(folder, name));
}
