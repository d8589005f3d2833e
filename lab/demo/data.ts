// What a reward model of the demo is trained and tested on, and how: pairs of a seed, settings of an arm,
// accuracies. Knows no files, so that a page may train the demo's models too (../../explorer/).
// Next: job.ts, which does one arm.

import { random } from "../../core/index.ts";
import type { Pair } from "../../grm/pairs.ts";
import type { RewardModel } from "../../grm/rewardModel.ts";
import { checkRewards, scorePairs } from "../../grm/scores.ts";
import { mean, winsOf } from "../../grm/statistics/index.ts";
import type { TrainOptions } from "../../grm/trainer.ts";
import {
  asPair,
  comparisons,
  documents,
  type LabelOptions,
  type PreferenceWorld,
  type SplitName,
  spelled,
} from "../worlds/index.ts";
import type { Arm, DemoPlan } from "./plan.ts";

/** What one seed's reward models learn from, stop by and are tested on. */
export interface Data<Split extends string = SplitName> {
  readonly training: readonly Pair[];
  readonly validation: readonly Pair[];
  readonly tests: Readonly<Record<"id" | Split, readonly Pair[]>>;
  readonly held: readonly Int32Array[];
}

/** How much of each. */
export type DataSizes = Pick<DemoPlan, "pairs" | "validation" | "tests" | "heldOut">;

/** A seed's data: the same for all its arms. */
export function dataOf(seed: number, plan: DataSizes): Data;
export function dataOf<Split extends string>(
  seed: number,
  plan: DataSizes,
  world: PreferenceWorld<Split>,
): Data<Split>;
export function dataOf(seed: number, plan: DataSizes, world: PreferenceWorld = spelled) {
  const rng = random(`demo ${seed}`);
  const draw = (name: string, split: string, count: number, labels: LabelOptions["labels"]) =>
    comparisons(world, split, count, { labels }, rng.fork(name)).map((c) =>
      asPair(world, c, split),
    );
  const tests = world.splits.map((name) => [name, draw(`test ${name}`, name, plan.tests, "true")]);
  return {
    training: draw("training", "id", plan.pairs, "noisy"),
    validation: draw("validation", "id", plan.validation, "noisy"),
    tests: Object.fromEntries(tests) as Data<string>["tests"],
    held: documents(world, plan.heldOut, random("held out")),
  };
}

/** The demo's reward training: everything but the embeddings, whose rows preference data hardly shows. */
export function settingsOf(seed: number, { method, lr }: Arm, plan: DemoPlan): TrainOptions {
  const isFrozen = method === "frozen";
  return {
    method,
    seed,
    lr,
    epochs: isFrozen ? plan.frozenEpochs : plan.epochs,
    batchSize: 16,
    warmup: 0.03,
    beta2: 0.98,
    clip: 1,
    alpha: plan.alpha,
    beta: plan.beta,
    frozenParameters: isFrozen ? [] : ["model.embed_tokens.weight"],
    best: method === "bt" ? "loss" : "none",
    evaluateEvery: plan.validateEvery,
    parameterGradEvery: null,
  };
}

/** Share of the pairs of each test whose better story gets the higher reward; a tie counts half. */
export async function accuracies<Name extends string>(
  model: RewardModel,
  tests: Readonly<Record<Name, readonly Pair[]>>,
): Promise<Record<Name, number>> {
  const pairs = Object.values<readonly Pair[]>(tests).flat();
  const scores = await scorePairs(model, pairs);
  checkRewards("demo", pairs, scores);
  const { chosen, rejected } = scores;
  const wins = winsOf(chosen.rewards, rejected.rewards);
  const names = Object.keys(tests) as Name[];
  const shares = names.map((name) => {
    const own = wins.filter((_, i) => pairs[i]?.source === name);
    return [name, mean(own)];
  });
  return Object.fromEntries(shares) as Record<Name, number>;
}
