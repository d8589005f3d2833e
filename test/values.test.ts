// The awkward values, each by hand: ties, infinities, NaN on the branch not taken, axes without elements,
// 0 to the power 0, and the conventions where PyTorch decided for everybody. The drawn inputs of
// ops.test.ts stay away from these places, because finite differences fail there.
// Next: memory.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  cat,
  crossEntropy,
  type Draw,
  einsum,
  erf,
  full,
  grad,
  hvp,
  ones,
  scaledDotProductAttention,
  type Tensor,
  tensor,
  where,
  withDefinitions,
  zeros,
} from "../core/index.ts";
import { holds } from "../testing/property.ts";

type Numbers = number | readonly Numbers[];

function f64(values: Numbers): Tensor {
  return tensor(values, { dtype: "float64", requiresGrad: true });
}

function int(values: Numbers): Tensor {
  return tensor(values, { dtype: "int32" });
}

function near(
  actual: Tensor | null | undefined,
  expected: readonly number[],
  tolerance = 1e-12,
): void {
  assert.ok(actual, "there is a tensor");
  assert.equal(actual.size, expected.length);
  expected.forEach((y, i) => {
    const x = actual.data[i] ?? 0;
    const fits =
      Object.is(x, y) || x === y || Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y));
    assert.ok(fits, `[${actual.data}] instead of [${expected}]`);
  });
}

