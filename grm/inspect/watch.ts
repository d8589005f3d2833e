// Drift while a model is trained: the states of its base on some pairs are read once, and held against
// the model's at every evaluation. Next: ../trainer.ts, whose hook this fills.

import { accept, signatures } from "../../core/signature.ts";
import { CausalLM } from "../../nn/index.ts";
import type { Pair } from "../pairs.ts";
import type { RewardModel } from "../rewardModel.ts";
import type { DriftRecord } from "../trainer/records.ts";
import { driftFrom } from "./drift.ts";
import { tokenStates } from "./states.ts";

const takes = signatures(
  {
    driftWatch: "base: CausalLM, pairs: any[]",
  },
  () => ({ CausalLM }),
);

const mostPairs = 16; // a few hundred tokens are enough for means, and cost little

/** For train()'s hook `drift`: how far a model's states are from the base's on the first of these pairs. */
export function driftWatch(
  base: CausalLM,
  pairs: readonly Pair[],
): (model: RewardModel) => Promise<DriftRecord["layers"]> {
  accept(takes.driftWatch, arguments);
  const some = pairs.slice(0, mostPairs).flatMap(({ chosen, rejected }) => [chosen, rejected]);
  let fromBase: ReturnType<typeof driftFrom> | null = null;
  return async (model) => {
    fromBase ??= driftFrom(await tokenStates(base, some));
    return fromBase(await tokenStates(model, some)).map((layer) => ({
      name: layer.name,
      cka: layer.cka,
      cosine: layer.cosine,
      norm: layer.norms.model.mean,
      norm_spread: layer.norms.model.spread,
      effective_rank: layer.effectiveRank.model,
    }));
  };
}
