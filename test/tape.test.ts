// The tape: what backward, grad, vjp and hvp give, to which order, into which tensors, and when they
// refuse. Drawn programs are differentiated a second time by hyper-dual numbers, which share no line
// with core: they carry value, slope and curvature forwards instead of walking back.
// Next: errors.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AnomalyError,
  ArgumentError,
  backward,
  type Draw,
  detectAnomaly,
  enableGrad,
  GraphError,
  grad,
  hvp,
  noGrad,
  onesLike,
  ReleasedError,
  randn,
  random,
  ShapeError,
  scaledDotProductAttention,
  scope,
  showTape,
  softmax,
  Tensor,
  tensor,
  vjp,
  withDefinitions,
  zeros,
} from "../core/index.ts";
import { holds } from "../testing/property.ts";

function leaf(values: number | readonly number[]): Tensor {
  return tensor(values, { dtype: "float64", requiresGrad: true });
}

function numbers(x: Tensor | null | undefined): number[] {
  assert.ok(x instanceof Tensor, "there is a tensor");
  return [...x.data];
}

function near(actual: readonly number[], expected: readonly number[], tolerance = 1e-12): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((y, i) => {
    const x = actual[i] ?? Number.NaN;
    assert.ok(
      Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y)),
      `${x} instead of ${y} at ${i}`,
    );
  });
}

/** The line of this file that calls lineHere(). */
function lineHere(): number {
  const line = /tape\.test\.ts:(\d+)/.exec((new Error().stack ?? "").split("\n")[2] ?? "");
  return Number(line?.[1]);
}

// --- Hyper-dual numbers: v + a e1 + b e2 + c e1 e2 with e1² = e2² = 0 ---------------------------------

