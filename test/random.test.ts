// Randomness that repeats: the same seed gives the same bits, here, on the next machine (the golden
// numbers were drawn once and are compared exactly), and after a stop and resume. Then the numbers must
// still be random: moments and frequencies lie where statistics says.
// Next: show.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  bernoulli,
  type Draw,
  noGrad,
  Random,
  type RandomState,
  rand,
  randint,
  randn,
  random,
  tensor,
  zeros,
} from "../core/index.ts";
import { CausalLM, generate } from "../nn/index.ts";
import { holds } from "../testing/property.ts";

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
      [0.24466218901008108, 0.6662549509146398, 0.8205284685452885],
    );
  });
  test("normal", () => {
    const rng = random(0);
    const expected = [
      -1.1795516756122297, 1.2293580860769613, 0.5381473021842279, -1.993849390477914,
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
      [24, 66, 82, 41, 95, 14, 87, 99],
    );
    assert.deepEqual([...random(0).permutation(10)], [4, 1, 7, 3, 0, 8, 9, 6, 5, 2]);
    assert.equal(times(12, () => b.categorical([1, 2, 3, 4])).join(""), "133231333322");
    assert.equal(random(0).fork("dropout").uniform(), 0.30456277769211937);
  });
  test("tensors", () => {
    const normal = [
      -1.1795517206192017, 1.2293580770492554, 0.5381473302841187, -1.9938493967056274,
    ];
    assert.deepEqual([...randn([2, 2], { rng: random(0) }).data], normal);
    const uniform = [0.24466216564178467, 0.6662549376487732, 0.8205284476280212];
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

describe("forks are independent", () => {
  const n = 10_000;
  type Family = (i: number) => Random;
  const families: Record<string, Family> = {
    "neighbouring seeds": (i) => random(i),
    "seeds a thousand apart": (i) => random(1000 * i),
    "forks by number": (i) => random(0).fork(i),
    "forks by name": (i) => random(0).fork(`name${i}`),
    "forks of forks by number": (i) => random(7).fork(i).fork("dropout"),
    "deep forks": (i) => random(7).fork("a").fork(i).fork("b").fork("c"),
    "the sequences of generate()": (i) => random(1).fork(`generate 123456 ${i}`),
  };

  /** How many standard deviations chi-squared of numbers in [0, 1) lies above its mean. */
  const excess = (numbers: readonly number[], bins: number): number => {
    const counts = new Array<number>(bins).fill(0);
    for (const x of numbers) counts[Math.floor(x * bins)] = (counts[Math.floor(x * bins)] ?? 0) + 1;
    const expected = numbers.length / bins;
    const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    return (chi - (bins - 1)) / Math.sqrt(2 * (bins - 1));
  };
  const modulo1 = (x: number): number => x - Math.floor(x);
  /** Pairs as one number, so that chi-squared on 64 bins looks at an 8 by 8 grid. */
  const pair = (x: number, y: number): number => (Math.floor(8 * x) + y) / 8;
  /** Differences of order 1, 2, 3 between streams next to each other: on a line they are all alike. */
  const differences = (u: readonly number[], order: number): number[] =>
    order === 0
      ? [...u]
      : differences(
          u.slice(1).map((x, i) => x - (u[i] ?? 0)),
          order - 1,
        );

  for (const [name, family] of Object.entries(families)) {
    test(`${name}: draws 1 to 3 of ${n} streams lie on no lattice, and don't go together`, () => {
      const streams = times(n, () => 0).map((_, i) => {
        const rng = family(i);
        return [rng.uniform(), rng.uniform(), rng.uniform()] as const;
      });
      const found: Record<string, number> = {};
      for (const k of [0, 1, 2] as const) {
        const u = streams.map((draws) => draws[k]);
        for (const order of [0, 1, 2, 3])
          found[`draw ${k}, differences ${order}`] = excess(differences(u, order).map(modulo1), 20);
        const next = (lag: number): number[] => u.slice(lag).map((x, i) => pair(x, u[i] ?? 0));
        for (const lag of [1, 2, 10]) found[`draw ${k}, lag ${lag}`] = excess(next(lag), 64);
        const other = streams.map((draws) => pair(draws[k], draws[(k + 1) % 3] ?? 0));
        found[`draws ${k} and ${(k + 1) % 3}`] = excess(other, 64);
      }
      for (const [what, deviations] of Object.entries(found))
        assert.ok(
          deviations < 5,
          `${what}: chi-squared is ${deviations.toFixed(1)} deviations off`,
        );
    });

    test(`${name}: first draws are uncorrelated`, () => {
      const u = times(n, () => 0).map((_, i) => family(i).uniform() - 1 / 2);
      for (const lag of [1, 2, 3, 7, 100]) {
        const products = u.slice(lag).map((x, i) => 12 * x * (u[i] ?? 0));
        const correlation = mean(products);
        assert.ok(Math.abs(correlation) < 4.5 / Math.sqrt(n), `lag ${lag}: ${correlation}`);
      }
    });
  }

  test("four answers to one prompt begin alike as often as independent draws do", () => {
    const lm = new CausalLM({ vocabSize: 16, dim: 8, layers: 1, heads: 2 }, { rng: random(1) });
    const calls = 4000;
    const options = { samples: 4, maxTokens: 1, rng: random(2) };
    let alike = 0;
    for (let i = 0; i < calls; i++) {
      const first = generate(lm, [[1]], options).map(({ tokens }) => tokens[0]);
      if (new Set(first).size === 1) alike++;
    }
    const p = noGrad(() => lm.forward(tensor([[1]], { dtype: "int32" })).softmax({ dim: -1 })).data;
    const share = [...p].reduce((sum, x) => sum + x ** 4, 0);
    const deviation = Math.sqrt(share * (1 - share) * calls);
    assert.ok(Math.abs(alike - share * calls) < 4.5 * deviation, `${alike} of ${share * calls}`);
  });

  test("no name looks like two, and a seed like no fork", () => {
    const paths = [
      random("a/b"),
      random("a").fork("b"),
      random("a\\").fork("b"),
      random("a").fork("b/c"),
      random("a").fork("b").fork("c"),
      random("").fork(""),
      random("/"),
      random(""),
    ];
    assert.equal(new Set(paths.map((rng) => rng.uniform())).size, paths.length);
    assert.equal(new Set(paths.map(({ seed }) => seed)).size, paths.length);
  });

  test("a million forks have a million beginnings", () => {
    const seen = new Set<number>();
    for (let i = 0; i < 1e6; i++) seen.add(random(5).fork(i).uniform());
    assert.equal(seen.size, 1e6);
  });

  test("a state from before forks were mixed is refused by its version", () => {
    const { version, ...old } = random(1).state();
    assert.equal(version, 2);
    assert.throws(() => Random.restore(old as RandomState), {
      name: "ArgumentError",
      message: /^Random.restore: this state has version 1, needed 2: .*begin the run again/,
    });
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
  test("integers of wide ranges: as many of each residue, and no range that 53 bits can't fill", () => {
    const rng = random(7);
    const draws = 30_000;
    for (const [low, high] of [
      [0, 3 * 2 ** 51], // 2^53 numbers drawn give every second of these twice as often
      [-(2 ** 52), 2 ** 51],
      [0, 2 ** 53 - 1],
    ] as const) {
      const counts = [0, 0, 0];
      for (let i = 0; i < draws; i++) {
        const x = rng.integer(low, high);
        assert.ok(Number.isSafeInteger(x) && x >= low && x < high);
        const residue = ((x % 3) + 3) % 3;
        counts[residue] = (counts[residue] ?? 0) + 1;
      }
      for (const count of counts) assert.ok(Math.abs(count / draws - 1 / 3) < 0.012, `${counts}`);
    }
    assert.throws(() => rng.integer(-(2 ** 53 - 1), 2 ** 53 - 1), /at most 2\^53 apart/);
  });
  test("randint gives what its dtype holds, or says that it can't", () => {
    const rng = random(1);
    const bools = randint([64], { rng, high: 2, dtype: "bool" });
    assert.ok(bools.data.every((x) => x === 0 || x === 1));
    assert.throws(
      () => randint([4], { rng, high: 5, dtype: "bool" }),
      /randint: from 0 to 4 is more than bool/,
    );
    // PyTorch 2.15.0: "to - 1 is out of bounds for int"
    assert.throws(() => randint([4], { rng, high: 2 ** 40 }), /more than int32 holds/);
    assert.throws(
      () => randint([4], { rng, low: 2 ** 25, high: 2 ** 26, dtype: "float32" }),
      /float32/,
    );
    const wide = randint([64], { rng, low: -(2 ** 31), high: 2 ** 31 });
    assert.ok(wide.data.some((x) => x < 0) && wide.data.some((x) => x > 0));
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
  test("categorical: weights whose sum overflows, or whose shares vanish", () => {
    const rng = random(8);
    const draws = 20_000;
    for (const weights of [
      [1e308, 1e308],
      [5e-324, 5e-324],
      [1.7e308, 1.7e308],
      [1e-310, 1e-310],
    ]) {
      let second = 0;
      for (let i = 0; i < draws; i++) second += rng.categorical(weights);
      assert.ok(Math.abs(second / draws - 1 / 2) < 0.016, `${weights}: ${second / draws}`);
    }
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
