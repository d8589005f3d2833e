// Counts of numbers in bins of equal width. Next: correlation.ts.

/** Counts of numbers between edges of equal distance. */
export interface Histogram {
  /** One more than counts. */
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

/** Counts in bins of equal width; with `like`, in the bins that cover those numbers as well. */
export function histogram(
  values: ArrayLike<number>,
  { bins = 20, like = values }: { readonly bins?: number; readonly like?: ArrayLike<number> } = {},
): Histogram {
  const all = [...Array.from(values), ...Array.from(like)];
  const low = all.reduce((least, x) => Math.min(least, x), Infinity);
  const high = all.reduce((most, x) => Math.max(most, x), -Infinity);
  if (all.length === 0) return { edges: [], counts: [] };
  const width = high > low ? (high - low) / bins : 1;
  const counts = new Array<number>(bins).fill(0);
  for (const x of Array.from(values)) {
    const bin = Math.min(bins - 1, Math.floor((x - low) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { edges: Array.from({ length: bins + 1 }, (_, i) => low + i * width), counts };
}
