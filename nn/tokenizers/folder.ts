// Tokenizers on disk: the file beside a model that says how its text is cut. Which of our tokenizers reads
// it follows from what it holds. Next: ../checkpoints/folder.ts for the model.

import { ArgumentError } from "../../core/index.ts";
import {
  FileError,
  fileExists,
  folderOf,
  joinPath,
  readFile,
  replaceFile,
} from "../checkpoints/files.ts";
import { type Field, parseJson } from "../checkpoints/json.ts";
import { BPETokenizer } from "./bpe.ts";
import { isByteLevelBPE } from "./bpeFile.ts";
import { HuggingFaceTokenizer } from "./huggingFace.ts";
import { Llama2cTokenizer } from "./llama2c.ts";
import type { Role, SpecialTokens, Tokenizer } from "./tokenizer.ts";
import { isWordLevel, WordTokenizer } from "./word.ts";

const jsonName = "tokenizer.json";
const binName = "tokenizer.bin";
const configName = "tokenizer_config.json";

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

/** Writes a tokenizer's files into a folder, each replaced atomically. */
export async function saveTokenizer(folder: string, tokenizer: Tokenizer): Promise<void> {
  for (const { name, bytes } of tokenizer.files())
    await replaceFile(joinPath(folder, name), [bytes]);
}

function loadJson(file: string): Tokenizer {
  const root = parseJson(file, readFile(file));
  const config = joinPath(folderOf(file), configName);
  const special = fileExists(config) ? readSpecial(parseJson(config, readFile(config))) : {};
  const kind = isByteLevelBPE(root)
    ? BPETokenizer
    : isWordLevel(root)
      ? WordTokenizer
      : HuggingFaceTokenizer;
  try {
    return kind.fromJSON(root.value, { special, file });
  } catch (cause) {
    if (!(cause instanceof ArgumentError)) throw cause;
    throw new FileError(config, "", cause.message, { cause }); // a role of a token that isn't there
  }
}

/** Who is bos, eos, pad and unk: `"bos_token": "<s>"`, or an object with `content`. */
function readSpecial(config: Field): SpecialTokens {
  const found: { [role in Role]?: string } = {};
  for (const role of ["bos", "eos", "pad", "unk"] as const) {
    const field = config.get(`${role}_token`);
    if (field.value === undefined || field.value === null) continue;
    found[role] = typeof field.value === "string" ? field.value : field.get("content").string();
  }
  return found;
}
