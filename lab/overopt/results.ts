// What came of a seed, and the file that results are kept in: the command, the plan, then a line for each
// seed. A run that finds its own file goes on with the seeds that are missing.
// Next: summary.ts for what is concluded.

import { z } from "zod";
import { ArgumentError } from "../../core/index.ts";
import { parseChecked } from "../../nn/checked.ts";
import { fileExists, readFile } from "../../nn/checkpoints/files.ts";
import { replaceFile } from "../../nn/index.ts";
import { judgeNames, type Plan, planSchema } from "./plan.ts";

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

const fileSchema = z.strictObject({
  /** The command that made it. */
  command: z.string(),
  plan: planSchema,
  seeds: z.array(seedSchema),
});

export type ResultFile = Readonly<z.infer<typeof fileSchema>>;

/** Reads results; null if there is no such file, a FileError if it is something else. */
export function readResults(path: string): ResultFile | null {
  if (!fileExists(path)) return null;
  return parseChecked(path, readFile(path), "", fileSchema);
}

/** The seeds of a file that a run with this plan goes on with; an ArgumentError if its plan is another. */
export function seedsOfPlan(path: string, plan: Plan): readonly SeedResult[] {
  const found = readResults(path);
  if (found === null) return [];
  if (JSON.stringify(found.plan) === JSON.stringify(plan)) return found.seeds;
  throw new ArgumentError(
    `overopt: ${path} holds results of another plan; choose another --out, or delete it`,
  );
}

/** Writes results, a seed to a line; a kill at any moment leaves the old file or the new one. */
export async function writeResults(path: string, { command, plan, seeds }: ResultFile) {
  const lines = seeds
    .toSorted((a, b) => a.seed - b.seed)
    .map((seed) => `  ${JSON.stringify(seed, rounded)}`);
  const text = [
    `{"command": ${JSON.stringify(command)},`,
    ` "plan": ${JSON.stringify(plan)},`,
    ` "seeds": [`,
    lines.join(",\n"),
    " ]}\n",
  ].join("\n");
  await replaceFile(path, text);
}

/** Six digits are more than any figure here is sure of. */
function rounded(_name: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}
