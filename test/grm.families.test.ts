// What sequences share at their beginning is scored once: the results are those of each sequence alone, and
// the tokens that models read are counted. Next: ../grm/families.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { random, type Tensor, use } from "../core/index.ts";
import { familiesOf, sharedBatches } from "../grm/families.ts";
import {
  asSequence,
  ensembleJudge,
  makeBatch,
  type Pair,
  proxyJudge,
  RewardModel,
  type Sequence,
  scorePairs,
  scoreSequences,
} from "../grm/index.ts";
import "../kernels/index.ts";
import { addLoRA, CausalLM, type ModelOptions } from "../nn/index.ts";
import { holds } from "../testing/property.ts";

const base = { vocabSize: 23, dim: 32, layers: 2, heads: 4, context: 160, initStd: 0.2 };
const models: Record<string, ModelOptions> = {
  "learned positions": { ...base, style: "gpt2" },
  "rotary positions": base,
  "grouped heads": { ...base, kvHeads: 1 },
  LoRA: { ...base, kvHeads: 2 },
  LSTM: { style: "lstm", vocabSize: 23, dim: 16, layers: 2 },
};

function modelOf(name: string, seed = 4): RewardModel {
  const lm = new CausalLM(models[name] as ModelOptions, { rng: random(seed) });
  if (name === "LoRA") {
    addLoRA(lm, { layers: ["model.layers.*.self_attn.*"], rank: 2, rng: random(5) });
    for (const [key, b] of lm.namedParameters())
      if (key.endsWith("lora.b")) b.assign(b.data.map((_, i) => Math.sin(i) / 4));
  }
  return new RewardModel(lm, { rng: random(6) });
}

/** The reward and s(y) of one sequence, read alone and from its start. */
function alone(model: RewardModel, sequence: Sequence): readonly [reward: number, s: number] {
  const { ids, mask, targets } = makeBatch([sequence]);
  const { hidden, rewards } = model.eval().forward(ids, { mask });
  const [reward = Number.NaN] = rewards.data;
  return [reward, targets.counts[0] ? (model.logProbs(hidden, targets).data[0] ?? 0) : 0];
}

/** The tokens that a model's backbone reads while `fn` runs. */
async function tokensRead(model: RewardModel, fn: () => Promise<unknown>): Promise<number> {
  const backbone = model.model;
  const forward = backbone.forward.bind(backbone);
  let count = 0;
  backbone.forward = (ids: Tensor, options) => {
    count += ids.size;
    return forward(ids, options);
  };
  await fn();
  backbone.forward = forward;
  return count;
}

const sequence = (prompt: readonly number[], answer: readonly number[]): Sequence =>
  asSequence({ prompt, response: answer });
const near = (x: number | undefined, y: number): boolean =>
  Math.abs((x ?? Number.NaN) - y) <= 1e-6 * Math.max(1, Math.abs(y));

for (const name of Object.keys(models)) {
  test(`pairs and answers to one prompt, ${name}: each as if it were alone`, async () => {
    use("wasm");
    const model = modelOf(name);
    const drawn: { pairs: Pair[]; answers: Sequence[] }[] = [];
    holds(
      `families ${name}`,
      (d) => {
        const tokens = (least: number, most: number): number[] =>
          Array.from({ length: d.integer(least, most) }, () => d.integer(0, 22));
        const start = tokens(0, 12);
        const pairs = Array.from({ length: d.integer(1, 4) }, (): Pair => {
          const prompt = [...d.pick(start, []), ...tokens(1, 60)];
          const [chosen, rejected] = [sequence(prompt, tokens(0, 9)), tokens(1, 30)];
          return { chosen, rejected: sequence(d.pick(prompt, tokens(1, 9)), rejected) };
        });
        const prompt = [...start, ...tokens(1, 40)];
        const answers = Array.from({ length: d.integer(1, 6) }, () =>
          sequence(prompt, tokens(1, 20)),
        );
        return { pairs, answers: [...answers, ...answers.slice(0, 1)] };
      },
      (task) => void drawn.push(task),
      { runs: 12, show: JSON.stringify },
    );
    for (const { pairs, answers } of drawn) {
      const options = { logProbs: true, batchTokens: pairs.length > 2 ? 4096 : 150 };
      const { chosen, rejected } = await scorePairs(model, pairs, options);
      const found = await scoreSequences(model, answers, options);
      const expect = (scores: typeof found, list: readonly Sequence[]): void =>
        list.forEach((one, i) => {
          const [reward, s] = alone(model, one);
          const text = `${scores.rewards[i]} for ${reward}, ${scores.logProbs[i]} for ${s}`;
          assert.ok(near(scores.rewards[i], reward) && near(scores.logProbs[i], s), text);
        });
      expect(
        chosen,
        pairs.map((p) => p.chosen),
      );
      expect(
        rejected,
        pairs.map((p) => p.rejected),
      );
      expect(found, answers);
    }
  });
}

