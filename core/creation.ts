// New tensors: from numbers that you have, or filled by a rule. All are leaves on the current device.
// Next: random.ts for where random numbers come from, ops/arithmetic.ts for what to do with tensors.

import type { Device } from "./device.ts";
import { checkFloat, type DType, dtypeOf, isFloat, type TypedArray } from "./dtype.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "./errors.ts";
import { allocate } from "./hostMemory.ts";
import type { Random } from "./random.ts";
import { describeValue } from "./refusal.ts";
import { checkShape, formatShape, type Shape, sizeOf } from "./shape.ts";
import { accept, signatures } from "./signature.ts";
import { fromData, type Nested, type Tensor } from "./tensor.ts";

/** What a new tensor is: its dtype, whether it asks for gradients, its name in prints. */
export interface TensorOptions {
  /** float32 unless said; arrays of true and false make bools, typed arrays keep their own. */
  readonly dtype?: DType;
  readonly requiresGrad?: boolean;
  /** What the printed tape calls the tensor. */
  readonly name?: string;
}

const made = "dtype?: DType, requiresGrad?: boolean, name?: string";
const takes = signatures({
  tensor: `values: any, { ${made}, shape?: Shape }`,
  zerosLike: "x: Tensor",
  onesLike: "x: Tensor",
  fullLike: "x: Tensor, value: number",
});
function more() {
  return {
    full: `shape: Shape, value: number, { ${made} }`,
    zeros: `shape: Shape, { ${made} }`,
    ones: `shape: Shape, { ${made} }`,
    arange: `start: number, end?: number | { ${made} }, step?: number | { ${made} }, { ${made} }`,
    linspace: `start: number, end: number, count: number, { ${made} }`,
    eye: `n: number, { ${made} }`,
    oneHot: `index: Tensor, { classes: number, ${made} }`,
    rand: `shape: Shape, { rng: Random, ${made} }`,
    randn: `shape: Shape, { rng: Random, ${made} }`,
    randint: `shape: Shape, { high: number, low?: number, rng: Random, ${made} }`,
    bernoulli: "shape: Shape, { p?: number, rng: Random }",
  };
}
// pure, so that a bundle leaves them out if it uses none of these
const takesMore = /* @__PURE__ */ signatures(/* @__PURE__ */ more());

/**
 * A tensor from nested arrays, or from a flat (typed) array and its shape. The numbers are copied.
 * Ragged arrays are a ShapeError, numbers that an int32 can't hold a DTypeError.
 */
export function tensor(
  values: Nested | TypedArray,
  options: TensorOptions & { readonly shape?: Shape } = {},
): Tensor {
  accept(takes.tensor, arguments);
  const { shape, flat } = flatten(values);
  const dtype = options.dtype ?? guessDType(values, flat);
  const wanted = options.shape === undefined ? shape : checkShape("tensor", options.shape);
  return leaf("tensor", convert("tensor", flat, dtype), wanted, dtype, options);
}

function leaf(
  op: string,
  data: TypedArray,
  shape: Shape,
  dtype: DType,
  options: TensorOptions,
): Tensor {
  const made = fromData(data, shape, dtype, undefined, op);
  if (options.requiresGrad) {
    if (!isFloat(dtype)) {
      throw new DTypeError(
        `${op}: only float tensors have gradients, got requiresGrad with ${dtype}`,
      );
    }
    made.requiresGrad = true;
  }
  return options.name === undefined ? made : made.named(options.name);
}

function isTyped(values: Nested | ArrayLike<unknown>): values is TypedArray {
  return ArrayBuffer.isView(values);
}

function guessDType(values: Nested | TypedArray, flat: ArrayLike<number | boolean>): DType {
  if (isTyped(values)) return dtypeOf(checkTyped(values));
  return flat.length > 0 && typeof flat[0] === "boolean" ? "bool" : "float32";
}

const typedArrays = [Float32Array, Float64Array, Int32Array, Uint8Array];

function checkTyped(values: TypedArray): TypedArray {
  if (typedArrays.some((type) => values instanceof type)) return values;
  throw new DTypeError(
    "tensor: takes Float32Array, Float64Array, Int32Array or Uint8Array (bools), " +
      `got ${(values as object).constructor.name}; Float32Array.from(...) would convert it`,
  );
}

