// What came of a reward model, and the file that results are kept in, in JSON Lines: how they were made,
// then a line for each, in an order that doesn't depend on who was done first. A run that finds its own
// file goes on with what is missing.
// Next: table.ts for what is made of it.

import { z } from "zod";
import { ArgumentError } from "../../core/index.ts";
import { fileExists, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { replaceFile } from "../../nn/index.ts";
import { problemsOf } from "../../nn/pretrain/settings.ts";
import { trainMethods } from "../trainer.ts";
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
export function oodOf({ accuracy: { domain, word, form, all } }: Result): number {
  return (domain + word + form + all) / 4;
}

/** By seed, rate and row. */
export function inOrder(results: readonly Result[]): Result[] {
  const rank = ({ row }: Result): number => (rowsAtRate as readonly string[]).indexOf(row);
  return results.toSorted((a, b) => a.seed - b.seed || a.lr - b.lr || rank(a) - rank(b));
}

/** Reads results; null if there is no such file, a FileError with the line if it is something else. */
export function readResults(path: string): ResultFile | null {
  if (!fileExists(path)) return null;
  const text = new TextDecoder().decode(readFile(path)).trimEnd();
  const [head = "", ...lines] = text.split("\n");
  const read = <T>(schema: z.ZodType<T>, line: string, i: number): T => {
    const json = parseJson(path, new TextEncoder().encode(line), `line ${i + 1}`);
    const parsed = schema.safeParse(json.value);
    return parsed.success ? parsed.data : json.fail(problemsOf(parsed.error));
  };
  const results = lines.map((line, i) => read(resultSchema, line, i + 1));
  return { ...read(headSchema, head, 0), results };
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
  const lines = [{ command, plan }, ...inOrder(results)].map((line) => `${JSON.stringify(line)}\n`);
  await replaceFile(path, [new TextEncoder().encode(lines.join(""))]);
}
