// Principal axes of hidden states: the two directions in which a base's states differ most. They stay as they are
// while models train, so that what moves on the picture moved in the model.
// Next: hiddenView.ts.

import { type Matrix, matrix } from "../grm/inspect/index.ts";
import { centredColumns, columnMeans, crossProduct, rowOf } from "../grm/inspect/matrix.ts";
import { dot, norm } from "../grm/statistics/index.ts";

/** A plane through states: its origin, its axes, and how much of the variance each one has. */
export interface Plane {
  /** The mean state, [C]. */
  readonly mean: Float64Array;
  /** Unit vectors [C], at right angles. */
  readonly axes: readonly Float64Array[];
  /** Shares of the whole variance. */
  readonly shares: readonly number[];
}

const rounds = 500;

/** The first principal axes of states [N,C], by power iteration on their covariance; always the same ones. */
export function principalPlane(states: Matrix, count = 2): Plane {
  const centred = centredColumns(states);
  const covariance = crossProduct(centred, centred); // times N
  const { cols: C } = states;
  const whole = Array.from({ length: C }, (_, c) => covariance.data[c * C + c] ?? 0);
  const total = whole.reduce((sum, variance) => sum + variance, 0);
  const axes: Float64Array[] = [];
  const shares: number[] = [];
  for (let k = 0; k < count; k++) {
    const axis = strongest(covariance, axes);
    axes.push(axis);
    shares.push(total > 0 ? dot(axis, times(covariance, axis)) / total : 0);
  }
  return { mean: columnMeans(states), axes, shares };
}

/** The direction that a symmetric matrix stretches most, at right angles to those that were found. */
function strongest(symmetric: Matrix, found: readonly Float64Array[]): Float64Array {
  let axis = upright(
    Float64Array.from({ length: symmetric.cols }, (_, c) => 1 / (c + 1)),
    found,
  );
  for (let round = 0; round < rounds; round++) axis = upright(times(symmetric, axis), found);
  const largest = axis.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
  return largest < 0 ? axis.map((x) => -x) : axis; // of the two directions, always the same one
}

/** A vector without its parts along others, of length 1. */
function upright(x: Float64Array, others: readonly Float64Array[]): Float64Array {
  const rest = x.slice();
  for (const other of others) {
    const along = dot(rest, other);
    for (let c = 0; c < rest.length; c++) rest[c] = (rest[c] ?? 0) - along * (other[c] ?? 0);
  }
  const length = norm(rest);
  return length > 0 ? rest.map((value) => value / length) : rest;
}

function times(a: Matrix, x: Float64Array): Float64Array {
  return Float64Array.from({ length: a.rows }, (_, i) => dot(rowOf(a, i), x));
}

/** Where states [N,C] lie on a plane: for each a number for each axis. */
export function onPlane({ mean, axes }: Plane, states: Matrix): number[][] {
  return Array.from({ length: states.rows }, (_, i) => {
    const moved = rowOf(states, i).map((value, c) => value - (mean[c] ?? 0));
    return axes.map((axis) => dot(moved, axis));
  });
}

/** The shadow of vectors [N,C] on a plane, without its origin. */
export function shadowOn({ axes, mean }: Plane, vectors: Matrix): number[][] {
  return onPlane({ axes, mean: new Float64Array(mean.length), shares: [] }, vectors);
}

/** Rows of numbers as a matrix. */
export function matrixOf(numbers: ArrayLike<number>, cols: number): Matrix {
  return matrix(numbers.length / cols, cols, numbers);
}
