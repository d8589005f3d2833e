// Ops of other people: the kinds from outside, and functions with gradients of their own. Each has its values and its
// gradients to order 2, on every device that Node has; and what is written wrong is told. The three ops of the guide
// come from the packed package in package.test.ts. Next: core/further/own.ts, core/further/custom.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  addMethods,
  composed,
  custom,
  elementwise,
  fused,
  grad,
  gradcheck,
  keep,
  noGrad,
  reduce,
  scope,
  showTape,
  type Tensor,
  TwoheadsError,
  tensor,
  use,
} from "../core/index.ts";
import "../core/further/methods.ts";
import "../kernels/index.ts";

use("reference");
const f64 = (values: number | number[] | number[][]): Tensor =>
  tensor(values, { dtype: "float64" });

export const softsign = elementwise({
  name: "softsign",
  forward: (x) => x / (1 + Math.abs(x)),
  vjp: (g, _y, x) => [g.div(x.abs().add(1).square())],
});
const leaky = elementwise({
  name: "leaky",
  arity: 1,
  options: { slope: 0.25 },
  forward: (x, slope) => (x > 0 ? x : slope * x),
  vjp: (g, _y, x, { slope }) => [x.gt(0).where(g, g.mul(slope))],
});
const length = elementwise({
  name: "length",
  forward: (a, b) => Math.sqrt(a * a + b * b),
  vjp: (g, y, a, b) => [g.mul(a).div(y), () => g.mul(b).div(y)],
});
const cube = elementwise({
  name: "cube",
  forward: (x) => x * x * x,
  backward: (g, x) => 3 * g * x * x,
  definition: (x) => x.mul(x).mul(x),
});
const sumOfSquares = reduce({
  name: "sumOfSquares",
  start: 0,
  step: (sum, x) => sum + x * x,
  vjp: (g, _y, x, options) => [keep(g, x, options).mul(x).mul(2)],
});
const roundSte = custom({
  name: "roundSte",
  forward: (x: Tensor) => x.round(),
  backward: (g) => [g],
});
/** Distance from 0 and the product, with one that has no gradient. */
const polar = custom({
  name: "polar",
  forward: (x: Tensor, y: Tensor) => {
    const squares = x.square().add(y.square());
    return { outputs: [squares.sqrt(), x.mul(y), x.gt(0)], saved: { squares } };
  },
  backward: ([gr, gm], { args: [x, y], outputs: [r], saved }) => {
    assert.equal(saved.squares.size, r.size);
    return [gr.mul(x).div(r).add(gm.mul(y)), () => gr.mul(y).div(r).add(gm.mul(x))];
  },
});
/** softmax(scores) V in one loop. */
const mix = fused({
  name: "mix",
  definition: (scores: Tensor, v: Tensor) => scores.softmax({ dim: -1 }).matmul(v),
  saves: ["p"],
  infer: (s, v) => [
    { shape: [s.shape[0] ?? 0, v.shape[1] ?? 0], dtype: s.dtype },
    { p: { shape: s.shape, dtype: s.dtype } },
  ],
  forward: ([y, { p }], s, v) => {
    const [n = 0, k = 0] = s.shape;
    const width = v.shape[1] ?? 0;
    for (let i = 0; i < n; i++) {
      const row = [...s.data.subarray(i * k, i * k + k)];
      const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
      const mass = row.reduce((sum, x) => sum + Math.exp(x - max), 0);
      for (let j = 0; j < k; j++) {
        const share = Math.exp((row[j] ?? 0) - max) / mass;
        p.data[i * k + j] = share;
        for (let c = 0; c < width; c++)
          y.data[i * width + c] =
            (y.data[i * width + c] ?? 0) + share * (v.data[j * width + c] ?? 0);
      }
    }
  },
  backward: ([ds, dv], g, [y, { p }], s, v) => {
    const [n = 0, k = 0] = s.shape;
    const width = v.shape[1] ?? 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < k; j++) {
        const share = p.data[i * k + j] ?? 0;
        for (let c = 0; c < width; c++) {
          const [at, to] = [i * width + c, j * width + c];
          const gy = g.data[at] ?? 0;
          if (ds)
            ds.data[i * k + j] =
              (ds.data[i * k + j] ?? 0) + share * gy * ((v.data[to] ?? 0) - (y.data[at] ?? 0));
          if (dv) dv.data[to] = (dv.data[to] ?? 0) + share * gy;
        }
      }
  },
});
const meanSquare = composed({
  name: "meanSquare",
  takes: "x: Tensor",
  definition: (x: Tensor) => x.square().mean(),
});

