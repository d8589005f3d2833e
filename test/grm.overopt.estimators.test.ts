// The formulas of over-optimisation: each against a sum that is written out, an enumeration, brute force,
// or finite differences. Next: grm.overopt.policy.test.ts for the training that they are used in.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gradcheck, random, type Tensor, tensor } from "../core/index.ts";
import {
  adaptedCoefficient,
  bestOfN,
  bestOfNCurve,
  bestOfNDistribution,
  bestOfNKL,
  clipShare,
  curveAt,
  entropyOf,
  exactKL,
  fitCurve,
  fitCurves,
  gae,
  goldOptimum,
  klEstimate,
  leaveOneOut,
  logSpaced,
  ppoLoss,
  ppoValueLoss,
  rlooLoss,
  whiten,
} from "../grm/policies/index.ts";
import { holds } from "../testing/property.ts";

const f64 = (values: readonly number[]): Tensor => tensor(values, { dtype: "float64" });
const numberOf = (x: Tensor): number => x.data[0] ?? Number.NaN;
const near = (got: number, wanted: number, tolerance = 1e-12): void =>
  assert.ok(
    Math.abs(got - wanted) <= tolerance * Math.max(1, Math.abs(wanted)),
    `${got} is not ${wanted}`,
  );

describe("generalized advantage estimation", () => {
  test("is the direct sum over (γλ)^k δ", () => {
    holds(
      "gae",
      (d) => {
        const T = d.integer(1, 8);
        const quarters = (most: number) => d.integer(-most, most) / 4;
        const [r, V] = [0, 1].map(() => Array.from({ length: T }, () => quarters(8)));
        const [gamma, lambda] = [d.integer(0, 4) / 4, d.integer(0, 4) / 4];
        return { r: r as number[], V: V as number[], gamma, lambda };
      },
      ({ r, V, gamma, lambda }) => {
        const { advantages, returns } = gae(r, V, { gamma, lambda });
        const delta = r.map((x, t) => x + gamma * (V[t + 1] ?? 0) - (V[t] ?? 0));
        r.forEach((_, t) => {
          const later = delta.slice(t);
          const A = later.reduce((sum, x, k) => sum + (gamma * lambda) ** k * x, 0);
          near(advantages[t] ?? Number.NaN, A);
          near(returns[t] ?? Number.NaN, A + (V[t] ?? 0));
        });
      },
    );
  });

  test("with λ = 1 is all that comes minus the value, with λ = 0 one step's surprise", () => {
    assert.deepEqual([...gae([1, 2, 4], [1, 1, 1], { lambda: 1 }).advantages], [6, 5, 3]);
    assert.deepEqual([...gae([1, 2, 4], [1, 3, 1], { lambda: 0 }).advantages], [3, 0, 3]);
  });

  test("refuses lists of different lengths", () => {
    assert.throws(() => gae([1, 2], [1]), /2 rewards and 1 values/);
  });
});

test("whitened advantages have mean 0 and deviation 1; without spread they are 0", () => {
  const white = whiten(Float64Array.of(1, 2, 3, 6));
  near(
    white.reduce((sum, x) => sum + x, 0),
    0,
  );
  near(white.reduce((sum, x) => sum + x * x, 0) / 4, 1);
  assert.deepEqual([...whiten(Float64Array.of(5, 5))], [0, 0]);
});

test("leave-one-out advantages by hand; they sum to 0", () => {
  assert.deepEqual([...leaveOneOut([1, 2, 6])], [1 - 4, 2 - 3.5, 6 - 1.5]);
  assert.throws(() => leaveOneOut([1]), /two or more/);
});

