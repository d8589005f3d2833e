// Byte-level BPE, GPT-2's way: text is cut into words that keep the space in front of them, a word is its
// UTF-8 bytes, and neighbours merge in the order in which training learnt the merges. Any text can be
// encoded, and what is decoded is what went in. Without merges it is a tokenizer of bytes.
// Next: bpeTrain.ts for learning the merges, bpeFile.ts for the file they are kept in.

import { accept, signatures } from "../../core/signature.ts";
import { Field } from "../checkpoints/json.ts";
import {
  addTokens,
  type BPEParts,
  byteLetters,
  byteLevelFiles,
  bytesOfLetters,
  readBPE,
} from "./bpeFile.ts";
import { type Offsets, offsetsOf, toBytes, toText } from "./bytes.ts";
import { MergeTable } from "./merges.ts";
import { byteLevelWords } from "./parts/pattern.ts";
import {
  type DecodeOptions,
  type EncodeOptions,
  encodeOptions,
  type SpecialTokens,
  type TokenizerFile,
  VocabularyTokenizer,
} from "./tokenizer.ts";
import { remembering } from "./wordCache.ts";

const takes = signatures({
  BPETokenizer: "parts: { ids: object, merges: any[], ... }",
  fromJSON: "json: any, { special?: object, file?: string }",
  encodeWithOffsets: `text: string, { ${encodeOptions} }`,
  decode: "ids: number[], { skipSpecial?: boolean }",
  ByteTokenizer: "{ special?: object, added?: any[] }",
});

/** The words of a text, which cover all of it. */
export function wordsOf(text: string): readonly string[] {
  return text.match(byteLevelWords) ?? [];
}

/**
 * A byte-level BPE, as GPT-2's: any text becomes tokens and comes back unchanged. trainBPE learns one from
 * text; fromJSON reads one of ours.
 */
export class BPETokenizer extends VocabularyTokenizer {
  readonly #parts: BPEParts;
  readonly #bytes: ReadonlyMap<number, Uint8Array>;
  readonly #encodeWord: (word: string) => readonly number[];

  /** From parts that fit each other; `fromJSON` checks them. */
  constructor(parts: BPEParts) {
    accept(takes.BPETokenizer, arguments);
    super(parts.ids, parts.added, parts.special);
    this.#parts = parts;
    const spelled = new Map(parts.added.map(({ id, content }) => [id, toBytes(content)]));
    this.#bytes = new Map(
      Array.from(parts.ids, ([token, id]) => [
        id,
        spelled.get(id) ?? bytesOfLetters(token) ?? new Uint8Array(0),
      ]),
    );
    const id = (token: string): number => parts.ids.get(token) ?? 0;
    const idOfByte = byteLetters.map(id);
    const merges = new MergeTable(
      this.vocabSize,
      parts.merges.map(([left, right], rank) => {
        return { left: id(left), right: id(right), into: id(left + right), rank };
      }),
    );
    this.#encodeWord = remembering((word) =>
      merges.apply(Array.from(toBytes(word), (byte) => idOfByte[byte] ?? 0)),
    );
  }

  /** From what a tokenizer.json holds; a FileError names the field that is wrong. */
  static fromJSON(
    json: unknown,
    options: { special?: SpecialTokens; file?: string } = {},
  ): BPETokenizer {
    accept(takes.fromJSON, arguments);
    const { special = {}, file = "tokenizer.json" } = options;
    return new BPETokenizer(readBPE(new Field(file, "", json), special));
  }

  protected encodePlain(text: string, ids: number[]): void {
    for (const word of wordsOf(text)) for (const id of this.#encodeWord(word)) ids.push(id);
  }

  /** Ids, and where in the text each lies. bos and eos lie at its ends and have no length. */
  encodeWithOffsets(
    text: string,
    options: EncodeOptions = {},
  ): { ids: Int32Array; offsets: Offsets[] } {
    accept(takes.encodeWithOffsets, arguments);
    const ids = this.encode(text, options);
    const lengths = Array.from(ids, (id) => this.#bytesOf(id).length);
    if (options.bos) lengths[0] = 0;
    if (options.eos) lengths[ids.length - 1] = 0;
    return { ids, offsets: offsetsOf(text, lengths) };
  }

  /** The text of some ids; bytes that make no character become U+FFFD. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string {
    accept(takes.decode, arguments);
    return toText(
      Array.from(ids)
        .filter((id) => !this.skips(id, options))
        .map((id) => this.#bytesOf(id)),
    );
  }

  #bytesOf(id: number): Uint8Array {
    return this.#bytes.get(id) ?? toBytes(this.tokenOf(id)); // tokenOf throws
  }

  files(): TokenizerFile[] {
    return byteLevelFiles(this.#parts);
  }
}

/**
 * The tokenizer that needs no training: a token is a byte of UTF-8, ids 0 to 255, and special tokens follow.
 * About four times as many tokens as a trained one makes of English.
 */
export class ByteTokenizer extends BPETokenizer {
  constructor(options: { special?: SpecialTokens; added?: readonly string[] } = {}) {
    accept(takes.ByteTokenizer, arguments);
    const { special = {}, added = [] } = options;
    const tokens = addTokens(special, added, 256);
    const bytes = byteLetters.map((letter, byte) => [letter, byte] as const);
    const ids = new Map([...bytes, ...tokens.map(({ content, id }) => [content, id] as const)]);
    super({ ids, merges: [], added: tokens, special });
  }
}
