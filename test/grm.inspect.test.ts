// Every view of grm/inspect against a direct computation on a small case: definitions written out again in
// the plainest way, finite differences, planted answers, and things that must be exactly zero.
// Next: ../grm/inspect/index.ts.

import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import "../kernels/index.ts";
import { currentDevice, grad, random, tensor, use } from "../core/index.ts";
import type { RewardModel, Sequence } from "../grm/index.ts";
import { makePairBatch, scorePairs, scoreSequences, statistics } from "../grm/index.ts";
import {
  activationPatching,
  attentionPatterns,
  drift,
  effectiveRank,
  explainReward,
  fitProbe,
  gradientTimesInput,
  groupOf,
  inspectionJson,
  inspectModels,
  integratedGradients,
  linearCKA,
  linearProbe,
  lossGradients,
  matrix,
  rankOf,
  reliability,
  retention,
  samplesSideBySide,
  shortName,
  streamNames,
  tokenDeletion,
  tokenStates,
  tokenView,
} from "../grm/inspect/index.ts";
import { type Matrix, rowOf, solvePositive, symmetricEigenvalues } from "../grm/inspect/matrix.ts";
import { driftWatch } from "../grm/inspect/watch.ts";
import { Objective } from "../grm/trainer/objective.ts";
import { trainSettings } from "../grm/trainer.ts";
import { committedBase } from "../lab/demo/bases.ts";
import { quickPlan } from "../lab/demo/plan.ts";
import {
  committedFrontier,
  frontierAlphas,
  frontierPoint,
  readFrontier,
  writeFrontier,
} from "../lab/frontier.ts";
import { goldFeatures } from "../lab/goldFeatures.ts";
import { spelled, spelledPairs } from "../lab/worlds/index.ts";
import { ByteTokenizer, capture, edit, type ModelOptions } from "../nn/index.ts";
import { holds } from "../testing/property.ts";
import { backbones, drawnModel } from "./rewardFolders.ts";
import { toyModel, toyPairs } from "./toyPreferences.ts";

const close = (a: number | null | undefined, b: number, tolerance = 1e-9, what = ""): void =>
  assert.ok(
    Math.abs((a ?? Number.NaN) - b) <= tolerance * Math.max(1, Math.abs(b)),
    `${what} ${a} isn't ${b}`,
  );

/** A matrix of normal numbers. */
function drawn(rows: number, cols: number, seed: number | string): Matrix {
  const rng = random(seed);
  return matrix(
    rows,
    cols,
    Array.from({ length: rows * cols }, () => rng.normal()),
  );
}

const sequence = (ids: readonly number[], prompt = 1): Sequence => ({
  ids: Int32Array.from(ids),
  labels: Int32Array.from(ids, (id, t) => (t < prompt ? -100 : id)),
});

const backbone = backbones as Readonly<Record<"llama" | "gpt2" | "lstm", ModelOptions>>;

// --- Matrices ----------------------------------------------------------------------------------------

describe("matrices", () => {
  test("eigenvalues have the trace and the trace of the square, and are known of a known matrix", () => {
    const found = symmetricEigenvalues(matrix(3, 3, [2, 1, 0, 1, 2, 0, 0, 0, 7]));
    [7, 3, 1].forEach((value, i) => {
      close(found[i], value, 1e-12);
    });
    const x = drawn(6, 6, "eigen");
    const a = matrix(
      6,
      6,
      x.data.map((v, at) => v + (x.data[(at % 6) * 6 + Math.floor(at / 6)] ?? 0)),
    );
    const values = symmetricEigenvalues(a);
    const sum = (list: ArrayLike<number>): number => Array.from(list).reduce((s, v) => s + v, 0);
    close(sum(values), sum([0, 7, 14, 21, 28, 35].map((i) => a.data[i] ?? 0)), 1e-10);
    close(sum(values.map((v) => v * v)), sum(a.data.map((v) => v * v)), 1e-10);
  });

  test("solvePositive solves, and refuses what isn't positive", () => {
    const w = solvePositive(matrix(2, 2, [4, 2, 2, 3]), [10, 9]);
    close(w[0], 1.5, 1e-12);
    close(w[1], 2, 1e-12);
    assert.throws(() => solvePositive(matrix(2, 2, [1, 2, 2, 1]), [1, 1]), /positive definite/);
  });
});

// --- Drift -------------------------------------------------------------------------------------------

