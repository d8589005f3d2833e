// A round's answers and all that is known of them before anything is learnt: log probabilities of each
// token under the policy that wrote it and under the reference, values, rewards, and from these the
// advantages. Tokens of all answers lie one after the other: answer i has those from starts[i] on.
// Next: policyTrainer.ts.

import { noGrad, type Random, scope, stack, type Tensor } from "../../core/index.ts";
import { type CausalLM, type Generated, generateAsync } from "../../nn/index.ts";
import { breathe } from "../../nn/run/loop.ts";
import { chunks, makeBatch, type PaddedBatch } from "../batches.ts";
import { IGNORE } from "../losses.ts";
import type { Sequence } from "../pairs.ts";
import { atPlaces, type RewardModel } from "../rewardModel.ts";
import { taken } from "../scores.ts";
import { deviation, mean } from "../statistics/index.ts";
import { type Advantages, gae, leaveOneOut, whiten } from "./advantages.ts";
import type { Answer } from "./judges.ts";
import { klEstimate } from "./kl.ts";
import { entropyOf } from "./policyLosses.ts";
import type { PolicySettings } from "./policySettings.ts";
import type { Task } from "./task.ts";

/** What a policy wrote. Tokens that end an answer are actions like any other, and no part of it. */
export interface Written {
  readonly answers: readonly Answer[];
  /** With the ending token; labels on all that the policy chose. */
  readonly sequences: readonly Sequence[];
  /** Share of the answers that the policy ended itself. */
  readonly ended: number;
}

/** A round's answers, `samples` to each prompt, at temperature 1: the policy's own distribution. */
export async function write(
  policy: RewardModel,
  task: Task,
  { batchSize, samples }: Pick<PolicySettings, "batchSize" | "samples">,
  rng: Random,
): Promise<Written> {
  const prompts = task.prompts(batchSize / samples, rng.fork("prompts"));
  const { maxTokens, stop } = task;
  const options = { samples, maxTokens, stop, rng: rng.fork("answers") };
  const written = await generateAsync(policy.lm, prompts, options);
  const promptOf = ({ prompt }: Generated): readonly number[] => prompts[prompt] ?? [];
  return {
    answers: written.map((one) => ({
      prompt: promptOf(one),
      response: one.finish === "stop" ? one.tokens.slice(0, -1) : one.tokens,
    })),
    sequences: written.map((one) => {
      const prompt = promptOf(one);
      const ids = Int32Array.of(...prompt, ...one.tokens);
      return { ids, labels: ids.map((id, t) => (t < prompt.length ? IGNORE : id)) };
    }),
    ended: written.filter(({ finish }) => finish === "stop").length / written.length,
  };
}

/** What a policy says of its N actions in a batch, with gradients if they are on: [N] each. */
export interface Actions {
  readonly logProbs: Tensor;
  readonly values: Tensor;
  /** Off the tape. */
  readonly entropy: Tensor;
}

/** Values are of the hidden state before each action, which the language model's head reads too. */
export function actionsOf(policy: RewardModel, { ids, mask, targets }: PaddedBatch): Actions {
  const hidden = policy.model.forward(ids, { mask });
  const states = atPlaces(hidden, targets.places); // [N,C]
  const all = policy.logits(states).logSoftmax({ dim: -1 }); // [N,V]
  const logProbs = ofTokens(all, targets.tokens);
  return { logProbs, values: policy.reward(states), entropy: noGrad(() => entropyOf(all)) };
}

/** Numbers of every token of a round, answer after answer. */
export interface Recollection {
  readonly logProbs: Float64Array;
  readonly reference: Float64Array;
  readonly values: Float64Array;
  readonly entropy: Float64Array;
  /** Where each answer's tokens begin; one entry more than there are answers. */
  readonly starts: Int32Array;
}

/** What policy and reference say of a round's tokens, without gradients. */
export async function recall(
  policy: RewardModel,
  reference: CausalLM,
  sequences: readonly Sequence[],
  batchSize: number,
): Promise<Recollection> {
  const rows: number[][] = [];
  const lengths: number[] = [];
  for (const some of chunks(sequences, batchSize)) {
    const batch = makeBatch(some);
    lengths.push(...batch.targets.counts);
    const found = noGrad(() =>
      scope(() => {
        const { logProbs, values, entropy } = actionsOf(policy, batch);
        return stack([logProbs, referenceLogProbs(reference, batch), values, entropy]); // [4,N]
      }),
    );
    const numbers = Array.from(await taken(found));
    rows.push(numbers);
    await breathe();
  }
  const part = (k: number): Float64Array =>
    Float64Array.from(rows.flatMap((x) => x.slice((k * x.length) / 4, ((k + 1) * x.length) / 4)));
  const starts = new Int32Array(lengths.length + 1);
  lengths.forEach((length, i) => {
    starts[i + 1] = (starts[i] ?? 0) + length;
  });
  return { logProbs: part(0), reference: part(1), values: part(2), entropy: part(3), starts };
}

