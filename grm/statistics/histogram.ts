// Counts of numbers in bins of equal width. Next: correlation.ts.

import { accept, signatures } from "../../core/signature.ts";
import { checkFinite } from "./finite.ts";

const takes = signatures({
  histogram: "values: number[], { bins?: number, like?: number[] }",
});

/** Counts of numbers between edges of equal distance. */
export interface Histogram {
  /** One more than counts. */
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

/**
 * Counts in bins of equal width, from the smallest to the largest number; with `like`, in the bins that cover
 * those numbers as well. A number at an edge is in the bin above it, the largest in the last one. An
 * ArgumentError for what is no finite number, which is in no bin.
 */
export function histogram(
  values: ArrayLike<number>,
  options: { readonly bins?: number; readonly like?: ArrayLike<number> } = {},
): Histogram {
  accept(takes.histogram, arguments);
  const { bins = 20, like = values } = options;
  const all = [...Array.from(values), ...Array.from(like)];
  if (all.length === 0) return { edges: [], counts: [] };
  checkFinite(all, (i) => `histogram: number ${i + 1}`);
  const low = all.reduce((least, x) => Math.min(least, x), Infinity);
  const high = all.reduce((most, x) => Math.max(most, x), -Infinity);
  const [first, last] = high > low ? [low, high] : [low - 0.5, low + 0.5]; // a single number in the middle
  const width = last / bins - first / bins;
  const edges = Array.from({ length: bins + 1 }, (_, i) => (i < bins ? first + i * width : last));
  const counts = new Array<number>(bins).fill(0);
  for (const x of Array.from(values)) {
    const bin = Math.min(
      bins - 1,
      edges.findLastIndex((edge) => edge <= x),
    ); // as rounding left the edges
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { edges, counts };
}
