// Slurm as a runner: writes the script of a job array, submits it, watches it until it has ended, and says by state what
// died; what is missing then goes into the next array. Tasks add results to parts of the sweep's folder, which nodes and
// this machine share. Whoever is killed while watching finds the array again by the state that stands in the folder.
// Next: task.ts for what a task of the array does.

import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { parseChecked } from "../../nn/checked.ts";
import {
  fileExists,
  joinPath,
  readFile,
  removeFile,
  replaceFile,
} from "../../nn/checkpoints/files.ts";
import { mergeResults, partsIn } from "./results.ts";
import {
  linesOf,
  programWords,
  type RunnerOptions,
  type SweepRunner,
  shellText,
} from "./runner.ts";
import { missingBases, type SweepTask } from "./task.ts";

/** How arrays are submitted. */
export interface SlurmOptions {
  /** Options for sbatch: partition, account, time. */
  readonly sbatch: readonly string[];
  /** The words that run twoheads on a node; those of this program unless said. */
  readonly command?: string | undefined;
  /** Seconds between two looks at the queue. Default 2. */
  readonly every?: number;
}

/** Tasks of an array at most: Slurm's own limit is 1001 unless a site sets it. */
const mostTasks = 1000;

/** The script of an array of n tasks, each of which does every n-th line of a file of tasks. */
export function arrayScript(
  { folder, bases, tasks, n }: { folder: string; bases: string; tasks: string; n: number },
  { command, sbatch }: SlurmOptions,
): string {
  const program = command ?? shellText(programWords());
  const words = shellText([bases, "--tasks", tasks, "--folder", folder]);
  return [
    "#!/bin/sh",
    "#SBATCH --job-name=twoheads-sweep",
    `#SBATCH --array=0-${n - 1}`,
    "#SBATCH --ntasks=1",
    "#SBATCH --cpus-per-task=1",
    "#SBATCH --requeue",
    "#SBATCH --open-mode=append",
    `#SBATCH --output=${joinPath(folder, "slurm-%A.log")}`,
    ...sbatch.map((option) => `#SBATCH ${option}`),
    "export TWOHEADS_THREADS=1",
    `exec ${program} sweep-lines ${words} --share "$SLURM_ARRAY_TASK_ID/${n}"`,
    "",
  ].join("\n");
}

const stateSchema = z.strictObject({ array: z.string() });

/** A runner that submits arrays and watches them. */
export function slurmRunner(slurm: SlurmOptions): SweepRunner {
  return async (given) => {
    const options = { ...given, folder: resolve(given.folder), bases: resolve(given.bases) };
    const begun = await begunArray(options);
    if (begun !== null) {
      await watch(begun, options, slurm);
      return; // what it left undone goes into the next
    }
    const bases: readonly SweepTask[] = missingBases(options.jobs, options.bases).map((base) => ({
      base,
    }));
    if (bases.length > 0) await watch(await submit(bases, options, slurm), options, slurm);
    if (options.signal.aborted) return;
    await watch(
      await submit(
        options.jobs.map((job) => ({ job })),
        options,
        slurm,
      ),
      options,
      slurm,
    );
  };
}

const stateFile = (folder: string): string => joinPath(folder, "slurm.json");

/** The array that an earlier call submitted, if Slurm still has it. */
async function begunArray({ folder }: RunnerOptions): Promise<string | null> {
  const path = stateFile(folder);
  if (!fileExists(path)) return null;
  const { array } = parseChecked(path, readFile(path), "", stateSchema);
  return (await statesOf(array)).some(isAlive) ? array : null;
}

async function submit(
  tasks: readonly SweepTask[],
  { folder, bases, workers }: RunnerOptions,
  slurm: SlurmOptions,
): Promise<string> {
  const n = Math.min(tasks.length, workers, mostTasks);
  const file = joinPath(folder, "slurm-tasks.jsonl");
  const script = joinPath(folder, "slurm.sh");
  await replaceFile(file, linesOf(tasks));
  await replaceFile(script, arrayScript({ folder, bases, tasks: file, n }, slurm));
  const said = await ask("sbatch", ["--parsable", script]);
  const array = said.trim().split(";")[0] ?? "";
  await replaceFile(stateFile(folder), `${JSON.stringify({ array })}\n`);
  return array;
}

/** Waits until no task of an array is left in the queue, and tells what became of those that didn't complete. */
async function watch(
  array: string,
  options: RunnerOptions,
  { every = 2 }: SlurmOptions,
): Promise<void> {
  const { signal, onProgress, onTrouble, folder, jobs } = options;
  let last: readonly TaskState[] = [];
  while (!signal.aborted) {
    const states = await patientStates(array, onTrouble);
    if (states.length > 0) last = states;
    if (!states.some(isAlive)) break;
    const done = jobs.length - mergeResults(jobs, partsIn(folder)).missing.length;
    onProgress(done / jobs.length, `array ${array}: ${summaryOf(states)}`);
    await new Promise((wake) => setTimeout(wake, 1000 * every));
  }
  if (signal.aborted) {
    onTrouble(`array ${array} goes on without this program; \`scancel ${array}\` ends it`, 0);
    return;
  }
  removeFile(stateFile(folder));
  for (const { task, state } of last)
    if (state !== "COMPLETED") onTrouble(`task ${array}_${task} of Slurm: ${state}`, 1);
}

/** A task of an array: its number, or several that wait, and its state as Slurm calls it. */
interface TaskState {
  readonly task: string;
  readonly state: string;
}

const alive =
  /^(PENDING|RUNNING|SUSPENDED|COMPLETING|CONFIGURING|REQUEUED|REQUEUE_HOLD|REQUEUE_FED|RESIZING|STOPPED|SIGNALING|STAGE_OUT)/;

function isAlive({ state }: TaskState): boolean {
  return alive.test(state);
}

function summaryOf(states: readonly TaskState[]): string {
  const counts = new Map<string, number>();
  for (const { state } of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state.toLowerCase()}`).join(", ");
}

/** What Slurm says of an array's tasks; none once it has forgotten it. */
async function statesOf(array: string): Promise<TaskState[]> {
  try {
    const said = await ask("squeue", [
      "--noheader",
      "--array",
      "--states=all",
      `--jobs=${array}`,
      "--format=%K|%T",
    ]);
    return said
      .split("\n")
      .filter((line) => line.includes("|"))
      .map((line) => {
        const [task = "", state = ""] = line.trim().split("|");
        return { task, state };
      });
  } catch (error) {
    if (/Invalid job id/.test((error as Error).message)) return [];
    throw error;
  }
}

/** Looks that may fail in a row, a second apart, while a controller is being restarted. */
const patience = 120;

async function patientStates(
  array: string,
  onTrouble: RunnerOptions["onTrouble"],
): Promise<TaskState[]> {
  for (let tried = 1; ; tried++) {
    try {
      return await statesOf(array);
    } catch (error) {
      if (tried === patience) throw error;
      if (tried === 1) onTrouble(`Slurm doesn't answer: ${(error as Error).message}`, 0);
      await new Promise((wake) => setTimeout(wake, 1000));
    }
  }
}

/** What a program of Slurm's says; an ArgumentError with its complaint. */
async function ask(program: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args);
    return stdout;
  } catch (cause) {
    const { code, stderr } = cause as { code?: unknown; stderr?: string };
    const why =
      code === "ENOENT" ? "it isn't there; is this a machine of a cluster?" : stderr?.trim();
    throw new ArgumentError(`sweep: ${program}: ${why}`, { cause });
  }
}
