// Preference pairs of a world: two responses to one title, and which of them was chosen. Labels of
// training pairs are noisy as a person's are: the better one is chosen with probability sigmoid of how
// much better it is. Tests take the formula's word.
// Next: ../../grm/pairs.ts for what trainers read; ../demo/ for who trains.

import { ArgumentError, portable, type Random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import type { Pair, Sequence } from "../../grm/pairs.ts";
import { type SplitName, spelled } from "./spelled.ts";
import type { PreferenceWorld, Story, World } from "./world.ts";

const takes = signatures({
  compare:
    'world: { document: function, gold: function, ... }, stories: any[], options: { labels: "noisy" | "true", ... }, rng: Random',
  comparisons:
    'world: { splits: any[], twoStories: function, ... }, split: string, count: number, options: { labels: "noisy" | "true", ... }, rng: Random',
  spelledPairs:
    'split: "all" | "domain" | "word" | "form" | "id", count: number, options: { labels: "noisy" | "true", ... }, rng: Random',
  asPair:
    "world: { document: function, gold: function, ... }, comparison: { chosen: object, rejected: object, ... }, source?: string",
});

/** Two stories to one title, and which was chosen. */
export interface StoryComparison {
  readonly chosen: Story;
  readonly rejected: Story;
  /** gold(chosen) - gold(rejected): below 0 where the label is wrong. */
  readonly difference: number;
}

/** How labels follow the gold reward: with the noise of a person, or exactly. */
export interface LabelOptions {
  /** "noisy": Bernoulli(sigmoid(gold difference)); "true": the sign of the difference. */
  readonly labels: "noisy" | "true";
  /** Share of the labels that are turned around afterwards. Default 0. */
  readonly flips?: number;
}

/** Chooses between two responses of different gold. */
export function compare(
  world: World,
  stories: readonly [Story, Story],
  options: LabelOptions,
  rng: Random,
): StoryComparison {
  accept(takes.compare, arguments);
  const { labels, flips = 0 } = options;
  const [a, b] = stories;
  const difference = world.gold(a) - world.gold(b);
  if (difference === 0) {
    throw new ArgumentError("compare: the two responses have the same gold; draw another pair");
  }
  const probability = 1 / (1 + portable.exp(-difference));
  const label = labels === "true" ? difference > 0 : rng.uniform() < probability;
  const isFlipped = flips > 0 && rng.uniform() < flips;
  return label !== isFlipped
    ? { chosen: a, rejected: b, difference }
    : { chosen: b, rejected: a, difference: -difference };
}

/** Comparisons of two stories to one title, of a split of a world; stories of the same gold are drawn again. */
export function comparisons<Split extends string>(
  world: PreferenceWorld<Split>,
  split: "id" | Split,
  count: number,
  options: LabelOptions,
  rng: Random,
): StoryComparison[] {
  accept(takes.comparisons, arguments);
  if (!world.splits.includes(split)) {
    throw new ArgumentError(
      `comparisons: "${world.name}" has no split "${split}"; needed one of ${world.splits.join(", ")}`,
    );
  }
  return Array.from({ length: count }, () => {
    for (;;) {
      const stories = world.twoStories(split, rng);
      if (world.gold(stories[0]) !== world.gold(stories[1]))
        return compare(world, stories, options, rng);
    }
  });
}

/** Comparisons of a split of "spelled". */
export function spelledPairs(
  split: SplitName,
  count: number,
  options: LabelOptions,
  rng: Random,
): StoryComparison[] {
  accept(takes.spelledPairs, arguments);
  return comparisons(spelled, split, count, options, rng);
}

/**
 * A comparison as a reward model reads it: title and response, loss on the response, without `<end>`. The
 * margin is the size of the gold difference: information that only a formula can give.
 */
export function asPair(world: World, comparison: StoryComparison, source?: string): Pair {
  accept(takes.asPair, arguments);
  const { chosen, rejected, difference } = comparison;
  const margin = Math.abs(difference);
  return {
    chosen: asSequence(world, chosen),
    rejected: asSequence(world, rejected),
    margin,
    source: source ?? world.name,
  };
}

function asSequence({ tokenizer, text }: World, { title, response }: Story): Sequence {
  const ids = tokenizer.encode(text([...title, ...response]));
  const prompt = tokenizer.encode(text(title)).length;
  return { ids, labels: ids.map((id, i) => (i < prompt ? -100 : id)) };
}
