// The op table under hard values: infinities, NaN, signed zeros, denormals, huge and tiny numbers, ties, and
// whole rows of any of them, for every op, its gradients included. wasm in float32 is held against the
// reference in float32, that against float64 wherever float32 can hold the result, and wasm in float64
// against the reference. What differs on purpose stands in differences.ts, which this test reads. The draws
// begin with a fixed seed (TWOHEADS_SEED for others): sums whose parts cancel have no bound that always holds.
// Next: values.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as core from "../core/index.ts";
import { type Draw, grad, opTable, type Tensor, tensor } from "../core/index.ts";
import { sizeOf } from "../core/shape.ts";
import "../kernels/index.ts";
import { type ComparedDevices, classes, differences, type Kind } from "./differences.ts";
import { described } from "./drawFrom.ts";
import { outputsOf, replaceTensors, withLeaves } from "./opCalls.ts";
import { holds } from "./property.ts";

core.use("reference");

/** The same draw with hard numbers in the tensors: mixed, the same in a row, or the same everywhere. */
function hard(d: Draw, without: readonly Kind[]): Draw {
  const kinds = (Object.keys(classes) as Kind[]).filter((kind) => !without.includes(kind));
  const number = (): number => d.pick(...classes[d.pick(...kinds)]);
  const numbers = (shape: readonly number[]): Float64Array => {
    const size = sizeOf(shape);
    const width = Math.max(1, shape.at(-1) ?? 1);
    const how = d.pick("mixed", "rows", "all");
    const values = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      const isNew = how === "mixed" || i === 0 || (how === "rows" && i % width === 0);
      values[i] = isNew ? Math.fround(number()) : (values[i - 1] ?? 0);
    }
    return values;
  };
  return { ...d, tensor: (shape) => tensor(numbers(shape), { shape }) };
}

function floatsOf(args: readonly unknown[], by: (x: Tensor) => Tensor): unknown[] {
  return replaceTensors(args, by, (x) => core.isFloat(x.dtype));
}

/** Values, and the gradients of their sum weighted by 1, -2, 3, ... */
function withGradients(name: string, args: readonly unknown[]): Tensor[] {
  const { live, leaves } = withLeaves(args, (x) => core.isFloat(x.dtype));
  const ys = outputsOf(name, live);
  const differentiable = ys.filter((y) => y.requiresGrad);
  if (differentiable.length === 0) return ys;
  const weights = differentiable.map((y) => {
    const data = Float64Array.from({ length: y.size }, (_, i) => (i % 2 === 0 ? 1 : -1) * (i + 1));
    return tensor(data, { shape: y.shape }).to(y.dtype).onDevice(y.device.name);
  });
  const gradients = grad(differentiable, leaves, { gradOutputs: weights, allowUnused: true });
  return [...ys, ...gradients.filter((g) => g !== null)];
}

/** Float32's denormals count as 0, and what rounds to its infinities as infinite. */
const floor = 2 ** -125;
const most = 3.4e38;

/**
 * The largest of the inputs that are of moderate size. What such numbers leave where they cancel, in a
 * gradient for example, is rounded as they are.
 */
function moderate(args: readonly unknown[]): number {
  let largest = 0;
  floatsOf(args, (x) => {
    for (const value of x.data)
      if (Math.abs(value) <= 1e6) largest = Math.max(largest, Math.abs(value));
    return x;
  });
  return largest;
}

/** Within `tolerance` of the result's largest number, and `slack`. */
function agree(got: Tensor, want: Tensor, tolerance: number, slack: number, what: string): void {
  assert.deepEqual(got.shape, want.shape);
  const [a, b] = [got.data, want.data];
  const largest = Math.max(0, ...[...b].filter(Number.isFinite).map(Math.abs));
  for (let i = 0; i < b.length; i++) {
    const [x = 0, y = 0] = [a[i], b[i]];
    const bound = tolerance * largest + slack + floor;
    const isEdge = Math.abs(x) === Infinity && Math.sign(x) === Math.sign(y) && Math.abs(y) > most;
    const fits = Object.is(x, y) || x === y || isEdge || Math.abs(x - y) <= bound;
    assert.ok(fits, `${what}: ${x} instead of ${y} at ${i} of [${b}]`);
  }
}

for (const [name, entry] of opTable) {
  const listed = differences.filter(({ ops }) => ops === "all" || ops.includes(name));
  describe(name, () => {
    const compare = (
      comparison: ComparedDevices,
      dtype: "float32" | "float64",
      device: string,
      tolerance: number,
    ): void => {
      const own = listed.filter((d) => d.comparison === comparison);
      const slack = Math.max(0, ...own.map((d) => d.slack ?? 0));
      test(`${name}: ${device} in ${dtype} under hard values`, () => {
        const left = own.flatMap((d) => d.kinds);
        holds(
          `${name}: ${device} in ${dtype} under hard values`,
          (d) => described(entry).draw(hard(d, left)),
          (args) => {
            const here = floatsOf(args, (x) => x.to(dtype));
            const want = withGradients(name, comparison === "float64" ? args : here);
            const there = replaceTensors(here, (x) => x.onDevice(device));
            const room = slack + (tolerance / 50) * moderate(args);
            withGradients(name, there).forEach((x, i) => {
              agree(x, want[i] as Tensor, tolerance, room, `${device} ${dtype} output ${i}`);
            });
          },
          { runs: 60, seed: Number(process.env.TWOHEADS_SEED ?? 2) },
        );
      });
    };
    compare("wasm in float64", "float64", "wasm", 1e-12);
    if (name === "to") return; // its draw is a conversion to float64
    compare("wasm", "float32", "wasm", 2e-5);
    compare("float64", "float32", "reference", 2e-5);
  });
}
