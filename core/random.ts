// Randomness that can be repeated. Every random number comes from a generator that was made from a
// seed; a generator splits by name (rng.fork("dropout")), so that drawing more here never changes what
// is drawn there; its state can be saved in a checkpoint. The uniform numbers are seedrandom's (alea).
// The normal ones take their logarithm from portable.ts, so that a seed gives the same bits in every
// engine. Next: creation.ts (rand, randn).

/// <reference path="./alea.d.ts" />

import alea from "seedrandom/lib/alea.js"; // that generator alone: a page needs no other
import { ArgumentError } from "./errors.ts";
import { log } from "./portable.ts";
import { accept, signatures } from "./signature.ts";

const takes = signatures({
  random: "seed: number | string",
  restore: "state: object",
  fork: "name: number | string",
  categorical: "weights: number[]",
});

/** The numbers that seedrandom's alea goes on from. */
export interface AleaState {
  readonly c: number;
  readonly s0: number;
  readonly s1: number;
  readonly s2: number;
}

/** Everything needed to go on drawing where a generator stopped; plain data for a checkpoint. */
export interface RandomState {
  readonly seed: string;
  readonly alea: AleaState;
}

/**
 * A seeded generator of random numbers: the same seed gives the same bits on every machine. `random(seed)`
 * makes one, `fork(name)` an independent one, and `state()` what a checkpoint needs to go on.
 */
export class Random {
  readonly #draw: ReturnType<typeof alea>;

  private constructor(
    /** The seed, with the names of the forks that led here. */
    readonly seed: string,
    state: AleaState | true,
  ) {
    this.#draw = alea(seed, { state });
  }

  static from(seed: number | string): Random {
    accept(takes.random, arguments);
    return new Random(String(seed), true);
  }

  /** A generator that goes on where `state()` was taken. */
  static restore(state: RandomState): Random {
    accept(takes.restore, arguments);
    return new Random(state.seed, state.alea);
  }

  state(): RandomState {
    return { seed: this.seed, alea: this.#draw.state() };
  }

  /** An independent generator. Depends on the seed and the name alone, not on what was drawn so far. */
  fork(name: string | number): Random {
    accept(takes.fork, arguments);
    return Random.from(`${this.seed}/${name}`);
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return this.#draw.double();
  }

  /** Normal with mean 0 and deviation 1, by Marsaglia's polar method. */
  normal(): number {
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) return u * Math.sqrt((-2 * log(s)) / s);
    }
  }

  /** A whole number in [low, high). */
  integer(low: number, high: number): number {
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || low >= high) {
      throw new ArgumentError(`integer: needs whole numbers low < high, got ${low} and ${high}`);
    }
    return low + Math.floor(this.uniform() * (high - low));
  }

  /** The numbers 0..n-1 in random order (Fisher and Yates). */
  permutation(n: number): Int32Array {
    if (!Number.isSafeInteger(n) || n < 0) {
      throw new ArgumentError(`permutation: needs a whole number >= 0, got ${n}`);
    }
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(0, i + 1);
      [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
    }
    return order;
  }

  /** An index with probability proportional to its weight. */
  categorical(weights: ArrayLike<number>): number {
    accept(takes.categorical, arguments);
    let total = 0;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] ?? 0;
      if (!(weight >= 0 && weight < Infinity)) {
        throw new ArgumentError(
          `categorical: weight ${weight} at ${i} is not a finite number >= 0`,
        );
      }
      total += weight;
    }
    if (!(total > 0))
      throw new ArgumentError("categorical: the weights sum to 0; give one that is > 0");
    let left = this.uniform() * total;
    let last = 0;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] ?? 0;
      if (weight === 0) continue;
      last = i;
      left -= weight;
      if (left < 0) return i;
    }
    return last; // rounding left a crumb: the last index that can be drawn
  }
}

/** A generator for `seed`; the same seed gives the same numbers on every machine. */
export function random(seed: number | string): Random {
  accept(takes.random, arguments);
  return Random.from(seed);
}