function flatten(values: Nested | TypedArray): { shape: Shape; flat: ArrayLike<number | boolean> } {
  if (isTyped(values)) return { shape: [values.length], flat: checkTyped(values) };
  const shape: number[] = [];
  for (let at: Nested | undefined = values; Array.isArray(at); at = at[0]) shape.push(at.length);
  const flat: (number | boolean)[] = [];
  const walk = (at: Nested, path: readonly number[]): void => {
    const depth = path.length;
    if (Array.isArray(at)) {
      if (depth >= shape.length || at.length !== shape[depth])
        ragged(shape, path, `${at.length} values`);
      at.forEach((child, i) => {
        walk(child, [...path, i]);
      });
    } else if (typeof at === "number" || typeof at === "boolean") {
      if (depth !== shape.length) ragged(shape, path, String(at));
      flat.push(at);
    } else {
      throw new ArgumentError(
        `tensor: takes numbers and booleans in nested arrays, got ${describeValue(at)}`,
      );
    }
  };
  walk(values, []);
  return { shape, flat };
}

function ragged(shape: Shape, path: readonly number[], found: string): never {
  throw new ShapeError(
    `tensor: ragged nested arrays: expected shape ${formatShape(shape)} from the first entries, ` +
      `found ${found} at [${path.join("][")}]`,
  );
}

function convert(op: string, flat: ArrayLike<number | boolean>, dtype: DType): TypedArray {
  const data = allocate(dtype, flat.length, op);
  if (isTyped(flat) && dtypeOf(flat) === dtype && dtype !== "bool") {
    data.set(flat);
    return data;
  }
  for (let i = 0; i < flat.length; i++) {
    const value = Number(flat[i]);
    data[i] = dtype === "bool" ? Number(value !== 0) : value;
    if (dtype === "int32" && data[i] !== value) {
      throw new DTypeError(
        `${op}: ${value} at ${i} is no int32; keep it a float, or round it first`,
      );
    }
  }
  return data;
}

function filled(op: string, shape: Shape, value: number, options: TensorOptions): Tensor {
  const dtype = options.dtype ?? "float32";
  const size = sizeOf(checkShape(op, shape));
  const [one = 0] = convert(op, [value], dtype);
  return leaf(op, allocate(dtype, size, op).fill(one), shape, dtype, options);
}

/** A tensor of `shape` with every element `value`. */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  accept(takesMore.full, arguments);
  return filled("full", shape, value, options);
}

/**
 * A tensor of zeros: zeros([2, 3]). float32 on the current device unless said; a ShapeError for sides that
 * are no whole numbers >= 0.
 */
export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  accept(takesMore.zeros, arguments);
  return filled("zeros", shape, 0, options);
}

/**
 * A tensor of ones: ones([2, 3]). float32 on the current device unless said; a ShapeError for sides that are
 * no whole numbers >= 0.
 */
export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  accept(takesMore.ones, arguments);
  return filled("ones", shape, 1, options);
}

/** Zeros of the shape, dtype and device of another tensor. */
export function zerosLike(x: Tensor): Tensor {
  accept(takes.zerosLike, arguments);
  return fullLike(x, 0);
}

/** Ones of the shape, dtype and device of another tensor. */
export function onesLike(x: Tensor): Tensor {
  accept(takes.onesLike, arguments);
  return fullLike(x, 1);
}

/** `value` everywhere, in the shape, dtype and device of another tensor. */
export function fullLike(x: Tensor, value: number): Tensor {
  accept(takes.fullLike, arguments);
  const [one = 0] = convert("fullLike", [value], x.dtype);
  return fromData(allocate(x.dtype, x.size).fill(one), x.shape, x.dtype, x.device);
}

/** start, start + step, ... as far as it stays below `end`: arange(end), (start, end), (start, end, step). */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step: number, options?: TensorOptions): Tensor;
export function arange(...args: readonly (number | TensorOptions | undefined)[]): Tensor {
  accept(takesMore.arange, arguments);
  const numbers = args.filter((arg) => typeof arg === "number");
  const options = args.find((arg) => typeof arg === "object") ?? {};
  if (args.length > numbers.length && typeof args.at(-1) === "number")
    throw new ArgumentError("arange: the options come last: arange(start, end, step, { dtype })");
  const [start = 0, end = 0, step = 1] = numbers.length < 2 ? [0, ...numbers] : numbers;
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (!Number.isFinite(count)) {
    throw new ArgumentError(
      `arange: can't count from ${start} to ${end} by ${step}; the bounds must be finite and step not 0`,
    );
  }
  const dtype = options.dtype ?? "float32";
  const values = allocate("float64", count, "arange").map((_, i) => start + i * step);
  return leaf("arange", convert("arange", values, dtype), [count], dtype, options);
}

/** `count` evenly spaced numbers from `start` to `end`, both included. */
export function linspace(
  start: number,
  end: number,
  count: number,
  options: TensorOptions = {},
): Tensor {
  accept(takesMore.linspace, arguments);
  const [steps = 0] = checkShape("linspace", [count]);
  const dtype = options.dtype ?? "float32";
  const values = allocate("float64", steps, "linspace").map((_, i) =>
    i === steps - 1 && steps > 1 ? end : start + ((end - start) * i) / Math.max(1, steps - 1),
  );
  return leaf("linspace", convert("linspace", values, dtype), [steps], dtype, options);
}

