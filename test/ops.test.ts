// Everything that follows from an op's entry is tested here for every op of the table, by what twoheads/testing asks of
// an op: gradients to order 2 against finite differences, fused loops against their definition, float32 against float64,
// every other device against the reference, transposed inputs, recording, and the example. The checker
// is tested too, by planting wrong gradients in it. Next: ../testing/op.ts, tape.test.ts.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { within } from "../core/draw.ts";
import { allocate } from "../core/hostMemory.ts";
import * as core from "../core/index.ts";
import {
  type Device,
  furtherOps,
  gradcheck,
  opTable,
  type Tensor,
  type TypedArray,
} from "../core/index.ts";
import { elementwise, type Unary } from "../core/kinds.ts";
import { sizeOf } from "../core/shape.ts";
import "../core/further/methods.ts";
import "../kernels/index.ts";
import { opProperties } from "../testing/op.ts";
import { RUNS } from "../testing/property.ts";
import { functionOf } from "./opNamed.ts";

let properties = 0;

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

for (const name of every.keys()) {
  describe(name, () => {
    for (const { name: what, run } of opProperties(functionOf(name), {
      devices: ["boxed", "wasm"],
    })) {
      if (what.endsWith("boxed agrees with the reference in float32")) continue; // the same loops
      properties++;
      test(what, run);
    }
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
