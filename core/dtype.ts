// The four kinds of number: which typed array holds them, how they are written in print, and what
// two of them make together. float32 is the default, float64 is for checking gradients, int32 for
// indices, bool for masks. Next: shape.ts.

import { DTypeError } from "./errors.ts";

/**
 * What a tensor's elements are. float32 is the default; only floats have gradients; float64 is for the CPU
 * devices.
 */
export type DType = "float32" | "float64" | "int32" | "bool";

/** The host's arrays of each dtype, in the order of DType: bools are bytes of 0 and 1. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Their arrays. */
export const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  bool: Uint8Array,
} as const;

/** How a dtype is written in print: `f32[2,3]`. */
export const shortName: Readonly<Record<DType, string>> = {
  float32: "f32",
  float64: "f64",
  int32: "i32",
  bool: "bool",
};

/** Bytes that one element takes. */
export function byteSize(dtype: DType): number {
  return arrays[dtype].BYTES_PER_ELEMENT;
}

/** The dtype that a typed array holds; bytes are bools. */
export function dtypeOf(data: TypedArray): DType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  return data instanceof Int32Array ? "int32" : "bool";
}

/** Whether gradients can flow through values of this dtype. */
export function isFloat(dtype: DType): boolean {
  return dtype === "float32" || dtype === "float64";
}

const rank: Readonly<Record<DType, number>> = { bool: 0, int32: 1, float32: 2, float64: 3 };

/** The wider of two dtypes, in the order bool < int32 < float32 < float64 (as PyTorch promotes). */
export function promote(a: DType, b: DType): DType {
  return rank[a] >= rank[b] ? a : b;
}

/** Throws unless `dtype` is a float: `exp` of bools promotes, `layerNorm` of them is a mistake. */
export function checkFloat(op: string, dtype: DType): void {
  if (!isFloat(dtype)) {
    throw new DTypeError(
      `${op}: needs float32 or float64, got ${dtype}; x.to("float32") would convert it`,
    );
  }
}
