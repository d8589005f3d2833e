// Randomness that can be repeated. Every random number comes from a generator that was made from a
// seed; a generator splits by name (rng.fork("dropout")), so that drawing more here never changes what
// is drawn there; its state can be saved in a checkpoint. The uniform numbers are seedrandom's (alea),
// begun where hashes of the seed and all names say: from neighbouring seeds alea itself begins along a line.
// The normal ones take their logarithm from portable.ts, so that a seed gives the same bits in every engine.
// Next: creation.ts (rand, randn).

/// <reference path="./alea.d.ts" />

import alea from "seedrandom/lib/alea.js"; // that generator alone: a page needs no other
import { ArgumentError } from "./errors.ts";
import { log } from "./portable.ts";
import { accept, signatures } from "./signature.ts";

const takes = signatures({
  normal: "",
  integer: "low: number, high: number",
  permutation: "n: number",
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

/** How seeds become streams; states that were saved under another number are refused. */
const version = 2;

/** Everything needed to go on drawing where a generator stopped; plain data for a checkpoint. */
export interface RandomState {
  readonly version: number;
  /** The seed and the names of the forks, see Random.seed. */
  readonly seed: string;
  readonly alea: AleaState;
}

/** A part of a path of names, so that no name looks like two. */
function escaped(name: string | number): string {
  return String(name).replaceAll(/[\\/]/g, "\\$&");
}

/** MurmurHash3 of a text's UTF-16 units (Appleby, 32 bits, one unit a block). */
function hash(text: string, salt: number): number {
  let h = salt;
  for (let i = 0; i < text.length; i++) {
    const k = Math.imul(text.charCodeAt(i), 0xcc9e2d51);
    h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  h ^= text.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Where alea begins for a path: three hashes of it as its three fractions of 32 bits. */
function beginning(path: string): AleaState {
  const [s0 = 0, s1 = 0, s2 = 0] = [1, 2, 3].map((salt) => hash(path, salt) / 2 ** 32);
  return { c: 1, s0, s1, s2 };
}

/**
 * A seeded generator of random numbers: the same seed gives the same bits on every machine. `random(seed)`
 * makes one, `fork(name)` an independent one, and `state()` what a checkpoint needs to go on.
 */
export class Random {
  readonly #draw: ReturnType<typeof alea>;
  /** Which generator draws in another's place: that one, but where a checkpoint() draws again what was drawn. */
  static standIn: (rng: Random) => Random = (rng) => rng;

  private constructor(
    /** The seed and the names of the forks that led here, as a path: "0/dropout/3". */
    readonly seed: string,
    state = beginning(String(seed)),
  ) {
    if (typeof seed !== "string")
      throw new ArgumentError(`Random: write random(${String(seed)}), without new`);
    this.#draw = alea("", { state });
  }

  static from(seed: number | string): Random {
    accept(takes.random, arguments);
    return new Random(escaped(seed));
  }

  /** A generator that goes on where `state()` was taken. An ArgumentError if another version saved it. */
  static restore(state: RandomState): Random {
    accept(takes.restore, arguments);
    if (state.version !== version) {
      throw new ArgumentError(
        `Random.restore: this state has version ${state.version ?? 1}, needed ${version}: seeds and forks gave ` +
          "other streams then; begin the run again, or go on with the release that saved it",
      );
    }
    return new Random(state.seed, state.alea);
  }

  state(): RandomState {
    return { version, seed: this.seed, alea: this.#draw.state() };
  }

  /** An independent generator. Depends on the seed and the names alone, not on what was drawn so far. */
  fork(name: string | number): Random {
    accept(takes.fork, arguments);
    return new Random(`${this.seed}/${escaped(name)}`);
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return Random.standIn(this).#draw.double();
  }

  /** Normal with mean 0 and deviation 1, by Marsaglia's polar method. */
  normal(): number {
    if (arguments.length > 0) accept(takes.normal, arguments);
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) return u * Math.sqrt((-2 * log(s)) / s);
    }
  }

  /** A whole number in [low, high), all as likely; the two are at most 2^53 apart. */
  integer(low: number, high: number): number {
    accept(takes.integer, arguments);
    const count = high - low;
    const isRange = Number.isSafeInteger(low) && Number.isSafeInteger(high) && count > 0;
    if (!isRange || count > 2 ** 53) {
      throw new ArgumentError(
        `integer: needs whole numbers low < high at most 2^53 apart, got ${low} and ${high}`,
      );
    }
    if (count <= 2 ** 32) return low + Math.floor(this.uniform() * count);
    const most = 2 ** 53 - (2 ** 53 % count); // beyond, some numbers would be drawn once more than others
    for (;;) {
      const drawn = this.uniform() * 2 ** 53;
      if (drawn < most) return low + (drawn % count);
    }
  }

  /** The numbers 0..n-1 in random order (Fisher and Yates). */
  permutation(n: number): Int32Array {
    accept(takes.permutation, arguments);
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
    let [total, largest] = [0, 0];
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] ?? 0;
      if (!(weight >= 0 && weight < Infinity)) {
        throw new ArgumentError(
          `categorical: weight ${weight} at ${i} is not a finite number >= 0`,
        );
      }
      total += weight;
      largest = Math.max(largest, weight);
    }
    if (!(total > 0))
      throw new ArgumentError("categorical: the weights sum to 0; give one that is > 0");
    if (total === Infinity || largest < 2 ** -900)
      // a sum or a share that no double holds
      return this.categorical(Array.from(weights, (weight) => weight / largest));
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
