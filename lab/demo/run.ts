// The whole demo as a graph of jobs: a base for each seed, and from each base its reward models. Bases
// come first where they are missing; workers take what is ready, earlier seeds before later ones.
// Next: table.ts for what is concluded.

import { joinPath } from "../../nn/checkpoints/files.ts";
import { makeTemporaryFolder, removeTemporaryFolder } from "../../nn/checkpoints/temporary.ts";
import { Workers } from "../workers.ts";
import { committedBase } from "./bases.ts";
import type { DemoJob, JobProgress } from "./job.ts";
import { keptMethods } from "./kept.ts";
import { type Arm, armsOf, type DemoPlan, rowsOf } from "./plan.ts";
import { type DemoResult, inOrder } from "./results.ts";

export interface RunOptions {
  readonly plan: DemoPlan;
  readonly seeds: readonly number[];
  /** Whether a seed's base is pretrained, and not taken from where it is committed. */
  readonly isMade: (seed: number) => boolean;
  /** Results that are there already. */
  readonly known: readonly DemoResult[];
  readonly workers: number;
  readonly signal: AbortSignal;
  /** A folder in which two models of the first seed are kept, to be looked into afterwards. */
  readonly keep?: string;
  /** Called with the share that is done of all, and what the job that says so is at. */
  readonly onProgress: (done: number, job: DemoJob, report: JobProgress) => void;
  /** Called with all results so far whenever there are more. */
  readonly onResults: (results: readonly DemoResult[]) => Promise<void> | void;
}

/** Runs all that is missing; returns all results, or those so far if the signal came. */
export async function runDemo(options: RunOptions): Promise<readonly DemoResult[]> {
  const { signal, workers: count } = options;
  const folder = makeTemporaryFolder("demo");
  const workers = new Workers<DemoJob, JobProgress, readonly DemoResult[]>("demo", count);
  const run = new DemoRun(options, workers, folder);
  try {
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve());
    });
    await Promise.race([run.all(), stopped]);
    return run.results;
  } finally {
    workers.stop();
    removeTemporaryFolder(folder);
  }
}

/** What a job costs, in steps of pretraining. */
function costOf(job: Pick<DemoJob, "kind">, { baseSteps, pairs, epochs, tests }: DemoPlan): number {
  return job.kind === "base" ? baseSteps : (1.2 * pairs * epochs) / 16 + tests / 10;
}

class DemoRun {
  results: readonly DemoResult[];
  #told: Promise<void> = Promise.resolve();
  readonly #total: number;
  #done = 0;
  readonly #missing: ReadonlyMap<number, readonly Arm[]>;

  constructor(
    readonly options: RunOptions,
    readonly workers: Workers<DemoJob, JobProgress, readonly DemoResult[]>,
    readonly folder: string,
  ) {
    const { plan, seeds, known } = options;
    this.results = inOrder(known.filter(({ seed }) => seeds.includes(seed)));
    const has = (seed: number, arm: Arm): boolean =>
      rowsOf(arm).every((row) =>
        known.some((r) => r.seed === seed && r.row === row && r.lr === arm.lr),
      );
    const missing = seeds.map(
      (seed) => [seed, armsOf(plan).filter((arm) => !has(seed, arm))] as const,
    );
    this.#missing = new Map(missing.filter(([, arms]) => arms.length > 0));
    this.#total = [...this.#missing].reduce((sum, [seed, arms]) => {
      const base = this.#baseAtHand(seed) === undefined ? costOf({ kind: "base" }, plan) : 0;
      return sum + base + arms.length * costOf({ kind: "arm" }, plan);
    }, 0);
  }

  #baseAtHand(seed: number): string | undefined {
    return this.options.isMade(seed) ? undefined : committedBase(seed);
  }

  async all(): Promise<void> {
    await Promise.all([...this.#missing].map(([seed, arms]) => this.#seed(seed, arms)));
  }

  async #seed(seed: number, arms: readonly Arm[]): Promise<void> {
    const { plan, onResults } = this.options;
    const folder = this.#baseAtHand(seed) ?? (await this.#base(seed));
    await Promise.all(
      arms.map(async (arm) => {
        const keep = this.#keep(seed, arm);
        const job = { kind: "arm", seed, folder, arm, plan, ...(keep && { keep }) } as const;
        const found = await this.#do(job, seed);
        this.results = inOrder([...this.results, ...found]);
        this.#told = this.#told.then(() => onResults(this.results)); // one after the other
        await this.#told;
      }),
    );
  }

  /** Where a model is kept, if it is one of the two. */
  #keep(seed: number, { method, lr }: Arm): string | undefined {
    const { keep, seeds, plan } = this.options;
    const isOne = seed === seeds[0] && lr === Math.max(...plan.rates) && keptMethods.has(method);
    return isOne && keep !== undefined ? joinPath(keep, method) : undefined;
  }

  async #base(seed: number): Promise<string> {
    const folder = joinPath(this.folder, String(seed));
    const { plan } = this.options;
    await this.#do({ kind: "base", seed, folder, plan }, seed - 1.5); // an arm's seed waits for it
    return folder;
  }

  /** Has a job done, and keeps count of it. */
  async #do(job: DemoJob, priority: number): Promise<readonly DemoResult[]> {
    const { plan, onProgress } = this.options;
    const cost = costOf(job, plan);
    let counted = 0;
    const hear = (report: JobProgress): void => {
      this.#done += (report.done - counted) * cost;
      counted = report.done;
      onProgress(this.#done / this.#total, job, report);
    };
    const results = await this.workers.run(job, priority, hear);
    hear({ done: 1 });
    return results;
  }
}
