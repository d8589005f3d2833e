// What is trained of a reward model: everything, adapters and the reward head, or the reward head alone;
// and, by name, what stays frozen all the same. Next: ../trainer.ts.

import { ArgumentError, type Random, type Tensor } from "../../core/index.ts";
import { patternOf } from "../../nn/activations.ts";
import { addLoRA, loraStateDict, Projection } from "../../nn/index.ts";
import { nearest } from "../../nn/nearest.ts";
import type { RewardModel } from "../rewardModel.ts";
import type { TrainSettings } from "../trainer.ts";

/** The settings that say what is trained. */
export type ParameterSettings = Pick<
  TrainSettings,
  "mode" | "frozenParameters" | "loraRank" | "loraAlpha" | "loraDropout" | "loraLayers"
>;

/** Says which parameters ask for gradients, adding adapters where they are wanted; returns those that do. */
export function chooseParameters(
  model: RewardModel,
  settings: ParameterSettings,
  rng: Random,
): [name: string, parameter: Tensor][] {
  const { mode, frozenParameters } = settings;
  const hasAdapters = Object.keys(loraStateDict(model)).length > 0;
  if (hasAdapters && mode !== "lora") {
    const why =
      mode === "frozen"
        ? "a frozen backbone doesn't train adapters"
        : "full training would train weights and adapters at once";
    throw new ArgumentError(
      `train: the model has LoRA adapters, and ${why}; mode "lora" trains them, mergeLoRA folds them in`,
    );
  }
  if (mode === "full") model.unfreeze();
  else if (mode === "frozen") model.freeze();
  else if (!hasAdapters) addAdapters(model, settings, rng);
  model.vHead.unfreeze();
  freeze(model, frozenParameters);
  const trained = model.namedParameters().filter(([, p]) => p.requiresGrad);
  if (trained.length > 0) return trained;
  throw new ArgumentError("train: frozenParameters leaves nothing to train; name fewer");
}

function addAdapters(model: RewardModel, settings: ParameterSettings, rng: Random): void {
  const { loraRank: rank, loraAlpha: alpha, loraDropout: dropout, loraLayers } = settings;
  const linear = model
    .namedModules()
    .filter(([name, layer]) => layer instanceof Projection && !/^(lm_head|v_head)\b/.test(name))
    .map(([name]) => name);
  const layers = loraLayers.length > 0 ? loraLayers : linear;
  addLoRA(model, { layers, rank, alpha, dropout, rng });
}

function freeze(model: RewardModel, patterns: readonly string[]): void {
  const named = model.namedParameters();
  for (const pattern of patterns) {
    const found = named.filter(([name]) => patternOf(pattern).test(name));
    for (const [, p] of found) p.requiresGrad_(false);
    if (found.length > 0) continue;
    const near = nearest(
      pattern,
      named.map(([name]) => name),
    ).join(", ");
    throw new ArgumentError(
      `train: frozenParameters: no parameter is called "${pattern}"; near are ${near}`,
    );
  }
}