interface Hyper {
  readonly v: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

function lift(x: Hyper, f: number, f1: number, f2: number): Hyper {
  return { v: f, a: f1 * x.a, b: f1 * x.b, c: f1 * x.c + f2 * x.a * x.b };
}

interface Instruction {
  readonly op: "add" | "sub" | "mul" | "sin" | "tanh" | "square" | "sigmoid";
  readonly p: number;
  readonly q: number;
}

/** Each instruction reads any two values before it: many of them are shared. */
function drawProgram(d: Draw): { xs: number[]; vs: number[]; program: Instruction[] } {
  const count = d.integer(1, 3);
  const quarters = (): number[] => Array.from({ length: count }, () => d.integer(-6, 6) / 4);
  const program = Array.from({ length: d.integer(1, 10) }, (_, i) => ({
    op: d.pick<Instruction["op"]>("add", "sub", "mul", "sin", "tanh", "square", "sigmoid"),
    p: d.integer(0, count + i - 1),
    q: d.integer(0, count + i - 1),
  }));
  return { xs: quarters(), vs: quarters(), program };
}

function runHyper(start: readonly Hyper[], program: readonly Instruction[]): Hyper {
  const values = [...start];
  for (const { op, p, q } of program) {
    const [x, y] = [values[p] as Hyper, values[q] as Hyper];
    const s = 1 / (1 + Math.exp(-x.v));
    const t = Math.tanh(x.v);
    values.push(
      op === "add"
        ? { v: x.v + y.v, a: x.a + y.a, b: x.b + y.b, c: x.c + y.c }
        : op === "sub"
          ? { v: x.v - y.v, a: x.a - y.a, b: x.b - y.b, c: x.c - y.c }
          : op === "mul"
            ? {
                v: x.v * y.v,
                a: x.a * y.v + x.v * y.a,
                b: x.b * y.v + x.v * y.b,
                c: x.c * y.v + x.a * y.b + x.b * y.a + x.v * y.c,
              }
            : op === "sin"
              ? lift(x, Math.sin(x.v), Math.cos(x.v), -Math.sin(x.v))
              : op === "tanh"
                ? lift(x, t, 1 - t * t, -2 * t * (1 - t * t))
                : op === "square"
                  ? lift(x, x.v * x.v, 2 * x.v, 2)
                  : lift(x, s, s * (1 - s), s * (1 - s) * (1 - 2 * s)),
    );
  }
  return tame(values.at(-1) as Hyper);
}

/** A drawn program may square often: its sine keeps the numbers small. */
function tame(x: Hyper): Hyper {
  return lift(x, Math.sin(x.v), Math.cos(x.v), -Math.sin(x.v));
}

function runTensors(start: readonly Tensor[], program: readonly Instruction[]): Tensor {
  const values = [...start];
  for (const { op, p, q } of program) {
    const [x, y] = [values[p] as Tensor, values[q] as Tensor];
    values.push(op === "add" || op === "sub" || op === "mul" ? x[op](y) : x[op]());
  }
  return (values.at(-1) as Tensor).sin();
}

/** Numbers that stay where double precision has digits to compare. */
function isTame(xs: readonly number[], program: readonly Instruction[]): boolean {
  const values = xs.map((v) => ({ v, a: 1, b: 1, c: 1 }));
  return program.every((_, i) => {
    const { a, c } = runHyper(values, program.slice(0, i + 1));
    return Math.abs(a) < 1e4 && Math.abs(c) < 1e4;
  });
}

describe("drawn programs agree with hyper-dual numbers", () => {
  test("gradients", () => {
    holds(
      "gradients",
      drawProgram,
      ({ xs, program }) => {
        if (!isTame(xs, program)) return;
        const leaves = xs.map((x) => leaf(x));
        const found = grad(runTensors(leaves, program), leaves, { allowUnused: true });
        xs.forEach((_, i) => {
          const start = xs.map((v, j) => ({ v, a: Number(i === j), b: 0, c: 0 }));
          near([found[i]?.data[0] ?? 0], [runHyper(start, program).a], 1e-10);
        });
      },
      { runs: 200 },
    );
  });
  test("Hessian-vector products", () => {
    holds(
      "Hessian-vector products",
      drawProgram,
      ({ xs, vs, program }) => {
        if (!isTame(xs, program)) return;
        const products = hvp(
          (...leaves) => runTensors(leaves, program),
          xs.map((x) => leaf(x)),
          vs.map((v) => leaf(v)),
        );
        xs.forEach((_, i) => {
          const start = xs.map((v, j) => ({ v, a: Number(i === j), b: vs[j] ?? 0, c: 0 }));
          near(numbers(products[i]), [runHyper(start, program).c], 1e-9);
        });
      },
      { runs: 200 },
    );
  });
  test("backward fills what grad returns, and leaves the values alone", () => {
    holds("backward and grad", drawProgram, ({ xs, program }) => {
      const leaves = xs.map((x) => leaf(x));
      const y = runTensors(leaves, program);
      const before = [...y.data];
      const found = grad(y, leaves, { allowUnused: true, retainGraph: true });
      y.backward();
      leaves.forEach((x, i) => {
        assert.deepEqual(
          x.grad === null ? null : numbers(x.grad),
          found[i] ? numbers(found[i]) : null,
        );
        assert.deepEqual(numbers(x), [xs[i]]);
      });
      assert.deepEqual([...y.data], before);
    });
  });
});

describe("backward", () => {
  test("fills .grad of leaves, not of what was computed", () => {
    const x = leaf([1, 2]);
    const w = tensor([3, 4], { dtype: "float64" });
    const y = x.mul(w);
    y.sum().backward();
    assert.deepEqual(numbers(x.grad), [3, 4]);
    assert.equal(w.grad, null);
    assert.equal(y.grad, null);
  });
  test("is a function too", () => {
    const x = leaf(3);
    backward(x.square());
    assert.deepEqual(numbers(x.grad), [6]);
  });
  test("accumulates", () => {
    const x = leaf([1, 2]);
    x.square().sum().backward();
    const first = x.grad;
    x.mul(10).sum().backward();
    assert.deepEqual(numbers(x.grad), [12, 14]);
    assert.deepEqual(numbers(first), [2, 4], "who holds the old gradient keeps it");
    x.grad = null;
    x.sum().backward();
    assert.deepEqual(numbers(x.grad), [1, 1]);
  });
  test("a leaf's own backward is 1", () => {
    const x = leaf(5);
    x.backward();
    assert.deepEqual(numbers(x.grad), [1]);
  });
  test("starts from a given gradient", () => {
    const x = leaf([1, 2]);
    x.square().backward({ gradient: tensor([10, 100], { dtype: "float64" }) });
    assert.deepEqual(numbers(x.grad), [20, 400]);
    assert.throws(() => x.square().backward({ gradient: leaf([1]) }), ShapeError);
  });
  test("no two .grad share memory, nor with the gradient that was given", () => {
    const [a, b, c] = [leaf([1, 2]), leaf([3, 4]), leaf([5, 6])];
    const seed = tensor([1, 1], { dtype: "float64" });
    const y = a.add(b).add(c.reshape([2, 1]).reshape([2]));
    y.retainGrad();
    y.backward({ gradient: seed });
    const held = [a, b, c, y].map((x) => x.grad);
    const stores = [seed, ...held.map((g) => g as Tensor)].map((g) => g.storage);
    assert.equal(new Set(stores).size, 5);
    a.grad?.assign(Float64Array.of(7, 7));
    assert.deepEqual(
      [b, c, y].map((x) => numbers(x.grad)),
      [
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    );
    assert.deepEqual(numbers(seed), [1, 1]);
  });
  test("no two .grad share memory with createGraph either", () => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4])];
    a.add(b).mul(a).sum().backward({ createGraph: true });
    const [c, d] = [leaf(1), leaf(2)];
    c.add(d).backward({ createGraph: true });
    assert.notEqual(a.grad?.storage, b.grad?.storage);
    assert.notEqual(c.grad?.storage, d.grad?.storage);
  });
  test("with createGraph .grad can be differentiated", () => {
    const x = leaf([1, 2]);
    x.mul(x).mul(x).sum().backward({ createGraph: true });
    const g = x.grad as Tensor;
    assert.deepEqual(numbers(g), [3, 12]);
    assert.deepEqual(numbers(grad(g.sum(), x)[0]), [6, 12]);
  });
  test("broadcast operands get gradients of their own shape", () => {
    const [a, b] = [leaf([1, 2, 3]), leaf(2)];
    const column = tensor([[1], [2]], { dtype: "float64", requiresGrad: true });
    a.mul(b).add(column).sum().backward();
    assert.deepEqual(
      [a, b, column].map((x) => x.grad?.shape),
      [[3], [], [2, 1]],
    );
    assert.deepEqual(numbers(a.grad), [4, 4, 4]);
    assert.deepEqual(numbers(b.grad), [12]);
    assert.deepEqual(numbers(column.grad), [3, 3]);
  });
  test("gradients have the dtype of their tensor", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const y = leaf([3, 4]);
    x.mul(y).sum().backward();
    assert.equal(x.grad?.dtype, "float32");
    assert.equal(y.grad?.dtype, "float64");
  });
  test("the values stay readable after backward and after grad", () => {
    const x = leaf([1, 2]);
    const y = x.exp();
    const z = y.sum();
    grad(z, x, { retainGraph: true });
    z.backward();
    near(numbers(y), [Math.E, Math.E ** 2]);
    near(numbers(z), [Math.E + Math.E ** 2]);
  });
  test("a second walk is refused, unless the first retained the graph", () => {
    const x = leaf([1, 2]);
    const y = x.square().sum();
    y.backward({ retainGraph: true });
    y.backward();
    assert.deepEqual(numbers(x.grad), [4, 8]);
    assert.throws(() => y.backward(), { name: "GraphError", message: /retainGraph: true/ });
    assert.throws(() => grad(y, x), GraphError);
  });
  test("a graph that another walk released in part is refused", () => {
    const x = leaf([1, 2]);
    const shared = x.exp();
    shared.sum().backward();
    assert.throws(() => shared.square().sum().backward(), /exp was released/);
  });
});