describe("what is read", () => {
  const prompt = Array.from({ length: 64 }, (_, t) => t % 23);
  const answers = Array.from({ length: 8 }, (_, i) => sequence(prompt, [i, 1, 2, 3]));

  test("a prompt that eight answers share, once", async () => {
    use("wasm");
    const model = modelOf("rotary positions");
    const rewardsOnly = await tokensRead(model, () => scoreSequences(model, answers));
    assert.equal(rewardsOnly, 64 + 8 * 4);
    // the token before the first answer's predicts it, so it is read with each; 63 is cut to 56
    const both = await tokensRead(model, () => scoreSequences(model, answers, { logProbs: true }));
    assert.equal(both, 56 + 8 * 12);
  });

  test("by each member of an ensemble, with the rewards of each alone", async () => {
    const members = [1, 2, 3].map((seed) => modelOf("learned positions", seed));
    const written = answers.map((_, i) => ({ prompt, response: [i, 1, 2, 3] }));
    const judge = await ensembleJudge("all", members, { rule: "mean", calibration: written });
    const counts = await Promise.all(
      members.map((model) => tokensRead(model, () => proxyJudge("one", model).score(written))),
    );
    assert.deepEqual(counts, [96, 96, 96]);
    const scores = await judge.score(written);
    assert.ok(scores.every(Number.isFinite) && new Set(scores).size > 1);
  });

  test("as before where nothing is shared, or labels begin at the start", async () => {
    const model = modelOf("rotary positions");
    const free = answers.map(({ ids }) => ({ ids, labels: ids }));
    const options = { logProbs: true };
    assert.equal(await tokensRead(model, () => scoreSequences(model, free, options)), 8 * 68);
    const others = answers.map(({ ids, labels }, i) => ({
      ids: ids.map((t) => (t + i) % 23),
      labels,
    }));
    assert.equal(await tokensRead(model, () => scoreSequences(model, others, options)), 8 * 68);
  });
});

describe("families", () => {
  const sharedOf = (list: readonly Sequence[]): string =>
    familiesOf(list, false)
      .map(({ shared, members }) => `${members}: ${shared}`)
      .join("; ");
  const run = (n: number, from = 0): number[] =>
    Array.from({ length: n }, (_, t) => (t + from) % 23);

  test("hold what begins alike; a longer common beginning wins over a shorter one", () => {
    const a = run(20);
    const b = [...run(10), ...run(30, 5)];
    const list = [a, b].flatMap((prompt) => [sequence(prompt, [1]), sequence(prompt, [2])]);
    assert.equal(sharedOf(list), "2,3: 40; 0,1: 20");
    const [lone = list[0]] = [sequence(run(10), [9])];
    assert.equal(sharedOf([list[2], lone, list[3]] as Sequence[]), "0,2: 40; 1: 0");
  });

  test("leave a token to read on with, and what is too short", () => {
    assert.equal(sharedOf([sequence(run(9), []), sequence(run(9), [])]), "0,1: 8");
    assert.equal(sharedOf([sequence(run(8), []), sequence(run(8), [])]), "0: 0; 1: 0");
  });

  test("fill batches of one length of beginnings, up to so many tokens", () => {
    const families = [
      { shared: 8, members: [0, 1] },
      { shared: 16, members: [2, 3, 4] },
      { shared: 8, members: [5, 6] },
    ];
    const lengths = [10, 12, 20, 18, 19, 11, 9];
    const show = (tokens: number): string[] =>
      sharedBatches(families, lengths, tokens).map(
        ({ shared, members, families: own }) => `${shared}: ${members} of ${own}`,
      );
    assert.deepEqual(show(1000), ["16: 2,3,4 of 0,0,0", "8: 0,1,5,6 of 0,0,2,2"]);
    assert.deepEqual(show(40), ["16: 2,3 of 0,0", "16: 4 of 0", "8: 0,1,5 of 0,0,2", "8: 6 of 0"]);
  });
});
