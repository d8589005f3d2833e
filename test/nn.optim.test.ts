// Optimisers against PyTorch's, clipping, accumulation, resuming to the bit, and learning rates.
// Next: nn.lora.test.ts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { noGrad, random, type Tensor, tensor } from "../core/index.ts";
import {
  AdamW,
  accumulate,
  CausalLM,
  clipGradNorm,
  constantSchedule,
  cosineSchedule,
  LayerNorm,
  Linear,
  linearSchedule,
  Module,
  type Optimiser,
  type OptimiserState,
  SGD,
} from "../nn/index.ts";

interface Golden {
  readonly weight: number[];
  readonly bias: number[];
  readonly norms: number[];
}

const golden = JSON.parse(
  readFileSync(fileURLToPath(new URL("golden/nn/optimisers.json", import.meta.url)), "utf8"),
) as Readonly<Record<string, Golden>>;

function near(found: ArrayLike<number>, expected: ArrayLike<number>, limit = 1e-12): void {
  assert.equal(found.length, expected.length);
  for (let i = 0; i < found.length; i++)
    assert.ok(Math.abs((found[i] ?? 0) - (expected[i] ?? 0)) <= limit, `${found} and ${expected}`);
}

/** A matrix and a bias as in test/golden/nn/make.py. */
function parameters(): Map<string, Tensor> {
  const filled = (shape: number[], by: number): Tensor => {
    const size = shape.reduce((a, b) => a * b);
    const values = Float64Array.from({ length: size }, (_, i) => i / by);
    return tensor(values, { shape, requiresGrad: true });
  };
  return new Map([
    ["weight", filled([2, 3], 4)],
    ["bias", filled([3], 8)],
  ]);
}

function setGradients(list: Iterable<Tensor>, t: number): void {
  for (const p of list) {
    const values = Float64Array.from({ length: p.size }, (_, i) => Math.sin(i + 7 * t) * t);
    p.grad = tensor(values, { shape: p.shape });
  }
}

describe("against PyTorch (test/golden/nn/make.py)", () => {
  const kinds: Record<string, (all: Map<string, Tensor>) => Optimiser> = {
    adamw: (all) =>
      new AdamW(all, { lr: 0.05, beta1: 0.8, beta2: 0.95, eps: 1e-6, weightDecay: 0.1 }),
    sgd: (all) => new SGD(all, { lr: 0.05, weightDecay: 0.1 }),
    momentum: (all) => new SGD(all, { lr: 0.05, weightDecay: 0.1, momentum: 0.9 }),
    nesterov: (all) => new SGD(all, { lr: 0.05, weightDecay: 0.1, momentum: 0.9, nesterov: true }),
    clipped: (all) => new AdamW(all, { lr: 0.05, weightDecay: 0 }),
  };
  for (const [name, make] of Object.entries(kinds)) {
    test(`${name}: five steps; the matrix decays, the bias doesn't`, () => {
      const all = parameters();
      const optimiser = make(all);
      const norms: number[] = [];
      for (let t = 1; t <= 5; t++) {
        setGradients(all.values(), t);
        const norm = optimiser.step(name === "clipped" ? { maxNorm: 1 } : {});
        if (norm !== null) norms.push(norm.data[0] ?? Number.NaN);
      }
      near(all.get("weight")?.data ?? [], golden[name]?.weight ?? []);
      near(all.get("bias")?.data ?? [], golden[name]?.bias ?? []);
      near(norms, golden[name]?.norms ?? []);
    });
  }

  test("clipGradNorm changes the gradients, step({ maxNorm }) the step alone: the same parameters", () => {
    const all = parameters();
    const optimiser = new AdamW(all, { lr: 0.05, weightDecay: 0 });
    for (let t = 1; t <= 5; t++) {
      setGradients(all.values(), t);
      const norm = clipGradNorm([...all.values()], 1);
      near(norm.data, [golden.clipped?.norms[t - 1] ?? Number.NaN]);
      optimiser.step();
    }
    near(all.get("weight")?.data ?? [], golden.clipped?.weight ?? []);
  });
});

/** A layer with a norm behind it. */
class Net extends Module {
  readonly layer = new Linear(4, 4, { rng: random(1) });
  readonly norm = new LayerNorm(4);

  loss(x: Tensor): Tensor {
    return this.norm.forward(this.layer.forward(x)).sub(x).square().mean();
  }
}

const batch = (seed: number): Tensor => {
  const rng = random(seed);
  return tensor(
    Float32Array.from({ length: 12 }, () => rng.normal()),
    { shape: [3, 4] },
  );
};

function train(net: Net, optimiser: Optimiser, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    optimiser.zeroGrad();
    net.loss(batch(step)).backward();
    optimiser.step({ maxNorm: 1 });
  }
}

