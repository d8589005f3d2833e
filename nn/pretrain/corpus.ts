// From documents to what a model trains on: repeated ones left out, some held out for validation, a
// tokenizer learnt from the rest, and everything as token ids, each document closed by the end token.
// Next: windows.ts for the order in which training sees it.

import { ArgumentError, random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { joinIds, sha256 } from "../arrays.ts";
import {
  ByteTokenizer,
  type SpecialTokens,
  type Tokenizer,
  trainBPE,
} from "../tokenizers/index.ts";
import { idWithRole } from "../tokenizers/tokenizer.ts";
import { type PretrainOptions, type PretrainSettings, pretrainSettings } from "./settings.ts";

const takes = signatures({
  documentsOf: "text: string, separator: string",
  makeCorpus:
    "documents: Iterable, options: object, given?: { encode: function, decode: function, ... }",
  documentStart: "tokenizer: { encode: function, decode: function, ... }",
});

/** A text as tokens, with a part of its documents held out. */
export interface Corpus {
  readonly tokenizer: Tokenizer;
  /** Ids of each document that is trained on. */
  readonly training: readonly Int32Array[];
  /** Ids of the documents held out, one after the other. */
  readonly validation: Int32Array;
  readonly facts: CorpusFacts;
}

/** Counts of what a corpus holds, and a digest that says whether two are the same. */
export interface CorpusFacts {
  /** Documents with text in them that are there once. */
  readonly documents: number;
  /** Copies of earlier documents, left out: they could be trained on and held out at once. */
  readonly repeated: number;
  readonly trainingTokens: number;
  readonly validationTokens: number;
  /** UTF-8 bytes that a token stands for, on average over what is held out. */
  readonly bytesPerToken: number;
  /** SHA-256 of all ids: whether two corpora are the same. */
  readonly digest: string;
}

const special: SpecialTokens = { bos: "<|endoftext|>", eos: "<|endoftext|>", pad: "<|pad|>" };

/** The documents of a file's text. */
export function documentsOf(text: string, separator: string): string[] {
  accept(takes.documentsOf, arguments);
  return text.split(separator).map((document) => document.trim());
}

/**
 * Prepares documents for a run. The settings' seed decides which are held out; the tokenizer sees only
 * the others. `given` is a tokenizer that is there already, in place of the one in the settings: needed where
 * those name a file.
 */
export async function makeCorpus(
  documents: Iterable<string>,
  options: PretrainOptions,
  given?: Tokenizer,
): Promise<Corpus> {
  accept(takes.makeCorpus, arguments);
  const settings = pretrainSettings(options);
  const all = [...documents].filter((document) => document !== "");
  const unique = [...new Set(all)];
  const { training, held } = holdOut(unique, settings);
  const tokenizer = given ?? makeTokenizer(training, settings);
  const encode = (document: string): Int32Array => encodeDocument(tokenizer, document);
  const trainingIds = training.map(encode);
  const validation = joinIds(held.map(encode));
  const trainingTokens = trainingIds.reduce((sum, ids) => sum + ids.length, 0);
  if (trainingTokens <= settings.context) {
    throw new ArgumentError(
      `pretrain: the corpus has ${trainingTokens} tokens to train on, too few for one window of ` +
        `${settings.context} and the token after it; give more text or a smaller context`,
    );
  }
  const heldBytes = held.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);
  return {
    tokenizer,
    training: trainingIds,
    validation,
    facts: {
      documents: unique.length,
      repeated: all.length - unique.length,
      trainingTokens,
      validationTokens: validation.length,
      bytesPerToken: heldBytes / validation.length,
      digest: await digestOf([...trainingIds, validation]),
    },
  };
}

/** Splits off the settings' share: of the documents; or, where they are few, of the end of each. */
function holdOut(
  documents: readonly string[],
  { validation, seed }: PretrainSettings,
): { readonly training: string[]; readonly held: string[] } {
  if (documents.length === 0) {
    throw new ArgumentError("pretrain: the corpus is empty; give files with text in them");
  }
  if (documents.length * validation < 1) {
    const parts = documents.map((document) => cut(document, 1 - validation));
    return { training: parts.map(([begin]) => begin), held: parts.map(([, end]) => end) };
  }
  const order = random(seed).fork("validation").permutation(documents.length);
  const held = new Set(order.subarray(0, Math.floor(documents.length * validation)));
  return {
    training: documents.filter((_, i) => !held.has(i)),
    held: documents.filter((_, i) => held.has(i)),
  };
}

/** A document in two, at the first line that begins behind that share of it, or else there. */
function cut(document: string, at: number): [begin: string, end: string] {
  const place = Math.floor(document.length * at);
  const line = document.indexOf("\n", place);
  const from = line < 0 ? place : line + 1;
  return [document.slice(0, from), document.slice(from)];
}

function makeTokenizer(
  texts: readonly string[],
  { tokenizer, vocabSize }: PretrainSettings,
): Tokenizer {
  if (tokenizer === "bpe") return trainBPE(texts, { vocabSize, special });
  if (tokenizer === "bytes") return new ByteTokenizer({ special });
  throw new ArgumentError(
    `pretrain: the tokenizer "${tokenizer}" is neither bpe nor bytes; one from a file is handed over: ` +
      `makeCorpus(documents, settings, loadTokenizer("${tokenizer}")), see twoheads/node`,
  );
}

/** Of all ids, and of where documents begin. */
function digestOf(parts: readonly Int32Array[]): Promise<string> {
  return sha256([Int32Array.from(parts, ({ length }) => length), ...parts]);
}

/** A document as training sees it: closed by the end token, opened by a begin token if that is another. */
function encodeDocument(tokenizer: Tokenizer, text: string): Int32Array {
  const eos = idWithRole("eos", tokenizer.special);
  const { bos } = tokenizer.special;
  const opened = bos !== undefined && bos !== eos;
  return tokenizer.encode(text, { bos: opened, eos: true, parseSpecial: false });
}

/** What a model has read where a document begins: the begin token, or the one that closed the last. */
export function documentStart(tokenizer: Tokenizer): number[] {
  accept(takes.documentStart, arguments);
  const {
    special: { bos, eos },
  } = tokenizer;
  const start = bos ?? eos;
  return start === undefined ? [] : [start];
}
