// Statistics against numbers that were worked out elsewhere or by another way, and the evaluation of a
// model against its own rewards. Next: package.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noGrad, random } from "../core/index.ts";
import {
  combineRewards,
  compareScores,
  disagreement,
  evaluate,
  makeBatch,
  type Pair,
  type PairScores,
  RewardModel,
  type Sequence,
  scorePairs,
  standardize,
  statistics,
  textSequences,
  train,
  trainEnsemble,
  WordsOnly,
} from "../grm/index.ts";
import { ByteTokenizer, CausalLM } from "../nn/index.ts";
import "../kernels/index.ts";
import { holds } from "../testing/property.ts";
import { toyModel, toyPairs } from "./toyPreferences.ts";

const { calibration, correlation, fitTemperature, histogram, pairedBootstrap } = statistics;
const { rankCorrelation, summarize, wilson, winsOf } = statistics;

function near(got: number | null | undefined, wanted: number, tolerance = 1e-9): void {
  assert.ok(Math.abs((got ?? Number.NaN) - wanted) <= tolerance, `${got}, wanted ${wanted}`);
}

const ones = (wins: number, losses: number): number[] => [
  ...new Array<number>(wins).fill(1),
  ...new Array<number>(losses).fill(0),
];

describe("intervals", () => {
  test("Wilson's, as in the literature: 10 of 10, 0 of 10, 81 of 263 (Newcombe 1998, table I)", () => {
    const all = wilson(ones(10, 0));
    near(all.low, 0.7224672001371107);
    near(all.high, 1);
    const none = wilson(ones(0, 10));
    near(none.low, 0);
    near(none.high, 0.2775327998628892);
    const some = wilson(ones(81, 182));
    near(some.low, 0.2553, 5e-5);
    near(some.high, 0.3662, 5e-5);
  });

  test("cover what they should: 95 % of the time, within chance", () => {
    const rng = random(1);
    let covered = 0;
    for (let i = 0; i < 2000; i++) {
      const wins = Array.from({ length: 40 }, () => (rng.uniform() < 0.7 ? 1 : 0));
      const { low, high } = wilson(wins);
      if (low <= 0.7 && 0.7 <= high) covered++;
    }
    assert.ok(covered > 1860 && covered < 1960, `${covered} of 2000`);
  });

  test("the paired bootstrap agrees with the normal one, and is the seed's", () => {
    const rng = random(2);
    const a = Array.from({ length: 400 }, () => rng.normal());
    const b = a.map((x) => x + 0.3 * rng.normal() - 0.1);
    const found = pairedBootstrap(a, b, { rng: random(3), rounds: 4000 });
    const differences = a.map((x, i) => x - (b[i] ?? 0));
    const error = statistics.deviation(differences) / 20;
    near(found.value, statistics.mean(differences));
    near(found.low, found.value - 1.96 * error, error / 5);
    near(found.high, found.value + 1.96 * error, error / 5);
    assert.ok(found.p < 0.001);
    assert.deepEqual(pairedBootstrap(a, b, { rng: random(3), rounds: 4000 }), found);
    const same = pairedBootstrap(a, a, { rng: random(3), rounds: 100 });
    assert.deepEqual([same.value, same.low, same.high, same.p], [0, 0, 0, 1]);
    assert.throws(() => pairedBootstrap([1], [1, 2], { rng }), /1 and 2 numbers/);
  });
});

describe("calibration", () => {
  test("of a model that is as sure as it should be is good, at the temperature that it has", () => {
    const rng = random(4);
    const temperature = 2.5;
    const differences = Array.from({ length: 20_000 }, () => {
      const size = Math.abs(2 * rng.normal());
      const isRight = rng.uniform() < 1 / (1 + Math.exp(-size));
      return temperature * (isRight ? size : -size);
    });
    const honest = differences.map((d) => d / temperature);
    const wrongWay = honest.map((d) => Math.abs(d) * (rng.uniform() < 0.5 ? 1 : -1));
    near(fitTemperature(honest), 1, 0.05);
    near(fitTemperature(differences), temperature * (fitTemperature(honest) ?? 0), 1e-6);
    assert.ok(calibration(honest).ece < 0.02 && calibration(differences).ece > 0.1);
    assert.ok((fitTemperature(wrongWay) ?? Infinity) > 10);
  });

  test("by hand", () => {
    const log4 = Math.log(4); // σ = 0.8
    const { bins, ece, brier } = calibration([log4, log4, log4, log4, -log4, 0], 2);
    assert.deepEqual(
      bins.map(({ count }) => count),
      [1, 5],
    );
    near(bins[1]?.confidence, 0.8);
    near(bins[1]?.accuracy, 0.8);
    near(ece, 0);
    near(brier, (4 * 0.04 + 0.64 + 0.25) / 6);
    assert.equal(fitTemperature([1, 2]), null);
    assert.equal(fitTemperature([-1, -2]), null);
    near(fitTemperature([log4, log4, log4, log4, -log4]), 1);
  });
});