describe("PPO's clipped objective", () => {
  const old = f64([0, 0, 0, 0]);
  const logRatios = [1.5, 0.5, 1.5, 0.5].map(Math.log);

  test("by hand: gains stop paying outside of 1 ± ε, losses never", () => {
    // ρA: 1.5·1 -> 1.2; 0.5·1 -> 0.5; 1.5·(-1) -> -1.5; 0.5·(-1) -> -0.8
    const A = f64([1, 1, -1, -1]);
    near(numberOf(ppoLoss(f64(logRatios), old, A)), -(1.2 + 0.5 - 1.5 - 0.8) / 4);
    near(numberOf(clipShare(f64([...logRatios.slice(0, 3), 0]), old)), 0.75);
  });

  test("its gradient by hand: -ρA/N where it isn't clipped away, else 0", () => {
    const logProbs = f64(logRatios).requiresGrad_();
    ppoLoss(logProbs, old, f64([1, 1, -1, -1])).backward();
    const got = [...(logProbs.grad?.data ?? [])];
    [0, -0.5 / 4, 1.5 / 4, 0].forEach((wanted, i) => {
      near(got[i] ?? Number.NaN, wanted);
    });
  });

  test("at ρ = 1 it is the policy gradient: -A/N", () => {
    const logProbs = f64([-1, -2]).requiresGrad_();
    ppoLoss(logProbs, f64([-1, -2]), f64([3, -5])).backward();
    assert.deepEqual([...(logProbs.grad?.data ?? [])], [-1.5, 2.5]);
  });

  test("a ratio too large for a float that is clipped away has gradient 0, not NaN", () => {
    const logProbs = f64([800, -1, 2]).requiresGrad_();
    const loss = ppoLoss(logProbs, f64([0, -1, 2]), f64([1, 1, 0]));
    near(numberOf(loss), -(1.2 + 1) / 3);
    loss.backward();
    assert.deepEqual([...(logProbs.grad?.data ?? [])].map(Math.abs), [0, 1 / 3, 0]);
  });

  test("its gradient against finite differences, away from the corners", () => {
    holds(
      "ppo gradient",
      (d) => {
        const N = d.integer(1, 6);
        // ratios 0.6, 0.9, 1.1, 1.5: none at 0.8, 1, 1.2, where the loss bends
        const ratio = () => Math.log(d.pick(0.6, 0.9, 1.1, 1.5));
        const old = Array.from({ length: N }, () => -d.integer(1, 12) / 4);
        const A = Array.from({ length: N }, () => d.integer(1, 8) * d.pick(-0.25, 0.25));
        return [old.map((x) => x + ratio()), old, A];
      },
      ([x = [], old = [], A = []]) =>
        gradcheck((logProbs: Tensor) => ppoLoss(logProbs, f64(old), f64(A)), [f64(x)]),
    );
  });
});

describe("PPO's value loss", () => {
  test("by hand: the worse of both errors, halved", () => {
    // V 1, old 0, R 1: clipped value 0.2 errs by 0.8; V 0.1, old 0, R 1: both err by 0.9
    const loss = ppoValueLoss(f64([1, 0.1]), f64([0, 0]), f64([1, 1]));
    near(numberOf(loss), (0.8 ** 2 + 0.9 ** 2) / 4);
  });

  test("its gradient against finite differences, away from the corners", () => {
    const [values, old, returns] = [
      [1.3, 0.1, -0.9, 0.55],
      [0, 0, 0, 0.5],
      [1, 1, -2, -1],
    ];
    gradcheck(
      (V: Tensor) => ppoValueLoss(V, f64(old ?? []), f64(returns ?? [])),
      [f64(values ?? [])],
    );
  });
});

