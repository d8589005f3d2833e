// What a reward model says of many sequences: their rewards and, if asked for, their log probabilities.
// Batches are made by length, so that little is padded, and what sequences share at their beginning is read
// once; the results come in the order of the sequences.
// Next: families.ts for what is shared, evaluation.ts for what is concluded from them.

import { ArgumentError, noGrad, portable, scope, type Tensor } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import type { Cache } from "../nn/backbone.ts";
import { withoutAdapters } from "../nn/index.ts";
import { breathe } from "../nn/run/loop.ts";
import { answersOf, batchesByLength, checkSequence, makeBatch } from "./batches.ts";
import { familiesOf, readShared, type SharedBatch, sharedBatches } from "./families.ts";
import type { Pair, Sequence } from "./pairs.ts";
import { atPlaces, lastPlaces, RewardModel } from "./rewardModel.ts";
import { placesOf } from "./trainer/pairs.ts";

const options =
  "{ batchTokens?: number, logProbs?: boolean, withoutAdapters?: boolean, onProgress?: function }";
const takes = signatures(
  {
    scoreSequences: `model: RewardModel, sequences: any[], ${options}`,
    perplexityOf: "scores: { rewards: number[], logProbs: number[], ... }",
    scorePairs: `model: RewardModel, pairs: any[], ${options}`,
  },
  () => ({ RewardModel }),
);

/** What a model says of N sequences, in their order. */
export interface Scores {
  /** One reward for each sequence. */
  readonly rewards: Float64Array;
  /** s(y) of each, the sum over labelled tokens; zeros unless asked for. */
  readonly logProbs: Float64Array;
  /** How many labelled tokens each has. */
  readonly counts: Int32Array;
}

