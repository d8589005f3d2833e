// A model's tokenizer, by the files beside it that say how its text is cut. Which of our tokenizers reads
// them follows from what they hold. Next: onDisk.ts for paths, ../checkpoints/folder.ts for the model.

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { baseOfAdapters } from "../checkpoints/adapters.ts";
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
import { configName, jsonName, readRoles, tokensById } from "./jsonFile.ts";
import { Llama2cTokenizer } from "./llama2c.ts";
import { roles, type SpecialTokens, type Tokenizer } from "./tokenizer.ts";
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

/** The folder that a model's tokenizer stands in: of adapters without one, that of the model that they belong to. */
export function tokenizerFolder(folder: Folder): Folder {
  if (folder.has(jsonName) || folder.has(binName)) return folder;
  return baseOfAdapters(folder) ?? folder;
}

/** The tokenizer of a model's folder. */
export function tokenizerIn(folder: Folder): Tokenizer {
  const at = tokenizerFolder(folder);
  if (at.has(jsonName)) return tokenizerOfJson(at.open(jsonName), at);
  if (at.has(binName)) return tokenizerOfBin(at.open(binName));
  const other = ["tokenizer.model", "spiece.model", "vocab.json", "vocab.txt"].find((name) =>
    at.has(name),
  );
  const converted = `holds ${other}, an older form, and no ${jsonName}, which transformers writes, in its folder: ${conversion}`;
  const neither = `holds neither ${jsonName} nor ${binName}`;
  throw new FileError(folder.name, "", other === undefined ? neither : converted);
}

const conversion = `python -c "from transformers import AutoTokenizer; AutoTokenizer.from_pretrained('.').save_pretrained('.')"`;

/** The tokenizer in a llama2.c file, which is closed. */
export function tokenizerOfBin(source: ByteSource): Tokenizer {
  return Llama2cTokenizer.fromBytes(readAll(source), source.name);
}

/**
 * The tokenizer in a tokenizer.json by any name. Who is bos, eos, pad and unk stands in the files beside it:
 * see withRoles.
 */
export function tokenizerOfJson(source: ByteSource, folder: Folder): Tokenizer {
  const file = source.name;
  const root = parseJson(file, readAll(source));
  const config = withRoles(jsonIn(folder, configName), folder, root);
  try {
    const special = readRoles(config);
    return (
      ourOwn(root, special) ??
      HuggingFaceTokenizer.fromJSON(root.value, { config: config.object(), file })
    );
  } catch (cause) {
    if (!(cause instanceof ArgumentError)) throw cause;
    throw new FileError(config.file, "", cause.message, { cause }); // a role of a token that isn't there
  }
}

/** The tokenizer of bytes or words that a file describes; null where it asks for more than these do. */
function ourOwn(root: Field, special: SpecialTokens): Tokenizer | null {
  const options = { special, file: root.file };
  try {
    if (isByteLevelBPE(root)) return BPETokenizer.fromJSON(root.value, options);
    if (isWordLevel(root, special)) return WordTokenizer.fromJSON(root.value, options);
  } catch (error) {
    if (!(error instanceof FileError)) throw error; // damaged, or without a byte: the reader of all kinds tells
  }
  return null;
}

/**
 * A tokenizer_config.json with the roles that it leaves open: from special_tokens_map.json, or else from the
 * ids in config.json. A role that it says null for has no token.
 */
function withRoles(config: Field, folder: Folder, root: Field): Field {
  const map = readRoles(jsonIn(folder, "special_tokens_map.json"));
  const model = jsonIn(folder, "config.json");
  const ids = roles.flatMap((role) => {
    const id = model.get(`${role}_token_id`).value;
    return [[role, Array.isArray(id) ? id[0] : id] as const];
  });
  const byId = ids.some(([, id]) => typeof id === "number") ? tokensById(root) : new Map();
  const found = ids.map(([role, id]) => [`${role}_token`, map[role] ?? byId.get(id)] as const);
  const open = found.filter(
    ([name, token]) => token !== undefined && config.get(name).value === undefined,
  );
  return new Field(config.file, config.path, { ...config.object(), ...Object.fromEntries(open) });
}

/** What a folder's JSON file of that name holds; nothing where there is none. */
function jsonIn(folder: Folder, name: string): Field {
  if (!folder.has(name)) return new Field(name, "", {});
  const source = folder.open(name);
  return parseJson(source.name, readAll(source));
}
