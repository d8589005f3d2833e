// What holds for every tensor of indices: whole numbers that lie in the axis that they pick from.
// Next: indexing.ts and fused/embedding.ts, which pick.

import type { TypedArray } from "../dtype.ts";
import { DTypeError, IndexError } from "../errors.ts";
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
