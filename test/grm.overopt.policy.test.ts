// Rewards, synthetic preferences, and a policy's training: who judges, what noise does, that PPO and RLOO
// raise the reward that they are given, and that a run stopped anywhere goes on to the bit. The model
// writes words of a tiny alphabet. Next: grm.overopt.comparison.test.ts.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { random } from "../core/index.ts";
import { RewardModel, scoreSequences } from "../grm/index.ts";
import {
  type Answer,
  asSequence,
  ensembleJudge,
  fluencyJudge,
  type Judge,
  type PolicyCheckpoint,
  type PolicyOptions,
  type PolicyRecord,
  Proxies,
  policyRecordSchema,
  policySettings,
  sampleAnswers,
  syntheticPreferences,
  type Task,
  trainPolicy,
} from "../grm/policies/index.ts";
import { ppoAdvantages, recall, rlooAdvantages, usableRewards } from "../grm/policies/rollouts.ts";
import { lexiconJudge, sentiment, worldTask } from "../lab/index.ts";
import { setB, tales } from "../lab/worlds/index.ts";
import { CausalLM, type StateDict, WordTokenizer } from "../nn/index.ts";
import "../kernels/index.ts";
import { loadPolicyCheckpoint, savePolicyCheckpoint } from "../grm/node.ts";
import { readLexicon, storiesTask } from "../lab/node.ts";

const data =
  process.env.TWOHEADS_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
const skip = existsSync(join(data, "stories260k"))
  ? false
  : "needs the shared data (TWOHEADS_DATA)";

const tokenizer = new WordTokenizer({
  words: "a b c d e f".split(" "),
  special: { pad: "<pad>", bos: "<bos>", eos: "<end>" },
});
const [bos, end, a] = ["<bos>", "<end>", "a"].map((word) => tokenizer.idOf(word) ?? -1) as [
  number,
  number,
  number,
];

/** The reward is how many of the answer's words are "a". */
const gold: Judge = {
  name: "gold",
  async score(answers) {
    return Float64Array.from(answers, ({ response }) => response.filter((id) => id === a).length);
  },
};

const task: Task = {
  name: "toy",
  tokenizer,
  prompts: (count, rng) => Array.from({ length: count }, () => [bos, rng.integer(3, 9)]),
  maxTokens: 6,
  stop: [end],
  gold,
  controls: [],
  unseen: [],
};

function toyLM({ dropout = 0 } = {}): CausalLM {
  const shape = { dim: 16, layers: 1, heads: 2, context: 16, initStd: 0.3, dropout };
  return new CausalLM({ ...shape, vocabSize: tokenizer.vocabSize }, { rng: random(1) });
}

const near = (x: number, y: number, tolerance: number): void =>
  assert.ok(Math.abs(x - y) <= tolerance, `${x} is not ${y}`);

const answersOf = (count: number): Promise<Answer[]> => {
  const rng = random(3);
  return sampleAnswers(toyLM(), task.prompts(count, rng), task, { rng });
};

