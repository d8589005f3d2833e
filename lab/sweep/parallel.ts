// GNU parallel as a runner, over the cores of this machine or of others that it reaches by ssh. It gets tasks as lines
// and has each process do a few; results come back on standard output line by line, so that hosts share no disk. Bases
// that a host doesn't have are pretrained there, once.
// Next: task.ts for what a process does.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { ArgumentError } from "../../core/index.ts";
import {
  linesOf,
  programWords,
  type RunnerOptions,
  type SweepRunner,
  shellText,
} from "./runner.ts";
import { missingBases, type SweepTask } from "./task.ts";

/** Where GNU parallel has jobs done: this machine, unless hosts are said. */
export interface ParallelOptions {
  /** As its --sshlogin takes them: `4/user@host`; `:` is this machine. */
  readonly hosts: readonly string[];
  /** The words that run twoheads on a host; those of this program unless said. */
  readonly command?: string | undefined;
}

/** The most jobs of one process: starting takes as long as a fifth of a usual one. */
const jobsOfProcess = 20;

/** Processes that come one after another on a core, at least: the last of them leave other cores waiting. */
const turns = 10;

/** A runner that hands jobs to GNU parallel. */
export function parallelRunner({ hosts, command }: ParallelOptions): SweepRunner {
  return async (options) => {
    const { jobs, bases, signal } = options;
    const made: readonly SweepTask[] = missingBases(jobs, bases).map((base) => ({ base }));
    if (hosts.length === 0 && made.length > 0) await pipe(made, 1, { options, hosts, command });
    if (signal.aborted) return;
    const cores = Math.max(1, options.workers) * Math.max(1, hosts.length);
    const size = Math.min(jobsOfProcess, Math.ceil(jobs.length / (turns * cores)));
    await pipe(
      jobs.map((job) => ({ job })),
      size,
      { options, hosts, command },
    );
  };
}

/** The arguments of GNU parallel. */
export function parallelWords(
  { bases, workers }: Pick<RunnerOptions, "bases" | "workers">,
  { hosts, command }: ParallelOptions,
  size: number,
): string[] {
  const program = command ?? shellText(programWords());
  return [
    ...["--pipe", "-N", String(size), "--line-buffer", "--will-cite"],
    ...["--jobs", String(workers)],
    ...(hosts.length > 0 ? ["--sshlogin", hosts.join(","), "--workdir", "."] : []),
    `TWOHEADS_THREADS=1 ${program} sweep-lines ${shellText([bases])}`,
  ];
}

/** What one call of GNU parallel needs. */
interface Piped extends ParallelOptions {
  readonly options: RunnerOptions;
}

async function pipe(tasks: readonly SweepTask[], size: number, piped: Piped): Promise<void> {
  const { signal, onLine, onProgress, onTrouble } = piped.options;
  const child = spawn("parallel", parallelWords(piped.options, piped, size), {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", (cause) => reject(new ArgumentError(notThere, { cause })));
    child.on("close", resolve);
  });
  const stop = (): boolean => child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  child.stdin.on("error", () => {}); // it ended before it had read everything: its status says why
  child.stdin.end(linesOf(tasks));
  let said = "";
  child.stderr.on("data", (text: Buffer) => {
    said = `${said}${text}`.slice(-2000);
  });
  let done = 0;
  createInterface({ input: child.stdout }).on("line", (line) => {
    onLine(line);
    onProgress(++done / tasks.length, `${done} of ${tasks.length} by GNU parallel`);
  });
  const status = await ended;
  signal.removeEventListener("abort", stop);
  if (status === 0 || signal.aborted) return;
  const lines = said.trim().split("\n").slice(-2).join(" ");
  onTrouble(`GNU parallel: ${status} processes failed: ${lines}`, tasks.length - done);
}

const notThere =
  "sweep: there is no program `parallel`; install GNU parallel, or use --runner local";
