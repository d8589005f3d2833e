// From text to token ids and back, behind one interface. What all of our own tokenizers share is here:
// names and ids, the roles of special tokens, and finding special tokens in a text. Text is what
// JavaScript strings can say in UTF-8: half of a surrogate pair, which no UTF-8 can hold, is encoded as
// U+FFFD, and text.toWellFormed() is what comes back.
// Next: bpe.ts for bytes and for what is learnt from them, word.ts for small worlds.

import { ArgumentError, IndexError } from "../../core/index.ts";
import { accept, signature } from "../../core/signature.ts";
import { Finder } from "./parts/finder.ts";

/** What a special token is for: the begin and the end of a text, filling up a batch, the unknown. */
export const roles = ["bos", "eos", "pad", "unk"] as const;

/** What a special token is for: begin of text, end of text, padding, unknown. */
export type Role = (typeof roles)[number];

/** Which token has which role: `{ bos: "<s>", eos: "</s>" }`. Roles may share a token. */
export type SpecialTokens = { readonly [role in Role]?: string };

/** The same by id. */
export type SpecialIds = { readonly [role in Role]?: number };

/** A token that is found in the text before anything else is cut. */
export interface AddedToken {
  readonly content: string;
  readonly id: number;
  /** Special tokens can be left out of decoded text. */
  readonly special: boolean;
}

/** What is put around a text's tokens, and how special tokens in it are taken. */
export interface EncodeOptions {
  /** Puts the token with the role bos in front. */
  readonly bos?: boolean;
  /** Puts the token with the role eos at the end. */
  readonly eos?: boolean;
  /**
   * Whether special tokens that are spelled out in the text become their ids (true, unless said), or are
   * text like any other (false: for text that a stranger wrote); or for each by where it begins in the text.
   * Added tokens that aren't special, such as runs of spaces, are always found.
   */
  readonly parseSpecial?: boolean | ((begin: number) => boolean);
}

/** Which tokens are left out of a decoded text. */
export interface DecodeOptions {
  /** Leaves special tokens out of the text, and ids that a model has and no token; false unless said. */
  readonly skipSpecial?: boolean;
}

/** A file that a tokenizer is saved in. */
export interface TokenizerFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Text to ids and back. All tokenizers have this face: bytes, words, BPE, llama2.c's and Hugging Face's. */
export interface Tokenizer {
  /** One more than the largest id. */
  readonly vocabSize: number;
  readonly special: SpecialIds;
  encode(text: string, options?: EncodeOptions): Int32Array;
  /** The text of some ids; an IndexError names an id that isn't in the vocabulary, unless those are left out. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** The id of a token as the vocabulary spells it; undefined if there is none. */
  idOf(token: string): number | undefined;
  /** A token as the vocabulary spells it; an IndexError if there is no such id. */
  tokenOf(id: number): string;
  /** What to write so that loadTokenizer gives this tokenizer again. */
  files(): TokenizerFile[];
}

/** What encode() takes, as it stands in a signature. */
export const encodeOptions = "bos?: boolean, eos?: boolean, parseSpecial?: boolean | function";
const takes = signature("encode", `text: string, { ${encodeOptions} }`);

/** What our own tokenizers share. */
export abstract class VocabularyTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly special: SpecialIds;
  protected readonly ids: ReadonlyMap<string, number>;
  protected readonly added: readonly AddedToken[];
  readonly #tokens: ReadonlyMap<number, string>;
  readonly #skippable: ReadonlySet<number>;
  readonly #finder: Finder;

  /** `ids` holds every token, `added` those to be found in the text, `special` names tokens of `ids`. */
  constructor(
    ids: ReadonlyMap<string, number>,
    added: readonly AddedToken[],
    special: SpecialTokens,
  ) {
    this.ids = ids;
    this.added = added;
    this.special = rolesOf(ids, special);
    this.#tokens = new Map(Array.from(ids, ([token, id]) => [id, token]));
    this.vocabSize = 1 + [...ids.values()].reduce((most, id) => Math.max(most, id), -1);
    const skippable = added.filter((token) => token.special).map((token) => token.id);
    this.#skippable = new Set([...skippable, ...Object.values(this.special)]);
    this.#finder = new Finder(
      added.map((token) => ({ ...asTheyStand, ...token })),
      (content) => content,
    );
  }

  /** Appends the ids of text without special tokens. */
  protected abstract encodePlain(text: string, ids: number[]): void;
  abstract decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  abstract files(): TokenizerFile[];

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    accept(takes, arguments);
    const ids: number[] = [];
    if (options.bos) ids.push(idWithRole("bos", this.special));
    const { parseSpecial = true } = options;
    const counts = ({ special }: AddedToken, begin: number): boolean =>
      !special || (typeof parseSpecial === "function" ? parseSpecial(begin) : parseSpecial);
    for (const part of this.#finder.split(text, counts)) {
      if ("id" in part) ids.push(part.id);
      else this.encodePlain(part.text, ids);
    }
    if (options.eos) ids.push(idWithRole("eos", this.special));
    return Int32Array.from(ids);
  }

  idOf(token: string): number | undefined {
    return this.ids.get(token);
  }

  tokenOf(id: number): string {
    const token = this.#tokens.get(id);
    if (token !== undefined) return token;
    throw new IndexError(
      `tokenizer: no token has the id ${id}; the largest is ${this.vocabSize - 1}`,
    );
  }

  /** Whether decoded text leaves this id out. */
  protected skips(id: number, options: DecodeOptions = {}): boolean {
    if (options.skipSpecial !== true) return false;
    return this.#skippable.has(id) || !this.#tokens.has(id); // models often have more rows than tokens
  }
}

/** An added token that is found wherever it is spelled. */
const asTheyStand = { singleWord: false, lstrip: false, rstrip: false, normalized: false };

/** The id of each role's token; an ArgumentError if a token isn't in the vocabulary. */
export function rolesOf(ids: ReadonlyMap<string, number>, special: SpecialTokens): SpecialIds {
  const found: { [role in Role]?: number } = {};
  for (const [role, token] of Object.entries(special)) {
    const id = ids.get(token);
    if (id === undefined) {
      throw new ArgumentError(
        `tokenizer: ${role} is to be "${token}", which isn't in the vocabulary`,
      );
    }
    found[role as Role] = id;
  }
  return found;
}

/** The id with that role; an ArgumentError that names the remedy if no token has it. */
export function idWithRole(role: Role, special: SpecialIds): number {
  const id = special[role];
  if (id !== undefined) return id;
  throw new ArgumentError(
    `tokenizer: no token has the role ${role}; name one: special: { ${role}: "<token>" }, ` +
      `or "${role}_token" in tokenizer_config.json`,
  );
}

/** Cuts at any of the tokens, the longest first, and keeps them; null for none. */
export function splitterOf(tokens: readonly string[]): RegExp | null {
  if (tokens.length === 0) return null;
  const longestFirst = tokens.toSorted((a, b) => b.length - a.length);
  const escaped = longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  return new RegExp(`(${escaped.join("|")})`);
}
