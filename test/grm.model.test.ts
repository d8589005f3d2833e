// The reward model: one hidden state under two heads. Rewards depend on a sequence alone, not on padding
// or company; and at the final hidden states the two losses push at different places, which is what makes
// their pushes measurable apart. Next: grm.trainer.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Draw, grad, noGrad, randn, random, type Tensor, tensor } from "../core/index.ts";
import {
  bradleyTerry,
  dpoRegularizer,
  makeBatch,
  makePairBatch,
  type Pair,
  RewardModel,
  type Sequence,
  sequenceLogProbs,
  sftRegularizer,
} from "../grm/index.ts";
import { CausalLM, capture, type ModelOptions } from "../nn/index.ts";
import { holds } from "../testing/property.ts";

const vocabSize = 11;
const styles: Readonly<Record<string, ModelOptions>> = {
  llama: { vocabSize, dim: 12, layers: 2, heads: 2 },
  gpt2: { style: "gpt2", vocabSize, dim: 12, layers: 1, heads: 2 },
  lstm: { style: "lstm", vocabSize, dim: 8, layers: 1 },
};

/** A model in float64 with weights as large as trained ones. */
function rewardModel(options: ModelOptions = styles.llama as ModelOptions): RewardModel {
  const lm = new CausalLM(options, { rng: random(3) });
  const model = new RewardModel(lm, { rng: random(4) }).to("float64").eval();
  noGrad(() => {
    for (const [name, p] of model.namedParameters()) {
      p.assign(p.add(randn(p.shape, { rng: random(name), dtype: "float64" }).mul(0.2)));
    }
  });
  return model;
}

/** Up to 7 tokens, of which those behind the prompt are labelled. */
function drawSequence(d: Draw, least = 1): Sequence {
  const ids = Int32Array.from({ length: d.integer(least, 7) }, () => d.integer(1, vocabSize - 1));
  const prompt = d.integer(1, ids.length);
  return { ids, labels: ids.map((id, t) => (t >= prompt ? id : -100)) };
}

function drawPairs(d: Draw): Pair[] {
  return Array.from({ length: d.integer(1, 3) }, () => ({
    chosen: drawSequence(d),
    rejected: drawSequence(d),
  }));
}

function near(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance = 1e-9): void {
  assert.equal(got.length, wanted.length);
  for (let i = 0; i < wanted.length; i++) {
    const off = Math.abs((got[i] as number) - (wanted[i] as number));
    assert.ok(off <= tolerance, `${got[i]} at ${i}, wanted ${wanted[i]}`);
  }
}

describe("rewards", () => {
  for (const [style, options] of Object.entries(styles)) {
    test(`of a ${style} don't depend on padding or on the rest of the batch`, () => {
      const model = rewardModel(options);
      holds(
        style,
        (d) => [Array.from({ length: d.integer(1, 4) }, () => drawSequence(d))] as const,
        ([sequences]) => {
          const run = (rows: readonly Sequence[], padding: "left" | "right") => {
            const { ids, mask, targets } = makeBatch(rows, { padding });
            const { hidden, rewards } = model.forward(ids, { mask });
            return { rewards: rewards.data, s: model.logProbs(hidden, targets).data };
          };
          const alone = sequences.map((sequence) => run([sequence], "right"));
          for (const padding of ["left", "right"] as const) {
            const { rewards, s } = run(sequences, padding);
            near(
              rewards,
              alone.map((one) => one.rewards[0] as number),
            );
            near(
              s,
              alone.map((one) => one.s[0] as number),
            );
          }
        },
        { runs: 10 },
      );
    });
  }

  test("of every place: the last one's is the sequence's", () => {
    const model = rewardModel();
    const sequence = { ids: Int32Array.of(1, 2, 3, 4), labels: new Int32Array(4).fill(-100) };
    const { ids } = makeBatch([sequence]);
    const { hidden, rewards } = model.forward(ids);
    const all = model.reward(hidden);
    assert.deepEqual(all.shape, [1, 4]);
    near(all.data.slice(-1), rewards.data);
  });

  test("drop out in training only, from the generator that is given", () => {
    const model = rewardModel();
    const { ids } = makeBatch([{ ids: Int32Array.of(1, 2), labels: Int32Array.of(-100, 2) }]);
    const reward = (seed: number): number =>
      model.train({ rng: random(seed) }).forward(ids).rewards.data[0] ?? 0;
    const evaluated = (): number => model.eval().forward(ids).rewards.data[0] ?? 0;
    assert.equal(evaluated(), evaluated());
    assert.equal(reward(1), reward(1));
    const seen = new Set([1, 2, 3, 4, 5].map(reward));
    assert.ok(seen.size > 1);
  });
});

test("logits are made where there is loss only, and s(y) is the same", () => {
  const model = rewardModel();
  holds(
    "logProbs",
    (d) => [drawPairs(d), d.pick("left", "right")] as const,
    ([pairs, padding]) => {
      const { ids, mask, targets } = makePairBatch(pairs, { padding });
      const { hidden } = model.forward(ids, { mask });
      const labels = labelsOf(ids.shape as [number, number], targets);
      const wanted = sequenceLogProbs(model.logits(hidden), labels);
      near(model.logProbs(hidden, targets).data, wanted.data);
    },
  );
});