/** How sequences are scored: batches, log probabilities too, with or without adapters. */
export interface ScoreOptions {
  /** Places of a batch, padding included. Default 4096. */
  readonly batchTokens?: number;
  /** Whether s(y) is wanted too, which costs the language model's head. Default false. */
  readonly logProbs?: boolean;
  /** Switches LoRA adapters off: the base that they were added to. Default false. */
  readonly withoutAdapters?: boolean;
  /** Called after each batch with the share that is done. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Scores sequences in evaluation mode; the model's mode is afterwards as it was. */
export async function scoreSequences(
  model: RewardModel,
  given: readonly Sequence[],
  options: ScoreOptions = {},
): Promise<Scores> {
  accept(takes.scoreSequences, arguments);
  const { batchTokens = 4096, logProbs: isWanted = false, onProgress } = options;
  given.forEach(checkSequence);
  const sequences = given.map((sequence) => withoutPadding(sequence, model.padding));
  const rewards = new Float64Array(sequences.length);
  const logProbs = new Float64Array(sequences.length);
  const counts = new Int32Array(sequences.length);
  const batches = batchesOf(sequences, isWanted, batchTokens);
  const resumeTraining = model.pauseTraining();
  try {
    for (const [i, batch] of batches.entries()) {
      const found = scoreBatch(
        model,
        batch.members.map((at) => sequences[at] as Sequence),
        { isWanted, isBase: options.withoutAdapters ?? false, batch },
      );
      const r = await taken(found.rewards);
      const s = found.s === null ? null : await taken(found.s);
      batch.members.forEach((at, row) => {
        rewards[at] = r[row] ?? Number.NaN;
        logProbs[at] = s?.[row] ?? 0;
        counts[at] = found.counts[row] ?? 0;
      });
      onProgress?.((i + 1) / batches.length);
      await breathe();
    }
  } finally {
    resumeTraining();
  }
  return { rewards, logProbs, counts };
}

/** A sequence up to its last token that isn't padding; its first token at least. */
function withoutPadding(sequence: Sequence, padding: number | null): Sequence {
  const { ids, labels } = sequence;
  if (ids.at(-1) !== padding) return sequence;
  const end = Math.max(1, ids.findLastIndex((id) => id !== padding) + 1);
  return { ids: ids.subarray(0, end), labels: labels.subarray(0, end) };
}

/** What begins alike together, the rest by length. */
function batchesOf(
  sequences: readonly Sequence[],
  withLabels: boolean,
  tokens: number,
): SharedBatch[] {
  const lengths = sequences.map(({ ids }) => ids.length);
  const families = familiesOf(sequences, withLabels);
  const alone = families.filter(({ shared }) => shared === 0).flatMap(({ members }) => members);
  const own = alone.map((i) => lengths[i] ?? 0);
  const apart = batchesByLength(own, tokens).map((batch) => {
    return { shared: 0, members: batch.map((k) => alone[k] ?? 0), families: [...batch.keys()] };
  });
  const related = families.filter(({ shared }) => shared > 0);
  return [...sharedBatches(related, lengths, tokens), ...apart];
}

interface BatchTask {
  readonly isWanted: boolean;
  readonly isBase: boolean;
  readonly batch: SharedBatch;
}

function scoreBatch(
  model: RewardModel,
  sequences: readonly Sequence[],
  { isWanted, isBase, batch }: BatchTask,
) {
  const score = (rows: readonly Sequence[], cache?: Cache) => {
    const { ids, mask, targets } = makeBatch(rows);
    const { hidden, rewards } = cache
      ? readOn(model, cache, ids, mask)
      : model.forward(ids, { mask });
    const s = isWanted ? model.logProbs(hidden, targets) : null;
    return { rewards, s, counts: targets.counts };
  };
  const run = () => {
    if (batch.shared === 0) return noGrad(() => scope(() => score(sequences)));
    const { cache, rest } = readShared(model.model, sequences, batch);
    try {
      return noGrad(() => scope(() => score(rest, cache)));
    } finally {
      cache.release();
    }
  };
  return isBase ? withoutAdapters(model, run) : run();
}

/** RewardModel.forward on from a cache. Padding comes after all tokens, where nobody looks: it needs no mask there. */
function readOn(model: RewardModel, cache: Cache, ids: Tensor, mask: Tensor) {
  const hidden = model.model.forward(ids, { cache });
  return { hidden, rewards: model.reward(atPlaces(hidden, lastPlaces(ids, mask))) };
}

/** The chosen answers' scores and the rejected ones', pair by pair. */
export interface PairScores {
  readonly chosen: Scores;
  readonly rejected: Scores;
}

/**
 * Rewards of both answers of each pair, in the order of the pairs; with `logProbs`, s(y) as well. Nothing is
 * recorded, and the model's mode stays as it is.
 */
export async function scorePairs(
  model: RewardModel,
  pairs: readonly Pair[],
  options?: ScoreOptions,
): Promise<PairScores> {
  accept(takes.scorePairs, arguments);
  const sequences = answersOf(pairs);
  const { rewards, logProbs, counts } = await scoreSequences(model, sequences, options);
  const half = (from: number): Scores => ({
    rewards: rewards.slice(from, from + pairs.length),
    logProbs: logProbs.slice(from, from + pairs.length),
    counts: counts.slice(from, from + pairs.length),
  });
  return { chosen: half(0), rejected: half(pairs.length) };
}

/**
 * An ArgumentError that names the pairs of which a reward is no finite number. NaN loses and ties with
 * nothing, so that a broken model's rewards would count as results; `task` says for whom they can't.
 */
export function checkRewards(
  task: string,
  pairs: readonly Pair[],
  { chosen, rejected }: PairScores,
): void {
  const wrong = (i: number): number | undefined =>
    [chosen.rewards[i], rejected.rewards[i]].find((r) => !Number.isFinite(r));
  const bad = [...pairs.keys()].filter((i) => wrong(i) !== undefined);
  const [first] = bad;
  if (first === undefined) return;
  throw new ArgumentError(
    `${task}: a reward is ${wrong(first)} on ${placesOf(pairs, bad)}; needed finite numbers, the model is broken`,
  );
}

/** e^(mean loss of a labelled token): among how many equally likely tokens the model is undecided; null for none. */
export function perplexityOf(scores: Scores): number | null {
  accept(takes.perplexityOf, arguments);
  const { logProbs, counts } = scores;
  const tokens = counts.reduce((sum, n) => sum + n, 0);
  return tokens === 0 ? null : portable.exp(-logProbs.reduce((sum, s) => sum + s, 0) / tokens);
}

/** The numbers of a tensor on whatever device, whose memory then goes back. */
export async function taken(x: Tensor): Promise<ArrayLike<number>> {
  const numbers = await x.read();
  x.release();
  return numbers;
}
