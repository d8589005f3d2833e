// Whether two lists of numbers go together: Pearson's and Spearman's correlation.
// Next: ../evaluation.ts, which applies all of this.

import { deviation, mean } from "./averages.ts";

/** Pearson's correlation; null where one of both doesn't vary. */
export function correlation(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  const [mx, my] = [mean(x), mean(y)];
  const product = mean(Array.from(x, (value, i) => (value - mx) * ((y[i] ?? 0) - my)));
  const scale = deviation(x) * deviation(y);
  return scale > 0 ? product / scale : null;
}

/** Spearman's: the correlation of ranks, of which ties share the mean. */
export function rankCorrelation(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  return correlation(ranks(x), ranks(y));
}

function ranks(x: ArrayLike<number>): Float64Array {
  const order = Array.from(x, (_, i) => i).sort((a, b) => (x[a] ?? 0) - (x[b] ?? 0));
  const result = new Float64Array(x.length);
  for (let i = 0; i < order.length; ) {
    let end = i + 1;
    while (end < order.length && x[order[end] ?? 0] === x[order[i] ?? 0]) end++;
    for (let k = i; k < end; k++) result[order[k] ?? 0] = (i + end - 1) / 2;
    i = end;
  }
  return result;
}
