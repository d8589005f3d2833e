// The further ops (core/further/) at values where a good guess is wrong, each with who else was asked: "PyTorch"
// is 2.15.0 on a CPU, "exact" is arithmetic by hand. And what holds for all of them: a page that imports one
// loads that one, the names are the exports', and the main entry makes them methods. Their gradients and examples
// are held by ops.test.ts, wrong calls by mistakes.test.ts. Next: secondOpinion.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { build } from "esbuild";
import "../core/further/methods.ts";
import * as core from "../core/index.ts";
import {
  arange,
  furtherOps,
  grad,
  IndexError,
  opTable,
  ShapeError,
  Tensor,
  tensor,
  use,
  zeros,
  zerosLike,
} from "../core/index.ts";
import "../kernels/index.ts";
import { root } from "./folders.ts";

type Numbers = number | readonly Numbers[];
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

const f = (values: Numbers): Tensor => tensor(values, { dtype: "float64" });
const int = (values: Numbers): Tensor => tensor(values, { dtype: "int32" });

function near(x: Tensor, expected: readonly number[], what: string): void {
  assert.equal(x.size, expected.length, what);
  [...x.data].forEach((got, i) => {
    const want = expected[i] ?? 0;
    const isNear = Object.is(got, want) || Math.abs(got - want) <= 1e-12 * Math.abs(want);
    assert.ok(got === want || isNear, `${what}: ${got} instead of ${want} at ${i}`);
  });
}

/** The values of fn, and the gradients of their sum. */
function holds(
  fn: (...xs: Tensor[]) => Tensor,
  xs: readonly Numbers[],
  values: readonly number[],
  ...gradients: readonly (readonly number[])[]
): void {
  const leaves = xs.map((x) => f(x).requiresGrad_());
  const y = fn(...leaves);
  near(y, values, "value");
  const found = grad(y.sum(), leaves);
  gradients.forEach((want, i) => {
    near(found[i] as Tensor, want, `gradient ${i}`);
  });
}

