// SentencePiece's table of replacements, which T5, XLM-R and their kin carry with them: a double-array trie
// (Darts) from spellings to places in a list of texts, in base64. A grapheme is looked up whole, then its
// characters one by one; what isn't found stays. Next: normalizers.ts.

import type { Field } from "../../checkpoints/json.ts";
import { toBytes } from "../bytes.ts";
import { isNone } from "./fields.ts";

/** The replacements of a field with a compiled table; nothing is replaced where it is missing or empty. */
export function charsMapIn(field: Field): (text: string) => string {
  if (isNone(field) || field.string() === "") return (text) => text;
  const bytes = fromBase64(field);
  const view = new DataView(bytes.buffer);
  const length = bytes.length < 4 ? -1 : view.getUint32(0, true);
  if (length < 4 || length % 4 !== 0 || 4 + length > bytes.length)
    field.fail("is no table of replacements");
  const units = Uint32Array.from({ length: length / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const texts = bytes.subarray(4 + length);
  return replacingBy((spelling) => {
    const at = findIn(units, toBytes(spelling));
    if (at === null) return null;
    const end = texts.indexOf(0, at);
    return new TextDecoder().decode(texts.subarray(at, end < 0 ? texts.length : end));
  });
}

function fromBase64(field: Field): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(field.string()), (character) => character.charCodeAt(0));
  } catch {
    return field.fail("is not base64");
  }
}

/** Where the shortest entry that the key begins with has its text; null for none. */
function findIn(units: Uint32Array, key: Uint8Array): number | null {
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  let at = offset(units[0] ?? 0);
  for (const byte of key) {
    if (byte === 0) return null;
    at ^= byte;
    const unit = units[at] ?? 0;
    if ((unit & 0x800000ff) >>> 0 !== byte) return null;
    at ^= offset(unit);
    if ((unit & 0x100) !== 0) return (units[at] ?? 0) & 0x7fffffff;
  }
  return null;
}

const mostBytes = 6; // longer graphemes are never looked up whole

function replacingBy(find: (spelling: string) => string | null): (text: string) => string {
  const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  const known = new Map<string, string>();
  const replaced = (grapheme: string): string => {
    const whole = toBytes(grapheme).length < mostBytes ? find(grapheme) : null;
    return whole ?? Array.from(grapheme, (character) => find(character) ?? character).join("");
  };
  return (text) => {
    let made = "";
    for (const { segment } of graphemes.segment(text)) {
      let found = known.get(segment);
      if (found === undefined) {
        found = replaced(segment);
        if (known.size < 65_536) known.set(segment, found);
      }
      made += found;
    }
    return made;
  };
}
