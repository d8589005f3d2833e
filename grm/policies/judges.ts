// Who says how good an answer is. A judge is a name and a function; the gold reward, a proxy that was
// trained, an ensemble of proxies and a language model's own fluency are all judges, so that whatever
// optimises one and watches another needs to know no difference.
// Next: task.ts for what is judged by whom, bestOfN.ts for what choosing by a judge does.

import { ArgumentError, random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { CausalLM } from "../../nn/index.ts";
import { combineRewards, type EnsembleRule, standardize } from "../ensemble.ts";
import { IGNORE } from "../losses.ts";
import type { Sequence } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { scoreSequences } from "../scores.ts";

const takes = signatures(
  {
    asSequence: "answer: { prompt: number[], response: number[], ... }",
    proxyJudge: "name: string, model: RewardModel",
    fluencyJudge: "lm: CausalLM",
    ensembleJudge:
      'name: string, members: any[], { rule: "min" | "mean" | "lower", calibration: any[], judges?: any[] }',
  },
  () => ({ CausalLM, RewardModel }),
);

/** A prompt and what was written after it, without the token that ended it. */
export interface Answer {
  readonly prompt: readonly number[];
  readonly response: readonly number[];
}

/** Whoever gives answers a reward: a model, an ensemble, or the gold rule. */
export interface Judge {
  readonly name: string;
  /** One number for each answer; higher is better. */
  score(answers: readonly Answer[]): Promise<Float64Array>;
}

/** An answer as models read it, with its labels on the response. */
export function asSequence(answer: Answer): Sequence {
  accept(takes.asSequence, arguments);
  const { prompt, response } = answer;
  const ids = Int32Array.of(...prompt, ...response);
  return { ids, labels: ids.map((id, i) => (i < prompt.length ? IGNORE : id)) };
}

/** A trained reward model. */
export function proxyJudge(name: string, model: RewardModel): Judge {
  accept(takes.proxyJudge, arguments);
  return {
    name,
    async score(answers) {
      return (await scoreSequences(model, answers.map(asSequence))).rewards;
    },
  };
}

/** The mean log probability of a response's token under a language model, in nats; 0 for an empty one. */
export function fluencyJudge(lm: CausalLM): Judge {
  accept(takes.fluencyJudge, arguments);
  const model = new RewardModel(lm, { rng: random("unused head") });
  return {
    name: "fluency",
    async score(answers) {
      const sequences = answers.map(asSequence);
      const { logProbs, counts } = await scoreSequences(model, sequences, { logProbs: true });
      return logProbs.map((s, i) => s / Math.max(1, counts[i] ?? 0));
    },
  };
}

/**
 * An ensemble: each member's rewards in its deviations from its mean over calibration answers, and these
 * combined (see ../ensemble.ts; "lower" is mean - deviation). An ArgumentError if two members are the same
 * model, in whatever guise: an ensemble of copies would agree with itself.
 */
export async function ensembleJudge(
  name: string,
  members: readonly RewardModel[],
  options: {
    readonly rule: EnsembleRule;
    readonly calibration: readonly Answer[];
    /** How each member judges; by the tokens as they are unless said. */
    readonly judges?: readonly Judge[];
  },
): Promise<Judge> {
  accept(takes.ensembleJudge, arguments);
  const { rule, calibration } = options;
  await checkDistinct(members);
  const judges = options.judges ?? members.map((model, i) => proxyJudge(`${name} ${i}`, model));
  const scoreAll = (answers: readonly Answer[]): Promise<Float64Array[]> =>
    Promise.all(judges.map((judge) => judge.score(answers)));
  const scales = await scoreAll(calibration);
  return {
    name,
    async score(answers) {
      const rewards = await scoreAll(answers);
      return combineRewards(
        rewards.map((own, k) => standardize(own, scales[k])),
        { rule },
      );
    },
  };
}

async function checkDistinct(members: readonly RewardModel[]): Promise<void> {
  if (members.length < 2) {
    throw new ArgumentError(`ensemble: got ${members.length} members; needed two or more`);
  }
  const weights = await Promise.all(members.map(weightsOf));
  weights.forEach((own, i) => {
    const twin = weights.findIndex((other, j) => j < i && sameNumbers(own, other));
    if (twin < 0) return;
    throw new ArgumentError(
      `ensemble: members ${twin} and ${i} have the same weights; train each with a seed of its own`,
    );
  });
}

async function weightsOf(model: RewardModel): Promise<ArrayLike<number>[]> {
  return Promise.all(model.parameters().map((p) => p.read()));
}

function sameNumbers(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): boolean {
  return (
    a.length === b.length &&
    a.every((x, i) => Array.from(x).every((value, at) => value === b[i]?.[at]))
  );
}
