// Byte-level BPE as a Hugging Face `tokenizer.json`: reading one, checking it, and writing one that their
// libraries read. A file of this kind that does more (a normaliser, another way to cut words) isn't taken
// here but goes to huggingFace.ts. Next: bpe.ts.

import { ArgumentError } from "../../core/index.ts";
import type { Field } from "../checkpoints/json.ts";
import {
  addedFields,
  checkAddedIds,
  configOf,
  filesOf,
  frameOf,
  readId,
  standsPlainly,
} from "./jsonFile.ts";
import type { AddedToken, SpecialTokens, TokenizerFile } from "./tokenizer.ts";

/** What a byte-level BPE tokenizer consists of. */
export interface BPEParts {
  /** Every token, added ones too; a token of bytes is spelled with the letters of `byteLetters`. */
  readonly ids: ReadonlyMap<string, number>;
  /** Pairs of tokens in the order in which they were learnt. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  readonly added: readonly AddedToken[];
  readonly special: SpecialTokens;
}

/**
 * The letter that stands for each byte in a vocabulary. As GPT-2 chose them: a visible Latin-1 character is
 * itself, and the other 68 bytes are the characters from U+0100 on (a space is Ġ).
 */
export const byteLetters: readonly string[] = (() => {
  let spare = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const visible = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCharCode(visible ? byte : spare++);
  });
})();

const byteOfLetter = new Map(byteLetters.map((letter, byte) => [letter, byte]));

/** The bytes that a token's letters stand for; null if a character is no such letter. */
export function bytesOfLetters(token: string): Uint8Array | null {
  const bytes = Array.from(token, (letter) => byteOfLetter.get(letter) ?? -1);
  return bytes.includes(-1) ? null : Uint8Array.from(bytes);
}

/** Special and other added tokens, each once, with ids from `first` on. */
export function addTokens(
  special: SpecialTokens,
  others: readonly string[],
  first: number,
): AddedToken[] {
  const contents = new Set([...Object.values(special), ...others]);
  for (const content of contents) {
    if (content === "") throw new ArgumentError("tokenizer: an added token can't be empty");
    if (byteOfLetter.has(content)) clash(content);
  }
  return Array.from(contents, (content, i) => ({ content, id: first + i, special: true }));
}

/** Throws because a vocabulary can't hold an added token beside a token of bytes of that spelling. */
export function clash(content: string): never {
  throw new ArgumentError(
    `tokenizer: the added token "${content}" is spelled like a token of bytes; choose another`,
  );
}

/** Whether a tokenizer.json is byte-level BPE with GPT-2's words, and nothing beside. */
export function isByteLevelBPE(root: Field): boolean {
  const [model, words] = [root.get("model"), root.get("pre_tokenizer")];
  const is = (field: Field, ...values: unknown[]): boolean => values.includes(field.value);
  const none = [undefined, null, false, ""];
  const unset = (...fields: Field[]): boolean => fields.every((field) => is(field, ...none));
  const typeOf = (field: Field): unknown =>
    unset(field) ? null : (field.value as { type?: unknown }).type;
  return (
    is(model.get("type"), "BPE", undefined) &&
    unset(root.get("normalizer"), model.get("dropout"), model.get("byte_fallback")) &&
    unset(model.get("continuing_subword_prefix"), model.get("end_of_word_suffix")) &&
    unset(model.get("ignore_merges")) &&
    typeOf(words) === "ByteLevel" &&
    unset(words.get("add_prefix_space")) &&
    is(words.get("use_regex"), true, undefined) &&
    typeOf(root.get("decoder")) === "ByteLevel" &&
    [null, "ByteLevel"].includes(typeOf(root.get("post_processor")) as string | null) &&
    addedFields(root).every(standsPlainly) &&
    new Set(
      addedFields(root).map(
        (token) => token.get("normalized").value ?? token.get("special").value !== true,
      ),
    ).size < 2
  );
}

/** Reads and checks; every fault is a FileError. */
export function readBPE(root: Field, special: SpecialTokens): BPEParts {
  const ids = new Map<string, number>();
  const tokens = new Map<number, string>();
  const add = (token: string, id: number, field: Field): void => {
    const [otherId, otherToken] = [ids.get(token) ?? id, tokens.get(id) ?? token];
    if (otherId !== id) field.fail(`"${token}" has the id ${otherId} too`);
    if (otherToken !== token) field.fail(`${id} is the id of "${otherToken}" too`);
    ids.set(token, id);
    tokens.set(id, token);
  };
  const vocab = root.get("model").get("vocab");
  for (const [token, field] of vocab.entries()) add(token, readId(field), field);
  checkAddedIds(root, ids);
  const added: AddedToken[] = [];
  for (const field of addedFields(root)) {
    const content = field.get("content").string();
    if (content === "") field.get("content").fail("is empty");
    const id = readId(field.get("id"));
    ids.set(content, id);
    added.push({ content, id, special: field.get("special").value === true });
  }
  checkBytes(vocab, new Set(added.map(({ content }) => content)));
  return { ids, merges: readMerges(root, ids), added, special };
}

/** Throws unless every byte has a token, and every token that isn't added stands for bytes. */
function checkBytes(vocab: Field, added: ReadonlySet<string>): void {
  for (const [token, field] of vocab.entries()) {
    if (bytesOfLetters(token) === null && !added.has(token)) {
      field.fail("has a character that stands for no byte in a byte-level vocabulary");
    }
  }
  for (const [byte, letter] of byteLetters.entries()) {
    if (vocab.get(letter).value === undefined) {
      vocab.fail(`lacks "${letter}", the token of the byte ${byte}`);
    }
  }
}

/** Merges are written "left right" or ["left", "right"]. */
function readMerges(root: Field, ids: ReadonlyMap<string, number>): [string, string][] {
  const seen = new Set<string>();
  return root
    .get("model")
    .get("merges")
    .items()
    .map((field) => {
      const parts = Array.isArray(field.value)
        ? field.items().map((part) => part.string())
        : field.string().split(" ");
      const [left, right] = parts;
      if (left === undefined || right === undefined || parts.length > 2) {
        return field.fail('needs two tokens, "left right"');
      }
      for (const token of [left, right, left + right]) {
        if (!ids.has(token)) field.fail(`"${token}" isn't in model.vocab`);
      }
      if (seen.has(`${left} ${right}`)) field.fail(`"${left} ${right}" stands twice`);
      seen.add(`${left} ${right}`);
      return [left, right];
    });
}

/** The files of a byte-level BPE tokenizer. */
export function byteLevelFiles({ ids, merges, added, special }: BPEParts): TokenizerFile[] {
  const byteLevel = {
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: false,
    use_regex: true,
  };
  const json = {
    ...frameOf(added),
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges: merges.map(([left, right]) => `${left} ${right}`),
    },
  };
  return filesOf(json, configOf(special));
}
