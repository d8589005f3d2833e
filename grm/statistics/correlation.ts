// Whether two lists of numbers go together: Pearson's and Spearman's correlation.
// Next: ../evaluation.ts, which applies all of this.

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { centred } from "./averages.ts";
import { cosine } from "./vectors.ts";

const takes = signatures({
  correlation: "x: number[], y: number[]",
  rankCorrelation: "x: number[], y: number[]",
});

/**
 * Pearson's correlation, the cosine of both lists less their means; null where one of them differs by no
 * more than rounding. An ArgumentError for lists of different lengths.
 */
export function correlation(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  accept(takes.correlation, arguments);
  if (x.length !== y.length) {
    throw new ArgumentError(`correlation: got ${x.length} and ${y.length} numbers; needed as many`);
  }
  return cosine(centred(x), centred(y));
}

/** Spearman's: the correlation of ranks, of which ties share the mean; null too where a number is NaN, which has none. */
export function rankCorrelation(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  accept(takes.rankCorrelation, arguments);
  if ([x, y].some((list) => Array.from(list).some(Number.isNaN))) return null;
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
