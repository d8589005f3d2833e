// The file that the demo's results are kept in. A run that finds its own file goes on with what is missing.
// Next: results.ts for what stands in it.

import { ArgumentError } from "../../core/index.ts";
import { readJsonLines, writeJsonLines } from "../../grm/jsonLines.ts";
import type { DemoPlan } from "./plan.ts";
import {
  type DemoResult,
  type DemoResultFile,
  headSchema,
  inOrder,
  resultSchema,
} from "./results.ts";

/** The file of a demo's results in its folder. */
export const demoFile = "demo.jsonl";

/** Reads results; null if there is no such file, a FileError with the line if it is something else. */
export function readResults(path: string): DemoResultFile | null {
  const found = readJsonLines(path, headSchema, resultSchema);
  return found && { ...found.head, results: found.rows };
}

/** The results of a file that a run with this plan goes on with; an ArgumentError if its plan is another. */
export function resultsOfPlan(path: string, plan: DemoPlan): readonly DemoResult[] {
  const found = readResults(path);
  if (found === null) return [];
  if (JSON.stringify(found.plan) === JSON.stringify(plan)) return found.results;
  throw new ArgumentError(
    `demo: ${path} holds results of another plan (sizes, rates); choose another file, or delete it`,
  );
}

/** Writes results, one to a line; a kill at any moment leaves the old file or the new one. */
export async function writeResults(path: string, { command, plan, results }: DemoResultFile) {
  await writeJsonLines(path, { command, plan }, inOrder(results));
}
