// grm: the reward model with two heads, the losses of GRM (2406.10216) and their baselines, training and
// evaluation, and the command line. May import nn and core, never kernels.
// Read pairs.ts, losses.ts, rewardModel.ts, trainer.ts, evaluation.ts in this order; cli.ts for commands.

export * from "./batches.ts";
export * from "./data/index.ts";
export * from "./losses.ts";
export type { Pair, Sequence } from "./pairs.ts";
export {
  type HeadConfig,
  type HeadOptions,
  headConfig,
  type Rewarded,
  RewardModel,
  type Targets,
  ValueHead,
} from "./rewardModel.ts";