describe("grad", () => {
  test("writes no .grad", () => {
    const x = leaf([1, 2]);
    const [dx] = grad(x.square().sum(), [x]);
    assert.deepEqual(numbers(dx), [2, 4]);
    assert.equal(x.grad, null);
  });
  test("to order 3", () => {
    const x = leaf([1, 2, -3]);
    const [first] = grad(x.pow(4).sum(), x, { createGraph: true });
    const [second] = grad((first as Tensor).sum(), x, { createGraph: true });
    const [third] = grad((second as Tensor).sum(), x);
    near(numbers(first), [4, 32, -108]);
    near(numbers(second), [12, 48, 108]);
    near(numbers(third), [24, 48, -72]);
  });
  test("to order 3 through a fused op", () => {
    const x = leaf([0.5]);
    let y: Tensor = x.gelu().sum();
    for (let order = 1; order <= 3; order++)
      y = (grad(y, x, { createGraph: true })[0] as Tensor).sum();
    // x Φ(x): third derivative (x³ - 4x) φ(x)
    const density = Math.exp(-0.125) / Math.sqrt(2 * Math.PI);
    near(numbers(y), [(0.125 - 2) * density], 1e-10);
  });
  test("without createGraph the gradient is a constant", () => {
    const x = leaf(2);
    const [dx] = grad(x.square(), x);
    assert.equal(dx?.requiresGrad, false);
    assert.equal(dx?.node, null);
  });
  test("an input that isn't used: an error, or null with allowUnused", () => {
    const [x, other] = [leaf(2), leaf(3)];
    assert.throws(() => grad(x.square(), [x, other]), {
      name: "GraphError",
      message: /input 1.*allowUnused/,
    });
    const [dx, dother] = grad(x.square(), [x, other], { allowUnused: true });
    assert.deepEqual(numbers(dx), [4]);
    assert.equal(dother, null);
  });
  test("inputs that were computed", () => {
    const x = leaf(3);
    const h = x.square();
    const y = h.mul(h);
    assert.deepEqual(numbers(grad(y, h)[0]), [18]);
    assert.equal(h.grad, null);
  });
  test("one input the ancestor of another", () => {
    const x = leaf(3);
    const h = x.square();
    const y = h.mul(x);
    const [dx, dh] = grad(y, [x, h], { retainGraph: true });
    assert.deepEqual(numbers(dx), [27], "through h and beside it");
    assert.deepEqual(numbers(dh), [3]);
    const [dh2, dx2, dy] = grad(y, [h, x, y]);
    assert.deepEqual([numbers(dh2), numbers(dx2), numbers(dy)], [[3], [27], [1]]);
  });
  test("several outputs add up, each from its own gradient", () => {
    const x = leaf([1, 2]);
    const [dx] = grad([x.square(), x.sum()], [x], {
      gradOutputs: [tensor([1, 10], { dtype: "float64" }), tensor(100, { dtype: "float64" })],
    });
    assert.deepEqual(numbers(dx), [102, 140]);
  });
  test("an output that stands behind another output", () => {
    const x = leaf(3);
    const h = x.square();
    assert.deepEqual(numbers(grad([h, h.mul(2)], x)[0]), [18]);
  });
  test("releases only what it walked", () => {
    const [x, w] = [leaf(3), leaf(5)];
    const h = x.square();
    const y = h.mul(w);
    grad(y, w); // never passes h
    assert.equal(h.node?.released, false);
    assert.deepEqual(numbers(grad(h, x)[0]), [6]);
  });
  test("a deep diamond costs one visit per node", () => {
    const x = leaf(1);
    let y: Tensor = x;
    for (let i = 0; i < 60; i++) y = y.add(y); // 2^60 paths
    assert.deepEqual(numbers(grad(y, x)[0]), [2 ** 60]);
  });
});

