// Byte pair encoding with all that a tokenizer.json can ask of it: marks for pieces inside of a word or at
// its end, bytes in place of characters that have no token, unknown tokens one by one or as one.
// Next: ../merges.ts for the merging itself.

import { ArgumentError } from "../../../core/index.ts";
import type { Field } from "../../checkpoints/json.ts";
import { toBytes } from "../bytes.ts";
import { type Merge, MergeTable } from "../merges.ts";
import { remembering } from "../wordCache.ts";
import { booleanOr, isNone, stringOr } from "./fields.ts";

/** A BPE model with that vocabulary. What has no token, no bytes and no token for the unknown is left out. */
export function mergeModel(model: Field, ids: ReadonlyMap<string, number>) {
  const prefix = stringOr(model.get("continuing_subword_prefix"), "");
  const suffix = stringOr(model.get("end_of_word_suffix"), "");
  const fuses = booleanOr(model.get("fuse_unk"), false);
  const wholeWords = booleanOr(model.get("ignore_merges"), false);
  const bytes = booleanOr(model.get("byte_fallback"), false) ? byteTokens(ids) : null;
  const unk = isNone(model.get("unk_token")) ? null : model.get("unk_token").string();
  const dropout = model.get("dropout");
  if (!isNone(dropout) && dropout.value !== 0)
    dropout.fail("merges at random; only null or 0 can be");
  const merges = new MergeTable(largest(ids) + 1, mergesIn(model.get("merges"), ids, prefix));

  /** The tokens of a word's characters. */
  const characters = (word: string): number[] => {
    const found: number[] = [];
    let unknown: number | null = null; // as in the original, it waits for what comes next
    const parts = Array.from(word);
    for (const [i, part] of parts.entries()) {
      const text = (i > 0 ? prefix : "") + part + (i === parts.length - 1 ? suffix : "");
      const id = ids.get(text);
      const spelled = id === undefined ? bytes?.(text) : undefined;
      if (spelled) found.push(...spelled);
      else if (id !== undefined || (unk !== null && !(fuses && unknown !== null))) {
        if (unknown !== null) found.push(unknown);
        unknown = id === undefined ? unknownId(ids, unk ?? "") : null;
        if (id !== undefined) found.push(id);
      }
    }
    if (unknown !== null) found.push(unknown);
    return found;
  };
  const encodeWord = remembering((word) => {
    const whole = wholeWords ? ids.get(word) : undefined;
    return whole === undefined ? merges.apply(characters(word)) : [whole];
  });
  const cuts = prefix === "" && suffix === "" && !wholeWords && cutsAtMarks(ids);
  const encode = cuts
    ? (text: string) => text.split(/(?<=[^▁])(?=▁)/).flatMap((word) => encodeWord(word))
    : encodeWord;
  return { ids, encode };
}

/**
 * Whether no token goes on over a "▁" behind another character, so that nothing merges there: a text that
 * comes in one piece can then be encoded word by word, and words come back.
 */
function cutsAtMarks(ids: ReadonlyMap<string, number>): boolean {
  if (!ids.has("▁")) return false;
  for (const token of ids.keys()) if (/[^▁]▁/.test(token)) return false;
  return true;
}

function largest(ids: ReadonlyMap<string, number>): number {
  let most = 0;
  for (const id of ids.values()) most = Math.max(most, id);
  return most;
}

function unknownId(ids: ReadonlyMap<string, number>, token: string): number {
  const id = ids.get(token);
  if (id !== undefined) return id;
  throw new ArgumentError(
    `tokenizer: the unknown token ${JSON.stringify(token)} isn't in the vocabulary`,
  );
}

/** The ids of a text's bytes, spelled <0x0A>; null where the vocabulary lacks one of them. */
export function byteTokens(ids: ReadonlyMap<string, number>): (text: string) => number[] | null {
  const ofByte = Array.from({ length: 256 }, (_, byte) => {
    return ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`) ?? -1;
  });
  return (text) => {
    const found = Array.from(toBytes(text), (byte) => ofByte[byte] ?? -1);
    return found.includes(-1) ? null : found;
  };
}

/** Merges are written "left right" or ["left", "right"]; of a pair that stands twice, the later counts. */
function* mergesIn(
  list: Field,
  ids: ReadonlyMap<string, number>,
  prefix: string,
): Generator<Merge> {
  let rank = 0;
  for (const field of list.items()) {
    const { value } = field;
    if (typeof value === "string" && value.startsWith("#version")) continue;
    const parts =
      typeof value === "string" ? value.split(" ") : field.items().map((part) => part.string());
    const [a, b] = parts;
    if (a === undefined || b === undefined || parts.length > 2) {
      return field.fail('needs two tokens, "left right"');
    }
    const joined = a + b.slice(prefix.length); // its mark, which all but the first piece of a word have
    const [left, right, into] = [a, b, joined].map((token) => {
      return ids.get(token) ?? field.fail(`"${token}" isn't in model.vocab`);
    }) as [number, number, number];
    yield { left, right, into, rank: rank++ };
  }
}
