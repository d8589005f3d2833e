// What a demo world is: a miniature English whose texts come out of sentence forms, and whose reward is a
// formula, so that "truly better" can be computed. Everything else (base models, reward models, the
// demo) sees a world through this interface alone and doesn't know which one it is.
// Next: spelled.ts, tales.ts; words.ts for the tables that they share; preferences.ts for pairs.

import { portable, type Random } from "../../core/index.ts";
import { type Tokenizer, WordTokenizer } from "../../nn/index.ts";
import {
  type DomainName,
  domains,
  type MoodClass,
  neutral,
  special,
  times,
  type WordDomain,
} from "./words.ts";

/** A text that answers a title. Words are spelled as the vocabulary spells them. */
export interface Story {
  /** The prompt: `<bos> C P :`, main character and place. */
  readonly title: readonly string[];
  /** Sentences, each with its `.` at the end, without `<end>`. */
  readonly response: readonly string[];
}

/** What a base model of a world is like, and how long it learns. */
export interface BaseRecipe {
  readonly layers: number;
  readonly dim: number;
  readonly heads: number;
  /** Width inside SwiGLU. */
  readonly ffDim: number;
  readonly steps: number;
}

/**
 * A miniature language with a known gold reward: texts to pretrain on, titles, stories and what each is
 * worth.
 */
export interface World {
  readonly name: string;
  /** In a line, what it is for. */
  readonly purpose: string;
  readonly tokenizer: Tokenizer;
  /** Words as the text that the tokenizer reads. */
  text(words: readonly string[]): string;
  readonly base: BaseRecipe;
  /** No document is longer, in tokens. */
  readonly longest: number;
  /** A text to pretrain on: title, response, `<end>` and what may come after it. */
  document(rng: Random): string[];
  /** The true reward of a response. */
  gold(story: Story): number;
  /** A word's part in the reward: +1 pleasant, -1 unpleasant, 0 neither. Looks at whole words. */
  polarity(word: string): -1 | 0 | 1;
}

/** A world whose stories are compared: in splits that are like training, or different in a way that has a name. */
export interface PreferenceWorld<Split extends string = string> extends World {
  /** "id" is like training; all others say how they differ from it. */
  readonly splits: readonly ("id" | Split)[];
  /** Two responses to one title, of a split. */
  twoStories(split: "id" | Split, rng: Random): readonly [Story, Story];
}

/** A vocabulary of the special tokens, the words of forms, those of every world and a world's own, in this order. */
export function vocabulary(
  forms: readonly string[],
  ...own: readonly (readonly string[])[]
): WordTokenizer {
  return new WordTokenizer({
    words: [...new Set([...forms, ...sharedWords, ...own.flat()])],
    special,
  });
}

/** Words with a space between each two. */
export function spaced(words: readonly string[]): string {
  return words.join(" ");
}

/** One of a list, all alike. */
export function pick<T>(rng: Random, list: readonly T[]): T {
  return list[rng.integer(0, list.length)] as T;
}

/** True with probability p. */
export function chance(rng: Random, p: number): boolean {
  return rng.uniform() < p;
}

/** A time of day. */
export function anyTime(rng: Random): string {
  return pick(rng, times);
}

/** A word of a kind that says neither good nor bad. */
export function neutralWord(kind: MoodClass, rng: Random): string {
  return pick(rng, neutral[kind]);
}

/** How often the words of a list, the most frequent first, occur. */
export interface Frequencies {
  /** The word of rank k has weight 1 / (k + 3) to this power. */
  readonly zipf: number;
  /** Words of lower ranks don't occur. */
  readonly fromRank: number;
}

/** One of a list by its rank. */
export function ranked(
  words: readonly string[],
  { zipf, fromRank }: Frequencies,
  rng: Random,
): string {
  const weights = words.map((_, k) => (k < fromRank ? 0 : portable.pow(1 / (k + 3), zipf)));
  return words[rng.categorical(weights)] ?? "";
}

/** A mood: pleasant or unpleasant. */
export type Mood = 1 | -1;

export function anyMood(rng: Random): Mood {
  return chance(rng, 0.5) ? 1 : -1;
}

/** What a story is about: its main character and place, of one domain. */
export interface Topic<Name extends string = DomainName> {
  readonly domain: Name;
  readonly C: string;
  readonly P: string;
}

/** Who a story of each domain can be about, and where. */
type Domains<Name extends string> = Readonly<
  Record<Name, Pick<WordDomain, "characters" | "places">>
>;

export function topicFrom<Name extends string>(
  all: Domains<Name>,
  domain: Name,
  rng: Random,
): Topic<Name> {
  const { characters, places } = all[domain];
  return { domain, C: pick(rng, characters), P: pick(rng, places) };
}

/** Somebody of the same domain beside the main character. */
export function companion<Name extends string>(
  all: Domains<Name>,
  { domain, C }: Topic<Name>,
  rng: Random,
): string {
  return pick(
    rng,
    all[domain].characters.filter((name) => name !== C),
  );
}

/** Tokens of a title. */
export const titleLength = 4;

/** The title of a story about C at P. */
export function titleOf({ C, P }: Pick<Topic, "C" | "P">): string[] {
  return [special.bos, C, P, ":"];
}

/** A word as tokens: ba-lin is `ba -lin`. */
export function spell(word: string): string[] {
  const [onset = "", rime] = word.split("-");
  return rime === undefined ? [onset] : [onset, `-${rime}`];
}

/** The words of a sentence form; `wordsFor` says what goes into each slot, a word in capitals. */
export function fill(form: string, wordsFor: (slot: string) => readonly string[]): string[] {
  return form.split(" ").flatMap((part) => (/^[A-Z]+$/.test(part) ? wordsFor(part) : [part]));
}

/** A response cut after each `.`; words after the last one are a sentence too. */
export function sentencesOf(response: readonly string[]): string[][] {
  const sentences: string[][] = [[]];
  for (const word of response) {
    sentences.at(-1)?.push(word);
    if (word === ".") sentences.push([]);
  }
  return sentences.filter((sentence) => sentence.length > 0);
}

/** The domain that a character, a place or a thing belongs to; undefined for all other words. */
export function domainOf(word: string): DomainName | undefined {
  return domainOfWord.get(word);
}

const domainOfWord: ReadonlyMap<string, DomainName> = new Map(
  Object.entries(domains).flatMap(([name, { characters, places, things }]) =>
    [...characters, ...places, ...things].map((word) => [word, name as DomainName] as const),
  ),
);

/** Everybody who can be the subject of a sentence. */
export const characters: ReadonlySet<string> = new Set(
  Object.values(domains).flatMap((domain) => domain.characters),
);

/** Words of every world: when, who, where and what, and how without a mood. */
const sharedWords: readonly string[] = [
  ...times,
  ...Object.values(domains).flatMap(({ characters, places, things }) => [
    ...characters,
    ...places,
    ...things,
  ]),
  ...Object.values(neutral).flat(),
];
