// Logistic regression without an intercept on sparse rows: weights under which every row scores above 0.
// Newton's method: its steps come from conjugate gradients, which never build the matrix of second
// derivatives, and none of them goes past the lowest place on its line. The loss is convex, so that this
// ends at the one optimum from anywhere (Boyd and Vandenberghe, Convex Optimization, 9.5). Next: wins.ts.

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { checkFinite } from "./finite.ts";
import { sigmoid } from "./logistic.ts";

const takes = signatures({
  fitLogistic: "rows: any[], size: number, { l2: number, steps: number }",
  scoreOf: "row: { ids: number[], values: number[], ... }, w: number[]",
});

/** A row of numbers of which most are 0: those that aren't, and their columns. */
export interface SparseRow {
  readonly ids: Int32Array;
  readonly values: Float64Array;
}

/** How a logistic regression is held back, and how long it may take. */
export interface LogisticOptions {
  /** Weight of ½ ‖w‖² against the sum of the rows' losses; > 0, or nothing may bound the weights. */
  readonly l2: number;
  /** The most steps of Newton's method; about ten are needed. */
  readonly steps: number;
}

/** A step that moves no row's score by more than this share of the largest is the last. */
const enough = 1e-9;

/**
 * The w [size] that minimises Σ -log σ(w · x) + l2/2 ‖w‖² over rows x. Deterministic. An ArgumentError if l2
 * isn't > 0, or if the optimum isn't reached within the steps.
 */
export function fitLogistic(
  rows: readonly SparseRow[],
  size: number,
  options: LogisticOptions,
): Float64Array {
  accept(takes.fitLogistic, arguments);
  const { l2, steps } = options;
  if (!(l2 > 0 && l2 < Infinity)) {
    throw new ArgumentError(`logistic regression: l2 is ${l2}; needed a finite number > 0`);
  }
  rows.forEach(({ values }, i) => {
    checkFinite(values, (k) => `logistic regression: row ${i + 1}, number ${k + 1}`);
  });
  const weights = new Float64Array(size);
  const scores = new Float64Array(rows.length);
  for (let step = 0; step < steps; step++) {
    const downhill = weights.map((w) => -l2 * w);
    rows.forEach((row, i) => {
      addTo(downhill, row, sigmoid(-(scores[i] ?? 0)));
    });
    const curvature = scores.map((s) => sigmoid(s) * sigmoid(-s));
    const direction = newtonStep({ rows, curvature, l2 }, downhill);
    const moves = Float64Array.from(rows, (row) => scoreOf(row, direction));
    const along = lengthOf({ weights, scores, direction, moves, l2 });
    direction.forEach((d, k) => {
      weights[k] = (weights[k] ?? 0) + along * d;
    });
    rows.forEach((row, i) => {
      scores[i] = scoreOf(row, weights);
    });
    if (along * largest(moves) <= enough * largest(scores)) return weights;
  }
  throw new ArgumentError(
    `logistic regression: the optimum at l2 ${l2} isn't reached, steps is ${steps}; give more steps or a larger l2`,
  );
}

function largest(x: Float64Array): number {
  return x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** w · x. */
export function scoreOf(row: SparseRow, w: Float64Array): number {
  accept(takes.scoreOf, arguments);
  const { ids, values } = row;
  let sum = 0;
  for (let k = 0; k < ids.length; k++) sum += (values[k] ?? 0) * (w[ids[k] ?? 0] ?? 0);
  return sum;
}

/** sum += factor x. */
function addTo(sum: Float64Array, { ids, values }: SparseRow, factor: number): void {
  for (let k = 0; k < ids.length; k++) {
    const id = ids[k] ?? 0;
    sum[id] = (sum[id] ?? 0) + factor * (values[k] ?? 0);
  }
}

/** The matrix of second derivatives: H = Σ curvature x xᵀ + l2 I. */
interface Hessian {
  readonly rows: readonly SparseRow[];
  readonly curvature: Float64Array;
  readonly l2: number;
}

function times({ rows, curvature, l2 }: Hessian, v: Float64Array): Float64Array {
  const product = v.map((x) => l2 * x);
  rows.forEach((row, i) => {
    addTo(product, row, (curvature[i] ?? 0) * scoreOf(row, v));
  });
  return product;
}

/**
 * p with H p = b to a thousandth, by conjugate gradients from 0 (Hestenes and Stiefel 1952): downhill,
 * wherever they stop.
 */
function newtonStep(hessian: Hessian, b: Float64Array): Float64Array {
  const p = new Float64Array(b.length);
  const rest = b.slice();
  const way = b.slice();
  let left = squared(rest);
  const goal = 1e-6 * left;
  if (left === Infinity)
    throw new ArgumentError("logistic regression: numbers so large that their squares overflow");
  for (let i = 0; i < b.length && left > goal; i++) {
    const bent = times(hessian, way);
    const far = left / inner(way, bent);
    for (let k = 0; k < p.length; k++) {
      p[k] = (p[k] ?? 0) + far * (way[k] ?? 0);
      rest[k] = (rest[k] ?? 0) - far * (bent[k] ?? 0);
    }
    const before = left;
    left = squared(rest);
    for (let k = 0; k < p.length; k++) way[k] = (rest[k] ?? 0) + (left / before) * (way[k] ?? 0);
  }
  return p;
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] ?? 0) * (b[k] ?? 0);
  return sum;
}

function squared(a: Float64Array): number {
  return inner(a, a);
}

/** Where a step begins and leads, for the weights and for the rows' scores. */
interface NewtonLine {
  readonly weights: Float64Array;
  readonly scores: Float64Array;
  readonly direction: Float64Array;
  readonly moves: Float64Array;
  readonly l2: number;
}

/**
 * How much of a step is taken: all of it, or, where the loss rises again before its end, up to the lowest
 * place. The slope along a line of a convex function only grows, so that halving finds where it is 0.
 */
function lengthOf({ weights, scores, direction, moves, l2 }: NewtonLine): number {
  const [start, growth] = [l2 * inner(weights, direction), l2 * squared(direction)];
  const slope = (t: number): number =>
    moves.reduce(
      (sum, move, i) => sum - move * sigmoid(-((scores[i] ?? 0) + t * move)),
      start + t * growth,
    );
  if (slope(1) <= 0) return 1;
  let [low, high] = [0, 1];
  for (let i = 0; i < 20; i++) {
    const middle = (low + high) / 2;
    if (slope(middle) <= 0) low = middle;
    else high = middle;
  }
  return low;
}
