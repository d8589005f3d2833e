// What came of a seed, and what the file of results holds: the command, the plan, then a line for each seed.
// Next: summary.ts for what is concluded, resultFile.ts for the file.

import * as z from "zod";
import { judgeNames, planSchema } from "./plan.ts";

/** How something was optimised. */
export const methodNames = ["bon", "ppo", "rloo"] as const;
export type MethodName = (typeof methodNames)[number];

const curveSchema = z.strictObject({
  method: z.enum(methodNames),
  judge: z.enum(judgeNames),
  /** n of best-of-n, or rounds of training. */
  at: z.array(z.number()),
  /** In nats: ln n - (n-1)/n, or the estimate k1. */
  kl: z.array(z.number()),
  /** What was optimised, in deviations of the base's answers from their mean. */
  proxy: z.array(z.number()),
  gold: z.array(z.number()),
  /** Mean tokens, and mean log probability of a token under the base. */
  length: z.array(z.number()),
  fluency: z.array(z.number()),
});

const seedSchema = z.strictObject({
  seed: z.int(),
  /** Of the preference labels: how many are right after the draw, and after the flips; ties drawn again. */
  rightBefore: z.number(),
  right: z.number(),
  ties: z.int(),
  /** The base's perplexity on held-out documents. */
  perplexity: z.number(),
  /** The most gold at the KL of each n of best-of-n, over all ways to choose from the pool. */
  optimum: z.array(z.number()),
  /** Rank correlation of each judge's rewards with the gold, within a prompt, on the pool. */
  correlation: z.record(z.string(), z.number()),
  curves: z.array(curveSchema),
});

export type CurveResult = Readonly<z.infer<typeof curveSchema>>;
export type SeedResult = Readonly<z.infer<typeof seedSchema>>;

export const fileSchema = z.strictObject({
  /** The command that made it. */
  command: z.string(),
  plan: planSchema,
  seeds: z.array(seedSchema),
});

export type OveroptResultFile = Readonly<z.infer<typeof fileSchema>>;
