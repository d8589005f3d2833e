// The trainer: what a step does against the formulas put together by hand, what each mode leaves alone,
// and that a run stopped or killed anywhere goes on to the bit. Next: grm.evaluation.test.ts.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { grad, noGrad, random, type Tensor, tensor } from "../core/index.ts";
import {
  bradleyTerry,
  DataOrder,
  dpoRegularizer,
  grmLoss,
  makePairBatch,
  type Pair,
  parseTrainMetrics,
  positiveRegularizer,
  type RewardModel,
  rewardCentering,
  type StepRecord,
  sftRegularizer,
  type TrainHooks,
  type TrainMethod,
  type TrainOptions,
  type TrainRecord,
  train,
  trainMethods,
  trainRecordSchema,
  trainSettings,
} from "../grm/index.ts";
import { addLoRA, capture, type StateDict } from "../nn/index.ts";
import "../kernels/index.ts";
import { loadTrainCheckpoint, saveTrainCheckpoint } from "../grm/node.ts";
import type { TrainCheckpoint } from "../grm/trainer/checkpoint.ts";
import { holds } from "../testing/property.ts";
import { toyModel, toyOptions, toyPairs, toyRun } from "./toyPreferences.ts";

const pairs = toyPairs(24, 3);

interface Ran {
  readonly model: RewardModel;
  readonly records: readonly TrainRecord[];
  readonly steps: readonly StepRecord[];
}

/** Trains a fresh toy model. */
async function ran(
  options: TrainOptions,
  hooks: TrainHooks = {},
  { model = toyModel(), on = pairs }: { model?: RewardModel; on?: readonly Pair[] } = {},
): Promise<Ran> {
  const records: TrainRecord[] = [];
  await train(model, on, options, { onRecord: (record) => void records.push(record), ...hooks });
  for (const record of records) trainRecordSchema.parse(record);
  return { model, records, steps: records.filter((record) => record.kind === "train") };
}

function bitsOf(dict: StateDict): string {
  const bytes = Object.entries(dict).map(([name, { data }]) => {
    const { buffer, byteOffset, byteLength } = data;
    return `${name} ${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}`;
  });
  return bytes.join("\n");
}

function copyOf(model: RewardModel): Map<string, Float32Array> {
  return new Map(
    model.namedParameters().map(([name, p]) => [name, (p.data as Float32Array).slice()]),
  );
}

/** Names of parameters that are no longer what they were. */
function changed(model: RewardModel, before: ReadonlyMap<string, Float32Array>): string[] {
  const same = (a: ArrayLike<number>, b: ArrayLike<number> = []): boolean =>
    Array.from(a).every((x, i) => Object.is(x, b[i]));
  return model
    .namedParameters()
    .flatMap(([name, p]) => (same(p.data, before.get(name)) ? [] : [name]));
}

function near(got: number | null | undefined, wanted: number, tolerance = 1e-5): void {
  assert.ok(Math.abs((got ?? Number.NaN) - wanted) <= tolerance, `${got}, wanted ${wanted}`);
}

// --- A step ------------------------------------------------------------------------------------------

/** The losses of all pairs in one batch, by hand. */
function byHand(model: RewardModel, method: TrainMethod, alpha: number) {
  const { ids, mask, targets } = makePairBatch(pairs);
  const { result, activations } = capture(model, ["hidden"], () => model.forward(ids, { mask }));
  const [r_c, r_r] = result.rewards.split(pairs.length) as [Tensor, Tensor];
  const [s_c, s_r] = model.logProbs(result.hidden, targets).split(pairs.length) as [Tensor, Tensor];
  const margin = tensor(pairs.map((pair) => pair.margin ?? 0));
  const reference = { s_c: s_c.detach(), s_r: s_r.detach() }; // the model is still the base
  const rewardLoss =
    method === "margin"
      ? bradleyTerry(r_c, r_r, { margin })
      : bradleyTerry(r_c, r_r, { labelSmoothing: method === "label-smoothing" ? 0.1 : 0 });
  const regularizers: Partial<Record<TrainMethod, () => Tensor>> = {
    "grm-sft": () => sftRegularizer(s_c),
    "grm-dpo": () => dpoRegularizer(s_c, s_r, { reference }),
    "grm-dpo-noref": () => dpoRegularizer(s_c, s_r),
  };
  const regLoss = regularizers[method]?.();
  let loss = regLoss === undefined ? rewardLoss : grmLoss(rewardLoss, regLoss, { alpha });
  if (method === "l2-sp") {
    for (const p of model.vHead.parameters())
      loss = loss.add(
        p
          .mul(p)
          .sum()
          .mul(0.01 / 2),
      ); // w = w0 elsewhere
  }
  const values = [loss, rewardLoss, regLoss].map((x) => x?.data[0] ?? null);
  return { values, loss, hidden: activations.hidden as Tensor };
}