const a = f64([
  [0.5, -1.25, 2],
  [2.1, 0.3, -0.4],
]);
const b = f64([
  [1, 2, 0.25],
  [0.3, -0.7, 1.5],
]);
const square = f64([
  [1, 2],
  [0.3, -0.7],
  [1, 0.5],
]);

describe("gradients to order 2 are right", () => {
  const cases: Record<
    string,
    [fn: (...xs: Tensor[]) => Tensor | readonly Tensor[], inputs: Tensor[]]
  > = {
    softsign: [softsign, [a]],
    "an option": [(x) => leaky(x as Tensor, { slope: 0.1 }), [a]],
    "an option left out": [(x) => leaky(x as Tensor), [a]],
    "two operands that broadcast": [
      (x, y) => length(x as Tensor, y as Tensor),
      [a, f64([1, 2, 3])],
    ],
    "a formula of the derivative, with a definition": [cube, [a]],
    "a reduction of an axis": [(x) => sumOfSquares(x as Tensor, { dims: 0 }), [a]],
    "a reduction of all": [(x) => sumOfSquares(x as Tensor), [a]],
    "several outputs": [(x, y) => polar(x as Tensor, y as Tensor).slice(0, 2), [a, b]],
    "one output of several": [(x, y) => polar(x as Tensor, y as Tensor)[0], [a, b]],
    "loops with a definition": [(s, v) => mix(s as Tensor, v as Tensor), [a, square]],
    "a composition": [meanSquare, [a]],
    "loops without a way back": [
      fused({
        name: "double",
        definition: (x: Tensor) => x.mul(x).mul(2),
        forward: ([y], x) => y.data.set(x.data.map((n) => 2 * n * n)),
      }),
      [a],
    ],
    reversed: [custom({ forward: (x: Tensor) => x.neg(), backward: (g) => [g.neg()] }), [a]],
  };
  for (const [what, [fn, inputs]] of Object.entries(cases))
    test(what, () => assert.ok(gradcheck(fn, inputs)));
});

