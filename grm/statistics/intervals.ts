// How sure an average is: Student's t for a mean over a few seeds, Wilson's interval for a share of wins.
// Student's t, because seeds are few: with 3 of them a 95 % interval reaches 4.3 standard errors to each
// side, and this is what honesty costs. Next: bootstrap.ts.

import { portable } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { centred, mean } from "./averages.ts";
import { dot, inUnits } from "./vectors.ts";

const takes = signatures({
  interval: "values: number[]",
  signOf: "interval: { mean: number, half: null | number, ... }",
  endsOf: "interval: { mean: number, half: null | number, ... }, back?: function",
  plusMinus: "interval: { mean: number, half: null | number, ... }, show: function, sign?: string",
  withEnds: "given: { mean: number, half: null | number, ... }, show: function",
  geometricInterval: "values: number[]",
  wilson: "wins: number[]",
});

// --- Means -------------------------------------------------------------------------------------------

/** The 97.5 % quantile of the normal distribution. */
const z = 1.959963984540054;

/** The 97.5 % quantiles of Student's t with 1, 2, ... 30 degrees of freedom. */
const quantiles = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
  2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048,
  2.045, 2.042,
];

/** Beyond the table: its expansion in 1/df around the normal's quantile (Abramowitz and Stegun, 26.7.5). */
function studentQuantile(df: number): number {
  return quantiles[df - 1] ?? z + (2.37227 + (2.8225 + 2.5558 / df) / df) / df;
}

/** A mean of independent numbers, and how sure it is. */
export interface Interval {
  readonly mean: number;
  /** Half of the 95 % interval; null where there is only one number, which says nothing about chance. */
  readonly half: number | null;
  /** How many numbers it is from. */
  readonly n: number;
}

/** The mean of independent numbers with its 95 % interval. */
export function interval(values: readonly number[]): Interval {
  accept(takes.interval, arguments);
  const n = values.length;
  const centre = mean(values);
  if (n < 2) return { mean: centre, half: null, n };
  const { unit, values: differences } = inUnits(centred(values));
  const variance = dot(differences, differences) / (n - 1);
  return { mean: centre, half: studentQuantile(n - 1) * unit * Math.sqrt(variance / n), n };
}

/** Whether the interval leaves 0 out: 1 above, -1 below, 0 if it doesn't, or if its mean is no finite number. */
export function signOf(interval: Interval): -1 | 0 | 1 {
  accept(takes.signOf, arguments);
  const { mean, half } = interval;
  if (half === null || !(Math.abs(mean) > half && Math.abs(mean) < Infinity)) return 0;
  return mean > 0 ? 1 : -1;
}

/** Where an interval begins and ends, on the scale of its numbers or of what `back` makes of them; null if there is none. */
export function endsOf(
  interval: Interval,
  back = (x: number): number => x,
): { readonly low: number; readonly high: number } | null {
  accept(takes.endsOf, arguments);
  const { mean, half } = interval;
  return half === null ? null : { low: back(mean - half), high: back(mean + half) };
}

/** A mean and half of its interval as text, such as 0.31 ± 0.12; the mean alone if there is none. */
export function plusMinus(interval: Interval, show: (x: number) => string, sign = " ± "): string {
  accept(takes.plusMinus, arguments);
  const { mean, half } = interval;
  return half === null ? show(mean) : `${show(mean)}${sign}${show(half)}`;
}

/** A mean and the ends of its interval as text, such as 0.31 [0.19, 0.43]; the mean alone if there is none. */
export function withEnds(given: Interval, show: (x: number) => string): string {
  accept(takes.withEnds, arguments);
  const ends = endsOf(given);
  const range = ends === null ? "" : ` [${show(ends.low)}, ${show(ends.high)}]`;
  return `${show(given.mean)}${range}`;
}

/** The geometric mean of numbers > 0 with the ends of its 95 % interval: that of logarithms, taken back. */
export function geometricInterval(values: readonly number[]) {
  accept(takes.geometricInterval, arguments);
  const logs = interval(values.map((x) => portable.log(x)));
  return { mean: portable.exp(logs.mean), ends: endsOf(logs, portable.exp) };
}

// --- Shares ------------------------------------------------------------------------------------------

/** A share with its 95 % interval. */
export interface Share {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** A share of wins with Wilson's 95 % interval (1927), which stays within [0, 1]; half wins may be among them. */
export function wilson(wins: ArrayLike<number>): Share {
  accept(takes.wilson, arguments);
  const n = wins.length;
  const p = mean(wins);
  const scale = 1 / (1 + (z * z) / n);
  const centre = scale * (p + (z * z) / (2 * n));
  const half = scale * z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return { value: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half), count: n };
}