/** CKA of unbiased HSICs, of Gram matrices K = XXᵀ, L = YYᵀ with zeros on the diagonal (Song et al. 2012, equation 4). */
function gramCKA(x: Matrix, y: Matrix): number {
  const n = x.rows;
  const gram = (m: Matrix): number[][] =>
    Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_, j) =>
        i === j ? 0 : rowOf(m, i).reduce((sum, v, c) => sum + v * (rowOf(m, j)[c] ?? 0), 0),
      ),
    );
  const sum = (list: readonly number[]): number => list.reduce((s, v) => s + v, 0);
  const hsic = (k: number[][], l: number[][]): number => {
    const trace = sum(k.map((row, i) => sum(row.map((v, j) => v * (l[i]?.[j] ?? 0)))));
    const [r, s] = [k.map(sum), l.map(sum)];
    const all = (sum(r) * sum(s)) / ((n - 1) * (n - 2));
    return trace + all - (2 / (n - 2)) * sum(r.map((v, i) => v * (s[i] ?? 0)));
  };
  const [k, l] = [gram(x), gram(y)];
  return hsic(k, l) / Math.sqrt(hsic(k, k) * hsic(l, l));
}

describe("drift", () => {
  test("CKA is what the Gram matrices say, and doesn't see turns and scale", () => {
    holds(
      "linear CKA is the Gram matrices'",
      (d) => [d.integer(5, 9), d.integer(1, 5), d.integer(0, 1000)] as const,
      ([n, c, seed]) => {
        const [x, y] = [drawn(n, c, `x ${seed}`), drawn(n, 3, `y ${seed}`)];
        close(linearCKA(x, y), gramCKA(x, y), 1e-9);
        close(linearCKA(x, { ...x, data: x.data.map((v) => -3 * v) }), 1, 1e-9);
      },
    );
    const x = drawn(8, 2, "turn");
    const turned = matrix(
      8,
      2,
      Array.from({ length: 16 }, (_, at) => {
        const [a = 0, b = 0] = rowOf(x, Math.floor(at / 2));
        return at % 2 === 0 ? 0.6 * a - 0.8 * b : 0.8 * a + 0.6 * b + 5;
      }),
    );
    close(linearCKA(x, turned), 1, 1e-12);
    assert.equal(linearCKA(x, matrix(8, 2)), null);
  });

  test("the effective rank of a known spectrum is e^entropy", () => {
    const hadamard = [
      [1, 1, 1, 1, -1, -1, -1, -1],
      [1, 1, -1, -1, 1, 1, -1, -1],
      [1, -1, 1, -1, 1, -1, 1, -1],
    ];
    const scales = [4, 2, 2]; // orthogonal columns with mean 0: the singular values up to a factor
    const x = matrix(
      8,
      3,
      Array.from(
        { length: 24 },
        (_, at) => (hadamard[at % 3]?.[Math.floor(at / 3)] ?? 0) * (scales[at % 3] ?? 0) + 7,
      ),
    );
    close(effectiveRank(x), Math.exp(0.5 * Math.log(2) + 2 * 0.25 * Math.log(4)), 1e-9);
    close(rankOf([1, 1, 1, 1]), 4, 1e-12);
    close(rankOf([3, 0, 0]), 1, 1e-12);
    assert.equal(effectiveRank(matrix(4, 2, Array(8).fill(3))), null);
    close(effectiveRank(matrix(4, 2, [1, 2, 2, 4, 3, 6, 4, 8])), 1, 1e-6);
  });

  test("a model hasn't drifted from itself; another one has, in what is measured directly", async () => {
    const model = toyModel();
    const sequences = toyPairs(5, 1).map(({ chosen }) => chosen);
    const states = await tokenStates(model, sequences);
    assert.deepEqual(Object.keys(states), streamNames(model));
    for (const { cka, cosine, norms, effectiveRank: rank } of drift(states, states)) {
      close(cka, 1);
      close(cosine, 1);
      assert.deepEqual(norms.base, norms.model);
      assert.deepEqual(rank.base, rank.model);
    }
    const name = streamNames(model).at(-1) ?? "";
    const hidden = states[name] as Matrix;
    const twice = { ...hidden, data: hidden.data.map((v) => 2 * v) };
    const [moved] = drift({ [name]: hidden }, { [name]: twice });
    close(moved?.cosine, 1);
    close(moved?.norms.model.mean, 2 * (moved?.norms.base.mean ?? 0));
    close(moved?.norms.model.spread, moved?.norms.base.spread ?? 0);
    assert.throws(() => drift({ a: hidden }, {}), /missing/);
  });

  test("a model in training, with dropout, is looked into without it and stays in training", async () => {
    const [trained, plain] = [0.5, 0].map((dropout) => toyModel({ dropout }));
    assert.ok(trained && plain);
    trained.train({ rng: random(1) });
    const some = toyPairs(3, 1);
    assert.deepEqual(streamNames(toyModel({ dropout: 0.5 })), streamNames(plain));
    const watch = driftWatch(plain.lm, some);
    for (const { cosine } of await watch(trained)) close(cosine, 1);
    const generator = random(1);
    assert.deepEqual(trained.rng?.state(), generator.state(), "nothing was drawn");
    assert.ok(trained.namedModules().every(([, module]) => module.training));
  });

  test("states are those of each sequence alone, padding left out", async () => {
    const model = drawnModel(backbone.gpt2, {});
    const sequences = [sequence([5, 6, 7]), sequence([8]), sequence([9, 10, 11, 12, 13])];
    const all = await tokenStates(model, sequences);
    const parts = await Promise.all(sequences.map((one) => tokenStates(model, [one])));
    for (const [name, { data, rows }] of Object.entries(all)) {
      assert.equal(rows, 9);
      const expected = parts.flatMap((part) => Array.from(part[name]?.data ?? []));
      data.forEach((value, i) => {
        close(value, expected[i] ?? Number.NaN, 1e-5, name);
      });
    }
  });
});

