// How good a reward model is, and what else could explain it: accuracy with intervals, whether it is as
// sure as it should be, whether it rewards length; beside it what is reached without reading at all; and
// what training has done to the language model inside. Next: statistics/ for the formulas.

import { type Random, random } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { CausalLM, loraStateDict, type Tokenizer } from "../nn/index.ts";
import { answersOf, chunks } from "./batches.ts";
import type { Pair, Sequence } from "./pairs.ts";
import { RewardModel } from "./rewardModel.ts";
import {
  checkRewards,
  type PairScores,
  perplexityOf,
  type Scores,
  scorePairs,
  scoreSequences,
} from "./scores.ts";
import {
  type Calibration,
  calibration,
  checkFinite,
  correlation,
  type Difference,
  deviation,
  type Histogram,
  histogram,
  lossesOf,
  marginsOf,
  mean,
  pairedBootstrap,
  rankCorrelation,
  type Share,
  summarize,
  tiesIn,
  wilson,
  winsOf,
} from "./statistics/index.ts";
import { WordsOnly } from "./wordsOnly.ts";

const takes = signatures(
  {
    evaluate:
      "model: RewardModel, pairs: any[], { training?: any[], base?: CausalLM, neutral?: any[], " +
      "batchTokens?: number, onScores?: function, onProgress?: function }",
    textSequences: "texts: any[], tokenizer: object, maxLength: number",
    accuracyOf: "wins: number[]",
    compareScores: "first: object, second: object, { rng: Random, rounds?: number }",
  },
  () => ({ CausalLM, RewardModel }),
);

/** The share of pairs whose chosen answer wins; ties count half, and are stated. */
export interface Accuracy extends Share {
  readonly ties: number;
}

/** Numbers as mean, deviation and histogram. */
export interface Distribution {
  readonly mean: number;
  readonly deviation: number;
  readonly histogram: Histogram;
}

/** Perplexity on labelled tokens: the model's, and that of the base that it was trained from. */
export interface Perplexity {
  readonly tokens: number;
  readonly model: number | null;
  readonly base: number | null;
}

/** A reward model on pairs: accuracy with intervals, calibration, controls, perplexity. */
export interface Evaluation {
  readonly pairs: number;
  /** Mean of -log σ(r_c - r_r). */
  readonly loss: number;
  readonly accuracy: Accuracy;
  /** By the pairs' source; empty where none is said. */
  readonly bySource: Readonly<Record<string, Accuracy>>;
  readonly calibration: Calibration;
  readonly rewards: { readonly chosen: Distribution; readonly rejected: Distribution };
  /** Of r_c - r_r. */
  readonly margins: Distribution;
  /** Of rewards with the answers' length in tokens, over all answers; null if one doesn't vary. */
  readonly length: { readonly pearson: number | null; readonly spearman: number | null };
  /** What is reached without reading: the longer answer wins; which tokens there are, fitted to `training`. */
  readonly controls: { readonly longer: Accuracy; readonly words: Accuracy | null };
  readonly languageModel: {
    readonly chosen: Perplexity;
    readonly rejected: Perplexity;
    readonly neutral: Perplexity | null;
  };
}

/** What an evaluation may compare with, and how it goes on. */
export interface EvaluateOptions {
  /** What the model was trained on: the control that sees only words is fitted to it. */
  readonly training?: readonly Pair[] | undefined;
  /** The language model that training began with; unless said, the model without its adapters, if it has any. */
  readonly base?: CausalLM | undefined;
  /** Text that has nothing to do with the pairs: see textSequences. */
  readonly neutral?: readonly Sequence[] | undefined;
  readonly batchTokens?: number;
  /** Called with the rewards of both answers of every pair. */
  readonly onScores?: ((scores: PairScores) => void) | undefined;
  /** Called now and then with the share that is done. */
  readonly onProgress?: (done: number) => void;
}

/**
 * Everything that can be said of a reward model on some pairs. An ArgumentError that names the pairs if
 * the model gives them rewards that are no finite numbers.
 */
