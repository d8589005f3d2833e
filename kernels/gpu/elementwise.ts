// Elementwise ops: one kernel around the formula of the op's entry, forward or backward. Where all
// operands lie alike (or are one number), cell i reads element i * step; else it walks their axes.
// Next: reduce.ts, which builds loops around a step in the same way.

import type { BackwardCall, ForwardCall } from "../../core/index.ts";
import type { ElementwiseKernel } from "../../core/op.ts";
import { broadcastStrides } from "../../core/shape.ts";
import type { GpuKernel, Helper } from "./compile.ts";
import type { Engine } from "./engine.ts";
import { formulaSource, kernelName, textKernel } from "./formulas.ts";
import { bufferOf, sizeOf } from "./rule.ts";
import type { GpuBuffer } from "./storage.ts";
import { coordinates, place, sizeNames, stepNames, walkNumbers, walkOf } from "./walk.ts";

/** y[i] = formula(a[...], b[...], ..., scalars), all operands stretched to y's shape. */
export function elementwise(
  engine: Engine,
  kernel: ElementwiseKernel,
  call: ForwardCall | BackwardCall,
): readonly GpuBuffer[] {
  const [g, , ...inputs] = call.tensors; // backwards: g, y, x
  const operands = call.pass === "forward" || !g ? call.tensors : [g, ...inputs];
  const scalars = kernel.scalars(call.args.at(-1));
  const [spec] = call.outputs;
  if (!spec) return [];
  const { shape, dtype } = spec;
  const walk = walkOf(
    shape,
    operands.map((x) => broadcastStrides(x.shape, shape)),
  );
  const source = elementwiseKernel(
    kernel,
    call,
    dtype,
    operands.length,
    walk.sizes.length,
    scalars.length,
  );
  const length = sizeOf({ shape });
  return [
    engine.launch(source, dtype, length, operands.map(bufferOf), [
      ...walkNumbers(walk),
      ...scalars,
    ]),
  ];
}

function elementwiseKernel(
  { forward, backward, uses }: ElementwiseKernel,
  { entry, pass }: ForwardCall | BackwardCall,
  dtype: GpuBuffer["dtype"],
  operands: number,
  rank: number,
  scalars: number,
): GpuKernel {
  const formula = (pass === "forward" ? forward : backward) as Helper;
  const arrays = ["a", "b", "c"].slice(0, operands);
  const options = Array.from({ length: scalars }, (_, i) => `s${i}`);
  const steps = arrays.flatMap((a) => stepNames(a, rank));
  const elements = [...arrays.map((a) => `${a}[${place(a, rank)}]`), ...options];
  const value = `formula(${elements.join(", ")})`;
  const text =
    (): string => `function elementwise(${[...arrays, ...sizeNames(rank), ...steps, ...options].join(", ")}) {
  const i = this.thread.x;
  ${coordinates(rank)}
  return ${dtype === "int32" ? `truncate(${value})` : value};
}`;
  return textKernel(`${kernelName(entry)}.${pass}.${rank}.${dtype}`, operands, text, () =>
    formulaSource("formula", formula, uses, dtype === "bool", entry),
  );
}
