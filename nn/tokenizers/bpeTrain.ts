// Learning the merges of byte-level BPE (Sennrich, Haddow and Birch 2016, arXiv 1508.07909): count the
// words, then again and again make one token of the most frequent pair of neighbours. Counts of pairs are
// kept up to date, so that a merge costs what it changes and not a look at the whole text; a heap gives
// the next pair. Equal counts go to the pair with the lower ids, so the same text gives the same tokens.
// Next: bpe.ts for using them.

import { ArgumentError } from "../../core/index.ts";
import { accept, signature } from "../../core/signature.ts";
import { BPETokenizer, wordsOf } from "./bpe.ts";
import { addTokens, byteLetters, clash } from "./bpeFile.ts";
import { toBytes } from "./bytes.ts";
import { Heap } from "./heap.ts";
import { mostTokens } from "./jsonFile.ts";
import { type AddedToken, type SpecialTokens, splitterOf } from "./tokenizer.ts";

const takes = signature(
  "trainBPE",
  "texts: any, { vocabSize: number, special?: object, added?: any[], minFrequency?: number, onProgress?: function }",
);

/** How large a learnt vocabulary gets, and which tokens are given. */
export interface BPETrainOptions {
  /** Tokens to end up with, at least 256 and the special ones; fewer if the text has too few pairs. */
  readonly vocabSize: number;
  /** Special tokens by role; they get the first ids, and are never part of another token. */
  readonly special?: SpecialTokens;
  /** Further tokens that are found in text as they stand, such as "\n\nHuman:". */
  readonly added?: readonly string[];
  /** A pair becomes a token if it occurs that often; 2 unless said. */
  readonly minFrequency?: number;
  /** Called after each merge with the number of tokens so far. */
  readonly onProgress?: (tokens: number, vocabSize: number) => void;
}

/** Learns a byte-level BPE vocabulary. Each text is a document: no token reaches from one into the next. */
export function trainBPE(texts: Iterable<string>, options: BPETrainOptions): BPETokenizer {
  accept(takes, arguments);
  const { vocabSize, special = {}, added = [], minFrequency = 2, onProgress } = options;
  const tokens = addTokens(special, added, 0);
  const least = tokens.length + byteLetters.length;
  if (!Number.isSafeInteger(vocabSize) || vocabSize < least || vocabSize > mostTokens) {
    throw new ArgumentError(
      `trainBPE: vocabSize ${vocabSize} must be a whole number from ${least} (256 bytes and ` +
        `${tokens.length} special tokens) to ${mostTokens}`,
    );
  }
  const vocabulary = new GrowingVocabulary(tokens);
  const pairs = new PairCounts(countWords(texts, tokens), vocabulary, vocabSize);
  const merges: [string, string][] = [];
  while (vocabulary.size < vocabSize) {
    const pair = pairs.mostFrequent(minFrequency);
    if (pair === null) break;
    merges.push([vocabulary.nameOf(pair.left), vocabulary.nameOf(pair.right)]);
    pairs.merge(pair, vocabulary.join(pair));
    onProgress?.(vocabulary.size, vocabSize);
  }
  return new BPETokenizer({ ids: vocabulary.ids, merges, added: tokens, special });
}

