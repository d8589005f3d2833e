// What a runner is: something that has jobs done, wherever, and hands back a line for each. It may lose some; whoever
// called it asks again for what is missing.
// Next: local.ts for processes of this machine, slurm.ts and parallel.ts for engines that distribute.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ArgumentError } from "../../core/index.ts";
import type { SweepTask } from "./task.ts";
import type { SweepJob } from "./words.ts";

/** What a runner is given. */
export interface RunnerOptions {
  readonly jobs: readonly SweepJob[];
  /** The sweep's folder: bases, parts, and what a runner keeps. */
  readonly folder: string;
  /** Where bases are shared. */
  readonly bases: string;
  /** Processes at once; of Slurm, tasks of an array. */
  readonly workers: number;
  readonly signal: AbortSignal;
  /** Keeps a line of a part. */
  readonly onLine: (line: string) => void;
  /** Hears the share of the work that is done, and what is being done. */
  readonly onProgress: (done: number, doing: string) => void;
  /** Hears what went wrong and will be tried again, or won't. */
  readonly onTrouble: (reason: string, jobs: number) => void;
}

/** Has jobs done; those that it lost are missing afterwards. */
export type SweepRunner = (options: RunnerOptions) => Promise<void>;

/** Tasks as lines. */
export function linesOf(tasks: readonly SweepTask[]): string {
  return tasks.map((task) => `${JSON.stringify(task)}\n`).join("");
}

/** The words of a shell that run this program here. */
export function programWords(): string[] {
  const found = ["../../cli/bin.js", "../../../cli/bin.js"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find(existsSync);
  if (found === undefined) throw new ArgumentError("sweep: the program cli/bin.js isn't there");
  return [process.execPath, found];
}

/** Words as a shell reads them. */
export function shellText(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
