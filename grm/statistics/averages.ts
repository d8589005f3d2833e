// Averages of numbers in plain arrays, and how far apart the numbers lie. Portable: the same bits everywhere.
// Next: intervals.ts for how sure an average is.

import { portable } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { inUnits } from "./vectors.ts";

const takes = signatures({
  mean: "x: number[]",
  geometricMean: "x: number[]",
  centred: "x: number[]",
  deviation: "x: number[]",
  quantile: "sorted: number[], q: number",
});

/** Arithmetic mean; NaN of nothing. */
export function mean(x: ArrayLike<number>): number {
  accept(takes.mean, arguments);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] ?? 0;
  if (Math.abs(sum) !== Infinity) return sum / x.length;
  let shares = 0; // the sum alone may have left the range of a double
  for (let i = 0; i < x.length; i++) shares += (x[i] ?? 0) / x.length;
  return shares;
}

/** The mean of numbers that are multiplied rather than added: e to the mean of their logarithms. */
export function geometricMean(x: ArrayLike<number>): number {
  accept(takes.geometricMean, arguments);
  return portable.exp(mean(Array.from(x, portable.log)));
}

/** Four units in the last place: how far apart equal numbers may come out, by the way they were computed. */
const rounding = 4 * Number.EPSILON;

/** Whether numbers differ by more than rounding, measured at the largest of them; infinite ones may. */
function varies(x: ArrayLike<number>): boolean {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < x.length; i++) {
    low = Math.min(low, x[i] ?? 0);
    high = Math.max(high, x[i] ?? 0);
  }
  const largest = Math.max(Math.abs(low), Math.abs(high));
  return largest === Infinity || !(high - low <= rounding * largest);
}

/**
 * Numbers less their mean; zeros where they differ by no more than rounding. A mean is rounded, so that
 * three times 0.1 less their mean isn't 0: whoever divides by what is left divides by this.
 */
export function centred(x: ArrayLike<number>): Float64Array {
  accept(takes.centred, arguments);
  if (!varies(x)) return new Float64Array(x.length);
  const centre = mean(x);
  const less = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) less[i] = (x[i] ?? 0) - centre;
  return less;
}

/** √ of the mean squared distance from the mean; 0 where numbers differ by no more than rounding. */
export function deviation(x: ArrayLike<number>): number {
  accept(takes.deviation, arguments);
  const { unit, values } = inUnits(centred(x));
  const squares = new Float64Array(values.length);
  for (let i = 0; i < squares.length; i++) squares[i] = (values[i] ?? 0) ** 2;
  return unit * Math.sqrt(mean(squares));
}

/** The value below which a share `q` of sorted numbers lies, interpolated. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  accept(takes.quantile, arguments);
  const at = q * (sorted.length - 1);
  const [low, high] = [Math.floor(at), Math.ceil(at)].map((i) => sorted[i] ?? Number.NaN);
  if (low === high) return low ?? 0; // two infinities have no difference
  return (low ?? 0) + ((high ?? 0) - (low ?? 0)) * (at - Math.floor(at));
}
