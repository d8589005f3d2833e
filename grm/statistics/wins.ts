// What the rewards of pairs say: by how much and how often the chosen answer wins, and what that costs.
// Next: calibration.ts for whether a model is as sure as it should be.

import { accept, signatures } from "../../core/signature.ts";
import { mean } from "./averages.ts";
import { softplus } from "./logistic.ts";

const takes = signatures({
  marginsOf: "r_c: number[], r_r: number[]",
  winOf: "r: number, other: number",
  winsOf: "r_c: number[], r_r: number[]",
  tiesIn: "wins: number[]",
  lossesOf: "margins: number[]",
  summarize: "r_c: number[], r_r: number[]",
});

/** Of each pair r_c - r_r. */
export function marginsOf(r_c: ArrayLike<number>, r_r: ArrayLike<number>): Float64Array {
  accept(takes.marginsOf, arguments);
  return Float64Array.from(r_c, (r, i) => r - (r_r[i] ?? Number.NaN));
}

/** 1 if a reward is the higher one, 0 if the other is, ½ for a tie; NaN if one is no number. */
export function winOf(r: number, other: number): number {
  accept(takes.winOf, arguments);
  if (Number.isNaN(r) || Number.isNaN(other)) return Number.NaN;
  return r > other ? 1 : r === other ? 0.5 : 0;
}

/** Of each pair: 1 if the chosen answer has the higher reward, 0 if the rejected one has, ½ for a tie, or NaN. */
export function winsOf(r_c: ArrayLike<number>, r_r: ArrayLike<number>): Float64Array {
  accept(takes.winsOf, arguments);
  return Float64Array.from(r_c, (r, i) => winOf(r, r_r[i] ?? Number.NaN));
}

/** How many of the wins are ties. */
export function tiesIn(wins: ArrayLike<number>): number {
  accept(takes.tiesIn, arguments);
  return Array.from(wins).filter((win) => win === 0.5).length;
}

/** Of each pair -log σ(r_c - r_r). */
export function lossesOf(margins: Float64Array): Float64Array {
  accept(takes.lossesOf, arguments);
  return margins.map((d) => softplus(-d));
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
  /** The least and the greatest of all rewards. */
  readonly minReward: number;
  readonly maxReward: number;
}

/** The least of `sign` times each number. */
function least(numbers: ArrayLike<number>, sign = 1): number {
  let found = Infinity;
  for (let i = 0; i < numbers.length; i++) found = Math.min(found, sign * Number(numbers[i]));
  return found;
}

/** Rewards of chosen and rejected answers, pair by pair. */
export function summarize(r_c: ArrayLike<number>, r_r: ArrayLike<number>): PairSummary {
  accept(takes.summarize, arguments);
  const margins = marginsOf(r_c, r_r);
  const wins = winsOf(r_c, r_r);
  return {
    loss: mean(lossesOf(margins)),
    accuracy: mean(wins),
    ties: tiesIn(wins),
    margin: mean(margins),
    chosenReward: mean(r_c),
    rejectedReward: mean(r_r),
    minReward: Math.min(least(r_c), least(r_r)),
    maxReward: -Math.min(least(r_c, -1), least(r_r, -1)),
  };
}
