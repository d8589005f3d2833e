// Intervals by the bootstrap: what is seen is drawn again and again, with replacement, and the interval is
// where most of the draws end (Efron and Tibshirani 1993). Next: calibration.ts.

import { ArgumentError, type Random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { mean, quantile } from "./averages.ts";
import { checkFinite } from "./finite.ts";
import { signFlipTest } from "./signFlips.ts";

const takes = signatures({
  middle: "sorted: number[], share: number",
  pairedBootstrap: "a: number[], b: number[], { rng: Random, rounds?: number }",
});

/** The middle share of some sorted values: where it begins and ends. */
export function middle(
  sorted: ArrayLike<number>,
  share: number,
): readonly [low: number, high: number] {
  accept(takes.middle, arguments);
  return [quantile(sorted, (1 - share) / 2), quantile(sorted, (1 + share) / 2)];
}

/** A difference of means with its interval, and whether it could be chance. */
export interface Difference {
  readonly value: number;
  /** The 95 % percentile interval. */
  readonly low: number;
  readonly high: number;
  /** Two-sided, of the sign-flip test: exact where at most 20 items differ, else of random flips. */
  readonly p: number;
  readonly count: number;
  /** Resamples that the interval is from, and random flips where p isn't exact. */
  readonly rounds: number;
}

/**
 * mean(a) - mean(b) of numbers on the same items. Its interval is the paired bootstrap's: items are drawn
 * with replacement, both numbers of each together (Efron and Tibshirani 1993). Few items resample to
 * little else than themselves, so that p isn't the bootstrap's but the sign-flip test's (signFlips.ts).
 */
export function pairedBootstrap(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: { readonly rng: Random; readonly rounds?: number },
): Difference {
  accept(takes.pairedBootstrap, arguments);
  const { rng, rounds = 10_000 } = options;
  const n = a.length;
  if (n === 0 || b.length !== n) {
    throw new ArgumentError(
      `pairedBootstrap: got ${n} and ${b.length} numbers; needed as many of both, at least one`,
    );
  }
  const differences = Float64Array.from(a, (x, i) => x - (b[i] ?? 0));
  checkFinite(differences, (i) => `pairedBootstrap: the difference of item ${i + 1}`);
  const means = new Float64Array(rounds);
  for (let round = 0; round < rounds; round++) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += differences[Math.floor(rng.uniform() * n)] ?? 0;
    means[round] = sum / n;
  }
  means.sort();
  return {
    value: mean(differences),
    low: quantile(means, 0.025),
    high: quantile(means, 0.975),
    p: signFlipTest(differences, { rng: rng.fork("signs"), rounds }),
    count: n,
    rounds,
  };
}
