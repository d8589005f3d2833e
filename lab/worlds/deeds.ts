// "deeds": who did what to whom. A story tells what two characters did to each other; the reward counts what the title's
// character did: a good deed for it, a bad one against it, and what it never did the other way around. Preference data
// shows few words, two domains of eight, nearly no "never" and no passive; and in it a place mostly is as the hero is, a
// shortcut that holds there and nowhere else. The base has read all of it, without the shortcut, and is told now and then
// how somebody is, so that it knows what deeds are worth.
// Next: deedsWords.ts for the tables, preferences.ts for pairs and labels.

import type { Random } from "../../core/index.ts";
import {
  activeForms,
  type DeedsDomain,
  deedDomains,
  deedWords,
  formWords,
  moodForm,
  passiveForms,
  personMoods,
  placeMoods,
  plainDeeds,
} from "./deedsWords.ts";
import { functionWords, special } from "./words.ts";
import {
  anyMood,
  chance,
  companion,
  type Frequencies,
  fill,
  type Mood,
  type PreferenceWorld,
  pick,
  ranked,
  type Story,
  sentencesOf,
  spaced,
  type Topic,
  titleOf,
  topicFrom,
  vocabulary,
} from "./world.ts";

const longest = 64;

/** How often a deed, and what is told, is as whoever does it; and how often it is neither good nor bad. */
const [consistency, plainness] = [0.95, 0.15];

/** Which part of the world a story is from. */
export interface DeedsStyle extends Frequencies {
  readonly domains: readonly DeedsDomain[];
  /** Share of the sentences about somebody that tell how they are, in place of a deed. */
  readonly told: number;
  /** Share of the deeds that are said in the passive. */
  readonly passive: number;
  /** Share of the deeds that are said never to be done. */
  readonly never: number;
  /** How often a place is as the hero is; a half says nothing. */
  readonly placeAgrees: number;
}

const domainNames = Object.keys(deedDomains) as readonly DeedsDomain[];

/** What a base model reads: all there is. */
export const allDeeds: DeedsStyle = {
  domains: domainNames,
  told: 0.25,
  passive: 0.3,
  never: 0.2,
  zipf: 1,
  fromRank: 0,
  placeAgrees: 0.5,
};

const seen: DeedsStyle = {
  domains: domainNames.slice(0, 2),
  told: 0,
  passive: 0,
  never: 0.05,
  zipf: 4,
  fromRank: 0,
  placeAgrees: 0.9,
};
const unseenDomains = { domains: domainNames.slice(2) };
const rareWords = { fromRank: 3 };
const otherForms = { passive: 0.5, never: 0.5 };

/**
 * Where preference pairs are from: "id" like training, each of the next four with one change, then the first three
 * changes together, where the place says nothing.
 */
export const deedsSplits = {
  id: seen,
  domain: { ...seen, ...unseenDomains },
  word: { ...seen, ...rareWords },
  form: { ...seen, ...otherForms },
  place: { ...seen, placeAgrees: 0.1 },
  all: { ...seen, ...unseenDomains, ...rareWords, ...otherForms, placeAgrees: 0.5 },
} as const satisfies Record<string, DeedsStyle>;

type DeedsTopic = Topic<DeedsDomain>;

type DeedsSplit = keyof typeof deedsSplits;

function topicOf({ domains }: DeedsStyle, rng: Random): DeedsTopic {
  return topicFrom(deedDomains, pick(rng, domains), rng);
}

/** A story of 4 to 8 sentences, one of them about the place, as many as fit into 64 tokens with title and `<end>`. */
function story(topic: DeedsTopic, style: DeedsStyle, rng: Random): Story {
  const D = companion(deedDomains, topic, rng);
  const moods = { C: anyMood(rng), D: anyMood(rng) };
  const placeMood = opposed(moods.C, 1 - style.placeAgrees, rng);
  const title = titleOf(topic);
  const response: string[] = [];
  const count = rng.integer(4, 9);
  const placeAt = rng.integer(0, count);
  for (let i = 0; i < count; i++) {
    const isPlace = i === placeAt;
    const next = isPlace
      ? placeSentence(topic, placeMood, rng)
      : deedSentence({ ...topic, D }, moods, style, rng);
    if (title.length + response.length + next.length + 1 > longest) break;
    response.push(...next);
  }
  return { title, response };
}

