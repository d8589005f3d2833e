// The number formats of safetensors files, and what core makes of each. Floats narrower than 32 bits
// widen to float32, which holds them exactly; integers become int32, and one that doesn't fit is an
// error, as is a BOOL that is neither 0 nor 1. Written are F64, F32, I32 and BOOL, core's own four.
// Multi-byte numbers are little-endian, as typed arrays are on every machine that runs this.
// Next: header.ts, which uses the sizes.

import type { DType, TypedArray } from "../../core/index.ts";

export interface StoredType {
  /** Bytes of one number. */
  readonly size: number;
  /** What a tensor of it has in core. */
  readonly dtype: DType;
  /** The numbers; `fail` is called with the first that core can't hold. `bytes` has its own buffer. */
  decode(bytes: Uint8Array<ArrayBuffer>, fail: Fail): TypedArray;
}

type Fail = (index: number, value: number | bigint) => never;

/** A format that is core's own: the bytes are the array. */
function same(
  dtype: DType,
  array: new (buffer: ArrayBuffer) => TypedArray & { readonly BYTES_PER_ELEMENT: number },
  size: number,
): StoredType {
  return { size, dtype, decode: ({ buffer }) => new array(buffer) };
}

/** An integer format of at most 16 bits, or signed 32. */
function small(array: new (buffer: ArrayBuffer) => ArrayLike<number>, size: number): StoredType {
  return { size, dtype: "int32", decode: ({ buffer }) => Int32Array.from(new array(buffer)) };
}

/** An integer format whose numbers may lie outside of int32. */
function large(
  array: new (buffer: ArrayBuffer) => ArrayLike<number | bigint>,
  size: number,
): StoredType {
  return {
    size,
    dtype: "int32",
    decode({ buffer }, fail) {
      const from = new array(buffer);
      const to = new Int32Array(from.length);
      for (let i = 0; i < from.length; i++) {
        const value = from[i] ?? 0;
        to[i] = Number(value);
        if (to[i] !== Number(value)) fail(i, value);
      }
      return to;
    },
  };
}

/** A float format of 8 or 16 bits, given by the float32 bits of each of its patterns. */
function float(size: 1 | 2, bitsOf: (pattern: number) => number): StoredType {
  let table: Uint32Array | undefined;
  return {
    size,
    dtype: "float32",
    decode({ buffer }) {
      table ??= Uint32Array.from({ length: 2 ** (8 * size) }, (_, pattern) => bitsOf(pattern));
      const from = size === 1 ? new Uint8Array(buffer) : new Uint16Array(buffer);
      const bits = new Uint32Array(from.length);
      for (let i = 0; i < from.length; i++) bits[i] = table[from[i] ?? 0] ?? 0;
      return new Float32Array(bits.buffer);
    },
  };
}

/**
 * Float32 bits of a small float: 1 sign bit, `e` exponent bits, `m` mantissa bits, exponent bias 2^(e-1) - 1.
 * An exponent of ones is infinity or NaN as in IEEE 754, unless `finite`: then it is one more exponent.
 */
function widen(pattern: number, e: number, m: number, finite = false): number {
  const sign = (pattern >> (e + m)) << 31;
  const exponent = (pattern >> m) & ((1 << e) - 1);
  const mantissa = pattern & ((1 << m) - 1);
  const bias = (1 << (e - 1)) - 1;
  const special = !finite && exponent === (1 << e) - 1;
  if (exponent === 0) return (sign | float32Bits(mantissa / (1 << (bias - 1 + m)))) >>> 0; // subnormal
  return (sign | ((special ? 255 : exponent - bias + 127) << 23) | (mantissa << (23 - m))) >>> 0;
}

/** E4M3 of arXiv 2209.05433: no infinity, and NaN only where all bits but the sign are ones. */
function widenE4M3(pattern: number): number {
  return (pattern & 0x7f) === 0x7f ? 0x7fc00000 : widen(pattern, 4, 3, true);
}

function float32Bits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
}

const bool: StoredType = {
  size: 1,
  dtype: "bool",
  decode(bytes, fail) {
    const wrong = bytes.findIndex((byte) => byte > 1);
    if (wrong >= 0) fail(wrong, bytes[wrong] ?? 0);
    return bytes;
  },
};

/** Every format that can be read, by the name that it has in a header. */
export const storedTypes: ReadonlyMap<string, StoredType> = new Map([
  ["F64", same("float64", Float64Array, 8)],
  ["F32", same("float32", Float32Array, 4)],
  ["F16", float(2, (pattern) => widen(pattern, 5, 10))],
  ["BF16", float(2, (pattern) => (pattern << 16) >>> 0)],
  ["F8_E5M2", float(1, (pattern) => widen(pattern, 5, 2))],
  ["F8_E4M3", float(1, widenE4M3)],
  ["I64", large(BigInt64Array, 8)],
  ["U64", large(BigUint64Array, 8)],
  ["I32", same("int32", Int32Array, 4)],
  ["U32", large(Uint32Array, 4)],
  ["I16", small(Int16Array, 2)],
  ["U16", small(Uint16Array, 2)],
  ["I8", small(Int8Array, 1)],
  ["U8", small(Uint8Array, 1)],
  ["BOOL", bool],
]);

/** How core's dtypes are written; in the order in which they stand in a file, widest first. */
export const writtenTypes: Readonly<Record<DType, string>> = {
  float64: "F64",
  float32: "F32",
  int32: "I32",
  bool: "BOOL",
};
