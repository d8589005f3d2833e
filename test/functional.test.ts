// Functions of functions (core/further/functional.ts and checkpoint.ts): jvp, jacobian and hessian against the
// values that PyTorch 2.15.0 has on a CPU, and against each other; checkpoints against the same without them, bit for
// bit, with the memory they save. vjp and hvp are in tape.test.ts. Next: further.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { allocate } from "../core/hostMemory.ts";
import {
  ArgumentError,
  type Call,
  checkpoint,
  type Device,
  GraphError,
  grad,
  hessian,
  hvp,
  jacobian,
  jvp,
  noGrad,
  type Random,
  ReleasedError,
  randn,
  random,
  registerDevice,
  registerHook,
  runLoops,
  ShapeError,
  type Storage,
  scope,
  stack,
  type Tensor,
  type TypedArray,
  tensor,
  use,
  vjp,
  zeros,
} from "../core/index.ts";
import { sizeOf } from "../core/shape.ts";
import "../kernels/index.ts";
import { Linear } from "../nn/index.ts";

const f = (values: Parameters<typeof tensor>[0]): Tensor => tensor(values, { dtype: "float64" });

function near(
  x: Tensor | null | undefined,
  expected: readonly number[],
  tolerance = 1e-12,
): asserts x is Tensor {
  assert.ok(x);
  assert.equal(x.size, expected.length);
  [...x.data].forEach((got, i) => {
    const want = expected[i] ?? 0;
    assert.ok(
      Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want)),
      `${got}, not ${want}`,
    );
  });
}

let [a, b, da, db] = [f([]), f([]), f([]), f([])];

/** Points and directions on the device that is used. */
function begin(device: string): void {
  use(device);
  [a, b, da, db] = [f([0.5, 1, 2]), f([2, -1, 0.25]), f([1, 2, -1]), f([0.5, 0, 3])];
}

/** Three numbers of two vectors. */
function three(x: Tensor, y: Tensor): Tensor {
  const [first, second] = [y.slice({ dim: 0, end: 1 }), y.slice({ dim: 0, start: 1, end: 2 })];
  const power = x.slice({ dim: 0, end: 1 }).square().mul(second.pow(3)).sum();
  return stack([x.mul(y).sum(), x.sin().mul(first).sum(), power]);
}