describe("vjp and hvp", () => {
  test("vjp gives the value, and pulls as often as asked", () => {
    const x = tensor([1, 2], { dtype: "float64" });
    const { value, pull } = vjp((a) => a.square(), [x]);
    assert.deepEqual(numbers(value), [1, 4]);
    assert.equal(value.requiresGrad, false);
    for (const scale of [1, 10]) {
      const [dx] = pull(onesLike(x).mul(scale));
      assert.deepEqual(numbers(dx), [2 * scale, 4 * scale]);
    }
    assert.equal(x.requiresGrad, false);
  });
  test("vjp records inside noGrad, and gives null for an argument without influence", () => {
    const x = tensor([1, 2], { dtype: "float64" });
    const [dx, dy] = noGrad(() =>
      vjp((a, _b) => a.exp().sum(), [x, x]).pull(tensor(1, { dtype: "float64" })),
    );
    near(numbers(dx), [Math.E, Math.E ** 2]);
    assert.equal(dy, null);
  });
  test("hvp of a quadratic form is its matrix times the vector", () => {
    const draw = (d: Draw): Tensor[] => {
      const n = d.integer(1, 4);
      return [d.tensor([n, n]), d.tensor([n]), d.tensor([n])];
    };
    holds("hvp", draw, ([A, x, v]) => {
      const M = (A as Tensor).add((A as Tensor).transpose());
      const [Hv] = hvp((t) => t.matmul(M).matmul(t).mul(0.5), [x as Tensor], [v as Tensor]);
      near(numbers(Hv), numbers(M.matmul(v as Tensor)));
    });
  });
  test("hvp of something linear is 0, and one vector is needed for each input", () => {
    const x = leaf([1, 2]);
    assert.deepEqual(numbers(hvp((t) => t.sum(), [x], [x])[0]), [0, 0]);
    assert.throws(() => hvp((t) => t.sum(), [x], []), ArgumentError);
  });
});

