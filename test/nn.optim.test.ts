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

type Pair = readonly [string, Tensor];

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
    amsgrad: (all) =>
      new AdamW(all, { lr: 0.05, beta1: 0.8, beta2: 0.9, weightDecay: 0.1, amsgrad: true }),
    dampening: (all) => new SGD(all, { lr: 0.05, weightDecay: 0.1, momentum: 0.9, dampening: 0.4 }),
    groups: (all) => {
      const [weight, bias] = [...all];
      return new AdamW(
        [
          { parameters: [weight as Pair], lr: 0.02, weightDecay: 0.3 },
          { parameters: [bias as Pair], decays: () => true },
        ],
        { lr: 0.05, weightDecay: 0.2 },
      );
    },
    scheduled: (all) => {
      const [weight, bias] = [...all];
      const groups = [
        { parameters: [weight as Pair], lr: 0.02 },
        { parameters: [bias as Pair], weightDecay: 0.01 },
      ];
      return new AdamW(groups, { lr: 0.05 });
    },
    late: (all) => new AdamW(all, { lr: 0.05, weightDecay: 0.1 }),
    alternating: (all) => new AdamW(all, { lr: 0.05, weightDecay: 0.1 }),
    "dampened late": (all) =>
      new SGD(all, { lr: 0.05, weightDecay: 0.1, momentum: 0.9, dampening: 0.4 }),
  };
  const hasNone: Record<string, (p: Tensor, t: number) => boolean> = {
    late: (p, t) => p.rank === 1 && t < 4,
    "dampened late": (p, t) => p.rank === 1 && t < 4,
    alternating: (p, t) => (p.rank === 1) === (t % 2 === 0),
  };
  for (const [name, make] of Object.entries(kinds)) {
    test(`${name}: five steps, saved and loaded after every one`, () => {
      const all = parameters();
      let optimiser = make(all);
      const norms: number[] = [];
      for (let t = 1; t <= 5; t++) {
        setGradients(all.values(), t);
        for (const p of all.values()) if (hasNone[name]?.(p, t)) p.grad = null;
        if (name === "scheduled") optimiser.lr = 0.05 * 0.5 ** (t - 1);
        const norm = optimiser.step(name === "clipped" ? { maxNorm: 1 } : {});
        if (norm !== null) norms.push(norm.data[0] ?? Number.NaN);
        const { tensors, ...counts } = optimiser.stateDict();
        optimiser = make(all);
        optimiser.loadStateDict({ tensors, ...JSON.parse(JSON.stringify(counts)) });
      }
      near(all.get("weight")?.data ?? [], golden[name]?.weight ?? []);
      near(all.get("bias")?.data ?? [], golden[name]?.bias ?? []);
      near(norms, golden[name]?.norms ?? []);
    });
  }

  test("a parameter that is first seen at step 5,001 moves by lr, as PyTorch's does", () => {
    const [a, b] = [0, 0].map((x) => tensor([x], { dtype: "float64", requiresGrad: true })) as [
      ...[Tensor, Tensor],
    ];
    const all: Pair[] = [
      ["a", a],
      ["b", b],
    ];
    const optimiser = new AdamW(all, { lr: 0.125, weightDecay: 0 });
    const one = tensor([1], { dtype: "float64" });
    optimiser.loadStateDict({ step: 5000, tensors: { "a.m": one, "a.v": one } });
    for (const p of [a, b]) p.grad = tensor([3], { dtype: "float64" });
    optimiser.step();
    near(b.data, [-0.125], 1e-8);
    assert.deepEqual(optimiser.stateDict().missed, { b: 5000 });
    assert.equal(optimiser.steps, 5001);
  });

  test("a state from before parameters were counted one by one goes on with its steps for all", () => {
    const all = parameters();
    const optimiser = new AdamW(all, { lr: 0.05, weightDecay: 0.1 });
    setGradients(all.values(), 1);
    optimiser.step();
    const { step, tensors, ...rest } = optimiser.stateDict();
    assert.deepEqual([step, rest], [1, {}], "nothing else is kept while nothing is missed");
    optimiser.loadStateDict({ step: 7, tensors });
    assert.equal(optimiser.stateDict().missed, undefined);
    assert.throws(
      () => optimiser.loadStateDict({ step: 7, tensors, missed: { bias: 8 } }),
      /"bias" missed 8 of 7 steps/,
    );
  });

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
    const none = () =>
      accumulate(
        parts,
        (part) => cut.loss(part),
        () => 0,
      );
    assert.throws(none, /weights sum to 0/); // their mean would be 0 / 0
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

