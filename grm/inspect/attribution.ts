// Which tokens a reward is owed to, by gradients: how it changes with the embeddings, times what they are.
// Both views explain r(x) - r(baseline) as a sum over tokens, the first by a tangent, the second along a
// straight line. They say what the model's function looks like, not what it would do with another text:
// intervention.ts asks that, and explain.ts shows both. Next: intervention.ts.

import { cat, grad, noGrad, scope, type Tensor, tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { capture, edit } from "../../nn/index.ts";
import { breathe } from "../../nn/run/loop.ts";
import type { Sequence } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { taken } from "../scores.ts";
import { streamNames } from "./states.ts";

const takes = signatures(
  {
    embedName: "model: RewardModel",
    embeddings:
      'model: RewardModel, sequence: { ids: number[], labels: number[], ... }, baseline?: "mean" | "zero"',
    gradientTimesInput: "model: RewardModel, sequence: { ids: number[], labels: number[], ... }",
    integratedGradients:
      'model: RewardModel, sequence: { ids: number[], labels: number[], ... }, { baseline?: "mean" | "zero", steps?: number }',
  },
  () => ({ RewardModel }),
);

/** The name of the first of the residual stream, what goes into the first block. */
export function embedName(model: RewardModel): string {
  accept(takes.embedName, arguments);
  return streamNames(model)[0] ?? "";
}

/**
 * What no token in particular looks like: "mean", the average row of the embedding table at every place
 * (with the place's own position, where positions are learned), or "zero". A zero state is far from all
 * that RMSNorm was trained on, and near it the reward turns sharply; so "mean" unless said.
 */
export type Baseline = "mean" | "zero";

/** The embeddings [1,T,C] of a sequence, and those of its baseline. To be called in a scope. */
export function embeddings(
  model: RewardModel,
  sequence: Sequence,
  baseline: Baseline = "mean",
): { readonly input: Tensor; readonly base: Tensor } {
  accept(takes.embeddings, arguments);
  const { ids } = sequence;
  return noGrad(() => {
    const row = tensor(ids, { shape: [1, ids.length] });
    const name = embedName(model);
    const { activations } = capture(model, [name], () => model.forward(row));
    const input = activations[name] as Tensor;
    if (baseline === "zero") return { input, base: input.mul(0) };
    const { embedTokens } = model.model;
    const places = input.sub(embedTokens.forward(row)); // 0, or learned positions
    return { input, base: places.add(embedTokens.weight.mean({ dim: 0 })) };
  });
}

/** Rewards [S] and their gradient where the embeddings of a sequence are `points` [S,T,C]; in a scope. */
function rewardAt(model: RewardModel, { ids }: Sequence, points: Tensor) {
  const [S = 1, T = 0] = points.shape;
  const leaf = points.detach().requiresGrad_();
  const rows = tensor(ids, { shape: [1, T] }).expand([S, T]);
  const { rewards } = edit(model, { [embedName(model)]: () => leaf }, () => model.forward(rows));
  const [gradient] = grad(rewards.sum(), [leaf]) as [Tensor];
  return { rewards: rewards.detach(), gradient };
}

/** Σ_c g_c x_c of each token, [T], g the gradient of the reward with respect to the embeddings x. */
export async function gradientTimesInput(
  model: RewardModel,
  sequence: Sequence,
): Promise<Float64Array> {
  accept(takes.gradientTimesInput, arguments);
  const found = inEvaluation(model, () =>
    scope(() => {
      const { input } = embeddings(model, sequence);
      const { gradient } = rewardAt(model, sequence, input);
      return noGrad(() => gradient.mul(input).sum({ dim: -1 }).reshape([-1]));
    }),
  );
  return Float64Array.from(await taken(found));
}

/** A reward divided among the T tokens of a sequence by integrated gradients. */
export interface IntegratedGradients {
  /** [T]; their sum approaches `difference`. */
  readonly attributions: Float64Array;
  /** r(x) - r(baseline). */
  readonly difference: number;
  /** difference - Σ attributions: what the sum over finitely many points leaves. */
  readonly gap: number;
}

/** Where integrated gradients start from, and how many points they sum over. */
export interface IntegratedOptions {
  readonly baseline?: Baseline;
  /** Points on the line. Default 64. */
  readonly steps?: number;
}

/**
 * (x - x') · ∫₀¹ ∇r(x' + a (x - x')) da for each token, x the embeddings and x' the baseline
 * (Sundararajan et al., 1703.01365, equation 1). Complete: the attributions sum to r(x) - r(x') up to
 * `gap`. The midpoint rule runs over u with a = u³, da = 3 u² du: states near the baseline are short, a
 * norm layer turns sharply there, and most points lie where the function bends most.
 */
export async function integratedGradients(
  model: RewardModel,
  sequence: Sequence,
  options: IntegratedOptions = {},
): Promise<IntegratedGradients> {
  accept(takes.integratedGradients, arguments);
  const { baseline = "mean", steps = 64 } = options;
  const T = sequence.ids.length;
  const attributions = new Float64Array(T);
  const some = Math.max(1, Math.floor(2048 / T)); // points at once
  for (let from = 0; from < steps; from += some) {
    const us = Array.from(
      { length: Math.min(some, steps - from) },
      (_, i) => (from + i + 0.5) / steps,
    );
    const part = await taken(inEvaluation(model, () => alongLine(model, sequence, us, baseline)));
    for (let t = 0; t < T; t++) attributions[t] = (attributions[t] ?? 0) + (part[t] ?? 0) / steps;
    await breathe();
  }
  const ends = inEvaluation(model, () =>
    scope(() => {
      const { input, base } = embeddings(model, sequence, baseline);
      return rewardAt(model, sequence, cat([base, input], { dim: 0 })).rewards;
    }),
  );
  const [start = 0, end = 0] = Array.from(await taken(ends));
  const sum = attributions.reduce((total, a) => total + a, 0);
  return { attributions, difference: end - start, gap: end - start - sum };
}

/** Σ over the u of 3 u² (x - x') · ∇r at a = u³, by token, [T]. */
function alongLine(
  model: RewardModel,
  sequence: Sequence,
  us: readonly number[],
  baseline: Baseline,
): Tensor {
  return scope(() => {
    const { input, base } = embeddings(model, sequence, baseline);
    const { dtype } = input;
    const way = noGrad(() => input.sub(base));
    const column = (f: (u: number) => number): Tensor =>
      tensor(us.map(f), { dtype, shape: [us.length, 1, 1] });
    const points = noGrad(() =>
      column((u) => u * u * u)
        .mul(way)
        .add(base),
    );
    const { gradient } = rewardAt(model, sequence, points);
    return noGrad(() =>
      gradient
        .mul(way)
        .mul(column((u) => 3 * u * u))
        .sum({ dim: -1 })
        .sum({ dim: 0 }),
    );
  });
}

/** Runs `fn` with recording on but without dropout. */
function inEvaluation<T>(model: RewardModel, fn: () => T): T {
  const resumeTraining = model.pauseTraining();
  try {
    return fn();
  } finally {
    resumeTraining();
  }
}
