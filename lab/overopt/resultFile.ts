// The file that the comparison's results are kept in. A run that finds its own file goes on with the seeds that
// are missing. Next: results.ts for what stands in it.

import { ArgumentError } from "../../core/index.ts";
import { parseChecked } from "../../nn/checked.ts";
import { fileExists, readFile, replaceFile } from "../../nn/checkpoints/files.ts";
import type { OveroptPlan } from "./plan.ts";
import { fileSchema, type OveroptResultFile, type SeedResult } from "./results.ts";

/** Reads results; null if there is no such file, a FileError if it is something else. */
export function readResults(path: string): OveroptResultFile | null {
  if (!fileExists(path)) return null;
  return parseChecked(path, readFile(path), "", fileSchema);
}

/** The seeds of a file that a run with this plan goes on with; an ArgumentError if its plan is another. */
export function seedsOfPlan(path: string, plan: OveroptPlan): readonly SeedResult[] {
  const found = readResults(path);
  if (found === null) return [];
  if (JSON.stringify(found.plan) === JSON.stringify(plan)) return found.seeds;
  throw new ArgumentError(
    `overopt: ${path} holds results of another plan; choose another --out, or delete it`,
  );
}

/** Writes results, a seed to a line; a kill at any moment leaves the old file or the new one. */
export async function writeResults(path: string, { command, plan, seeds }: OveroptResultFile) {
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