/** A mood, or with probability p its opposite. */
function opposed(mood: Mood, p: number, rng: Random): Mood {
  return chance(rng, p) ? (-mood as Mood) : mood;
}

type Moods = Readonly<Record<"good" | "bad", readonly string[]>>;

function placeSentence({ P }: DeedsTopic, mood: Mood, rng: Random): string[] {
  return moodSentence(P, placeMoods, mood, rng);
}

function moodSentence(who: string, moods: Moods, mood: Mood, rng: Random): string[] {
  const word = pick(rng, moods[mood === 1 ? "good" : "bad"]);
  return fill(moodForm, (slot) => [slot === "X" ? who : word]);
}

function deedSentence(
  { C, D }: DeedsTopic & { readonly D: string },
  moods: Readonly<Record<"C" | "D", Mood>>,
  style: DeedsStyle,
  rng: Random,
): string[] {
  const who = pick(rng, ["C", "D"] as const);
  const [A, B] = who === "C" ? [C, D] : [D, C];
  const mood = opposed(moods[who], 1 - consistency, rng);
  if (chance(rng, style.told)) return moodSentence(A, personMoods, mood, rng);
  const isNever = chance(rng, style.never);
  const { done, never } = chance(rng, style.passive) ? passiveForms : activeForms;
  const said = isNever ? (-mood as Mood) : mood;
  const deed = chance(rng, plainness)
    ? pick(rng, plainDeeds)
    : ranked(deedWords[said === 1 ? "good" : "bad"], style, rng);
  const words = { A: [A], B: [B], DEED: [deed] };
  return fill(isNever ? never : done, (slot) => words[slot as keyof typeof words]);
}

const valueOf: ReadonlyMap<string, Mood> = new Map([
  ...deedWords.good.map((word) => [word, 1] as const),
  ...deedWords.bad.map((word) => [word, -1] as const),
]);

const people: ReadonlySet<string> = new Set(
  Object.values(deedDomains).flatMap(({ characters }) => characters),
);

/**
 * 0.8 times the sum over what the title's character did, +1 for a good deed and -1 for a bad one, each the other way
 * around after "never"; clipped to [-4, 4]. Who does it is named first, or last behind "by".
 */
function gold({ title, response }: Story): number {
  const [, hero] = title;
  let sum = 0;
  for (const words of sentencesOf(response)) {
    const [first, second] = words.filter((word) => people.has(word));
    if ((words.includes("by") ? second : first) !== hero) continue;
    const sign = words.includes("never") ? -1 : 1;
    for (const word of words) sum += sign * (valueOf.get(word) ?? 0);
  }
  return Math.min(4, Math.max(-4, 0.8 * sum));
}

/** The world in which the base knows who did what to whom, and the preferences hardly ask. */
export const deeds: PreferenceWorld<DeedsSplit> = {
  name: "deeds",
  purpose: "who did what to whom: what a base knows and preferences rarely show",
  tokenizer: vocabulary(
    functionWords,
    formWords,
    deedWords.good,
    deedWords.bad,
    placeMoods.good,
    placeMoods.bad,
    personMoods.good,
    personMoods.bad,
    plainDeeds,
    Object.values(deedDomains).flatMap(({ characters, places }) => [...characters, ...places]),
  ),
  text: spaced,
  base: { layers: 3, dim: 48, heads: 4, ffDim: 96, steps: 2000 },
  longest,
  document(rng) {
    const { title, response } = story(topicOf(allDeeds, rng), allDeeds, rng);
    return [...title, ...response, special.eos];
  },
  gold,
  polarity: (word) => valueOf.get(word) ?? 0,
  splits: Object.keys(deedsSplits) as DeedsSplit[],
  twoStories(split, rng) {
    const style = deedsSplits[split];
    const topic = topicOf(style, rng);
    return [story(topic, style, rng), story(topic, style, rng)];
  },
};