for (const device of ["reference", "wasm"]) {
  describe(device, () => {
    const on = (what: string, run: () => void): void => {
      test(`${device}: ${what}`, () => {
        use(device);
        run();
      });
    };
    on("round takes the even one of two (PyTorch), and has no slope", () => {
      near(
        tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997]).round(),
        [-2, -2, -0, 0, 2, 2, 0],
        "",
      );
      holds((x) => x.round(), [[0.3, 1.7]], [0, 2], [0, 0]);
      holds((x) => x.floor(), [[-0.3, 1.7]], [-1, 1], [0, 0]);
      holds((x) => x.ceil(), [[-1.3, 1.7]], [-1, 2], [0, 0]);
      assert.equal(int([3]).floor().dtype, "int32");
    });
    on("log2 of every power of two is whole (exact)", () => {
      const powers = f(Array.from({ length: 2098 }, (_, k) => 2 ** (k - 1074)));
      assert.equal(String(powers.log2().eq(arange(-1074, 1024)).all()), "true");
      near(f([0, inf, -1]).log2(), [-inf, inf, nan], "edges");
    });
    on("logAddExp of infinities, of NaN, and at ties (PyTorch)", () => {
      const [a, b] = [f([inf, -inf, -inf, inf, nan, 1, 1e4]), f([inf, -inf, 2, -inf, 1, nan, 0])];
      near(a.logAddExp(b), [inf, -inf, 2, inf, nan, nan, 1e4], "");
      const [value, g] = [
        [Math.LN2, 3.1269280110429727],
        [0.5, 0.11920292202211755],
      ];
      holds(
        (x, y) => x.logAddExp(y),
        [
          [0, 1],
          [0, 3],
        ],
        value,
        g,
        [0.5, 0.8807970779778824],
      );
    });
    on(
      "chunk gives fewer than asked for where they run out, and empty ones of nothing (PyTorch)",
      () => {
        assert.deepEqual(arange(5).chunk(4).map(String), ["[0, 1]", "[2, 3]", "[4]"]);
        assert.equal(zeros([0]).chunk(3).length, 3);
      },
    );
    on("flatten of a scalar and of nothing (PyTorch)", () => {
      assert.deepEqual(tensor(1).flatten().shape, [1]);
      assert.deepEqual(zeros([2, 0, 4]).flatten(0, 1).shape, [0, 4]);
      assert.deepEqual(zeros([2, 3, 4]).flatten(1).shape, [2, 12]);
      assert.throws(() => zeros([2, 3]).flatten(1, 0), ShapeError);
    });
    on("repeat makes axes in front; repeatInterleave counts each (PyTorch)", () => {
      assert.deepEqual(
        tensor([[1, 2]])
          .repeat([2, 1, 2])
          .toArray(),
        [[[1, 2, 1, 2]], [[1, 2, 1, 2]]],
      );
      const x = tensor([
        [1, 2],
        [3, 4],
      ]);
      assert.deepEqual(x.repeatInterleave(int([2, 0]), { dim: 0 }).toArray(), [
        [1, 2],
        [1, 2],
      ]);
      assert.equal(String(x.repeatInterleave(2)), "[1, 1, 2, 2, 3, 3, 4, 4]");
    });
    on("roll along axes and of the flattened tensor (PyTorch)", () => {
      const x = arange(6).reshape([2, 3]);
      assert.deepEqual(x.roll([1, -1], { dims: [0, 1] }).toArray(), [
        [4, 5, 3],
        [1, 2, 0],
      ]);
      assert.deepEqual(x.roll(2).toArray(), [
        [4, 5, 0],
        [1, 2, 3],
      ]);
    });
    on("diagonals of batches, and beyond the corner (PyTorch)", () => {
      const x = arange(12).reshape([2, 2, 3]);
      const upper = x.diagonal({ offset: 1, dim1: -2, dim2: -1 });
      assert.deepEqual(upper.toArray(), [
        [1, 5],
        [7, 11],
      ]);
      assert.deepEqual(x.diagonal().toArray(), [
        [0, 9],
        [1, 10],
        [2, 11],
      ]);
      assert.deepEqual(arange(6).reshape([2, 3]).diagonal({ offset: -5 }).shape, [0]);
      assert.equal(String(arange(6).reshape([2, 3]).trace()), "4");
    });
    on("select counts from the end, and names an index that isn't there", () => {
      assert.equal(String(arange(6).reshape([2, 3]).select(1, -1)), "[2, 5]");
      assert.throws(() => zeros([2, 3]).select(1, 3), IndexError);
    });
    on("any and all of nothing and of NaN (PyTorch)", () => {
      const found = [zeros([0]).any(), zeros([0]).all(), tensor([nan]).any(), tensor([nan]).all()];
      assert.equal(found.join(), "false,true,true,true");
    });
    on(
      "prod and cumprod have the others' product as gradient, zeros among them too (PyTorch)",
      () => {
        holds((x) => x.prod(), [[2, 0, 3]], [0], [0, 6, 0]);
        holds((x) => x.prod(), [[0, 0, 3]], [0], [0, 0, 0]);
        holds((x) => x.cumprod({ dim: 0 }), [[2, 0, 3, 4]], [2, 0, 0, 0], [1, 32, 0, 0]);
        assert.equal(String(zeros([2, 0]).prod({ dim: 1 })), "[1, 1]");
        near(int([65536, 65537]).prod(), [65536], "modulo 2^32 (exact)");
      },
    );
    on("lerp ends at its end, where start + (end - start) would be off (exact)", () => {
      assert.equal(String(tensor([1e8]).lerp(tensor([1]), 1)), "[1]");
      const [values, weights] = [
        [1.5, 4.25],
        [0.25, 0.75],
      ];
      holds(
        (a, b, w) => a.lerp(b, w),
        [[1, 2], [3, 5], weights],
        values,
        [0.75, 0.25],
        weights,
        [2, 3],
      );
    });
    on("normalize and cosineSimilarity of a vector of length 0 (PyTorch)", () => {
      const zero = [
        [3, 4],
        [0, 0],
      ];
      holds((x) => x.normalize(), [zero], [0.6, 0.8, 0, 0]);
      holds(
        (a, b) => a.cosineSimilarity(b),
        [
          zero,
          [
            [1, 0],
            [1, 1],
          ],
        ],
        [0.6, 0],
      );
    });
    on("huberLoss at its kink and of infinity (PyTorch)", () => {
      const loss = (x: Tensor): Tensor =>
        x.huberLoss(zerosLike(x), { reduction: "none", delta: 2 });
      holds(loss, [[0.5, 2, -3, inf]], [0.125, 2, 4, inf], [0.5, 2, -2, 2]);
    });
    on("bceWithLogits of large logits, with weights (PyTorch)", () => {
      const [weight, posWeight] = [f([1, 2, 3]), f([3, 3, 3])];
      const loss = (x: Tensor): Tensor =>
        x.bceWithLogits(f([1, 0, 0.25]), { reduction: "none", weight, posWeight });
      const gradient = [-3, 2, 0.5510669904083458];
      holds(loss, [[-1000, 1000, 0.5]], [3000, 2000, 3.2583464288104804], gradient);
    });
    on("nllLoss' mean is over the weights of the targets that count (PyTorch)", () => {
      const loss = (x: Tensor): Tensor => x.nllLoss(int([2, 0, -100]), { weight: f([1, 2, 4]) });
      const logs = [
        [-1, -2, -3],
        [-4, -5, -6],
        [-7, -8, -9],
      ];
      holds(loss, [logs], [3.2], [0, 0, -0.8, -0.2, 0, 0, 0, 0, 0]);
      const logits = f([
        [1, 2, -1],
        [0, 3, 1],
      ]);
      const target = int([2, 0]);
      near(
        logits.logSoftmax({ dim: -1 }).nllLoss(target),
        [...logits.crossEntropy(target).data],
        "of log-probabilities it is crossEntropy (exact)",
      );
    });
    on(
      "klDiv (PyTorch); where the target is 0 it is 0, and so is its slope, where PyTorch has NaN",
      () => {
        const batchmean = (a: Tensor, b: Tensor): Tensor => a.klDiv(b, { reduction: "batchmean" });
        const [inputs, targets] = [
          [
            [-1, -2],
            [-0.5, -3],
          ],
          [
            [0.25, 0.75],
            [0.5, 0.5],
          ],
        ];
        holds(batchmean, [inputs, targets], [1.122258837410623], [-0.125, -0.375, -0.25, -0.25]);
        const logs = (a: Tensor, b: Tensor): Tensor =>
          a.klDiv(b, { reduction: "sum", logTarget: true });
        holds(
          logs,
          [
            [-1, -2],
            [-1.5, -0.5],
          ],
          [0.7982309094947352],
        );
        const each = (a: Tensor, b: Tensor): Tensor => a.klDiv(b, { reduction: "none" });
        holds(
          each,
          [
            [-1, -inf],
            [0, 0],
          ],
          [0, 0],
          [0, 0],
          [0, 0],
        );
      },
    );
  });
}

