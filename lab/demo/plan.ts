// What the demo does, as data: which reward models are trained from each base, at which rates, on how
// much. A seed stands for everything that chance decides: a base of its own, its preference data, its
// tests, its reward head. All arms of a seed share these, so that arms are compared in pairs.
// Next: job.ts for how one is trained, run.ts for how all are.

import * as z from "zod";
import type { TrainMethod } from "../../grm/trainer/objective.ts";

/** One reward model to train from a seed's base. */
export interface Arm {
  readonly method: TrainMethod;
  readonly lr: number;
}

/** What a row of the table is called: a method, or plain Bradley-Terry stopped where validation was best. */
export type RowName = TrainMethod | "bt-early";

const count = z.int().min(1);

export const planSchema = z.strictObject({
  baseSteps: count.describe("steps of pretraining"),
  pairs: count.describe("pairs to train on, with noisy labels"),
  validation: count.describe("pairs to stop early by, with noisy labels"),
  tests: count.describe("pairs of each test, with true labels"),
  epochs: count,
  frozenEpochs: count.describe("epochs of the reward head alone"),
  validateEvery: count.describe("steps between two looks at the validation pairs"),
  rates: z.array(z.number().positive()).min(1),
  frozenRate: z.number().positive(),
  alpha: z
    .number()
    .describe(
      "weight of the text-generation loss; the paper's 0.01 is for models a million times larger",
    ),
  beta: z.number().describe("inside its sigmoid"),
  heldOut: count.describe("documents on which perplexity is measured"),
});

/** How large everything is. */
export type DemoPlan = Readonly<z.infer<typeof planSchema>>;

export const fullPlan: DemoPlan = {
  baseSteps: 2000,
  pairs: 500,
  validation: 100,
  tests: 300,
  epochs: 4,
  frozenEpochs: 10,
  validateEvery: 16,
  rates: [7e-4, 2e-3, 5e-3],
  frozenRate: 3e-2,
  alpha: 0.5,
  beta: 0.1,
  heldOut: 300,
};

/** Everything runs, nothing is learnt: for a look at the machinery, and for tests. */
export const quickPlan: DemoPlan = {
  ...fullPlan,
  baseSteps: 30,
  pairs: 32,
  validation: 8,
  tests: 12,
  epochs: 1,
  frozenEpochs: 2,
  validateEvery: 1,
  heldOut: 16,
};

/** The methods that are trained at every rate, in the order of the table. */
export const trained = ["bt", "grm-sft", "grm-dpo", "grm-dpo-noref"] as const;

/** All arms of a seed. */
export function armsOf({ rates, frozenRate }: DemoPlan): Arm[] {
  const hot = rates.flatMap((lr) => trained.map((method) => ({ method, lr })));
  return [{ method: "frozen", lr: frozenRate }, ...hot];
}

/** The rows that an arm gives. */
export function rowsOf({ method }: Arm): RowName[] {
  return method === "bt" ? ["bt", "bt-early"] : [method];
}

/** The rows at each rate, in the order of the table. */
export const rowsAtRate = ["bt", "bt-early", "grm-sft", "grm-dpo", "grm-dpo-noref"] as const;

export const rowTitles: Readonly<Partial<Record<RowName, string>>> = {
  frozen: "frozen backbone",
  bt: "BT",
  "bt-early": "BT, stopped early",
  "grm-sft": "GRM-SFT",
  "grm-dpo": "GRM-DPO",
  "grm-dpo-noref": "GRM-DPO without ref.",
};

/** A rate as people write it: 7e-4. */
export function rateText(lr: number): string {
  return lr.toExponential().replace("e+0", "");
}
