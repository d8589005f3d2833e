// Randomness that repeats: the same seed gives the same bits, here, on the next machine (the golden
// numbers were drawn once and are compared exactly), and after a stop and resume. Then the numbers must
// still be random: moments and frequencies lie where statistics says.
// Next: show.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  bernoulli,
  type Draw,
  Random,
  type RandomState,
  rand,
  randint,
  randn,
  random,
  zeros,
} from "../core/index.ts";
import { holds } from "./property.ts";

function times<T>(n: number, draw: () => T): T[] {
  return Array.from({ length: n }, draw);
}

function mean(xs: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < xs.length; i++) total += xs[i] ?? 0;
  return total / xs.length;
}

/** Some of everything that a generator draws. */
function sample(rng: Random): unknown[] {
  return [
    rng.uniform(),
    rng.normal(),
    rng.integer(-5, 100),
    [...rng.permutation(5)],
    rng.categorical([1, 2, 3]),
  ];
}

describe("golden: the first draws of seed 0 (tsx, Node 20 on x64)", () => {
  test("uniform", () => {
    const rng = random(0);
    assert.deepEqual(
      times(3, () => rng.uniform()),
      [0.5945264335737063, 0.12979769093792703, 0.479257016189522],
    );
  });
  test("normal", () => {
    const rng = random(0);
    const expected = [
      0.2566185030243842, -0.22708247950316932, -1.0080994028255577, 0.9039782910073326,
    ];
    assert.deepEqual(
      times(4, () => rng.normal()),
      expected,
    );
  });
  test("integers, permutation, categorical, fork", () => {
    const [a, b] = [random(0), random(0)];
    assert.deepEqual(
      times(8, () => a.integer(0, 100)),
      [59, 12, 47, 68, 12, 43, 89, 13],
    );
    assert.deepEqual([...random(0).permutation(10)], [6, 8, 9, 7, 2, 0, 4, 3, 1, 5]);
    assert.equal(times(12, () => b.categorical([1, 2, 3, 4])).join(""), "212312313332");
    assert.equal(random(0).fork("dropout").uniform(), 0.38633242013978053);
  });
  test("tensors", () => {
    const normal = [
      0.2566184997558594, -0.22708247601985931, -1.0080994367599487, 0.9039782881736755,
    ];
    assert.deepEqual([...randn([2, 2], { rng: random(0) }).data], normal);
    const uniform = [0.5945264101028442, 0.12979763746261597, 0.4792569875717163];
    assert.deepEqual([...rand([3], { rng: random(0) }).data], uniform);
  });
});

describe("seeds, forks and states", () => {
  const seeds = (d: Draw): number => d.integer(0, 1e9);
  test("the same seed gives the same bits, a number as well as its text", () => {
    holds("same seed", seeds, (seed) => {
      assert.deepEqual(
        times(5, () => sample(random(seed))),
        times(5, () => sample(random(String(seed)))),
      );
    });
  });
  test("another seed gives others", () => {
    holds("other seed", seeds, (seed) => {
      assert.notEqual(random(seed).uniform(), random(seed + 1).uniform());
    });
  });
  test("a fork depends on seed and name alone, not on what was drawn", () => {
    holds(
      "fork",
      (d) => ({ seed: seeds(d), draws: d.integer(0, 20) }),
      ({ seed, draws }) => {
        const rng = random(seed);
        times(draws, () => rng.normal());
        assert.deepEqual(sample(rng.fork("a")), sample(random(seed).fork("a")));
        assert.notDeepEqual(sample(rng.fork("a")), sample(rng.fork("b")));
        assert.notDeepEqual(sample(rng.fork("a").fork("b")), sample(rng.fork("b").fork("a")));
      },
    );
  });
  test("forking draws nothing from the parent", () => {
    const [a, b] = [random(1), random(1)];
    a.fork("x").normal();
    assert.deepEqual(sample(a), sample(b));
  });
  test("a state that went through JSON goes on identically", () => {
    holds(
      "state",
      (d) => ({ seed: seeds(d), draws: d.integer(0, 20) }),
      ({ seed, draws }) => {
        const rng = random(seed).fork("data");
        times(draws, () => sample(rng));
        const saved = JSON.parse(JSON.stringify(rng.state())) as RandomState;
        const expected = times(3, () => sample(rng));
        const resumed = Random.restore(saved);
        assert.deepEqual(
          times(3, () => sample(resumed)),
          expected,
        );
        assert.deepEqual(sample(resumed.fork("x")), sample(rng.fork("x")), "forks too");
      },
    );
  });
  test("saving a state draws nothing", () => {
    const [a, b] = [random(1), random(1)];
    a.state();
    assert.equal(a.uniform(), b.uniform());
  });
  test("dropout draws one number from its generator, and the same mask from the same state", () => {
    const [a, b] = [random(3), random(3)];
    const x = zeros([100]).add(1);
    assert.deepEqual(
      x.dropout({ p: 0.5, rng: a }).toArray(),
      x.dropout({ p: 0.5, rng: b }).toArray(),
    );
    assert.notDeepEqual(
      x.dropout({ p: 0.5, rng: a }).toArray(),
      x.dropout({ p: 0.5, rng: a }).toArray(),
    );
  });
});

