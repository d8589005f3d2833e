// The comparison's plan, as data: which reward models, optimised how, and how large everything is. A seed
// stands for everything that chance decides: a base of its own, preferences, a pool, heads, policies. All
// reward models of a seed share these, so that they are compared in pairs.
// Next: seed.ts for one seed's work.

import * as z from "zod";
import type { PolicyOptions } from "../../grm/policies/policySettings.ts";
import { type ProxyName, proxyNames } from "../../grm/policies/proxies.ts";
import type { TrainOptions } from "../../grm/trainer.ts";

const count = z.int().min(1);

/** Who is optimised: a proxy, or the gold reward itself, which shows that the optimiser works. */
export const judgeNames = ["gold", ...proxyNames] as const satisfies readonly (
  | "gold"
  | ProxyName
)[];
export type JudgeName = (typeof judgeNames)[number];

const judges = z.array(z.enum(judgeNames)).min(1);

export const planSchema = z.strictObject({
  world: z.enum(["tales", "spelled"]).describe("the demo world"),
  baseSteps: count.describe("steps of pretraining"),
  pairs: count.describe("preference pairs that a proxy learns from"),
  flips: z.number().min(0).max(1).describe("share of their labels that is turned around"),
  epochs: count.describe("of a proxy's training"),
  lr: z.number().positive().describe("of a proxy's training"),
  alpha: z.number().min(0).max(1).describe("weight of the text-generation loss"),
  beta: z.number().positive().describe("inside its sigmoid"),
  prompts: count.describe("of the pool that best-of-n chooses from"),
  samples: count.describe("answers to each of them, the largest n"),
  judges: judges.describe("who chooses, in best-of-n"),
  policies: z.array(z.strictObject({ algorithm: z.enum(["ppo", "rloo"]), judges })),
  policySteps: count.describe("rounds of a policy's training"),
  batchSize: count.describe("answers of a round"),
  policyLr: z.strictObject({ ppo: z.number().positive(), rloo: z.number().positive() }),
});

export type OveroptPlan = Readonly<z.infer<typeof planSchema>>;

export const fullPlan: OveroptPlan = {
  world: "tales",
  baseSteps: 1200,
  pairs: 200,
  flips: 0.25,
  epochs: 4,
  lr: 1e-2,
  alpha: 0.5,
  beta: 0.1,
  prompts: 20,
  samples: 405,
  judges: [
    "gold",
    "frozen",
    "bt",
    "label-smoothing",
    "margin",
    "ensemble-mean",
    "ensemble-min",
    "grm-sft",
    "grm-dpo",
    "grm-dpo-noref",
  ],
  policies: [
    { algorithm: "ppo", judges: ["gold", "frozen", "bt", "ensemble-mean", "grm-sft", "grm-dpo"] },
    { algorithm: "rloo", judges: ["gold", "bt", "grm-sft"] },
  ],
  policySteps: 40,
  batchSize: 128,
  policyLr: { ppo: 5e-4, rloo: 1e-3 },
};

/** One look at everything: fewer reward models, a base that has read less, policies that go less far. */
export const quickPlan: OveroptPlan = {
  ...fullPlan,
  baseSteps: 600,
  samples: 101,
  judges: ["gold", "bt", "grm-sft"],
  policies: [{ algorithm: "ppo", judges: ["gold", "bt", "grm-sft"] }],
  policySteps: 16,
};

/** How a plan's proxies are trained: embeddings frozen, as the words of set B never occur. */
export function proxyTraining(plan: OveroptPlan): {
  readonly training: TrainOptions;
  readonly overrides: { readonly frozen: TrainOptions };
} {
  const { epochs, lr, alpha, beta } = plan;
  const common = { batchSize: 16, warmup: 0.03, beta2: 0.98, clip: 1 } as const;
  const frozenParameters = ["model.embed_tokens.weight"];
  return {
    training: { ...common, epochs, lr, alpha, beta, frozenParameters },
    // a head alone needs a higher rate and more epochs, and has no embeddings to freeze
    overrides: { frozen: { ...common, lr: 3 * lr, epochs: 2.5 * epochs, frozenParameters: [] } },
  };
}

/** A policy's settings. RLOO makes one update of a round, on answers that are compared in fours. */
export function policyOptions(
  plan: OveroptPlan,
  algorithm: "ppo" | "rloo",
  seed: number,
): PolicyOptions {
  const { policySteps: steps, batchSize, policyLr } = plan;
  const common = { algorithm, seed, steps, batchSize, lr: policyLr[algorithm] };
  if (algorithm === "rloo") return { ...common, samples: 4 };
  return { ...common, epochs: 2, miniBatchSize: Math.ceil(batchSize / 2) };
}
