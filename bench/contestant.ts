// The side of a race that runs: a process that makes ready for a work, shows its result, and times
// it when told to. Ours is twoheads.ts; the others are in peers/, a file each.
// Read next: race.ts, the side that tells.

import type { Timing } from "./measure.ts";
import type { Work } from "./works.ts";

/** A work made ready: inputs are where the library wants them. */
export interface Ready {
  /** What is held against the others: the values, or the losses of the first steps. */
  result(): Promise<ArrayLike<number>> | ArrayLike<number>;
  /** Does the work once, until its result is there. */
  run(): Promise<unknown> | unknown;
  /** Something about this work that a reader of the table should know. */
  readonly note?: string;
}

export interface Contestant {
  readonly name: string;
  readonly version: string;
  /** What it runs on, and why that is one thread. */
  readonly about: string;
  /** Makes ready for a work, or says in a sentence why it can't. */
  prepare(work: Work): Promise<Ready | string> | Ready | string;
}

export type Order =
  | { readonly prepare: Work }
  | { readonly sample: { readonly milliseconds: number; readonly atLeast: number } };

export type Answer =
  | { readonly hello: Pick<Contestant, "name" | "version" | "about"> }
  | { readonly result: number[]; readonly note?: string }
  | { readonly cannot: string }
  | { readonly seconds: number[]; readonly peakBytes: number };

/** Runs the contestant in this process: answers one order after another until the parent leaves. */
export function serve(contestant: Contestant): void {
  const { name, version, about } = contestant;
  let ready: Ready | null = null;
  const answer = async (order: Order): Promise<Answer> => {
    if ("prepare" in order) {
      const prepared = await contestant.prepare(order.prepare);
      if (typeof prepared === "string") return { cannot: prepared };
      ready = prepared;
      const result = Array.from(await ready.result());
      return ready.note === undefined ? { result } : { result, note: ready.note };
    }
    if (ready === null) return { cannot: "nothing is prepared" };
    const seconds = await sample(ready, order.sample.milliseconds, order.sample.atLeast);
    return { seconds, peakBytes: process.resourceUsage().maxRSS * 1024 };
  };
  process.on("message", (order: Order) => {
    answer(order)
      .catch((error: Error): Answer => ({ cannot: error.message.split("\n")[0] ?? "failed" }))
      .then((reply) => process.send?.(reply));
  });
  process.on("disconnect", () => process.exit());
  process.send?.({ hello: { name, version, about } } satisfies Answer);
}

/** Timings of a work in seconds a run, each of a millisecond at least, for so many milliseconds. */
async function sample(ready: Ready, milliseconds: number, atLeast: number): Promise<number[]> {
  const once = async (repeats: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) {
      const running = ready.run();
      if (running instanceof Promise) await running;
    }
    return (performance.now() - start) / 1e3;
  };
  let repeats = 1;
  while ((await once(repeats)) < 1e-3) repeats *= 2;
  const seconds: number[] = [];
  const end = performance.now() + milliseconds;
  while (seconds.length < atLeast || performance.now() < end) {
    seconds.push((await once(repeats)) / repeats);
  }
  return seconds;
}

/** The median and the middle half. */
export function summary(seconds: readonly number[]): Timing {
  const sorted = [...seconds].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.floor(q * (sorted.length - 1))] as number;
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}
