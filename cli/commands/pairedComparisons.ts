// Two reward models' rewards on the same pairs, compared on all of them and by where they are from.
// Next: ../../grm/evaluation.ts for a comparison, pages.ts and demoReport.ts for whose.

import { random } from "../../core/index.ts";
import { compareScores } from "../../grm/evaluation.ts";
import type { Pair } from "../../grm/pairs.ts";
import type { PairScores, Scores } from "../../grm/scores.ts";
import type { NamedComparison } from "../../report/evaluation.ts";

/** Scores of both models, pair by pair. */
export interface BothScores {
  readonly pairs: readonly Pair[];
  readonly first: PairScores;
  readonly second: PairScores;
}

/** A comparison of `main` pairs and, where they have several sources, of each source. */
export function pairedComparisons(
  { pairs, first, second }: BothScores,
  main: { readonly pairs: string; readonly has: (pair: Pair) => boolean },
): NamedComparison[] {
  const sources = [...new Set(pairs.flatMap(({ source }) => source ?? []))];
  const bySource = sources.map((name) => ({
    pairs: name,
    has: ({ source }: Pair) => source === name,
  }));
  const groups = sources.length > 1 ? [main, ...bySource] : [main];
  return groups.flatMap(({ pairs: name, has }) => {
    const places = pairs.flatMap((pair, i) => (has(pair) ? [i] : []));
    if (places.length === 0) return [];
    const [a, b] = [first, second].map((scores) => picked(scores, places)) as [
      PairScores,
      PairScores,
    ];
    return [{ pairs: name, found: compareScores(a, b, { rng: random("report") }) }];
  });
}

function picked({ chosen, rejected }: PairScores, places: readonly number[]): PairScores {
  const side = ({ rewards, logProbs, counts }: Scores): Scores => ({
    rewards: Float64Array.from(places, (i) => rewards[i] ?? Number.NaN),
    logProbs: Float64Array.from(places, (i) => logProbs[i] ?? Number.NaN),
    counts: Int32Array.from(places, (i) => counts[i] ?? 0),
  });
  return { chosen: side(chosen), rejected: side(rejected) };
}