describe("statistics", () => {
  const n = 200_000;
  /** A mean of n draws lies within 5 of its standard errors. */
  const within = (found: number, expected: number, deviation: number): void => {
    const error = (5 * deviation) / Math.sqrt(n);
    assert.ok(
      Math.abs(found - expected) < error,
      `${found} instead of ${expected}, more than ${error} away`,
    );
  };
  test("uniform: mean, variance, range", () => {
    const { data } = rand([n], { rng: random(1) });
    within(mean(data), 1 / 2, Math.sqrt(1 / 12));
    within(mean(data.map((x) => x * x)), 1 / 3, Math.sqrt(4 / 45));
    assert.ok(data.every((x) => x >= 0 && x < 1));
  });
  test("normal: moments to the fourth, and the tails, as Math.log would give them", () => {
    const { data } = randn([n], { rng: random(2), dtype: "float64" });
    within(mean(data), 0, 1);
    within(mean(data.map((x) => x ** 2)), 1, Math.sqrt(2));
    within(mean(data.map((x) => x ** 3)), 0, Math.sqrt(15));
    within(mean(data.map((x) => x ** 4)), 3, Math.sqrt(96));
    within(mean(data.map((x) => Number(Math.abs(x) > 2))), 0.0455003, 0.2084);
  });
  test("normal: its own logarithm is Math.log's to the last bits", () => {
    const rng = random(3);
    const twin = random(3);
    for (let i = 0; i < 20_000; i++) {
      let [u, s] = [0, 0];
      while (!(s > 0 && s < 1)) {
        u = 2 * twin.uniform() - 1;
        const v = 2 * twin.uniform() - 1;
        s = u * u + v * v;
      }
      const expected = u * Math.sqrt((-2 * Math.log(s)) / s);
      const found = rng.normal();
      assert.ok(
        Math.abs(found - expected) <= 1e-14 * Math.abs(expected),
        `${found} instead of ${expected}`,
      );
    }
  });
  test("integers: every value equally often, none outside", () => {
    const counts = new Array<number>(6).fill(0);
    const x = randint([n], { rng: random(4), low: -2, high: 4 });
    assert.equal(x.dtype, "int32");
    for (const value of x.data) counts[value + 2] = (counts[value + 2] ?? 0) + 1;
    assert.equal(counts.length, 6);
    for (const count of counts) within(count / n, 1 / 6, Math.sqrt(5) / 6);
  });
  test("permutation: each number once, every order equally often", () => {
    const rng = random(5);
    const counts = new Map<string, number>();
    const draws = 60_000;
    for (let i = 0; i < draws; i++) {
      const key = rng.permutation(3).join("");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    assert.equal(counts.size, 6);
    for (const count of counts.values()) assert.ok(Math.abs(count / draws - 1 / 6) < 0.01);
    holds(
      "permutation",
      (d) => d.integer(0, 50),
      (size) => {
        assert.deepEqual(
          [...rng.permutation(size)].sort((a, b) => a - b),
          times(size, () => 0).map((_, i) => i),
        );
      },
    );
  });
  test("categorical: in proportion, and never an index of weight 0", () => {
    const rng = random(6);
    const weights = [0, 1, 0, 3, 0];
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < n; i++) {
      const k = rng.categorical(weights);
      counts[k] = (counts[k] ?? 0) + 1;
    }
    assert.deepEqual([counts[0], counts[2], counts[4]], [0, 0, 0]);
    within((counts[1] ?? 0) / n, 1 / 4, Math.sqrt(3) / 4);
  });
  test("bernoulli and dropout keep what p says, and dropout the mean", () => {
    const kept = bernoulli([n], { rng: random(7), p: 0.3 });
    assert.equal(kept.dtype, "bool");
    within(mean(kept.data), 0.3, Math.sqrt(0.21));
    const dropped = zeros([n])
      .add(1)
      .dropout({ p: 0.25, rng: random(8) });
    within(mean(dropped.data), 1, Math.sqrt(1 / 3));
  });
});
