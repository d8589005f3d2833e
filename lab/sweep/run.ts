// A sweep from its plan to its results: what is there already, a runner for what is missing, the merged file. Stopped or
// killed anywhere it goes on with what is missing, whatever runner did the rest.
// Next: plan.ts, results.ts, runner.ts.

import { appendLine, joinPath, makeFolder, replaceFile } from "../../nn/checkpoints/files.ts";
import type { SweepPlan } from "./plan.ts";
import { type Merged, mergeResults, partsIn, writeMerged } from "./results.ts";
import type { RunnerOptions, SweepRunner } from "./runner.ts";
import type { SweepJob } from "./words.ts";

/** A sweep that is to be run, or to be gone on with. */
export interface SweepOptions
  extends Pick<RunnerOptions, "workers" | "signal" | "onProgress" | "onTrouble"> {
  readonly plan: SweepPlan;
  readonly jobs: readonly SweepJob[];
  readonly folder: string;
  readonly runner: SweepRunner;
}

/** The merged results of a sweep's folder. */
export function resultsFile(folder: string): string {
  return joinPath(folder, "results.jsonl");
}

/** All that a folder holds of some jobs, and what other files do. */
export function mergeFolder(
  folder: string,
  jobs: readonly SweepJob[],
  others: readonly string[] = [],
): Merged {
  const parts = partsIn(folder);
  const files = parts.length > 0 ? parts : [resultsFile(folder)]; // which was made of them
  return mergeResults(jobs, [...files, ...others]);
}

/** Writes results.jsonl, and times.jsonl beside it with where each job was done and what it took. */
export async function keepMerged(folder: string, plan: SweepPlan, merged: Merged): Promise<void> {
  await writeMerged(resultsFile(folder), plan, merged);
  const times = merged.outcomes.flatMap(({ job }) => {
    const time = merged.times.get(job);
    return time === undefined ? [] : [`${JSON.stringify({ job, ...time })}\n`];
  });
  await replaceFile(joinPath(folder, "times.jsonl"), times.join(""));
}

/** Rounds without a single result after which a runner isn't asked again. */
const mostEmptyRounds = 2;

/** Has missing jobs done until there are none, the signal comes, or nothing gets done any more. */
export async function runSweep(options: SweepOptions): Promise<Merged> {
  const { plan, jobs, folder, runner, signal, ...rest } = options;
  const [bases, parts] = [joinPath(folder, "bases"), joinPath(folder, "parts")];
  makeFolder(parts);
  const part = joinPath(parts, `here-${Date.now().toString(36)}-${process.pid}.jsonl`);
  const onLine = (line: string): void => appendLine(part, line);
  let merged = mergeFolder(folder, jobs);
  for (let empty = 0; merged.missing.length > 0 && !signal.aborted && empty < mostEmptyRounds; ) {
    const before = merged.missing.length;
    await runner({ ...rest, signal, jobs: merged.missing, folder, bases, onLine });
    merged = mergeFolder(folder, jobs);
    empty = merged.missing.length === before ? empty + 1 : 0;
  }
  await keepMerged(folder, plan, merged);
  return merged;
}