// --- Gradients ---------------------------------------------------------------------------------------

/** Both gradients of all pairs at once, the plain way. */
function directGradients(model: RewardModel, method: "grm-sft" | "grm-dpo-noref", alpha: number) {
  const pairs = toyPairs(4, 1);
  const objective = new Objective(model, pairs, trainSettings({ method, alpha }));
  model.eval();
  const { result, activations } = capture(model, ["hidden"], () => objective.losses([0, 1, 2, 3]));
  const hidden = activations.hidden;
  assert.ok(hidden && result.regLoss);
  const inputs = [hidden, ...model.parameters()];
  const options = { retainGraph: true, allowUnused: true };
  const [reward, reg] = [
    grad(result.rewardLoss.mul(1 - alpha), inputs, options),
    grad(result.regLoss.mul(alpha), inputs, options),
  ];
  const numbers = (g: (typeof reward)[number] | undefined, like: number): Float64Array =>
    g ? Float64Array.from(g.data) : new Float64Array(like);
  return inputs.map(({ size }, i) => ({
    reward: numbers(reward[i], size),
    reg: numbers(reg[i], size),
  }));
}

const length = (x: ArrayLike<number>): number =>
  Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));

describe("gradients of both losses", () => {
  for (const method of ["grm-sft", "grm-dpo-noref"] as const) {
    test(`${method}: norms, share and cosine are those of one batch`, async () => {
      const model = toyModel();
      const alpha = 0.3;
      const found = await lossGradients(model, toyPairs(4, 1), { method, alpha });
      const [hidden, ...parameters] = directGradients(model, method, alpha);
      const at = found.activations.find(({ name }) => name === "hidden");
      close(at?.reward, length(hidden?.reward ?? []), 1e-4);
      close(at?.reg, length(hidden?.reg ?? []), 1e-4);
      const names = model.namedParameters().map(([name]) => name);
      const group = "model.layers.1.mlp";
      const own = parameters.filter((_, i) => groupOf(names[i] ?? "") === group);
      const [a, b] = [own.flatMap((p) => [...p.reward]), own.flatMap((p) => [...p.reg])];
      const pushed = found.groups.find(({ name }) => name === group);
      assert.equal(pushed?.parameters, a.length);
      close(pushed?.reward, length(a), 1e-4);
      close(pushed?.reg, length(b), 1e-4);
      close(pushed?.share, length(b) ** 2 / (length(a) ** 2 + length(b) ** 2), 1e-4);
      const inner = a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
      close(pushed?.cosine, inner / (length(a) * length(b)), 1e-3);
      const heads = found.groups.find(({ name }) => name === "v_head");
      assert.equal(heads?.reg, 0, "the text-generation loss doesn't see the reward head");
    });
  }

  test("are disjoint by position at the final hidden states, and first meet in the last attention", async () => {
    const pairs = toyPairs(6, 2);
    const { disjoint, meets, activations, tokens } = await lossGradients(toyModel(), pairs);
    assert.equal(disjoint, true);
    assert.equal(meets, "model.layers.1.self_attn.v");
    const hidden = activations.find(({ name }) => name === "hidden");
    assert.equal(hidden?.positions?.reward, 2 * pairs.length, "two last tokens for each pair");
    const labels = pairs.flatMap(({ chosen }) => chosen.ids.length - 3);
    assert.equal(
      hidden?.positions?.reg,
      labels.reduce((sum, n) => sum + n, 0),
    );
    assert.equal(hidden?.cosine, 0);
    const rejected = tokens.rejected.find(({ name }) => name === "hidden");
    assert.ok(
      rejected?.reg.every((x) => x === 0),
      "SFT leaves rejected answers alone",
    );
    const chosen = tokens.chosen.find(({ name }) => name === "hidden");
    const last = (chosen?.reward.length ?? 0) - 1;
    chosen?.reward.forEach((x, t) => {
      assert.equal(x > 0, t === last);
    });
  });

  test("conflicts count the pairs whose gradients point against each other", async () => {
    const pairs = toyPairs(5, 3);
    const model = toyModel();
    const whole = await lossGradients(model, pairs);
    const alone = await Promise.all(pairs.map((pair) => lossGradients(model, [pair])));
    for (const { name, conflicts } of whole.groups) {
      const own = alone.map(({ groups }) => groups.find((group) => group.name === name));
      const cosines = own.flatMap((group) => group?.cosine ?? []);
      if (cosines.length === 0) assert.equal(conflicts, null);
      else close(conflicts, cosines.filter((c) => c < 0).length / cosines.length, 1e-12, name);
    }
  });

  test("leave the model as it was, and refuse what has no regulariser", async () => {
    const model = toyModel().train();
    const [first] = model.parameters();
    first?.requiresGrad_(false);
    await lossGradients(model, toyPairs(1, 1));
    assert.equal(first?.requiresGrad, false);
    assert.equal(model.training, true);
    await assert.rejects(lossGradients(model, toyPairs(1, 1), { method: "bt" }), /method bt/);
    await assert.rejects(lossGradients(model, []), /0 pairs/);
  });

  test("work for every kind of backbone; where they meet is where positions mix", async () => {
    const pairs = [{ chosen: sequence([3, 4, 5, 6]), rejected: sequence([3, 7, 8]) }];
    for (const [name, options] of Object.entries(backbones)) {
      const { disjoint, meets } = await lossGradients(drawnModel(options, {}), pairs);
      assert.equal(disjoint, true, name);
      const meeting = { gpt2: "transformer.h.1.attn.v", lstm: "model.layers.0.resid" };
      assert.equal(meets, meeting[name as "lstm"] ?? "model.layers.1.self_attn.v", name);
    }
  });
});

