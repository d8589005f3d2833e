// Whether a reward model is as sure as it should be. Next: histogram.ts, correlation.ts.

import { accept, signatures } from "../../core/signature.ts";
import { mean } from "./averages.ts";
import { checkFinite } from "./finite.ts";
import { sigmoid } from "./logistic.ts";
import { winOf } from "./wins.ts";

const takes = signatures({
  calibration: "differences: number[], bins?: number",
  fitTemperature: "differences: number[]",
});

/** Pairs of about the same confidence σ(r_c - r_r): how often they were right. */
export interface CalibrationBin {
  /** Confidences from low to high, the highest bin with its upper end. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
  /** Means over the bin; null if it is empty. */
  readonly confidence: number | null;
  readonly accuracy: number | null;
}

/** How far the confidence σ(r_c - r_r) can be believed. */
export interface Calibration {
  readonly bins: readonly CalibrationBin[];
  /** Expected calibration error: the mean gap between confidence and accuracy, weighted by count. */
  readonly ece: number;
  /** Mean of (1 - σ(r_c - r_r))². 0.25 is what saying nothing costs. */
  readonly brier: number;
  /** T that makes σ((r_c - r_r) / T) fit best; null if none does (all right, or no better than chance). */
  readonly temperature: number | null;
}

/**
 * Whether a reward model is as sure as it should be. Its confidence in a pair is σ(|r_c - r_r|), from ½ to
 * 1; it is right if the chosen answer has the higher reward. An ArgumentError for what is no finite number.
 */
export function calibration(differences: ArrayLike<number>, bins = 10): Calibration {
  accept(takes.calibration, arguments);
  checkFinite(differences, (i) => `calibration: the difference of pair ${i + 1}`);
  const pairs = Array.from(differences, (d) => {
    const confidence = sigmoid(Math.abs(d));
    const bin = Math.min(bins - 1, Math.floor((2 * confidence - 1) * bins));
    return { confidence, right: winOf(d, 0), bin };
  });
  const table = Array.from({ length: bins }, (_, i) => {
    const own = pairs.filter(({ bin }) => bin === i);
    return {
      low: 0.5 + i / (2 * bins),
      high: 0.5 + (i + 1) / (2 * bins),
      count: own.length,
      confidence: own.length === 0 ? null : mean(own.map((pair) => pair.confidence)),
      accuracy: own.length === 0 ? null : mean(own.map((pair) => pair.right)),
    };
  });
  const gaps = table.map((b) => b.count * Math.abs((b.confidence ?? 0) - (b.accuracy ?? 0)));
  return {
    bins: table,
    ece: gaps.reduce((sum, gap) => sum + gap, 0) / pairs.length,
    brier: mean(Array.from(differences, (d) => (1 - sigmoid(d)) ** 2)),
    temperature: fitTemperature(differences),
  };
}

/**
 * The T > 0 that minimises mean -log σ(d / T), which is convex in a = 1/T: bisection of its slope, with d in
 * units of the largest. Null if no T does: the slope has a zero where the mean of d is above 0 by more than
 * rounding (better than chance) and some d is below it (not all right).
 */
export function fitTemperature(differences: ArrayLike<number>): number | null {
  accept(takes.fitTemperature, arguments);
  checkFinite(differences, (i) => `fitTemperature: the difference of pair ${i + 1}`);
  const all = Array.from(differences);
  const unit = all.reduce((most, d) => Math.max(most, Math.abs(d)), 0);
  const scaled = all.map((d) => d / unit);
  const sum = (list: readonly number[]): number => list.reduce((total, x) => total + x, 0);
  const error = scaled.length * Number.EPSILON * sum(scaled.map(Math.abs));
  if (!(sum(scaled) > error) || scaled.every((d) => d >= 0)) return null;
  const slope = (a: number): number => -sum(scaled.map((d) => d * sigmoid(-a * d)));
  let [low, high] = [1, 1];
  while (slope(low) > 0) low /= 2;
  while (slope(high) < 0) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = Math.sqrt(low * high);
    if (slope(middle) < 0) low = middle;
    else high = middle;
  }
  return unit / Math.sqrt(low * high);
}