describe("hooks", () => {
  test("see the whole gradient once, and may replace it", () => {
    const x = leaf([1, 2]);
    const h = x.mul(2);
    const seen: number[][] = [];
    h.registerHook((g) => {
      seen.push(numbers(g));
      return g.mul(10);
    });
    h.add(h.square()).sum().backward();
    assert.deepEqual(seen, [[5, 9]]);
    assert.deepEqual(numbers(x.grad), [100, 180]);
  });
  test("stand on leaves, run in order, and can be removed", () => {
    const x = leaf(1);
    const order: string[] = [];
    const remove = x.registerHook((g) => {
      order.push("first");
      return g.add(1);
    });
    x.registerHook((g) => {
      order.push("second");
      return g.mul(10);
    });
    x.mul(3).backward();
    assert.deepEqual(order, ["first", "second"]);
    assert.deepEqual(numbers(x.grad), [40]);
    remove();
    x.grad = null;
    x.mul(3).backward();
    assert.deepEqual(numbers(x.grad), [30]);
  });
  test("may look and say nothing; the gradient stays readable afterwards", () => {
    const x = leaf([1, 2]);
    const h = x.exp();
    let kept: Tensor | null = null;
    h.registerHook((g) => {
      kept = g;
      return undefined;
    });
    h.mul(3).sum().backward();
    assert.deepEqual(numbers(kept), [3, 3]);
  });
  test("run in grad, and with createGraph their work is differentiated", () => {
    const x = leaf(3);
    x.registerHook((g) => g.mul(g));
    const [g] = grad(x.square(), x, { createGraph: true }); // (2x)²
    assert.deepEqual(numbers(g), [36]);
    assert.ok(g?.requiresGrad);
  });
  test("must return the tensor's shape, and need a gradient", () => {
    const x = leaf([1, 2]);
    x.registerHook((g) => g.sum());
    assert.throws(() => x.sum().backward(), {
      name: "ShapeError",
      message: /registerHook.*\[\].*\[2\]/,
    });
    assert.throws(() => tensor([1]).registerHook(() => undefined), GraphError);
  });
});

describe("retainGrad", () => {
  test("fills .grad of what was computed", () => {
    const x = leaf([1, 2]);
    const h = x.square().retainGrad();
    h.mul(3).sum().backward();
    assert.deepEqual(numbers(h.grad), [3, 3]);
    assert.deepEqual(numbers(x.grad), [6, 12]);
  });
  test("of the root too; refused without a gradient", () => {
    const y = leaf(2).square().retainGrad();
    y.backward();
    assert.deepEqual(numbers(y.grad), [1]);
    assert.throws(() => tensor(1).retainGrad(), GraphError);
  });
});

describe("a chain of 100,000 ops", () => {
  test("goes forward, prints and goes back without overflowing", () => {
    const x = leaf(1);
    let y: Tensor = x;
    for (let i = 0; i < 100_000; i++) y = y.add(1);
    assert.deepEqual(numbers(y), [100_001]);
    const lines = showTape(y).split("\n");
    assert.equal(lines.length, 100_001);
    assert.equal(lines[1], "b:f64[] = add a 1");
    scope(() => y.detach());
    y.backward();
    assert.deepEqual(numbers(x.grad), [1]);
  });
  test("also with createGraph, and inside a scope", () => {
    const x = leaf(1);
    const g = scope(() => {
      let y: Tensor = x;
      for (let i = 0; i < 20_000; i++) y = y.mul(1);
      return grad(y, x, { createGraph: true })[0];
    });
    assert.deepEqual(numbers(g), [1]);
  });
});

