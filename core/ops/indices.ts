// What holds for every tensor of indices: whole numbers that lie in the axis that they pick from.
// Next: indexing.ts and fused/embedding.ts, which pick.

import type { Draw } from "../draw.ts";
import type { TypedArray } from "../dtype.ts";
import { DTypeError, IndexError, ShapeError } from "../errors.ts";
import type { Block } from "../op.ts";
import { checkDim, formatShape, type Shape, sameShape, stridesOf, walkStrides } from "../shape.ts";
import type { Tensor } from "../tensor.ts";

/** Throws unless every index is in [0, size). */
export function checkIndices(name: string, index: TypedArray, size: number): void {
  for (let i = 0; i < index.length; i++) {
    const value = index[i] ?? 0;
    if (value < 0 || value >= size) {
      throw new IndexError(
        `${name}: index ${value} at position ${i} is outside [0, ${size}), the axis that it picks from`,
      );
    }
  }
}

/** Throws unless the indices are int32. */
export function checkIndexTensor(name: string, index: Tensor): void {
  if (index.dtype !== "int32") {
    throw new DTypeError(
      `${name}: index must be int32, got ${index.dtype}; index.to("int32") converts it`,
    );
  }
}

/** The axis that indices pick from. */
export interface Along {
  readonly dim: number;
}

/** gather and scatterAdd: index has x's axes, and is nowhere larger except along `dim`. */
export function checkAlong(name: string, x: Tensor, index: Tensor, dim: number): number {
  checkIndexTensor(name, index);
  const at = checkDim(name, dim, x.rank);
  if (
    index.rank !== x.rank ||
    index.shape.some((side, d) => d !== at && side > (x.shape[d] ?? 0))
  ) {
    throw new ShapeError(
      `${name}: index ${formatShape(index.shape)} doesn't fit ${formatShape(x.shape)}; ` +
        `it needs as many axes, none larger except axis ${dim}`,
    );
  }
  return at;
}

/** For every element of index: its place, and the place in x that it names. */
export function eachPick(
  x: Shape,
  index: Block,
  dim: number,
  visit: (at: number, place: number) => void,
): void {
  const strides = stridesOf(x);
  const others = strides.map((stride, d) => (d === dim ? 0 : stride));
  walkStrides(index.shape, [others], ([place = 0], at) => {
    visit(at, place + (index.data[at] ?? 0) * (strides[dim] ?? 0));
  });
}

export function drawAlong(d: Draw): { shape: Shape; dim: number; picks: Shape } {
  const shape = d.shape({ minRank: 1, maxRank: 3, minSide: 1 });
  const dim = d.integer(0, shape.length - 1);
  return { shape, dim, picks: shape.map((side, axis) => (axis === dim ? d.integer(0, 4) : side)) };
}

/** Throws unless the indices are a list. */
export function checkList(name: string, index: Tensor): void {
  checkIndexTensor(name, index);
  if (index.rank > 1) {
    throw new ShapeError(
      `${name}: index must be a list, got shape ${formatShape(index.shape)}; embedding or gather take more axes`,
    );
  }
}

/** Throws unless what is put or added where indices say has their shape, and x's dtype. */
export function checkSource(name: string, source: Tensor, x: Tensor, shape: Shape): void {
  if (sameShape(source.shape, shape) && source.dtype === x.dtype) return;
  throw new ShapeError(
    `${name}: source must be ${x.dtype} ${formatShape(shape)}, as x and index say, ` +
      `got ${source.dtype} ${formatShape(source.shape)}`,
  );
}

/** Values in order, and the positions (int32) that they came from: to be read by name or by place. */
export type Sorted = readonly [values: Tensor, indices: Tensor] & {
  readonly values: Tensor;
  readonly indices: Tensor;
};

/** The two as one answer. */
export function paired(values: Tensor, indices: Tensor): Sorted {
  return Object.assign([values, indices] as [Tensor, Tensor], { values, indices });
}