describe("judges", () => {
  test("a world's gold is its formula, of the response alone", async () => {
    const { gold, tokenizer } = worldTask(tales);
    const ids = (text: string): number[] => [...tokenizer.encode(text)];
    const prompt = ids("<bos> fox cave :");
    const one = await gold.score([
      { prompt, response: ids("the fox was happy .") },
      { prompt, response: [] },
    ]);
    // 0.6 for "happy", 0.5 for the fox; an empty answer doesn't end in "."
    near(one[0] ?? Number.NaN, 1.1, 1e-12);
    assert.equal(one[1], -1);
  });

  test("fluency is the mean log probability of a response's token", async () => {
    const lm = toyLM();
    const answers = await answersOf(5);
    const got = await fluencyJudge(lm).score(answers);
    const model = new RewardModel(lm, { rng: random(0) });
    const { logProbs } = await scoreSequences(model, answers.map(asSequence), { logProbs: true });
    answers.forEach(({ response }, i) => {
      near(got[i] ?? Number.NaN, (logProbs[i] ?? 0) / Math.max(1, response.length), 1e-9);
    });
  });

  test("an ensemble has distinct members, or is refused", async () => {
    const make = (seed: number) => new RewardModel(toyLM(), { rng: random(seed) });
    const calibration = await answersOf(20);
    const members = [make(1), make(2), make(3)];
    const options = { rule: "mean", calibration } as const;
    await assert.rejects(
      ensembleJudge("e", [make(1), make(2), make(1)], options),
      /members 0 and 2 have the same weights/,
    );
    await assert.rejects(ensembleJudge("e", [make(1)], options), /needed two or more/);
    const mean = await (await ensembleJudge("e", members, options)).score(calibration);
    near(mean.reduce((sum, x) => sum + x, 0) / 20, 0, 1e-9); // of z-scores
    const least = await ensembleJudge("e", members, { rule: "min", calibration });
    const lowest = await least.score(calibration);
    assert.ok(lowest.every((x, i) => x <= (mean[i] ?? 0)));
    assert.ok(
      lowest.some((x, i) => x < (mean[i] ?? 0) - 0.01),
      "members disagree",
    );
  });

  test("sentiment by hand: Σ worth / √max(8, words), apostrophes and case aside", () => {
    const lexicon = new Map([
      ["happy", 3],
      ["sad", -2],
      ["can't", -1],
    ]);
    near(sentiment("Happy, happy dog!", lexicon), 6 / Math.sqrt(8), 1e-12);
    near(sentiment("I can't be sad.", lexicon), -3 / Math.sqrt(8), 1e-12);
    near(sentiment("happy ".repeat(16), lexicon), 48 / 4, 1e-12);
    assert.equal(sentiment("", lexicon), 0);
  });

  test("three lists are read, and agree on plain words", { skip }, async () => {
    for (const name of ["afinn", "vader", "opinion"] as const) {
      const lexicon = readLexicon(join(data, "sentiment-lexicons"), name);
      assert.ok(lexicon.size > 3000, `${name} has ${lexicon.size} words`);
      assert.ok(sentiment("happy", lexicon) > 0 && sentiment("terrible", lexicon) < 0, name);
    }
    assert.throws(() => readLexicon(tmpdir(), "vader"), /no such file/);
  });

  test("stories260K writes after first sentences, and AFINN judges", { skip }, async () => {
    const stories = storiesTask(data);
    const rng = random(1);
    const prompts = stories.prompts(4, rng);
    const answers = await sampleAnswers(stories.model(), prompts, stories, { samples: 2, rng });
    const text = stories.tokenizer.decode(answers[0]?.prompt ?? [], { skipSpecial: true });
    assert.match(text, /^\s*[A-Z].*[.!?]$/);
    const fluent = await fluencyJudge(stories.model()).score(answers);
    assert.ok(
      fluent.every((x) => x > -4 && x < 0),
      `${fluent}: the model knows what it writes`,
    );
    const lexicon = new Map([["the", 1]]);
    const judged = await lexiconJudge("the", lexicon, stories.tokenizer).score(answers);
    assert.ok(judged.some((x) => x > 0));
    assert.equal((await stories.gold.score(answers)).length, 8);
  });
});