describe("what an optimiser is given", () => {
  const refused = (optimised: unknown, message: RegExp): void => {
    assert.throws(() => new AdamW(optimised as never, { lr: 0.1 }), {
      name: "ArgumentError",
      message,
    });
  };
  test("parameters without names, and what is none", () => {
    const net = new Net();
    const wanted =
      /^AdamW: needs a module, or named parameters \(model\.namedParameters\(\)\), or groups/;
    for (const wrong of [
      net.parameters(),
      new Set(net.parameters()),
      [net],
      [["a", 1]],
      [["a"]],
      [undefined],
    ])
      refused(wrong, wanted);
    for (const wrong of [undefined, null, 3, "model", net.layer.weight, { lr: 1 }, () => net])
      refused(wrong, wanted);
    refused(net.parameters(), /got a list with a tensor; model\.parameters\(\) has no names/);
  });

  test("names that stand for two parameters, and parameters with two names", () => {
    const [a, b] = [new Net(), new Net()];
    refused(
      [...a.namedParameters(), ...b.namedParameters()],
      /two parameters are called "layer.weight"/,
    );
    refused([{ parameters: a }, { parameters: b }], /two parameters are called "layer.weight"/);
    refused(
      [...a.namedParameters(), ...a.namedParameters()],
      /are the same parameter; give it once/,
    );
    refused(
      [{ parameters: a }, { parameters: [["x", a.norm.weight]] }],
      /"norm.weight" and "x" are the same/,
    );
    const renamed = b.namedParameters().map(([name, p]) => [`b.${name}`, p] as const);
    const optimiser = new AdamW([...a.namedParameters(), ...renamed], { lr: 0.1 });
    a.loss(batch(1))
      .add(b.loss(batch(1)))
      .backward();
    const before = [a, b].map((net) => net.norm.bias.data.slice());
    optimiser.step();
    [a, b].forEach((net, i) => {
      assert.notDeepEqual(net.norm.bias.data, before[i]);
    });
  });

  test("groups that need a learning rate beside theirs; Nesterov's momentum without any", () => {
    const groups = [{ parameters: new Net(), lr: 0.1 }];
    assert.throws(() => new SGD(groups, { lr: 0 }), /SGD: a group's lr needs an lr > 0 beside it/);
    assert.throws(() => new SGD(new Net(), { lr: 1, nesterov: true }), /needs momentum > 0/);
  });

  test("numbers that no step can be taken with, before a parameter is lost", () => {
    const refusedWith = (make: () => unknown, message: RegExp): void => {
      assert.throws(make, { name: "ArgumentError", message });
    };
    const net = new Net();
    for (const wrong of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      refusedWith(
        () => new AdamW(net, { lr: wrong }),
        /^AdamW: lr is \S+; needed a number that is/,
      );
      refusedWith(() => new AdamW(net, { lr: 1, weightDecay: wrong }), /^AdamW: weightDecay is/);
      refusedWith(() => new AdamW(net, { lr: 1, eps: wrong }), /^AdamW: eps is/);
      refusedWith(() => new SGD(net, { lr: 1, momentum: wrong }), /^SGD: momentum is/);
      refusedWith(() => new SGD(net, { lr: 1, momentum: 0.9, dampening: wrong }), /dampening is/);
      refusedWith(
        () => new SGD([{ parameters: net, lr: wrong }], { lr: 1 }),
        /^SGD: a group: lr is/,
      );
    }
    for (const wrong of [Number.NaN, -0.1, 1, 1.5]) {
      refusedWith(() => new AdamW(net, { lr: 1, beta1: wrong }), /beta1 is .* below 1$/);
      refusedWith(() => new AdamW(net, { lr: 1, beta2: wrong }), /beta2 is .* below 1$/);
    }
    const optimiser = new AdamW(net, { lr: 0 });
    net.loss(batch(1)).backward();
    const before = net.norm.bias.data.slice();
    refusedWith(() => optimiser.step({ maxNorm: Number.NaN }), /^AdamW: maxNorm is NaN/);
    optimiser.lr = Number.NaN;
    refusedWith(() => optimiser.step(), /^AdamW: lr is NaN/);
    assert.deepEqual([...net.norm.bias.data], [...before]);
    assert.equal(optimiser.steps, 0);
    refusedWith(() => clipGradNorm(net.parameters(), -1), /^clipGradNorm: maxNorm is -1/);
  });
});

describe("learning rates", () => {
  test("rise linearly, then stay, fall along a cosine, or along a line", () => {
    const options = { lr: 1, warmup: 4, steps: 12, minLr: 0.2 };
    const constant = constantSchedule({ lr: 1, warmup: 4 });
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
