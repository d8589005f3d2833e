// Averages of numbers in plain arrays, and how far apart the numbers lie. Portable: the same bits everywhere.
// Next: intervals.ts for how sure an average is.

import { portable } from "../../core/index.ts";

/** Arithmetic mean; NaN of nothing. */
export function mean(x: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] ?? 0;
  return sum / x.length;
}

/** The mean of numbers that are multiplied rather than added: e to the mean of their logarithms. */
export function geometricMean(x: ArrayLike<number>): number {
  return portable.exp(mean(Array.from(x, portable.log)));
}

/** √ of the mean squared distance from the mean. */
export function deviation(x: ArrayLike<number>): number {
  const centre = mean(x);
  return Math.sqrt(mean(Array.from(x, (value) => (value - centre) ** 2)));
}

/** The value below which a share `q` of sorted numbers lies, interpolated. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const [low, high] = [Math.floor(at), Math.ceil(at)].map((i) => sorted[i] ?? Number.NaN);
  return (low ?? 0) + ((high ?? 0) - (low ?? 0)) * (at - Math.floor(at));
}
