// Everything that follows from an op's entry is tested here for every op of the table: gradients to
// order 2 against finite differences, fused loops against their definition, float32 against float64,
// every other device against the reference, transposed inputs, recording, and the example. The checker
// is tested too, by planting wrong gradients in it. Next: tape.test.ts.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { within } from "../core/draw.ts";
import { allocate } from "../core/dtype.ts";
import * as core from "../core/index.ts";
import {
  type Device,
  type Entry,
  furtherOps,
  grad,
  gradcheck,
  noGrad,
  opTable,
  type Tensor,
  type TypedArray,
  withDefinitions,
} from "../core/index.ts";
import { elementwise, type Unary } from "../core/kinds.ts";
import { sizeOf } from "../core/shape.ts";
import "../core/further/methods.ts";
import "../kernels/index.ts";
import { described } from "./drawFrom.ts";
import { outputsOf, replaceTensors } from "./opCalls.ts";
import { holds, RUNS } from "./property.ts";

let properties = 0;

/** The arguments with other tensors in the places of the float ones. */
function replaceFloats(args: readonly unknown[], by: (x: Tensor, i: number) => Tensor): unknown[] {
  return replaceTensors(args, by, (x) => core.isFloat(x.dtype));
}

function floatsOf(args: readonly unknown[]): Tensor[] {
  const found: Tensor[] = [];
  replaceFloats(args, (x) => {
    found.push(x);
    return x;
  });
  return found;
}

function near(actual: Tensor, expected: Tensor, tolerance: number, what: string): void {
  assert.deepEqual(actual.shape, expected.shape, `${what}: shape`);
  const [a, b] = [actual.data, expected.data];
  for (let i = 0; i < b.length; i++) {
    const [x = 0, y = 0] = [a[i], b[i]];
    const fits = Object.is(x, y) || Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y));
    assert.ok(fits, `${what}: ${x} instead of ${y} at ${i}`);
  }
}

function sameBits(actual: readonly Tensor[], expected: readonly Tensor[], what: string): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((x, i) => {
    assert.equal(x.dtype, expected[i]?.dtype, `${what}: dtype`);
    near(x, expected[i] as Tensor, 0, what);
  });
}

/** Values and the gradients of their weighted sum. */
function withGradients(name: string, args: readonly unknown[]): Tensor[] {
  const leaves = floatsOf(args).map((x) => x.detach().requiresGrad_());
  const ys = outputsOf(
    name,
    replaceFloats(args, (_, i) => leaves[i] as Tensor),
  );
  const live = ys.filter((y) => y.requiresGrad);
  const weights = live.map((y) =>
    core
      .arange(1, y.size + 1)
      .onDevice(y.device.name)
      .to(y.dtype)
      .reshape(y.shape)
      .sin(),
  );
  const gradients =
    live.length === 0 ? [] : grad(live, leaves, { gradOutputs: weights, allowUnused: true });
  return [...ys, ...gradients.map((g, i) => g ?? core.zerosLike(leaves[i] as Tensor))];
}

/** Ops whose result jumps, so that float32 rounding of the inputs may change it. */
function isSmooth(entry: Entry): boolean {
  return entry.kernel.kind !== "pick" && !["sort", "topk", "argsort"].includes(entry.name);
}

function exampleMatches(example: string): void {
  const [code = "", expected = ""] = example.split("  // ");
  const names = Object.keys(core).filter((name) => /^[a-z]\w*$/i.test(name) && name !== "var");
  const values = names.map((name) => (core as unknown as Record<string, unknown>)[name]);
  const result: unknown = new Function(...names, `return ${code}`)(...values);
  assert.equal(
    Array.isArray(result) ? result.map(String).join(" ") : String(result),
    expected,
    code,
  );
}

const wrong: [string, Unary][] = [
  ["0.1 % too large", planted((x) => x.cos().mul(1.001))],
  ["another sign", planted((x) => x.cos().neg())],
  ["right value, not differentiable again", planted((x) => core.noGrad(() => x.cos()))],
];

/**
 * A device whose buffers are boxes: the loops are the reference's, but whatever in core takes a buffer
 * for an array, or makes a tensor on the wrong device, fails on it.
 */
class Box {
  constructor(public data: TypedArray) {}
}

const boxed: Device = {
  name: "boxed",
  upload: (data) => new Box(data.slice()),
  view: (buffer) => (buffer as Box).data,
  read: async (buffer) => (buffer as Box).data.slice(),
  write: (buffer, data) => (buffer as Box).data.set(data),
  free: (buffer) => {
    (buffer as Box).data.fill(99); // whoever reads on after a release shows
  },
  run: (call) => {
    const outputs = call.outputs.map((spec) => {
      if (spec === null) return null;
      return { ...spec, data: allocate(spec.dtype, sizeOf(spec.shape)) };
    });
    core.runLoops(call, outputs);
    return outputs.flatMap((block) => (block === null ? [] : [new Box(block.data)]));
  },
};
core.registerDevice("boxed", () => boxed);
core.use("reference");

