// Views: elements that move and don't change. permute, expand and slice read every cell's element from
// where strides say; pad and cat put boxes into a larger tensor, one launch for each. Next: matmul.ts.

import type { ForwardCall, Shape, Tensor } from "../../core/index.ts";
import type { Copy, ViewKernel } from "../../core/op.ts";
import { stridesOf } from "../../core/shape.ts";
import type { GpuKernel } from "./compile.ts";
import type { Engine } from "./engine.ts";
import { textKernel } from "./formulas.ts";
import { bufferOf, firstOf, sizeOf } from "./rule.ts";
import type { GpuBuffer } from "./storage.ts";
import { coordinates, place, sizeNames, stepNames, walkNumbers, walkOf } from "./walk.ts";

/** y[i] = x[offset + Σ c_d * step_d]. */
function moveKernel(rank: number): GpuKernel {
  const numbers = [...sizeNames(rank), ...stepNames("x", rank), "offset"];
  const text = (): string => `function move(x, ${numbers.join(", ")}) {
  const i = this.thread.x;
  ${coordinates(rank)}
  return x[offset + ${place("x", rank)}];
}`;
  return textKernel(`move.${rank}`, 1, text);
}

/** x with its axes walked by other strides: what permute, expand and slice are. */
export function move(
  engine: Engine,
  x: GpuBuffer,
  shape: Shape,
  strides: readonly number[],
  offset = 0,
): GpuBuffer {
  const walk = walkOf(shape, [strides]);
  const kernel = moveKernel(walk.sizes.length);
  return engine.launch(kernel, x.dtype, sizeOf({ shape }), [x], [...walkNumbers(walk), offset]);
}

/** y[c] = x[c - first] inside of a box, and what was there before (or `fill`) outside. */
function insertKernel(rank: number, isFirst: boolean): GpuKernel {
  const axes = Array.from({ length: rank }, (_, d) => d);
  const numbers = [
    ...sizeNames(rank),
    ...axes.map((d) => `first${d}`),
    ...axes.map((d) => `side${d}`),
    ...stepNames("x", rank),
    ...(isFirst ? ["fill"] : []),
  ];
  const inside = axes.map((d) => `k${d} >= 0 && k${d} < side${d}`).join(" && ");
  const at = axes.map((d) => `k${d} * xStep${d}`).join(" + ");
  const text =
    (): string => `function insert(${isFirst ? "" : "before, "}x, ${numbers.join(", ")}) {
  const i = this.thread.x;
  ${coordinates(rank)}
  ${axes.map((d) => `const k${d} = c${d} - first${d};`).join("\n  ")}
  if (${inside}) {
    return x[${at}];
  }
  return ${isFirst ? "fill" : "before[i]"};
}`;
  return textKernel(`insert.${rank}${isFirst ? ".first" : ""}`, isFirst ? 1 : 2, text);
}

export function view(engine: Engine, kernel: ViewKernel, call: ForwardCall): readonly GpuBuffer[] {
  const spec = firstOf(call);
  const inputs = call.tensors;
  const copies = kernel.copies(...call.args);
  const [only] = copies;
  if (copies.length === 1 && only && sizeOf(only) === sizeOf(spec)) {
    const { input, shape, from } = only;
    return [move(engine, bufferOf(inputs[input] as Tensor), shape, from.strides, from.offset)];
  }
  const fill = kernel.fill?.(...call.args) ?? 0;
  let buffer: GpuBuffer | null = null;
  for (const copy of copies) {
    if (sizeOf(copy) === 0) continue;
    const box = { before: buffer, spec, fill };
    buffer = insert(engine, box, copy, bufferOf(inputs[copy.input] as Tensor));
  }
  return [buffer ?? filled(engine, sizeOf(spec), fill, spec.dtype)];
}

interface Box {
  readonly before: GpuBuffer | null;
  readonly spec: { readonly shape: Shape; readonly dtype: GpuBuffer["dtype"] };
  readonly fill: number;
}

function insert(engine: Engine, { before, spec, fill }: Box, copy: Copy, x: GpuBuffer): GpuBuffer {
  const shape = spec.shape.length === 0 ? [1] : spec.shape;
  const strides = stridesOf(shape);
  const rank = shape.length;
  const first = strides.map((stride, d) => Math.floor(copy.to.offset / stride) % (shape[d] ?? 1));
  const numbers = [
    ...shape.slice(1),
    ...first,
    ...(copy.shape.length === 0 ? [1] : copy.shape),
    ...(copy.from.strides.length === 0 ? [0] : copy.from.strides),
    ...(before === null ? [fill] : []),
  ];
  const sources = before === null ? [x] : [before, x];
  const kernel = insertKernel(rank, before === null);
  return engine.launch(kernel, spec.dtype, sizeOf({ shape }), sources, numbers);
}

/** `length` times the same number. */
export function filled(
  engine: Engine,
  length: number,
  value: number,
  dtype: GpuBuffer["dtype"] = "float32",
): GpuBuffer {
  return engine.launch(moveKernel(1), dtype, length, [engine.scalar(value)], [0, 0]);
}
