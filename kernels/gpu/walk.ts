// Kernels that walk several axes. A kernel knows the number i of its cell; these lines of source take i
// apart into coordinates (c0 the outermost) and add up where each operand has its element. Neighbouring
// axes that all operands walk alike are merged first, so that few kernels serve most shapes: the shape
// class of a kernel is how many axes are left. Next: elementwise.ts, view.ts, gather.ts.

import type { Shape } from "../../core/index.ts";
import { type Axes, merge } from "../wasm/broadcast.ts";

/** The axes of a walk, merged; at least one is left. */
export function walkOf(shape: Shape, strides: readonly (readonly number[])[]): Axes {
  const walk = merge(shape, strides);
  if (walk.sizes.length > 0) return walk;
  return { sizes: [1], steps: strides.map(() => [0]) };
}

function names(prefix: string, rank: number): string[] {
  return Array.from({ length: rank }, (_, d) => `${prefix}${d}`);
}

/** The parameters that hold the sizes of axes 1, 2, ...; that of axis 0 isn't needed. */
export function sizeNames(rank: number): string[] {
  return names("n", rank).slice(1);
}

/** The parameters that hold an operand's steps. */
export function stepNames(operand: string, rank: number): string[] {
  return names(`${operand}Step`, rank);
}

/** Lines that define c0, c1, ... as the coordinates of cell `i`. */
export function coordinates(rank: number): string {
  const lines: string[] = [];
  let rest = "i";
  for (let d = rank - 1; d > 0; d--) {
    lines.push(`const q${d} = quotient(${rest}, n${d});`, `const c${d} = ${rest} - q${d} * n${d};`);
    rest = `q${d}`;
  }
  return [...lines, `const c0 = ${rest};`].join("\n  ");
}

/** Where an operand's element is, from its start. */
export function place(operand: string, rank: number): string {
  return stepNames(operand, rank)
    .map((step, d) => `c${d} * ${step}`)
    .join(" + ");
}

/** The numbers for sizeNames and for the stepNames of every operand. */
export function walkNumbers({
  sizes,
  steps,
}: {
  readonly sizes: readonly number[];
  readonly steps: readonly (readonly number[])[];
}): number[] {
  return [...sizes.slice(1), ...steps.flat()];
}
