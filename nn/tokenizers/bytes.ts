// Tokens that stand for runs of bytes: what byte tokenizers, byte-level BPE and llama2.c have in common.
// A token may hold a part of a character only, so text is put together from bytes, and a place in the
// text is found by counting bytes. Next: bpe.ts.

import { joinBytes } from "../arrays.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { ignoreBOM: true }); // a BOM is a character like any other

/** UTF-8; half of a surrogate pair becomes U+FFFD. */
export function toBytes(string: string): Uint8Array<ArrayBuffer> {
  return utf8.encode(string);
}

/** The text that runs of bytes make together; what is no UTF-8 becomes U+FFFD. */
export function toText(runs: readonly Uint8Array[]): string {
  return text.decode(joinBytes(runs));
}

/** Begin and end in the text, counted as JavaScript does (UTF-16 code units). */
export type Offsets = readonly [begin: number, end: number];

/**
 * Where runs of `lengths` bytes lie in a text that they cover. A run that holds a part of a character
 * counts as holding all of it.
 */
export function offsetsOf(string: string, lengths: readonly number[]): Offsets[] {
  const starts: number[] = []; // of each byte: where its character begins
  const ends: number[] = [];
  let at = 0;
  for (const character of string) {
    const end = at + character.length;
    for (let n = toBytes(character).length; n > 0; n--) {
      starts.push(at);
      ends.push(end);
    }
    at = end;
  }
  let byte = 0;
  return lengths.map((length) => {
    const begin = starts[byte] ?? at;
    byte += length;
    return [begin, length === 0 ? begin : (ends[byte - 1] ?? at)];
  });
}