// --- Attribution and intervention --------------------------------------------------------------------

describe("attribution", () => {
  const ids = [23, 23, 4, 9, 15, 2, 11];

  /** In double precision, so that what is left is the method's own error. */
  const inDouble = async <T>(fn: (model: RewardModel) => Promise<T>): Promise<T> => {
    const before = currentDevice().name;
    use("reference");
    try {
      return await fn(toyModel().to("float64"));
    } finally {
      use(before);
    }
  };

  test("integrated gradients are complete", async () => {
    const found = await inDouble(async (toy) => {
      const smooth = drawnModel(backbone.llama, { type: "linear" }).to("float64");
      const of = (model: RewardModel, steps: number) =>
        integratedGradients(model, sequence(ids), { steps });
      return [await of(smooth, 16), await of(smooth, 256), await of(toy, 256)] as const;
    });
    const [few, many, kinked] = found;
    for (const { attributions, gap, difference } of found) {
      assert.ok(Math.abs(difference) > 1e-2, "there is something to explain");
      const sum = attributions.reduce((s, a) => s + a, 0);
      close(sum + gap, difference, 1e-12);
    }
    assert.ok(Math.abs(many.gap) < 1e-4 * Math.abs(many.difference), `${many.gap}`);
    assert.ok(Math.abs(many.gap) < 0.1 * Math.abs(few.gap), "more points leave less");
    assert.ok(Math.abs(kinked.gap) < 0.01 * Math.abs(kinked.difference), "ReLUs have kinks");
  });

  test("of the difference between the sequence and its baseline", async () => {
    await inDouble(async (model) => {
      const { scored } = { scored: await scoreSequences(model, [sequence(ids)]) };
      const { difference } = await integratedGradients(model, sequence(ids), { baseline: "zero" });
      const { reward, effects, names } = await activationPatching(model, sequence(ids));
      close(reward, scored.rewards[0] ?? 0, 1e-9);
      assert.ok(names[0]?.endsWith("embed") && effects[0]?.length === ids.length);
      assert.ok(Number.isFinite(difference));
    });
  });

  test("gradient x input is how the reward changes as a token's embedding grows", async () => {
    await inDouble(async (model) => {
      const found = await gradientTimesInput(model, sequence(ids));
      const table = model.model.embedTokens.weight;
      const before = Float64Array.from(table.data);
      const rewardWith = async (token: number, factor: number): Promise<number> => {
        const C = model.model.dim;
        const scaled = before.map((v, at) => (Math.floor(at / C) === token ? factor * v : v));
        table.assign(scaled);
        const { rewards } = await scoreSequences(model, [sequence(ids)]);
        table.assign(before);
        return rewards[0] ?? Number.NaN;
      };
      const h = 1e-5;
      for (const t of [2, 3, 4, 5, 6]) {
        const token = ids[t] ?? 0; // stands once, so that its row is the token's embedding alone
        const slope =
          ((await rewardWith(token, 1 + h)) - (await rewardWith(token, 1 - h))) / (2 * h);
        close(found[t], slope, 1e-6, `token ${t}`);
      }
    });
  });
});

