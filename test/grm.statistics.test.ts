// Where good guesses of a statistic are wrong: values that SciPy, scikit-learn or exact arithmetic give, each
// with its source. Next: grm.evaluation.test.ts for statistics by hand and what is said of a model.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { grad, random, tensor } from "../core/index.ts";
import {
  combineRewards,
  compareScores,
  disagreement,
  evaluate,
  type Pair,
  type PairScores,
  type Sequence,
  standardize,
  statistics,
  WordsOnly,
} from "../grm/index.ts";
import {
  effectiveRank,
  fitProbe,
  linearCKA,
  linearProbe,
  type Matrix,
  matrix,
  reliability,
  tokenCosines,
} from "../grm/inspect/index.ts";
import {
  adaptedCoefficient,
  bestOfN,
  entropyOf,
  exactKL,
  goldOptimum,
  klEstimate,
  whiten,
} from "../grm/policies/index.ts";
import { usableRewards } from "../grm/policies/rollouts.ts";
import { toyModel, toyPairs } from "./toyPreferences.ts";

const { centred, correlation, deviation, interval, mean, norm, rankCorrelation } = statistics;
const { calibration, fitTemperature, pairedBootstrap, signFlipTest, summarize, winsOf } =
  statistics;
const { fitLogistic, histogram, signOf, softplus } = statistics;

function near(got: number | null | undefined, wanted: number, tolerance = 1e-9): void {
  const most = tolerance * Math.max(1e-300, Math.abs(wanted));
  assert.ok(Math.abs((got ?? Number.NaN) - wanted) <= most, `${got}, wanted ${wanted}`);
}