describe("every device gives the same", () => {
  const calls: Record<string, (x: Tensor, y: Tensor) => Tensor> = {
    softsign: (x) => softsign(x),
    leaky: (x) => leaky(x, { slope: 0.5 }),
    length: (x, y) => length(x, y),
    cube: (x) => cube(x),
    sumOfSquares: (x) => sumOfSquares(x, { dims: 1 }),
    roundSte: (x) => roundSte(x),
    polar: (x, y) => polar(x, y)[0].add(polar(x, y)[1]),
    mix: (x, y) => mix(x, y.transpose()),
    meanSquare: (x) => meanSquare(x),
  };
  const run = async (name: string, call: (x: Tensor, y: Tensor) => Tensor): Promise<number[]> => {
    const [x, y] = [a, b].map((t) => t.to("float32").onDevice(name).requiresGrad_()) as [
      Tensor,
      Tensor,
    ];
    const first = [...(await call(x, y).read())];
    const [dx = null] = grad(call(x, y).square().sum(), x, { createGraph: true });
    const second = [...((await dx?.read()) ?? [])];
    if (!dx?.requiresGrad) return [...first, ...second];
    const [again = null] = grad(dx.square().sum(), x, { allowUnused: true });
    return [...first, ...second, ...((await again?.read()) ?? [])];
  };
  for (const name of ["wasm", "gpu:cpu", "gpu:webasm"])
    for (const [what, call] of Object.entries(calls))
      test(`${what} on ${name}`, async () => {
        const [here, there] = [await run("reference", call), await run(name, call)];
        assert.equal(there.length, here.length);
        there.forEach((y, i) => {
          assert.ok(
            Math.abs(y - (here[i] ?? 0)) <= 1e-5 * Math.max(1, Math.abs(y)),
            `${i}: ${y}, ${here[i]}`,
          );
        });
      });

  test("an op called like a built-in one is itself, and so are two of one name", async () => {
    const make = (by: number) =>
      by === 1
        ? elementwise({ name: "softmax", forward: (x) => x + 1, vjp: (g) => [g] })
        : elementwise({ name: "softmax", forward: (x) => x + 2, vjp: (g) => [g] });
    for (const name of ["wasm", "gpu:cpu"]) {
      const x = tensor([1, 2]).onDevice(name);
      assert.deepEqual([...(await make(1)(x).read())], [2, 3], name);
      assert.deepEqual([...(await make(2)(x).read())], [3, 4], name);
    }
  });

  test("a formula is compiled for a GPU however it was written", async () => {
    const twice = (x: number): number => 2 * x;
    function next(x: number): number {
      return x + 1;
    }
    const vjp = (g: Tensor): Tensor[] => [g];
    const ops = [
      elementwise({ forward: (x) => twice(x), uses: [twice], vjp }),
      elementwise({ forward: (x) => next(x) * 2 - 2, uses: [next], vjp }),
      elementwise({ forward: (x: number) => twice(next(x)) - 2, uses: [twice, next], vjp }),
      elementwise({
        forward(x: number) {
          return x + x;
        },
        vjp,
      }),
    ];
    for (const op of ops)
      assert.deepEqual([...(await op(tensor([3]).onDevice("gpu:cpu")).read())], [6]);
    assert.deepEqual(
      [...(await elementwise({ forward: next, vjp })(tensor([3]).onDevice("gpu:cpu")).read())],
      [4],
    );
  });

  test("a long reduction on a GPU folds each number once", async () => {
    const x = tensor(Float32Array.from({ length: 5000 }, (_, i) => i % 7));
    const [y] = await sumOfSquares(x.onDevice("gpu:cpu")).read();
    assert.equal(y, await sumOfSquares(x).item());
  });
});

describe("custom", () => {
  test("prints on the tape by its name, and leaves nothing inside of noGrad", () => {
    const x = tensor([1.4], { requiresGrad: true });
    assert.equal(showTape(roundSte(x)), "a:f32[1] leaf requiresGrad\nb:f32[1] = roundSte a");
    noGrad(() => {
      assert.equal(roundSte(x).node, null);
      assert.equal(polar(x, x)[0].requiresGrad, false);
    });
    assert.equal(roundSte(tensor([1.4])).node, null);
  });

  test("calls backward once for all outputs, with zeros where no gradient came", () => {
    let calls = 0;
    const twice = custom({
      forward: (x: Tensor) => [x.mul(2), x.mul(3), x.mul(5)],
      nonDifferentiable: [2],
      backward: ([g, h], { args: [x] }) => {
        calls++;
        return [g.add(h.mul(10)).mul(x.detach().mul(0).add(1))];
      },
    });
    const x = tensor([1, 2], { requiresGrad: true });
    const [p, q, r] = twice(x) as readonly [Tensor, Tensor, Tensor];
    assert.equal(r.requiresGrad, false);
    assert.deepEqual([...(grad(p.add(q).sum(), x)[0]?.data ?? [])], [11, 11]);
    assert.equal(calls, 1);
    const [only] = twice(x) as readonly [Tensor, Tensor, Tensor];
    assert.deepEqual([...(grad(only.sum(), x)[0]?.data ?? [])], [1, 1]);
  });

  test("an argument that is passed through is a tensor of its own", () => {
    const reverse = custom({ forward: (x: Tensor) => x, backward: (g) => [g.neg()] });
    const x = tensor([1, 2], { requiresGrad: true });
    const y = reverse(x);
    assert.notEqual(y, x);
    y.sum().backward();
    assert.deepEqual([...(x.grad?.data ?? [])], [-1, -1]);
  });

  test("what forward makes besides is released, and what it saves is there on the way back", () => {
    let inside: Tensor | null = null;
    const op = custom({
      forward: (x: Tensor) => {
        inside = x.mul(7);
        const saved = x.mul(3);
        return { outputs: saved.add(inside), saved: { saved } };
      },
      backward: (g, { saved: { saved } }) => [g.mul(saved)],
    });
    const x = tensor([1, 2]).onDevice("wasm").requiresGrad_();
    const y = op(x);
    assert.equal((inside as unknown as Tensor).storage.released, true);
    scope(() => tensor(new Float32Array(1e5)).onDevice("wasm").mul(2));
    y.sum().backward();
    assert.deepEqual([...(x.grad?.data ?? [])], [3, 6]);
  });
});

