// What came of a sweep's jobs, and how the results of many processes and machines become one file. Whoever does jobs
// adds a line for each to a file of its own, a part: no two write to the same file, and a kill loses at most the line
// that was being written. Merged, results stand in the order of the plan, without times and hosts, so that the same plan
// gives the same bytes wherever it ran.
// Next: plan.ts for what is wanted, run.ts for who writes parts.

import { readdirSync } from "node:fs";
import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { fileExists, joinPath, nameOf, readFile, replaceFile } from "../../nn/checkpoints/files.ts";
import type { SweepJob } from "./words.ts";

const share = z.number().min(0).max(1);
const words = z.record(z.string(), z.unknown());

const resultSchema = z.strictObject({
  job: z.string(),
  words,
  /** The step whose weights were tested. */
  step: z.int(),
  /** Of the noisy pairs in distribution that a practitioner has. */
  validation: z.strictObject({ accuracy: share, loss: z.number() }),
  /** Share of test pairs ranked right: "id" is like training, the others aren't. */
  accuracy: z.record(z.string(), share),
  /** Of the language model: of the base, and after reward training. Null: beyond all numbers, or not measured. */
  perplexityBefore: z.number().nullable(),
  perplexity: z.number().nullable(),
});

/** What came of a job. */
export type JobResult = Readonly<z.infer<typeof resultSchema>>;

const failureSchema = z.strictObject({ job: z.string(), words, failed: z.string() });

/** A job whose numbers stopped being numbers, which is a result, too: it would be the same anywhere. */
export type JobFailure = Readonly<z.infer<typeof failureSchema>>;

/** What came of a job, either way. */
export type JobOutcome = JobResult | JobFailure;

const outcomeSchema = z.union([resultSchema, failureSchema]);

const timeSchema = z.strictObject({
  host: z.string(),
  seconds: z.number(),
  /** Processor time of the process while it did the job, its base's pretraining included. */
  cpu: z.number(),
});

/** Where a job was done, and what it took. */
export type JobTime = Readonly<z.infer<typeof timeSchema>>;

const partSchema = z.strictObject({ result: outcomeSchema, time: timeSchema });

/** A line of a part. */
export type PartLine = Readonly<z.infer<typeof partSchema>>;

/** Whether a job's numbers stopped being numbers. */
export function isFailure(outcome: JobOutcome): outcome is JobFailure {
  return "failed" in outcome;
}

// --- Reading -----------------------------------------------------------------------------------------

/** What a file of results or parts holds. */
interface ReadLines {
  readonly lines: readonly { readonly result: JobOutcome; readonly time: JobTime | null }[];
  /** Lines that are no result: cut short by a kill, or damaged. */
  readonly torn: number;
}

/** Reads a part, or a merged file; a missing file is empty. */
export function readResultLines(path: string): ReadLines {
  if (!fileExists(path)) return { lines: [], torn: 0 };
  const all = new TextDecoder().decode(readFile(path)).split("\n");
  const parsed = all.filter((line) => line !== "").map(lineOf);
  const lines = parsed.flatMap((line) => (line === null || line === "head" ? [] : [line]));
  return { lines, torn: parsed.filter((line) => line === null).length };
}