export async function evaluate(
  model: RewardModel,
  pairs: readonly Pair[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  accept(takes.evaluate, arguments);
  const { training, onProgress, batchTokens = 4096 } = options;
  const score = { batchTokens, logProbs: true, onProgress: (d: number) => onProgress?.(d / 2) };
  const scores = await scorePairs(model, pairs, score);
  checkRewards("evaluate", pairs, scores);
  options.onScores?.(scores);
  const languageModel = await languageModelSide(model, pairs, scores, options);
  const [r_c, r_r] = [scores.chosen.rewards, scores.rejected.rewards];
  const margins = marginsOf(r_c, r_r);
  const [long_c, long_r] = [
    pairs.map((p) => length(p.chosen)),
    pairs.map((p) => length(p.rejected)),
  ];
  const [rewards, lengths] = [
    [...r_c, ...r_r],
    [...long_c, ...long_r],
  ];
  const wins = winsOf(r_c, r_r);
  return {
    pairs: pairs.length,
    loss: summarize(r_c, r_r).loss,
    accuracy: accuracyOf(wins),
    bySource: bySource(pairs, wins),
    calibration: calibration(margins),
    rewards: { chosen: distribution(r_c, rewards), rejected: distribution(r_r, rewards) },
    margins: distribution(margins),
    length: {
      pearson: correlation(rewards, lengths),
      spearman: rankCorrelation(rewards, lengths),
    },
    controls: {
      longer: accuracyOf(winsOf(long_c, long_r)),
      words: training ? wordsControl(training, pairs) : null,
    },
    languageModel,
  };
}

/** Tokens of the answer; of everything where nothing is labelled. */
function length({ ids, labels }: Sequence): number {
  return labels.filter((label) => label >= 0).length || ids.length;
}

/**
 * The mean of wins (1: right, 0.5: a tie, 0: wrong) with its 95 % interval (Wilson's), and how many ties
 * there are.
 */
export function accuracyOf(wins: ArrayLike<number>): Accuracy {
  accept(takes.accuracyOf, arguments);
  return { ...wilson(wins), ties: tiesIn(wins) };
}

function bySource(pairs: readonly Pair[], wins: ArrayLike<number>): Record<string, Accuracy> {
  const sources = new Map<string, number[]>();
  pairs.forEach(({ source }, i) => {
    if (source === undefined) return;
    const own = sources.get(source) ?? [];
    sources.set(source, own);
    own.push(wins[i] ?? 0);
  });
  return Object.fromEntries([...sources].map(([source, own]) => [source, accuracyOf(own)]));
}

function distribution(values: ArrayLike<number>, like = values): Distribution {
  return {
    mean: mean(values),
    deviation: deviation(values),
    histogram: histogram(values, { like }),
  };
}

function wordsControl(training: readonly Pair[], pairs: readonly Pair[]): Accuracy {
  const differences = WordsOnly.fit(training).differences(pairs);
  return accuracyOf(winsOf(differences, new Float64Array(differences.length)));
}

// --- The language model's side -----------------------------------------------------------------------

async function languageModelSide(
  model: RewardModel,
  pairs: readonly Pair[],
  { chosen, rejected }: PairScores,
  { base, neutral = [], batchTokens = 4096, onProgress }: EvaluateOptions,
): Promise<Evaluation["languageModel"]> {
  const hasAdapters = Object.keys(loraStateDict(model)).length > 0;
  const compared = base === undefined ? (hasAdapters ? model : null) : headless(base);
  const options = { batchTokens, logProbs: true };
  const own = await scoreSequences(model, neutral, options);
  const all = [...answersOf(pairs), ...neutral];
  const theirs =
    compared === null
      ? null
      : await scoreSequences(compared, all, {
          ...options,
          withoutAdapters: base === undefined,
          onProgress: (done) => onProgress?.(0.5 + done / 2),
        });
  const N = pairs.length;
  const side = (scores: Scores, from: number, to: number): Perplexity => ({
    tokens: scores.counts.reduce((sum, n) => sum + n, 0),
    model: perplexityOf(scores),
    base: theirs && perplexityOf(part(theirs, from, to)),
  });
  return {
    chosen: side(chosen, 0, N),
    rejected: side(rejected, N, 2 * N),
    neutral: neutral.length === 0 ? null : side(own, 2 * N, all.length),
  };
}

/** A language model where a reward model is asked for; its rewards mean nothing. */
function headless(lm: CausalLM): RewardModel {
  return new RewardModel(lm, { head: { type: "linear" }, rng: random(0) });
}

function part({ rewards, logProbs, counts }: Scores, from: number, to: number): Scores {
  return {
    rewards: rewards.subarray(from, to),
    logProbs: logProbs.subarray(from, to),
    counts: counts.subarray(from, to),
  };
}

/** Text in pieces of at most `maxLength` tokens, of which each but the first is labelled. */
export function textSequences(
  texts: readonly string[],
  tokenizer: Tokenizer,
  maxLength: number,
): Sequence[] {
  accept(takes.textSequences, arguments);
  return texts
    .flatMap((text) => chunks([...tokenizer.encode(text, { parseSpecial: false })], maxLength))
    .filter((ids) => ids.length > 1)
    .map((ids) => ({ ids: Int32Array.from(ids), labels: Int32Array.from(ids) }));
}

// --- Two models --------------------------------------------------------------------------------------

/** Two reward models on the same pairs, with 95 % intervals of paired resamples. */
export interface ModelComparison {
  readonly first: Accuracy;
  readonly second: Accuracy;
  /** Of the first's accuracy less the second's. */
  readonly difference: Difference;
  /** Of the mean of -log σ(r_c - r_r), the first's less the second's. */
  readonly lossDifference: Difference;
  /** Pairs that the first gets right and the second doesn't, and the other way round. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
}

/** Two models on the same pairs: intervals by the paired bootstrap, p by the sign-flip test. Rewards must be finite. */
export function compareScores(
  first: PairScores,
  second: PairScores,
  options: { readonly rng: Random; readonly rounds?: number },
): ModelComparison {
  accept(takes.compareScores, arguments);
  for (const [which, { chosen, rejected }] of Object.entries({ first, second }))
    for (const [side, { rewards }] of Object.entries({ chosen, rejected }))
      checkFinite(rewards, (i) => `compareScores: the ${which}'s ${side} reward of pair ${i + 1}`);
  const [a, b] = [first, second].map(({ chosen, rejected }) => ({
    wins: winsOf(chosen.rewards, rejected.rewards),
    losses: lossesOf(marginsOf(chosen.rewards, rejected.rewards)),
  })) as [Outcome, Outcome];
  const { rng, ...rest } = options;
  return {
    first: accuracyOf(a.wins),
    second: accuracyOf(b.wins),
    difference: pairedBootstrap(a.wins, b.wins, { rng: rng.fork("accuracy"), ...rest }),
    lossDifference: pairedBootstrap(a.losses, b.losses, { rng: rng.fork("loss"), ...rest }),
    onlyFirst: a.wins.filter((win, i) => win === 1 && b.wins[i] !== 1).length,
    onlySecond: b.wins.filter((win, i) => win === 1 && a.wins[i] !== 1).length,
  };
}

interface Outcome {
  readonly wins: Float64Array;
  readonly losses: Float64Array;
}
