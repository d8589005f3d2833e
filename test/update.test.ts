// The optimisers' in-place steps: against formulas written out by hand in doubles, with scaled
// gradients, on every device, over enough elements for several blocks; and what they refuse.
// Next: nn.optim.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attendNext } from "../core/attendNext.ts";
import {
  adamwStep,
  cat,
  globalNorm,
  randn,
  random,
  scaledDotProductAttention,
  sgdStep,
  type Tensor,
  tensor,
  use,
  zeros,
  zerosLike,
} from "../core/index.ts";
import { writeRows } from "../core/update.ts";
import "../kernels/index.ts";

const adamw = { lr: 0.01, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 };
const sgd = { lr: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0.01 };
const shapes = [[3], [2, 5], [10_001], [0], [64, 130]];

function near(actual: Tensor, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(actual.size, expected.length);
  actual.data.forEach((x, i) => {
    const y = expected[i] ?? Number.NaN;
    assert.ok(Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y)), `${x} for ${y} at ${i}`);
  });
}

for (const device of ["reference", "wasm"]) {
  for (const dtype of ["float32", "float64"] as const) {
    const tolerance = dtype === "float32" ? 2e-6 : 1e-14;
    const drawn = (seed: number): Tensor[] => {
      use(device);
      return shapes.map((shape, i) => randn(shape, { rng: random(seed).fork(i), dtype }));
    };
    describe(`on ${device} in ${dtype}`, () => {
      test("adamwStep: three steps with a scaled gradient", () => {
        const [w, m, v] = [drawn(1), drawn(2).map(zerosLike), drawn(2).map(zerosLike)];
        const want = w.map((x) => Float64Array.from(x.data));
        const [wm, wv] = [want.map((x) => x.map(() => 0)), want.map((x) => x.map(() => 0))];
        for (let step = 1; step <= 3; step++) {
          const g = drawn(10 + step);
          adamwStep(w, g, m, v, { ...adamw, step, gradScale: tensor(0.5, { dtype }) });
          g.forEach(({ data }, p) => {
            data.forEach((raw, i) => {
              const gi = raw * 0.5;
              const at = (list: Float64Array[]): number => list[p]?.[i] ?? Number.NaN;
              const mi = 0.9 * at(wm) + 0.1 * gi;
              const vi = 0.99 * at(wv) + 0.01 * gi ** 2;
              (wm[p] as Float64Array)[i] = mi;
              (wv[p] as Float64Array)[i] = vi;
              const [mHat, vHat] = [mi / (1 - 0.9 ** step), vi / (1 - 0.99 ** step)];
              const decayed = at(want) * (1 - 0.01 * 0.1);
              (want[p] as Float64Array)[i] = decayed - (0.01 * mHat) / (Math.sqrt(vHat) + 1e-8);
            });
          });
        }
        for (const [i, x] of w.entries()) near(x, want[i] as Float64Array, tolerance);
        for (const [i, x] of m.entries()) near(x, wm[i] as Float64Array, tolerance);
        for (const [i, x] of v.entries()) near(x, wv[i] as Float64Array, tolerance);
      });

      for (const nesterov of [false, true]) {
        test(`sgdStep: momentum${nesterov ? ", Nesterov's" : ""}, and without`, () => {
          const [w, plain, m] = [drawn(1), drawn(1), drawn(1).map(zerosLike)];
          const start = w.map((x) => Float64Array.from(x.data));
          const velocity = start.map((x) => x.map(() => 0));
          const want = start.map((x) => x.slice());
          for (let step = 1; step <= 2; step++) {
            const g = drawn(20 + step);
            sgdStep(w, g, m, { ...sgd, nesterov });
            if (step === 1) sgdStep(plain, g, null, { ...sgd, momentum: 0 });
            g.forEach(({ data }, p) => {
              data.forEach((raw, i) => {
                const [own, u] = [want[p] as Float64Array, velocity[p] as Float64Array];
                const gi = raw + 0.01 * (own[i] ?? 0);
                u[i] = 0.9 * (u[i] ?? 0) + gi;
                own[i] = (own[i] ?? 0) - 0.1 * (nesterov ? gi + 0.9 * (u[i] ?? 0) : (u[i] ?? 0));
                if (step > 1) return;
                const first = start[p] as Float64Array;
                first[i] = (first[i] ?? 0) - 0.1 * gi;
              });
            });
          }
          for (const [i, x] of w.entries()) near(x, want[i] as Float64Array, tolerance);
          for (const [i, x] of plain.entries()) near(x, start[i] as Float64Array, tolerance);
        });
      }

      test("adamwStep: with the largest squares so far (AMSGrad)", () => {
        const zero = (): Tensor[] => drawn(2).map(zerosLike);
        const [w, m, v, largest] = [drawn(1), zero(), zero(), zero()];
        const want = w.map((x) => Float64Array.from(x.data));
        const state = want.map((x) => ({
          m: x.map(() => 0),
          v: x.map(() => 0),
          top: x.map(() => 0),
        }));
        for (let step = 1; step <= 3; step++) {
          const g = drawn(10 + step).map((x) => x.mul(step === 1 ? 4 : 1)); // the first stays the largest
          adamwStep(w, g, m, v, { ...adamw, step, largest });
          state.forEach((own, p) => {
            want[p]?.forEach((x, i) => {
              const gi = g[p]?.data[i] ?? Number.NaN;
              own.m[i] = 0.9 * (own.m[i] ?? 0) + 0.1 * gi;
              own.v[i] = 0.99 * (own.v[i] ?? 0) + 0.01 * gi ** 2;
              own.top[i] = Math.max(own.top[i] ?? 0, own.v[i] ?? 0);
              const mHat = (own.m[i] ?? 0) / (1 - 0.9 ** step);
              const root = Math.sqrt((own.top[i] ?? 0) / (1 - 0.99 ** step));
              (want[p] as Float64Array)[i] = x * (1 - 0.001) - (0.01 * mHat) / (root + 1e-8);
            });
          });
        }
        for (const [i, x] of w.entries()) near(x, want[i] as Float64Array, tolerance);
        for (const [i, x] of largest.entries()) near(x, state[i]?.top as Float64Array, tolerance);
      });

      test("sgdStep: dampened momentum", () => {
        const [w, g, m] = [drawn(1), drawn(2), drawn(3)];
        const [start, before] = [w, m].map((list) => list.map((x) => Float64Array.from(x.data)));
        sgdStep(w, g, m, { ...sgd, dampening: 0.25 });
        w.forEach((x, p) => {
          const fresh = before?.[p]?.map((mi, i) => {
            return 0.9 * mi + 0.75 * ((g[p]?.data[i] ?? 0) + 0.01 * (start?.[p]?.[i] ?? 0));
          }) as Float64Array;
          near(m[p] as Tensor, fresh, tolerance);
          near(x, start?.[p]?.map((wi, i) => wi - 0.1 * (fresh[i] ?? 0)) ?? [], tolerance);
        });
      });

      test("globalNorm", () => {
        const list = drawn(5);
        const squares = list.flatMap((x) => [...x.data]).reduce((sum, x) => sum + x * x, 0);
        near(globalNorm(list), [Math.sqrt(squares)], tolerance);
      });

      test("globalNorm where squares leave the range, and of what is no number", () => {
        const of = (...list: number[]): number =>
          globalNorm([tensor(list, { dtype })]).data[0] as number;
        const [huge, tiny] = dtype === "float64" ? [1e200, 1e-200] : [1e30, 1e-30];
        for (const unit of [huge, tiny]) {
          const norm = of(3 * unit, -4 * unit);
          assert.ok(Math.abs(norm / (5 * unit) - 1) < 1e-6, `${norm}`);
        }
        assert.equal(of(0, 0), 0);
        assert.equal(of(1, Number.NEGATIVE_INFINITY), Number.POSITIVE_INFINITY);
        assert.equal(of(1, Number.NaN), Number.NaN);
        assert.equal(of(Number.NaN, huge, Number.POSITIVE_INFINITY), Number.NaN);
      });
    });
  }
}