/** How often each word occurs outside of added tokens. */
function countWords(texts: Iterable<string>, added: readonly AddedToken[]): Map<string, number> {
  const splitter = splitterOf(added.map(({ content }) => content));
  const counts = new Map<string, number>();
  for (const text of texts) {
    const parts = splitter === null ? [text] : text.split(splitter);
    // added tokens stand at odd places
    for (let i = 0; i < parts.length; i += 2) {
      for (const word of wordsOf(parts[i] ?? "")) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return counts;
}

interface TokenPair {
  readonly left: number;
  readonly right: number;
}

/** Token names and ids: added tokens, the bytes in the order of their letters, then what is learnt. */
class GrowingVocabulary {
  readonly ids = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #added: ReadonlySet<string>;

  constructor(added: readonly AddedToken[]) {
    this.#added = new Set(added.map(({ content }) => content));
    for (const content of this.#added) this.#add(content);
    for (const letter of byteLetters.toSorted()) this.#add(letter);
  }

  get size(): number {
    return this.#names.length;
  }

  nameOf(id: number): string {
    return this.#names[id] ?? "";
  }

  idOfByte(byte: number): number {
    return this.ids.get(byteLetters[byte] ?? "") ?? 0;
  }

  /** The id of the pair's joined name: of a token that was learnt from another pair, or a new one. */
  join({ left, right }: TokenPair): number {
    const name = this.nameOf(left) + this.nameOf(right);
    if (this.#added.has(name)) clash(name);
    return this.ids.get(name) ?? this.#add(name);
  }

  #add(name: string): number {
    this.ids.set(name, this.#names.length);
    return this.#names.push(name) - 1;
  }
}

interface Candidate extends TokenPair {
  readonly count: number;
}

/** The most frequent first; among equals the pair with the lower ids. */
function goesFirst(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}

/** Words as tokens, and how often each pair of neighbours occurs in all of them. */
class PairCounts {
  readonly #words: number[][] = [];
  readonly #frequency: number[] = [];
  readonly #counts = new Map<number, number>();
  readonly #wordsWith = new Map<number, Set<number>>(); // pair -> words that have it, or had it
  readonly #candidates = new Heap<Candidate>(goesFirst);
  readonly #most: number;

  constructor(words: ReadonlyMap<string, number>, vocabulary: GrowingVocabulary, most: number) {
    this.#most = most;
    const changes = new Map<number, number>();
    for (const [word, frequency] of words) {
      const tokens = Array.from(toBytes(word), (byte) => vocabulary.idOfByte(byte));
      this.#words.push(tokens);
      this.#frequency.push(frequency);
      this.#register(this.#words.length - 1, changes);
    }
    this.#apply(changes);
  }

  /** The pair to merge next; null if none occurs `least` times. */
  mostFrequent(least: number): TokenPair | null {
    for (let top = this.#candidates.pop(); top !== undefined; top = this.#candidates.pop()) {
      const count = this.#counts.get(this.#key(top.left, top.right)) ?? 0;
      if (count === top.count) return count >= least ? top : null;
      if (count < top.count && count >= least) this.#candidates.push({ ...top, count });
    }
    return null;
  }

  /** Makes the pair one token in every word. */
  merge({ left, right }: TokenPair, into: number): void {
    const changes = new Map<number, number>();
    const key = this.#key(left, right);
    for (const index of this.#wordsWith.get(key) ?? []) {
      const word = this.#words[index] ?? [];
      this.#count(word, -(this.#frequency[index] ?? 0), changes);
      this.#words[index] = joined(word, left, right, into);
      this.#register(index, changes);
    }
    this.#wordsWith.delete(key);
    this.#apply(changes);
  }

  #key(left: number, right: number): number {
    return left * this.#most + right;
  }

  /** Counts a word's pairs, and remembers that it has them. */
  #register(index: number, changes: Map<number, number>): void {
    const word = this.#words[index] ?? [];
    this.#count(word, this.#frequency[index] ?? 0, changes);
    for (let i = 1; i < word.length; i++) {
      const key = this.#key(word[i - 1] ?? 0, word[i] ?? 0);
      const words = this.#wordsWith.get(key);
      if (words === undefined) this.#wordsWith.set(key, new Set([index]));
      else words.add(index);
    }
  }

  #count(word: readonly number[], frequency: number, changes: Map<number, number>): void {
    for (let i = 1; i < word.length; i++) {
      const key = this.#key(word[i - 1] ?? 0, word[i] ?? 0);
      changes.set(key, (changes.get(key) ?? 0) + frequency);
    }
  }

  /** Adds up the changes; a pair that became more frequent is a candidate. */
  #apply(changes: ReadonlyMap<number, number>): void {
    for (const [key, change] of changes) {
      if (change === 0) continue;
      const count = (this.#counts.get(key) ?? 0) + change;
      if (count === 0) this.#counts.delete(key);
      else this.#counts.set(key, count);
      if (change < 0) continue;
      const right = key % this.#most;
      this.#candidates.push({ count, left: (key - right) / this.#most, right });
    }
  }
}

/** The word with every occurrence of the pair, from the left, as one token. */
function joined(word: readonly number[], left: number, right: number, into: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < word.length; i++) {
    const hit = word[i] === left && word[i + 1] === right;
    out.push(hit ? into : (word[i] ?? 0));
    if (hit) i++;
  }
  return out;
}
