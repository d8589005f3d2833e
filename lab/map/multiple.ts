// Many comparisons at once: of twenty that show nothing, one is below 5 % by chance. What is reported is the false
// discovery rate of Benjamini and Hochberg (1995): among the comparisons that are called real at a rate q, a share of at
// most q is expected not to be. It holds for independent tests and for those that depend on each other positively
// (Benjamini and Yekutieli 2001), as comparisons with one common baseline do.
// Next: comparisons.ts.

/** For each p the smallest rate at which it would be among the discoveries: min over larger p's of p m / rank. */
export function discoveryRates(p: readonly number[]): number[] {
  const order = p.map((_, i) => i).sort((a, b) => (p[b] ?? 0) - (p[a] ?? 0)); // the largest first
  const rates = new Array<number>(p.length);
  let least = 1;
  order.forEach((i, k) => {
    const rank = p.length - k;
    least = Math.min(least, ((p[i] ?? 1) * p.length) / rank);
    rates[i] = least;
  });
  return rates;
}
