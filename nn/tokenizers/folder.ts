// A model's tokenizer, by the files beside it that say how its text is cut. Which of our tokenizers reads
// them follows from what they hold. Next: onDisk.ts for paths, ../checkpoints/folder.ts for the model.

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import {
  type ByteSource,
  FileError,
  type Files,
  type Folder,
  filesAsFolder,
  readAll,
} from "../checkpoints/byteSource.ts";
import { Field, parseJson } from "../checkpoints/json.ts";
import { BPETokenizer } from "./bpe.ts";
import { isByteLevelBPE } from "./bpeFile.ts";
import { HuggingFaceTokenizer } from "./huggingFace.ts";
import { configName, jsonName, readRoles } from "./jsonFile.ts";
import { Llama2cTokenizer } from "./llama2c.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { isWordLevel, WordTokenizer } from "./word.ts";

const takes = signatures({
  tokenizerFromFiles: "files: object",
});

export const binName = "tokenizer.bin";

/**
 * A tokenizer from files in memory, by name: tokenizer.json (and tokenizer_config.json, which says who is
 * bos, eos, pad and unk) or tokenizer.bin.
 */
export function tokenizerFromFiles(files: Files): Tokenizer {
  accept(takes.tokenizerFromFiles, arguments);
  return tokenizerIn(filesAsFolder(files));
}

/** The tokenizer of a folder. */
export function tokenizerIn(folder: Folder): Tokenizer {
  if (folder.has(jsonName)) return tokenizerOfJson(folder.open(jsonName), folder);
  if (folder.has(binName)) return tokenizerOfBin(folder.open(binName));
  throw new FileError(folder.name, "", `holds neither ${jsonName} nor ${binName}`);
}

/** The tokenizer in a llama2.c file, which is closed. */
export function tokenizerOfBin(source: ByteSource): Tokenizer {
  return Llama2cTokenizer.fromBytes(readAll(source), source.name);
}

/** The tokenizer in a tokenizer.json by any name, with the tokenizer_config.json of its folder. */
export function tokenizerOfJson(source: ByteSource, folder: Folder): Tokenizer {
  const file = source.name;
  const root = parseJson(file, readAll(source));
  const config = configIn(folder);
  const special = readRoles(config);
  try {
    if (isByteLevelBPE(root)) return BPETokenizer.fromJSON(root.value, { special, file });
    if (isWordLevel(root)) return WordTokenizer.fromJSON(root.value, { special, file });
    return HuggingFaceTokenizer.fromJSON(root.value, { config: config.object(), file });
  } catch (cause) {
    if (!(cause instanceof ArgumentError)) throw cause;
    throw new FileError(config.file, "", cause.message, { cause }); // a role of a token that isn't there
  }
}

function configIn(folder: Folder): Field {
  if (!folder.has(configName)) return new Field(configName, "", {});
  const source = folder.open(configName);
  return parseJson(source.name, readAll(source));
}