describe("modes", () => {
  test("noGrad records nothing, enableGrad does inside it, detach stops", () => {
    const x = leaf(3);
    const constant = noGrad(() => x.square());
    assert.equal(constant.requiresGrad, false);
    assert.equal(constant.node, null);
    assert.ok(noGrad(() => enableGrad(() => x.square())).requiresGrad);
    const stopped = x.square().detach();
    assert.deepEqual(numbers(grad(stopped.mul(x), x)[0]), [9]);
    assert.ok(x.square().requiresGrad, "recording again");
  });
  test("noGrad ends when its function throws, and refuses promises", () => {
    const x = leaf(3);
    assert.throws(() => noGrad(() => assert.fail()), assert.AssertionError);
    assert.ok(x.square().requiresGrad);
    assert.throws(() => noGrad(async () => 1), ArgumentError);
    assert.throws(() => scope(async () => 1), ArgumentError);
  });
  test("integers and bools carry no gradient", () => {
    const x = leaf([1.5, 2.5]);
    assert.equal(x.to("int32").requiresGrad, false);
    assert.equal(x.gt(2).requiresGrad, false);
    assert.equal(x.argmax().requiresGrad, false);
  });
  test("requiresGrad_ belongs to leaves", () => {
    assert.ok(tensor([1]).requiresGrad_().requiresGrad);
    assert.throws(() => leaf(1).square().requiresGrad_(), {
      name: "GraphError",
      message: /square.*detach/,
    });
  });
  test("withDefinitions puts the intermediates on the tape", () => {
    const x = leaf([1, 2]);
    const fused = softmax(x, { dim: -1 });
    const spelt = withDefinitions(() => softmax(x, { dim: -1 }));
    assert.equal(fused.node?.entry.name, "softmax");
    assert.equal(spelt.node?.entry.name, "div");
    near(numbers(spelt), numbers(fused));
    assert.equal(softmax(x, { dim: -1 }).node?.entry.name, "softmax");
    const q = randn([2, 3], { rng: random(1), requiresGrad: true });
    assert.match(
      showTape(withDefinitions(() => scaledDotProductAttention(q, q, q))),
      /^pattern:f32\[2,2\] = softmax|^pattern:f32\[2,2\] = div/m,
    );
  });
});

describe("detectAnomaly", () => {
  const here = (line: number): RegExp => new RegExp(`tape\\.test\\.ts:${line}\\b`);
  test("names the op and the caller's line, forward", () => {
    const x = leaf([1, 0]);
    let line = 0;
    const run = (): void => {
      const y = x.add(0);
      line = lineHere() + 1;
      y.log().exp().sum();
    };
    run();
    assert.throws(
      () => detectAnomaly(run),
      (error: Error) => {
        assert.ok(error instanceof AnomalyError);
        assert.match(error.message, /^log: the first infinity/);
        assert.match(error.message, here(line));
        return true;
      },
    );
  });
  test("names the op and the forward caller's line, backward", () => {
    const x = leaf([1, 0]);
    let line = 0;
    const run = (): void => {
      line = lineHere() + 1;
      const y = x.sqrt();
      y.sum().backward();
    };
    assert.throws(
      () => detectAnomaly(run),
      (error: Error) => {
        assert.ok(error instanceof AnomalyError);
        assert.match(error.message, /gradient of sqrt/);
        assert.match(error.message, here(line));
        return true;
      },
    );
  });
  test("says nothing of an infinity that a gradient's own rule throws away", () => {
    const [a, b] = [leaf([0, 2]), leaf([2, 2])];
    detectAnomaly(() => a.pow(b).sum().backward());
    assert.deepEqual(numbers(a.grad), [0, 4]);
    near(numbers(b.grad), [0, 4 * Math.log(2)]);
  });
  test("says nothing of a NaN that came in, and ends with its function", () => {
    const x = leaf([Number.NaN, 1]);
    detectAnomaly(() => x.mul(2).sum().backward());
    assert.throws(() => detectAnomaly(() => leaf(0).log()), AnomalyError);
    assert.equal(leaf(0).log().data[0], -Infinity);
  });
});