/** The gradient of the sum of fn(x): by the fused loops, the definitions, and with createGraph. */
function slope(
  fn: (x: Tensor) => Tensor,
  x: Tensor,
  expected: readonly number[],
  tolerance?: number,
): void {
  near(grad(fn(x).sum(), x)[0], expected, tolerance);
  near(withDefinitions(() => grad(fn(x).sum(), x))[0], expected, tolerance);
  near(grad(fn(x).sum(), x, { createGraph: true })[0], expected, tolerance);
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe("ties", () => {
  test("share the gradient of max and min equally, over one axis and over all", () => {
    slope((x) => x.max(), f64([3, 1, 3, 3]), [1 / 3, 0, 1 / 3, 1 / 3]);
    slope((x) => x.min(), f64([1, 1, 5]), [0.5, 0.5, 0]);
    slope(
      (x) => x.max({ dims: 1 }),
      f64([
        [2, 2],
        [1, 4],
      ]),
      [0.5, 0.5, 0, 1],
    );
    slope((x) => x.max(), f64([-inf, -inf]), [0.5, 0.5]);
    slope((x) => x.max(), f64([inf, 1, inf]), [0.5, 0, 0.5]);
  });
  test("share the gradient of maximum and minimum, also of a tensor with itself", () => {
    const [a, b] = [f64([1, 2, 3]), f64([3, 2, 1])];
    const found = grad(a.maximum(b).sum(), [a, b]);
    near(found[0], [0, 0.5, 1]);
    near(found[1], [1, 0.5, 0]);
    slope((x) => x.minimum(2), a, [1, 0.5, 0]);
    slope((x) => x.maximum(x), a, [1, 1, 1]);
  });
  test("keep their order in sort, and each gets its own gradient", () => {
    const x = f64([2, 1, 2, 1]);
    assert.deepEqual([...x.sort().indices.data], [1, 3, 0, 2]);
    assert.deepEqual([...x.sort({ descending: true }).indices.data], [0, 2, 1, 3]);
    slope((t) => t.sort().values.mul(tensor([1, 2, 3, 4], { dtype: "float64" })), x, [3, 1, 4, 2]);
    assert.deepEqual([...x.topk(2).indices.data], [0, 2]);
    assert.equal(x.argmax().data[0], 0);
    assert.equal(x.argmin().data[0], 1);
  });
  test("shares of a maximum add up to 1", () => {
    const draw = (d: Draw): Tensor =>
      d.tensor([d.integer(1, 4), d.integer(1, 4)], { low: 0, high: 1, offset: 0, distinct: false });
    holds("shares", draw, (x) => {
      const leaf = x.detach().requiresGrad_();
      const [g] = grad(leaf.max({ dims: -1 }).sum(), leaf);
      near(g?.sum({ dims: -1 }), new Array<number>(x.shape[0] ?? 0).fill(1));
    });
  });
});

describe("infinities and NaN", () => {
  test("0 times infinity is NaN", () => {
    near(f64([0]).mul(inf), [nan]);
    near(f64([0, 1]).matmul(f64([inf, 1])), [nan]);
    near(f64([-inf]).add(inf), [nan]);
    near(f64([[0], [1]]).matmul(f64([[nan, 1]])), [nan, 0, nan, 1]);
  });
  test("where: the branch not taken has gradient 0, whatever stands there and whatever comes in", () => {
    const [a, b] = [f64([1, nan, inf]), f64([nan, 2, 3])];
    const mask = tensor([true, false, false]);
    const y = where(mask, a, b);
    near(y, [1, 2, 3]);
    const g = tensor([5, nan, inf], { dtype: "float64" });
    const [da, db] = grad(y, [a, b], { gradOutputs: g });
    near(da, [5, 0, 0]);
    near(db, [0, nan, inf]);
    const [dx] = grad(where(mask, a, b).sum(), a);
    near(dx, [1, 0, 0]);
  });
  test("maskedFill: the filled place has gradient 0", () => {
    const x = f64([1, nan]);
    const y = x.maskedFill(tensor([false, true]), 7);
    near(y, [1, 7]);
    near(grad(y, x, { gradOutputs: tensor([3, nan], { dtype: "float64" }) })[0], [3, 0]);
  });
  test("NaN passes through relu, clamp, maximum, max, sort puts it last", () => {
    const x = tensor([nan, 1]);
    for (const y of [x.relu(), x.clamp({ min: 0 }), x.maximum(0), x.minimum(2)]) near(y, [nan, 1]);
    near(x.max(), [nan]);
    near(x.min(), [nan]);
    near(x.sort().values, [1, nan]);
    assert.equal(x.argmax().data[0], 0);
    assert.deepEqual(x.eq(x).toArray(), [false, true]);
  });
  test("gather, indexSelect, embedding, sort and topk: infinities elsewhere don't reach the gradient", () => {
    const x = f64([1, -inf, nan, 4]);
    slope((t) => t.gather(int([0, 3, 3]), { dim: 0 }), x, [1, 0, 0, 2]);
    slope((t) => t.indexSelect(int([0, 3])), x, [1, 0, 0, 1]);
    slope((t) => t.reshape([4, 1]).embedding(int([0, 3])), x, [1, 0, 0, 1]);
    slope((t) => t.topk(2).values, f64([1, -inf, 3, 4]), [0, 0, 1, 1]);
    slope((t) => t.sort().values, f64([1, -inf]), [1, 1]);
    slope((t) => t.slice({ dim: 0, start: 3 }), x, [0, 0, 0, 1]);
    slope((t) => cat([t, t]).slice({ dim: 0, start: 3, end: 5 }), x, [1, 0, 0, 1]);
  });
  test("pow, abs, sqrt and relu at 0", () => {
    slope((x) => x.abs(), f64([0, -2]), [0, -1]);
    slope((x) => x.relu(), f64([0, 2]), [0, 1]);
    slope((x) => x.sqrt(), f64([0, 4]), [inf, 0.25]);
    slope((x) => x.sign(), f64([0, 4]), [0, 0]);
  });
});

describe("softmax and its kin", () => {
  test("-inf becomes exactly 0 and gets gradient 0", () => {
    const x = f64([
      [0, -inf, 0],
      [-inf, 5, -inf],
    ]);
    near(x.softmax({ dim: -1 }), [0.5, 0, 0.5, 0, 1, 0]);
    const w = tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      { dtype: "float64" },
    );
    slope((t) => t.softmax({ dim: -1 }).mul(w), x, [-0.5, 0, 0.5, 0, 0, 0]);
  });
  test("a row of nothing but -inf is NaN, and leaves the others alone", () => {
    near(
      f64([
        [-inf, -inf],
        [0, 0],
      ]).softmax({ dim: 1 }),
      [nan, nan, 0.5, 0.5],
    );
    near(
      withDefinitions(() =>
        f64([
          [-inf, -inf],
          [0, 0],
        ]).softmax({ dim: 1 }),
      ),
      [nan, nan, 0.5, 0.5],
    );
  });
  test("large numbers don't overflow, small ones don't vanish", () => {
    near(f64([1000, 1000]).softmax({ dim: 0 }), [0.5, 0.5]);
    near(f64([1e300, -1e300]).softmax({ dim: 0 }), [1, 0]);
    near(f64([0, -1000]).logSoftmax({ dim: 0 }), [0, -1000]);
    near(f64([1000, 1000]).logSumExp(), [1000 + Math.LN2]);
    near(f64([-1000, -1000]).logSumExp(), [-1000 + Math.LN2]);
    near(tensor([1e4, 1e4]).logSumExp(), [1e4 + Math.LN2], 1e-6);
    slope((x) => x.logSumExp(), f64([1000, 1000]), [0.5, 0.5]);
    slope((x) => x.logSumExp(), f64([0, -inf]), [1, 0]);
    near(f64([inf, 0]).logSumExp(), [inf]);
    near(f64([-inf, -inf]).logSumExp(), [-inf]);
    near(f64([-1000, 1000]).logSigmoid(), [-1000, 0]);
    near(f64([-1000, 1000]).softplus(), [0, 1000]);
    near(f64([-1000, 1000]).sigmoid(), [0, 1]);
  });
  test("crossEntropy: -inf on another class costs nothing; the mean is over what counts", () => {
    const x = f64([
      [0, -inf, 0],
      [1, 2, 3],
    ]);
    near(crossEntropy(x, int([0, -100])), [Math.LN2]);
    slope((t) => crossEntropy(t, int([0, -100])), x, [-0.5, 0, 0.5, 0, 0, 0]);
    near(crossEntropy(x, int([0, 7]), { ignoreIndex: 7, reduction: "none" }), [Math.LN2, 0]);
    near(crossEntropy(f64([[0, 0]]), int([-100])), [nan]);
    near(crossEntropy(f64([[0, 0]]), int([-100]), { reduction: "sum" }), [0]);
    const third = Math.log(3);
    near(
      crossEntropy(
        f64([
          [0, 0, 0],
          [0, 0, 0],
        ]),
        int([0, 1]),
        { labelSmoothing: 0.5 },
      ),
      [third],
    );
    near(
      crossEntropy(
        f64([
          [
            [0, 1],
            [0, 0],
          ],
        ]),
        int([[1, 0]]),
        { reduction: "none" },
      ),
      [Math.log1p(Math.exp(-1)), Math.LN2],
    );
  });
  test("attention: a query that sees nothing gives zeros and takes no gradient", () => {
    const q = f64([
      [1, 2],
      [3, 4],
    ]);
    const mask = tensor([
      [false, false],
      [true, false],
    ]);
    const v = tensor(
      [
        [5, 6],
        [7, 8],
      ],
      { dtype: "float64" },
    );
    near(scaledDotProductAttention(q, v, v, { mask }), [0, 0, 5, 6]);
    slope((t) => scaledDotProductAttention(t, v, v, { mask }), q, [0, 0, 0, 0]);
    slope(
      (t) =>
        scaledDotProductAttention(t, v, v, {
          mask: mask.where(zeros([2, 2], { dtype: "float64" }), -inf),
        }),
      q,
      [0, 0, 0, 0],
    );
  });
});