const whole: TrainOptions = { batchSize: pairs.length, steps: 1, alpha: 0.25, clip: 1e9 };

describe("a step", () => {
  for (const method of trainMethods) {
    test(`of ${method} is the formulas' loss and gradient`, async () => {
      const model = toyModel();
      if (method === "frozen" || method === "lp-ft") {
        model.freeze();
        model.vHead.unfreeze();
      }
      const { values, loss, hidden } = byHand(model, method, 0.25);
      const trained = model.parameters().filter((p) => p.requiresGrad);
      const gradients = grad(loss, trained, { allowUnused: true, retainGraph: true });
      const norm = Math.hypot(...gradients.flatMap((g) => [...(g?.data ?? [])]));
      const [push] = hidden.requiresGrad ? grad(loss, hidden) : [null];
      const { steps } = await ran({ ...whole, method, parameterGradEvery: 1 });
      const [step] = steps;
      const [total, reward_loss, reg_loss = null] = values;
      near(step?.loss, total ?? 0);
      near(step?.reward_loss, reward_loss ?? 0);
      near(step?.grad_norm, norm, 1e-4);
      if (reg_loss === null) assert.equal(step?.reg_loss, null);
      else near(step?.reg_loss, reg_loss);
      if (!push) return;
      const { reward_hidden_grad: reward = 0, reg_hidden_grad: reg = 0 } = step ?? {};
      near(Math.hypot(reward ?? 0, reg ?? 0), Math.hypot(...push.data));
    });
  }

  test("measures both losses' gradients over the parameters: they add up to the whole", async () => {
    const { steps } = await ran({ ...whole, method: "grm-sft", parameterGradEvery: 1 });
    const {
      reward_param_grad: a,
      reg_param_grad: b,
      grad_cosine: cosine,
      grad_norm,
    } = steps[0] ?? {};
    const [p, q, c] = [a ?? 0, b ?? 0, cosine ?? 0];
    near(Math.sqrt(p * p + q * q + 2 * p * q * c), grad_norm ?? 0, 1e-4);
    assert.ok(Math.abs(c) <= 1);
  });

  test("with alpha 0 makes no logits, and GRM is Bradley-Terry to the bit", async () => {
    const model = toyModel();
    model.logProbs = () => assert.fail("logits were made");
    const grm = await ran({ ...whole, method: "grm-sft", alpha: 0, steps: 3 }, {}, { model });
    const bt = await ran({ ...whole, method: "bt", steps: 3 });
    assert.equal(bitsOf(grm.model.stateDict()), bitsOf(bt.model.stateDict()));
  });

  test("of micro-batches is the step of their batch", async () => {
    const options: TrainOptions = { ...whole, method: "grm-dpo-noref", best: "none" };
    const [one, many] = [await ran(options), await ran({ ...options, microBatchSize: 7 })];
    const [a, b] = [one.steps[0], many.steps[0]];
    for (const key of ["loss", "reg_loss", "grad_norm", "accuracy", "reg_hidden_grad"] as const)
      near(b?.[key], a?.[key] ?? 0);
  });

  test("adds centering and the positive term", async () => {
    const { rewards } = toyModel().forward(makePairBatch(pairs).ids, {
      mask: makePairBatch(pairs).mask,
    });
    const [r_c, r_r] = rewards.split(pairs.length) as [Tensor, Tensor];
    const wanted = bradleyTerry(r_c, r_r)
      .add(rewardCentering(r_c, r_r).mul(0.5))
      .add(positiveRegularizer(r_c, { eps: 0.25 }));
    const { steps } = await ran({ ...whole, method: "bt", centering: 0.5, positive: 0.25 });
    near(steps[0]?.loss, wanted.data[0] ?? 0);
  });
});

