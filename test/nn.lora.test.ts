// LoRA: a fresh adapter changes nothing, training touches adapters alone, merged and unmerged compute the
// same, and switched off the model is what it was. Next: nn.generate.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crossEntropy, noGrad, random, type Tensor, tensor } from "../core/index.ts";
import {
  AdamW,
  addLoRA,
  CausalLM,
  Linear,
  loraStateDict,
  type ModelOptions,
  Module,
  mergeLoRA,
  unmergeLoRA,
  withoutAdapters,
} from "../nn/index.ts";

const llama: ModelOptions = { vocabSize: 7, dim: 8, layers: 2, heads: 2 };
const styles: [string, ModelOptions, string[]][] = [
  ["llama", llama, ["model.layers.*.self_attn.q_proj", "model.layers.*.self_attn.v_proj"]],
  ["gpt2", { ...llama, style: "gpt2" } as ModelOptions, ["transformer.h.*.attn.c_attn"]],
];
const ids = tensor([[1, 2, 3, 4]], { dtype: "int32" });
const targets = tensor([[2, 3, 4, 5]], { dtype: "int32" });

function logits(lm: CausalLM): Float64Array {
  return Float64Array.from(noGrad(() => lm.forward(ids)).data);
}

function train(lm: CausalLM, steps = 5): void {
  const optimiser = new AdamW(lm, { lr: 0.05 });
  for (let step = 0; step < steps; step++) {
    optimiser.zeroGrad();
    crossEntropy(lm.forward(ids), targets).backward();
    optimiser.step();
  }
}

function away(a: Float64Array, b: Float64Array): number {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

for (const [name, options, layers] of styles) {
  describe(`adapters on a ${name}`, () => {
    const lm = new CausalLM(options, { rng: random(1) });
    const base = logits(lm);
    const weights = lm.namedParameters();
    const before = new Map(weights.map(([key, p]) => [key, p.data.slice()]));
    addLoRA(lm, { layers, rank: 2, alpha: 4, rng: random(2) });

    test("change nothing while they are fresh, and nothing else is trained", () => {
      assert.deepEqual(logits(lm), base);
      const trained = lm.namedParameters().filter(([, p]) => p.requiresGrad);
      assert.equal(trained.length, 2 * 2 * layers.length, "A and B of two blocks");
      assert.ok(trained.every(([key]) => /\.lora\.[ab]$/.test(key)));
    });

    test("learn; the weights below them stay to the bit", () => {
      train(lm);
      assert.ok(away(logits(lm), base) > 0.01);
      for (const [key, p] of weights) assert.deepEqual(p.data, before.get(key), key);
    });

    test("switched off leave the model that was, also when fn throws", () => {
      const adapted = logits(lm);
      assert.deepEqual(
        withoutAdapters(lm, () => logits(lm)),
        base,
      );
      assert.throws(
        () =>
          withoutAdapters(lm, () => {
            throw new Error("mine");
          }),
        /mine/,
      );
      assert.deepEqual(logits(lm), adapted);
      assert.throws(() => withoutAdapters(lm, async () => 1), /returned a promise/);
    });

    test("merged compute the same, and unmerging restores every bit", () => {
      const adapted = logits(lm);
      mergeLoRA(lm);
      mergeLoRA(lm);
      assert.ok(away(logits(lm), adapted) < 1e-6);
      assert.ok(away(logits(lm), base) > 0.01);
      assert.throws(() => withoutAdapters(lm, () => 1), /is merged; call unmergeLoRA/);
      unmergeLoRA(lm);
      assert.deepEqual(logits(lm), adapted);
      for (const [key, p] of weights) assert.deepEqual(p.data, before.get(key), key);
    });

    test("are saved by themselves and come back", () => {
      const dict = loraStateDict(lm);
      assert.equal(Object.keys(dict).length, 2 * 2 * layers.length);
      const other = new CausalLM(options, { rng: random(1) });
      addLoRA(other, { layers, rank: 2, alpha: 4, rng: random(3) });
      const report = other.loadStateDict(dict, { strict: false });
      assert.deepEqual(report.unexpected, []);
      assert.deepEqual(logits(other), logits(lm));
    });
  });
}

test("dropout is on what goes into the adapter alone, in training alone", () => {
  const lm = new CausalLM(llama, { rng: random(1) });
  addLoRA(lm, { layers: ["lm_head"], rank: 2, dropout: 0.5, rng: random(2) });
  assert.throws(() => lm.forward(ids), /dropout: needs a generator/);
  lm.lmHead.lora?.b.assign(new Float32Array(14).fill(1));
  const run = (seed: number): Tensor => lm.train({ rng: random(seed) }).forward(ids);
  assert.deepEqual(run(1).data, run(1).data);
  assert.notDeepEqual(run(1).data, run(2).data);
  const evaluated = (): Tensor => lm.eval().forward(ids);
  assert.deepEqual(evaluated().data, evaluated().data);
  assert.notDeepEqual(evaluated().data, run(1).data);
});

test("an adapter takes over the mode and the generator of its layer", () => {
  const draws = (lm: CausalLM): ArrayLike<number> => {
    addLoRA(lm, { layers: ["lm_head"], rank: 2, dropout: 0.5, rng: random(2) });
    lm.lmHead.lora?.b.assign(new Float32Array(14).fill(1));
    return lm.forward(ids).data;
  };
  const fresh = (): CausalLM => new CausalLM(llama, { rng: random(1) });
  const [one, two] = [1, 2].map((seed) => draws(fresh().train({ rng: random(seed) })));
  assert.notDeepEqual(one, two);
  assert.deepEqual(draws(fresh().eval()), draws(fresh().eval()));
});

test("mistakes say what there is", () => {
  const lm = new CausalLM(llama, { rng: random(1) });
  const options = { rank: 2, rng: random(1) };
  assert.throws(() => addLoRA(lm, { ...options, layers: ["model.layers.*.q_proj"] }), {
    message: /no linear layer is called "model.layers.\*.q_proj"; near are .*self_attn.q_proj/,
  });
  assert.ok(lm.lmHead.weight.requiresGrad, "and nothing was frozen");
  assert.throws(() => addLoRA(lm, { layers: ["lm_head"], rank: 0, rng: random(1) }), /rank 0/);
  addLoRA(lm, { ...options, layers: ["lm_head"] });
  assert.throws(
    () => mergeLoRA(lm),
    /weight of "lm_head" is tied to "model.embed_tokens", "lm_head"/,
  );
  assert.ok(lm.lmHead instanceof Linear);
});

test("a weight that a list holds too is tied: merging would change it there", () => {
  class Tied extends Module {
    readonly part = new Linear(3, 3, { rng: random(1) });
    readonly tables = [[this.part.weight]];
  }
  const model = addLoRA(new Tied(), { layers: ["part"], rank: 1, rng: random(2) });
  assert.throws(() => mergeLoRA(model), /weight of "part" is tied to "", "part"/);
  class Twice extends Module {
    readonly part = new Linear(3, 3, { rng: random(1) });
    readonly again = [this.part];
  }
  mergeLoRA(addLoRA(new Twice(), { layers: ["part"], rank: 1, rng: random(2) }));
});