for (const device of ["reference", "wasm"]) {
  for (const dtype of ["float32", "float64"] as const) {
    test(`writeRows on ${device} in ${dtype}: rows of every block, and nothing else`, () => {
      use(device);
      const [a, b] = [zeros([2, 3, 5, 2], { dtype }), randn([6, 5], { rng: random(1), dtype })];
      const before = Float64Array.from(b.data);
      const fresh = randn([2, 3, 2, 2], { rng: random(2), dtype });
      const row = randn([1, 5], { rng: random(3), dtype });
      writeRows([a], [fresh], 3);
      writeRows([b], [row], 5);
      a.data.forEach((x, i) => {
        const [block, t, d] = [Math.floor(i / 10), Math.floor(i / 2) % 5, i % 2];
        assert.equal(x, t < 3 ? 0 : fresh.data[block * 4 + (t - 3) * 2 + d]);
      });
      before.set(row.data, 25);
      assert.deepEqual(Float64Array.from(b.data), before);
      assert.throws(() => writeRows([b], [row], 6), /\[1,5\] doesn't fit into .* from row 6 on/);
      assert.throws(() => writeRows([a], [row], 0), /doesn't fit/);
    });
  }
}

/** A room [2, kvHeads, S, D] with tokens in its first rows, twice, and one new token's queries, keys and values. */
function nextToken(dtype: "float32" | "float64", heads: number, kvHeads: number) {
  const [B, S, D] = [2, 7, 6];
  const draw = (shape: readonly number[], seed: number): Tensor =>
    randn(shape, { rng: random(seed), dtype });
  const room = (): [Tensor, Tensor] => [draw([B, kvHeads, S, D], 1), draw([B, kvHeads, S, D], 2)];
  const rows = [heads, kvHeads, kvHeads].map((count, i) => draw([B, 1, count * D], 3 + i));
  const apart = rows.map((x) => x.reshape([B, -1, 1, D])) as [Tensor, Tensor, Tensor];
  return { room, rows, apart, shape: [B, 1, heads * D] };
}

for (const device of ["reference", "wasm"]) {
  for (const dtype of ["float32", "float64"] as const) {
    for (const [heads, kvHeads] of [
      [3, 3],
      [4, 2],
      [4, 1],
    ] as const) {
      test(`attendNext on ${device} in ${dtype}, ${heads} heads on ${kvHeads}: writeRows and attention, to the bit`, () => {
        use(device);
        const { room, rows, apart, shape } = nextToken(dtype, heads, kvHeads);
        const [q, k, v] = apart;
        const mask = tensor([1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1], { shape: [2, 1, 1, 7] }).ne(
          0,
        );
        for (const at of [0, 4, 6]) {
          for (const seen of [null, mask]) {
            const [keys, values] = room();
            writeRows([keys, values], [k, v], at);
            const options = { causal: true, offset: at, mask: seen };
            const want = scaledDotProductAttention(q, keys, values, options).reshape(shape);
            for (const given of [rows, [cat(rows, { dim: 2 })]]) {
              const own = room();
              const got = attendNext(own, given, { heads, at, mask: seen });
              assert.deepEqual(got.shape, shape);
              assert.deepEqual(got.data, want.data);
              assert.deepEqual(
                own.map((x) => x.data),
                [keys.data, values.data],
              );
            }
          }
        }
      });
    }
  }
}

test("attendNext refuses rows that don't fit into the room, and a room that is full", () => {
  use("wasm");
  const { room, rows } = nextToken("float32", 4, 2);
  const [q, k, v] = rows as [Tensor, Tensor, Tensor];
  const call =
    (given: readonly Tensor[], at = 0) =>
    () =>
      attendNext(room(), given, { heads: 4, at });
  assert.throws(call(rows, 7), /attendNext: .* doesn't fit into row 7 of float32 \[2,2,7,6\]/);
  assert.throws(call([q, k, v.to("float64")]), /float64 \[2,1,12\] with 4 heads doesn't fit/);
  assert.throws(call([q, q, v]), /\[2,1,24\] with 4 heads doesn't fit/);
  assert.throws(call([q]), /doesn't fit/);
});

describe("what the steps refuse", () => {
  const one = [zeros([2])];
  const options = { ...adamw, step: 1 };
  test("another number of gradients", () => {
    assert.throws(() => adamwStep(one, [], one, one, options), /1 parameters and 0 gradients/);
  });
  test("another shape", () => {
    assert.throws(
      () => sgdStep(one, [zeros([3])], null, sgd),
      /parameter 0 is float32 \[2\], its gradients float32 \[3\]/,
    );
  });
  test("a computed parameter", () => {
    const w = zeros([2], { requiresGrad: true }).mul(2);
    assert.throws(() => sgdStep([w], one, null, sgd), /computed by mul/);
  });
  test("and what was recorded before the step can't be walked back after it", () => {
    const w = tensor([1, 2], { requiresGrad: true });
    const y = w.mul(w).sum();
    sgdStep([w], [zerosLike(w)], null, sgd);
    assert.throws(() => y.backward(), /changed in place/);
  });
});
