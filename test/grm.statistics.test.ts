// Where good guesses of a statistic are wrong: values that SciPy, scikit-learn or exact arithmetic give, each
// with its source. Next: grm.evaluation.test.ts for statistics by hand and what is said of a model.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Pair, type Sequence, WordsOnly } from "../grm/index.ts";

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
