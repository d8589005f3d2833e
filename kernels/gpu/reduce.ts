// Reductions: kernels around the step of the op's entry. One cell folds up to `chunk` elements, in
// several rounds where there are more, so that many cells work at once and rounding errors stay small.
// A scan folds, for each cell, everything up to it; a pick looks for the position that no other beats.
// Next: view.ts.

import { type Entry, type ForwardCall, opTable } from "../../core/index.ts";
import type { Around } from "../../core/kernel.ts";
import type { PickKernel, ReduceKernel } from "../../core/op.ts";
import type { GpuKernel, Helper } from "./compile.ts";
import type { Engine } from "./engine.ts";
import { formulaSource, kernelName, textKernel } from "./formulas.ts";
import type { HelperSource } from "./library.ts";
import { bufferOf, firstOf, sizeOf } from "./rule.ts";
import type { GpuBuffer } from "./storage.ts";

/** Elements that one cell folds in a round. */
const chunk = 256;

const foldText = `function fold(x, n, inner, size, chunks, start) {
  const i = this.thread.x;
  const q = quotient(i, inner);
  const o = quotient(q, chunks);
  const first = (q - o * chunks) * size;
  const last = Math.min(n, first + size);
  let total = start;
  for (let k = first; k < last; k += 1) {
    total = stepOf(total, x[(o * n + k) * inner + i - q * inner]);
  }
  return total;
}`;

const scanText = `function scan(x, n, inner, reverse, start) {
  const i = this.thread.x;
  const q = quotient(i, inner);
  const o = quotient(q, n);
  const at = q - o * n;
  let first = 0;
  let turn = 1;
  let count = at + 1;
  if (reverse > 0) {
    first = n - 1;
    turn = 0 - 1;
    count = n - at;
  }
  let total = start;
  for (let j = 0; j < count; j++) {
    const k = first + turn * j;
    total = stepOf(total, x[(o * n + k) * inner + i - q * inner]);
  }
  return total;
}`;

const pickText = `function pick(x, n, inner) {
  const i = this.thread.x;
  const o = quotient(i, inner);
  const first = o * n * inner + i - o * inner;
  let best = 0;
  let value = x[first];
  for (let k = 1; k < n; k++) {
    const other = x[first + k * inner];
    if (isBetter(other, value) > 0) {
      best = k;
      value = other;
    }
  }
  return best;
}`;

/** y[o, i] = fold of x[o, 0..n-1, i] with the step of a reduce entry. */
export function fold(
  engine: Engine,
  entry: Entry,
  x: GpuBuffer,
  { outer, n, inner }: Around,
  dtype: GpuBuffer["dtype"] = x.dtype,
): GpuBuffer {
  const { step, start } = entry.kernel as ReduceKernel;
  const kernel = textKernel(
    kernelName(entry),
    1,
    () => foldText,
    () => formulaSource("stepOf", step, [], false, entry),
  );
  let [from, left] = [x, n];
  do {
    // somebody's own step may not take its own results: sums of squares, say, are folded in one go
    const chunks = entry.isOwn ? 1 : Math.max(1, Math.ceil(left / chunk));
    const size = Math.ceil(left / chunks);
    const numbers = [left, inner, size, chunks, start];
    from = engine.launch(kernel, dtype, outer * chunks * inner, [from], numbers);
    left = chunks;
  } while (left > 1);
  return from;
}

const foldWith =
  (name: string) =>
  (engine: Engine, x: GpuBuffer, around: Around): GpuBuffer =>
    fold(engine, opTable.get(name) as Entry, x, around);

/** Sums, with the step of the op `sum`. */
export const sum = foldWith("sum");

/** Largest elements, with the step of the op `max`. */
export const max = foldWith("max");

export function reduce(
  engine: Engine,
  { around }: ReduceKernel,
  call: ForwardCall,
): readonly GpuBuffer[] {
  return call.tensors.map((x) =>
    fold(engine, call.entry, bufferOf(x), around(...call.args), firstOf(call).dtype),
  );
}

export function scan(
  engine: Engine,
  { step, start, around, reverse }: ReduceKernel,
  call: ForwardCall,
): readonly GpuBuffer[] {
  const { n, inner } = around(...call.args);
  const functions = (): readonly HelperSource[] => formulaSource("stepOf", step);
  const kernel = textKernel(call.entry.name, 1, () => scanText, functions);
  const numbers = [n, inner, reverse?.(...call.args) ? 1 : 0, start];
  return launchLike(engine, kernel, call, numbers);
}

export function pick(
  engine: Engine,
  { better, around }: PickKernel,
  call: ForwardCall,
): readonly GpuBuffer[] {
  const { n, inner } = around(...call.args);
  const functions = (): readonly HelperSource[] =>
    formulaSource("isBetter", better as Helper, [], true);
  const kernel = textKernel(call.entry.name, 1, () => pickText, functions);
  return launchLike(engine, kernel, call, [n, inner]);
}

function launchLike(
  engine: Engine,
  kernel: GpuKernel,
  call: ForwardCall,
  numbers: number[],
): readonly GpuBuffer[] {
  const spec = firstOf(call);
  return [engine.launch(kernel, spec.dtype, sizeOf(spec), call.tensors.map(bufferOf), numbers)];
}