/** Labels [B,T] again from the targets. */
function labelsOf(
  [B, T]: readonly [number, number],
  { places, tokens }: ReturnType<typeof makeBatch>["targets"],
): Tensor {
  const labels = new Int32Array(B * T).fill(-100);
  places.data.forEach((place, i) => {
    labels[place + 1] = tokens.data[i] ?? 0;
  });
  return tensor(labels, { shape: [B, T] });
}

describe("at the final hidden states", () => {
  const model = rewardModel();

  /** Places of [2B,T] where the gradient isn't 0. */
  function touched(loss: Tensor, hidden: Tensor): number[] {
    const [g] = grad(loss, hidden, { retainGraph: true, allowUnused: true });
    const width = hidden.shape[2] ?? 1;
    const { data = new Float64Array(0) } = g ?? {};
    const rows = Array.from({ length: data.length / width }, (_, i) => i);
    return rows.filter((i) => data.subarray(i * width, (i + 1) * width).some((x) => x !== 0));
  }

  function losses(pairs: readonly Pair[], padding: "left" | "right") {
    const batch = makePairBatch(pairs, { padding });
    const { hidden, rewards } = model.forward(batch.ids, { mask: batch.mask });
    const B = pairs.length;
    const halves = (x: Tensor): [Tensor, Tensor] => x.split(B) as [Tensor, Tensor];
    const [r_c, r_r] = halves(rewards);
    const [s_c, s_r] = halves(model.logProbs(hidden, batch.targets));
    const found = { reward: bradleyTerry(r_c, r_r), sft: sftRegularizer(s_c) };
    return { ...batch, hidden, ...found, dpo: dpoRegularizer(s_c, s_r) };
  }

  test("the reward loss pushes at last tokens only, the LM loss at places before a label only", () => {
    holds(
      "places",
      (d) => [drawPairs(d), d.pick("left", "right")] as const,
      ([pairs, padding]) => {
        const { hidden, mask, targets, reward, sft, dpo } = losses(pairs, padding);
        const T = hidden.shape[1] ?? 0;
        const last = Array.from({ length: 2 * pairs.length }, (_, b) => {
          return b * T + mask.data.subarray(b * T, (b + 1) * T).lastIndexOf(1);
        });
        assert.deepEqual(touched(reward, hidden), last);
        assert.deepEqual(touched(dpo, hidden), [...targets.places.data]);
        const chosenOnly = [...targets.places.data].filter((place) => place < pairs.length * T);
        assert.deepEqual(touched(sft, hidden), chosenOnly);
        assert.ok(!targets.places.data.some((place) => last.includes(place)), "no place is shared");
      },
    );
  });

  test("with SFT the rejected answers get no gradient from the LM loss, at any layer", () => {
    const pairs = [
      {
        chosen: { ids: Int32Array.of(1, 2, 3), labels: Int32Array.of(-100, 2, 3) },
        rejected: { ids: Int32Array.of(1, 5, 6), labels: Int32Array.of(-100, 5, 6) },
      },
    ];
    const { result, activations } = capture(model, ["model.layers.0.resid"], () =>
      losses(pairs, "right"),
    );
    const resid = activations["model.layers.0.resid"] as Tensor;
    const [g] = grad(result.sft, resid, { retainGraph: true });
    const [chosen, rejected] = g?.split(1) ?? [];
    assert.ok(chosen?.data.some((x) => x !== 0));
    assert.ok(rejected?.data.every((x) => x === 0));
    const [both] = grad(result.reward, resid);
    assert.ok(both?.split(1).every((half) => half.data.some((x) => x !== 0)));
  });
});

test("parameters have the official names, and a base's own names", () => {
  const names = (options: ModelOptions, head = {}): string[] =>
    new RewardModel(new CausalLM(options, { rng: random(0) }), { head, rng: random(1) })
      .namedParameters()
      .map(([name]) => name);
  const mlp = names(styles.llama as ModelOptions, { layers: 2 }).filter((n) => /^v_head/.test(n));
  const wanted = [0, 2, 4].flatMap((i) => [
    `v_head.summary.${i}.weight`,
    `v_head.summary.${i}.bias`,
  ]);
  assert.deepEqual(mlp, wanted);
  const linear = names(styles.gpt2 as ModelOptions, { type: "linear" });
  assert.deepEqual(linear.slice(-2), ["v_head.summary.weight", "v_head.summary.bias"]);
  assert.equal(linear[0], "transformer.wte.weight");
  const lm = new CausalLM(styles.llama as ModelOptions, { rng: random(0) });
  const model = new RewardModel(lm, { rng: random(1) });
  const report = model.loadStateDict(lm.stateDict(), { strict: false });
  assert.deepEqual(report.unexpected, []);
  assert.ok(report.missing.every((name) => name.startsWith("v_head.")));
  assert.equal(model.lm, lm);
});

test("mistakes are named", () => {
  const lm = new CausalLM(styles.llama as ModelOptions, { rng: random(0) });
  assert.throws(
    () => new RewardModel(lm, { head: { neurons: 0 }, rng: random(1) }),
    /reward head: got .*"neurons":0/,
  );
  const none = { ids: new Int32Array(0), labels: new Int32Array(0) };
  assert.throws(() => makeBatch([none]), /sequence 0 has 0 ids/);
  assert.throws(() => makeBatch([]), /no sequences/);
  const bad = { ids: Int32Array.of(1, 2), labels: Int32Array.of(1) };
  assert.throws(() => makeBatch([bad]), /2 ids and 1 labels/);
});
