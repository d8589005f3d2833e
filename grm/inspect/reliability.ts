// The reliability diagram: of the pairs about which a model is so and so sure, how many it gets right.
// Next: ../statistics/calibration.ts for calibration itself.

import { accept, signature } from "../../core/signature.ts";
import type { Pair } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { checkRewards, scorePairs } from "../scores.ts";
import {
  type Calibration,
  calibration,
  marginsOf,
  type Share,
  wilson,
  winsOf,
} from "../statistics/index.ts";

const line = "model: RewardModel, pairs: any[], bins?: number";
const takes = signature("reliability", line, () => ({ RewardModel }));

/** Calibration of a reward model on pairs, and its accuracy. */
export interface Reliability extends Calibration {
  /** Share of pairs ranked right, with its 95 % interval; a tie counts half. */
  readonly accuracy: Share;
}

/** Confidence σ(|r_c - r_r|) against accuracy, in bins of equal width from ½ to 1 (1706.04599). */
export async function reliability(
  model: RewardModel,
  pairs: readonly Pair[],
  bins = 10,
): Promise<Reliability> {
  accept(takes, arguments);
  const scores = await scorePairs(model, pairs);
  checkRewards("reliability", pairs, scores);
  const { chosen, rejected } = scores;
  const margins = marginsOf(chosen.rewards, rejected.rewards);
  const accuracy = wilson(winsOf(chosen.rewards, rejected.rewards));
  return { ...calibration(margins, bins), accuracy };
}
