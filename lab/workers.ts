// Workers: processes of this same program, each with one thread, that do a command's jobs and send back
// what came of them. Processes and not threads, because a device's memory and the tape are a process's own.
// Next: demo/run.ts and overopt/seeds.ts, which give them work.

import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { TwoheadsError } from "../core/index.ts";

/** The hidden command that makes a process a worker of a command. */
export const workerOf = (command: string): string => `${command}-worker`;

type WorkerReply<Report, Result> =
  | { readonly report: Report }
  | { readonly result: Result }
  | { readonly failed: string };

/** A job that a worker could not do. */
export class JobError extends TwoheadsError {
  override readonly name: string = "JobError";
}

/** A job whose worker ended while it was at it: the job may do well elsewhere. */
export class WorkerLost extends JobError {
  override readonly name = "WorkerLost";
}

// --- In a worker -------------------------------------------------------------------------------------

/** Does the jobs that the parent sends, one after the other, until it hangs up. */
export function serveJobs<Job, Report, Result>(
  runJob: (job: Job, onReport: (report: Report) => void) => Promise<Result>,
): void {
  const send = (answer: WorkerReply<Report, Result>): void => {
    process.send?.(answer);
  };
  process.on("message", async (job: Job) => {
    try {
      send({ result: await runJob(job, (report) => send({ report })) });
    } catch (error) {
      const { message, stack } = error as Error;
      send({ failed: error instanceof TwoheadsError ? message : (stack ?? message) });
    }
  });
  process.on("disconnect", () => process.exit());
  process.on("SIGTERM", () => process.exit()); // so that what is temporary goes
  process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the parent says what it means
}

// --- In the parent -----------------------------------------------------------------------------------

interface Waiting<Job, Report, Result> {
  readonly job: Job;
  /** Lower ones first. */
  readonly priority: number;
  readonly onReport: (report: Report) => void;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

/** A number of workers and the jobs that wait for them. */
export class Workers<Job extends object, Report, Result> {
  readonly #children = new Set<ChildProcess>();
  readonly #free: ChildProcess[] = [];
  /** Those that did a job. */
  readonly #answered = new WeakSet<ChildProcess>();
  readonly #busy = new Map<ChildProcess, Waiting<Job, Report, Result>>();
  #waiting: Waiting<Job, Report, Result>[] = [];

  /** So many of them, for a command of the program; its name stands before what goes wrong. */
  constructor(
    readonly command: string,
    count: number,
  ) {
    for (let i = 0; i < count; i++) this.#start();
  }

  #start(): void {
    const child = fork(programPath(), [workerOf(this.command)], {
      execArgv: [],
      env: { ...process.env, TWOHEADS_THREADS: "1" },
    });
    child.on("message", (answer: WorkerReply<Report, Result>) => this.#hear(child, answer));
    child.on("error", () => {}); // it can't be reached any more, and its exit says why
    child.on("exit", (code, signal) => this.#lose(child, signal ?? code));
    this.#children.add(child);
    this.#free.push(child);
  }

  /** Has a job done as soon as a worker is free. */
  run(job: Job, priority: number, onReport: (report: Report) => void): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, priority, onReport, resolve, reject });
      this.#waiting.sort((a, b) => a.priority - b.priority);
      this.#handOut();
    });
  }

  #handOut(): void {
    while (this.#free.length > 0) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const child = this.#free.pop() as ChildProcess;
      this.#busy.set(child, next);
      child.send(next.job);
    }
  }

  #hear(child: ChildProcess, answer: WorkerReply<Report, Result>): void {
    const at = this.#busy.get(child);
    if (at === undefined) return;
    if ("report" in answer) {
      at.onReport(answer.report);
      return;
    }
    this.#busy.delete(child);
    this.#answered.add(child);
    this.#free.push(child);
    if ("result" in answer) at.resolve(answer.result);
    else at.reject(new JobError(`${this.command}: ${answer.failed}`));
    this.#handOut();
  }

  /**
   * A worker that ends loses its job, and another takes its place. One that ends before anything was asked of it would
   * end again.
   */
  #lose(child: ChildProcess, why: string | number | null): void {
    if (!this.#children.delete(child)) return; // it was told to stop
    const error = new WorkerLost(`${this.command}: a worker ended (${why})`);
    const at = this.#busy.get(child);
    if (this.#free.includes(child)) this.#free.splice(this.#free.indexOf(child), 1);
    if (at === undefined && !this.#answered.has(child)) {
      for (const { reject } of [...this.#busy.values(), ...this.#waiting]) reject(error);
      this.#forget();
      return;
    }
    this.#busy.delete(child);
    at?.reject(error);
    this.#start();
    this.#handOut();
  }

  #forget(): void {
    this.#waiting = [];
    this.#busy.clear();
    this.#free.length = 0;
  }

  /** Ends the workers, whatever they are at. */
  stop(): void {
    this.#forget();
    const children = [...this.#children];
    this.#children.clear();
    for (const child of children) child.kill();
  }
}

/** The twoheads program, seen from the sources or from a package's dist/. */
function programPath(): string {
  const found = ["../cli/bin.js", "../../cli/bin.js"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find(existsSync);
  if (found === undefined) throw new JobError("the program cli/bin.js isn't there");
  return found;
}
