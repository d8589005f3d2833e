// What a process is given to do: a base to pretrain, or a job; and the two ways to be given it. Workers of this machine
// are sent tasks one by one. Everywhere else a process reads tasks as lines and writes results as lines, so that an
// engine that distributes lines (Slurm, GNU parallel) can distribute these.
// Next: local.ts, slurm.ts, parallel.ts.

import { hostname } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { ArgumentError } from "../../core/index.ts";
import { serveJobs } from "../workers.ts";
import { ensureBase, hasBase } from "./bases.ts";
import { doJob } from "./job.ts";
import type { PartLine } from "./results.ts";
import { type BaseWords, baseOf, digestOf, type SweepJob, wordsFrom } from "./words.ts";

/** A base to pretrain into the folder of bases, or a job to do with a base from there. */
export type SweepTask =
  | { readonly base: BaseWords; readonly job?: undefined }
  | { readonly base?: undefined; readonly job: SweepJob };

/** The base that a job begins with, in words. */
export function baseOfJob({ id, words }: SweepJob): BaseWords {
  return baseOf(wordsFrom(`sweep: the job ${id}`, words));
}

/** The bases that jobs need and that aren't there yet, each once, in the order of the jobs. */
export function missingBases(jobs: readonly SweepJob[], bases: string): BaseWords[] {
  const all = new Map(jobs.map(baseOfJob).map((words) => [digestOf(words), words]));
  return [...all.values()].filter((words) => !hasBase(bases, words));
}

/** Steps that a job takes, for telling how much is left: those of pretraining are about as long. */
export function costOf({ base, job }: SweepTask): number {
  if (base !== undefined) return base.baseSteps;
  const words = wordsFrom("sweep", job.words);
  const steps = (words.epochs * words.pairs) / words.batchSize;
  return 1.2 * steps + words.tests / 10 + 10;
}

/** Does a task; of a job, the line for a part. */
export async function doTask(
  { base, job }: SweepTask,
  bases: string,
  onProgress: (done: number) => void = () => {},
): Promise<PartLine | null> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  if (base !== undefined) {
    await ensureBase(bases, base, onProgress);
    return null;
  }
  const result = await doJob(job, bases, onProgress);
  const { user, system } = process.cpuUsage(before);
  const seconds = Math.round(performance.now() - start) / 1000;
  return {
    result,
    time: { host: hostname(), seconds, cpu: Math.round((user + system) / 1e3) / 1e3 },
  };
}

/** In a worker of this machine: does what the parent sends until it hangs up. */
export function serveTasks(): void {
  serveJobs<{ task: SweepTask; bases: string }, number, PartLine | null>(
    ({ task, bases }, onProgress) => doTask(task, bases, onProgress),
  );
}

/** In a process of an engine: does the tasks that come as lines; `onLine` gets each result's line. */
export async function doLines(
  input: Readable,
  bases: string,
  options: {
    readonly skips: (task: SweepTask, line: number) => boolean;
    readonly onLine: (line: string) => void;
  },
): Promise<void> {
  let at = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const task = taskOf(line, ++at);
    if (options.skips(task, at - 1)) continue;
    const done = await doTask(task, bases);
    if (done !== null) options.onLine(JSON.stringify(done));
  }
}

function taskOf(line: string, at: number): SweepTask {
  try {
    const task = JSON.parse(line) as SweepTask;
    if (typeof task === "object" && task !== null && (task.base ?? task.job)) return task;
  } catch {} // said below
  throw new ArgumentError(
    `sweep-lines: line ${at} is no task: ${line.slice(0, 60)}; \`twoheads sweep\` writes them`,
  );
}