describe("the words-only control is scikit-learn's logistic regression", () => {
  // scikit-learn 1.9.1: LogisticRegression(C=1/(2 l2), fit_intercept=False, tol=1e-14, solver="newton-cg") on
  // the rows x with label 1 and -x with label 0; mpmath's Newton method at 40 digits agrees to 13 digits
  const answer = (tokens: readonly number[]): Sequence => {
    const ids = Int32Array.from(tokens);
    return { ids, labels: ids };
  };
  const pair = (chosen: readonly number[], rejected: readonly number[]): Pair => ({
    chosen: answer(chosen),
    rejected: answer(rejected),
  });
  const good = Array.from({ length: 40 }, () => pair([1], [2]));
  const reversed = Array.from({ length: 10 }, () => pair([2], [1]));

  test("one word each, 40 pairs one way and 10 the other: the larger side wins", () => {
    const pairs = [...good, ...reversed];
    const words = WordsOnly.fit(pairs);
    assert.equal(words.differences(pairs).filter((d) => d > 0).length, 40);
    for (const [l2, weight] of [
      [1, 0.8893975428141881],
      [0.01, 0.998701534723299],
      [100, 0.0928365437046061],
    ] as const) {
      const { weights } = WordsOnly.fit(pairs, { l2 });
      near(weights[1], weight);
      near(weights[2], -weight);
    }
  });

  test("answers of several words, whatever l2 is", () => {
    const pairs = [
      pair([1, 1, 2], [3]),
      pair([2, 3], [1, 1, 1, 4]),
      pair([4, 4, 4, 4], [2]),
      pair([1], [2, 2]),
      pair([3, 1], [3, 3, 4]),
      pair([2], [1]),
    ];
    for (const [l2, ...wanted] of [
      [1, 0.08084940791230173, 0.1138977870141051, -0.12394715483170574, 0.0747959522397604],
      [1e-3, -1.0591737522553921, -0.3080051373364933, -2.6128945156879633, -0.013921716077059733],
      [
        50, 0.003940093981965725, 0.0028777681932552696, -0.00399053424895679,
        0.0022018606401922767,
      ],
    ] as const) {
      const { weights } = WordsOnly.fit(pairs, { l2 });
      wanted.forEach((weight, k) => {
        near(weights[k + 1], weight, 1e-8);
      });
    }
  });

  test("without an optimum, or without reaching it, it says so", () => {
    assert.throws(() => WordsOnly.fit(good, { l2: 0 }), /l2 is 0; needed a finite number > 0/);
    assert.throws(() => WordsOnly.fit(good, { steps: 1 }), /isn't reached, steps is 1/);
  });
});

describe("numbers that differ by rounding alone don't vary", () => {
  const alike = [
    [0.1, 0.1, 0.1],
    [0.3, 0.1 + 0.2, 0.3],
    [1e300, 1e300, 1e300],
    [-1e-300, -1e-300, -1e-300],
    Array.from({ length: 1000 }, () => 0.7),
  ];

  test("so that nothing is divided by what rounding left", () => {
    for (const x of alike) {
      const zeros = x.map(() => 0);
      assert.deepEqual([...centred(x)], zeros);
      assert.deepEqual([...whiten(x)], zeros);
      assert.deepEqual([...standardize(x)], zeros);
      assert.equal(deviation(x), 0);
      assert.equal(interval(x).half, 0);
      const other = x.map((_, i) => i);
      assert.equal(correlation(x, other), null);
      assert.equal(correlation(other, x), null);
      const states = matrix(
        x.length,
        2,
        x.flatMap((value) => [value, value]),
      );
      assert.equal(effectiveRank(states), null);
      assert.equal(linearCKA(states, states), null);
    }
  });

  test("so that a probe gives a constant column no weight, and R² of constant labels is null", () => {
    const rng = random(1);
    const rows = Array.from({ length: 12 }, () => [rng.normal(), 0.1, rng.normal()]);
    const x = matrix(12, 3, rows.flat());
    const y = rows.map(([a = 0, , b = 0]) => 2 * a - b + 0.1);
    for (const l2 of [0, 1e-3]) assert.equal(fitProbe({ x, y }, { l2 }).weights[1], 0);
    near(linearProbe({ x, y }, { x, y }, { l2: 0 }).r2, 1);
    const constant = y.map(() => 0.1);
    const { r2, accuracy } = linearProbe({ x, y: constant }, { x, y: constant });
    assert.deepEqual([r2, accuracy], [null, null]);
  });

  test("so that rewards which begin alike keep their size in PPO", () => {
    const settings = { normalise: true, rewardClip: 5 };
    const { scale } = usableRewards(Float64Array.of(0.1, 0.1, 0.1), null, settings);
    const later = usableRewards(Float64Array.of(0.1, 1.1, -0.9), scale, settings);
    assert.equal(later.clipped, 0);
    near(later.rewards[1], 1);
  });

  test("and what does vary, if far from 0, still does", () => {
    near(deviation([1e15, 1e15 + 1, 1e15 + 2]), Math.sqrt(2 / 3));
    near(correlation([1e9 + 1, 1e9 + 2, 1e9 + 4], [1, 2, 3]), 9 / Math.sqrt(84));
  });
});

test("sizes whose squares leave the range of a double: means, deviations, correlations, ranks of states", () => {
  const r = 0.9819805060619657; // SciPy 1.17.1: stats.pearsonr([1e155, 2e155, 4e155], [1, 2, 3]); exactly 9/√84
  for (const scale of [1e155, 1e300, 1e-155, 1e-300]) {
    const x = [1, 2, 4].map((value) => scale * value);
    near(correlation(x, [1, 2, 3]), r);
    near(correlation(x, [1e-200, 2e-200, 3e-200]), r);
    near(rankCorrelation(x, [1, 2, 3]), 1);
    near(deviation(x), scale * Math.sqrt(14 / 9));
    near(norm(x), scale * Math.sqrt(21));
    const states = (unit: number): Matrix =>
      matrix(
        6,
        2,
        [1, 2, 3, 5, 2, 2, 0, 1, 4, -1, 7, 3].map((value) => unit * value),
      );
    near(effectiveRank(states(scale)), effectiveRank(states(1)) ?? Number.NaN);
    near(linearCKA(states(scale), states(1)), 1);
  }
  near(mean([1e308, 1e308]), 1e308);
  const x = Array.from({ length: 9 }, (_, i) => Math.sqrt(i));
  assert.equal(correlation(x, x), 1);
  assert.throws(() => correlation([1, 2], [1]), /2 and 1 numbers/);
});

describe("linear CKA is the debiased one", () => {
  test("of whole numbers, by rational arithmetic", () => {
    const x = [1, 2, 3, 5, 2, 2, 0, 1, 4, -1, 7, 3];
    const y = [2, 0, 1, 1, 1, 1, 5, 2, 0, 0, 3, 3, 1, 4, 2, 6, 6, 1];
    const cka = (rows: number) =>
      linearCKA(matrix(rows, 2, x.slice(0, 2 * rows)), matrix(rows, 3, y.slice(0, 3 * rows)));
    // unbiased HSICs of six rows: 7/4, 583/18, 1363/30; of the first four: -67/12, 37/6, 43/6
    near(cka(6), 7 / 4 / Math.sqrt((583 / 18) * (1363 / 30)));
    near(cka(4), -67 / 12 / Math.sqrt((37 / 6) * (43 / 6)));
    assert.equal(cka(3), null);
  });

  test("so that states with nothing in common are at 0 on average, however few tokens", () => {
    for (const tokens of [5, 16]) {
      const rng = random(tokens);
      const states = (): Matrix =>
        matrix(
          tokens,
          64,
          Array.from({ length: 64 * tokens }, () => rng.normal()),
        );
      const found = Array.from({ length: 100 }, () => linearCKA(states(), states()) ?? Number.NaN);
      const { mean: average, half } = interval(found);
      assert.ok(Math.abs(average) < 2 * (half ?? 0), `${tokens} tokens: ${average} ± ${half}`);
    }
  });

  test("states that are all equally far apart have nothing in which they could be alike: null", () => {
    const unit = matrix(
      5,
      5,
      Array.from({ length: 25 }, (_, at) => (at % 6 === 0 ? 1 : 0)),
    );
    assert.equal(linearCKA(unit, unit), null);
  });
});

describe("the sign-flip test is exact where pairs are few", () => {
  const p = (differences: readonly number[]): number =>
    signFlipTest(differences, { rng: random(1) });
  const outcomes = (wins: number, losses: number): number[] =>
    Array.from({ length: wins + losses }, (_, i) => (i < wins ? 1 : -1));

  test("of wins and losses: SciPy's sign test", () => {
    // SciPy 1.17.1: stats.binomtest(wins, pairs).pvalue
    for (const [wins, losses, wanted] of [
      [3, 0, 0.25],
      [0, 3, 0.25],
      [5, 0, 0.0625],
      [8, 2, 0.109375],
      [15, 5, 0.04138946533203125],
      [2, 2, 1],
    ] as const) {
      assert.equal(p(outcomes(wins, losses)), wanted);
      assert.equal(p([...outcomes(wins, losses), 0, 0, 0]), wanted, "ties say nothing");
    }
    assert.equal(p([0, 0]), 1);
  });

  test("of numbers: SciPy's paired permutation test", () => {
    // SciPy 1.17.1: permutation_test((a, 0), mean of a - b, permutation_type="samples"), all of them
    assert.equal(p([0.3, 1.2, -0.4, 0.8, 2.1, 0.05]), 0.15625);
    assert.equal(p([0.1, 0.2, -0.3]), 1); // 0 up to rounding
    assert.equal(p([0.1, 0.1, 0.1]), 0.25);
  });

  test("of many pairs: random flips, near the exact value", () => {
    // SciPy 1.17.1: stats.binomtest(20, 30).pvalue
    const found = p(outcomes(20, 10));
    assert.ok(Math.abs(found - 0.09873714670538905) < 0.01, String(found));
    assert.equal(p(outcomes(40, 0)), 1 / 10_001);
  });

  test("of margins whose sum leaves the range of a double", () => {
    assert.equal(signFlipTest([1e308, 1e308, 1e308], { rng: random(1) }), 0.25); // exact
  });

  test("in compare: a tie is no pair that a model gets right", () => {
    const side = (rewards: readonly number[]) => ({
      rewards: Float64Array.from(rewards),
      logProbs: new Float64Array(rewards.length),
      counts: new Int32Array(rewards.length),
    });
    const scores = (rewards: readonly number[]): PairScores => ({
      chosen: side(rewards),
      rejected: side(rewards.map(() => 0)),
    });
    const found = compareScores(scores([1, 1, -1, 0]), scores([0, 1, 0, 1]), { rng: random(1) });
    assert.deepEqual([found.onlyFirst, found.onlySecond], [1, 1]); // by hand
  });

  test("in compare: three pairs all one way aren't sure", () => {
    const side = (rewards: readonly number[]) => ({
      rewards: Float64Array.from(rewards),
      logProbs: new Float64Array(rewards.length),
      counts: new Int32Array(rewards.length),
    });
    const scores = (rewards: readonly number[]): PairScores => ({
      chosen: side(rewards),
      rejected: side(rewards.map(() => 0)),
    });
    const found = compareScores(scores([1, 1, 1]), scores([-1, -1, -1]), { rng: random(1) });
    assert.deepEqual([found.difference.p, found.lossDifference.p], [0.25, 0.25]);
    assert.equal(pairedBootstrap([1, 2], [1, 2], { rng: random(1) }).p, 1);
  });
});

test("the temperature that fits, at any scale of the margins", () => {
  // SciPy 1.17.1: the slope's zero by optimize.brentq, of [3, 2, -1, 4] and [1e-7, 1e7, -2, 3]
  for (const unit of [1, 1e-7, 1e7, 1e-300, 1e300]) {
    near(fitTemperature([3, 2, -1, 4].map((d) => unit * d)), 1.2105398819552613 * unit);
    assert.equal(fitTemperature([3 * unit, 2 * unit]), null);
    assert.equal(fitTemperature([0.1, 0.2, -0.3].map((d) => unit * d)), null);
  }
  near(fitTemperature([1e-7, 1e7, -2, 3]), 6.403353696719352);
});

test("intervals: beyond the table of Student's t, and of numbers whose squares leave the range of a double", () => {
  // SciPy 1.17.1: stats.t.ppf(0.975, df), of n numbers ±1 with deviation √(n / (n - 1))
  for (const [df, t] of [
    [31, 2.039513446396408],
    [101, 1.983731002955606],
    [1001, 1.9623367052808798],
  ] as const) {
    const n = df + 1;
    const numbers = Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 1 : -1));
    near(interval(numbers).half, t / Math.sqrt(df), 1e-6);
  }
  // SciPy: stats.t.interval of [1, 2, 4], scaled; the table has four digits
  for (const unit of [1, 1e-200, 1e200, 1e-300])
    near(interval([unit, 2 * unit, 4 * unit]).half, 3.794583033596759 * unit, 1e-3);
  assert.equal(signOf({ mean: Number.NaN, half: 1, n: 3 }), 0);
  assert.equal(signOf(interval([1, Infinity])), 0);
});

