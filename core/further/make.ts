// How the further ops are made: as composed ops are (moreKinds.ts), but each says its own name, as no table
// that a page loads has to name it. A page that imports one loads that one: each is made by a call marked as pure.
// Next: shape.ts.

import type { Draw } from "../draw.ts";
import { ArgumentError } from "../errors.ts";
import { composed } from "../kinds.ts";
import type { Described, Op } from "../op.ts";
import { fromData, type Tensor } from "../tensor.ts";

/** An op that is written in other ops, and is no method unless methods.ts is loaded. */
export function further<F>(
  spec: Described & { readonly name: string; readonly takes: string; readonly definition: F },
): Op<F> {
  return named(spec.name, composed(spec));
}

/** The op under this name, which its errors begin with. */
export function named<O extends Op<unknown>>(name: string, op: O): O {
  op.entry.name = name;
  return op;
}

/** A shape with at least one axis, and one of its axes, from the front or the end. */
export function drawAxis(d: Draw, minSide = 0): { shape: readonly number[]; dim: number } {
  const shape = d.shape({ minRank: 1, maxRank: 3, minSide });
  return { shape, dim: d.integer(-shape.length, shape.length - 1) };
}

/** A list of places on x's device. */
export function places(x: Tensor, list: Iterable<number>): Tensor {
  const data = Int32Array.from(list);
  return fromData(data, [data.length], "int32", x.device);
}

/** Returns `count` if it is a whole number that is large enough. */
export function checkCount(name: string, what: string, count: number, least: number): number {
  if (Number.isInteger(count) && count >= least) return count;
  throw new ArgumentError(`${name}: ${what} must be a whole number >= ${least}, got ${count}`);
}
