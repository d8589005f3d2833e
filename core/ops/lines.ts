// Tensors seen as lines of numbers, which is how fused ops walk them: along one axis, or the last one as rows.
// Next: fused/softmax.ts.

import type { TypedArray } from "../dtype.ts";
import type { Block } from "../op.ts";
import { portable } from "../portable.ts";
import { around, type Shape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";

/** Calls `visit` with the first place and the step of every line along axis `dim`. */
export function eachLine(
  shape: Shape,
  dim: number,
  visit: (at: number, n: number, step: number) => void,
): void {
  const { outer, n, inner } = around(shape, dim);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) visit(o * n * inner + i, n, inner);
}

/** The maximum of a line and Σ exp(x - max): all that softmax needs to know of it. */
export function massOf(
  x: Block,
  at: number,
  n: number,
  step: number,
): { max: number; sum: number } {
  let max = -Infinity;
  for (let k = 0; k < n; k++) max = Math.max(max, x.data[at + k * step] ?? 0);
  let sum = 0;
  for (let k = 0; k < n; k++) sum += portable.exp((x.data[at + k * step] ?? 0) - max);
  return { max, sum };
}

/** x [..., n] as a matrix [rows, n]. */
export function asRows(x: Tensor): Tensor {
  return x.rank === 2 ? x : x.reshape([sizeOf(x.shape.slice(0, -1)), x.shape.at(-1) ?? 0]);
}

/** What each target's loss is multiplied by: 1, or for the mean 1 / the number of targets that count. */
export function shareOf(
  target: TypedArray,
  { reduction, ignoreIndex }: { readonly reduction: string; readonly ignoreIndex: number },
): number {
  if (reduction !== "mean") return 1;
  let count = 0;
  for (const c of target) if (c !== ignoreIndex) count++;
  return 1 / count;
}

/** The order of two numbers; NaN counts as the largest. */
export function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a - b || 0;
}

/** What can be added up: bools count as 0 and 1 of int32, as in add. */
export function counted(x: Tensor): Tensor {
  return x.dtype === "bool" ? x.to("int32") : x;
}