describe("interventions", () => {
  const [a, b] = [sequence([23, 23, 4, 9, 15]), sequence([23, 23, 8, 1, 20])];

  test("deletion is the reward of the shorter text", async () => {
    const model = toyModel();
    const found = await tokenDeletion(model, a);
    const texts = [a, ...Array.from(a.ids, (_, t) => sequence([...a.ids].toSpliced(t, 1)))];
    const { rewards } = await scoreSequences(model, texts);
    found.forEach((effect, t) => {
      close(effect, (rewards[0] ?? 0) - (rewards[t + 1] ?? 0), 1e-6);
    });
    assert.ok(Number.isNaN((await tokenDeletion(model, sequence([3])))[0]));
    const some = await tokenDeletion(model, a, { places: [3, 1] });
    assert.deepEqual([some[3], some[1], some[0]], [found[3], found[1], Number.NaN]);
    const patches = await activationPatching(model, a);
    const few = await activationPatching(model, a, { places: [4, 2] });
    few.effects.forEach((row, i) => {
      assert.ok(Number.isNaN(row[0]));
      for (const t of [2, 4]) close(row[t], patches.effects[i]?.[t] ?? Number.NaN, 1e-5);
    });
  });

  for (const device of ["wasm", "reference"]) {
    test(`a patch with what was there gives exactly 0 (${device})`, async () => {
      const before = currentDevice().name;
      use(device);
      try {
        for (const options of [backbone.llama, backbone.gpt2, backbone.lstm]) {
          const model = drawnModel(options, {});
          const { effects, names } = await activationPatching(model, a, { source: a });
          assert.ok(names.length >= 3);
          for (const row of effects) assert.deepEqual([...row], [0, 0, 0, 0, 0]);
        }
      } finally {
        use(before);
      }
    });
  }

  test("a patch at the embeddings is another token; at the last final state, the other reward", async () => {
    const model = toyModel();
    const { effects, names, reward } = await activationPatching(model, a, { source: b });
    for (const t of [2, 3, 4]) {
      const swapped = sequence([...a.ids].with(t, b.ids[t] ?? 0));
      const { rewards } = await scoreSequences(model, [swapped]);
      close(effects[0]?.[t], reward - (rewards[0] ?? 0), 1e-5, `token ${t}`);
    }
    const { rewards } = await scoreSequences(model, [a, b]);
    const final = effects[names.indexOf("model.hidden")] ?? [];
    close(final[4], (rewards[0] ?? 0) - (rewards[1] ?? 0), 1e-5);
    assert.deepEqual([...final].slice(0, 4), [0, 0, 0, 0]);
    await assert.rejects(activationPatching(model, a, { source: sequence([1]) }), /as many/);
  });

  test("a patch with the mean embedding is the reward with it, and at the last final state the baseline's", async () => {
    const model = toyModel();
    const { effects, names, reward } = await activationPatching(model, a);
    const C = model.model.dim;
    const table = Array.from(model.model.embedTokens.weight.data);
    const average = Array.from({ length: C }, (_, c) =>
      table.reduce((sum, v, at) => sum + (at % C === c ? v / 24 : 0), 0),
    );
    const mean = tensor(average, { shape: [1, 1, C] });
    const rewardWith = (isMean: (t: number) => boolean): number => {
      const here = tensor(
        Array.from({ length: 5 }, (_, t) => isMean(t)),
        { shape: [1, 5, 1] },
      );
      const run = () => model.forward(tensor(a.ids, { shape: [1, 5] })).rewards.data[0] ?? NaN;
      return edit(model, { "model.embed": (x) => here.where(mean, x) }, run);
    };
    for (let t = 0; t < 5; t++) {
      close(effects[0]?.[t], reward - rewardWith((at) => at === t), 1e-5, `token ${t}`);
    }
    assert.ok(Math.abs(effects[0]?.[3] ?? 0) > 1e-6, "it does something");
    const final = effects[names.indexOf("model.hidden")]?.[4];
    close(final, reward - rewardWith(() => true), 1e-5);
  });

  test("stand beside attributions with Spearman's rank correlation, ties sharing their mean", async () => {
    const found = await explainReward(toyModel(), a);
    assert.equal(found.integrated.length, 5);
    const judged = [1, 2, 3, 4];
    const rank = (x: readonly number[], t: number): number =>
      judged.reduce((sum, u) => sum + ((x[u] ?? 0) < (x[t] ?? 0) ? 1 : x[u] === x[t] ? 0.5 : 0), 0);
    const ranks = [found.integrated, found.deletion].map((x) => judged.map((t) => rank(x, t)));
    const pearson = statistics.correlation(ranks[0] ?? [], ranks[1] ?? []);
    close(found.agreement.integrated.deletion, pearson ?? Number.NaN, 1e-12);
    close(statistics.rankCorrelation([1, 2, 2, 3], [10, 30, 20, 40]), 0.9486832980505138, 1e-12); // scipy
  });
});