test("histograms: bins as their edges say, and each number in one", () => {
  // NumPy 2.4.6: histogram
  const tenths = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 0.3, 0.6, 0.7];
  const found = histogram(tenths, { bins: 10 });
  found.edges.slice(1, -1).forEach((edge, i) => {
    const below = tenths.filter((x) => x < edge).length;
    assert.equal(
      found.counts.slice(0, i + 1).reduce((a, b) => a + b),
      below,
    );
  });
  assert.equal(found.edges.at(-1), 1);
  assert.deepEqual(histogram([1e308, -1e308, 0], { bins: 2 }).counts, [1, 2]);
  assert.equal(
    histogram([0, 5e-324], { bins: 3 }).counts.reduce((a, b) => a + b),
    2,
  );
  for (const bad of [Number.NaN, Infinity])
    assert.throws(() => histogram([1, bad, 2]), /histogram: number 2 is/);
});

test("a loss keeps its digits where a model is sure", () => {
  // mpmath: ln(1 + e^-40), ln(1 + e^-100)
  near(softplus(-40), 4.248354255291589e-18, 1e-14);
  near(softplus(-100), 3.720075976020836e-44, 1e-14);
  near(softplus(0), Math.LN2, 1e-15);
});

describe("the gold optimum", () => {
  test("is no answer that can't be given", () => {
    // SciPy 1.17.1: the p of two with KL 0.1 from ½, by optimize.brentq over special.rel_entr
    for (const gold of [1000, -1000, Infinity, Number.NaN]) {
      near(goldOptimum([0, 0.5, 0.5], [gold, 0, 1], 0.1), 0.7197946261614098);
    }
  });

  test("at any scale of the gold, up to the best answer", () => {
    // SciPy 1.17.1: likewise over λ
    for (const unit of [1, 1e-7, 1e-15, 1e15]) {
      const gold = [1, 3, 2].map((g) => unit * g);
      near(goldOptimum([0.2, 0.3, 0.5], gold, 0.25), 2.576089370729787 * unit);
      assert.equal(goldOptimum([0.2, 0.3, 0.5], gold, -Math.log(0.3)), 3 * unit);
      near(goldOptimum([0.2, 0.3, 0.5], gold, 0), 2.1 * unit);
    }
    assert.equal(goldOptimum([0.3, 0.7], [2, 2], 0), 2);
    const [largest, smallest] = [Number.MAX_VALUE, -Number.MAX_VALUE]; // their difference is no number
    near(goldOptimum([0.5, 0.5], [largest, smallest], 0.1) / largest, 2 * 0.7197946261614098 - 1);
  });
});

