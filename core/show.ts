// Numbers as people read them: a tensor prints as NumPy prints an array, with commas. Floats show at
// most four decimals, large tensors only their corners. This file knows Tensor as a type alone, since
// tensor.ts itself prints with it.
// Next: showTape.ts, which prints the tape and parameter trees.

import { type DType, isFloat, shortName, type TypedArray } from "./dtype.ts";
import { formatShape, type Shape, sizeOf } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** From this many elements on, an axis longer than 2 `edge` shows only its first and last `edge`. */
const manyElements = 1000;
const edge = 3;
const decimals = 4;
/** 1e-4, and what float32 makes of it. */
const smallest = Math.fround(1e-4);

/** `f32[2,3]`, and `w:f32[2,3]` for a tensor called w. */
export function header(x: { dtype: DType; shape: Shape; name?: string }): string {
  const type = `${shortName[x.dtype]}${formatShape(x.shape)}`;
  return x.name ? `${x.name}:${type}` : type;
}

/** Nested brackets with commas, row-major: "[[1, 2],\n [3, 4]]". */
export function format(data: TypedArray, shape: Shape, dtype: DType): string {
  const size = sizeOf(shape);
  if (size === 0) return "[]";
  const indices = shape.map((side) => shownIndices(side, size > manyElements));
  const shown: number[] = [];
  visit(indices, shape, (at) => shown.push(data[at] ?? Number.NaN));
  const texts = textsOf(shown, dtype);
  const width = shape.length < 2 ? 0 : texts.reduce((most, text) => Math.max(most, text.length), 0);
  let next = 0;
  return bracket(indices, 0, () => (texts[next++] ?? "").padStart(width));
}

/** The indices of an axis that are printed; -1 stands for those left out. */
function shownIndices(side: number, summarise: boolean): number[] {
  const all = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, i) => from + i);
  if (!summarise || side <= 2 * edge) return all(0, side);
  return [...all(0, edge), -1, ...all(side - edge, side)];
}

/** Calls `each` with the offset of every printed element, in row-major order. */
function visit(
  indices: readonly (readonly number[])[],
  shape: Shape,
  each: (at: number) => void,
  depth = 0,
  at = 0,
): void {
  if (depth === shape.length) each(at);
  for (const i of indices[depth] ?? []) {
    if (i >= 0) visit(indices, shape, each, depth + 1, at * (shape[depth] ?? 1) + i);
  }
}

function bracket(
  indices: readonly (readonly number[])[],
  depth: number,
  nextText: () => string,
): string {
  const axis = indices[depth];
  if (axis === undefined) return nextText();
  const below = indices.length - depth - 1;
  const separator = below === 0 ? ", " : `,${"\n".repeat(below)}${" ".repeat(depth + 1)}`;
  const parts = axis.map((i) => (i < 0 ? "..." : bracket(indices, depth + 1, nextText)));
  return `[${parts.join(separator)}]`;
}

/** Numbers of one array as text, all in the same notation. */
function textsOf(values: readonly number[], dtype: DType): string[] {
  if (dtype === "bool") return values.map((value) => (value === 0 ? "false" : "true"));
  if (!isFloat(dtype)) return values.map(String);
  const sizes = values.filter((x) => Number.isFinite(x) && x !== 0).map(Math.abs);
  const exponential = sizes.some((size) => size >= 1e6 || size < smallest);
  return values.map((value) => floatText(value, exponential));
}

function floatText(value: number, exponential: boolean): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return "0"; // -0 too
  const [digits = "", exponent] = exponential
    ? value.toExponential(decimals).split("e")
    : [value.toFixed(decimals)];
  const trimmed = digits.replace(/\.?0+$/, "");
  return exponent === undefined ? trimmed : `${trimmed}e${exponent}`;
}

/**
 * Dtype, shape and numbers: "f32[2,2] [[1, 2],\n          [3, 4]]". Where the numbers can't be read (the
 * memory was given back, or lies on a GPU) the reason stands in their place.
 */
export function describe(x: Tensor): string {
  const head = `${header(x)}${x.requiresGrad ? " requiresGrad" : ""} `;
  const numbers = numbersOf(x);
  return head + numbers.replaceAll(/\n(?!\n)/g, `\n${" ".repeat(head.length)}`);
}

function numbersOf(x: Tensor): string {
  try {
    return format(x.data, x.shape, x.dtype);
  } catch (error) {
    return `(${reasonOf(error)})`;
  }
}

/** What was thrown, in a line of its own words. */
export function reasonOf(cause: unknown): string {
  return String(cause instanceof Error ? cause.message : cause).split("\n")[0] as string;
}

/** Bytes in MiB, or in GiB. */
export function sizeText(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes < 1024 ? `${mebibytes.toFixed(1)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}