test("summaries, histograms and correlations by hand", () => {
  const summary = summarize([1, 2, 3], [1, 3, 0]);
  near(summary.accuracy, 0.5);
  assert.equal(summary.ties, 1);
  near(summary.margin, 2 / 3);
  near(summary.loss, (Math.log(2) + Math.log(1 + Math.E) + Math.log(1 + Math.exp(-3))) / 3);
  assert.deepEqual([...winsOf([1, 2, 3], [1, 3, 0])], [0.5, 0, 1]);
  assert.deepEqual(histogram([0, 1, 2, 4], { bins: 2 }), { edges: [0, 2, 4], counts: [2, 2] });
  // NumPy 2.4.6: histogram
  assert.deepEqual(histogram([5, 5], { bins: 2 }), { edges: [4.5, 5, 5.5], counts: [0, 2] });
  near(correlation([1, 2, 3], [2, 4, 6]), 1);
  near(rankCorrelation([1, 2, 3, 4], [1, 10, 100, 1000]), 1);
  near(rankCorrelation([1, 1, 2], [3, 2, 1]), -Math.sqrt(3) / 2);
  assert.equal(correlation([1, 1], [1, 2]), null);
});

// --- Controls ----------------------------------------------------------------------------------------

test("words only finds which tokens people prefer, and no more", () => {
  const words = WordsOnly.fit(toyPairs(200, 1));
  const differences = words.differences(toyPairs(200, 2));
  assert.ok(statistics.mean(winsOf(differences, new Float64Array(200))) > 0.9);
  assert.ok((words.weights[2] ?? 0) > 0 && (words.weights[20] ?? 0) < 0);
  const reversed = toyPairs(50, 3).map(({ chosen }) => {
    const [prompt, answer] = [chosen.ids.slice(0, 3), chosen.ids.slice(3).reverse()];
    const ids = Int32Array.of(...prompt, ...answer);
    const labels = ids.map((id, t) => (t < 3 ? -100 : id));
    return { chosen, rejected: { ids, labels } };
  });
  assert.ok(
    words.differences(reversed).every((d) => Math.abs(d) < 1e-9),
    "order says nothing",
  );
});

test("words only is at the minimum: its gradient vanishes", () => {
  const pairs = toyPairs(60, 5);
  const { weights } = WordsOnly.fit(pairs, { steps: 2000 });
  const loss = (w: Float64Array): number => {
    const model = Object.assign(Object.create(WordsOnly.prototype), { weights: w }) as WordsOnly;
    const terms = [...model.differences(pairs)].map((d) => Math.log(1 + Math.exp(-d)));
    return terms.reduce((a, b) => a + b) + w.reduce((sum, x) => sum + x * x, 0) / 2;
  };
  const at = (k: number, h: number): number => loss(weights.map((x, i) => (i === k ? x + h : x)));
  for (let k = 1; k < 23; k++) near((at(k, 1e-4) - at(k, -1e-4)) / 2e-4, 0, 1e-5);
});

// --- Evaluation --------------------------------------------------------------------------------------

test("evaluation says what the rewards say, and the base's perplexity beside the model's", async () => {
  const base = toyModel().lm;
  const model = toyModel();
  await train(model, toyPairs(64, 1), { method: "bt", lr: 3e-3, epochs: 2 });
  const pairs: Pair[] = toyPairs(40, 2).map((pair, i) => ({ ...pair, source: i < 10 ? "a" : "b" }));
  const neutral: Sequence[] = toyPairs(5, 3).map(({ chosen }) => chosen);
  const found = await evaluate(model, pairs, { base, neutral, training: toyPairs(64, 1) });
  const { chosen, rejected } = await scorePairs(model, pairs);
  const alone = pairs.map(({ chosen }) => {
    const { ids, mask } = makeBatch([chosen]);
    return noGrad(() => model.forward(ids, { mask })).rewards.data[0] ?? 0;
  });
  alone.forEach((reward, i) => {
    near(chosen.rewards[i], reward, 1e-5);
  });
  near(found.accuracy.value, summarize(chosen.rewards, rejected.rewards).accuracy);
  assert.deepEqual(
    Object.entries(found.bySource).map(([name, { count }]) => [name, count]),
    [
      ["a", 10],
      ["b", 30],
    ],
  );
  assert.ok((found.controls.words?.value ?? 0) > 0.8, String(found.controls.words?.value));
  const sum = found.rewards.chosen.histogram.counts.reduce((a, b) => a + b);
  assert.equal(sum, 40);
  const untouched = await evaluate(toyModel(), pairs, { base, neutral });
  const { languageModel: before } = untouched;
  for (const side of [before.chosen, before.rejected, before.neutral])
    near(side?.model, side?.base ?? 0, 1e-4);
  assert.notEqual(found.languageModel.chosen.model, before.chosen.model);
  near(found.languageModel.chosen.base, before.chosen.model ?? 0, 1e-4);
});

