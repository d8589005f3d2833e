// How a text is cut into words before a model makes tokens of each. Every pre-tokenizer of a tokenizer.json
// is a function from a piece of the text to smaller ones. Letters, digits and spaces are Unicode's, as in
// Rust: JavaScript's \w knows ASCII alone, and its \s takes U+FEFF for a space and U+0085 for none.
// Next: models.ts.

import type { Field } from "../../checkpoints/json.ts";
import { booleanOr, characterOr, isNone, type Makers, partIn, partsIn } from "./fields.ts";
import { toByteLetters } from "./normalizers.ts";
import {
  byteLevelWords,
  compiled,
  literally,
  patternIn,
  punctuation,
  space,
  wordLetters,
} from "./pattern.ts";
import { type Behavior, behaviorIn, type Piece, split } from "./split.ts";

export type PreTokenizer = (piece: Piece) => Piece[];

const spaces = compiled(`[${space}]`);
const marks = compiled(`[${punctuation}]`);
const words = compiled(`[${wordLetters}]+|[^${wordLetters}${space}]+`);
const cutting =
  (pattern: RegExp, behavior: Behavior, invert = false): PreTokenizer =>
  (piece) =>
    split(piece, pattern, behavior, invert);

const inTurn =
  (steps: readonly PreTokenizer[]): PreTokenizer =>
  (piece) =>
    steps.reduce<Piece[]>((pieces, step) => pieces.flatMap(step), [piece]);

const makers: Makers<PreTokenizer> = {
  Sequence: (field) => inTurn(partsIn(field.get("pretokenizers"), makers)),
  Whitespace: () => cutting(words, "Removed", true),
  WhitespaceSplit: () => cutting(spaces, "Removed"),
  BertPreTokenizer: () => inTurn([cutting(spaces, "Removed"), cutting(marks, "Isolated")]),
  Punctuation: (field) => cutting(marks, behaviorIn(field.get("behavior"), "Isolated")),
  Digits: (field) => {
    const alone = booleanOr(field.get("individual_digits"), false);
    return cutting(/\p{N}/gu, alone ? "Isolated" : "Contiguous");
  },
  Split: (field) =>
    cutting(
      patternIn(field.get("pattern")),
      behaviorIn(field.get("behavior")),
      booleanOr(field.get("invert"), false),
    ),
  CharDelimiterSplit: (field) =>
    cutting(compiled(literally(characterOr(field.get("delimiter"), ""))), "Removed"),
  FixedLength: (field) => {
    const length = isNone(field.get("length")) ? 5 : field.get("length").wholeNumber();
    if (length === 0) field.get("length").fail("must be at least 1");
    return cutting(compiled(`[\\s\\S]{1,${length}}`), "Isolated");
  },
  ByteLevel: byteLevel,
  Metaspace: metaspace,
};

/** The pre-tokenizer of a tokenizer.json. */
export function preTokenizerIn(field: Field): PreTokenizer {
  return partIn(field, makers) ?? ((piece) => [piece]);
}

function byteLevel(field: Field): PreTokenizer {
  const spaced = booleanOr(field.get("add_prefix_space"), true);
  const cut = booleanOr(field.get("use_regex"), true);
  return (piece) => {
    const text = spaced && !piece.text.startsWith(" ") ? ` ${piece.text}` : piece.text;
    const whole = { ...piece, text };
    const pieces = cut ? split(whole, byteLevelWords, "Isolated") : [whole];
    return pieces.map((each) => ({ ...each, text: toByteLetters(each.text) }));
  };
}

/** Where Metaspace puts its mark in front: "always", "first" (of the text) or "never". */
export function prependScheme(field: Field): string {
  const scheme = field.get("prepend_scheme");
  if (field.get("add_prefix_space").value === false) return "never"; // how older files say it
  if (isNone(scheme)) return "always";
  const known = ["always", "first", "never"].includes(scheme.string());
  return known ? scheme.string() : scheme.fail('needs "always", "first" or "never"');
}

function metaspace(field: Field): PreTokenizer {
  const mark = characterOr(field.get("replacement"), "▁");
  const scheme = prependScheme(field);
  const isCut = booleanOr(field.get("split"), true);
  const marked = compiled(literally(mark));
  return ({ text, isFirst }) => {
    const replaced = text.replaceAll(" ", () => mark);
    const prepends = scheme === "always" || (scheme === "first" && isFirst);
    const whole = prepends && !replaced.startsWith(mark) ? mark + replaced : replaced;
    const piece = { text: whole, isFirst };
    return isCut ? split(piece, marked, "MergedWithNext") : [piece];
  };
}
