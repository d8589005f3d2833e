// Tokenizers on disk: the file beside a model that says how its text is cut. Which of our tokenizers reads
// it follows from what it holds. Next: ../checkpoints/folder.ts for the model.

import { ArgumentError } from "../../core/index.ts";
import {
  FileError,
  fileExists,
  folderOf,
  joinPath,
  readFile,
  removeFile,
  replaceFile,
} from "../checkpoints/files.ts";
import { Field, parseJson } from "../checkpoints/json.ts";
import { BPETokenizer } from "./bpe.ts";
import { isByteLevelBPE } from "./bpeFile.ts";
import { HuggingFaceTokenizer } from "./huggingFace.ts";
import { configName, jsonName, readRoles } from "./jsonFile.ts";
import { Llama2cTokenizer } from "./llama2c.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { isWordLevel, WordTokenizer } from "./word.ts";

const binName = "tokenizer.bin";

/**
 * Loads a tokenizer from a folder that holds tokenizer.json or tokenizer.bin, or from such a file by any
 * name. Roles of special tokens come from the tokenizer_config.json beside it, if there is one.
 */
export function loadTokenizer(path: string): Tokenizer {
  if (path.endsWith(".json")) return loadJson(path);
  if (path.endsWith(".bin")) return Llama2cTokenizer.fromBytes(readFile(path), path);
  const [json, bin] = [joinPath(path, jsonName), joinPath(path, binName)];
  if (fileExists(json)) return loadJson(json);
  if (fileExists(bin)) return Llama2cTokenizer.fromBytes(readFile(bin), bin);
  throw new FileError(path, "", `holds neither ${jsonName} nor ${binName}`);
}

/** Writes a tokenizer's files into a folder, each replaced atomically, in place of another's. */
export async function saveTokenizer(folder: string, tokenizer: Tokenizer): Promise<void> {
  const others = new Set([jsonName, binName, configName]);
  for (const { name, bytes } of tokenizer.files()) {
    await replaceFile(joinPath(folder, name), [bytes]);
    others.delete(name);
  }
  for (const name of others) removeFile(joinPath(folder, name));
}

function loadJson(file: string): Tokenizer {
  const root = parseJson(file, readFile(file));
  const configFile = joinPath(folderOf(file), configName);
  const config = fileExists(configFile)
    ? parseJson(configFile, readFile(configFile))
    : new Field(configFile, "", {});
  const special = readRoles(config);
  try {
    if (isByteLevelBPE(root)) return BPETokenizer.fromJSON(root.value, { special, file });
    if (isWordLevel(root)) return WordTokenizer.fromJSON(root.value, { special, file });
    return HuggingFaceTokenizer.fromJSON(root.value, { config: config.object(), file });
  } catch (cause) {
    if (!(cause instanceof ArgumentError)) throw cause;
    throw new FileError(configFile, "", cause.message, { cause }); // a role of a token that isn't there
  }
}