// --- Probes ------------------------------------------------------------------------------------------

describe("probes", () => {
  const [x, other] = [drawn(4000, 6, "probe"), drawn(3000, 6, "held")];
  const planted = (m: Matrix): number[] =>
    Array.from({ length: m.rows }, (_, i) => {
      const [p = 0, , q = 0] = rowOf(m, i);
      return 3 * p - 2 * q + 1;
    });

  test("recover a planted direction on held-out states", () => {
    const { weights, bias } = fitProbe({ x, y: planted(x) }, { l2: 1e-9 });
    [3, 0, -2, 0, 0, 0].forEach((w, c) => {
      close(weights[c], w, 1e-6);
    });
    close(bias, 1, 1e-6);
    const { r2 } = linearProbe({ x, y: planted(x) }, { x: other, y: planted(other) });
    assert.ok((r2 ?? 0) > 0.999);
    const signs = (m: Matrix): number[] => planted(m).map((v) => (v > 1 ? 1 : 0));
    const score = linearProbe({ x, y: signs(x) }, { x: other, y: signs(other) });
    assert.ok((score.accuracy ?? 0) > 0.97);
    close(score.guess, 0.5, 0.2);
  });

  test("are at chance on shuffled labels", () => {
    const [values, truth] = [planted(x), planted(other).map((v) => (v > 1 ? 1 : 0))];
    const accuracies = Array.from({ length: 20 }, (_, k) => {
      const order = random("shuffle").fork(k).permutation(4000);
      const y = Array.from(order, (i) => values[i] ?? 0);
      const { r2 } = linearProbe({ x, y }, { x: other, y: planted(other) });
      assert.ok(Math.abs(r2 ?? 1) < 0.1, `r2 is ${r2}`);
      const signs = y.map((v) => (v > 1 ? 1 : 0));
      return linearProbe({ x, y: signs }, { x: other, y: truth }).accuracy ?? 0;
    });
    // a direction at random in 6 dimensions is right on 0.5 ± 0.14
    const accuracy = statistics.mean(accuracies);
    assert.ok(Math.abs(accuracy - 0.5) < 0.13, `accuracy is ${accuracy}`);
  });

  test("a perfect score is 1, the mean's is 0, and constants have none", () => {
    const constant = linearProbe({ x, y: planted(x) }, { x: other, y: Array(3000).fill(2) });
    assert.equal(constant.r2, null);
    assert.equal(constant.accuracy, null);
    assert.throws(() => fitProbe({ x, y: [1] }), /as many/);
  });

  test("gold features add up to the gold reward", () => {
    const stories = spelledPairs("all", 40, { labels: "true" }, random("features")).map(
      (c) => c.chosen,
    );
    const found = goldFeatures(stories);
    found["gold reward"].values.forEach((gold, i) => {
      const [p = 0, u = 0] = [
        found["hero's pleasant words"].values[i],
        found["hero's unpleasant words"].values[i],
      ];
      close(gold, Math.max(-4, Math.min(4, 0.8 * (p - u))), 1e-12);
    });
    const moods = found["the word's mood"].values;
    assert.ok(moods.includes(1) && moods.includes(-1));
    const lengths = stories.map((s) => s.title.length + s.response.length);
    assert.equal(found["gold reward"].rows.at(-1), lengths.reduce((s, n) => s + n, 0) - 1);
    const ids = stories.flatMap((s) => [...s.title, ...s.response]);
    for (const row of found["the word's mood"].rows) assert.match(ids[row] ?? "", /^-/);
    assert.ok(spelled.tokenizer.vocabSize > 0);
  });
});

// --- The language model's side, tokens, attention, reliability ---------------------------------------