test("k3 keeps its digits near 0, and is never below it", () => {
  // mpmath at 50 digits: e^x - 1 - x
  for (const [x, wanted] of [
    [1e-9, 5.000000001666667e-19],
    [-1e-5, 4.999983333375e-11],
    [3e-3, 4.504503377026013e-6],
    [0.3, 0.0498588075760031],
    [-0.34, 0.05177032276260972],
    [2, 4.38905609893065],
    [-40, 39],
  ] as const) {
    near(klEstimate([0], [x]).k3, wanted, 4e-15);
  }
  const rng = random(1);
  for (let i = 0; i < 2000; i++) {
    const p = -10 * rng.uniform();
    const q = p + rng.normal() * 10 ** (-16 * rng.uniform());
    assert.ok(klEstimate([p], [q]).k3 >= 0, `${p}, ${q}`);
  }
  assert.equal(klEstimate([-1], [-Infinity]).k3, Infinity);
  assert.equal(klEstimate([-Infinity], [-1]).k3, Infinity);
  assert.deepEqual(klEstimate([-Infinity], [-Infinity]), { k1: 0, k3: 0 });
});

test("the KL of two lists that differ by rounding isn't below 0", () => {
  const rng = random(2);
  for (let i = 0; i < 200; i++) {
    const p = Array.from({ length: 5 }, () => 0.2 + 1e-9 * rng.normal());
    const shift = p.reduce((sum, x) => sum + x, 0);
    const q = p.map((x) => x / shift);
    assert.ok(exactKL(q.toReversed(), q) >= 0);
  }
});

