// From tokens back to text. Each decoder of a tokenizer.json is a function from a list of tokens to a list of
// texts, which are joined in the end. Next: ../huggingFace.ts.

import type { Field } from "../../checkpoints/json.ts";
import { bytesOfLetters } from "../bpeFile.ts";
import { toBytes, toText } from "../bytes.ts";
import {
  booleanOr,
  characterOr,
  isNone,
  type Makers,
  partIn,
  partsIn,
  stringOr,
} from "./fields.ts";
import { replacing } from "./normalizers.ts";
import { patternIn } from "./pattern.ts";
import { prependScheme } from "./preTokenizers.ts";

export type Decoder = (tokens: readonly string[]) => readonly string[];

const makers: Makers<Decoder> = {
  Sequence: (field) => {
    const steps = partsIn(field.get("decoders"), makers);
    return (tokens) => steps.reduce((before, step) => step(before), tokens);
  },
  ByteLevel: () => (tokens) => [
    toText(tokens.map((token) => bytesOfLetters(token) ?? toBytes(token))),
  ],
  ByteFallback: () => fromByteTokens,
  Fuse: () => (tokens) => [tokens.join("")],
  Replace: (field) => {
    const replace = replacing(patternIn(field.get("pattern")), field.get("content").string());
    return (tokens) => tokens.map(replace);
  },
  Strip: strip,
  Metaspace: metaspace,
  WordPiece: (field) => {
    const prefix = stringOr(field.get("prefix"), "##");
    const clean = booleanOr(field.get("cleanup"), true) ? cleaned : (text: string) => text;
    const joined = (token: string): string =>
      token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    return (tokens) => tokens.map((token, i) => clean(i === 0 ? token : joined(token)));
  },
  BPEDecoder: (field) => {
    const suffix = stringOr(field.get("suffix"), "</w>");
    const space = (i: number, n: number): string => (i === n - 1 ? "" : " ");
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, space(i, tokens.length)));
  },
  CTC: ctc,
};

/** The decoder of a tokenizer.json; without one, tokens stand with spaces between them. */
export function decoderIn(field: Field): (tokens: readonly string[]) => string {
  const decoder = partIn(field, makers);
  return (tokens) => (decoder === null ? tokens.join(" ") : decoder(tokens).join(""));
}

/** Runs of <0x0A> are the UTF-8 that they spell; a run that is none is U+FFFD for each of its bytes. */
function fromByteTokens(tokens: readonly string[]): string[] {
  const texts: string[] = [];
  let run: number[] = [];
  const flush = (): void => {
    if (run.length === 0) return;
    const text = toText([Uint8Array.from(run)]);
    const isExact = toBytes(text).every((byte, i) => byte === run[i]);
    texts.push(isExact ? text : "\ufffd".repeat(run.length));
    run = [];
  };
  for (const token of tokens) {
    const digits = /^<0x([\dA-Fa-f]{2})>$/.exec(token)?.[1];
    if (digits !== undefined) run.push(Number.parseInt(digits, 16));
    else {
      flush();
      texts.push(token);
    }
  }
  flush();
  return texts;
}

function strip(field: Field): Decoder {
  const content = characterOr(field.get("content"), " ");
  const [most, mostAtEnd] = [field.get("start").wholeNumber(), field.get("stop").wholeNumber()];
  return (tokens) =>
    tokens.map((token) => {
      const characters = Array.from(token);
      let [begin, end] = [0, characters.length];
      while (begin < most && characters[begin] === content) begin++;
      while (characters.length - end < mostAtEnd && characters[end - 1] === content) end--;
      return characters.slice(begin, Math.max(begin, end)).join("");
    });
}

function metaspace(field: Field): Decoder {
  const mark = characterOr(field.get("replacement"), "▁");
  const atStart = prependScheme(field) === "never" ? " " : "";
  return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 ? atStart : " "));
}

const contractions: readonly (readonly [string, string])[] = [
  ...([" .", " ?", " !", " ,"] as const).map((mark) => [mark, mark.trim()] as const),
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  ...([" 's", " 've", " 're"] as const).map((end) => [end, end.trim()] as const),
];

/** English as it is written: no space before a mark. */
function cleaned(text: string): string {
  return contractions.reduce((before, [from, to]) => before.replaceAll(from, to), text);
}

/** Of equal neighbours one stays, pads go: for what was recognised in speech. */
function ctc(field: Field): Decoder {
  const pad = stringOr(field.get("pad_token"), "<pad>");
  const delimiter = stringOr(field.get("word_delimiter_token"), "|");
  const clean = isNone(field.get("cleanup")) || booleanOr(field.get("cleanup"), true);
  return (tokens) =>
    tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map((token) => token.replaceAll(pad, ""))
      .map((token) => (clean ? cleaned(token).replaceAll(delimiter, " ") : token))
      .filter((token) => token !== "");
}
