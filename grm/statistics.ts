// Statistics of numbers in plain arrays, on the host and portable: what rewards of pairs say, intervals,
// calibration, correlation, the bootstrap. Nothing here knows a model.
// Next: evaluation.ts, which applies them.

import { portable } from "../core/index.ts";

const { exp, log } = portable;

/** ln(1 + e^x) without overflow. */
export function softplus(x: number): number {
  return Math.max(x, 0) + log(1 + exp(-Math.abs(x)));
}

/** 1 / (1 + e^-x) without overflow. */
export function sigmoid(x: number): number {
  const e = exp(-Math.abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/** Arithmetic mean; NaN of nothing. */
export function mean(x: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] ?? 0;
  return sum / x.length;
}

/** What the rewards of pairs say. */
export interface PairSummary {
  /** Mean of -log σ(r_c - r_r). */
  readonly loss: number;
  /** Share of pairs whose chosen answer has the higher reward; ties count half. */
  readonly accuracy: number;
  /** Pairs with equal rewards. */
  readonly ties: number;
  /** Mean of r_c - r_r. */
  readonly margin: number;
  readonly chosenReward: number;
  readonly rejectedReward: number;
}

/** Rewards of chosen and rejected answers, pair by pair. */
export function summarize(r_c: ArrayLike<number>, r_r: ArrayLike<number>): PairSummary {
  const differences = Float64Array.from(r_c, (r, i) => r - (r_r[i] ?? Number.NaN));
  const wins = differences.map((d) => (d > 0 ? 1 : d === 0 ? 0.5 : 0));
  return {
    loss: mean(differences.map((d) => softplus(-d))),
    accuracy: mean(wins),
    ties: differences.filter((d) => d === 0).length,
    margin: mean(differences),
    chosenReward: mean(r_c),
    rejectedReward: mean(r_r),
  };
}
