// "spelled": the world that shows what a fine-tune can break. Stories about two characters and a place,
// each with a mood of its own; the reward counts what is said about the main character alone. Preference
// data shows a small part of the world: two domains, frequent words, simple forms. A reward model that
// keeps what its base knew reads the rest as well; one that overwrites it doesn't.
// Next: spelledWords.ts for the tables, preferences.ts for pairs and labels.

import type { Random } from "../../core/index.ts";
import { complexForms, onsets, polar, reserved, rimes, simpleForms } from "./spelledWords.ts";
import {
  type DomainName,
  domainNames,
  domains,
  functionWords,
  type MoodClass,
  moodsOf,
  special,
} from "./words.ts";
import {
  anyMood,
  anyTime,
  chance,
  characters,
  companion,
  type Frequencies,
  fill,
  type Mood,
  neutralWord,
  type PreferenceWorld,
  pick,
  ranked,
  type Story,
  sentencesOf,
  spaced,
  spell,
  type Topic,
  titleOf,
  topicFrom,
  vocabulary,
} from "./world.ts";

const longest = 48;

/** Which part of the world a story is from. */
export interface StoryStyle extends Frequencies {
  readonly domains: readonly DomainName[];
  readonly forms: readonly string[];
}

/** What a base model reads: all there is. */
export const everything: StoryStyle = {
  domains: domainNames,
  forms: [...simpleForms, ...complexForms],
  zipf: 1,
  fromRank: 0,
};

const seen: StoryStyle = { domains: ["forest", "farm"], forms: simpleForms, zipf: 4, fromRank: 0 };
const unseenDomains = { domains: ["sea", "city"] } as const;
const rareWords = { fromRank: 3 };

/** Where preference pairs are from: "id" like training, each of the next three with one change, then all. */
export const splits = {
  id: seen,
  domain: { ...seen, ...unseenDomains },
  word: { ...seen, ...rareWords },
  form: { ...seen, forms: complexForms },
  all: { ...seen, ...unseenDomains, ...rareWords, forms: everything.forms },
} as const satisfies Record<string, StoryStyle>;

/** A set of titles of the world "spelled": as in training, or different in a way that has a name. */
export type SplitName = keyof typeof splits;

/** The splits that training says nothing about; "OOD" is the mean of them. */
export const outOfDistribution = ["domain", "word", "form", "all"] as const;

/** A story's topic and companion, how everybody is, and how often words say so. */
interface Scene extends Topic {
  readonly D: string;
  readonly moods: Record<"C" | "D" | "P", Mood>;
  readonly openness: number;
}

export function topicOf(style: StoryStyle, rng: Random): Topic {
  return topicFrom(domains, pick(rng, style.domains), rng);
}

/** A story of 3 to 6 sentences, as many as fit into 48 tokens with title and `<end>`. */
export function story(topic: Topic, style: StoryStyle, rng: Random): Story {
  const moods = { C: anyMood(rng), D: anyMood(rng), P: anyMood(rng) };
  const openness = pick(rng, [0.75, 0.95]);
  const scene = { ...topic, D: companion(domains, topic, rng), moods, openness };
  const title = titleOf(topic);
  const response: string[] = [];
  for (let left = rng.integer(3, 7); left > 0; left--) {
    for (const who of ["C", "D", "P"] as const)
      if (chance(rng, 0.02)) moods[who] = moods[who] === 1 ? -1 : 1;
    const next = sentence(scene, style, rng);
    if (title.length + response.length + next.length + 1 > longest) break;
    response.push(...next);
  }
  return { title, response };
}

function sentence(scene: Scene, style: StoryStyle, rng: Random): string[] {
  const { C, D, P, domain, moods, openness } = scene;
  const either = pick(rng, ["C", "D"] as const);
  let subject: "C" | "D" = either;
  return fill(pick(rng, style.forms), (slot) => {
    switch (slot) {
      case "S":
      case "C":
      case "D":
        subject = slot === "S" ? either : slot;
        return [{ C, D }[subject]];
      case "P":
        return [P];
      case "T":
        return [pick(rng, domains[domain].things)];
      case "TIME":
        return [anyTime(rng)];
      default: {
        const kind = slot as MoodClass;
        if (!chance(rng, openness)) return [neutralWord(kind, rng)];
        return spell(polarWord(kind, moods[kind === "ADJ" ? "P" : subject], style, rng));
      }
    }
  });
}

function polarWord(kind: MoodClass, mood: Mood, style: StoryStyle, rng: Random): string {
  return ranked(polar[mood === 1 ? "pleasant" : "unpleasant"][kind], style, rng);
}

const polarityOf = moodsOf([polar]);

/**
 * 0.8 (pleasant - unpleasant) over the spelled words whose subject is the title's character, clipped to
 * [-4, 4]. A word's subject is the last character named before it in its sentence.
 */
function gold({ title, response }: Story): number {
  const [, hero] = title;
  let balance = 0;
  for (const words of sentencesOf(response)) {
    let subject = "";
    words.forEach((word, i) => {
      if (characters.has(word)) subject = word;
      const spelled = word + (words[i + 1] ?? "");
      if (subject === hero && onsetSet.has(word)) balance += polarityOf.get(spelled) ?? 0;
    });
  }
  return Math.min(4, Math.max(-4, 0.8 * balance));
}

const onsetSet: ReadonlySet<string> = new Set(onsets);

/** The world in which moods are spelled letter by letter: it shows what a fine-tune can break. */
export const spelled: PreferenceWorld<SplitName> = {
  name: "spelled",
  purpose: "what a fine-tune can break: accuracy out of distribution",
  tokenizer: vocabulary(
    functionWords,
    onsets,
    rimes,
    polar.pleasant.ADJ,
    polar.unpleasant.ADJ,
    reserved,
  ),
  text: spaced,
  base: { layers: 3, dim: 48, heads: 4, ffDim: 96, steps: 2000 },
  longest,
  document(rng) {
    const { title, response } = story(topicOf(everything, rng), everything, rng);
    return [...title, ...response, special.eos];
  },
  gold,
  polarity: (word) => polarityOf.get(word) ?? 0,
  splits: Object.keys(splits) as SplitName[],
  twoStories(split, rng) {
    const style: StoryStyle = splits[split];
    const topic = topicOf(style, rng);
    return [story(topic, style, rng), story(topic, style, rng)];
  },
};