describe("RLOO's loss", () => {
  test("by hand, with its gradient -A/B", () => {
    const s = f64([-3, -5, -2]).requiresGrad_();
    const A = f64([...leaveOneOut([1, 2, 6])]);
    const loss = rlooLoss(s, A);
    near(numberOf(loss), -(-3 * -3 + -1.5 * -5 + 4.5 * -2) / 3);
    loss.backward();
    assert.deepEqual([...(s.grad?.data ?? [])], [1, 0.5, -1.5]);
    gradcheck((x: Tensor) => rlooLoss(x, A), [f64([-3, -5, -2])]);
  });

  test("its mean gradient over all answers is the gradient of the mean reward", () => {
    // one token from softmax(z): d E[R]/dz_v = p_v (R_v - E[R]); E over both answers' draws, enumerated
    const [z, R] = [
      [0.3, -0.4, 0.9],
      [1, -2, 0.5],
    ];
    const p = [...f64(z ?? []).softmax({ dim: 0 }).data];
    const total = [0, 0, 0];
    for (const [i, pi] of p.entries()) {
      for (const [j, pj] of p.entries()) {
        const x = f64(z ?? []).requiresGrad_();
        const s = x.logSoftmax({ dim: 0 }).indexSelect(tensor(Int32Array.of(i, j)));
        rlooLoss(s, f64([...leaveOneOut([R?.[i] ?? 0, R?.[j] ?? 0])])).backward();
        x.grad?.data.forEach((g, v) => {
          total[v] = (total[v] ?? 0) - pi * pj * g;
        });
      }
    }
    const mean = p.reduce((sum, pi, i) => sum + pi * (R?.[i] ?? 0), 0);
    p.forEach((pi, v) => {
      near(total[v] ?? Number.NaN, pi * ((R?.[v] ?? 0) - mean), 1e-10);
    });
  });
});

test("malformed rows are refused", () => {
  assert.throws(() => ppoLoss(f64([1]), f64([1, 2]), f64([1])), /needed one number for each/);
  assert.throws(() => ppoLoss(f64([1]), f64([1]), f64([1]), { clip: 0 }), /clip is 0/);
});

test("entropy of a row: ln 4 for four alike, 0 for a certainty", () => {
  const logits = tensor(
    [
      [0, 0, 0, 0],
      [500, 0, 0, 0],
    ],
    { dtype: "float64" },
  );
  const [uniform = 0, certain = 1] = entropyOf(logits.logSoftmax({ dim: -1 })).data;
  near(uniform, Math.log(4));
  near(certain, 0);
});

describe("KL", () => {
  // two tokens from three words, the second's distribution depends on the first: nine sequences
  const law = (seed: number): number[][] => {
    const rng = random(seed);
    return Array.from({ length: 4 }, () => {
      const row = Array.from({ length: 3 }, () => 0.1 + rng.uniform());
      const total = row.reduce((sum, x) => sum + x, 0);
      return row.map((x) => x / total);
    });
  };
  const [pi, q] = [law(1), law(2)];
  const steps = (p: number[][], i: number, j: number): [number, number] => [
    p[0]?.[i] ?? 0,
    p[i + 1]?.[j] ?? 0,
  ];
  const all = [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => [i, j] as const));
  const mass = (p: number[][]): number[] =>
    all.map(([i, j]) => steps(p, i, j).reduce((product, x) => product * x, 1));

  test("the means of k1 and of k3 over all sequences are the enumerated KL", () => {
    const estimates = all.map(([i, j]) =>
      klEstimate(steps(pi, i, j).map(Math.log), steps(q, i, j).map(Math.log)),
    );
    const weights = mass(pi);
    const expected = (of: "k1" | "k3"): number =>
      estimates.reduce((sum, estimate, at) => sum + (weights[at] ?? 0) * estimate[of], 0);
    const kl = exactKL(weights, mass(q));
    assert.ok(kl > 0.05, "the two differ");
    near(expected("k1"), kl, 1e-10);
    near(expected("k3"), kl, 1e-10);
    assert.ok(estimates.every(({ k3 }) => k3 >= 0));
    assert.ok(
      estimates.some(({ k1 }) => k1 < 0),
      "k1 can be below 0",
    );
  });

  test("the adaptive coefficient rises above the target, falls below, by 2 % at most", () => {
    near(adaptedCoefficient(0.5, 60, { target: 6 }), 0.5 * 1.02);
    near(adaptedCoefficient(0.5, 0, { target: 6 }), 0.5 * 0.98);
    near(adaptedCoefficient(0.5, 6.6, { target: 6 }), 0.5 * 1.01);
  });

  test("best-of-n's: ln n - (n-1)/n", () => {
    assert.equal(bestOfNKL(1), 0);
    near(bestOfNKL(4), Math.log(4) - 0.75);
    assert.throws(() => bestOfNKL(0), /whole number > 0/);
  });

  test("best-of-n's formula is the limit of the exact one without ties, a bound with them", () => {
    const m = 20_000;
    const alike = Array.from({ length: m }, () => 1 / m);
    for (const n of [2, 8, 50]) {
      const distinct = exactKL(bestOfNDistribution(alike, [...alike.keys()], n), alike);
      near(distinct, bestOfNKL(n), 2e-3);
      const tied = Array.from({ length: m }, (_, i) => i % 7);
      assert.ok(exactKL(bestOfNDistribution(alike, tied, n), alike) < bestOfNKL(n));
    }
  });
});

