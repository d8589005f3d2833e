// How kernels walk operands of several shapes: neighbouring axes that every operand walks alike are
// merged, so that most broadcasts become rows along which an operand either runs or stays.
// Next: table.ts, which asks for it; binary.as.ts and copy.as.ts, which walk.

import type { Shape } from "../../core/index.ts";

/** Axes of a walk, outermost first, and for each operand its step in elements along each of them. */
export interface Axes {
  sizes: number[];
  steps: number[][];
}

/** Merges neighbouring axes wherever all operands step through them as through one; drops those of 1. */
export function merge(shape: Shape, strides: readonly (readonly number[])[]): Axes {
  const sizes: number[] = [];
  const steps: number[][] = strides.map(() => []);
  for (let d = shape.length - 1; d >= 0; d--) {
    const size = shape[d] as number;
    if (size === 1) continue;
    const top = sizes[0];
    const joins =
      top !== undefined &&
      strides.every((stride, k) => stride[d] === top * (steps[k]?.[0] as number));
    if (joins) sizes[0] = top * size;
    else {
      sizes.unshift(size);
      strides.forEach((stride, k) => {
        steps[k]?.unshift(stride[d] as number);
      });
    }
  }
  return { sizes, steps };
}

/** Strides that walk a contiguous tensor of `shape` as if it had the shape `to`: stretched axes stand still. */
export function stretched(shape: Shape, to: Shape): number[] {
  const strides = new Array<number>(to.length).fill(0);
  const offset = to.length - shape.length;
  for (let d = shape.length - 1, step = 1; d >= 0; d--) {
    const size = shape[d] as number;
    if (size !== 1) strides[d + offset] = step;
    step *= size;
  }
  return strides;
}