test("losses refuse shapes that only broadcast", () => {
  const { bceWithLogits, huberLoss, klDiv, mseLoss } = core;
  for (const loss of [mseLoss, huberLoss, bceWithLogits, klDiv])
    assert.throws(() => loss(zeros([3, 1]), zeros([3])), ShapeError);
});

test("the further ops have the names of their exports, are methods, and leave the table in its order", () => {
  const exported = Object.entries(core).flatMap(([name, op]) =>
    typeof op === "function" && "entry" in op && !opTable.has(name) ? [name] : [],
  );
  assert.deepEqual([...furtherOps.keys()].sort(), exported.sort());
  assert.deepEqual(
    exported.filter((name) => !(name in Tensor.prototype)),
    [],
  );
  assert.equal([...opTable.keys()][0], "add");
});

test("a page loads the further ops that it imports, and no others", async () => {
  const bundle = async (names: string): Promise<string> => {
    const { outputFiles } = await build({
      stdin: { contents: `export { ${names} } from "./core/index.ts";`, resolveDir: root },
      ...{ bundle: true, write: false, format: "esm", target: "es2022", packages: "external" },
    });
    return outputFiles[0]?.text ?? "";
  };
  const names = [...furtherOps.keys()];
  const loaded = (text: string): string[] =>
    names.filter((name) => new RegExp(`"${name}",?\\s|name: "${name}"`).test(text));
  const none = await bundle("tensor");
  assert.ok(!none.includes("core/further/"), "nothing of the folder");
  assert.deepEqual(loaded(await bundle("tensor, flatten")), ["flatten"]);
  assert.deepEqual(loaded(await bundle("tensor, furtherOps")), names);
});