describe("what the language model keeps", () => {
  test("perplexity and KL are the sums over tokens", async () => {
    const [model, base] = [
      toyModel(),
      drawnModel({ vocabSize: 24, dim: 16, layers: 1, heads: 2, context: 16 }, {}),
    ];
    const sequences = toyPairs(3, 5).map(({ chosen }) => chosen);
    const found = await retention(model.lm, base.lm, sequences);
    let [count, loss, kl] = [0, 0, 0];
    for (const { ids, labels } of sequences) {
      const row = tensor(ids, { shape: [1, ids.length] });
      const [p, q] = [model, base].map(({ lm }) => lm.forward(row).softmax({ dim: -1 }).data);
      labels.forEach((label, t) => {
        if (label < 0) return;
        count++;
        for (let v = 0; v < 24; v++) {
          const [a = 0, b = 0] = [p?.[(t - 1) * 24 + v], q?.[(t - 1) * 24 + v]];
          if (v === label) loss -= Math.log(a);
          kl += a * Math.log(a / b);
        }
      });
    }
    assert.equal(found?.tokens, count);
    close(found?.perplexity.model, Math.exp(loss / count), 1e-4);
    close(found?.kl, kl / count, 1e-4);
    const same = await retention(model.lm, model.lm, sequences);
    close(same?.kl, 0, 1e-6);
    assert.equal(await retention(model.lm, base.lm, [sequence([3], 1)]), null);
  });

  test("equal models write equal texts from one seed, and other seeds other texts", async () => {
    const { lm } = toyModel();
    const options = { maxTokens: 8, samples: 2 };
    const found = await samplesSideBySide({ a: lm, b: lm }, [23, 4], options);
    assert.deepEqual(found.a, found.b);
    const other = await samplesSideBySide({ a: lm }, [23, 4], { ...options, seed: 1 });
    assert.notDeepEqual(found.a, other.a);
  });
});

describe("tokens", () => {
  test("prefix rewards are the rewards of prefixes, and surprises sum to -s(y)", async () => {
    const model = toyModel();
    const one = sequence([23, 23, 4, 9, 15], 2);
    const { prefix, steps, surprise, judged } = await tokenView(model, one);
    const prefixes = Array.from(one.ids, (_, t) => sequence([...one.ids].slice(0, t + 1)));
    const { rewards } = await scoreSequences(model, prefixes);
    prefix.forEach((r, t) => {
      close(r, rewards[t] ?? Number.NaN, 1e-5);
    });
    close(
      steps.slice(1).reduce<number>((sum, s) => sum + (s ?? 0), prefix[0] ?? 0),
      prefix[4] ?? 0,
    );
    const { logProbs } = await scoreSequences(model, [one], { logProbs: true });
    const sum = surprise.reduce<number>((s, x, t) => s + (judged[t] ? (x ?? 0) : 0), 0);
    close(sum, -(logProbs[0] ?? 0), 1e-5);
    assert.equal(surprise[0], null);
  });
});

describe("attention", () => {
  test("rows are shares of what came before", async () => {
    const model = drawnModel(backbone.llama, {});
    const heads = await attentionPatterns(model, sequence([3, 4, 5, 6]));
    assert.equal(heads.length, 8);
    for (const { pattern, entropy, distance, first } of heads) {
      for (let t = 0; t < 4; t++) {
        const row = rowOf(pattern, t);
        close(
          row.reduce((s, w) => s + w, 0),
          1,
          1e-5,
        );
        assert.ok(row.every((w, s) => w >= 0 && (s <= t || w === 0)));
      }
      const shares = Array.from({ length: 4 }, (_, t) => rowOf(pattern, t)[0] ?? 0);
      close(first, shares.reduce((s, w) => s + w, 0) / 4, 1e-9);
      assert.ok(entropy >= 0 && entropy <= Math.log(4) && distance >= 0 && distance <= 1.5);
    }
    assert.deepEqual(await attentionPatterns(drawnModel(backbone.lstm, {}), sequence([3])), []);
  });
});