function lineOf(text: string): ReadLines["lines"][number] | "head" | null {
  const json = jsonOf(text);
  if (json === null) return null;
  if (headSchema.safeParse(json).success) return "head";
  const part = partSchema.safeParse(json);
  if (part.success) return part.data;
  const outcome = outcomeSchema.safeParse(json);
  return outcome.success ? { result: outcome.data, time: null } : null;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The parts of a sweep's folder, by name. */
export function partsIn(folder: string): string[] {
  const parts = joinPath(folder, "parts");
  if (!fileExists(parts)) return [];
  return readdirSync(parts)
    .filter((name) => name.endsWith(".jsonl"))
    .sort()
    .map((name) => joinPath(parts, name));
}

// --- Merging -----------------------------------------------------------------------------------------

/** What a merge found. */
export interface Merged {
  /** In the order of the plan. */
  readonly outcomes: readonly JobOutcome[];
  readonly times: ReadonlyMap<string, JobTime>;
  readonly missing: readonly SweepJob[];
  /** Results that were there already, with the same bytes. */
  readonly duplicates: number;
  /** Jobs with two results that differ: nothing here is random, so that one of them is wrong. */
  readonly conflicts: readonly string[];
  /** Results of jobs that aren't in the plan. */
  readonly foreign: number;
  readonly torn: number;
}

/** Puts together what files hold of some jobs. */
export function mergeResults(jobs: readonly SweepJob[], files: readonly string[]): Merged {
  const wanted = new Set(jobs.map(({ id }) => id));
  const known = new Map<string, JobOutcome>();
  const times = new Map<string, JobTime>();
  const conflicts = new Set<string>();
  let [duplicates, foreign, torn] = [0, 0, 0];
  for (const file of files) {
    const read = readResultLines(file);
    torn += read.torn;
    for (const { result, time } of read.lines) {
      const before = known.get(result.job);
      if (!wanted.has(result.job)) foreign++;
      else if (before === undefined) known.set(result.job, result);
      else if (JSON.stringify(before) === JSON.stringify(result)) duplicates++;
      else conflicts.add(result.job);
      if (time !== null && !times.has(result.job)) times.set(result.job, time);
    }
  }
  const outcomes = jobs.flatMap(({ id }) => known.get(id) ?? []);
  const missing = jobs.filter(({ id }) => !known.has(id));
  return { outcomes, times, missing, duplicates, conflicts: [...conflicts], foreign, torn };
}

/** In sentences: how many results there are, and what was left out, by reason. */
export function mergeText(merged: Merged): string {
  const { outcomes, missing, duplicates, conflicts, foreign, torn } = merged;
  const reasons = new Map<string, number>();
  for (const outcome of outcomes) {
    if (!isFailure(outcome)) continue;
    const reason = outcome.failed.replaceAll(/ (at|after) step \d+.*/g, "");
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const some = (count: number, what: string): string[] => (count > 0 ? [`  ${count} ${what}`] : []);
  return [
    `${outcomes.length} of ${outcomes.length + missing.length} jobs have a result`,
    ...[...reasons].map(([reason, count]) => `  ${count} of them failed: ${reason}`),
    ...some(missing.length, "jobs are missing"),
    ...some(duplicates, "results were there twice, with the same bytes"),
    ...some(foreign, "results are of jobs that the plan doesn't have"),
    ...some(torn, "lines were cut short or damaged, and left out"),
    ...some(conflicts.length, `jobs have results that differ: ${conflicts.slice(0, 3).join(", ")}`),
  ].join("\n");
}

// --- The merged file ---------------------------------------------------------------------------------

const headSchema = z.strictObject({ plan: z.record(z.string(), z.unknown()) });

/** Writes results behind a line with the plan; returns the path. */
export async function writeMerged(path: string, plan: object, merged: Merged): Promise<void> {
  const { conflicts, outcomes } = merged;
  if (conflicts.length > 0) {
    throw new ArgumentError(
      `sweep: ${conflicts.length} jobs have results that differ, ${conflicts[0]} among them; nothing was written. ` +
        "Same words give the same bits: were the files made by different versions?",
    );
  }
  await replaceFile(path, [{ plan }, ...outcomes].map((x) => `${JSON.stringify(x)}\n`).join(""));
}

/** The plan and the results of a merged file. */
export function readMerged(path: string): { plan: unknown; outcomes: readonly JobOutcome[] } {
  const [first = ""] = new TextDecoder().decode(readFile(path)).split("\n", 1);
  const head = headSchema.safeParse(jsonOf(first));
  if (!head.success) {
    throw new ArgumentError(
      `${nameOf(path)} is no file of results of a sweep: its first line has no plan; \`twoheads sweep\` writes results.jsonl`,
    );
  }
  const { lines, torn } = readResultLines(path);
  if (torn > 0) throw new ArgumentError(`${nameOf(path)}: ${torn} lines are damaged`);
  return { plan: head.data.plan, outcomes: lines.map(({ result }) => result) };
}
