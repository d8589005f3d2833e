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
  type Random,
  random,
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

const logits = [
  [1, 2, -1],
  [0, 3, 1],
  [2, 2, 2],
];

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
    on("nonzero of NaN, of -0, of a scalar and of nothing (PyTorch)", () => {
      assert.deepEqual(
        f([
          [0, nan],
          [-0, 2],
        ])
          .nonzero()
          .toArray(),
        [
          [0, 1],
          [1, 1],
        ],
      );
      const shapes = [tensor(5), tensor(0), zeros([2, 0])].map((x) => x.nonzero().shape);
      assert.deepEqual(shapes, [
        [1, 0],
        [0, 0],
        [0, 2],
      ]);
      assert.equal(String(tensor([true, false, true]).nonzero()), "[[0],\n [2]]");
    });
    on("maskedSelect of what broadcasts (PyTorch)", () => {
      const mask = tensor([true, false, true]);
      holds((x) => x.maskedSelect(mask), [[[1], [2]]], [1, 1, 2, 2], [2, 2]);
      assert.equal(String(tensor(1).maskedSelect(tensor(true))), "[1]");
      assert.equal(tensor([true, false]).maskedSelect(tensor([true, true])).dtype, "bool");
    });
    on("scatter: the last of several stays, and it alone has a gradient (exact)", () => {
      const put = (x: Tensor, s: Tensor): Tensor => x.scatter(int([1, 3]), s, { dim: 0 });
      holds(
        put,
        [
          [0, nan, 1, inf],
          [5, 7],
        ],
        [0, 5, 1, 7],
        [1, 0, 1, 0],
        [1, 1],
      );
      const twice = (x: Tensor, s: Tensor): Tensor => x.scatter(int([1, 1]), s, { dim: -1 });
      holds(
        twice,
        [
          [0, 0, 0],
          [5, -0],
        ],
        [0, -0, 0],
        [1, 0, 1],
        [0, 1],
      );
      assert.equal(String(int([1, 2]).scatter(int([0]), 7, { dim: 0 })), "[7, 2]");
      assert.throws(
        () => f([0]).scatter(int([-1]), 1, { dim: 0 }),
        /^IndexError: scatter: index -1/,
      );
      assert.throws(() => int([0]).scatter(int([0]), 1.5, { dim: 0 }), ShapeError);
    });
    on("unique in order, with where each went and how many there are (PyTorch)", () => {
      const all = { returnInverse: true, returnCounts: true } as const;
      const [values, inverse, counts] = f([nan, 1, nan, -0, 0]).unique(all);
      near(values, [-0, 1, nan, nan], "each NaN is one");
      assert.deepEqual([String(inverse), String(counts)], ["[2, 1, 3, 0, 0]", "[2, 1, 1, 1]"]);
      const [columns, , times] = int([
        [1, 2, 1],
        [0, 3, 0],
      ]).unique({ dim: 1, ...all });
      assert.deepEqual([String(columns), String(times)], ["[[1, 2],\n [0, 3]]", "[2, 1]"]);
      const [, more] = tensor([true, false, true]).unique({ returnCounts: true });
      assert.equal(String(more), "[1, 2]");
      const [one, place] = tensor(3).unique({ returnInverse: true });
      assert.deepEqual([one.shape, place.shape], [[1], []]);
      assert.deepEqual(
        [zeros([0]).unique().shape, zeros([0, 2]).unique({ dim: 0 }).shape],
        [[0], [0, 2]],
      );
      holds((x) => x.unique(), [[3, 1, 3]], [1, 3], [1, 1, 0]);
    });
    on("cummax and cummin keep the latest of ties, and NaN for good (PyTorch)", () => {
      const { values, indices } = f([1, 3, 3, nan, 5, nan, 1]).cummax({ dim: 0 });
      near(values, [1, 3, 3, nan, nan, nan, nan], "");
      assert.equal(String(indices), "[0, 1, 2, 3, 3, 5, 5]");
      const rows = [
        [2, 2, 1],
        [1, 3, 1],
      ];
      assert.equal(String(f(rows).cummin({ dim: -1 }).indices), "[[0, 1, 2],\n [0, 0, 2]]");
      const least = (x: Tensor): Tensor => x.cummin({ dim: -1 })[0];
      holds(least, [rows], [2, 2, 1, 1, 1, 1], [1, 1, 1, 2, 0, 1]);
      assert.deepEqual(zeros([2, 0]).cummax({ dim: 1 }).indices.shape, [2, 0]);
      assert.equal(String(tensor([true, false]).cummax({ dim: 0 }).values), "[true, true]");
      assert.equal(String(f([-inf, -inf]).cummax({ dim: 0 }).indices), "[0, 1]");
    });
    on("quantile in its five ways, with gradients of x and of q (PyTorch)", () => {
      const rows = [
        [3, 1, 2],
        [6, 5, 9],
      ];
      const q = f([0.25, 0.6]);
      const ways = {
        linear: [
          [1.5, 5.5, 2.2, 6.6],
          [0.2, 0.5, 1.3, 1.3, 0.5, 0.2],
        ],
        lower: [
          [1, 5, 2, 6],
          [0, 1, 1, 1, 1, 0],
        ],
        higher: [
          [2, 6, 3, 9],
          [1, 0, 1, 1, 0, 1],
        ],
        midpoint: [
          [1.5, 5.5, 2.5, 7.5],
          [0.5, 0.5, 1, 1, 0.5, 0.5],
        ],
        nearest: [
          [1, 5, 2, 6],
          [0, 1, 1, 1, 1, 0],
        ],
      } as const;
      for (const [interpolation, [values, slopes]] of Object.entries(ways)) {
        const options = { dim: 1, interpolation: interpolation as keyof typeof ways };
        const found = f(rows).requiresGrad_();
        const y = found.quantile(q, options);
        near(y, values, interpolation);
        const [dx] = grad(y.sum(), found);
        [...(dx as Tensor).data].forEach((g, i) => {
          assert.ok(Math.abs(g - (slopes[i] ?? 0)) < 1e-12, `${interpolation}: ${g}`);
        });
      }
      const at = f([0.4, 0.5]).requiresGrad_();
      const [dq] = grad(f([3, 1, 2, 7]).quantile(at).sum(), at);
      near(dq as Tensor, [3, 3], "of q");
    });
    on("quantile of NaN and infinities; its shapes (PyTorch)", () => {
      const x = f([
        [3, nan, 1, 2],
        [-inf, 0, inf, inf],
      ]);
      near(x.quantile(0.25, { dim: 1 }), [nan, -inf], "");
      near(x.quantile(0.9, { dim: 1, interpolation: "lower" }), [nan, inf], "");
      const shape = (...args: Parameters<typeof x.quantile>): number[] => [
        ...zeros([2, 3], { dtype: "float64" }).quantile(...args).shape,
      ];
      const found = [
        shape(f([0.1, 0.2]), { dim: 1, keepDims: true }),
        shape(f([0.1, 0.2]), { keepDims: true }),
        shape(f([]), { dim: 0 }),
        shape(f(0.5), { keepDims: true }),
        shape(0.5),
      ];
      assert.deepEqual(found, [[2, 2, 1], [2, 1, 1], [0, 3], [1, 1], []]);
      assert.equal(String(tensor(3).quantile(0.5)), "3");
      for (const wrong of [() => zeros([0]).quantile(0.5), () => f([1]).quantile(f([[0.5]]))])
        assert.throws(wrong, ShapeError);
      for (const q of [1.5, nan, f([0.5, -1])])
        assert.throws(() => f([1, 2]).quantile(q), /quantile: q must be in \[0, 1\]/);
    });
    on("multinomial draws in proportion, and without replacement each once", () => {
      const rng = random(1);
      const weights = tensor([
        [0, 1, 3],
        [2, 0, 2],
      ]);
      const counts = [0, 1, 2, 3, 4, 5].map(() => 0);
      weights.multinomial(4000, { rng, replacement: true }).data.forEach((place, i) => {
        const at = 3 * Math.floor(i / 4000) + place;
        counts[at] = (counts[at] ?? 0) + 1;
      });
      const expected = [0, 1000, 3000, 2000, 0, 2000];
      counts.forEach((n, i) => {
        assert.ok(Math.abs(n - (expected[i] ?? 0)) < 130, `${n} of ${expected[i]} at ${i}`); // 4 deviations
      });
      const once = weights.multinomial(2, { rng }).toArray() as number[][];
      assert.deepEqual(
        once.map((row) => row.toSorted()),
        [
          [1, 2],
          [0, 2],
        ],
      );
      assert.deepEqual(zeros([0, 3]).multinomial(2, { rng }).shape, [0, 2]);
    });
    on("multinomial's forks don't depend on what was drawn before, its own draws go on", () => {
      const x = tensor(new Float32Array(1000).fill(1));
      const draw = (rng: Random): string => String(x.multinomial(5, { rng }));
      const [one, two] = [random(7), random(7)];
      const first = draw(one);
      assert.equal(draw(one.fork("a")), draw(two.fork("a")));
      assert.notEqual(draw(one.fork("a")), draw(one.fork("b")));
      assert.equal(first, draw(two));
      assert.notEqual(draw(one), first);
      const again = core.Random.restore(two.state());
      assert.equal(draw(again), draw(two));
    });
    on("multinomial refuses weights that can't be drawn from", () => {
      const rng = random(1);
      const draw = (weights: Numbers, n = 1) => f(weights).multinomial(n, { rng });
      for (const weights of [
        [1, nan],
        [1, inf],
        [1, -1],
      ])
        assert.throws(() => draw(weights), /multinomial: weights must be finite and >= 0/);
      assert.throws(() => draw([0, 1], 2), /1 of 2 weights are > 0, needed 2; .*replacement: true/);
      assert.throws(() => draw([0, 0]), /0 of 2 weights are > 0/);
      assert.throws(() => draw([1, 1], 0), /numSamples must be a whole number >= 1/);
      assert.throws(() => draw(1), ShapeError);
      assert.throws(() => int([1]).multinomial(1, { rng }), /needs float32 or float64/);
    });
    on("slice by steps (PyTorch)", () => {
      const x = arange(12).to("float64").reshape([3, 4]);
      const odd = (t: Tensor): Tensor => t.slice({ dim: -1, start: 1, step: 2 }).square();
      holds(
        odd,
        [x.toArray() as Numbers],
        [1, 9, 25, 49, 81, 121],
        [0, 2, 0, 6, 0, 10, 0, 14, 0, 18, 0, 22],
      );
      assert.equal(String(arange(10).slice({ dim: 0, start: 1, end: 9, step: 3 })), "[1, 4, 7]");
      assert.equal(String(arange(7).slice({ dim: 0, start: -6, end: -1, step: 2 })), "[1, 3, 5]");
      assert.deepEqual(arange(3).slice({ dim: 0, start: 5, end: 9, step: 2 }).shape, [0]);
      assert.deepEqual(zeros([0, 2]).slice({ dim: 0, step: 2 }).shape, [0, 2]);
      for (const step of [0, -1, 1.5, inf, nan])
        assert.throws(() => x.slice({ dim: 0, step }), /slice: step must be a whole number > 0/);
    });
    on("clamp by tensors: NaN in any of them, bounds that cross, halves at ties (PyTorch)", () => {
      near(
        f([1, nan, 3, 5]).clamp({ min: f([2, 1, nan, 6]), max: f([4, 4, 4, 5]) }),
        [2, nan, nan, 5],
        "",
      );
      const [x, low, high] = [
        [0, 1, 2, 3, 4, 2, 0, 5, 3],
        [1, 1, 1, 1, 1, 4, 4, 4, 2],
        [3, 3, 3, 3, 3, 1, 1, 1, 2],
      ];
      holds(
        (t, min, max) => t.clamp({ min, max }),
        [x ?? [], low ?? [], high ?? []],
        [1, 1, 2, 3, 3, 1, 1, 1, 2],
        [0, 0.5, 1, 0.5, 0, 0, 0, 0, 0],
        [1, 0.5, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0.5, 1, 1, 1, 1, 1],
      );
      assert.equal(String(int([1, 2]).clamp({ min: tensor([1.5, 1]) })), "[1.5, 2]");
      assert.deepEqual(f([1, 2]).clamp({ max: f([[1.5], [1]]) }).shape, [2, 2]);
      assert.equal(int([1, 5]).clamp({ min: int([2, 2]), max: 4 }).dtype, "int32");
    });
    on("crossEntropy with weights of the classes (PyTorch)", () => {
      const weight = f([1, 2, 4]);
      const loss =
        (options: object) =>
        (x: Tensor): Tensor =>
          x.crossEntropy(int([2, -100, 1]), { weight, ...options });
      holds(
        loss({}),
        [logits],
        [2.598878907401494],
        [
          0.1729976402282794,
          0.47025634179882747,
          -0.6432539820271068,
          0,
          0,
          0,
          1 / 9,
          -2 / 9,
          1 / 9,
        ],
      );
      holds(loss({ labelSmoothing: 0.25 }), [logits], [2.270456007468538]);
      holds(
        loss({ labelSmoothing: 0.25, reduction: "none" }),
        [logits],
        [11.333960443419334, 0, 2.288775601391895],
      );
      near(f(logits).crossEntropy(int([0, 1, 2]), { weight: f([0, 0, 0]) }), [nan], "no weight");
      const out = f([[0, -inf]]).crossEntropy(int([0]), { weight: f([1, 0]) });
      near(out, [0], "of weight 0 and no chance");
    });
    on("crossEntropy of probabilities (PyTorch)", () => {
      const wanted = [
        [0.2, 0.3, 0.5],
        [1, 0, 0],
        [0, 0.25, 0.75],
      ];
      const loss =
        (options: object) =>
        (x: Tensor, p: Tensor): Tensor =>
          x.crossEntropy(p, options);
      holds(loss({}), [logits, wanted], [2.1058235083308605]);
      holds(loss({ labelSmoothing: 0.25 }), [logits, wanted], [1.9641568416641941]);
      const weight = f([1, 2, 4]);
      holds(
        loss({ weight, reduction: "sum" }),
        [logits, wanted],
        [14.19222323684559],
        [
          ...[0.5265900889587735, 1.3750766355550752, -1.9016667245138488],
          ...[-0.9579899338659339, 0.8437947344813396, 0.11419519938459448],
          ...[7 / 6, 2 / 3, -11 / 6],
        ],
        [
          ...[1.3490122167681864, 0.6980244335363727, 13.396048867072745],
          ...[3.1698460195562856, 0.33969203911257095, 8.679384078225143],
          ...[1.0986122886681098, 2.1972245773362196, 4.394449154672439],
        ],
      );
      near(f([[0, -inf]]).crossEntropy(f([[1, 0]])), [nan], "0 of an impossible one, as PyTorch");
      near(zeros([0, 3]).crossEntropy(zeros([0, 3])), [nan], "of nothing");
      near(f([0, 0, 0]).crossEntropy(f([1 / 3, 1 / 3, 1 / 3])), [Math.log(3)], "of a vector");
      const sure = f([
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
      ]);
      near(
        f(logits).crossEntropy(sure, { labelSmoothing: 0.1 }),
        [...f(logits).crossEntropy(int([2, 0, 1]), { labelSmoothing: 0.1 }).data],
        "of classes that are sure it is that of the classes (exact)",
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

test("crossEntropy refuses weights and probabilities of other shapes, and to ignore a probability", () => {
  const x = zeros([2, 3]);
  const target = int([0, 1]);
  assert.throws(
    () => x.crossEntropy(target, { weight: zeros([2]) }),
    /needed .* weight \[classes\]/,
  );
  assert.throws(() => x.crossEntropy(zeros([2, 2])), ShapeError);
  assert.throws(() => x.crossEntropy(zeros([2])), /must hold classes as int32, or their prob/);
  assert.throws(() => x.crossEntropy(x, { ignoreIndex: 1 }), /< 0 with probabilities/);
});

test("without weights and probabilities crossEntropy is one op, with the kernels' bits", () => {
  const x = zeros([2, 3]).requiresGrad_();
  assert.equal(x.crossEntropy(int([0, 1])).node?.entry.name, "crossEntropy");
  assert.notEqual(x.crossEntropy(x.detach()).node?.entry.name, "crossEntropy");
});

test("item takes no argument", async () => {
  const item = tensor([1]).item as (...args: unknown[]) => Promise<number>;
  assert.equal(await item.call(tensor([1])), 1);
  await assert.rejects(item.call(tensor([1]), 0), /item: number 0 is one argument too many; write/);
});

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
