// Values where a good guess is wrong: each stands here with who else was asked. "PyTorch" is 2.15.0 on
// a CPU, "exact" is arithmetic by hand or in whole numbers (Python's fractions), "mpmath" has 40 digits.
// Every case runs on both CPU devices. Next: hardValues.test.ts, which draws such values for every op.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  einsum,
  full,
  fullLike,
  grad,
  hvp,
  linspace,
  ones,
  random,
  scaledDotProductAttention,
  type Tensor,
  tensor,
  use,
  vjp,
  withDefinitions,
  zeros,
} from "../core/index.ts";
import "../kernels/index.ts";

type Numbers = number | readonly Numbers[];
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

function int(values: Numbers): Tensor {
  return tensor(values, { dtype: "int32" });
}

function leaf(values: Numbers, dtype: "float32" | "float64" = "float32"): Tensor {
  return tensor(values, { dtype, requiresGrad: true });
}

function near(x: Tensor | null | undefined, expected: readonly number[], rtol = 1e-6): void {
  assert.ok(x, "there is a tensor");
  const got = [...x.data];
  assert.equal(got.length, expected.length);
  expected.forEach((y, i) => {
    const a = got[i] ?? 0;
    const fits = Object.is(a, y) || a === y || Math.abs(a - y) <= rtol * Math.abs(y);
    assert.ok(fits, `[${got}] instead of [${expected}]`);
  });
}

/** fn(x), and the gradient of its sum. */
function both(
  fn: (x: Tensor) => Tensor,
  x: Tensor,
  y: readonly number[],
  dx: readonly number[],
  rtol?: number,
): void {
  const value = fn(x);
  near(value, y, rtol);
  near(grad(value.sum(), x)[0], dx, rtol);
}

