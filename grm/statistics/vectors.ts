// Lengths and angles of lists of numbers whose squares may leave the range of a double.
// Next: averages.ts, correlation.ts.

import { accept, signatures } from "../../core/signature.ts";

const takes = signatures({
  inUnits: "x: number[]",
  dot: "a: number[], b: number[]",
  norm: "a: number[]",
  cosine: "a: number[], b: number[]",
});
/** A list in a unit in which its squares, and products of two of them, are doubles. */
export interface InUnits {
  readonly unit: number;
  readonly values: ArrayLike<number>;
}

/** The largest size that takes no unit, and one over the smallest: to the fourth, both are doubles. */
const moderate = 1e50;

/** A list as it is where its sizes are moderate, else in units of its largest: x = unit values. */
export function inUnits(x: ArrayLike<number>): InUnits {
  accept(takes.inUnits, arguments);
  let largest = 0;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, Math.abs(x[i] ?? 0));
  const isModerate = largest <= moderate && largest >= 1 / moderate;
  if (isModerate || !(largest > 0 && largest < Infinity)) return { unit: 1, values: x };
  return { unit: largest, values: Float64Array.from(x, (value) => value / largest) };
}

/** Σ a_k b_k. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  accept(takes.dot, arguments);
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] ?? 0) * (b[k] ?? 0);
  return sum;
}

/** Euclidean length. */
export function norm(a: ArrayLike<number>): number {
  accept(takes.norm, arguments);
  const { unit, values } = inUnits(a);
  return unit * Math.sqrt(dot(values, values));
}

/** a · b / (|a| |b|), in [-1, 1]; null where one of them is 0. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  accept(takes.cosine, arguments);
  const [x, y] = [inUnits(a).values, inUnits(b).values];
  const scale = Math.sqrt(dot(x, x) * dot(y, y)); // of x with itself dot(x, x) to the bit
  return scale > 0 ? Math.max(-1, Math.min(1, dot(x, y) / scale)) : null;
}
