// The side of a race that runs: a process that makes ready for a work, shows its result, and times
// it when told to. Ours is twoheads.ts; the others are in peers/, a file each.
// Read next: race.ts, the side that tells.

import type { Work } from "./works.ts";

/** A work made ready: inputs are where the library wants them. */
export interface Ready {
  /** What is held against the others: the values, or the losses of the first steps. */
  result(): Promise<ArrayLike<number>> | ArrayLike<number>;
  /** Does the work once, until its result is there. */
  run(): Promise<unknown> | unknown;
  /** What a reader of the table should know of this work; asked after `result`. */
  note?(): string | undefined;
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
  | { readonly sample: { readonly milliseconds: number } };

export type Reply =
  | { readonly hello: Pick<Contestant, "name" | "version" | "about"> }
  | { readonly result: Float64Array; readonly note?: string }
  | { readonly cannot: string }
  | TimingSample;

export interface TimingSample {
  /** Seconds of each run. */
  readonly seconds: readonly number[];
  /** How often a second the process had to leave its core to another one. */
  readonly preemptions: number;
  readonly peakBytes: number;
}

/** Runs the contestant in this process: answers one order after another until the parent leaves. */
export function serve(contestant: Contestant): void {
  const { name, version, about } = contestant;
  let ready: Ready | null = null;
  let repeats = 0;
  const answer = async (order: Order): Promise<Reply> => {
    if ("prepare" in order) {
      const prepared = await contestant.prepare(order.prepare);
      if (typeof prepared === "string") return { cannot: prepared };
      [ready, repeats] = [prepared, 0];
      const result = Float64Array.from(await ready.result());
      const note = ready.note?.();
      return note === undefined ? { result } : { result, note };
    }
    if (ready === null) return { cannot: "nothing is prepared" };
    if (repeats === 0) repeats = await repeatsFor(ready);
    return sample(ready, order.sample.milliseconds, repeats);
  };
  process.on("message", (order: Order) => {
    answer(order)
      .catch((error: Error): Reply => ({ cannot: error.message.split("\n")[0] ?? "failed" }))
      .then((reply) => process.send?.(reply));
  });
  process.on("disconnect", () => process.exit());
  process.send?.({ hello: { name, version, about } } satisfies Reply);
}

async function secondsOf({ run }: Ready, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) {
    const running = run();
    if (running instanceof Promise) await running;
  }
  return (performance.now() - start) / 1e3;
}

/** How many runs take a millisecond, so that the clock's grain doesn't matter. */
async function repeatsFor(ready: Ready): Promise<number> {
  let repeats = 1;
  while ((await secondsOf(ready, repeats)) < 1e-3) repeats *= 2;
  return repeats;
}

/** Timings for so many milliseconds, one at least. */
async function sample(ready: Ready, milliseconds: number, repeats: number): Promise<TimingSample> {
  const seconds: number[] = [];
  const { involuntaryContextSwitches: before } = process.resourceUsage();
  const start = performance.now();
  do seconds.push((await secondsOf(ready, repeats)) / repeats);
  while (performance.now() < start + milliseconds);
  const wall = (performance.now() - start) / 1e3;
  const { involuntaryContextSwitches: after, maxRSS } = process.resourceUsage();
  return { seconds, preemptions: (after - before) / wall, peakBytes: maxRSS * 1024 };
}