/** All ways to choose n of 0..m-1. */
function draws(m: number, n: number, from = 0): number[][] {
  if (n === 0) return [[]];
  return Array.from({ length: m - from }, (_, k) => from + k).flatMap((first) =>
    draws(m, n - 1, first + 1).map((rest) => [first, ...rest]),
  );
}

describe("best-of-n", () => {
  test("is the mean over all draws of n, ties shared", () => {
    holds(
      "best of n",
      (d) => {
        const m = d.integer(1, 8);
        const list = () => Array.from({ length: m }, () => d.integer(-3, 3));
        return { scores: list(), values: list(), n: d.integer(1, m) };
      },
      ({ scores, values, n }) => {
        const all = draws(scores.length, n);
        const won = all.map((draw) => {
          const best = Math.max(...draw.map((i) => scores[i] ?? 0));
          const tied = draw.filter((i) => scores[i] === best);
          return tied.reduce((sum, i) => sum + (values[i] ?? 0), 0) / tied.length;
        });
        near(bestOfN(scores, values, n), won.reduce((sum, x) => sum + x, 0) / all.length, 1e-10);
      },
      { runs: 100 },
    );
  });

  test("of one is the mean, of all is the best; the weights hold for hundreds", () => {
    const scores = Array.from({ length: 405 }, (_, i) => (i * 173) % 405);
    near(bestOfN(scores, scores, 1), 202);
    near(bestOfN(scores, scores, 405), 404);
    near(
      bestOfN(
        scores,
        scores.map(() => 1),
        57,
      ),
      1,
    );
    assert.throws(() => bestOfN(scores, scores, 406), /n in 1..405/);
    assert.throws(() => bestOfN([Number.NaN], [1], 1), /score 0 is no number/);
  });

  test("on a known distribution: its probabilities against enumerated draws", () => {
    const [p, scores] = [
      [0.5, 0.2, 0.3],
      [1, 2, 2],
    ];
    const wanted = [0, 0, 0];
    for (const i of [0, 1, 2])
      for (const j of [0, 1, 2]) {
        const mass = (p?.[i] ?? 0) * (p?.[j] ?? 0);
        const [a, b] = [scores?.[i] ?? 0, scores?.[j] ?? 0];
        for (const [k, isBest] of [
          [i, a >= b],
          [j, b >= a],
        ] as const)
          if (isBest) wanted[k] = (wanted[k] ?? 0) + mass / (a === b ? 2 : 1);
      }
    const got = bestOfNDistribution(p ?? [], scores ?? [], 2);
    wanted.forEach((x, i) => {
      near(got[i] ?? Number.NaN, x);
    });
  });

  test("no policy beats the gold optimum at its KL", () => {
    const rng = random(3);
    const q = [0.4, 0.3, 0.2, 0.1];
    const gold = [0, 1, 3, 2];
    for (let trial = 0; trial < 50; trial++) {
      const raw = q.map(() => rng.uniform());
      const total = raw.reduce((sum, x) => sum + x, 0);
      const p = raw.map((x) => x / total);
      const mean = p.reduce((sum, x, i) => sum + x * (gold[i] ?? 0), 0);
      assert.ok(mean <= goldOptimum(q, gold, exactKL(p, q)) + 1e-9);
    }
    near(goldOptimum(q, gold, 0), 1.1, 1e-6);
    near(goldOptimum(q, gold, 50), 3, 1e-6);
  });

  test("n on a logarithmic grid: whole numbers, both ends, none twice", () => {
    const ns = logSpaced(405, 20);
    assert.deepEqual([ns[0], ns.at(-1)], [1, 405]);
    assert.equal(new Set(ns).size, ns.length);
    assert.deepEqual(bestOfNCurve([1, 2], [3, 4], [1, 2]), [3.5, 4]);
  });
});

