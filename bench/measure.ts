// How every benchmark here measures: validate first, warm up, then the median and spread of seven
// timings or more (three, where one takes a second).
// Read next: kernels/ and ladder.ts, which use it.

import { middle, quantile } from "../grm/statistics/index.ts";

export interface Timing {
  /** Seconds: the median, and the middle half of the timings. */
  median: number;
  low: number;
  high: number;
}

/** Times `body`, repeated inside one timing until that takes a millisecond. */
export function time(body: () => void, forMilliseconds = 150): Timing {
  let repeats = 1;
  const once = () => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) body();
    return (performance.now() - start) / repeats / 1e3;
  };
  // let the engine finish compiling
  for (const end = performance.now() + 40; performance.now() < end; ) once();
  while (once() * repeats < 1e-3) repeats *= 2;
  const timings: number[] = [];
  const end = performance.now() + forMilliseconds;
  const atLeast = () => ((timings[0] ?? 0) > 1 ? 3 : 7);
  while (timings.length < atLeast() || performance.now() < end) timings.push(once());
  return summary(timings);
}

/** The median and the middle half. */
export function summary(seconds: readonly number[]): Timing {
  const sorted = [...seconds].sort((a, b) => a - b);
  const [low, high] = middle(sorted, 0.5);
  return { median: quantile(sorted, 0.5), low, high };
}

/** `[2, 3]` spread around the median, as a percentage. */
export function spread(t: Timing): string {
  return `±${(((t.high - t.low) / 2 / t.median) * 100).toFixed(0)} %`;
}

/** Stops with a sentence unless |got - want| <= tolerance (1 + |want|) everywhere. */
export function validate(
  name: string,
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
): void {
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i] as number, want[i] as number];
    if (!(Math.abs(g - w) <= tolerance * (1 + Math.abs(w)))) {
      throw new Error(`${name}: [${i}] is ${g}, wanted ${w}; nothing is timed before it is right`);
    }
  }
}

/** Uniform in [-1, 1), the same every run. */
export function numbers(n: number, seed = 1): Float32Array {
  let state = (seed * 2654435761) >>> 0;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}