test("tokens that can't be drawn add nothing to the entropy, nor to its gradient", () => {
  // SciPy 1.17.1: stats.entropy([0.5, 0.5, 0]) is ln 2
  for (const dtype of ["float32", "float64"] as const) {
    const x = tensor([[Math.log(0.5), Math.log(0.5), -Infinity]], { dtype, requiresGrad: true });
    const entropy = entropyOf(x);
    near(entropy.data[0], Math.LN2, 1e-6);
    const [slope] = grad(entropy.sum(), [x]);
    assert.ok(slope?.data.every(Number.isFinite));
  }
});

describe("NaN isn't a reward", () => {
  const [good, bad, endless] = [
    [1, 2],
    [1, Number.NaN],
    [Infinity, 1],
  ];
  const scores = (chosen: readonly number[], rejected: readonly number[]): PairScores => {
    const side = (rewards: readonly number[]) => ({
      rewards: Float64Array.from(rewards),
      logProbs: new Float64Array(rewards.length),
      counts: new Int32Array(rewards.length),
    });
    return { chosen: side(chosen), rejected: side(rejected) };
  };

  test("it neither wins nor loses", () => {
    assert.deepEqual([...winsOf(bad, good)], [0.5, Number.NaN]);
    assert.ok(Number.isNaN(summarize(good, bad).accuracy));
  });

  test("whatever counts rewards says which one is no number", () => {
    const [fine, rng] = [scores(good, good), random(1)];
    const refused: readonly (readonly [() => unknown, RegExp])[] = [
      [() => compareScores(scores(good, bad), fine, { rng }), /first's rejected .* pair 2 is NaN/],
      [
        () => compareScores(fine, scores(endless, good), { rng }),
        /second's chosen .* pair 1 is Inf/,
      ],
      [() => combineRewards([good, bad], { rule: "mean" }), /member 2's .* answer 2 is NaN/],
      [
        () => combineRewards([endless, good], { rule: "min" }),
        /member 1's .* answer 1 is Infinity/,
      ],
      [() => disagreement([good, bad], [good, good]), /member 2's .* answer 2 is NaN/],
      [() => standardize(bad), /answer 2 is NaN/],
      [() => standardize(good, bad), /answer 2 is NaN/],
      [() => calibration(bad), /pair 2 is NaN/],
      [() => fitTemperature([1, -0.5, Number.NaN]), /pair 3 is NaN/],
      [() => signFlipTest(bad, { rng }), /item 2 is NaN/],
      [() => goldOptimum([0.5, 0.5], bad, 0.1), /answer 1 is NaN/],
      [() => goldOptimum([0.5, Number.NaN], good, 0.1), /probability 1 is NaN/],
      [() => goldOptimum([0.5, 0.5], good, Number.NaN), /KL is NaN/],
      [() => goldOptimum([0.5, 0.5], good, -1), /KL is -1/],
      [() => adaptedCoefficient(0.1, Number.NaN, { target: 1 }), /KL is NaN/],
      [() => fitProbe({ x: matrix(2, 1, bad), y: good }), /state 1, element 0 is NaN/],
      [
        () => linearProbe({ x: matrix(2, 1, good), y: good }, { x: matrix(2, 1, good), y: bad }),
        /label 1/,
      ],
      [
        () =>
          fitLogistic([{ ids: Int32Array.of(0), values: Float64Array.of(Number.NaN) }], 1, {
            l2: 1,
            steps: 9,
          }),
        /row 1, number 1 is NaN/,
      ],
      [() => pairedBootstrap(good, bad, { rng }), /item 2 is NaN/],
      [() => bestOfN(bad, good, 1), /score 1 is no number/],
      [() => bestOfN(good, bad, 1), /value 1 is no number/],
    ];
    for (const [run, message] of refused) assert.throws(run, message);
  });

  test("nor has it a rank, a direction or a part in a divergence", () => {
    assert.equal(rankCorrelation([1, Number.NaN, 3], [1, 2, 3]), null); // SciPy: NaN
    assert.ok(Number.isNaN(exactKL([Number.NaN, 0.5], [0.5, 0.5])));
    assert.deepEqual([...tokenCosines(matrix(2, 1, bad), matrix(2, 1, good))], [1, Number.NaN]);
    assert.equal(effectiveRank(matrix(2, 1, [Infinity, 1])), null);
  });

  test("evaluation and reliability name the pairs, as they stand in their file", async () => {
    const model = toyModel();
    const pairs = toyPairs(3, 1).map((pair) => ({ ...pair, file: "pairs.jsonl" }));
    model.vHead.parameters()[0]?.data.fill(Number.NaN);
    const places = /a reward is NaN on pairs\.jsonl, lines 1, 2, 3; needed finite numbers/;
    await assert.rejects(evaluate(model, pairs), places);
    await assert.rejects(reliability(model, pairs), places);
  });
});