describe("synthetic preferences", () => {
  test("labels are Bradley-Terry draws of the gold difference, and a stated share is flipped", async () => {
    const rng = () => random(5);
    const clean = await syntheticPreferences(task, toyLM(), { count: 400, flips: 0, rng: rng() });
    assert.equal(clean.pairs.length, 400);
    assert.ok(clean.ties > 0, "pairs of the same gold are drawn again");
    assert.equal(clean.right, clean.rightBefore);
    // what the draw says: the mean of σ(|difference|)
    const expected =
      clean.pairs.reduce((sum, { margin = 0 }) => sum + 1 / (1 + Math.exp(-margin)), 0) / 400;
    near(clean.right, expected, 0.06); // 2.5 standard errors
    const noisy = await syntheticPreferences(task, toyLM(), {
      count: 400,
      flips: 0.25,
      rng: rng(),
    });
    const turned = noisy.pairs.filter((pair, i) => pair.chosen !== clean.pairs[i]?.chosen);
    assert.equal(noisy.rightBefore, clean.right);
    const differing = noisy.pairs.filter(
      ({ chosen }, i) => String(chosen.ids) !== String(clean.pairs[i]?.chosen.ids),
    );
    assert.equal(turned.length, 400); // other objects; what they hold is the same but for the flips
    assert.equal(differing.length, 100);
    assert.ok(noisy.right < clean.right);
  });

  test("sharp labels follow the gold", async () => {
    const options = { count: 50, flips: 0, sharpness: 100, rng: random(5) };
    assert.equal((await syntheticPreferences(task, toyLM(), options)).right, 1);
  });

  test("banned words aren't drawn, and can be afterwards", async () => {
    const lm = toyLM();
    const prompts = task.prompts(60, random(1));
    const has = (answers: readonly Answer[]): boolean =>
      answers.some(({ response }) => response.includes(a));
    assert.ok(!has(await sampleAnswers(lm, prompts, task, { banned: [a], rng: random(2) })));
    assert.ok(has(await sampleAnswers(lm, prompts, task, { rng: random(2) })));
    assert.equal(lm.lmHead.bias, null);
  });

  test("'tales' bans set B while preferences are made", () => {
    assert.equal(worldTask(tales).unseen.length, setB.size);
  });

  test("a gold reward that tells nothing apart is refused", async () => {
    const flat: Judge = {
      name: "flat",
      score: async (answers) => new Float64Array(answers.length),
    };
    await assert.rejects(
      syntheticPreferences({ ...task, gold: flat }, toyLM(), {
        count: 4,
        flips: 0,
        rng: random(1),
      }),
      /gives nearly all answers the same/,
    );
  });

  test("proxies are trained by name, each once, and learn what they are shown", async () => {
    const { pairs } = await syntheticPreferences(task, toyLM(), {
      count: 200,
      flips: 0,
      rng: random(5),
    });
    const proxies = new Proxies({
      base: toyLM,
      pairs,
      training: { epochs: 4, lr: 1e-2, alpha: 0.1 },
      seed: 1,
      calibration: await answersOf(50),
    });
    assert.equal(await proxies.model("bt", 1), await proxies.model("bt", 1));
    const answers = await answersOf(200);
    const truth = await gold.score(answers);
    for (const name of ["bt", "grm-sft", "ensemble-min"] as const) {
      const scores = await (await proxies.judge(name)).score(answers);
      const mean = (x: readonly number[]): number => x.reduce((s, v) => s + v, 0) / x.length;
      const of = (is: (g: number) => boolean): number =>
        mean([...scores].filter((_, i) => is(truth[i] ?? 0)));
      assert.ok(of((g) => g >= 2) > of((g) => g === 0), name);
    }
  });
});

describe("rewards of a round", () => {
  const settings = { normalise: true, rewardClip: 1.2 };

  test("are in the first round's deviations from its mean, cut and counted", () => {
    const { rewards, scale, clipped, refused } = usableRewards(
      Float64Array.of(1, 3, 5, 11),
      null,
      settings,
    );
    assert.deepEqual([scale.mean, refused, clipped], [5, 0, 1]);
    assert.equal(rewards[2], 0);
    assert.equal(rewards[3], 1.2);
    assert.equal(usableRewards(Float64Array.of(5), scale, settings).rewards[0], 0);
  });

  test("that are no finite numbers are refused and counted", () => {
    const given = Float64Array.of(1, Number.NaN, 3, Infinity);
    const { rewards, scale, refused } = usableRewards(given, null, settings);
    assert.deepEqual([scale.mean, refused], [2, 2]);
    assert.deepEqual([...rewards], [-1, Number.NaN, 1, Number.NaN]);
  });
});

