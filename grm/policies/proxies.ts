// Reward models to be optimised against, by name: every method of the shared trainer, and ensembles of
// Bradley-Terry models whose members differ in seed: in their head, and in the order of their data.
// Next: ../trainer.ts for the training, bestOfN.ts and policyTrainer.ts for what is done to them.

import { random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import type { CausalLM } from "../../nn/index.ts";
import type { EnsembleRule } from "../ensemble.ts";
import type { Pair } from "../pairs.ts";
import { type HeadOptions, RewardModel } from "../rewardModel.ts";

import type { TrainMethod } from "../trainer/objective.ts";
import { type TrainOptions, train, trainMethods } from "../trainer.ts";
import { type Answer, ensembleJudge, type Judge, proxyJudge } from "./judges.ts";

const takes = signatures({
  Proxies:
    "{ base: function, pairs: any[], training: object, overrides?: object, head?: object, seed: number, members?: number, calibration: any[] }",
  judge: "name: string",
  model: "method: string, seed: number",
});

/** Ensembles by name, and how their members become one number. */
const rules = {
  "ensemble-mean": "mean",
  "ensemble-min": "min",
  "ensemble-lower": "lower",
} as const satisfies Readonly<Record<string, EnsembleRule>>;

type EnsembleName = keyof typeof rules;

/**
 * A reward that stands in for the gold one: a reward model by its method of training, or an ensemble of
 * them.
 */
export type ProxyName = TrainMethod | EnsembleName;

/** The names of all proxies: methods of training, then ensembles. */
export const proxyNames = [
  ...trainMethods,
  ...(Object.keys(rules) as EnsembleName[]),
] as readonly ProxyName[];

/** From what base and pairs the proxies are trained, and how. */
export interface ProxyOptions {
  /** A fresh copy of the model that every proxy starts from. */
  readonly base: () => CausalLM;
  readonly pairs: readonly Pair[];
  /** Of the shared trainer; its method and seed are set here. */
  readonly training: TrainOptions;
  /** Replaces parts of `training` for single methods. */
  readonly overrides?: Readonly<Partial<Record<TrainMethod, TrainOptions>>>;
  readonly head?: HeadOptions;
  readonly seed: number;
  /** Members of an ensemble. Default 3. */
  readonly members?: number;
  /** Answers over which an ensemble's members get the same scale. */
  readonly calibration: readonly Answer[];
}

/** Trains proxies, each once: an ensemble's first member is the plain model. */
export class Proxies {
  readonly #trained = new Map<string, Promise<RewardModel>>();

  constructor(readonly options: ProxyOptions) {
    accept(takes.Proxies, arguments);
  }

  async judge(name: ProxyName): Promise<Judge> {
    accept(takes.judge, arguments);
    const { seed, members = 3, calibration } = this.options;
    if (!isEnsemble(name)) return proxyJudge(name, await this.model(name, seed));
    const models: RewardModel[] = [];
    for (let i = 0; i < members; i++) models.push(await this.model("bt", seed + 1000 * i));
    return ensembleJudge(name, models, { rule: rules[name], calibration });
  }

  /** One reward model; another seed is another head and another order. */
  model(method: TrainMethod, seed: number): Promise<RewardModel> {
    accept(takes.model, arguments);
    const key = `${method} ${seed}`;
    const model = this.#trained.get(key) ?? this.#train(method, seed);
    this.#trained.set(key, model);
    return model;
  }

  async #train(method: TrainMethod, seed: number): Promise<RewardModel> {
    const { base, pairs, training, overrides = {} } = this.options;
    const { head = { type: "linear", dropout: 0 } } = this.options;
    const model = new RewardModel(base(), { head, rng: random(`proxy ${seed}`).fork("head") });
    const settings = { parameterGradEvery: null, ...training, ...overrides[method], method, seed };
    return (await train(model, pairs, settings)).model;
  }
}

function isEnsemble(name: ProxyName): name is EnsembleName {
  return Object.hasOwn(rules, name);
}
