// Learning rates as plain functions of the step: optimiser.lr = rate(step). All of them rise linearly
// over `warmup` steps first. Portable functions only: a seed must lead to the same rates everywhere.
// Next: optim.ts.

import { ArgumentError, portable } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";

const takes = signatures({
  constantSchedule: "{ lr: number, warmup?: number }",
  cosineSchedule: "{ lr: number, steps: number, warmup?: number, minLr?: number }",
  linearSchedule: "{ lr: number, steps: number, warmup?: number, minLr?: number }",
});

/** The learning rate of step 0, 1, 2, ... */
export type Schedule = (step: number) => number;

/** A rate, and how many steps it takes to get there. */
export interface ConstantOptions {
  /** The highest rate. */
  readonly lr: number;
  /** Steps on the way up: step i has (i + 1) / warmup of the rate. Default 0. */
  readonly warmup?: number;
}

/** A rate, the way up to it, and where it ends after how many steps. */
export interface DecayOptions extends ConstantOptions {
  /** Steps in all, with those of the warm-up; afterwards the rate stays at minLr. */
  readonly steps: number;
  /** The rate at the end. Default 0. */
  readonly minLr?: number;
}

/** Always the same, after the warm-up. */
export function constantSchedule(options: ConstantOptions): Schedule {
  accept(takes.constantSchedule, arguments);
  const { lr, warmup = 0 } = options;
  return (step) => lr * Math.min(1, (step + 1) / Math.max(1, warmup));
}

/** Down from lr to minLr along `shape`, which goes from 1 to 0 as its argument goes from 0 to 1. */
function decay(options: DecayOptions, shape: (done: number) => number): Schedule {
  const { lr, warmup = 0, steps, minLr = 0 } = options;
  if (!(steps > warmup)) {
    throw new ArgumentError(
      `schedule: ${steps} steps leave nothing after a warm-up of ${warmup}; make steps larger`,
    );
  }
  const rise = constantSchedule({ lr, warmup });
  return (step) => {
    if (step < warmup) return rise(step);
    const done = Math.min(1, (step - warmup) / (steps - warmup));
    return minLr + (lr - minLr) * shape(done);
  };
}

/** Half a cosine from lr down to minLr (1608.03983, without restarts). */
export function cosineSchedule(options: DecayOptions): Schedule {
  accept(takes.cosineSchedule, arguments);
  return decay(options, (done) => (1 + portable.cos(Math.PI * done)) / 2);
}

/** A straight line from lr down to minLr. */
export function linearSchedule(options: DecayOptions): Schedule {
  accept(takes.linearSchedule, arguments);
  return decay(options, (done) => 1 - done);
}
