// What a property test may draw for an op: an entry says it as data (a domain for each operand) or as a
// function of this interface. The tests implement it over fast-check, the command line over a seeded
// generator; core itself needs neither. Next: op.ts.

import type { Random } from "./random.ts";
import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** Numbers that a test may draw: multiples of 1/4 in [low, high], plus `offset`. */
export interface Domain {
  readonly low: number;
  readonly high: number;
  /** Moves the grid off a kink: 1/8 keeps relu's inputs away from 0. */
  readonly offset: number;
  /** No two elements equal, for ops whose gradient jumps at ties. */
  readonly distinct: boolean;
}

/** A domain from `low` to `high`. */
export function within(low: number, high: number, options: Partial<Domain> = {}): Domain {
  return { low, high, offset: 0, distinct: false, ...options };
}

/** What an entry's `draw` may ask for; the property tests implement it over fast-check. */
export interface Draw {
  readonly rng: Random;
  integer(low: number, high: number): number;
  pick<T>(...choices: readonly T[]): T;
  shape(options?: {
    minRank?: number;
    maxRank?: number;
    minSide?: number;
    maxSide?: number;
  }): Shape;
  /** A shape that broadcasts with `shape` to some common one. */
  broadcast(shape: Shape): Shape;
  tensor(shape: Shape, domain?: Domain): Tensor;
  /** int32 in [0, size). */
  indices(shape: Shape, size: number): Tensor;
  mask(shape: Shape): Tensor;
}
