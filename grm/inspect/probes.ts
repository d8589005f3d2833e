// Linear probes: how much of something can be read off hidden states by one matrix, on tokens that the
// probe wasn't fitted to. What a probe reads is there; whether the model uses it is another question.
// Next: ../../lab/goldFeatures.ts for what is read in the world "spelled".

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { centred, checkFinite, deviation, dot, mean, norm } from "../statistics/index.ts";
import {
  centredColumns,
  columnMeans,
  columnOf,
  crossProduct,
  type Matrix,
  matrix,
  rowOf,
  solvePositive,
} from "./matrix.ts";

const takes = signatures({
  fitProbe: "labelled: { x: object, y: number[], ... }, { l2?: number }",
  readProbe:
    "probe: { weights: number[], bias: number, ... }, x: { rows: number, cols: number, ... }",
  scoreProbe:
    "probe: { weights: number[], bias: number, ... }, labelled: { x: object, y: number[], ... }",
  linearProbe:
    "training: { x: object, y: number[], ... }, test: { x: object, y: number[], ... }, { l2?: number }",
});

/** States and a number that goes with each: what a probe is fitted to or judged on. */
export interface Labelled {
  /** States [N,C]. */
  readonly x: Matrix;
  /** What is to be read from each, [N]. */
  readonly y: ArrayLike<number>;
}

/** A linear probe: reads a number off a state of C elements. */
export interface Probe {
  /** ŷ = w · x + bias. [C] */
  readonly weights: Float64Array;
  readonly bias: number;
}

/** How strongly a probe's weights are held back. */
export interface ProbeOptions {
  /** Weight of |w|² against the mean squared error, on columns scaled to deviation 1. Default 1e-3. */
  readonly l2?: number;
}

/** NaN is on no side of anything, so that a broken model's states would be read right or wrong by chance. */
function checkLabelled(name: string, { x, y }: Labelled): void {
  checkFinite(x.data, (at) => `${name}: state ${Math.floor(at / x.cols)}, element ${at % x.cols}`);
  checkFinite(y, (i) => `${name}: label ${i}`);
}

/** Ridge regression: minimises mean (w · x + b - y)² + l2 |w|² over scaled columns. Closed form. */
export function fitProbe(labelled: Labelled, options: ProbeOptions = {}): Probe {
  accept(takes.fitProbe, arguments);
  const { l2 = 1e-3 } = options;
  const { x, y } = labelled;
  if (x.rows === 0 || y.length !== x.rows) {
    throw new ArgumentError(
      `fitProbe: got ${x.rows} states and ${y.length} labels; needed as many of both, at least one`,
    );
  }
  checkLabelled("fitProbe", { x, y });
  // 1 where a column doesn't vary: its numbers less their mean are zeros
  const scales = Float64Array.from({ length: x.cols }, (_, c) => deviation(columnOf(x, c)) || 1);
  const apart = centredColumns(x);
  const scaled = { ...x, data: apart.data.map((value, at) => value / (scales[at % x.cols] ?? 1)) };
  const target = matrix(x.rows, 1, centred(y));
  const covariance = crossProduct(scaled, scaled);
  const data = covariance.data.map((value, at) => {
    if (at % (x.cols + 1) !== 0) return value / x.rows;
    return value === 0 ? 1 : value / x.rows + l2; // a column of zeros has weight 0, whatever l2 is
  });
  const right = crossProduct(scaled, target).data.map((value) => value / x.rows);
  const weights = solvePositive({ ...covariance, data }, right).map((w, c) => w / (scales[c] ?? 1));
  return { weights, bias: mean(y) - dot(weights, columnMeans(x)) };
}

/** What the probe reads off states, [N]. */
export function readProbe(probe: Probe, x: Matrix): Float64Array {
  accept(takes.readProbe, arguments);
  const { weights, bias } = probe;
  return Float64Array.from({ length: x.rows }, (_, i) => dot(rowOf(x, i), weights) + bias);
}

/** How well a probe reads states that it wasn't fitted to. */
export interface ProbeScore {
  /** 1 - Σ (ŷ - y)² / Σ (y - mean y)²: 1 is all, 0 no better than the mean; null where y doesn't vary. */
  readonly r2: number | null;
  /** Of labels with two values: the share on the right side of their middle; null of others. */
  readonly accuracy: number | null;
  /** The share of the commoner of the two values: what guessing reaches. */
  readonly guess: number | null;
  readonly count: number;
}

/** How well a probe does on states that it wasn't fitted to. */
export function scoreProbe(probe: Probe, labelled: Labelled): ProbeScore {
  accept(takes.scoreProbe, arguments);
  const { x, y } = labelled;
  checkLabelled("scoreProbe", labelled);
  const read = readProbe(probe, x);
  const whole = norm(centred(y));
  const error = norm(Float64Array.from(y, (value, i) => value - (read[i] ?? 0)));
  const kinds = [...new Set(Array.from(y))].sort((a, b) => a - b);
  const [low = 0, high = 0] = kinds;
  const middle = (low + high) / 2;
  const right = Array.from(y).filter((value, i) => value > middle === (read[i] ?? 0) > middle);
  const highs = Array.from(y).filter((value) => value > middle).length / y.length;
  const isBinary = kinds.length === 2 && whole > 0;
  return {
    r2: whole > 0 ? 1 - (error / whole) ** 2 : null,
    accuracy: isBinary ? right.length / y.length : null,
    guess: isBinary ? Math.max(highs, 1 - highs) : null,
    count: y.length,
  };
}

/** Fits on some states and scores on others. */
export function linearProbe(
  training: Labelled,
  test: Labelled,
  options?: ProbeOptions,
): ProbeScore {
  accept(takes.linearProbe, arguments);
  return scoreProbe(fitProbe(training, options), test);
}

/** One probe of many: what was read, where, and how well. */
export interface FeatureProbe extends ProbeScore {
  /** What was read. */
  readonly feature: string;
  /** The activation. */
  readonly layer: string;
  /** The test set. */
  readonly test: string;
}
