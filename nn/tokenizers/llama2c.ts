// llama2.c's tokenizer file (tokenizer.bin, tok512.bin): pieces with scores, as SentencePiece learnt them.
// A text gets a space in front, each character is a piece or else the bytes of its UTF-8, and the
// neighbours whose joined piece has the highest score merge, the leftmost first. The ids are those of
// run.c (https://github.com/karpathy/llama2.c). Next: folder.ts.

import { accept, signatures } from "../../core/signature.ts";
import { bytesAsFile, FileError } from "../checkpoints/byteSource.ts";
import { toBytes, toText } from "./bytes.ts";
import { mostTokens } from "./jsonFile.ts";
import { type Merge, MergeTable } from "./merges.ts";
import { type DecodeOptions, type TokenizerFile, VocabularyTokenizer } from "./tokenizer.ts";
import { remembering } from "./wordCache.ts";

const takes = signatures({
  Llama2cTokenizer: "ids: { keys: function, ... }, scores: number[], file: number[]",
  fromBytes: "bytes: number[], file?: string",
  decode: "ids: number[], { skipSpecial?: boolean }",
});

const firstByte = 3; // 0 unk, 1 bos, 2 eos, then the 256 bytes
const firstPiece = firstByte + 256;
const mostPieceBytes = 512; // every cut of a piece is looked up, so pieces can't be without end

/**
 * A tokenizer of llama2.c. Special tokens are never found in text: the format has no spelling for them. With
 * `{ bos: true }`, decoding gives the text back; without, the space in front stays.
 */
export class Llama2cTokenizer extends VocabularyTokenizer {
  readonly #file: Uint8Array;
  readonly #byWord: boolean;
  readonly #encodeWord: (word: string) => readonly number[];

  private constructor(
    ids: ReadonlyMap<string, number>,
    scores: readonly number[],
    file: Uint8Array,
  ) {
    accept(takes.Llama2cTokenizer, arguments);
    const names = [...ids.keys()];
    const [unk = "", bos = "", eos = ""] = names;
    super(ids, [], { unk, bos, eos });
    this.#file = file;
    this.#byWord = !names.slice(firstPiece).some((piece) => piece.includes(" ", 1));
    const merges = new MergeTable(this.vocabSize, mergesOf(ids, scores));
    this.#encodeWord = remembering((word) => merges.apply(this.#characters(word)));
  }

  /** From the bytes of a tokenizer file; a FileError names the token that is wrong. */
  static fromBytes(bytes: Uint8Array, file = "tokenizer.bin"): Llama2cTokenizer {
    accept(takes.fromBytes, arguments);
    const ids = new Map<string, number>();
    const scores: number[] = [];
    for (const { piece, score } of readPieces(bytes, file)) {
      const token = `token ${scores.length}`;
      const other = ids.get(piece);
      if (other !== undefined)
        throw new FileError(file, token, `"${piece}" is token ${other} already`);
      const byte = ids.size - firstByte;
      const needed = byteName(byte);
      if (byte >= 0 && byte < 256 && piece !== needed) {
        throw new FileError(file, token, `is "${piece}", must be "${needed}"`);
      }
      ids.set(piece, scores.length);
      scores.push(score);
    }
    if (ids.size < firstPiece || ids.size > mostTokens) {
      throw new FileError(file, "", `has ${ids.size} tokens, needs ${firstPiece} to ${mostTokens}`);
    }
    return new Llama2cTokenizer(ids, scores, bytes.slice());
  }

  protected encodePlain(text: string, ids: number[]): void {
    if (text === "") return;
    const spaced = ` ${text}`;
    // if no piece reaches over a space, words merge one by one, and words come back
    const parts = this.#byWord ? spaced.split(/(?= )/) : [spaced];
    for (const part of parts) for (const id of this.#encodeWord(part)) ids.push(id);
  }

  /** A piece for each character that is one, and bytes for the others. */
  #characters(word: string): number[] {
    return Array.from(word).flatMap((character) => {
      const id = this.ids.get(character);
      return id ?? Array.from(toBytes(character), (byte) => firstByte + byte);
    });
  }

  /** The text of some ids. The space in front of a text goes where the ids begin with bos. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string {
    accept(takes.decode, arguments);
    const runs: Uint8Array[] = [];
    let before = -1;
    for (const id of Array.from(ids)) {
      const bytes = this.#bytesOf(id);
      const drop = before === this.special.bos && bytes[0] === 0x20 ? 1 : 0;
      if (!this.skips(id, options)) runs.push(bytes.subarray(drop));
      before = id;
    }
    return toText(runs);
  }

  #bytesOf(id: number): Uint8Array {
    const byte = id - firstByte;
    return byte >= 0 && byte < 256 ? Uint8Array.of(byte) : toBytes(this.tokenOf(id));
  }

  files(): TokenizerFile[] {
    return [{ name: "tokenizer.bin", bytes: this.#file }];
  }
}

function byteName(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** int32 longest piece, then for each token float32 score, int32 length and the bytes of the piece. */
function* readPieces(bytes: Uint8Array, file: string): Generator<{ piece: string; score: number }> {
  const source = bytesAsFile(file, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  source.read("longest piece", 0, 4);
  const longest = Math.min(view.getInt32(0, true), mostPieceBytes);
  for (let at = 4, n = 0; at < bytes.length; n++) {
    const token = `token ${n}`;
    source.read(token, at, 8);
    const score = view.getFloat32(at, true);
    const length = view.getInt32(at + 4, true);
    if (!Number.isFinite(score)) throw new FileError(file, token, `has the score ${score}`);
    if (length < 0 || length > longest) {
      throw new FileError(file, token, `has ${length} bytes; 0 to ${longest} can be`);
    }
    const run = source.read(token, at + 8, length);
    at += 8 + length;
    try {
      yield {
        piece: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(run),
        score,
      };
    } catch (cause) {
      throw new FileError(file, token, "is not UTF-8", { cause });
    }
  }
}

/** Every way to make a piece of two others. Equal scores have equal ranks: there the left place decides. */
function mergesOf(ids: ReadonlyMap<string, number>, scores: readonly number[]): Merge[] {
  const ranks = new Map([...new Set(scores)].sort((a, b) => b - a).map((score, i) => [score, i]));
  const merges: Merge[] = [];
  for (const [piece, into] of ids) {
    const rank = ranks.get(scores[into] ?? 0) ?? 0;
    for (let at = 1; at < piece.length; at++) {
      const [left, right] = [ids.get(piece.slice(0, at)), ids.get(piece.slice(at))];
      if (left !== undefined && right !== undefined) merges.push({ left, right, into, rank });
    }
  }
  return merges;
}
