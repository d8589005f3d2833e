// Attribution beside intervention, for one sequence: two gradients, a deletion and a patch, and how far
// they agree on which tokens matter. Where they don't, no one of them is to be believed alone.
// Next: attribution.ts, intervention.ts.

import { accept, signatures } from "../../core/signature.ts";
import type { Sequence } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { rankCorrelation } from "../statistics/index.ts";
import { gradientTimesInput, type IntegratedOptions, integratedGradients } from "./attribution.ts";
import { activationPatching, tokenDeletion } from "./intervention.ts";

const takes = signatures(
  {
    explainReward:
      'model: RewardModel, sequence: { ids: number[], labels: number[], ... }, { baseline?: "mean" | "zero", steps?: number }',
  },
  () => ({ RewardModel }),
);

/** T numbers each: what each token is worth to the reward, in the reward's units. */
export interface Explanation {
  readonly gradientInput: readonly number[];
  readonly integrated: readonly number[];
  readonly deletion: readonly number[];
  /** Of the token's state, at the embeddings and behind each block: r(x) - r(patched). */
  readonly patching: readonly { readonly name: string; readonly effects: readonly number[] }[];
  /** r(x) - r(baseline), and what the integrated gradients miss of it. */
  readonly difference: number;
  readonly gap: number;
  /**
   * Spearman's rank correlation of each attribution with each intervention, over the judged tokens (over
   * all where none is judged); null where one doesn't vary.
   */
  readonly agreement: {
    readonly gradientInput: Agreement;
    readonly integrated: Agreement;
  };
}

/**
 * Spearman's rank correlation, -1 to 1, of an attribution with each intervention; null where one doesn't
 * vary.
 */
export interface Agreement {
  readonly deletion: number | null;
  /** With patching at the embeddings. */
  readonly patching: number | null;
}

const mostPlaces = 64; // of a longer text, interventions look at the last ones

/**
 * All four views of a sequence's reward. Costs some dozens of forward passes over it for each place; of a
 * text of more than 64 tokens, interventions are tried on the last 64 and are NaN before.
 */
export async function explainReward(
  model: RewardModel,
  sequence: Sequence,
  options: IntegratedOptions = {},
): Promise<Explanation> {
  accept(takes.explainReward, arguments);
  const gradientInput = await gradientTimesInput(model, sequence);
  const { attributions, difference, gap } = await integratedGradients(model, sequence, options);
  const tried = Array.from(sequence.ids.keys()).slice(-mostPlaces);
  const deletion = await tokenDeletion(model, sequence, { places: tried });
  const { names, effects } = await activationPatching(model, sequence, { places: tried });
  const judged = tried.filter((t) => (sequence.labels[t] ?? -1) >= 0);
  const places = judged.length > 0 ? judged : tried;
  const rank = (a: ArrayLike<number>, b: ArrayLike<number> = []): number | null =>
    rankCorrelation(...([a, b].map((x) => places.map((t) => x[t] ?? 0)) as [number[], number[]]));
  const agreement = (a: ArrayLike<number>): Agreement => ({
    deletion: rank(a, deletion),
    patching: rank(a, effects[0]),
  });
  return {
    gradientInput: Array.from(gradientInput),
    integrated: Array.from(attributions),
    deletion: Array.from(deletion),
    patching: names.map((name, i) => ({ name, effects: Array.from(effects[i] ?? []) })),
    difference,
    gap,
    agreement: { gradientInput: agreement(gradientInput), integrated: agreement(attributions) },
  };
}
