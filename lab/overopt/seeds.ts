// Seeds side by side: workers take one after the other. Next: seed.ts for what they do.

import { JobError, serveJobs, Workers } from "../workers.ts";
import type { OveroptPlan } from "./plan.ts";
import type { SeedResult } from "./results.ts";
import { runSeed } from "./seed.ts";

interface SeedJob {
  readonly seed: number;
  readonly plan: OveroptPlan;
}

interface SeedProgress {
  /** Share of the seed that is done. */
  readonly done: number;
  readonly doing: string;
}

/** In a worker: does the seeds that the parent sends; says now and then how far it is. */
export function serveSeeds(): void {
  serveJobs<SeedJob, SeedProgress, SeedResult>(({ seed, plan }, onReport) => {
    let told = 0;
    return runSeed(seed, plan, (done, doing) => {
      if (performance.now() - told < 300) return;
      told = performance.now();
      onReport({ done, doing });
    });
  });
}

export interface SeedsOptions {
  readonly seeds: readonly number[];
  readonly plan: OveroptPlan;
  /** Processes at once. */
  readonly workers: number;
  readonly signal: AbortSignal;
  /** Share that is done in all, and what one of them is at. */
  readonly onProgress: (done: number, doing: string) => void;
  readonly onResult: (result: SeedResult) => Promise<void> | void;
}

/** Does all seeds; returns early when the signal comes, and throws, the others ended, when one fails. */
export async function runSeeds(options: SeedsOptions): Promise<void> {
  const { seeds, plan, signal, onProgress, onResult } = options;
  const workers = new Workers<SeedJob, SeedProgress, SeedResult>(
    "overopt",
    Math.min(options.workers, seeds.length),
  );
  const shares = new Map<number, number>();
  const work = async (seed: number, i: number): Promise<void> => {
    const tell = ({ done, doing }: SeedProgress): void => {
      shares.set(seed, done);
      const sum = [...shares.values()].reduce((total, share) => total + share, 0);
      onProgress(sum / seeds.length, `seed ${seed}: ${doing}`);
    };
    const result = await workers.run({ seed, plan }, i, tell).catch((cause: Error) => {
      throw new JobError(`seed ${seed}: ${cause.message}`, { cause });
    });
    tell({ done: 1, doing: "done" });
    await onResult(result);
  };
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    await Promise.race([Promise.all(seeds.map(work)), stopped]);
  } finally {
    workers.stop();
  }
}
