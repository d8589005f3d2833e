// Shapes: the sizes of a tensor's axes, and the rules that every operation shares. Tensors are
// contiguous and row-major, so a shape says all there is to say about the layout; strides are
// computed where a kernel walks an array in another order. Next: storage.ts, then tensor.ts.

import { ShapeError } from "./errors.ts";

/** The sides of a tensor, one for each axis: [2, 3] has 2 rows of 3; [] is a scalar. */
export type Shape = readonly number[];

/** `[2,3]`, as shapes stand in messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(",")}]`;
}

/** Number of elements; 1 for the empty shape of a scalar. Of some of the axes, where the first and the end are given. */
export function sizeOf(shape: Shape, first = 0, end = shape.length): number {
  let size = 1;
  for (let d = first; d < end; d++) size *= shape[d] ?? 1;
  return size;
}

/** The shape with another size of axis `dim`. */
export function replaceSide(shape: Shape, dim: number, side: number): Shape {
  return shape.map((old, d) => (d === dim ? side : old));
}

/** Row-major strides in elements: [2,3,4] has [12,4,1]. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = step;
    step *= shape[d] ?? 1;
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d++) if (a[d] !== b[d]) return false;
  return true;
}

/** Returns `shape` if all its sides are sizes; NaN, negative and fractional ones are named. */
export function checkShape(op: string, shape: Shape): Shape {
  for (let d = 0; d < shape.length; d++) {
    const side: unknown = shape[d];
    if (Number.isSafeInteger(side) && (side as number) >= 0) continue;
    throw new ShapeError(
      `${op}: size ${String(side)} of axis ${d} in shape ${formatShape(shape)} is not a whole number >= 0`,
    );
  }
  return shape;
}

/** Turns an axis that may count from the end into one that counts from the front. */
export function checkDim(op: string, dim: number, rank: number): number {
  const from = dim < 0 ? dim + rank : dim;
  if (Number.isInteger(dim) && from >= 0 && from < rank) return from;
  const range = rank === 0 ? "a scalar has no axes" : `needed ${-rank} to ${rank - 1}`;
  throw new ShapeError(`${op}: there is no axis ${dim} in a tensor of ${rank} axes; ${range}`);
}

/**
 * Sorted axes counted from the front; no argument means all of them, a repeated one is an error. A scalar
 * counts as having one axis that is none: sum(x, { dims: 0 }) of a scalar is the scalar, as in PyTorch.
 */
export function checkDims(op: string, dims: number | Shape | undefined, rank: number): number[] {
  if (dims === undefined) return Array.from({ length: rank }, (_, d) => d);
  const axes = Math.max(1, rank);
  const list = typeof dims === "number" ? [dims] : [...dims];
  for (let i = 0; i < list.length; i++) list[i] = checkDim(op, list[i] as number, axes);
  if (list.length > 1 && new Set(list).size < list.length) {
    throw new ShapeError(`${op}: axes [${String(dims)}] name the same axis twice`);
  }
  if (rank === 0) return [];
  return list.length > 1 ? list.sort((a, b) => a - b) : list;
}

/** The shape that all of `shapes` broadcast to: aligned at the right, a side of 1 stretches. */
export function broadcastShapes(op: string, ...shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const out = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const offset = rank - shape.length;
    shape.forEach((side, d) => {
      const at = offset + d;
      if (side === 1 || side === out[at]) return;
      if (out[at] !== 1) {
        throw new ShapeError(
          `${op}: shapes ${shapes.map(formatShape).join(" and ")} don't broadcast: ` +
            `sizes ${out[at]} and ${side} meet, and neither is 1`,
        );
      }
      out[at] = side;
    });
  }
  return out;
}

/** Whether a tensor of `shape` can be stretched to `to`; a ShapeError if the two don't even broadcast. */
export function broadcastsTo(op: string, shape: Shape, to: Shape): boolean {
  return sameShape(broadcastShapes(op, shape, to), to);
}

/** Strides that walk a tensor of `shape` as if it had the shape `to`: stretched axes stand still. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = stridesOf(shape);
  const offset = to.length - shape.length;
  return to.map((_, d) => (d < offset || shape[d - offset] === 1 ? 0 : (own[d - offset] ?? 0)));
}

/** Calls `visit` with the offsets that each operand's strides give for every index of `shape`. */
export function walkStrides(
  shape: Shape,
  strides: readonly (readonly number[])[],
  visit: (offsets: readonly number[], i: number) => void,
): void {
  const size = sizeOf(shape);
  const index = new Array<number>(shape.length).fill(0);
  const offsets = new Array<number>(strides.length).fill(0);
  for (let i = 0; i < size; i++) {
    visit(offsets, i);
    for (let d = shape.length - 1; d >= 0; d--) {
      index[d] = (index[d] ?? 0) + 1;
      const carry = index[d] === shape[d];
      const steps = carry ? 1 - (shape[d] ?? 0) : 1;
      for (let k = 0; k < strides.length; k++) {
        offsets[k] = (offsets[k] ?? 0) + steps * (strides[k]?.[d] ?? 0);
      }
      if (!carry) break;
      index[d] = 0;
    }
  }
}

/** A shape seen around a run of axes [first, last]: [outer, n, inner], the form that reductions walk. */
export function around(
  shape: Shape,
  first: number,
  last = first,
): { outer: number; n: number; inner: number } {
  return {
    outer: sizeOf(shape, 0, first),
    n: sizeOf(shape, first, last + 1),
    inner: sizeOf(shape, last + 1),
  };
}