/** The identity matrix [n, n]. */
export function eye(n: number, options: TensorOptions = {}): Tensor {
  accept(takesMore.eye, arguments);
  checkShape("eye", [n]);
  const dtype = options.dtype ?? "float32";
  const data = allocate(dtype, n * n, "eye");
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
  return leaf("eye", data, [n, n], dtype, options);
}

/** Classes [...] of int32 to vectors [..., classes] with a single 1. */
export function oneHot(
  index: Tensor,
  options: TensorOptions & { readonly classes: number },
): Tensor {
  accept(takesMore.oneHot, arguments);
  const { classes } = options;
  const dtype = options.dtype ?? "float32";
  checkShape("oneHot", [classes]);
  if (index.dtype !== "int32") {
    throw new DTypeError(
      `oneHot: index must be int32, got ${index.dtype}; x.to("int32") converts it`,
    );
  }
  const data = allocate(dtype, index.size * classes, "oneHot");
  index.data.forEach((value, i) => {
    if (value < 0 || value >= classes) {
      throw new IndexError(`oneHot: index ${value} at ${i} is outside [0, ${classes})`);
    }
    data[i * classes + value] = 1;
  });
  return leaf("oneHot", data, [...index.shape, classes], dtype, options);
}

function drawn(
  op: string,
  shape: Shape,
  options: TensorOptions & { readonly rng: Random },
  draw: (rng: Random) => number,
): Tensor {
  const dtype = options.dtype ?? "float32";
  const data = allocate(dtype, sizeOf(checkShape(op, shape)), op);
  for (let i = 0; i < data.length; i++) data[i] = draw(options.rng);
  return leaf(op, data, shape, dtype, options);
}

/** Uniform in [0, 1), drawn from `rng` in row-major order. */
export function rand(shape: Shape, options: TensorOptions & { readonly rng: Random }): Tensor {
  accept(takesMore.rand, arguments);
  const dtype = options.dtype ?? "float32";
  checkFloat("rand", dtype);
  const single = dtype === "float32";
  // 24 bits for a float32: rounding 53 of them could give 1
  return drawn("rand", shape, options, (rng) =>
    single ? Math.floor(rng.uniform() * 2 ** 24) / 2 ** 24 : rng.uniform(),
  );
}

/** Normal with mean 0 and deviation 1, drawn from `rng` in row-major order. */
export function randn(shape: Shape, options: TensorOptions & { readonly rng: Random }): Tensor {
  accept(takesMore.randn, arguments);
  checkFloat("randn", options.dtype ?? "float32");
  return drawn("randn", shape, options, (rng) => rng.normal());
}

/** From where to where a dtype has every whole number. */
const wholeNumbers: Readonly<Record<DType, readonly [number, number]>> = {
  bool: [0, 1],
  int32: [-0x80000000, 0x7fffffff],
  float32: [-0x1000000, 0x1000000],
  float64: [-0x20000000000000, 0x20000000000000],
};

/** Whole numbers in [low, high), int32 unless said. A DTypeError where the dtype doesn't hold all of them. */
export function randint(
  shape: Shape,
  options: TensorOptions & { readonly rng: Random; readonly low?: number; readonly high: number },
): Tensor {
  accept(takesMore.randint, arguments);
  const { low = 0, high, dtype = "int32" } = options;
  const [least, most] = wholeNumbers[dtype];
  if (low < least || high - 1 > most) {
    throw new DTypeError(
      `randint: from ${low} to ${high - 1} is more than ${dtype} holds, ${least} to ${most}`,
    );
  }
  return drawn("randint", shape, { ...options, dtype }, (rng) => rng.integer(low, high));
}

/** A random boolean mask, true with probability `p`. */
export function bernoulli(
  shape: Shape,
  options: { readonly rng: Random; readonly p?: number },
): Tensor {
  accept(takesMore.bernoulli, arguments);
  const { p = 0.5 } = options;
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`bernoulli: p = ${p} must be in [0, 1]`);
  return drawn("bernoulli", shape, { rng: options.rng, dtype: "bool" }, (rng) =>
    Number(rng.uniform() < p),
  );
}

/** A scalar constant on `device`, which the printed tape shows by its value. */
export function constant(value: number | boolean, dtype: DType, device: Device): Tensor {
  const x = fromData(convert("constant", [value], dtype), [], dtype, device);
  x.name = String(value);
  return x;
}

/** 0, 1, ..., n - 1 as int32 on the device of another tensor. */
export function indicesLike(x: Tensor, n: number): Tensor {
  return fromData(
    Int32Array.from({ length: n }, (_, i) => i),
    [n],
    "int32",
    x.device,
  );
}