function referenceLogProbs(lm: CausalLM, { ids, mask, targets }: PaddedBatch): Tensor {
  const states = atPlaces(lm.model.forward(ids, { mask }), targets.places);
  return ofTokens(lm.lmHead.forward(states).logSoftmax({ dim: -1 }), targets.tokens);
}

/** Of rows of log probabilities [N,V] those of the tokens [N]: [N]. */
function ofTokens(all: Tensor, tokens: Tensor): Tensor {
  return all.gather(tokens.unsqueeze(1), { dim: 1 }).squeeze(1);
}

/** An answer's part of a list over tokens. */
export function partOf(list: Float64Array, { starts }: Recollection, i: number): Float64Array {
  return list.subarray(starts[i] ?? 0, starts[i + 1] ?? 0);
}

/** Both estimates of the KL to the reference, in nats an answer: means over answers. */
export function meanKL(recollection: Recollection): { readonly k1: number; readonly k3: number } {
  const { logProbs, reference, starts } = recollection;
  const all = Array.from({ length: starts.length - 1 }, (_, i) =>
    klEstimate(partOf(logProbs, recollection, i), partOf(reference, recollection, i)),
  );
  return { k1: mean(all.map(({ k1 }) => k1)), k3: mean(all.map(({ k3 }) => k3)) };
}

/** How rewards become what is optimised. */
export interface Scale {
  readonly mean: number;
  readonly deviation: number;
}

/** Rewards that can be learnt from. */
export interface Usable {
  /** Normalised and cut; NaN for those refused. */
  readonly rewards: Float64Array;
  readonly scale: Scale;
  /** Rewards that are no finite numbers. */
  readonly refused: number;
  /** Rewards cut to ± rewardClip. */
  readonly clipped: number;
}

/** Normalises rewards by `scale`, or by their own mean and deviation if there is none yet. */
export function usableRewards(
  given: Float64Array,
  known: Scale | null,
  { normalise, rewardClip }: Pick<PolicySettings, "normalise" | "rewardClip">,
): Usable {
  const finite = given.filter((r) => Number.isFinite(r));
  const scale =
    known ??
    (normalise ? { mean: mean(finite), deviation: deviation(finite) } : { mean: 0, deviation: 1 });
  let clipped = 0;
  const rewards = given.map((r) => {
    if (!Number.isFinite(r)) return Number.NaN;
    const z = (r - scale.mean) / (scale.deviation > 0 ? scale.deviation : 1);
    if (Math.abs(z) > rewardClip) clipped++;
    return Math.max(-rewardClip, Math.min(rewardClip, z));
  });
  return { rewards, scale, refused: given.length - finite.length, clipped };
}

/**
 * PPO's advantages and returns of every token: on each the KL penalty -β ln π/π_ref, on an answer's last
 * the reward as well. Answers whose reward was refused have NaN.
 */
export function ppoAdvantages(
  recollection: Recollection,
  rewards: Float64Array,
  klWeight: number,
  settings: Pick<PolicySettings, "gamma" | "lambda" | "whiten">,
): Advantages {
  const { logProbs, reference, values, starts } = recollection;
  const advantages = new Float64Array(logProbs.length);
  const returns = new Float64Array(logProbs.length);
  rewards.forEach((reward, i) => {
    const [q, V] = [partOf(reference, recollection, i), partOf(values, recollection, i)];
    const steps = partOf(logProbs, recollection, i).map((p, t) => -klWeight * (p - (q[t] ?? 0)));
    steps[steps.length - 1] = (steps.at(-1) ?? 0) + reward;
    const found = gae(steps, V, { gamma: settings.gamma, lambda: settings.lambda });
    advantages.set(found.advantages, starts[i] ?? 0);
    returns.set(found.returns, starts[i] ?? 0);
  });
  return { advantages: settings.whiten ? whitenFinite(advantages) : advantages, returns };
}

/** whiten over the finite numbers; the others stay NaN. */
function whitenFinite(x: Float64Array): Float64Array {
  const finite = whiten(x.filter((value) => Number.isFinite(value)));
  let at = 0;
  return x.map((value) => (Number.isFinite(value) ? (finite[at++] ?? 0) : Number.NaN));
}

/**
 * RLOO's advantages of every answer; the KL penalty -β Σ_t ln π/π_ref is part of its reward. NaN for
 * refused ones, and for one that is left alone at its prompt.
 */
export function rlooAdvantages(
  recollection: Recollection,
  rewards: Float64Array,
  klWeight: number,
  samples: number,
): Float64Array {
  const { logProbs, reference } = recollection;
  const total = rewards.map((reward, i) => {
    const { k1 } = klEstimate(
      partOf(logProbs, recollection, i),
      partOf(reference, recollection, i),
    );
    return reward - klWeight * k1;
  });
  const advantages = new Float64Array(rewards.length).fill(Number.NaN);
  for (const group of chunks([...rewards.keys()], samples)) {
    const usable = group.filter((i) => Number.isFinite(total[i]));
    if (usable.length < 2) continue;
    const found = leaveOneOut(usable.map((i) => total[i] ?? 0));
    usable.forEach((i, k) => {
      advantages[i] = found[k] ?? 0;
    });
  }
  return advantages;
}