describe("state", () => {
  const kinds: Record<string, (net: Net) => Optimiser> = {
    AdamW: (net) => new AdamW(net, { lr: 0.01 }),
    SGD: (net) => new SGD(net, { lr: 0.01, momentum: 0.9 }),
  };
  for (const [name, make] of Object.entries(kinds)) {
    test(`${name} goes on to the bit after saving and loading`, () => {
      const whole = new Net();
      train(whole, make(whole), 0, 6);
      const first = new Net();
      const before = make(first);
      train(first, before, 0, 3);
      const copy = ({ step, tensors }: OptimiserState): OptimiserState => ({
        step,
        tensors: Object.fromEntries(
          Object.entries(tensors).map(([key, x]) => [key, noGrad(() => x.mul(1))]),
        ),
      });
      const state = copy(before.stateDict());
      const second = new Net();
      second.loadStateDict(first.stateDict());
      const after = make(second);
      after.loadStateDict(state);
      train(second, after, 3, 6);
      for (const [key, p] of second.namedParameters())
        assert.deepEqual(p.data, whole.stateDict()[key]?.data, key);
      assert.equal(after.steps, 6);
    });
  }

  test("of other parameters is refused by name", () => {
    const net = new Net();
    const optimiser = new AdamW(net, { lr: 0.1 });
    const x = tensor([1]);
    const tensors = { "layer.weight.m": x, "head.weight.m": x };
    assert.throws(() => optimiser.loadStateDict({ step: 1, tensors }), {
      message:
        'loadStateDict: no parameter for "head.weight.m"; "layer.weight.m" is [1], needed [4,4]; ' +
        '"layer.weight.v" is [undefined], needed [4,4]',
    });
  });
});

describe("steps", () => {
  test("need a gradient, and leave frozen parameters and those without one alone", () => {
    const net = new Net();
    const optimiser = new AdamW(net, { lr: 0.1 });
    assert.throws(() => optimiser.step(), /AdamW: no parameter has a gradient; call loss.backward/);
    net.layer.freeze();
    const before = net.layer.weight.data.slice();
    net.loss(batch(1)).backward();
    optimiser.step();
    assert.deepEqual(net.layer.weight.data, before);
    assert.notEqual(net.norm.weight.data[0], 1);
    assert.deepEqual(Object.keys(optimiser.stateDict().tensors), [
      "norm.weight.m",
      "norm.weight.v",
      "norm.bias.m",
      "norm.bias.v",
    ]);
    optimiser.zeroGrad();
    assert.equal(net.norm.weight.grad, null);
    assert.throws(() => new AdamW(new Map(), { lr: 1 }), /got no parameters/);
  });

  test("decay what `decays` chooses", () => {
    const all = parameters();
    const optimiser = new AdamW(all, {
      lr: 0.1,
      weightDecay: 0.5,
      decays: (name) => name === "bias",
    });
    for (const p of all.values()) p.grad = noGrad(() => p.mul(0));
    optimiser.step();
    near(all.get("weight")?.data ?? [], parameters().get("weight")?.data ?? []);
    near(all.get("bias")?.data ?? [], [0, 0.95 / 8, 0.95 / 4]);
  });

  test("accumulate gives the gradient of one large batch, however it is cut", () => {
    const [whole, cut] = [new Net(), new Net()];
    const x = batch(1);
    const loss = whole.loss(x);
    loss.backward();
    const parts = [x.slice({ dim: 0, end: 1 }), x.slice({ dim: 0, start: 1 })];
    const mean = accumulate(
      parts,
      (part) => cut.loss(part),
      (part) => part.shape[0] ?? 0,
    );
    near(mean.data, loss.data as Float32Array, 1e-6);
    whole.parameters().forEach((p, i) => {
      near(cut.parameters()[i]?.grad?.data ?? [], p.grad?.data ?? [1], 1e-6);
    });
    assert.throws(() => accumulate([], () => loss), /got no batches/);
  });

  test("of a tied model count its embedding once", () => {
    const options = { vocabSize: 5, dim: 4, layers: 1, heads: 2 };
    const lm = new CausalLM(options, { rng: random(1) });
    const optimiser = new AdamW(lm, { lr: 0.1 });
    lm.forward(tensor([[1, 2]], { dtype: "int32" }))
      .sum()
      .backward();
    optimiser.step();
    const names = Object.keys(optimiser.stateDict().tensors);
    assert.ok(names.includes("model.embed_tokens.weight.m"));
    assert.ok(!names.includes("lm_head.weight.m"));
  });
});

describe("learning rates", () => {
  test("rise linearly, then stay, fall along a cosine, or along a line", () => {
    const options = { lr: 1, warmup: 4, steps: 12, minLr: 0.2 };
    const constant = constantSchedule(options);
    const cosine = cosineSchedule(options);
    const linear = linearSchedule(options);
    for (const schedule of [constant, cosine, linear])
      near([0, 1, 3, 4].map(schedule), [0.25, 0.5, 1, 1]);
    near([8, 100].map(constant), [1, 1]);
    near([6, 8, 12, 100].map(cosine), [0.2 + 0.8 * (0.5 + Math.SQRT1_2 / 2), 0.6, 0.2, 0.2]);
    near([6, 8, 12, 100].map(linear), [0.8, 0.6, 0.2, 0.2]);
    near([constantSchedule({ lr: 3 })(0)], [3]);
    assert.throws(() => cosineSchedule({ lr: 1, warmup: 4, steps: 4 }), /leave nothing after/);
  });
});
