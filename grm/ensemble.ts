// Ensembles: K reward models that differ in their seeds, taken together. The mean of their rewards, the
// least of them, or the mean less some deviations distrust answers on which they disagree (2310.02743).
// Rewards of different models have different scales: standardize them on the same answers before.
// Next: evaluation.ts.

import { ArgumentError } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import type { Pair } from "./pairs.ts";
import type { RewardModel } from "./rewardModel.ts";
import { checkFinite, deviation, mean, winsOf } from "./statistics/index.ts";
import { type Trained, type TrainHooks, type TrainOptions, train } from "./trainer.ts";

const takes = signatures({
  standardize: "rewards: number[], scale?: number[]",
  memberOptions: "options: object, k: number",
  combineRewards: 'members: any[], { rule: "mean" | "min" | "lower", lambda?: number }',
  disagreement: "chosen: any[], rejected: any[]",
  trainEnsemble: "count: number, make: function, pairs: any[], options: object, hooks?: function",
});

/** How members' rewards become one: "lower" is mean - lambda deviation. */
export const ensembleRules = ["mean", "min", "lower"] as const;

/** How the members' rewards become one: their mean, the least, or the mean less a deviation. */
export type EnsembleRule = (typeof ensembleRules)[number];

type Rewards = ArrayLike<number>;

/** The rewards of all members for answer i. */
function column(members: readonly Rewards[], i: number): number[] {
  return members.map((rewards) => rewards[i] ?? Number.NaN);
}

function checkMembers(members: readonly Rewards[]): number {
  const [first] = members;
  if (first !== undefined && members.every(({ length }) => length === first.length)) {
    members.forEach((rewards, k) => {
      checkFinite(rewards, (i) => `ensemble: member ${k + 1}'s reward of answer ${i + 1}`);
    });
    return first.length;
  }
  throw new ArgumentError(
    `ensemble: got rewards of ${members.map(({ length }) => length).join(", ") || "no"} answers; ` +
      "needed one list for each member, all as long",
  );
}

/** One reward for each answer from those of K members; an ArgumentError if one is no finite number. */
export function combineRewards(
  members: readonly Rewards[],
  options: { readonly rule: EnsembleRule; readonly lambda?: number },
): Float64Array {
  accept(takes.combineRewards, arguments);
  const { rule, lambda = 1 } = options;
  return Float64Array.from({ length: checkMembers(members) }, (_, i) => {
    const own = column(members, i);
    if (rule === "min") return Math.min(...own);
    return mean(own) - (rule === "lower" ? lambda * deviation(own) : 0);
  });
}

/**
 * Rewards less their mean, in their deviations; `scale` are other rewards of the same model to take both
 * from. Zeros where these don't vary. An ArgumentError for a reward that is no finite number.
 */
export function standardize(rewards: Rewards, scale: Rewards = rewards): Float64Array {
  accept(takes.standardize, arguments);
  for (const list of new Set([rewards, scale]))
    checkFinite(list, (i) => `standardize: the reward of answer ${i + 1}`);
  const [centre, spread] = [mean(scale), deviation(scale)];
  return Float64Array.from(rewards, (r) => (spread > 0 ? (r - centre) / spread : 0));
}

/** How far the members of an ensemble are apart. */
export interface Disagreement {
  /** Mean over all answers of the deviation between members. */
  readonly deviation: number;
  /** Share of the pairs on which not all members prefer the same answer. */
  readonly pairs: number;
}

/** How much members disagree on pairs, given each one's rewards, which must be finite. */
export function disagreement(
  chosen: readonly Rewards[],
  rejected: readonly Rewards[],
): Disagreement {
  accept(takes.disagreement, arguments);
  const count = checkMembers(chosen);
  if (checkMembers(rejected) !== count) {
    throw new ArgumentError(
      `ensemble: got ${count} chosen answers, ${rejected[0]?.length} rejected; needed as many`,
    );
  }
  const spreads = Array.from({ length: count }, (_, i) =>
    mean([chosen, rejected].map((side) => deviation(column(side, i)))),
  );
  const wins = chosen.map((rewards, k) => winsOf(rewards, rejected[k] ?? []));
  const isSplit = (i: number): boolean => wins.some((own) => own[i] !== wins[0]?.[i]);
  const split = spreads.map((_, i) => (isSplit(i) ? 1 : 0));
  return { deviation: mean(spreads), pairs: mean(split) };
}

/** The settings of member k: those given, with a seed of its own. */
export function memberOptions(options: TrainOptions, k: number): TrainOptions {
  accept(takes.memberOptions, arguments);
  return { ...options, seed: (options.seed ?? 0) + k };
}

/** Trains K members one after the other; `make(k)` gives the model of member k, with a head of its own. */
export async function trainEnsemble(
  count: number,
  make: (k: number) => RewardModel,
  pairs: readonly Pair[],
  options: TrainOptions,
  hooks: (k: number) => TrainHooks = () => ({}),
): Promise<Trained[]> {
  accept(takes.trainEnsemble, arguments);
  const members: Trained[] = [];
  for (let k = 0; k < count; k++)
    members.push(await train(make(k), pairs, memberOptions(options, k), hooks(k)));
  return members;
}
