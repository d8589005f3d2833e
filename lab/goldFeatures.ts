// What makes up the gold reward of "spelled", as numbers that a probe can look for in hidden states: of a
// token (is this word about the hero? is the word just spelled pleasant?) and of a whole story at its last
// token. All follow from the text by the world's own rules. Next: ../grm/inspect/probes.ts.

import { accept, signatures } from "../core/signature.ts";
import { type Matrix, pickRows } from "../grm/inspect/matrix.ts";
import { type FeatureProbe, fitProbe, scoreProbe } from "../grm/inspect/probes.ts";
import { type States, tokenStates } from "../grm/inspect/states.ts";
import type { Sequence } from "../grm/pairs.ts";
import { CausalLM } from "../nn/index.ts";
import { spelled } from "./worlds/index.ts";
import { characters, type Story, sentencesOf } from "./worlds/world.ts";

const takes = signatures(
  {
    goldFeatures: "stories: any[]",
    asStorySequence: "story: { title: any[], response: any[], ... }",
    probeGoldFeatures: "lm: CausalLM, stories: { training: any[], tests: object, ... }",
  },
  () => ({ CausalLM }),
);

/** A feature's values where it is defined: rows of the tokens of all stories, one after the other. */
interface Feature {
  readonly rows: readonly number[];
  readonly values: readonly number[];
}

/** What makes up the gold reward of the world "spelled", by name: what probes look for. */
export const goldFeatureNames = [
  "the word's mood",
  "about the hero",
  "hero's pleasant words",
  "hero's unpleasant words",
  "others' balance",
  "gold reward",
] as const;

/** One of the things that make up the gold reward. */
export type GoldFeatureName = (typeof goldFeatureNames)[number];

/** What a story says: of each response token its mood where a spelled word ends, and whose it is. */
interface FeatureReading {
  readonly moods: readonly (number | null)[];
  readonly isHeros: readonly boolean[];
}

function read({ title: [, hero], response }: Story): FeatureReading {
  const [moods, isHeros]: [(number | null)[], boolean[]] = [[], []];
  for (const words of sentencesOf(response)) {
    let subject: string | undefined;
    words.forEach((word, i) => {
      if (characters.has(word)) subject = word;
      const mood = word.startsWith("-") ? spelled.polarity((words[i - 1] ?? "") + word) : null;
      moods.push(mood);
      isHeros.push(subject === hero);
    });
  }
  return { moods, isHeros };
}

/** All features of stories, for states of asStorySequence's tokens. */
export function goldFeatures(stories: readonly Story[]): Record<GoldFeatureName, Feature> {
  accept(takes.goldFeatures, arguments);
  const empty = (): { rows: number[]; values: number[] } => ({ rows: [], values: [] });
  const found = Object.fromEntries(goldFeatureNames.map((name) => [name, empty()])) as Record<
    GoldFeatureName,
    { rows: number[]; values: number[] }
  >;
  const add = (name: GoldFeatureName, row: number, value: number): void => {
    found[name].rows.push(row);
    found[name].values.push(value);
  };
  let start = 0;
  for (const story of stories) {
    const { moods, isHeros } = read(story);
    const first = start + story.title.length;
    const last = first + story.response.length - 1;
    moods.forEach((mood, t) => {
      if (mood === null || mood === 0) return;
      add("the word's mood", first + t, mood);
      add("about the hero", first + t, isHeros[t] ? 1 : 0);
    });
    const count = (sign: number, hero: boolean): number =>
      moods.filter((mood, t) => mood === sign && isHeros[t] === hero).length;
    add("hero's pleasant words", last, count(1, true));
    add("hero's unpleasant words", last, count(-1, true));
    add("others' balance", last, count(1, false) - count(-1, false));
    add("gold reward", last, spelled.gold(story));
    start = last + 1;
  }
  return found;
}

/** A story as a model reads it: title and response, without `<end>`. */
export function asStorySequence(story: Story): Sequence {
  accept(takes.asStorySequence, arguments);
  const { title, response } = story;
  const ids = spelled.tokenizer.encode([...title, ...response].join(" "));
  return { ids, labels: ids.map((id, i) => (i < title.length ? -100 : id)) };
}

/** Stories that probes are fitted to, and those that they are judged on. */
export interface ProbeStories {
  readonly training: readonly Story[];
  /** Held-out stories by the name of the test. */
  readonly tests: Readonly<Record<string, readonly Story[]>>;
}

/** How well each gold feature can be read off the states of a language model, layer by layer and test by test. */
export async function probeGoldFeatures(
  lm: CausalLM,
  stories: ProbeStories,
): Promise<FeatureProbe[]> {
  accept(takes.probeGoldFeatures, arguments);
  const { training, tests } = stories;
  const statesOf = (stories: readonly Story[]): Promise<States> =>
    tokenStates(lm, stories.map(asStorySequence));
  const [states, features] = [await statesOf(training), goldFeatures(training)];
  const at = (all: Matrix, { rows, values }: Feature) => ({ x: pickRows(all, rows), y: values });
  const held = await Promise.all(
    Object.entries(tests).map(async ([test, stories]) => ({
      test,
      states: await statesOf(stories),
      features: goldFeatures(stories),
    })),
  );
  const probes = Object.entries(states).flatMap(([layer, x]) =>
    goldFeatureNames.flatMap((feature) => {
      const probe = fitProbe(at(x, features[feature]));
      return held.map(({ test, ...others }): FeatureProbe => {
        const found = at(others.states[layer] as Matrix, others.features[feature]);
        return { feature, layer, test, ...scoreProbe(probe, found) };
      });
    }),
  );
  return probes;
}
