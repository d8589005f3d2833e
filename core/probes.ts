// What gradcheck compares: rows of the Jacobian, as the tape gives them, and the directions in which an argument
// is moved for its columns. Small functions are compared in full, large ones in samples and random sums.
// Next: differences.ts for what the columns are made of.

import type { Sparse } from "./differences.ts";
import type { Random } from "./random.ts";
import { grad } from "./tape.ts";
import { fromData, type Tensor } from "./tensor.ts";

/** Arguments with at most so many elements are checked one element at a time. */
const singleColumns = 32;
/** Larger ones are checked in so many groups, and at so many elements drawn at random. */
const groups = 24;
const drawnColumns = 8;
/** At most so many outputs are checked one by one; of more, some that are drawn, and random sums of all. */
const singleRows = 24;
const drawnRows = 8;
const sums = 2;

/** One way to weigh the outputs, and what the tape says of the gradients of their sum. */
export interface Row {
  readonly what: string;
  readonly weights: Sparse;
  /** One for each argument; null where the tape knows no way there. */
  readonly gradients: readonly (Float64Array | null)[];
  readonly createGraph: boolean;
}

// --- Rows: what the tape says ------------------------------------------------------------------------

/** Every output by itself and a random sum of them; of many outputs some, and several sums of all. */
export function rowsOf(ys: readonly Tensor[], leaves: readonly Tensor[], rng: Random): Row[] {
  const size = ys.reduce((sum, y) => sum + y.size, 0);
  const sumRow = (): Row[] => {
    const weights = weightsOf(size, rng);
    const what =
      size === 1 ? `of the output times ${weights[0]}` : "of a random sum of the outputs";
    return bothWays(ys, leaves, new Map(weights.entries()), what);
  };
  if (size <= singleRows)
    return [...Array.from({ length: size }, (_, at) => rowOf(at, ys, leaves)), sumRow()].flat();
  const some = drawn(size, drawnRows, rng).map((at) => rowOf(at, ys, leaves));
  return [...Array.from({ length: sums }, sumRow), ...some].flat();
}

/** The gradients of one number of the outputs. */
export function rowOf(at: number, ys: readonly Tensor[], leaves: readonly Tensor[]): Row[] {
  const isAlone = ys.length === 1 && ys[0]?.size === 1;
  return bothWays(ys, leaves, new Map([[at, 1]]), isAlone ? "" : `of ${outputAt(ys, at)}`);
}

/** Without a graph fused ops run their loops, with one their definitions: both are checked. */
function bothWays(
  ys: readonly Tensor[],
  leaves: readonly Tensor[],
  weights: Sparse,
  what: string,
): Row[] {
  return [false, true].map((createGraph) => {
    const gradients = gradientsOf(ys, leaves, weights, createGraph);
    return { what, weights, gradients, createGraph };
  });
}

function gradientsOf(
  ys: readonly Tensor[],
  leaves: readonly Tensor[],
  weights: Sparse,
  createGraph: boolean,
): (Float64Array | null)[] {
  let start = 0;
  const tracked = ys.flatMap((y) => {
    const own = Float64Array.from({ length: y.size }, (_, i) => weights.get(start + i) ?? 0);
    start += y.size;
    if (!y.requiresGrad || own.every((weight) => weight === 0)) return [];
    return [{ y, g: fromData(own, y.shape, "float64", y.device) }];
  });
  const found = grad(
    tracked.map(({ y }) => y),
    leaves,
    { gradOutputs: tracked.map(({ g }) => g), retainGraph: true, createGraph, allowUnused: true },
  );
  return found.map((g) => (g === null ? null : Float64Array.from(g.data)));
}

// --- Columns: along what an argument is moved --------------------------------------------------------

/** How far a step moves an element, for a step of 1: in proportion to a large one, whose digits would swallow it. */
export function reachOf(x: Tensor, at: number): number {
  const size = Math.abs(x.data[at] ?? 0);
  return size > 1 && size < Infinity ? size : 1;
}

/** Its elements one by one; of a large argument groups of elements with gradients of like size, and some. */
export function directionsOf(x: Tensor, gradient: Float64Array | null, rng: Random): Sparse[] {
  const single = (at: number): Sparse => new Map([[at, reachOf(x, at)]]);
  if (x.size <= singleColumns) return Array.from({ length: x.size }, (_, i) => single(i));
  const sizes = gradient?.map((g, at) => Math.abs(g) * reachOf(x, at)) ?? new Float64Array(x.size);
  const bySize = [...rng.permutation(x.size)].sort((a, b) => (sizes[a] ?? 0) - (sizes[b] ?? 0));
  const length = Math.ceil(x.size / groups);
  const parts: number[][] = [];
  for (const at of bySize) {
    const part = parts.at(-1);
    const isLike = (sizes[at] ?? 0) <= 16 * (sizes[part?.[0] ?? 0] ?? 0); // what is much smaller would be hidden
    if (part && part.length < length && isLike) part.push(at);
    else parts.push([at]);
  }
  const moves = (part: readonly number[]): Sparse => {
    const sizes = weightsOf(part.length, rng);
    return new Map(part.map((at, k) => [at, (sizes[k] ?? 1) * reachOf(x, at)]));
  };
  return [...parts.map(moves), ...drawn(x.size, drawnColumns, rng).map(single)];
}

/** Some of the numbers below n. */
function drawn(n: number, count: number, rng: Random): number[] {
  return [...rng.permutation(n).subarray(0, count)];
}

/** Weights of either sign, none near 0 and no two alike, so that nothing hides. */
export function weightsOf(size: number, rng: Random): Float64Array {
  return Float64Array.from(
    { length: size },
    () => (rng.uniform() < 0.5 ? -1 : 1) * (0.5 + rng.uniform()),
  );
}

/** x + t direction. */
export function moved(x: Tensor, direction: Sparse, t: number): Tensor {
  const data = Float64Array.from(x.data);
  for (const [at, by] of direction) data[at] = (data[at] ?? 0) + t * by;
  return fromData(data, x.shape, "float64", x.device).requiresGrad_();
}

// --- Places ------------------------------------------------------------------------------------------

/** The coordinates of element `at`. */
export function position(shape: readonly number[], at: number): number[] {
  let rest = at;
  return shape
    .toReversed()
    .map((side) => {
      const i = rest % side;
      rest = Math.floor(rest / side);
      return i;
    })
    .toReversed();
}

/** The place of number `i` of valuesOf(ys). */
export function outputAt(ys: readonly Tensor[], i: number): string {
  let at = i;
  const k = ys.findIndex((y) => {
    if (at < y.size) return true;
    at -= y.size;
    return false;
  });
  return `output${ys.length > 1 ? ` ${k}` : ""} at [${position(ys[k]?.shape ?? [], at).join(",")}]`;
}
