// What is done to a text before it is cut: Unicode's normal forms, lower case, accents, spaces. Each
// normalizer of a tokenizer.json is a function of the text. Characters are taken one by one, as the original
// does, so that lower case knows no neighbours. Next: charsMap.ts for SentencePiece's, preTokenizers.ts.

import type { Field } from "../../checkpoints/json.ts";
import { byteLetters } from "../bpeFile.ts";
import { toBytes } from "../bytes.ts";
import { charsMapIn } from "./charsMap.ts";
import { booleanOr, isNone, type Makers, partIn, partsIn } from "./fields.ts";
import { compiled, patternIn, space } from "./pattern.ts";

export type Normalizer = (text: string) => string;

const form = (name: "NFC" | "NFD" | "NFKC" | "NFKD") => (): Normalizer => (text) =>
  text.normalize(name);

const makers: Makers<Normalizer> = {
  Sequence: (field) => {
    const steps = partsIn(field.get("normalizers"), makers);
    return (text) => steps.reduce((before, step) => step(before), text);
  },
  NFC: form("NFC"),
  NFD: form("NFD"),
  NFKC: form("NFKC"),
  NFKD: form("NFKD"),
  Lowercase: () => lowerCase,
  StripAccents: () => replacing(/\p{M}/gu, ""),
  Strip: strip,
  Replace: (field) => replacing(patternIn(field.get("pattern")), field.get("content").string()),
  Prepend: (field) => {
    const first = field.get("prepend").string();
    return (text) => (text === "" ? "" : first + text);
  },
  Nmt: () => nmt,
  BertNormalizer: bert,
  Precompiled: (field) => charsMapIn(field.get("precompiled_charsmap")),
  ByteLevel: () => toByteLetters,
};

/** The normalizer of a tokenizer.json. */
export function normalizerIn(field: Field): Normalizer {
  return partIn(field, makers) ?? ((text) => text);
}

/** A text with the letter that stands for each of its bytes. */
export function toByteLetters(text: string): string {
  let letters = "";
  for (const byte of toBytes(text)) letters += byteLetters[byte];
  return letters;
}

/** Replaces by a text as it is: "$&" in it means nothing. */
export function replacing(pattern: RegExp, content: string): Normalizer {
  return (text) => text.replace(pattern, () => content);
}

function lowerCase(text: string): string {
  return text.replace(/\p{Uppercase}|\p{Changes_When_Lowercased}/gu, (letter) =>
    letter.toLowerCase(),
  );
}

function strip(field: Field): Normalizer {
  const left = booleanOr(field.get("strip_left"), false) ? `^[${space}]+` : "(?!)";
  const right = booleanOr(field.get("strip_right"), false) ? `(?<![${space}])[${space}]+$` : "(?!)";
  return replacing(compiled(`${left}|${right}`), "");
}

const removedByNmt = compiled("[\\u{1}-\\u{8}\\u{B}\\u{E}-\\u{1F}\\u{7F}\\u{8F}\\u{9F}]");
const blankForNmt = compiled(
  "[\\t\\n\\f\\r\\u{1680}\\u{200B}-\\u{200F}\\u{2028}\\u{2029}\\u{2581}\\u{FEFF}\\u{FFFD}]",
);

/** SentencePiece's rule for translation: control characters go, what looks empty becomes a space. */
function nmt(text: string): string {
  return text.replace(removedByNmt, "").replace(blankForNmt, " ");
}

const control = compiled("(?![\\t\\n\\r])[\\0\\u{FFFD}\\p{Cc}\\p{Cf}\\p{Co}]");
const blank = compiled(`[${space}]`);
const chinese =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

/** BERT's: control characters go, Chinese characters stand alone, accents and capitals go where asked. */
function bert(field: Field): Normalizer {
  const lower = booleanOr(field.get("lowercase"), true);
  const accents = field.get("strip_accents");
  const steps: readonly (readonly [boolean, Normalizer])[] = [
    [
      booleanOr(field.get("clean_text"), true),
      (text) => text.replace(control, "").replace(blank, " "),
    ],
    [booleanOr(field.get("handle_chinese_chars"), true), (text) => text.replace(chinese, " $& ")],
    [
      isNone(accents) ? lower : booleanOr(accents, false),
      (text) => text.normalize("NFD").replace(/\p{Mn}/gu, ""),
    ],
    [lower, lowerCase],
  ];
  const asked = steps.filter(([isAsked]) => isAsked).map(([, step]) => step);
  return (text) => asked.reduce((before, step) => step(before), text);
}