describe("reliability", () => {
  test("is what counting says", async () => {
    const model = toyModel();
    const pairs = toyPairs(40, 9);
    const { bins, ece, accuracy } = await reliability(model, pairs, 5);
    const { chosen, rejected } = await scorePairs(model, pairs);
    const sure = Array.from(chosen.rewards, (r, i) => {
      const d = r - (rejected.rewards[i] ?? 0);
      return { confidence: 1 / (1 + Math.exp(-Math.abs(d))), right: d > 0 };
    });
    let gap = 0;
    for (const [k, bin] of bins.entries()) {
      const own = sure.filter(
        ({ confidence: c }) => c >= 0.5 + k / 10 && (c < 0.5 + (k + 1) / 10 || k === 4),
      );
      assert.equal(bin.count, own.length);
      if (own.length === 0) continue;
      const mean = own.reduce((s, { confidence }) => s + confidence, 0) / own.length;
      const right = own.filter((o) => o.right).length / own.length;
      close(bin.confidence, mean);
      close(bin.accuracy, right);
      gap += (own.length / 40) * Math.abs(mean - right);
    }
    close(ece, gap);
    close(accuracy.value, sure.filter((o) => o.right).length / 40);
  });
});

describe("the frontier", () => {
  test("that is committed has every alpha at every rate for every seed", () => {
    const { points, command } = committedFrontier() ?? { points: [], command: "" };
    const [seeds, rates] = [
      new Set(points.map(({ seed }) => seed)),
      new Set(points.map(({ lr }) => lr)),
    ];
    assert.equal(points.length, seeds.size * rates.size * frontierAlphas.length);
    assert.match(command, new RegExp(`^twoheads frontier --seeds ${seeds.size} `));
    for (const seed of seeds) {
      const own = points.filter((point) => point.seed === seed);
      assert.equal(new Set(own.map((p) => p.perplexityBefore)).size, 1, "one base for each seed");
      assert.equal(new Set(own.map((p) => `${p.lr} ${p.alpha}`)).size, own.length);
    }
  });

  test("comes back from its file as it was written, in order", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "twoheads-frontier-")), "points.jsonl");
    const file = committedFrontier();
    assert.ok(file);
    await writeFrontier(path, { ...file, points: file.points.toReversed() });
    assert.deepEqual(readFrontier(path), file);
    assert.equal(readFrontier(`${path}.none`), null);
  });

  test("a point is a reward model trained from a base, measured on both sides", async () => {
    const folder = committedBase(1) ?? "";
    const plan = { ...quickPlan, pairs: 16, tests: 4, heldOut: 4 };
    const at = { seed: 1, lr: 5e-3 };
    const [plain, again, mixed] = [
      await frontierPoint(folder, { ...at, alpha: 0 }, plan),
      await frontierPoint(folder, { ...at, alpha: 0 }, plan),
      await frontierPoint(folder, { ...at, alpha: 0.5 }, plan),
    ];
    assert.deepEqual(plain, again);
    assert.equal(plain.perplexityBefore, mixed.perplexityBefore);
    assert.ok(plain.kl > 0 && plain.kl !== mixed.kl);
  });
});

test("all views by one call speak of the same tokens, with a long pair in front", async () => {
  const long = { chosen: sequence(Array(80).fill(65)), rejected: sequence(Array(70).fill(66)) };
  const short = { chosen: sequence([70, 71, 72, 73, 74]), rejected: sequence([70, 75, 76]) };
  const shape = { vocabSize: 256, dim: 16, layers: 2, heads: 2, context: 96 };
  const found = await inspectModels({
    models: [{ name: "a", model: drawnModel(shape, {}) }],
    base: drawnModel(shape, {}).lm,
    tokenizer: new ByteTokenizer(),
    pairs: [long, short],
    shown: 1,
  });
  const [model] = found.models;
  assert.equal(found.shown[0]?.chosen.join(""), "FGHIJ");
  assert.deepEqual(
    [
      model?.gradients.tokens.chosen[0]?.reward.length,
      model?.gradients.tokens.rejected[0]?.reg.length,
      model?.shown[0]?.chosen.prefix.length,
      model?.cosines[0]?.values.length,
      model?.explanation.deletion.length,
      model?.attention[0]?.pattern.rows,
    ],
    [5, 3, 5, 5, 5, 5],
  );
  const last = model?.gradients.tokens.chosen.find(({ name }) => name === "hidden")?.reward;
  assert.ok((last?.[4] ?? 0) > 0 && last?.[3] === 0);
  assert.equal(model?.probes, null);
  assert.deepEqual(Object.keys(found.samples.texts), ["base", "a"]);
  const json = JSON.parse(inspectionJson(found)) as typeof found;
  assert.equal(json.models[0]?.attention[0]?.pattern.data.length, 25, "typed arrays are lists");
  assert.ok(!inspectionJson(found).includes("NaN"));
});

test("names are shortened to block and part", () => {
  assert.deepEqual(
    ["model.embed", "model.layers.1.resid", "model.layers.0.self_attn.q"].map(shortName),
    ["embed", "1.resid", "0.self_attn.q"],
  );
  assert.ok(makePairBatch(toyPairs(1, 1)).tokens > 0);
});
