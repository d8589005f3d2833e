// What came of a reward model, and what the file of results holds, in JSON Lines: how they were made, then a
// line for each, in an order that doesn't depend on who was done first.
// Next: table.ts for what is made of it, resultFile.ts for the file.

import * as z from "zod";
import { trainMethods } from "../../grm/trainer.ts";
import { planSchema, rowsAtRate } from "./plan.ts";

const share = z.number().min(0).max(1);

export const resultSchema = z.strictObject({
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

export type DemoResult = Readonly<z.infer<typeof resultSchema>>;

export const headSchema = z.strictObject({
  /** The command that made the results. */
  command: z.string(),
  plan: planSchema,
});

export type DemoResultFile = Readonly<z.infer<typeof headSchema>> & {
  readonly results: readonly DemoResult[];
};

/** Accuracy on the four tests that training says nothing about, averaged. */
export function oodOf({
  accuracy: { domain, word, form, all },
}: Pick<DemoResult, "accuracy">): number {
  return (domain + word + form + all) / 4;
}

/** By seed, rate and row. */
export function inOrder(results: readonly DemoResult[]): DemoResult[] {
  const rank = ({ row }: DemoResult): number => (rowsAtRate as readonly string[]).indexOf(row);
  return results.toSorted((a, b) => a.seed - b.seed || a.lr - b.lr || rank(a) - rank(b));
}
