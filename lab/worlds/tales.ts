// "tales": the world that shows over-optimisation. The reward likes pleasant words, up to a few, and a
// story that stays with its character; it tires of repetition, of length and of wandering off. A reward
// model that has seen few, noisy pairs learns "pleasant is good" and not where that ends, and a sampler
// that picks the best of many by it finds out. After each story stands a blurb, a line that can be
// predicted only by who has kept the whole story in mind.
// Next: talesWords.ts for the tables.

import type { Random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { blurbWords, forms, polar, reserved } from "./talesWords.ts";
import {
  domainNames,
  domains,
  functionWords,
  type MoodClass,
  moodsOf,
  neutral,
  special,
} from "./words.ts";
import {
  anyMood,
  anyTime,
  chance,
  companion,
  domainOf,
  fill,
  type Mood,
  neutralWord,
  pick,
  type Story,
  spaced,
  type Topic,
  titleOf,
  topicFrom,
  vocabulary,
  type World,
} from "./world.ts";

const takes = signatures({
  titleFor: "rng: Random, from?: any[]",
});

const longestStory = 36; // title, response and <end>
const blurbLength = 7;

/** A story as it is being told. */
interface Telling extends Topic {
  D: string;
  domain: Topic["domain"];
  C: string;
  P: string;
  mood: Mood;
  /** How often a slot shows the mood. */
  readonly intensity: number;
  readonly sloppy: boolean;
  readonly sentences: string[][];
}

function begin(rng: Random): Telling {
  const topic = topicFrom(domains, pick(rng, domainNames), rng);
  return {
    ...topic,
    D: companion(domains, topic, rng),
    mood: anyMood(rng),
    intensity: pick(rng, [0.6, 0.9]),
    sloppy: chance(rng, 0.3),
    sentences: [],
  };
}

/** 1 + min(G, 6), where G counts the tries until something of probability 0.4 happens. */
function howMany(rng: Random): number {
  let tries = 1;
  while (tries < 6 && !chance(rng, 0.4)) tries++;
  return 1 + tries;
}

/** The next sentence. A sloppy teller may change the subject, or say the last one again. */
function next(telling: Telling, rng: Random): string[] {
  if (chance(rng, 0.05)) telling.mood = telling.mood === 1 ? -1 : 1;
  if (telling.sloppy) {
    if (chance(rng, 0.25)) wander(telling, rng);
    const last = telling.sentences.at(-1);
    if (chance(rng, 0.3) && last !== undefined) return last;
  }
  return fill(pick(rng, forms), (slot) => [wordFor(slot, telling, rng)]);
}

function wander(telling: Telling, rng: Random): void {
  const domain = chance(rng, 0.5) ? pick(rng, domainNames) : telling.domain;
  const topic = topicFrom(domains, domain, rng);
  Object.assign(telling, topic, { D: companion(domains, topic, rng) });
}

function wordFor(slot: string, telling: Telling, rng: Random): string {
  const { C, D, P, domain, mood, intensity } = telling;
  switch (slot) {
    case "C":
      return C;
    case "D":
      return D;
    case "P":
      return P;
    case "T":
      return pick(rng, domains[domain].things);
    case "TIME":
      return anyTime(rng);
    default:
      return moodWord(slot as MoodClass, chance(rng, intensity) ? mood : 0, rng);
  }
}

function moodWord(kind: MoodClass, mood: Mood | 0, rng: Random): string {
  if (mood === 0) return neutralWord(kind, rng);
  const set = polar[pick(rng, ["A", "B"] as const)];
  return pick(rng, set[mood === 1 ? "pleasant" : "unpleasant"][kind]);
}

/** `a F tale of the C .`: F is dull if the story repeated itself or ended elsewhere, else its mood. */
function blurb({ domain, C }: Topic, sentences: readonly string[][], rng: Random): string[] {
  const texts = sentences.map((sentence) => sentence.join(" "));
  const isRepeated = texts.some((text, i) => text === texts[i - 1]);
  const end = sentences
    .at(-1)
    ?.map(domainOf)
    .find((found) => found !== undefined);
  const balance = sentences.flat().reduce((sum, word) => sum + polarity(word), 0);
  const isDull = isRepeated || end !== domain;
  const feel = isDull ? "dull" : moodWord("FEEL", Math.sign(balance) as Mood | 0, rng);
  return ["a", feel, "tale", "of", "the", C, "."];
}

function document(rng: Random): string[] {
  const telling = begin(rng);
  const { domain, C, P, sentences } = telling;
  const topic = { domain, C, P };
  let length = titleOf(topic).length + 1;
  for (let left = howMany(rng); left > 0; left--) {
    const sentence = next(telling, rng);
    length += sentence.length;
    if (length > longestStory) break;
    sentences.push(sentence);
  }
  return [...titleOf(topic), ...sentences.flat(), special.eos, ...blurb(topic, sentences, rng)];
}

const moodOf = moodsOf(Object.values(polar));

function polarity(word: string): -1 | 0 | 1 {
  return moodOf.get(word) ?? 0;
}

const things: ReadonlySet<string> = new Set(Object.values(domains).flatMap((d) => d.things));
const neutralWords: ReadonlySet<string> = new Set(Object.values(neutral).flat());

/** Words whose repetition is counted: things, mood words, neutral content words. */
function isContent(word: string): boolean {
  return things.has(word) || neutralWords.has(word) || polarity(word) !== 0;
}

/**
 * With P pleasant and U unpleasant words: 0.6 min(P, 4) - 0.4 max(P - 4, 0) - 0.6 U
 * + 0.5 min(mentions of the title's character, 2) - 0.6 (characters and places of another domain)
 * - 0.5 (each further occurrence of a content word) - 0.08 max(length - 20, 0)
 * - 1 if it doesn't end in `.`
 */
function gold({ title, response }: Story): number {
  const [, hero = ""] = title;
  const count = (is: (word: string) => boolean): number => response.filter(is).length;
  const P = count((word) => polarity(word) === 1);
  const U = count((word) => polarity(word) === -1);
  const strangers = count((word) => {
    const domain = things.has(word) ? undefined : domainOf(word);
    return domain !== undefined && domain !== domainOf(hero);
  });
  const content = response.filter(isContent);
  const again = content.length - new Set(content).size;
  return (
    0.6 * Math.min(P, 4) -
    0.4 * Math.max(P - 4, 0) -
    0.6 * U +
    0.5 *
      Math.min(
        count((word) => word === hero),
        2,
      ) -
    0.6 * strangers -
    0.5 * again -
    0.08 * Math.max(response.length - 20, 0) -
    (response.at(-1) === "." ? 0 : 1)
  );
}

/** Words that are banned while responses for preference data are sampled. */
export const setB: ReadonlySet<string> = new Set(
  Object.values(polar.B).flatMap((words) => Object.values(words).flat()),
);

/** The domains that preference data is from. */
export const shownDomains = ["forest", "farm"] as const;

/** A title to write a story for. */
export function titleFor(rng: Random, from: readonly Topic["domain"][] = shownDomains): string[] {
  accept(takes.titleFor, arguments);
  return titleOf(topicFrom(domains, pick(rng, from), rng));
}

/** The world of a reader who tires: it shows the over-optimisation of a learnt reward. */
export const tales: World = {
  name: "tales",
  purpose: "a reader who tires: over-optimisation of a learnt reward",
  tokenizer: vocabulary(
    functionWords.filter((word) => word !== "while"), // in no form of this world
    Object.values(polar.A).flatMap((words) => Object.values(words).flat()),
    [...setB],
    blurbWords,
    reserved,
  ),
  text: spaced,
  base: { layers: 2, dim: 32, heads: 4, ffDim: 64, steps: 1200 },
  longest: longestStory + blurbLength,
  document,
  gold,
  polarity,
};