describe("advantages of a round", () => {
  const recollection = {
    logProbs: Float64Array.of(-1, -2, -1),
    reference: Float64Array.of(-1.5, -1, -1),
    values: Float64Array.of(0.5, 0, 0.25),
    entropy: new Float64Array(3),
    starts: Int32Array.of(0, 2, 3),
  };

  test("PPO: the KL penalty on each token, the reward on the last, by hand", () => {
    const settings = { gamma: 1, lambda: 1, whiten: false };
    const found = ppoAdvantages(recollection, Float64Array.of(2, 4), 0.1, settings);
    // rewards per token: -0.1·0.5, 2 - 0.1·(-1) | 4
    [2.05, 2.1, 4].forEach((wanted, t) => {
      near(found.returns[t] ?? Number.NaN, wanted, 1e-12);
      near(found.advantages[t] ?? Number.NaN, wanted - (recollection.values[t] ?? 0), 1e-12);
    });
  });

  test("PPO: whitening passes over what was refused", () => {
    const settings = { gamma: 1, lambda: 1, whiten: true };
    const found = ppoAdvantages(recollection, Float64Array.of(2, Number.NaN), 0, settings);
    near(found.advantages[0] ?? Number.NaN, -1, 1e-12);
    near(found.advantages[1] ?? Number.NaN, 1, 1e-12);
    assert.ok(Number.isNaN(found.advantages[2]));
  });

  test("RLOO: the penalty is in the reward; who is left alone isn't learnt from", () => {
    const found = rlooAdvantages(recollection, Float64Array.of(2, 4), 0.1, 2);
    near(found[0] ?? Number.NaN, 2.05 - 4, 1e-12); // KL of the first is 0.5 - 1
    near(found[1] ?? Number.NaN, 4 - 2.05, 1e-12);
    const alone = rlooAdvantages(recollection, Float64Array.of(2, Number.NaN), 0, 2);
    assert.ok(alone.every(Number.isNaN));
  });
});

/** A toy run, with its records. */
async function toyRun(
  options: PolicyOptions,
  { judge = gold, ...hooks }: Parameters<typeof trainPolicy>[2] & { judge?: Judge } = {},
) {
  const records: PolicyRecord[] = [];
  const parts = { lm: toyLM(), reference: toyLM(), task, judge };
  const done = await trainPolicy(parts, options, {
    ...hooks,
    onRecord: (record) => records.push(policyRecordSchema.parse(record)),
  });
  return { ...done, records };
}

const small = { steps: 12, batchSize: 64, miniBatchSize: 16, lr: 1e-2 } satisfies PolicyOptions;

const dumped = (dict: StateDict): string =>
  JSON.stringify(Object.entries(dict).map(([name, x]) => [name, ...x.data]));