for (const device of ["reference", "wasm"]) {
  describe(device, () => {
    const on = (what: string, run: () => void): void => {
      test(`${device}: ${what}`, () => {
        begin(device);
        run();
      });
    };
    on("jvp (PyTorch)", () => {
      const { value, tangent } = jvp(three, [a, b], [da, db]);
      near(value, [0.5, 4.460387900475562, -0.25]);
      near(tangent, [6, 5.86376499546648, -1]);
      assert.equal(value.requiresGrad || tangent.requiresGrad, false);
    });
    on("jacobian (PyTorch); its product with a tangent is jvp's, with a cotangent vjp's", () => {
      const [ja, jb] = jacobian(three, [a, b]);
      const rows = [1.7551651237807455, 1.0806046117362795, -0.8322936730942848];
      near(ja, [2, -1, 0.25, ...rows, -1, 0, 0]);
      near(jb, [0.5, 1, 2, 2.230193950237781, 0, 0, 0, 0.75, 0]);
      assert.deepEqual(
        [ja?.shape, jb.shape],
        [
          [3, 3],
          [3, 3],
        ],
      );
      const { tangent } = jvp(three, [a, b], [da, null]);
      near(tangent, [...(ja as Tensor).matmul(da).data]);
      const [ga] = vjp(three, [a, b]).pull(db);
      near(ga, [...db.matmul(ja as Tensor).data]);
    });
    on("hessian (PyTorch); its product with a vector is hvp's", () => {
      const scalar = (x: Tensor, y: Tensor): Tensor =>
        x
          .square()
          .mul(y)
          .sum()
          .mul(y.slice({ dim: 0, end: 1 }).sum());
      const [[aa, ab], [ba, bb]] = hessian(scalar, [a, b]) as [Tensor[], Tensor[]];
      near(aa, [8, 0, 0, 0, -4, 0, 0, 0, 1]);
      near(ab, [4, 0, 0, -2, 4, 0, 1, 0, 8]);
      near(ba, [4, -2, 1, 0, 4, 0, 0, 0, 8]);
      near(bb, [0.5, 1, 4, 1, 0, 0, 4, 0, 0]);
      const [ha] = hvp(scalar, [a, b], [da, f([0, 0, 0])]);
      near(ha, [...(aa as Tensor).matmul(da).data]);
    });
    on("what doesn't depend on an input has derivative 0 there, integers have none", () => {
      const ids = tensor([1, 0], { dtype: "int32" });
      const picks = (x: Tensor, i: Tensor): Tensor => x.indexSelect(i);
      near(jvp(picks, [a, ids], [da, null]).tangent, [2, 1]);
      const [, none] = jacobian(picks, [a, ids]);
      assert.equal(none, null);
      near(jacobian((x) => x.mul(0).sum().detach(), [a])[0], [0, 0, 0]);
      assert.deepEqual(jacobian((x) => x.slice({ dim: 0, end: 0 }), [a])[0]?.shape, [0, 3]);
      near(hessian((x) => x.sum(), [a])[0]?.[0], new Array(9).fill(0));
      near(jvp((x) => x.gt(1).to("float64"), [a], [da]).tangent, [0, 0, 0]);
      near(noGrad(() => jvp((x) => x.square(), [a], [da])).tangent, [1, 4, -4]);
    });
    on("a checkpoint has the same bits, dropout included, and gradients of gradients", () => {
      const plain = layers((fn, y) => fn(y));
      const once = layers((fn, y) => checkpoint(fn, [y]));
      const nested = layers((fn, y) => checkpoint((z) => checkpoint(fn, [z]), [y]));
      for (const { first, second } of [once, nested]) {
        assert.deepEqual(first, plain.first);
        second.forEach((g, i) => {
          near(f(g), plain.second[i] ?? [], 1e-9);
        });
      }
    });
    on("and .grad of what its function takes from around it, computed or not", () => {
      const [x, w] = [f([1, 2]).requiresGrad_(), f([3, 4]).requiresGrad_()];
      const around = w.square();
      const y = checkpoint((z) => z.mul(around).mul(w).sin(), [x]);
      y.sum().backward();
      const [px, pw] = [f([1, 2]).requiresGrad_(), f([3, 4]).requiresGrad_()];
      px.mul(pw.square()).mul(pw).sin().sum().backward();
      assert.deepEqual([x.grad?.data, w.grad?.data], [px.grad?.data, pw.grad?.data]);
    });
    on("a hook runs once, and a second walk finds the graph", () => {
      const x = f([1, 2]).requiresGrad_();
      const y = x.mul(2);
      let calls = 0;
      registerHook(y, () => void calls++);
      const z = checkpoint((t) => t.exp(), [y]).sum();
      const first = grad(z, x, { retainGraph: true })[0];
      assert.equal(calls, 1);
      assert.deepEqual(grad(z, x)[0]?.data, first?.data);
      assert.throws(() => grad(z, x), GraphError);
    });
    on("without gradients it is the function alone, and so is an input that it returns", () => {
      const x = f([1, 2]).requiresGrad_();
      assert.equal(noGrad(() => checkpoint((t) => t.exp(), [x])).requiresGrad, false);
      assert.equal(checkpoint((t) => t.exp(), [x.detach()]).requiresGrad, false);
      assert.equal(
        checkpoint((t) => t, [x]),
        x,
      );
      assert.throws(() => checkpoint(() => 1 as never, [x]), ArgumentError);
    });
    on("generators go on after a checkpoint as after its function", () => {
      const [one, two] = [random(1), random(1)];
      const drop = (rng: Random) => (t: Tensor) => t.dropout({ p: 0.5, rng });
      const x = randn([20], { rng: random(2), requiresGrad: true });
      checkpoint(drop(one), [x]).sum().backward();
      drop(two)(x).sum().backward();
      assert.deepEqual(one.state(), two.state());
    });
    on("what stays inside is released, which an error says", () => {
      const x = f([1, 2]).requiresGrad_();
      let inside = x;
      checkpoint(
        (t) => {
          inside = t.exp();
          return inside.sin();
        },
        [x],
      );
      assert.throws(() => inside.data, ReleasedError);
      assert.throws(() => inside.data, /checkpoint\(\)/);
    });
    on("inside of a scope its inputs stay as long as its value", () => {
      const w = f([1, 2]).requiresGrad_();
      const y = scope(() => checkpoint((t, mask) => t.mul(mask), [w.exp(), f([0, 1]).add(1)]));
      near(grad(y.sum(), w)[0], [Math.E, 2 * Math.E ** 2]);
    });
  });
}

/** Two layers, each inside of `call`: the value and gradients of first order, then those of second order. */
function layers(call: (fn: (y: Tensor) => Tensor, y: Tensor) => Tensor) {
  const rng = random(4);
  const made = { rng: random(3), dtype: "float64", requiresGrad: true } as const;
  const x = randn([4, 3], made);
  const weights = [randn([3, 3], made), randn([3, 3], made)];
  const layer = (w: Tensor) => (y: Tensor) =>
    y.linear(w).gelu().dropout({ p: 0.5, rng }).softmax({ dim: -1 }).add(y);
  const y = weights.reduce((z, w) => call(layer(w), z), x);
  const found = grad(y.square().sum(), [x, ...weights], { createGraph: true }) as Tensor[];
  const first = [y, ...found].map((t) => [...t.data]);
  const again = grad((found[0] as Tensor).square().sum(), weights) as Tensor[];
  return { first, second: again.map((t) => [...t.data]) };
}

