// Intervals by the bootstrap: what is seen is drawn again and again, with replacement, and the interval is
// where most of the draws end (Efron and Tibshirani 1993). Next: calibration.ts.

import { ArgumentError, type Random } from "../../core/index.ts";
import { mean, quantile } from "./averages.ts";

/** The middle share of some sorted values: where it begins and ends. */
export function middle(
  sorted: ArrayLike<number>,
  share: number,
): readonly [low: number, high: number] {
  return [quantile(sorted, (1 - share) / 2), quantile(sorted, (1 + share) / 2)];
}

/** A difference of means with what the bootstrap says of it. */
export interface Difference {
  readonly value: number;
  /** The 95 % percentile interval. */
  readonly low: number;
  readonly high: number;
  /** Two-sided: how often resampling crosses zero. */
  readonly p: number;
  readonly count: number;
  readonly rounds: number;
}

/**
 * mean(a) - mean(b) of numbers on the same items, by the paired bootstrap: items are drawn with
 * replacement, both numbers of each together (Efron and Tibshirani 1993).
 */
export function pairedBootstrap(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { rng, rounds = 10_000 }: { readonly rng: Random; readonly rounds?: number },
): Difference {
  const n = a.length;
  if (n === 0 || b.length !== n) {
    throw new ArgumentError(
      `pairedBootstrap: got ${n} and ${b.length} numbers; needed as many of both, at least one`,
    );
  }
  const differences = Float64Array.from(a, (x, i) => x - (b[i] ?? 0));
  const means = new Float64Array(rounds);
  for (let round = 0; round < rounds; round++) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += differences[Math.floor(rng.uniform() * n)] ?? 0;
    means[round] = sum / n;
  }
  means.sort();
  const below = means.filter((x) => x <= 0).length;
  const above = means.filter((x) => x >= 0).length;
  return {
    value: mean(differences),
    low: quantile(means, 0.025),
    high: quantile(means, 0.975),
    p: Math.min(1, (2 * (Math.min(below, above) + 1)) / (rounds + 1)),
    count: n,
    rounds,
  };
}