describe("training a policy", () => {
  test("recollections agree with whole sequences' log probabilities", async () => {
    const policy = new RewardModel(toyLM(), { head: { dropout: 0 }, rng: random(2) });
    const sequences = (await answersOf(7)).map(asSequence);
    const found = await recall(policy, toyLM(), sequences, 3);
    const { logProbs } = await scoreSequences(policy, sequences, { logProbs: true });
    sequences.forEach((_, i) => {
      const own = found.logProbs.subarray(found.starts[i], found.starts[i + 1]);
      near(
        own.reduce((sum, x) => sum + x, 0),
        logProbs[i] ?? Number.NaN,
        1e-4,
      );
    });
    assert.deepEqual(found.logProbs, found.reference); // the same weights
  });

  for (const options of [
    { algorithm: "ppo" },
    { algorithm: "rloo", samples: 4, steps: 20 },
    { algorithm: "ppo", mode: "lora" },
  ] as const) {
    test(`${JSON.stringify(options)} raises the reward that it is given`, async () => {
      const { records } = await toyRun({ ...small, ...options });
      const [first, last] = [records[0], records.at(-1)];
      assert.ok(first && last);
      assert.ok(last.gold > first.gold + 1.5, `${first.gold} to ${last.gold}`);
      near(first.kl_k1, 0, 1e-9);
      assert.ok(last.kl_k1 > 1 && last.kl_k3 > 1);
      assert.equal(last.policy_loss, null, "nothing is learnt from the last answers");
    });
  }

  test("a policy whose model has dropout is trained without it, by every algorithm and mode", async () => {
    const short = { ...small, steps: 2, batchSize: 16, klWeight: 0.1 };
    for (const algorithm of ["ppo", "rloo"] as const) {
      for (const mode of ["full", "lora"] as const) {
        const options = { ...short, algorithm, mode, samples: 2 };
        const [plain, dropping] = await Promise.all(
          [0, 0.5].map(async (dropout) => {
            const [lm, reference] = [toyLM({ dropout }), toyLM({ dropout })];
            const { policy } = await trainPolicy({ lm, reference, task, judge: gold }, options);
            return dumped(policy.stateDict());
          }),
        );
        assert.equal(dropping, plain, `${algorithm}, ${mode}`);
      }
    }
  });

  test("a KL penalty keeps the policy near, and is adapted to a target", async () => {
    const free = await toyRun(small);
    const held = await toyRun({ ...small, klWeight: 2 });
    assert.ok((held.records.at(-1)?.kl_k1 ?? 9) < (free.records.at(-1)?.kl_k1 ?? 0) / 2);
    const adapted = await toyRun({ ...small, steps: 3, klWeight: 0.1, klTarget: 0.01 });
    const weights = adapted.records.map(({ kl_weight }) => kl_weight);
    assert.ok((weights[1] ?? 1) < 0.1, "no KL at first: below the target");
    assert.ok((weights[3] ?? 0) > (weights[2] ?? 1), "then above it");
  });

  test("answers with refused rewards are left out and counted; none left ends the run", async () => {
    const broken = (is: (i: number) => boolean): Judge => ({
      name: "broken",
      score: async (answers) => (await gold.score(answers)).map((r, i) => (is(i) ? Number.NaN : r)),
    });
    const { records } = await toyRun({ ...small, steps: 2 }, { judge: broken((i) => i % 2 === 0) });
    assert.deepEqual(
      records.map(({ refused }) => refused),
      [32, 32, 32],
    );
    await assert.rejects(
      toyRun(small, { judge: broken(() => true) }),
      /round 0: 64 of 64 rewards are no finite numbers/,
    );
  });

  for (const algorithm of ["ppo", "rloo"] as const) {
    test(`${algorithm}: stopped, saved and resumed, the same bits`, async () => {
      const options = { ...small, algorithm, samples: 2, steps: 5, klWeight: 0.1, klTarget: 1 };
      const whole = await toyRun(options);
      const folder = mkdtempSync(join(tmpdir(), "twoheads-policy-"));
      try {
        const path = join(folder, "checkpoint.safetensors");
        const stop = new AbortController();
        const half = await toyRun(options, {
          signal: stop.signal,
          async onCheckpoint(checkpoint: PolicyCheckpoint) {
            await savePolicyCheckpoint(path, checkpoint);
          },
          now: () => 0,
          ...stopAfter(stop, 3),
        });
        assert.equal(half.finished, false);
        const rest = await toyRun(options, { resume: loadPolicyCheckpoint(path) });
        assert.equal(dumped(rest.policy.stateDict()), dumped(whole.policy.stateDict()));
        const timeless = (records: readonly PolicyRecord[]) =>
          records.map((record) => ({ ...record, seconds: 0 }));
        assert.deepEqual(timeless(rest.records), timeless(whole.records).slice(half.step));
        await assert.rejects(
          toyRun({ ...options, lr: 1 }, { resume: loadPolicyCheckpoint(path) }),
          /lr was 0.01, not 1/,
        );
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  test("settings that can't be are refused", async () => {
    assert.throws(() => policySettings({ algorithm: "rloo" }), /samples of 2 or more/);
    assert.throws(() => policySettings({ batchSize: 10, samples: 3 }), /no multiple/);
    assert.throws(() => policySettings({ klTarget: 6 }), /0 stays 0/);
    assert.throws(() => policySettings({ clip: -1 }), /clip/);
    const lm = toyLM();
    const parts = { lm, reference: lm, task, judge: gold };
    await assert.rejects(trainPolicy(parts, small), /one model, and would move together/);
  });
});

/** A judge's hooks that abort after so many rounds. */
function stopAfter(stop: AbortController, rounds: number): { judge: Judge } {
  let count = 0;
  return {
    judge: {
      name: "gold",
      score(answers) {
        count++;
        if (count === rounds) stop.abort();
        return gold.score(answers);
      },
    },
  };
}