for (const device of ["reference", "wasm"]) {
  const on = (name: string, fn: () => void): void => {
    test(`${name}, ${device}`, () => {
      use(device);
      fn();
    });
  };

  describe("norms", () => {
    on("for any p, with gradients", () => {
      const x = (): Tensor => leaf([3, 0, -4], "float64");
      const p = (value: number) => (t: Tensor) => t.norm({ p: value });
      // PyTorch: torch.linalg.vector_norm
      both(p(3), x(), [4.497941445275415], [0.4448513517305356, 0, -0.7908468475209521], 1e-14);
      both(p(0.5), x(), [13.928203230275509], [2.154700538379252, 0, -1.8660254037844386], 1e-14);
      both(p(1), x(), [7], [1, 0, -1]);
      both(p(2), x(), [5], [0.6, 0, -0.8], 1e-14);
      both(p(inf), x(), [4], [0, 0, -1]);
      both(p(-inf), x(), [0], [0, 0, 0]);
      both(p(-1), x(), [0], [0, 0, 0]);
      both(p(-inf), leaf([3, 4]), [3], [1, 0]);
      both(p(-1), leaf([3, 4], "float64"), [12 / 7], [16 / 49, 9 / 49], 1e-14); // exact
      both(p(0), x(), [2], [0, 0, 0]); // PyTorch has no gradient there; it is 0
      for (const each of [0, 0.5, 1, 2, 3, inf]) both(p(each), leaf([0, 0]), [0], [0, 0]);
      both(
        p(3),
        leaf([1e200, -1e200], "float64"),
        [2 ** (1 / 3) * 1e200],
        [2 ** (-2 / 3), -(2 ** (-2 / 3))],
        1e-14,
      );
      assert.deepEqual(zeros([2, 3]).norm({ p: 3, dims: 1, keepDims: true }).shape, [2, 1]);
      assert.throws(() => zeros([2]).norm({ p: nan }), /norm: p = NaN/);
    });
    on("p below 1: a small number beside a large one has a gradient that is a number", () => {
      // PyTorch, and exact: (y / |x|)^(1/2), y = (Σ |x|^(1/2))²
      both((x) => x.norm({ p: 0.5 }), leaf([1e30, 1]), [1e30], [1, 1e15]);
      both((x) => x.norm({ p: 0.5 }), leaf([1e-30, 4e-30]), [9e-30], [3, 1.5]);
    });
    on("std and norm of numbers whose squares overflow or vanish", () => {
      const half = Math.SQRT1_2;
      both((x) => x.std(), leaf([3e25, -4e25]), [4.949747506682615e25], [half, -half]); // PyTorch
      both((x) => x.std(), leaf([3e-30, -4e-30]), [4.9497474e-30], [half, -half]); // exact, scaled
      both((x) => x.norm(), leaf([3e25, -4e25]), [5e25], [0.6, -0.8]);
      both((x) => x.norm(), leaf([3e-30, -4e-30]), [5e-30], [0.6, -0.8]);
      both((x) => x.norm(), leaf([3e200, 4e200], "float64"), [5e200], [0.6, 0.8], 1e-14);
      near(
        leaf([
          [3e25, -4e25],
          [1, 3],
        ]).std({ dims: 1 }),
        [4.949747506682615e25, Math.SQRT2],
      );
      near(leaf([3e38, 3e38]).std(), [0]);
    });
  });

  describe("integers are numbers modulo 2^32", () => {
    const [a, b] = [123456789, 987654321];
    const most = 2147483647;
    // PyTorch, int32; and 123456789 * 987654321 = 121932631112635269, which is -67153019 modulo 2^32
    on("in products", () => {
      near(int([a, most]).mul(int([b, most])), [-67153019, 1]);
      near(int([a, most]).square(), [-1757895751, 1]);
      near(int([7, most, -3]).pow(int([25, 3, 21])), [1578110407, most, -1870418611]);
      near(int([2, 1, -1, -1]).pow(int([-1, -1, -3, -2])), [0, 1, -1, 1]);
      near(int([[a, most]]).matmul(int([[b], [most]])), [-67153018]);
      near(einsum("i,i", int([a, most]), int([b, most])), [-67153018]);
      near(int([[a, most]]).linear(int([[b, most]])), [-67153018]);
      near(int([1]).addmm(int([[a, most]]), int([[b], [most]])), [-67153017]);
    });
    on("of bools too, which count as 0 and 1 of int32 where they are added up", () => {
      const all = (rows: number, columns: number): Tensor =>
        ones([rows, columns], { dtype: "bool" });
      const row = all(1, 300); // 300 is 44 modulo 2^8
      for (const y of [
        row.matmul(all(300, 1)),
        row.linear(all(1, 300)),
        einsum("ij,kj->ik", row, row),
        zeros([1], { dtype: "bool" }).indexAdd(int(new Array(300).fill(0)), row.reshape([300])),
        zeros([1], { dtype: "bool" }).scatterAdd(int(new Array(300).fill(0)), row.reshape([300]), {
          dim: 0,
        }),
      ]) {
        assert.equal(y.dtype, "int32");
        near(y, [300]); // exact
      }
    });
    on("in sums", () => {
      near(int([most, 1]).add(int([1, 1])), [-most - 1, 2]);
      near(int([most, most, most]).sum(), [most - 2]);
      near(int([most, most, most]).cumsum({ dim: 0 }), [most, -2, most - 2]);
      near(full([1 << 15, 1], most, { dtype: "int32" }).sum(), [-(1 << 15)]); // exact: n (2^31 - 1)
      assert.equal(full([4], most, { dtype: "int32" }).max().data[0], most);
    });
    on("and floats become them modulo 2^32, what isn't finite 0", () => {
      // exact; PyTorch leaves what doesn't fit undefined
      const x = tensor([1e10, -1e10, 3e9, nan, inf, -inf, -1.7]);
      near(x.to("int32"), [1410065408, -1410065408, -1294967296, 0, 0, 0, -1]);
    });
  });

  describe("dtypes", () => {
    on("a bool is true or false, whatever it is filled with", () => {
      const found = [
        full([2], 5, { dtype: "bool" }),
        fullLike(tensor([true, false]), 5),
        tensor([false, false]).assign(Uint8Array.of(5, 2)),
        tensor(Uint8Array.of(5, 2)),
        tensor([true]).pad([0, 1], { value: 5 }),
      ];
      for (const x of found) {
        assert.equal(String(x), "[true, true]");
        assert.equal(x.sum().data[0], 2);
      }
    });
    on("dropout's scale is 1 / (1 - p) in the tensor's own precision", () => {
      const kept = (dtype: "float32" | "float64"): number => {
        const x = ones([64], { dtype, requiresGrad: true });
        const y = x.dropout({ p: 0.1, rng: random(1) });
        const [g] = grad(y.sum(), x);
        assert.deepEqual(g?.data, y.data);
        return Math.max(...y.data);
      };
      assert.equal(kept("float64"), 1 / 0.9);
      assert.equal(kept("float32"), Math.fround(1 / 0.9));
    });
    on("a hook's gradient must have the tensor's dtype, a seed's is brought to it", () => {
      const x = leaf([1, 2]);
      const seed = tensor([1, 2], { dtype: "float64" });
      x.mul(2).backward({ gradient: seed });
      assert.equal(x.grad?.dtype, "float32");
      near(x.grad, [2, 4]);
      near(grad(x.mul(2), x, { gradOutputs: int([1, 2]) })[0], [2, 4]);
      near(vjp((t) => t.mul(2), [x]).pull(seed)[0], [2, 4]);
      x.registerHook((g) => g.to("float64"));
      assert.throws(() => x.sum().backward(), /registerHook: .*float64 .*float32/);
    });
    on("a .grad that was set to another dtype or shape is refused, not added to", () => {
      // PyTorch refuses it where it is set
      for (const other of [leaf([1, 2], "float64").detach(), tensor([[1, 2]])]) {
        const x = leaf([1, 2]);
        x.grad = other;
        assert.throws(() => x.sum().backward(), /\.grad was set to .*; set it to null/);
      }
    });
    on("JSON has a tensor's numbers, and nothing of its device's memory", () => {
      const json = JSON.stringify({
        loss: tensor(0.5),
        x: int([[1], [2]]),
        is: tensor([true]),
        no: tensor([nan]),
      });
      assert.equal(json, '{"loss":0.5,"x":[[1],[2]],"is":[true],"no":[null]}');
    });
    on("a tensor of one element compares as its number, of more not at all", () => {
      const number = (x: unknown): number => x as number;
      assert.equal(number(tensor(9.5)) < number(tensor(10.2)), true);
      assert.equal(number(tensor([[7]])) + 1, 8);
      assert.equal(Number(tensor(inf)), inf);
      assert.equal(Number(tensor(true)), 1);
      assert.equal(`${tensor([1, 2])}`, "[1, 2]");
      assert.throws(() => number(tensor([1, 2])) < 3, /shape \[2\] is no single number/);
      assert.throws(() => Number(zeros([0])), /shape \[0\]/);
    });
  });

  describe("einsum, vjp, hvp", () => {
    on("a letter that a tensor repeats needs equal sides", () => {
      assert.throws(() => einsum("ii->i", tensor([[1, 2, 3]])), /"i" of "ii->i" .*sizes 1 and 3/);
      assert.throws(() => einsum("iji,j", zeros([2, 3, 1]), zeros([3])), /sizes 2 and 1/);
      near(
        einsum(
          "ii->i",
          tensor([
            [1, 2],
            [3, 4],
          ]),
        ),
        [1, 4],
      );
    });
    on("of a function that doesn't depend on an input are null", () => {
      const [x, y] = [tensor([1, 2]), tensor([3, 4])];
      assert.deepEqual(vjp(() => tensor(3), [x]).pull(tensor(1)), [null]);
      assert.deepEqual(vjp((t) => t.gt(0), [x]).pull(tensor([1, 1])), [null]);
      assert.deepEqual(
        hvp(() => tensor(3), [x], [x]),
        [null],
      );
      const found = hvp((t) => t.square().sum(), [x, y], [x, y]);
      near(found[0], [2, 4]);
      near(found[1], [0, 0]); // of a function that depends on another input
      assert.throws(
        () => hvp((t) => t.square().sum(), [x], [tensor([1])]),
        /vector 0 has shape \[1\], its input \[2\]/,
      );
    });
  });

  describe("logSumExp", () => {
    on("has softmax as its gradient, and max's where the largest is infinite", () => {
      const f = (x: Tensor): Tensor => x.logSumExp();
      both(f, leaf([-inf, 0]), [0], [0, 1]); // PyTorch
      both(f, leaf([1e5, 1e5]), [1e5 + Math.LN2], [0.5, 0.5]);
      // PyTorch gives NaN for these; a translation moves the value alike, so that gradients sum to 1
      both(f, leaf([-inf, -inf]), [-inf], [0.5, 0.5]);
      both(f, leaf([inf, 0]), [inf], [1, 0]);
      both(f, leaf([inf, inf, -inf]), [inf], [0.5, 0.5, 0]);
      both(f, leaf([nan, 0]), [nan], [nan, nan]);
    });
  });

  describe("infinities, and rows of numbers whose squares leave the range", () => {
    on("softmax of a row of -inf is NaN, as 0 / 0 is (PyTorch)", () => {
      const x = tensor([
        [-inf, -inf, -inf],
        [0, -inf, 0],
      ]);
      near(x.softmax({ dim: -1 }), [nan, nan, nan, 0.5, 0, 0.5]);
      near(x.logSoftmax({ dim: -1 }), [nan, nan, nan, -Math.LN2, -inf, -Math.LN2]);
      near(x.crossEntropy(int([0, 2]), { reduction: "none" }), [nan, Math.LN2]);
    });
    on("clamp: max wins where the bounds cross (PyTorch)", () => {
      const x = tensor([-3, -1, 0, 1, 2, 3, 4, 5, 6, nan]);
      near(x.clamp({ min: 3, max: 0 }), [0, 0, 0, 0, 0, 0, 0, 0, 0, nan]);
    });
    on("pow at its edges (PyTorch)", () => {
      const cases: readonly (readonly [number, number, number])[] = [
        [1, inf, 1],
        [1, -inf, 1],
        [-1, inf, 1],
        [-1, -inf, 1],
        [1, nan, 1],
        [-1, nan, nan],
        [0, 0, 1],
        [nan, 0, 1],
        [0, -3, inf],
        [-0, -3, -inf],
        [-2, 3, -8],
        [-2, 0.5, nan],
        [-2, inf, inf],
        [-0.5, inf, 0],
        [-inf, 3, -inf],
        [-inf, 0.5, inf],
        [-inf, -3, 0],
      ];
      const [a, b] = [0, 1].map((i) => tensor(cases.map((c) => c[i] as number)));
      near(
        (a as Tensor).pow(b as Tensor),
        cases.map(([, , y]) => y),
      );
    });
    on(
      "pow: the gradient of x to the 0 is 0, also where 1 / x overflows and at NaN (PyTorch)",
      () => {
        both((x) => x.pow(0), leaf([-1e-40, 2, nan, 0, inf]), [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]);
      },
    );
    on("rmsNorm and layerNorm scale their rows", () => {
      // mpmath, 40 digits: 1 / sqrt(2.5) and 2 / sqrt(2.5)
      const unit = [0.6324555320336759, 1.2649110640673518];
      near(tensor([1e20, 2e20]).rmsNorm(), unit);
      near(tensor([1e-25, 2e-25]).rmsNorm(null, { eps: 0 }), unit);
      near(leaf([1e200, 2e200], "float64").rmsNorm(), unit, 1e-15);
      near(leaf([1e-200, 2e-200], "float64").rmsNorm(null, { eps: 0 }), unit, 1e-15);
      near(tensor([1e20, 2e20]).layerNorm(), [-1, 1]);
      near(tensor([3e38, 3e38, 1]).layerNorm(), [Math.SQRT1_2, Math.SQRT1_2, -Math.SQRT2]);
      near(leaf([1e200, 2e200], "float64").layerNorm(), [-1, 1], 1e-15);
      near(tensor([1e-25, 2e-25]).rmsNorm(null, { eps: 1e-5 }), [3.1622777e-23, 6.3245553e-23]);
      const x = leaf([1e20, 2e20]);
      // mpmath: g = [1, 0] gives [4, -2] / (5 sqrt(2.5)) 1e-20
      near(
        grad(
          x
            .rmsNorm()
            .mul(tensor([1, 0]))
            .sum(),
          x,
        )[0],
        [5.0596443e-21, -2.5298221e-21],
      );
    });
    on(
      "silu, gelu and their gradients at infinities are the limits; PyTorch has NaN for some",
      () => {
        const x = leaf([-inf, inf, nan]);
        for (const f of [
          (t: Tensor) => t.silu(),
          (t: Tensor) => t.gelu(),
          (t: Tensor) => t.gelu({ approximate: "tanh" }),
        ])
          both(f, x, [0, inf, nan], [0, 1, nan]);
        both((t) => t.logSigmoid(), x, [-inf, 0, nan], [1, 0, nan]); // PyTorch
        both((t) => t.sigmoid(), x, [0, 1, nan], [0, 0, nan]); // PyTorch
        both((t) => t.tanh(), x, [-1, 1, nan], [0, 0, nan]); // PyTorch
      },
    );
    on("gelu's tail keeps its digits, and its sign (mpmath)", () => {
      const at = [-3.5, -4.5, -5, -5.25];
      for (const [approximate, y, dx] of [
        [
          "none",
          [-8.142017766e-4, -1.528952906e-5, -1.433257859e-6, -3.992604271e-7],
          [-2.821760354e-3, -6.852916186e-5, -7.146946002e-6, -2.091397664e-6],
        ],
        [
          "tanh",
          [-6.161976554e-4, -5.136737412e-6, -2.291796197e-7, -3.958463821e-8],
          [-2.42264376e-3, -2.932227044e-5, -1.546361988e-6, -2.891833674e-7],
        ],
      ] as const) {
        for (const width of [1, 5, 16]) {
          const x = leaf(at.flatMap((v) => Array<number>(width).fill(v)));
          const wide = (v: readonly number[]): number[] =>
            v.flatMap((a) => Array<number>(width).fill(a));
          both((t) => t.gelu({ approximate }), x, wide(y), wide(dx), 1e-6);
        }
        const far = linspace(-20, -4, 3001).gelu({ approximate }).data;
        for (const v of far) assert.ok(v <= 0 && v > -2e-4, `${v}`);
      }
    });
  });

  describe("rows of large logits keep all the digits of their softmax", () => {
    on("crossEntropy (mathematics: ln 2, and 1/2 for either)", () => {
      for (const size of [1e5, 1e7, -1e7, 1e30]) {
        const x = leaf([[size, size]]);
        both((t) => t.crossEntropy(int([0])), x, [Math.LN2], [-0.5, 0.5]);
        both(
          (t) => t.crossEntropy(int([1]), { labelSmoothing: 0.5 }),
          x,
          [Math.LN2],
          [0.25, -0.25],
        );
        near(x.logSoftmax({ dim: -1 }), [-Math.LN2, -Math.LN2]);
      }
      const x = leaf([[1e6, 1e6 - 1, -1e30]]);
      // mpmath: softmax of [1, 0, -inf]
      const [p, q] = [0.7310585786300049, 0.2689414213699951];
      both((t) => t.crossEntropy(int([0])), x, [0.31326168751822286], [p - 1, q, 0], 2e-6);
    });
    on("crossEntropy with smoothing where a logit is infinite (PyTorch)", () => {
      for (const [logits, target, loss, dx] of [
        [[-inf, 0], 0, inf, [-0.875, 0.875]],
        [[0, -inf], 0, inf, [0.125, -0.125]],
        [[-inf, 0, -inf, 0, 0], 0, inf, [-0.8, 0.2833333, -0.05, 0.2833333, 0.2833333]],
        [[inf, 0], 0, nan, [nan, nan]],
        [[-inf, -inf], 1, nan, [nan, nan]],
      ] as const) {
        const x = leaf([logits]);
        const options = { reduction: "sum", labelSmoothing: 0.25 } as const;
        both((t) => t.crossEntropy(int([target]), options), x, [loss], dx, 1e-5);
      }
    });
    on("attention under masks of any size, by its own definition", () => {
      const [q, k] = [
        leaf([
          [0, 0.1],
          [0.2, 0.3],
        ]),
        leaf([
          [0, 0.2],
          [0.4, 0.6],
        ]),
      ];
      const v = leaf([
        [1, 2],
        [3, 4],
      ]);
      const first = tensor([
        [1, 1],
        [0, 0],
      ]); // gradient of the masked row alone
      for (const [mask, y, dv] of [
        [-1e9, [2, 3], 0.5],
        [-1e30, [2, 3], 0.5],
        [-3.4028e38, [2, 3], 0.5],
        [-3.4028234663852886e38, [2, 3], 0.5],
        [-inf, [0, 0], 0],
      ] as const) {
        const run = (): Tensor =>
          scaledDotProductAttention(q, k, v, {
            mask: tensor([
              [mask, mask],
              [0, 0],
            ]),
          });
        for (const result of [run(), withDefinitions(run)]) {
          near(result.slice({ dim: 0, start: 0, end: 1 }), y);
          near(grad(result, v, { gradOutputs: first })[0], [dv, dv, dv, dv]);
        }
      }
      // one of two keys masked by the largest float32: nothing of it is left
      const some = tensor([
        [-3.4028234663852886e38, 0],
        [0, 0],
      ]);
      near(
        scaledDotProductAttention(q, k, v, { mask: some }).slice({ dim: 0, start: 0, end: 1 }),
        [3, 4],
      );
      const large = leaf([[1e5, 0]]);
      const result = scaledDotProductAttention(
        large,
        leaf([
          [1, 0],
          [1, 0],
        ]),
        v,
        { scale: 1e3 },
      );
      near(result, [2, 3]);
      near(grad(result.sum(), v)[0], [0.5, 0.5, 0.5, 0.5]);
      const qkv = tensor([
        [
          [1e5, 0, 1e3, 0, 1, 1],
          [1e5, 0, 1e3, 0, 3, 1],
        ],
      ]); // q, k and v of one head
      near(qkv.packedAttention({ heads: 1, scale: 1 }), [2, 1, 2, 1]);
    });
  });
}
