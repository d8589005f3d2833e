// grm: the reward model with two heads, the losses of GRM (2406.10216) and their baselines, training and
// evaluation, and the command line. May import nn and core, never kernels.
// Read pairs.ts, losses.ts, rewardModel.ts, trainer.ts, evaluation.ts in this order; ../cli/cli.ts for commands.

import * as inspectRoom from "./inspect/index.ts";
import * as statisticsRoom from "./statistics/index.ts";

export {
  type BatchOptions,
  batchesByLength,
  chunks,
  DataOrder,
  type DataPosition,
  epochBatches,
  makeBatch,
  makePairBatch,
  type PaddedBatch,
  pairLength,
} from "./batches.ts";
export * from "./data/index.ts";
export * from "./ensemble.ts";
export * from "./evaluation.ts";
export * from "./losses.ts";
export type { Pair, Sequence } from "./pairs.ts";
export * from "./policies/index.ts";
export {
  type HeadConfig,
  type HeadOptions,
  headConfig,
  type Rewarded,
  RewardModel,
  type Targets,
  ValueHead,
} from "./rewardModel.ts";
export {
  type RewardModelFolder,
  rewardModelFiles,
  rewardModelFromFiles,
} from "./rewardModelFiles.ts";
export {
  type PairScores,
  perplexityOf,
  type ScoreOptions,
  type Scores,
  scorePairs,
  scoreSequences,
} from "./scores.ts";
export {
  type SuiteName,
  type SuiteResult,
  type SuiteSection,
  suiteResult,
  suites,
} from "./suites.ts";
export { scoreJudged, type TextScore, textJudge } from "./textScores.ts";
export { tokenRewards } from "./tokenRewards.ts";
export type { TrainCheckpoint, TrainState } from "./trainer/checkpoint.ts";
export type { TrainMethod } from "./trainer/objective.ts";
export {
  type DriftRecord,
  type EvaluationRecord,
  parseTrainMetrics,
  type StartRecord,
  type StepRecord,
  type TrainMetrics,
  type TrainRecord,
  trainRecordSchema,
} from "./trainer/records.ts";
export { type L2spOptions, l2sp } from "./trainer/startingPoint.ts";
export {
  beginTraining,
  type Trained,
  type TrainHooks,
  type TrainingRun,
  type TrainOptions,
  type TrainProgress,
  type TrainSettings,
  train,
  trainMethods,
  trainSchema,
  trainSettings,
} from "./trainer.ts";
export { WordsOnly, type WordsOnlyOptions } from "./wordsOnly.ts";
export {
  /**
   * Looking into reward models: gradients, drift, attribution, interventions, probes, attention. Each view is a
   * function of models and a batch, and returns plain numbers.
   */
  inspectRoom as inspect,
  /** Means, intervals, paired comparisons, rank correlation and calibration, as the evaluation uses them. */
  statisticsRoom as statistics,
};