/** The devices that are held against the reference in each dtype, and how far they may be off. */
const devices: readonly { name: string; dtype: "float32" | "float64"; tolerance: number }[] = [
  { name: "boxed", dtype: "float64", tolerance: 0 },
  { name: "wasm", dtype: "float64", tolerance: 1e-12 }, // fused ops may run their definitions
  { name: "wasm", dtype: "float32", tolerance: 1e-5 },
];

/** sine with a derivative of your choice. */
function planted(derivative: (x: Tensor) => Tensor): Unary {
  return elementwise({
    forward: (x) => Math.sin(x),
    vjp: (g: Tensor, _y: Tensor, x: Tensor) => [g.mul(derivative(x))],
    example: "",
    draw: within(-3, 3),
  });
}

const every = new Map([...opTable, ...furtherOps]);

for (const [name, entry] of every) {
  describe(name, () => {
    const property = (
      what: string,
      predicate: (args: readonly unknown[]) => void,
      runs = RUNS,
    ): void => {
      properties++;
      test(`${name}: ${what}`, () =>
        holds(`${name}: ${what}`, described(entry).draw, predicate, { runs }));
    };
    property("gradients to order 2 agree with finite differences", (args) => {
      const leaves = floatsOf(args);
      if (leaves.length === 0) return;
      const fn = (...xs: Tensor[]): Tensor[] =>
        outputsOf(
          name,
          replaceFloats(args, (_, i) => xs[i] as Tensor),
        ).filter((y) => y.dtype === "float64");
      if (fn(...leaves).length > 0) gradcheck(fn, leaves, { name }); // else integers or bools: no slopes
    });
    property("recording leaves the value unchanged", (args) => {
      const recorded = outputsOf(
        name,
        replaceFloats(args, (x) => x.detach().requiresGrad_()),
      );
      sameBits(
        recorded,
        noGrad(() => outputsOf(name, args)),
        "recorded",
      );
    });
    property("transposed inputs give the same", (args) => {
      const twice = replaceFloats(args, (x) => (x.rank < 2 ? x : x.transpose().transpose()));
      sameBits(outputsOf(name, twice), outputsOf(name, args), "transposed");
    });
    property("float32 agrees with float64", (args) => {
      if (!isSmooth(entry) || name === "to") return;
      const single = withGradients(
        name,
        replaceFloats(args, (x) => x.to("float32")),
      );
      withGradients(name, args).forEach((y, i) => {
        const x = single[i] as Tensor;
        assert.equal(x.dtype, y.dtype === "float64" ? "float32" : y.dtype);
        near(x.to("float64"), y.to("float64"), 2e-5, "float32");
      });
    });
    for (const { name: device, dtype, tolerance } of devices) {
      property(`${device} agrees with the reference in ${dtype}`, (args) => {
        if (dtype === "float32" && name === "to") return; // its draw is a conversion to float64
        const here = replaceFloats(args, (x) => x.to(dtype));
        const there = withGradients(
          name,
          replaceTensors(here, (x) => x.onDevice(device)),
        );
        withGradients(name, here).forEach((y, i) => {
          const x = there[i] as Tensor;
          assert.equal(x.device.name, device);
          near(x, y, tolerance, device);
        });
      });
    }
    if (entry.definition !== undefined && entry.kernel.kind !== "composed") {
      property("the fused loops agree with the definition", (args) => {
        const expected = withDefinitions(() => withGradients(name, args));
        withGradients(name, args).forEach((y, i) => {
          near(y, expected[i] as Tensor, 1e-10, "fused");
        });
      });
    }
    test(`${name}: its example prints what it says`, () =>
      exampleMatches(described(entry).example));
  });
}

describe("the checker catches planted wrong gradients", () => {
  for (const [what, op] of wrong) {
    test(what, () => {
      const x = core.tensor([0.5, 1, -2], { dtype: "float64" });
      assert.throws(
        () => gradcheck(op, x, { name: "planted" }),
        /planted: argument 0 .*the gradient says/,
      );
    });
  }
  test("in one element of many", () => {
    const op = planted((x) => x.cos().mul(x.gt(1.9).where(1.001, 1)));
    const x = core.linspace(-2, 2, 200, { dtype: "float64" });
    assert.throws(() => gradcheck(op, x, { name: "planted" }), /at \[19\d\]/);
  });
  test("and lets the right one pass", () => {
    assert.ok(
      gradcheck(
        planted((x) => x.cos()),
        core.tensor([0.5, 1, -2], { dtype: "float64" }),
      ),
    );
  });
});

after(() => {
  console.log(
    `op tables: ${every.size} ops, ${properties} properties of ${RUNS} drawn inputs each`,
  );
});
