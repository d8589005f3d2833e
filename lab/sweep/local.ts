// The runner of this machine: long-lived worker processes with one thread each, so that starting up is paid once. A job
// waits for its base; earlier seeds go before later ones. A worker that is killed loses its job, which another does.
// Next: task.ts for what a worker does.

import { WorkerLost, Workers } from "../workers.ts";
import type { PartLine } from "./results.ts";
import type { RunnerOptions, SweepRunner } from "./runner.ts";
import { baseOfJob, costOf, missingBases, type SweepTask } from "./task.ts";
import { digestOf, type SweepJob } from "./words.ts";

type Sent = { readonly task: SweepTask; readonly bases: string };

/** Times that a job is begun before it is given up, where workers end at it. */
const mostTries = 3;

/** A job with the digest of the base that it waits for. */
interface WaitingJob {
  readonly job: SweepJob;
  readonly base: string;
}

class LocalRun {
  readonly #pool: Workers<Sent, number, PartLine | null>;
  readonly #costs = new Map<SweepTask, number>();
  readonly #shares = new Map<SweepTask, number>();
  readonly #bases = new Map<string, Promise<unknown>>();
  readonly #waiting: readonly WaitingJob[];
  readonly #total: number;
  #done = 0;

  constructor(readonly options: RunnerOptions) {
    const { jobs, bases, workers } = options;
    const made = missingBases(jobs, bases).map((base) => ({ base }));
    this.#total = [...made, ...jobs.map((job) => ({ job }))].reduce((sum, t) => sum + costOf(t), 0);
    this.#waiting = jobs.map((job) => ({ job, base: digestOf(baseOfJob(job)) }));
    this.#pool = new Workers("sweep", Math.max(1, Math.min(workers, jobs.length)));
    for (const task of made) {
      const digest = digestOf(task.base);
      const first = this.#waiting.findIndex(({ base }) => base === digest);
      this.#bases.set(digest, this.#do(task, first - 0.5));
    }
  }

  async all(): Promise<void> {
    const { signal } = this.options;
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    try {
      await Promise.race([Promise.all(this.#waiting.map((one, i) => this.#job(one, i))), stopped]);
    } finally {
      this.#pool.stop();
    }
  }

  async #job({ job, base }: WaitingJob, i: number): Promise<void> {
    await this.#bases.get(base);
    const line = await this.#do({ job }, i);
    if (line !== null) this.options.onLine(JSON.stringify(line));
  }

  /** Has a task done; null for a base, and for what was lost. */
  async #do(task: SweepTask, priority: number): Promise<PartLine | null> {
    for (let tried = 1; ; tried++) {
      try {
        const hear = (share: number): void => this.#tell(task, share);
        const line = await this.#pool.run({ task, bases: this.options.bases }, priority, hear);
        this.#tell(task, 1);
        return line;
      } catch (error) {
        this.options.onTrouble((error as Error).message, 1);
        if (!(error instanceof WorkerLost) || tried === mostTries) return null;
      }
    }
  }

  #tell(task: SweepTask, share: number): void {
    const cost = this.#costs.get(task) ?? costOf(task);
    this.#costs.set(task, cost);
    this.#done += (share - (this.#shares.get(task) ?? 0)) * cost;
    this.#shares.set(task, share);
    this.options.onProgress(this.#done / this.#total, doing(task));
  }
}

function doing({ base, job }: SweepTask): string {
  if (base !== undefined) return `base of seed ${base.seed}`;
  const { seed, method, lr } = job.words;
  return `seed ${seed}, ${method} at ${lr}`;
}

export const runLocal: SweepRunner = async (options) => new LocalRun(options).all();