describe("the fits of Gao et al.", () => {
  const kls = Array.from({ length: 20 }, (_, i) => 0.25 + i / 2);

  for (const form of ["bon", "rl"] as const) {
    test(`${form}: a curve that was made comes back, with its peak`, () => {
      const made = { a: 2, b: 0.6 };
      const gains = kls.map((kl) => curveAt(made, form, kl));
      const { a, b, peakKL } = fitCurve([0, ...kls], [0, ...gains], form);
      near(a, 2, 1e-9);
      near(b, 0.6, 1e-9);
      const peak = peakKL ?? Number.NaN;
      for (const aside of [0.98, 1.02])
        assert.ok(curveAt({ a, b }, form, peak) > curveAt({ a, b }, form, aside * peak));
    });
  }

  test("the bootstrap's intervals hold the truth of noisy curves, and narrow with more of them", () => {
    const rng = random(7);
    const noisy = (count: number) =>
      Array.from({ length: count }, () => {
        const shift = 0.2 * rng.normal(); // a whole curve moves
        const gains = kls.map(
          (kl) => curveAt({ a: 2 + shift, b: 0.6 }, "bon", kl) + 0.1 * rng.normal(),
        );
        return { kls, gains };
      });
    const width = ([low, high]: readonly [number, number]): number => high - low;
    const few = fitCurves(noisy(5), "bon", { rng: random(1), resamples: 300 });
    const many = fitCurves(noisy(60), "bon", { rng: random(1), resamples: 300 });
    const holds = ([low, high]: readonly [number, number], truth: number) =>
      low < truth && truth < high;
    const held = Array.from({ length: 10 }, (_, i) => {
      const fit = fitCurves(noisy(40), "bon", { rng: random(i), resamples: 100 });
      return [holds(fit.aInterval, 2), holds(fit.bInterval, 0.6)];
    });
    // 95 % intervals: 7 or more of 10, but for one set of draws in a thousand
    for (const k of [0, 1]) assert.ok(held.filter((fit) => fit[k]).length >= 7, String(held));
    assert.ok(width(many.aInterval) < width(few.aInterval));
    assert.equal(many.peakShare, 1);
  });

  test("a curve that only rises has no peak; points at one KL are refused", () => {
    const rising = kls.map((kl) => Math.sqrt(kl) + kl);
    assert.equal(fitCurve(kls, rising, "bon").peakKL, null);
    assert.throws(() => fitCurve([1, 1], [1, 2], "bon"), /two or more different KLs/);
    assert.throws(() => fitCurve([1, 2], [1, Number.NaN], "bon"), /gain 1 is NaN/);
    assert.throws(() => fitCurve([1, 2], [1], "bon"), /2 KLs and 1 gains/);
  });

  test("curves of one point each: resamples that leave the curve open don't count", () => {
    const curves = [1, 4, 9].map((kl) => ({
      kls: [kl],
      gains: [curveAt({ a: 2, b: 0.5 }, "bon", kl)],
    }));
    const { a, aInterval, bInterval } = fitCurves(curves, "bon", { rng: random(1), resamples: 50 });
    for (const x of [a, ...aInterval]) near(x, 2, 1e-9); // exact: all points are on one curve
    for (const x of bInterval) near(x, 0.5, 1e-9);
  });
});
