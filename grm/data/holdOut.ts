// A share of the pairs to evaluate on, by prompt: pairs of one prompt are never on both sides, or the evaluation would
// ask for what training has told. Where every prompt has one pair, it's a plain draw of pairs.
// Next: promptKey.ts.

import { ArgumentError, type Random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import type { Pair } from "../pairs.ts";

const takes = signatures({
  holdOut: "pairs: any[], share: number, rng: Random",
  overlapOf: "pairs: any[], training: any[]",
});

/** Pairs on two sides, each in its old order. */
export interface Split {
  readonly training: readonly Pair[];
  readonly validation: readonly Pair[];
}

/**
 * Holds out at most `share` of the pairs: prompts in the order in which a permutation of the pairs names them, each
 * with all of its pairs, as long as they fit. Where the pairs of every prompt are more than the share allows, the
 * first prompt drawn is held out all the same. Pairs of a single prompt are drawn one by one: `overlapOf` tells.
 */
export function holdOut(pairs: readonly Pair[], share: number, rng: Random): Split {
  accept(takes.holdOut, arguments);
  if (!(share >= 0 && share < 1)) {
    throw new ArgumentError(`holdOut: the share is ${share}, needed one from 0 to below 1`);
  }
  const most = Math.floor(pairs.length * share);
  const groups = indicesByPrompt(pairs);
  const isOne = groups[0]?.length === pairs.length;
  const order = Array.from(rng.permutation(pairs.length), (i) =>
    isOne ? [i] : (groups[i] ?? [i]),
  );
  const held = new Set<number>();
  for (const group of order) {
    if (held.size === most) break;
    if (held.size + group.length <= most && !held.has(group[0] ?? -1))
      for (const i of group) held.add(i);
  }
  const [first = []] = order;
  if (most > 0 && held.size === 0) for (const i of first) held.add(i);
  return {
    training: pairs.filter((_, i) => !held.has(i)),
    validation: pairs.filter((_, i) => held.has(i)),
  };
}

/** For each pair the indices of all pairs of its prompt. */
function indicesByPrompt(pairs: readonly Pair[]): number[][] {
  const groups = new Map<string, number[]>();
  return pairs.map(({ promptKey }, i) => {
    const key = promptKey ?? `pair ${i}`; // pairs without a prompt have none in common
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(i);
    return group;
  });
}

/** How much of some pairs stands behind prompts that training has, too. */
export interface Overlap {
  /** Prompts of the pairs that training has as well, and how many prompts the pairs have. */
  readonly prompts: number;
  readonly ofPrompts: number;
  /** Pairs that stand behind one of them, and how many pairs there are. */
  readonly pairs: number;
  readonly ofPairs: number;
}

/** Counts prompts that pairs to evaluate on have in common with the training pairs. */
export function overlapOf(pairs: readonly Pair[], training: readonly Pair[]): Overlap {
  accept(takes.overlapOf, arguments);
  const known = new Set(training.flatMap(({ promptKey }) => promptKey ?? []));
  const keys = pairs.flatMap(({ promptKey }) => promptKey ?? []);
  const common = keys.filter((key) => known.has(key));
  return {
    prompts: new Set(common).size,
    ofPrompts: new Set(keys).size,
    pairs: common.length,
    ofPairs: pairs.length,
  };
}