test("training learns: from even odds to nearly all held-out pairs", async () => {
  const hooks = { validation: toyPairs(64, 9) };
  const on = toyPairs(160, 8);
  const options: TrainOptions = { method: "grm-sft", alpha: 0.1, lr: 4e-3, epochs: 4 };
  const { records } = await ran(options, hooks, { on });
  const accuracies = records.flatMap((r) => (r.kind === "evaluation" ? [r.accuracy] : []));
  assert.ok((accuracies[0] ?? 1) < 0.8 && (accuracies.at(-1) ?? 0) > 0.95, String(accuracies));
});

// --- What is trained ---------------------------------------------------------------------------------

describe("modes", () => {
  const short: TrainOptions = { steps: 3, batchSize: 8, alpha: 0.5 };

  test("frozen trains the reward head alone", async () => {
    const model = toyModel({ dropout: 0.1 });
    const before = copyOf(model);
    await ran({ ...short, method: "frozen" }, {}, { model });
    assert.ok(changed(model, before).length > 0);
    assert.ok(changed(model, before).every((name) => name.startsWith("v_head.")));
  });

  test("lora trains adapters and the reward head, and DPO's reference is the base", async () => {
    const model = toyModel();
    const before = copyOf(model);
    const { steps } = await ran({ ...short, method: "grm-dpo", mode: "lora" }, {}, { model });
    const moved = changed(model, before);
    assert.ok(moved.some((name) => /\.lora\.b$/.test(name)));
    assert.ok(moved.every((name) => /^v_head\.|\.lora\.[ab]$/.test(name)));
    near(steps[0]?.reg_loss, Math.log(2));
  });

  test("frozenParameters stay as they are", async () => {
    const model = toyModel();
    const before = copyOf(model);
    const frozenParameters = ["model.embed_tokens.weight", "model.layers.0.mlp.*.weight"];
    await ran({ ...short, method: "grm-sft", frozenParameters }, {}, { model });
    const moved = new Set(changed(model, before));
    assert.ok(!moved.has("model.embed_tokens.weight"));
    assert.ok(![...moved].some((name) => name.startsWith("model.layers.0.mlp")));
    assert.ok(moved.has("model.layers.1.mlp.up_proj.weight"));
  });

  test("a share of the labels is flipped once, by the seed", async () => {
    const flip = async (seed: number): Promise<string> => {
      const { records, model } = await ran({ ...short, method: "bt", flips: 0.25, seed });
      assert.equal(records.find((r) => r.kind === "start")?.flipped, 6);
      return bitsOf(model.stateDict());
    };
    assert.equal(await flip(1), await flip(1));
    assert.notEqual(await flip(1), await flip(2));
  });

  test("what doesn't go together is refused", async () => {
    const adapted = (): RewardModel =>
      addLoRA(toyModel(), { layers: ["*.layers.*.self_attn.q_proj"], rank: 2, rng: random(0) });
    const refused = (options: TrainOptions, message: RegExp, model = toyModel()) =>
      assert.rejects(train(model, pairs, options), message);
    assert.throws(() => trainSettings({ method: "frozen", mode: "lora" }), /trains no adapters/);
    assert.throws(() => trainSettings({ method: "frozen", mode: "full" }), /isn't trained/);
    assert.throws(() => trainSettings({ mode: "frozen" }), /no hidden state to regularise/);
    assert.throws(() => trainSettings({ method: "l2-sp", mode: "lora" }), /no weight of the base/);
    assert.throws(
      () => trainSettings({ method: "lp-ft", mode: "frozen" }),
      /use mode full or lora/,
    );
    assert.throws(() => trainSettings({ alpha: 2 }), /train: alpha: /);
    await refused({ method: "frozen" }, /doesn't train adapters/, adapted());
    await refused({ method: "bt" }, /weights and adapters at once/, adapted());
    await refused({ frozenParameters: ["model.embed"] }, /near are .*model\.embed_tokens\.weight/);
    const all = toyModel()
      .namedParameters()
      .map(([name]) => name);
    await refused({ frozenParameters: all }, /leaves nothing to train/);
    const one = { ids: new Int32Array(17).fill(1), labels: new Int32Array(17).fill(1) };
    const long = [{ chosen: one, rejected: one, line: 7 }];
    await assert.rejects(train(toyModel(), long, {}), /1 of 1 pairs are longer .* \(line 7\)/);
    const bare = pairs.map(({ margin, ...pair }) => pair);
    await assert.rejects(train(toyModel(), bare, { method: "margin" }), /24 of 24 .*no margin/);
    await assert.rejects(train(toyModel(), [], {}), /no pairs/);
  });
});

// --- L2-SP and LP-FT ---------------------------------------------------------------------------------

/** One step of each setting's run: how far a parameter went, with the optimiser's own decay switched off. */
const hard: TrainOptions = { steps: 12, batchSize: 8, lr: 0.01, weightDecay: 0 };

describe("l2-sp", () => {
  /** The distance from the base over everything but the reward head. */
  async function wentFar(options: TrainOptions): Promise<number> {
    const model = toyModel();
    const before = copyOf(model);
    await ran({ ...hard, ...options }, {}, { model });
    const squares = model.namedParameters().flatMap(([name, p]) => {
      const start = before.get(name) ?? [];
      return name.startsWith("v_head.")
        ? []
        : Array.from(p.data, (x, i) => (x - (start[i] ?? 0)) ** 2);
    });
    return Math.sqrt(squares.reduce((sum, x) => sum + x, 0));
  }

  test("with strengths 0 is Bradley-Terry to the bit, and holds weights the closer the stronger it is", async () => {
    const bt = await ran({ ...hard, method: "bt" });
    const none = await ran({ ...hard, method: "l2-sp", l2spAlpha: 0, l2spBeta: 0 });
    assert.equal(bitsOf(none.model.stateDict()), bitsOf(bt.model.stateDict()));
    const at = (l2spAlpha: number) => wentFar({ method: "l2-sp", l2spAlpha });
    const [free, weak, strong] = [await at(0), await at(0.1), await at(100)];
    assert.ok(strong < 0.5 * weak && weak < free, `${strong}, ${weak}, ${free}`);
  });

  test("counts from where training began, also after the second step and in micro-batches", async () => {
    const options: TrainOptions = {
      ...hard,
      method: "l2-sp",
      l2spAlpha: 3,
      l2spBeta: 0.5,
      steps: 4,
    };
    const model = toyModel();
    const before = copyOf(model);
    const penalties: number[] = [];
    const onProgress: TrainHooks["onProgress"] = () => {
      const half = (name: string, scale: number, x: ArrayLike<number>, from: ArrayLike<number>) =>
        name.startsWith("v_head.") === (scale === 0.5)
          ? Array.from(x).reduce((sum, v, i) => sum + (scale / 2) * (v - (from[i] ?? 0)) ** 2, 0)
          : 0;
      const all = model.namedParameters();
      penalties.push(
        all.reduce(
          (sum, [name, p]) =>
            sum + half(name, 3, p.data, before.get(name) ?? []) + half(name, 0.5, p.data, []),
          0,
        ),
      );
    };
    const { steps } = await ran({ ...options, microBatchSize: 3 }, { onProgress }, { model });
    for (const [i, step] of steps.slice(1).entries())
      near(step.loss - step.reward_loss, penalties[i] ?? Number.NaN, 1e-5);
    assert.ok((penalties[2] ?? 0) > 1e-3, String(penalties));
  });
});

describe("lp-ft", () => {
  const probed: TrainOptions = {
    ...hard,
    method: "lp-ft",
    probeEpochs: 2,
    probeLr: 0.02,
    warmup: 0,
  };

  test("trains the head alone first: the body keeps its bits until the second part", async () => {
    const model = toyModel({ dropout: 0.1 });
    const before = copyOf(model);
    const seen: string[][] = [];
    const onProgress: TrainHooks["onProgress"] = () => void seen.push(changed(model, before));
    const { steps, records } = await ran(probed, { onProgress }, { model });
    assert.equal(steps.length, 6 + 12); // 24 pairs in batches of 8, twice, and what steps says
    for (const names of seen.slice(0, 6)) {
      assert.ok(names.length > 0 && names.every((name) => name.startsWith("v_head.")));
    }
    assert.ok((seen[6] ?? []).includes("model.layers.0.mlp.up_proj.weight"), "and then all");
    assert.deepEqual([steps[0]?.lr, steps[6]?.lr], [0.02, 0.01]);
    assert.equal(steps[5]?.reward_hidden_grad, null);
    assert.ok((steps[6]?.reward_hidden_grad ?? 0) > 0);
    const start = records.find((r) => r.kind === "start");
    assert.equal(start?.trained_parameters, model.parameterCount());
  });

  test("its first part is the method frozen, to the bit", async () => {
    const alone = await ran({ ...probed, method: "frozen", lr: 0.02, steps: 6 });
    const stop = new AbortController();
    const model = toyModel();
    const onProgress: TrainHooks["onProgress"] = ({ step }) => step === 6 && stop.abort();
    await ran(probed, { onProgress, signal: stop.signal }, { model });
    assert.equal(bitsOf(model.stateDict()), bitsOf(alone.model.stateDict()));
  });
});

test("l2-sp and lp-ft stopped anywhere go on from a file with the same bits", async () => {
  const folder = mkdtempSync(join(tmpdir(), "twoheads-second-"));
  const path = join(folder, "checkpoint.safetensors");
  try {
    for (const method of ["l2-sp", "lp-ft"] as const) {
      const options: TrainOptions = {
        ...hard,
        method,
        probeEpochs: 1,
        steps: 4,
        checkpointEvery: 1,
      };
      const alone = await ran(options, {}, { model: toyModel({ dropout: 0.1 }) });
      for (const stopAt of method === "l2-sp" ? [0, 2] : [0, 2, 3, 5]) {
        const stop = new AbortController();
        if (stopAt === 0) stop.abort();
        await ran(
          options,
          {
            signal: stop.signal,
            onProgress: ({ step }) => step === stopAt && stop.abort(),
            onCheckpoint: (checkpoint) => saveTrainCheckpoint(path, checkpoint),
          },
          { model: toyModel({ dropout: 0.1 }) },
        );
        const resume = loadTrainCheckpoint(path);
        const rest = await ran(options, { resume }, { model: toyModel({ dropout: 0.1 }) });
        assert.equal(
          bitsOf(rest.model.stateDict()),
          bitsOf(alone.model.stateDict()),
          `${method} ${stopAt}`,
        );
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

// --- The order of the data ---------------------------------------------------------------------------

test("an epoch has every pair once, in batches of similar length; a position says the rest", () => {
  holds(
    "order",
    (d) => [d.integer(1, 60), d.integer(1, 9), d.integer(0, 99)] as const,
    ([N, size, seed]) => {
      const lengths = Array.from({ length: N }, (_, i) => (i * 7) % 11);
      const make = (): DataOrder => new DataOrder(lengths, size, random(seed));
      const order = make();
      const count = Math.ceil(N / size);
      const epoch = Array.from({ length: count }, () => order.next());
      const sorted = epoch.flat().sort((a, b) => a - b);
      assert.deepEqual(
        sorted,
        Array.from({ length: N }, (_, i) => i),
      );
      const spread = (batch: readonly number[]): number => {
        const own = batch.map((i) => lengths[i] ?? 0);
        return Math.max(...own) - Math.min(...own);
      };
      if (N <= 16 * size) assert.ok(epoch.reduce((sum, b) => sum + spread(b), 0) <= 11 + count);
      const again = make();
      again.position = order.position;
      for (let i = 0; i < 2 * count; i++) assert.deepEqual(again.next(), order.next());
    },
  );
});

// --- Dropout -----------------------------------------------------------------------------------------

describe("adapters with dropout on both heads", () => {
  const heads = { linear: ["v_head.summary"], mlp: ["v_head.summary.0", "v_head.summary.2"] };
  const adapted = (type: keyof typeof heads, method: TrainMethod): TrainOptions => ({
    ...{ method, mode: "lora", loraRank: 2, loraDropout: 0.4, alpha: 0.3, seed: 2 },
    loraLayers: [...heads[type], "lm_head", "model.layers.*.self_attn.q_proj"],
    ...{ steps: 6, batchSize: 8, lr: 0.01, checkpointEvery: 1 },
  });

  const adaptable = trainMethods.filter((name) => name !== "frozen" && name !== "l2-sp");
  for (const type of ["linear", "mlp"] as const) {
    for (const method of adaptable) {
      test(`train with ${method} on a ${type} head, and go on with the same bits`, async () => {
        const options = adapted(type, method);
        const folder = mkdtempSync(join(tmpdir(), "twoheads-heads-"));
        const path = join(folder, "checkpoint.safetensors");
        const model = (): RewardModel => toyModel({ dropout: 0.1, type });
        try {
          const alone = await ran(options, {}, { model: model() });
          const none = await ran({ ...options, loraDropout: 0 }, {}, { model: model() });
          const bits = bitsOf(alone.model.stateDict());
          assert.notEqual(bits, bitsOf(none.model.stateDict()), "it dropped");
          const adapter = `${heads[type][0]}.lora.b`;
          const trained = alone.model.stateDict()[adapter];
          assert.ok(
            trained?.data.some((x) => x !== 0),
            `${adapter} was trained`,
          );
          const stop = new AbortController();
          const hooks: TrainHooks = {
            signal: stop.signal,
            onProgress: ({ step }) => step === 3 && stop.abort(),
            onCheckpoint: (checkpoint) => saveTrainCheckpoint(path, checkpoint),
          };
          await ran(options, hooks, { model: model() });
          const resume = loadTrainCheckpoint(path);
          const rest = await ran(options, { resume }, { model: model() });
          assert.equal(bitsOf(rest.model.stateDict()), bits);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      });
    }
  }
});

// --- Stopping, resuming, failing ---------------------------------------------------------------------

describe("a run", () => {
  const on = toyPairs(40, 3);
  const hooks = { validation: toyPairs(8, 4) };
  const options: TrainOptions = { ...toyOptions, epochs: 2 };

  test("stopped after any step and resumed from a file ends with the same bits", async () => {
    const folder = mkdtempSync(join(tmpdir(), "twoheads-train-"));
    const path = join(folder, "checkpoint.safetensors");
    try {
      const alone = await ran(options, hooks, { model: toyModel({ dropout: 0.1 }), on });
      const steps = alone.steps.length;
      const without = (record: TrainRecord): object => {
        return { ...record, seconds: 0, tokens_per_second: 0 };
      };
      for (const stopAt of [1, 5, steps - 1]) {
        const stop = new AbortController();
        const first = await ran(
          options,
          {
            ...hooks,
            signal: stop.signal,
            onProgress: ({ step }) => step === stopAt && stop.abort(),
            onCheckpoint: (checkpoint) => saveTrainCheckpoint(path, checkpoint),
          },
          { model: toyModel({ dropout: 0.1 }), on },
        );
        assert.equal(first.steps.length, stopAt);
        const resume = loadTrainCheckpoint(path);
        const model = toyModel({ dropout: 0.1 });
        const second = await ran(options, { ...hooks, resume }, { model, on });
        assert.equal(bitsOf(second.model.stateDict()), bitsOf(alone.model.stateDict()));
        const both = [...first.records, ...second.records].map(without);
        assert.deepEqual(both, alone.records.map(without));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("keeps the best weights where that is asked for", async () => {
    const overfit: TrainOptions = { ...options, flips: 0.4, lr: 0.02, epochs: 6, best: "loss" };
    const model = toyModel();
    const records: TrainRecord[] = [];
    const hooks = {
      validation: toyPairs(40, 4),
      onRecord: (r: TrainRecord) => void records.push(r),
    };
    const { best } = await train(model, toyPairs(24, 3), overfit, hooks);
    const evaluations = records.filter((r) => r.kind === "evaluation");
    const least = Math.min(...evaluations.map((r) => r.loss));
    assert.equal(best?.loss, least);
    assert.ok((best?.step ?? 0) < (evaluations.at(-1)?.step ?? 0), "the last isn't the best");
    const batch = makePairBatch(hooks.validation);
    const { rewards } = noGrad(() => model.forward(batch.ids, { mask: batch.mask }));
    const [r_c, r_r] = rewards.split(40) as [Tensor, Tensor];
    near(bradleyTerry(r_c, r_r).data[0], least);
  });

  test("is not resumed with other settings or other pairs; a finished one has no step left", async () => {
    let last: Parameters<NonNullable<TrainHooks["onCheckpoint"]>>[0] | undefined;
    const onCheckpoint: TrainHooks["onCheckpoint"] = (checkpoint) => {
      last = { ...checkpoint };
    };
    const stop = AbortSignal.abort();
    await ran(options, { ...hooks, onCheckpoint, signal: stop }, { on });
    const again = (changes: TrainOptions, data = on) =>
      ran({ ...options, ...changes }, { ...hooks, resume: last }, { on: data });
    await assert.rejects(again({ lr: 0.5 }), /lr was 0.003, not 0.5/);
    await assert.rejects(again({}, toyPairs(40, 5)), /the pairs aren't the ones/);
    const whole = await ran(options, { ...hooks, onCheckpoint }, { on });
    const { steps, records, model } = await again({});
    assert.deepEqual([steps, records], [[], []]);
    assert.equal(bitsOf(model.stateDict()), bitsOf(whole.model.stateDict()));
  });

  test("is not resumed from a checkpoint without what it needs", async () => {
    const dpo: TrainOptions = { ...options, method: "grm-dpo" };
    const kept: TrainCheckpoint[] = [];
    const stop = AbortSignal.abort();
    const onCheckpoint = (checkpoint: TrainCheckpoint) => void kept.push(checkpoint);
    await ran(dpo, { ...hooks, onCheckpoint, signal: stop }, { on });
    const [last] = kept;
    assert.ok(last);
    const from = (changes: Partial<TrainCheckpoint>) =>
      ran(dpo, { ...hooks, resume: { ...last, ...changes } }, { on });
    const { s_c } = last.reference;
    assert.ok(s_c);
    await assert.rejects(from({ reference: {} }), /reference is missing, needed s_c \[40\], s_r/);
    await assert.rejects(from({ reference: { s_c } }), /reference is s_c \[40\], needed s_c/);
    await assert.rejects(from({ best: {} }), /best weights aren't those/);
    const [[name = "", weight] = []] = Object.entries(last.model);
    const model = { ...last.model, [name]: (weight as Tensor).to("int32") };
    await assert.rejects(from({ model }), /is float\d\d, the dict has int32/);
  });

  test("that meets a NaN says step, lines and op, and keeps its last checkpoint", async () => {
    const model = toyModel();
    const checkpoints: number[] = [];
    const poison: TrainHooks = {
      onCheckpoint: ({ state }) => void checkpoints.push(state.step),
      onProgress({ step }) {
        if (step < 3) return;
        model.vHead.parameters()[0]?.assign(new Float32Array(256).fill(3e38)); // finite, just so
      },
    };
    const failing = ran({ ...options, method: "grm-sft", checkpointEvery: 2 }, poison, {
      model,
      on,
    });
    await assert.rejects(failing, (error: Error) => {
      assert.match(
        error.message,
        /^train: the loss is (NaN|-?Infinity) at step 4, on lines \d+, \d/,
      );
      assert.match(error.message, /the first (NaN|infinity) appears here: .* at .*of shape/);
      assert.match(error.message, /the last checkpoint is of step 2/);
      return true;
    });
    assert.deepEqual(checkpoints, [0, 2]);
  });

  test("never saves parameters that aren't finite", async () => {
    const model = toyModel();
    const poison: TrainHooks = {
      onCheckpoint: () => {},
      onProgress({ step }) {
        if (step === 9) model.vHead.parameters()[0]?.assign(new Float32Array(256).fill(Infinity));
      },
    };
    await assert.rejects(
      ran({ ...options, method: "bt" }, poison, { model, on }),
      /v_head\.summary\.0\.weight isn't finite any more/,
    );
  });
});

const program = fileURLToPath(new URL("toyPreferences.ts", import.meta.url));

/** Runs the toy training in a folder; with `killAt`, kills it that many milliseconds after a step. */
function child(folder: string, kill?: { readonly step: number; readonly ms: number }) {
  const process_ = spawn(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), program, folder],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  process_.stdout.on("data", (text: Buffer) => {
    const last = Number(text.toString().trim().split("\n").at(-1));
    if (kill && last >= kill.step) setTimeout(() => process_.kill("SIGKILL"), kill.ms);
  });
  return new Promise<string | null>((resolve) =>
    process_.on("exit", (_, signal) => resolve(signal)),
  );
}

describe("texts for the text-generation loss", () => {
  const options: TrainOptions = {
    ...toyOptions,
    flips: 0,
    method: "grm-sft",
    alpha: 0.5,
    steps: 4,
    batchSize: 8,
  };
  const chosen = pairs.map((pair) => pair.chosen);
  const rejected = pairs.map((pair) => pair.rejected);

  test("those of the chosen answers change nothing but the last bits", async () => {
    const [usual, given] = [await ran(options), await ran(options, { texts: chosen })];
    for (const [i, { reg_loss, reward_loss, reg_hidden_grad }] of usual.steps.entries()) {
      near(given.steps[i]?.reg_loss, reg_loss ?? Number.NaN);
      near(given.steps[i]?.reward_loss, reward_loss);
      near(given.steps[i]?.reg_hidden_grad, reg_hidden_grad ?? Number.NaN, 1e-4);
    }
  });

  test("other ones are read in their place, each beside its pair", async () => {
    const swapped = pairs.map((pair) => ({
      ...pair,
      chosen: pair.rejected,
      rejected: pair.chosen,
    }));
    const [first] = (await ran(options, { texts: rejected })).steps;
    const [usual] = (await ran(options)).steps;
    const [other] = (await ran(options, {}, { on: swapped })).steps;
    near(first?.reward_loss, usual?.reward_loss ?? Number.NaN);
    near(first?.reg_loss, other?.reg_loss ?? Number.NaN);
    assert.ok(Math.abs((first?.reg_loss ?? 0) - (usual?.reg_loss ?? 0)) > 1e-3);
  });

  test("a run goes on with the same ones alone", async () => {
    let last: TrainCheckpoint | undefined;
    const onCheckpoint = (made: TrainCheckpoint): void => {
      last ??= made;
    };
    const hooks = { texts: rejected, onCheckpoint };
    await ran({ ...options, checkpointEvery: 2 }, hooks);
    assert.ok(last);
    await assert.rejects(
      ran(options, { texts: chosen, resume: last }),
      /the pairs aren.t the ones/,
    );
  });

  test("are one for each pair, for grm-sft, within the context", async () => {
    const refused = (texts: typeof chosen, message: RegExp, method: TrainMethod = "grm-sft") =>
      assert.rejects(ran({ ...options, method }, { texts }), message);
    await refused(chosen.slice(1), /got 23 texts for 24 pairs; needed one for each/);
    await refused(chosen, /method bt reads no texts; needed grm-sft/, "bt");
    const long = { ids: new Int32Array(99), labels: new Int32Array(99) };
    await refused(
      [...chosen.slice(1), long],
      /text 24 has 99 tokens, more than the model's context/,
    );
  });
});

test("a margin that no float32 holds is told with its pair before the first step, in every method", async () => {
  for (const margin of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300]) {
    const on = pairs.map((pair, i) => ({ ...pair, margin: i === 2 ? margin : 1 }));
    for (const method of ["margin", "bt"] as const) {
      let steps = 0;
      const onProgress = (): void => void steps++;
      await assert.rejects(
        ran({ ...toyOptions, method }, { onProgress }, { on }),
        /1 of 24 pairs have a margin beyond what a float32 holds, 3\.4e38 \(line 3\); measure margins in another unit/,
      );
      assert.equal(steps, 0);
    }
  }
});

test("a run that is killed at a random moment and resumed ends with the same bits", async () => {
  const folder = mkdtempSync(join(tmpdir(), "twoheads-kill-"));
  const [calm, killed] = [join(folder, "calm"), join(folder, "killed")];
  const at = (path: string, name: string): Buffer => readFileSync(join(path, name));
  try {
    const moment = { step: 3 + Math.floor(Math.random() * 25), ms: Math.random() * 40 };
    const signal = await child(killed, moment);
    assert.equal(signal, "SIGKILL", `it was over before it was killed (${JSON.stringify(moment)})`);
    assert.equal(await child(killed), null);
    await toyRun(calm);
    assert.ok(at(calm, "model.safetensors").equals(at(killed, "model.safetensors")));
    const metrics = (path: string): string[] =>
      parseTrainMetrics(at(path, "metrics.jsonl").toString()).records.map((record) =>
        JSON.stringify({ ...record, seconds: 0, tokens_per_second: 0 }),
      );
    assert.deepEqual(metrics(killed), metrics(calm));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