describe("what is written wrong is told", () => {
  const x = f64([1, 2]).requiresGrad_();
  const back = (g: unknown): (() => void) => {
    const op = custom({
      name: "mine",
      forward: (y: Tensor) => y.mul(2),
      backward: () => g as never,
    });
    return () => grad(op(x).sum(), x);
  };
  const loose =
    (spec: object): (() => void) =>
    () =>
      elementwise(spec as never);
  const cases: Record<string, [wrong: () => void, message: RegExp]> = {
    "no list": [
      back(f64(1)),
      /mine: its gradient rule returned a tensor \[\]; it must return a list .*\[g\.mul\(x\)\]/,
    ],
    "too few": [
      back([]),
      /mine: its gradient rule returned 0 gradients, and there are 1 arguments/,
    ],
    "a number": [
      back([1]),
      /mine: the gradient of argument 0 must be a tensor or null, got number 1/,
    ],
    "another shape": [
      back([f64([1, 2, 3])]),
      /mine: the gradient of argument 0 has shape \[3\], and the argument \[2\]/,
    ],
    "another dtype": [
      back([tensor([1, 2])]),
      /mine: the gradient of argument 0 is float32, and the argument float64/,
    ],
    "a number as result": [
      () => custom({ name: "mine", forward: (_: Tensor) => 1 as never, backward: () => [null] })(x),
      /mine: what forward returns must be a tensor, got number 1/,
    ],
    "a tensor hidden in a list": [
      () =>
        custom({
          name: "mine",
          forward: (xs: Tensor[]) => xs[0] as Tensor,
          backward: () => [null],
        })([x]),
      /mine: the tensor "0" in argument 0 requires a gradient, and none reaches it there; .*f\(\.\.\.list\)/,
    ],
    "no gradient": [
      loose({ name: "mine", forward: (n: number) => n }),
      /mine: nothing says its gradient; give vjp/,
    ],
    "no operand": [
      loose({ forward: () => 1, vjp: () => [] }),
      /forward takes 0 elements of operands/,
    ],
    "another option": [
      loose({ forward: Math.abs, vpj: () => [] }),
      /there is no option "vpj"; there are forward, vjp, /,
    ],
    "a wrong call": [
      () => softsign("x" as never),
      /softsign: x must be a tensor, got string x; write softsign\(x\)/,
    ],
    "a wrong option": [
      () => leaky(x, { slop: 1 } as never),
      /leaky: there is no option "slop"; did you mean slope\?/,
    ],
    "a name that is taken": [
      () => addMethods({ mul: softsign }),
      /Tensor has something called "mul" already/,
    ],
  };
  for (const [what, [wrong, message]] of Object.entries(cases))
    test(what, () =>
      assert.throws(wrong, (error: Error) => {
        assert.ok(error instanceof TwoheadsError);
        assert.match(error.message, message);
        return true;
      }),
    );

  test("a formula that names what a GPU doesn't know", async () => {
    const factor = 3;
    const op = elementwise({
      name: "times",
      forward: (n) => n * factor,
      vjp: (g) => [g.mul(factor)],
    });
    assert.deepEqual([...op(tensor([1])).data], [3]);
    assert.throws(
      () => op(tensor([1]).onDevice("gpu:cpu")),
      /times: its formula names "factor", which a GPU doesn't know/,
    );
  });
});

test("ops become methods, and may do so again", () => {
  addMethods({ softsign });
  addMethods({ softsign });
  const y = (f64([1]) as Tensor & { softsign(): Tensor }).softsign();
  assert.deepEqual([...y.data], [0.5]);
});
