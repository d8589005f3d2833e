// From a TypeScript function to a kernel that gpu.js compiles. A kernel computes one cell, the one that
// this.thread.x counts; its first parameters are arrays, the rest are numbers. Its source is its own
// text, so it may use nothing but its parameters, Math, and the helpers that are named beside it.
// Next: formulas.ts for kernels around the formulas of op entries, matmul.ts for one written by hand.

import type { HelperSource, KernelSettings } from "./library.ts";

/** What `this` is in a kernel: x counts the cells of the result. */
export interface Thread {
  readonly thread: { readonly x: number };
}

/** An array parameter. */
export type Numbers = readonly number[];

/** A function of numbers that kernels call. */
export type Helper = (...numbers: number[]) => number | boolean;

/** A kernel's text and what gpu.js must know of it. */
export interface GpuKernel {
  readonly name: string;
  readonly source: string;
  /** How many of its parameters are arrays (the first ones), and how many numbers. */
  readonly arrays: number;
  readonly scalars: number;
  readonly functions: readonly HelperSource[];
}

/** Tensors are at most this large, so that indices are exact in float32, which WebGL counts in. */
export const mostCells = 2 ** 24;

/**
 * A function's text as gpu.js takes it. Minifiers write $ in names, which no GPU's language knows; a kernel
 * holds no strings, so that $ stands nowhere else.
 */
export function textOf(fn: WrittenKernel | Helper): string {
  return String(fn).replaceAll("$", "_S_");
}

type WrittenKernel = (this: Thread, ...args: never[]) => number;

/** A kernel from a function that was written by hand. */
export function kernel(
  name: string,
  arrays: number,
  fn: WrittenKernel,
  helpers: readonly Helper[] = [],
): GpuKernel {
  return {
    name,
    source: textOf(fn),
    arrays,
    scalars: fn.length - arrays,
    functions: helpers.map(helperSource),
  };
}

/** A helper's text and types. All numbers are floats: whole ones are exact up to 2^24. */
export function helperSource(fn: Helper): HelperSource {
  return sourceOf(textOf(fn));
}

/** The same from a text `function name(a, b) { ... }`. */
export function sourceOf(source: string): HelperSource {
  const [, name = "", parameters = ""] = /^function\s+([\w$]+)\s*\(([^)]*)\)/.exec(source) ?? [];
  const argumentNames = parameters.split(",").flatMap((p) => p.trim() || []);
  return {
    name,
    source,
    argumentNames,
    argumentTypes: argumentNames.map(() => "Number"),
    returnType: "Number",
  };
}

/** What every kernel asks of gpu.js: float32, the precise tactic, and loops as long as they must be. */
export function settingsOf({ functions }: GpuKernel, output: readonly number[]): KernelSettings {
  return {
    output,
    functions,
    returnType: "Number",
    precision: "single",
    tactic: "precision",
    loopMaxIterations: mostCells,
  };
}
