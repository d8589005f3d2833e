// Seeds side by side: one process of this same program for each, with one thread, at most so many at
// once. Processes and not threads, because a device's memory and the tape are a process's own.
// Next: seed.ts for what they do.

import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { TwoheadsError } from "../../../core/index.ts";
import type { Plan } from "./plan.ts";
import type { SeedResult } from "./results.ts";
import { runSeed } from "./seed.ts";

/** The hidden command that makes a process do a seed. */
export const seedCommand = "overopt-seed";

/** A seed that a process could not do. */
export class SeedError extends TwoheadsError {}

type Answer =
  | { readonly done: number; readonly doing: string }
  | { readonly result: SeedResult }
  | { readonly failed: string };

/** In the process: does the seed that the parent sends. */
export function serveSeed(): void {
  const send = (answer: Answer): void => {
    process.send?.(answer);
  };
  process.on("disconnect", () => process.exit());
  process.on("message", async ({ seed, plan }: { seed: number; plan: Plan }) => {
    let told = 0;
    const onProgress = (done: number, doing: string): void => {
      if (performance.now() - told < 300) return;
      told = performance.now();
      send({ done, doing });
    };
    try {
      send({ result: await runSeed(seed, plan, onProgress) });
    } catch (error) {
      send({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}

export interface SeedsOptions {
  readonly seeds: readonly number[];
  readonly plan: Plan;
  /** Processes at once. */
  readonly workers: number;
  readonly signal: AbortSignal;
  /** Share that is done in all, and what one of them is at. */
  readonly onProgress: (done: number, doing: string) => void;
  readonly onResult: (result: SeedResult) => Promise<void> | void;
}

/** Does all seeds; returns early when the signal comes, and throws, the others ended, when one fails. */
export async function runSeeds(options: SeedsOptions): Promise<void> {
  const { seeds, workers, onProgress, onResult } = options;
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const shares = new Map<number, number>();
  const waiting = [...seeds];
  const worker = async (): Promise<void> => {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      const own = seed;
      const tell = (done: number, doing: string): void => {
        shares.set(own, done);
        const sum = [...shares.values()].reduce((total, share) => total + share, 0);
        onProgress(sum / seeds.length, `seed ${own}: ${doing}`);
      };
      const result = await inProcess(own, { ...options, signal }, tell);
      if (result === null) return;
      tell(1, "done");
      await onResult(result);
    }
  };
  const all = Array.from({ length: Math.min(workers, seeds.length) }, worker);
  await Promise.all(all).catch((error: unknown) => {
    failure.abort();
    throw error;
  });
}

/** One seed in a process of its own; null if the signal ended it. */
function inProcess(
  seed: number,
  { plan, signal }: SeedsOptions,
  onProgress: (done: number, doing: string) => void,
): Promise<SeedResult | null> {
  if (signal.aborted) return Promise.resolve(null);
  const child: ChildProcess = fork(programPath(), [seedCommand], {
    execArgv: [],
    env: { ...process.env, TWOHEADS_THREADS: "1" },
  });
  return new Promise<SeedResult | null>((resolve, reject) => {
    const stop = (): void => resolve(null);
    signal.addEventListener("abort", stop, { once: true });
    child.on("message", (answer: Answer) => {
      if ("done" in answer) onProgress(answer.done, answer.doing);
      else if ("result" in answer) resolve(answer.result);
      else reject(new SeedError(`overopt: seed ${seed}: ${answer.failed}`));
    });
    child.on("exit", (code, killed) =>
      reject(new SeedError(`overopt: the process of seed ${seed} ended (${killed ?? code})`)),
    );
    child.send({ seed, plan });
  }).finally(() => child.kill());
}

/** The twoheads program, seen from the sources or from a package's dist/. */
function programPath(): string {
  const found = ["../../bin.js", "../../../../grm/bin.js"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find(existsSync);
  if (found === undefined) throw new SeedError("overopt: the program grm/bin.js isn't there");
  return found;
}
