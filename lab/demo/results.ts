// What came of a reward model, and the file that results are kept in, in JSON Lines: how they were made,
// then a line for each, in an order that doesn't depend on who was done first. A run that finds its own
// file goes on with what is missing.
// Next: table.ts for what is made of it.

import { z } from "zod";
import { ArgumentError } from "../../core/index.ts";
import { readJsonLines, writeJsonLines } from "../../grm/jsonLines.ts";
import { trainMethods } from "../../grm/trainer.ts";
import { type Plan, planSchema, rowsAtRate } from "./plan.ts";

const share = z.number().min(0).max(1);

const resultSchema = z.strictObject({
  seed: z.int(),
  row: z.enum([...trainMethods, "bt-early"]),
  lr: z.number(),
  /** The step whose weights were tested. */
  step: z.int(),
  /** Share of test pairs ranked right. */
  accuracy: z.strictObject({ id: share, domain: share, word: share, form: share, all: share }),
  /** Of the language model on held-out stories: of the base, and after reward training. */
  perplexityBefore: z.number(),
  perplexity: z.number(),
});

export type Result = Readonly<z.infer<typeof resultSchema>>;

const headSchema = z.strictObject({
  /** The command that made the results. */
  command: z.string(),
  plan: planSchema,
});

export type ResultFile = Readonly<z.infer<typeof headSchema>> & {
  readonly results: readonly Result[];
};

/** The file of a demo's results in its folder. */
export const demoFile = "demo.jsonl";

/** Accuracy on the four tests that training says nothing about, averaged. */
export function oodOf({ accuracy: { domain, word, form, all } }: Pick<Result, "accuracy">): number {
  return (domain + word + form + all) / 4;
}

/** By seed, rate and row. */
export function inOrder(results: readonly Result[]): Result[] {
  const rank = ({ row }: Result): number => (rowsAtRate as readonly string[]).indexOf(row);
  return results.toSorted((a, b) => a.seed - b.seed || a.lr - b.lr || rank(a) - rank(b));
}

/** Reads results; null if there is no such file, a FileError with the line if it is something else. */
export function readResults(path: string): ResultFile | null {
  const found = readJsonLines(path, headSchema, resultSchema);
  return found && { ...found.head, results: found.rows };
}

/** The results of a file that a run with this plan goes on with; an ArgumentError if its plan is another. */
export function resultsOfPlan(path: string, plan: Plan): readonly Result[] {
  const found = readResults(path);
  if (found === null) return [];
  if (JSON.stringify(found.plan) === JSON.stringify(plan)) return found.results;
  throw new ArgumentError(
    `demo: ${path} holds results of another plan (sizes, rates); choose another file, or delete it`,
  );
}

/** Writes results, one to a line; a kill at any moment leaves the old file or the new one. */
export async function writeResults(path: string, { command, plan, results }: ResultFile) {
  await writeJsonLines(path, { command, plan }, inOrder(results));
}