/** A device that runs the reference's loops, and counts the numbers that somebody still needs. */
class Counting implements Device {
  readonly name = "counting";
  held = 0;
  peak = 0;
  readonly #live = new Set<TypedArray>();

  #take<T extends TypedArray>(data: T): T {
    this.#live.add(data);
    this.held += data.length;
    this.peak = Math.max(this.peak, this.held);
    return data;
  }
  upload = (data: TypedArray): TypedArray => this.#take(data);
  view = (buffer: object): TypedArray => buffer as TypedArray;
  read = async (buffer: object): Promise<TypedArray> => (buffer as TypedArray).slice();
  write = (buffer: object, data: TypedArray): void => (buffer as TypedArray).set(data);
  free = (buffer: object): void => {
    if (this.#live.delete(buffer as TypedArray)) this.held -= (buffer as TypedArray).length;
  };
  allowRelease = (storage: Storage): void => this.free(storage.buffer("allowRelease"));
  run = (call: Call): TypedArray[] => {
    const outputs = call.outputs.map(
      (spec) => spec && { ...spec, data: this.#take(allocate(spec.dtype, sizeOf(spec.shape))) },
    );
    runLoops(call, outputs);
    return outputs.flatMap((block) => block?.data ?? []);
  };
}
registerDevice("counting", () => new Counting());

test("checkpoints of modules: the same gradients in less than a quarter of the memory", () => {
  const device = use("counting") as Counting;
  const [depth, width] = [16, 4];
  const train = (call: typeof checkpoint): { peak: number; gradients: number[][] } => {
    const rng = random(5);
    const blocks = Array.from({ length: depth }, (_, i) => {
      const own = rng.fork(i);
      const [up, down] = [
        new Linear(width, 4 * width, { rng: own }),
        new Linear(4 * width, width, { rng: own }),
      ];
      const drop = { p: 0.1, rng: own.fork("dropout") };
      const fn = (x: Tensor): Tensor => x.add(down.forward(up.forward(x).gelu()).dropout(drop));
      return { fn, parameters: [...up.parameters(), ...down.parameters()] };
    });
    const x = randn([64, width], { rng });
    const before = device.held;
    device.peak = before;
    scope(() => {
      blocks
        .reduce((y, { fn }) => call(fn, [y]), x)
        .square()
        .mean()
        .backward();
      return [];
    });
    const parameters = blocks.flatMap((block) => block.parameters);
    return {
      peak: device.peak - before,
      gradients: parameters.map((p) => [...(p.grad as Tensor).data]),
    };
  };
  const plain = train((fn, inputs) => fn(...inputs));
  const sparing = train(checkpoint);
  assert.deepEqual(sparing.gradients, plain.gradients);
  assert.ok(sparing.peak < plain.peak / 4, `${sparing.peak} of ${plain.peak} numbers`);
});

describe("wrong calls are told", () => {
  const refuses = (
    call: () => unknown,
    error: new (...args: never[]) => Error,
    text: RegExp,
  ): void =>
    void test(String(text), () => {
      assert.throws(call, (e) => e instanceof error && text.test(e.message));
    });
  const square = (x: Tensor): Tensor => x.square();
  refuses(() => jvp(square, [a], []), ArgumentError, /1 inputs and 0 tangents; one for each/);
  refuses(
    () => jvp(square, [a], [zeros([2])]),
    ShapeError,
    /tangent 0 has shape \[2\], its input \[3\]/,
  );
  refuses(
    () => jvp(square, [tensor([1], { dtype: "int32" })], [f([1])]),
    ArgumentError,
    /input 0 is int32, which has no tangent; write null/,
  );
  refuses(
    () => jvp(square, [a], [1 as never]),
    ArgumentError,
    /tangent 0 must be a tensor, got number 1/,
  );
  refuses(() => jacobian(square, a as never), ArgumentError, /inputs must be an array of tensors/);
  refuses(() => hessian(square, [a]), ShapeError, /needs a scalar, got shape \[3\]/);
  refuses(
    () => checkpoint(square, a as never),
    ArgumentError,
    /inputs must be an array of tensors/,
  );
  refuses(() => checkpoint(square, [3 as never]), ArgumentError, /input 0 must be a tensor/);
  refuses(
    () => (checkpoint as (...args: unknown[]) => unknown)(square),
    ArgumentError,
    /inputs must be/,
  );
});