describe("axes without elements", () => {
  const empty = (): Tensor => zeros([2, 0], { dtype: "float64" }).requiresGrad_();
  test("sum 0, mean NaN, logSumExp -inf, norm 0, argmax and max refused", () => {
    near(empty().sum({ dims: 1 }), [0, 0]);
    near(empty().sum(), [0]);
    near(empty().mean({ dims: 1 }), [nan, nan]);
    near(empty().logSumExp({ dims: 1 }), [-inf, -inf]);
    near(empty().norm({ dims: 1 }), [0, 0]);
    near(empty().var({ dims: 1 }), [nan, nan]);
    assert.throws(() => empty().max({ dims: 1 }), /max: no elements/);
    assert.throws(() => empty().argmax(), /argmax: no elements/);
    assert.deepEqual(empty().max({ dims: 0 }).shape, [0]);
  });
  test("softmax, cumsum, sort, cat, gradients: nothing in, nothing out", () => {
    for (const fn of [
      (x: Tensor) => x.softmax({ dim: -1 }),
      (x: Tensor) => x.logSoftmax({ dim: 0 }),
      (x: Tensor) => x.cumsum({ dim: 1 }),
      (x: Tensor) => x.sort().values,
      (x: Tensor) => cat([x, x], { dim: 0 }),
      (x: Tensor) => x.transpose().add(1).layerNorm(),
      (x: Tensor) => x.exp().sum({ dims: 1 }),
    ]) {
      const x = empty();
      const [g] = grad(fn(x).sum(), x);
      assert.deepEqual(g?.shape, [2, 0]);
    }
  });
  test("matmul over no terms gives zeros, and gradients of the right shape", () => {
    const [a, b] = [empty(), zeros([0, 3], { dtype: "float64" }).requiresGrad_()];
    near(a.matmul(b), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(a.matmul(b).shape, [2, 3]);
    assert.deepEqual(
      grad(a.matmul(b).sum(), [a, b]).map((g) => g?.shape),
      [
        [2, 0],
        [0, 3],
      ],
    );
    near(einsum("ij,jk->ik", a, b), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(zeros([0, 2]).matmul(zeros([2, 3])).shape, [0, 3]);
    near(zeros([0]).matmul(zeros([0])), [0]);
    assert.deepEqual(zeros([4, 0, 2]).matmul(zeros([2, 3])).shape, [4, 0, 3]);
  });
  test("std of one element is NaN, var without correction 0", () => {
    near(f64([3]).std(), [nan]);
    near(f64([3]).var({ correction: 0 }), [0]);
  });
});

describe("powers, lengths and scales", () => {
  test("0 to the power 0 is 1 and both its gradients are 0", () => {
    const [a, b] = [f64([0, 2, 0]), f64([0, 0, 3])];
    const y = a.pow(b);
    near(y, [1, 1, 0]);
    const found = grad(y.sum(), [a, b]);
    near(found[0], [0, 0, 0]);
    near(found[1], [0, Math.LN2, 0]);
    slope((x) => x.pow(0), f64([0, 2]), [0, 0]);
    slope((x) => x.pow(1), f64([0, 2]), [1, 1]);
    slope((x) => x.pow(2), f64([0, -2]), [0, -4]);
    near(f64([1, nan]).pow(f64([nan, 0])), [1, 1]);
  });
  test("the curvature of x² at 0 is 2, by pow, square and mul", () => {
    const [x, v] = [f64([0]), f64([1])];
    near(hvp((t) => t.pow(2).sum(), [x], [v])[0], [2]);
    near(hvp((t) => t.square().sum(), [x], [v])[0], [2]);
    near(hvp((t) => t.mul(t).sum(), [x], [v])[0], [2]);
  });
  test("norm and std at 0 have gradient 0", () => {
    slope((x) => x.norm(), f64([0, 0]), [0, 0]);
    slope(
      (x) => x.norm({ dims: 1 }),
      f64([
        [0, 0],
        [3, 4],
      ]),
      [0, 0, 0.6, 0.8],
    );
    slope((x) => x.norm({ p: 1 }), f64([0, -2]), [0, -1]);
    slope((x) => x.norm({ p: Infinity }), f64([1, -3]), [0, -1]);
    slope((x) => x.std(), f64([2, 2]), [0, 0]);
  });
  test("layerNorm and rmsNorm of equal numbers", () => {
    near(f64([2, 2]).layerNorm(), [0, 0]);
    near(f64([0, 0]).rmsNorm(), [0, 0]);
    near(tensor([0, 0]).rmsNorm(), [0, 0]);
  });
});

describe("accuracy", () => {
  test("a float32 mean of 10 million equal values is exact to 1e-6", () => {
    const x = full([10_000_000], 0.1);
    const mean = x.mean().data[0] ?? 0;
    assert.ok(Math.abs(mean / Math.fround(0.1) - 1) < 1e-6, `${mean}`);
    const sum = x.sum().data[0] ?? 0;
    assert.ok(Math.abs(sum / 1e7 / Math.fround(0.1) - 1) < 1e-6, `${sum}`);
  });
  test("the variance of large numbers that lie close together", () => {
    near(f64([1e8, 1e8 + 1, 1e8 + 2]).var(), [1], 1e-9);
  });
  test("erf against tabulated constants", () => {
    const table = [
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [2.9999, 0.9999778955735178],
      [3, 0.9999779095030014],
      [3.5, 0.9999992569016276],
      [4, 0.9999999845827421],
      [6, 1],
      [1e-10, 1.1283791670955126e-10],
    ] as const;
    for (const [x, y] of table) near(erf(f64([x, -x])), [y, -y], 4e-16 * 10);
    near(erf(f64([inf, -inf, nan, 0])), [1, -1, nan, 0]);
  });
  test("expm1 and log1p near 0", () => {
    assert.equal(f64(1e-20).expm1().data[0], 1e-20);
    assert.equal(f64(1e-20).log1p().data[0], 1e-20);
  });
});

describe("PyTorch's conventions", () => {
  test("gelu is exact unless the tanh form is asked for", () => {
    near(f64([1, -2]).gelu(), [0.8413447460685429, -0.04550026389635842]);
    near(f64([1]).gelu({ approximate: "tanh" }), [0.8411919906082768]);
    near(f64([-inf, inf]).gelu(), [0, inf]);
    near(f64([-inf, inf]).silu(), [0, inf]);
  });
  test("matmul of vectors: dot product, matrix times vector, vector times matrix, batches", () => {
    const [u, v, M] = [
      f64([1, 2]),
      f64([3, 4]),
      f64([
        [1, 2],
        [3, 4],
      ]),
    ];
    assert.deepEqual([u.matmul(v).shape, u.matmul(v).data[0]], [[], 11]);
    assert.deepEqual(M.matmul(v).toArray(), [11, 25]);
    assert.deepEqual(u.matmul(M).toArray(), [7, 10]);
    const batch = f64([
      [
        [1, 0],
        [0, 1],
      ],
      [
        [2, 0],
        [0, 2],
      ],
      [
        [0, 1],
        [1, 0],
      ],
    ]);
    assert.deepEqual(batch.matmul(u).toArray(), [
      [1, 2],
      [2, 4],
      [2, 1],
    ]);
    assert.deepEqual(u.matmul(batch).toArray(), [
      [1, 2],
      [2, 4],
      [2, 1],
    ]);
    const found = grad(u.matmul(v), [u, v]);
    near(found[0], [3, 4]);
    near(found[1], [1, 2]);
  });
  test("matmul agrees with einsum, flags and broadcast batches too", () => {
    const draw = (d: Draw): Tensor[] => {
      const [m, n, k] = [d.integer(0, 3), d.integer(0, 3), d.integer(0, 3)];
      return [d.tensor([d.pick(1, 2), m, k]), d.tensor([2, n, k])];
    };
    holds("matmul and einsum", draw, ([a, b]) => {
      const expected = einsum("bij,bkj->bik", a as Tensor, b as Tensor);
      near((a as Tensor).matmul(b as Tensor, { transposeB: true }), [...expected.data]);
    });
  });
  test("dtypes: tensors decide, a number widens only what can't hold it", () => {
    assert.equal(int([1]).add(1).dtype, "int32");
    assert.equal(int([1]).add(1.5).dtype, "float32");
    assert.equal(int([1]).div(2).dtype, "float32");
    assert.equal(ones([1]).add(f64([1])).dtype, "float64");
    assert.equal(tensor([true]).add(tensor([true])).data[0], 2);
    assert.equal(tensor([true, true]).sum().dtype, "int32");
    assert.equal(int([2]).exp().dtype, "float32");
  });
  test("var is Bessel's; rounding of int32 is towards 0; clamp's ends pass the gradient", () => {
    near(f64([1, 2, 3, 4]).var(), [5 / 3]);
    near(f64([1, 2, 3, 4]).var({ correction: 0 }), [1.25]);
    assert.deepEqual([...tensor([1.7, -1.7]).to("int32").data], [1, -1]);
    slope((x) => x.clamp({ min: 0, max: 1 }), f64([0, 0.5, 1, 2]), [1, 1, 1, 0]);
  });
});
