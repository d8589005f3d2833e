// The op table under hard values: infinities, NaN, signed zeros, denormals, huge and tiny numbers, ties, and
// whole rows of any of them, for every op, its gradients included. wasm in float32 is held against the
// reference in float32, that against float64 wherever float32 can hold the result, and wasm in float64
// against the reference. What differs on purpose stands in differences.ts, which this test reads. The draws
// begin with a fixed seed (TWOHEADS_SEED for others).
// Next: values.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as core from "../core/index.ts";
import { type Draw, grad, opTable, type Tensor, tensor } from "../core/index.ts";
import { sizeOf } from "../core/shape.ts";
import "../kernels/index.ts";
import { outputsOf, replaceTensors, withLeaves } from "../testing/calls.ts";
import { described } from "../testing/draw.ts";
import { holds } from "../testing/property.ts";
import { type ComparedDevices, classes, differences, type Kind } from "./differences.ts";
import { functionOf } from "./opNamed.ts";

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
  const ys = outputsOf(functionOf(name), live);
  const differentiable = ys.filter((y) => y.requiresGrad);
  if (differentiable.length === 0) return ys;
  const weights = differentiable.map((y) => {
    const data = Float64Array.from({ length: y.size }, (_, i) => (i % 2 === 0 ? 1 : -1) * (i + 1));
    return tensor(data, { shape: y.shape }).to(y.dtype).onDevice(y.device.name);
  });
  const gradients = grad(differentiable, leaves, { gradOutputs: weights, allowUnused: true });
  return [...ys, ...gradients.filter((g) => g !== null)];
}

function largestOf(args: readonly unknown[]): number {
  let largest = 0;
  floatsOf(args, (x) => {
    for (const v of x.data) if (Number.isFinite(v)) largest = Math.max(largest, Math.abs(v));
    return x;
  });
  return largest;
}

/** Float32's denormals count as 0, and what rounds to its infinities as infinite. */
const floor = 2 ** -125;
const most = 3.4e38;

/** Numbers that differ by rounding: how far the result moves when each input moves by so many units in the last place. */
const ulps = 4;

/** The arguments with number k of tensor j moved by `by` of itself. */
function moved(args: readonly unknown[], j: number, k: number, by: number): unknown[] {
  return replaceTensors(
    args,
    (x, i) => {
      if (i !== j) return x;
      const data = Float64Array.from(x.data);
      data[k] = (data[k] ?? 0) * (1 + by);
      return tensor(data, { shape: x.shape, dtype: "float64" });
    },
    (x) => core.isFloat(x.dtype),
  );
}

/**
 * For each number of each result, the sum of what it moves when each input moves a little, one at a time (all
 * together would leave ties ties); Infinity where it leaves or enters the infinities or NaN. Computed in float64.
 */
function sensitivity(name: string, args: readonly unknown[], relative: number): Float64Array[] {
  const exact = floatsOf(args, (x) => x.to("float64"));
  const base = withGradients(name, exact).map((x) => x.data);
  const sums = base.map((data) => new Float64Array(data.length));
  const sizes: Tensor[] = [];
  floatsOf(exact, (x) => {
    sizes.push(x);
    return x;
  });
  sizes.forEach((x, j) => {
    x.data.forEach((value, k) => {
      if (value === 0 || !Number.isFinite(value)) return;
      for (const by of [relative, -relative]) {
        withGradients(name, moved(exact, j, k, by)).forEach((y, i) => {
          const [was, sum] = [base[i] ?? [], sums[i] ?? []];
          y.data.forEach((v, p) => {
            const step = Object.is(v, was[p]) ? 0 : Math.abs(v - (was[p] ?? 0));
            sum[p] = (sum[p] ?? 0) + (Number.isNaN(step) ? Infinity : step);
          });
        });
      }
    });
  });
  return sums;
}

/** Where a result is farther off than `tolerance` of its largest number and `slack`. */
function wrongPlaces(got: Tensor, want: Tensor, tolerance: number, slack: number): number[] {
  assert.deepEqual(got.shape, want.shape);
  const [a, b] = [got.data, want.data];
  const largest = Math.max(0, ...[...b].filter(Number.isFinite).map(Math.abs));
  const bound = tolerance * largest + slack + floor;
  return [...b.keys()].filter((i) => {
    const [x = 0, y = 0] = [a[i], b[i]];
    const isEdge = Math.abs(x) === Infinity && Math.sign(x) === Math.sign(y) && Math.abs(y) > most;
    return !(Object.is(x, y) || x === y || isEdge || Math.abs(x - y) <= bound);
  });
}

/** Within `tolerance` of the result's largest number, or else within what rounded inputs would move it. */
function agree(
  got: readonly Tensor[],
  want: readonly Tensor[],
  tolerance: number,
  slack: number,
  moves: () => Float64Array[],
  what: string,
): void {
  let bounds: Float64Array[] | undefined;
  got.forEach((x, i) => {
    const y = want[i] as Tensor;
    for (const at of wrongPlaces(x, y, tolerance, slack)) {
      bounds ??= moves();
      const [a = 0, b = 0, bound = 0] = [x.data[at], y.data[at], bounds[i]?.[at]];
      const fits = bound === Infinity || Math.abs(a - b) <= bound;
      assert.ok(
        fits,
        `${what} output ${i}: ${a} instead of ${b} +- ${bound} at ${at} of [${y.data}]`,
      );
    }
  });
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
            const unit = ulps * (dtype === "float32" ? 2 ** -23 : 2 ** -52);
            const terms = own.map((d) => d.terms?.(largestOf(args)) ?? 0);
            const room = slack + unit * Math.max(1, ...terms); // weights are 1 and more
            const moves = (): Float64Array[] => sensitivity(name, here, unit);
            agree(withGradients(name, there), want, tolerance, room, moves, `${device} ${dtype}`);
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

// The bound must not be so wide that it lets an error through: one of 0.1 % in the largest number of any result.
const planted = ["sum", "softmax", "gelu", "crossEntropy", "matmul", "layerNorm", "rmsNorm"];
for (const name of [...planted, "scaledDotProductAttention", "packedAttention"]) plantedIn(name);

function plantedIn(name: string): void {
  test(`${name}: an error of 0.1 % is found under hard values`, () => {
    const entry = opTable.get(name);
    assert.ok(entry);
    let [drawn, found] = [0, 0];
    const kinds: readonly Kind[] = ["huge", "infinite", "nan", "tiny", "denormal", "large"];
    holds(
      name,
      (d) => described(entry).draw(hard(d, kinds)),
      (args) => {
        const here = floatsOf(args, (x) => x.to("float32"));
        const want = withGradients(name, here);
        const moves = (): Float64Array[] => sensitivity(name, here, ulps * 2 ** -23);
        want.forEach((y, i) => {
          const sizes = [...y.data].map(Math.abs);
          const at = sizes.indexOf(Math.max(...sizes));
          if (!((sizes[at] ?? 0) > 1e-3)) return;
          const wrong = Float64Array.from(y.data, (v, k) => (k === at ? v * 1.001 : v));
          const got = want.map((x, k) => (k === i ? tensor(wrong, { shape: y.shape }) : x));
          drawn++;
          try {
            agree(got, want, 2e-5, 0, moves, name);
          } catch {
            found++;
          }
        });
      },
      { runs: 20, seed: 2 },
    );
    assert.ok(drawn > 5 && found === drawn, `${found} of ${drawn}`);
  });
}