test("with adapters the base is the model without them", async () => {
  const model = toyModel();
  const pairs = toyPairs(20, 2);
  const before = await evaluate(model, pairs);
  assert.equal(before.languageModel.chosen.base, null);
  await train(model, toyPairs(32, 1), { method: "bt", mode: "lora", lr: 0.03 });
  const { languageModel } = await evaluate(model, pairs);
  near(languageModel.chosen.base, before.languageModel.chosen.model ?? 0, 1e-3);
  assert.notEqual(languageModel.chosen.model, languageModel.chosen.base);
});

test("two models on the same pairs", () => {
  const scores = (rewards: number[]): PairScores => {
    const side = (list: number[]) => {
      const zeros = new Float64Array(list.length);
      const counts = new Int32Array(list.length);
      return { rewards: Float64Array.from(list), logProbs: zeros, counts };
    };
    return { chosen: side(rewards), rejected: side(rewards.map(() => 0)) };
  };
  const [a, b] = [scores([1, 1, 1, -1]), scores([1, -1, -1, 1])];
  const found = compareScores(a, b, { rng: random(1), rounds: 2000 });
  assert.deepEqual([found.onlyFirst, found.onlySecond], [2, 1]);
  near(found.difference.value, 0.25);
  near(found.first.value, 0.75);
  assert.ok(found.difference.low < 0 && found.difference.high > 0);
  assert.ok(found.lossDifference.value < 0);
});

test("text in pieces, all of it labelled", () => {
  const tokenizer = new ByteTokenizer();
  const pieces = textSequences(["abcdefgh", "i", "jkl"], tokenizer, 5);
  assert.deepEqual(
    pieces.map(({ ids }) => tokenizer.decode(ids)),
    ["abcde", "fgh", "jkl"],
  );
  assert.deepEqual(pieces[0]?.labels, pieces[0]?.ids);
});

// --- Ensembles ---------------------------------------------------------------------------------------

test("ensembles combine as they say", () => {
  holds(
    "rules",
    (d) => Array.from({ length: d.integer(1, 4) }, () => [...d.tensor([5]).data]),
    (members) => {
      const K = members.length;
      const [mean, min, lower] = (["mean", "min", "lower"] as const).map((rule) =>
        combineRewards(members, { rule, lambda: 2 }),
      );
      for (let i = 0; i < 5; i++) {
        const own = members.map((rewards) => rewards[i] ?? 0);
        const centre = own.reduce((a, b) => a + b) / K;
        const spread = Math.sqrt(own.reduce((sum, x) => sum + (x - centre) ** 2, 0) / K);
        near(mean?.[i], centre);
        near(min?.[i], Math.min(...own));
        near(lower?.[i], centre - 2 * spread);
      }
    },
  );
  assert.throws(() => combineRewards([[1], [1, 2]], { rule: "min" }), /1, 2 answers/);
  const scaled = standardize([1, 2, 3]);
  near(statistics.mean(scaled), 0);
  near(statistics.deviation(scaled), 1);
  const { pairs, deviation } = disagreement(
    [
      [1, 1],
      [3, 0],
    ],
    [
      [0, 0],
      [2, 2],
    ],
  );
  assert.equal(pairs, 0.5);
  near(deviation, 1 - 1 / 8);
});

test("members of an ensemble have seeds of their own", async () => {
  const make = (k: number): RewardModel => {
    const lm = new CausalLM({ vocabSize: 24, dim: 8, layers: 1, heads: 1 }, { rng: random(1) });
    return new RewardModel(lm, { rng: random(k) });
  };
  const options = { method: "bt", steps: 2, seed: 3 } as const;
  const members = await trainEnsemble(2, make, toyPairs(16, 1), options);
  assert.deepEqual(
    members.map(({ settings }) => settings.seed),
    [3, 4],
  );
});