describe("assign", () => {
  test("between recording and walking is refused; before or after is fine", () => {
    const [x, w] = [leaf([1, 2]), leaf([3, 4])];
    const y = x.mul(w).sum();
    w.assign(Float64Array.of(5, 6));
    assert.throws(() => y.backward(), { name: "GraphError", message: /mul.*in place/ });
    x.mul(w).sum().backward();
    assert.deepEqual(numbers(x.grad), [5, 6]);
    w.assign(w.sub(w.grad as Tensor));
    assert.deepEqual(numbers(w), [4, 4]);
    assert.ok(w.requiresGrad && w.node === null);
  });
  test("to an output, or through a detached twin, is noticed too", () => {
    const x = leaf([1, 2]);
    const y = x.exp();
    y.detach().assign(Float64Array.of(0, 0));
    assert.throws(() => y.sum().backward(), GraphError);
  });
  test("needs as many numbers", () => {
    assert.throws(() => zeros([2, 3]).assign(zeros([5])), {
      name: "ShapeError",
      message: /assign.*\[5\].*\[2,3\]/,
    });
  });
});

describe("scope", () => {
  test("releases what it made, but not what it returns, keeps or met", () => {
    const outside = leaf([1, 2]);
    const made: Tensor[] = [];
    const [back] = scope(() => {
      const temporary = outside.detach().exp();
      const held = outside.detach().sin().keep();
      made.push(temporary, held);
      return [temporary.mul(2), { deep: new Map([["x", 1]]) }] as const;
    });
    near(numbers(back), [2 * Math.E, 2 * Math.E ** 2]);
    assert.throws(() => made[0]?.data, { name: "ReleasedError", message: /scope\(\).*keep\(\)/ });
    assert.equal(made[1]?.data.length, 2);
    assert.deepEqual(numbers(outside), [1, 2]);
  });
  test("finds tensors in objects, arrays and maps", () => {
    const tree = scope(() => ({
      a: [tensor([1]).add(1)],
      b: new Map([["c", tensor([2]).add(1)]]),
    }));
    assert.deepEqual(numbers(tree.a[0]), [2]);
    assert.deepEqual(numbers(tree.b.get("c")), [3]);
  });
  test("leaves what the returned tensor needs for its gradient", () => {
    const x = leaf([1, 2]);
    const y = scope(() => x.exp().mul(x.sin()).sum());
    y.backward();
    near(
      numbers(x.grad),
      [1, 2].map((t) => Math.exp(t) * (Math.sin(t) + Math.cos(t))),
    );
  });
  test("leaves .grad alone", () => {
    const x = leaf([1, 2]);
    const loss = scope(() => {
      const y = x.square().sum();
      y.backward();
      return y;
    });
    assert.deepEqual(numbers(x.grad), [2, 4]);
    assert.deepEqual(numbers(loss), [5]);
  });
  test("nests: the inner result belongs to the outer scope", () => {
    let inner: Tensor | null = null;
    const outer = scope(() => {
      inner = scope(() => tensor([1]).add(1));
      assert.deepEqual(numbers(inner), [2]);
      return inner.mul(2);
    });
    assert.deepEqual(numbers(outer), [4]);
    assert.throws(() => numbers(inner), ReleasedError);
  });
  test("x.release() gives back at once; the op that reads names itself", () => {
    const x = tensor([1, 2]);
    x.release();
    assert.throws(() => x.exp(), { name: "ReleasedError", message: /^exp: .*x\.release\(\)/ });
    assert.throws(() => x.data, ReleasedError);
    x.release();
  });
  test("a walk gives its own intermediates back", () => {
    const x = leaf([1, 2]);
    let passing: Tensor | null = null;
    const h = x.exp();
    h.registerHook((g) => {
      passing = g.mul(2);
      return undefined;
    });
    h.sum().backward();
    assert.throws(() => numbers(passing), { name: "ReleasedError", message: /backward walk/ });
  });
});
