// The checker is checked: it must catch every mistake of a catalogue, for every seed, say where it is, and
// let the right functions pass; and where no gradient can be compared, it must say why.
// Next: kit/planted.ts for the mistakes, ops.test.ts for the gradients that it watches over.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  GradcheckError,
  grad,
  gradcheck,
  noGrad,
  random,
  type Tensor,
  tensor,
} from "../core/index.ts";
import { plantedErrors, type TensorFunction } from "../testing/planted.ts";

const f64 = (values: number | number[]): Tensor => tensor(values, { dtype: "float64" });
const seeds = 20;

function failure(
  fn: TensorFunction,
  inputs: Tensor | readonly Tensor[],
  options = {},
): string | null {
  try {
    gradcheck(fn, inputs, options);
    return null;
  } catch (error) {
    assert.ok(error instanceof GradcheckError, String(error));
    return error.message;
  }
}

const place =
  /^gradcheck: (gradient of )?f: (argument \d|the gradient of output \d) at \[[\d,]*\] of float64\[[\d,]*\](, of (output( \d+)? at \[[\d,]*\]|the output times \S+|a random sum of the outputs))?: the gradient says \S+, finite differences say /;

describe("a wrong gradient is caught and named, whatever the seed", () => {
  for (const { what, right, wrong, inputs, order = 1 } of plantedErrors) {
    test(what, () => {
      for (let seed = 0; seed < seeds; seed++) {
        const xs = inputs(random(seed));
        const options = { seed, order, name: "f" };
        const message = failure(wrong, xs, options);
        assert.match(message ?? `seed ${seed}: not caught`, place);
        if (order === 2) {
          assert.match(message ?? "", /^gradcheck: gradient of f/);
          assert.equal(failure(wrong, xs, { ...options, order: 1 }), null, "order 1 is right");
        }
        if (seed < 3) assert.equal(failure(right, xs, options), null, "the right one passes");
      }
    });
  }

  test("the message names the element, the output and both numbers", () => {
    const half = plantedErrors.find(({ what }) => what.startsWith("half, at the small one of two"));
    assert.match(
      failure(half?.wrong as TensorFunction, f64([20, 0]), { name: "exp" }) ?? "",
      /^gradcheck: exp: argument 0 at \[1\] of float64\[2\], of output at \[1\]: the gradient says 0\.5, finite differences say (1|1\.0000|0\.9999)/,
    );
    assert.match(
      failure((x) => x.detach().mul(2), f64([1, 2])) ?? "",
      /the gradient says 0, .* the tape knows no way .* detach, noGrad or plain numbers \(x\.data\)/,
    );
  });
});

describe("where nothing can be compared, the message says why", () => {
  const cases: Record<string, [fn: unknown, inputs: Tensor, message: RegExp]> = {
    "a kink": [
      (x: Tensor) => x.relu(),
      f64([1, 0]),
      /at \[1\].*has a kink here, with slope 0 below and 1 above/,
    ],
    "a kink of the gradient": [
      (x: Tensor) => x.relu().square(),
      f64([0]),
      /gradient of .*kink here, with slope 0 below and 2\.?/,
    ],
    "a jump of the gradient": [
      (x: Tensor) => x.abs(),
      f64([0]),
      /gradient of .*the function jumps here/,
    ],
    "an edge": [(x: Tensor) => x.sqrt(), f64([0]), /isn't finite on both sides of this point/],
    "another draw each time": [
      (
        (rng) => (x: Tensor) =>
          x.mul(rng.uniform())
      )(random(1)),
      f64([1]),
      /isn't deterministic: output at \[0\] was 0\.\d+ and then 0\.\d+ for the same inputs/,
    ],
    "another value in every seventh call": [
      (
        (calls) => (x: Tensor) =>
          x.mul(++calls % 7 === 0 ? 3 : 2)
      )(0),
      f64([1, 2]),
      /isn't deterministic: /,
    ],
    "no tensor": [() => undefined, f64([1]), /returned undefined and no tensor/],
    "a number": [(x: Tensor) => x.data[0], f64([1]), /returned a number and no tensor/],
    "a tensor among others": [(x: Tensor) => [x, 1], f64([1]), /returned a number and no tensor/],
    "an empty list": [() => [], f64([1]), /returned an empty list and no tensor/],
    "a promise": [async (x: Tensor) => x, f64([1]), /returned a promise and no tensor/],
    bools: [(x: Tensor) => x.gt(0), f64([1]), /returned a bool tensor; differences need float64/],
    float32: [(x: Tensor) => x.to("float32"), f64([1]), /returned a float32 tensor/],
  };
  for (const [what, [fn, inputs, message]] of Object.entries(cases)) {
    test(what, () => assert.match(failure(fn as TensorFunction, inputs) ?? "not caught", message));
  }
});

describe("what is right passes", () => {
  const rights: Record<string, [fn: TensorFunction, inputs: Tensor]> = {
    "closer to a kink than the step": [(x) => x.relu(), f64([0.0005, -0.0005])],
    "closer to an edge than the step": [(x) => x.log(), f64([0.0005])],
    "where a step must be far below 1e-3": [(x) => x.reciprocal(), f64([1e-4])],
    "large numbers": [(x) => x.log().add(x.mul(3)), f64([1e10, 1e15, 1])],
    "very large and very small slopes": [(x) => x.exp(), f64([20, 0, -20, -300])],
    "steps, whose slope is 0": [
      (x) => noGrad(() => x.gt(0).where(1, 0).to("float64")),
      f64([1, -1]),
    ],
    "a constant": [() => f64([3]), f64([1, 2])],
    "outputs that cancel to 0": [(x) => x.softmax({ dim: 0 }).sum().sub(1), f64([1, 2, 3])],
    "a function that asks for gradients itself": [
      (x) => grad(x.square().mul(x).sum(), x, { createGraph: true })[0] as Tensor,
      f64([1, -2]),
    ],
    "the argument itself": [(x) => x, f64([1, -2])],
    "no elements": [(x) => x.exp(), tensor([], { dtype: "float64" })],
    "large inputs": [
      (x) => x.softmax({ dim: 0 }),
      tensor(Float64Array.from({ length: 300 }, (_, i) => Math.sin(i))),
    ],
  };
  for (const [what, [fn, inputs]] of Object.entries(rights))
    test(what, () => assert.equal(failure(fn, inputs), null));
});
