// The module tree: names come from the fields, state goes out and comes back whole or not at all, and
// activations are captured and edited by name. Next: nn.transformer.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noGrad, ones, random, type Tensor, tensor, zeros } from "../core/index.ts";
import {
  AdamW,
  CausalLM,
  capture,
  Dropout,
  Embedding,
  edit,
  Linear,
  type ModelOptions,
  Module,
} from "../nn/index.ts";

const rng = random(7);

/** Two layers and a list of one, the last tied to the first. */
class Small extends Module {
  readonly upProj = new Linear(2, 3, { rng });
  readonly layerNorms = [new Linear(3, 3, { rng, bias: false })];
  readonly outHead = new Linear(2, 3, { rng, bias: false, weight: this.upProj.weight });
  readonly drop = new Dropout(0.5);
  readonly #hidden = new Linear(1, 1, { rng });

  forward(x: Tensor): Tensor {
    const inner = this.tap("inner", this.upProj.forward(x));
    const [layer] = this.layerNorms;
    return this.tap("result", layer?.forward(inner) ?? inner);
  }

  get unseen(): Module {
    return this.#hidden;
  }
}

const names = ["up_proj.weight", "up_proj.bias", "layer_norms.0.weight"];

/** Modules and tensors in every kind of container. */
class Nested extends Module {
  readonly layers = [
    new Linear(2, 2, { rng, bias: false }),
    [zeros([1]), new Linear(1, 1, { rng })],
  ];
  readonly expertsByName = new Map<string, Module | Tensor>([
    ["qProj", new Linear(2, 1, { rng, bias: false })],
    ["scale", ones([2])],
  ]);
  readonly pair = { left: zeros([1]), right: [zeros([2])] };
  readonly some = new Set([ones([3])]);
  readonly positions = tensor([1, 2, 3], { dtype: "int32" });
  readonly flags = [tensor([1], { dtype: "int32" }), null, "no tensor", 3];
  readonly loop: unknown[] = [];

  constructor() {
    super();
    this.loop.push(this, this.loop);
  }
}

describe("modules and tensors in lists and tables", () => {
  const all = [
    ...["layers.0.weight", "layers.1.0", "layers.1.1.weight", "layers.1.1.bias"],
    ...["experts_by_name.qProj.weight", "experts_by_name.scale", "pair.left", "pair.right.0"],
    ...["some.0", "positions", "flags.0"],
  ];

  test("are named by index and key, as in PyTorch's ModuleList and ModuleDict", () => {
    const model = new Nested();
    const found = model.namedParameters().map(([name]) => name);
    assert.deepEqual(found, all);
    model.eval();
    assert.ok(model.namedModules().every(([, module]) => !module.training));
    assert.equal(model.namedModules().length, 4);
    model.loadStateDict(new Nested().stateDict());
  });

  test("are converted where they stand; integers stay integers", () => {
    const model = new Nested().to("float64");
    const dtypes = model.namedParameters().map(([name, p]) => [name, p.dtype]);
    const isInteger = (name: string): boolean => ["positions", "flags.0"].includes(name);
    assert.deepEqual(
      dtypes,
      all.map((name) => [name, isInteger(name) ? "int32" : "float64"]),
    );
    assert.equal((model.layers[1] as [Tensor])[0].dtype, "float64");
    assert.equal((model.expertsByName.get("scale") as Tensor).dtype, "float64");
    assert.equal(model.pair.right[0]?.dtype, "float64");
    assert.deepEqual([...model.positions.data], [1, 2, 3]);
    assert.throws(() => model.to("int32"), /to: parameters are float32 or float64, not int32/);
  });

  test("learn like fields", () => {
    const model = new Nested();
    model.unfreeze();
    const scale = model.expertsByName.get("scale") as Tensor;
    scale.square().sum().backward();
    new AdamW(model, { lr: 0.5 }).step();
    assert.deepEqual([...scale.data], [0.5, 0.5]);
  });

  test("two parameters with one name are an error", () => {
    class Clash extends Module {
      readonly headA = zeros([1]);
      readonly head_a = zeros([2]);
    }
    assert.throws(() => new Clash().stateDict(), /Clash: two parameters are called "head_a"/);
  });
});

describe("the tree", () => {
  test("takes its names from the fields, a tied parameter once and private fields not at all", () => {
    const model = new Small();
    assert.deepEqual(
      model.namedParameters().map(([name]) => name),
      names,
    );
    assert.deepEqual(
      model.namedModules().map(([name]) => name),
      ["", "up_proj", "layer_norms.0", "out_head", "drop"],
    );
    assert.equal(model.parameterCount(), 6 + 3 + 9);
  });

  test("prints shapes and counts, and how much of it is trained", () => {
    const model = new Small();
    model.upProj.freeze();
    assert.equal(
      String(model),
      [
        "Small",
        "up_proj                9",
        "  weight     f32[3,2]  6",
        "  bias       f32[3]    3",
        "layer_norms            9",
        "  0                    9",
        "    weight   f32[3,3]  9",
        "18 numbers in 3 tensors, 72 bytes, 9 of them trained",
      ].join("\n"),
    );
  });

  test("freezes and unfreezes parts; frozen parameters stay in the state", () => {
    const model = new Small();
    model.upProj.freeze();
    assert.equal(model.parameterCount({ trainable: true }), 9);
    assert.deepEqual(Object.keys(model.stateDict()), names);
    model
      .forward(ones([1, 2]))
      .sum()
      .backward();
    assert.equal(model.upProj.weight.grad, null);
    assert.notEqual(model.layerNorms[0]?.weight.grad, null);
    assert.equal(model.unfreeze().parameterCount({ trainable: true }), 18);
  });

  test("train and eval reach every module", () => {
    const model = new Small().eval();
    assert.ok(model.namedModules().every(([, module]) => !module.training));
    assert.deepEqual(model.drop.forward(ones([8])).toArray(), [1, 1, 1, 1, 1, 1, 1, 1]);
    model.train();
    assert.throws(() => model.drop.forward(ones([8])), /dropout: needs a generator/);
    model.train({ rng: random(1) });
    const dropped = model.drop.forward(ones([64])).data;
    assert.deepEqual(new Set(dropped), new Set([0, 2]));
    const next = model
      .eval()
      .train()
      .drop.forward(ones([64])).data;
    const rng = random(1);
    assert.deepEqual(dropped, ones([64]).dropout({ p: 0.5, rng }).data);
    assert.deepEqual(next, ones([64]).dropout({ p: 0.5, rng }).data, "it goes on drawing");
  });

  test("a pause of training gives every module its own mode back", () => {
    const model = new Small().train({ rng: random(1) });
    model.layerNorms[0]?.eval();
    const modes = (): boolean[] => model.namedModules().map(([, module]) => module.training);
    const before = modes();
    const resume = model.pauseTraining();
    assert.ok(modes().every((training) => !training));
    resume();
    assert.deepEqual(modes(), before);
    assert.ok(before.includes(false) && before.includes(true));
    assert.equal(model.drop.forward(ones([64])).data.includes(0), true);
  });

  test("to() converts, and keeps ties and frozen parameters as they are", () => {
    const model = new Small();
    model.layerNorms[0]?.freeze();
    const before = Float64Array.from(model.upProj.weight.data);
    model.to("float64");
    assert.equal(model.upProj.weight.dtype, "float64");
    assert.equal(model.outHead.weight, model.upProj.weight);
    assert.deepEqual(model.upProj.weight.data, before);
    assert.equal(model.layerNorms[0]?.weight.requiresGrad, false);
    assert.equal(model.upProj.weight.requiresGrad, true);
  });
});

describe("state", () => {
  test("goes out and comes back, under either name of a tied parameter", () => {
    const [from, to] = [new Small(), new Small()];
    const report = to.loadStateDict(from.stateDict());
    assert.deepEqual(report, { missing: [], unexpected: [] });
    for (const [name, p] of to.namedParameters())
      assert.deepEqual(p.data, from.stateDict()[name]?.data, name);
    const { "up_proj.weight": weight, ...rest } = from.stateDict();
    const other = new Small();
    other.loadStateDict({ ...rest, "out_head.weight": weight as Tensor });
    assert.deepEqual(other.upProj.weight.data, from.upProj.weight.data);
  });

  test("names everything that doesn't fit, and then changes nothing", () => {
    const model = new Small();
    const before = model.upProj.weight.data.slice();
    const { "up_proj.bias": _, ...rest } = new Small().stateDict();
    const dict = { ...rest, "layer_norms.0.weight": zeros([2, 3]), extra: zeros([1]) };
    assert.throws(() => model.loadStateDict(dict), {
      message:
        "loadStateDict: the dict doesn't fit this Small:\n  missing: up_proj.bias\n  unexpected: extra\n" +
        "  layer_norms.0.weight is [3,3], the dict has [2,3]\n" +
        "{ strict: false } passes over missing and unexpected names",
    });
    assert.deepEqual(model.upProj.weight.data, before);
    assert.throws(() => model.loadStateDict(dict, { strict: false }), /is \[3,3\]/);
    const { "layer_norms.0.weight": __, ...fitting } = dict;
    assert.deepEqual(model.loadStateDict(fitting, { strict: false }), {
      missing: ["up_proj.bias", "layer_norms.0.weight"],
      unexpected: ["extra"],
    });
  });

  test("refuses two values for one tied parameter", () => {
    const model = new Small();
    const dict = { ...model.stateDict(), "out_head.weight": zeros([3, 2]) };
    assert.throws(() => model.loadStateDict(dict), /one tied parameter, the dict has different/);
    const same = { ...model.stateDict(), "out_head.weight": model.upProj.weight };
    assert.doesNotThrow(() => model.loadStateDict(same));
  });
});

describe("activations", () => {
  test("are captured by name with their gradients, and the same tensors flow on", () => {
    const model = new Small();
    const x = tensor([[1, 2]]);
    const { result, activations } = capture(model, ["inner", "res*"], () => model.forward(x));
    assert.deepEqual(Object.keys(activations), ["inner", "result"]);
    assert.equal(activations.result, result);
    result.sum().backward();
    const weight = model.layerNorms[0]?.weight as Tensor;
    const expected = weight.detach().sum({ dims: 0 }).data;
    assert.deepEqual(activations.inner?.grad?.data, expected);
    assert.equal(model.forward(x).retainsGrad, false, "nobody listens any more");
  });

  test("are edited by name; a capture around an edit gets what the edit made", () => {
    const model = new Small();
    const x = tensor([[1, 2]]);
    const zero = (): Tensor =>
      edit(model, { inner: (inner) => inner.mul(0).abs() }, () => model.forward(x));
    const { result, activations } = capture(model, ["inner"], zero);
    assert.deepEqual(result.toArray(), [[0, 0, 0]]);
    assert.deepEqual(activations.inner?.toArray(), [[0, 0, 0]]);
    assert.notDeepEqual(model.forward(x).toArray(), [[0, 0, 0]]);
    const before = edit(model, { inner: (inner) => inner.mul(0).abs() }, () =>
      capture(model, ["inner"], () => model.forward(x)),
    );
    assert.notDeepEqual(before.activations.inner?.toArray(), [[0, 0, 0]]);
  });

  test("unknown names, two runs, promises and edits of another shape are errors", () => {
    const model = new Small();
    const run = (): Tensor => model.forward(ones([1, 2]));
    assert.throws(() => capture(model, ["iner"], run), {
      message: 'capture: no activation is called "iner"; near are inner, result',
    });
    assert.throws(() => edit(model, { inner: (x) => x, resul: (x) => x }, run), /"resul"/);
    assert.throws(() => capture(model, ["inner"], () => 1), /fn didn't run the model/);
    assert.throws(() => capture(model, ["inner"], () => [run(), run()]), /announced twice/);
    assert.throws(() => capture(model, ["inner"], async () => run()), /returned a promise/);
    assert.throws(() => edit(model, { inner: (x) => x.sum() }, run), {
      message: 'edit: "inner" is float32 [1,3], its edit gave float32 []; keep both',
    });
    assert.equal(run().retainsGrad, false, "listening ends with an error too");
  });

  const styles: [string, ModelOptions, string[]][] = [
    [
      "llama",
      { vocabSize: 5, dim: 8, layers: 2, heads: 4, kvHeads: 2 },
      ["model.layers.*.resid", "model.layers.0.self_attn.pattern", "model.embed", "hidden"],
    ],
    [
      "gpt2",
      { style: "gpt2", vocabSize: 5, dim: 8, layers: 2, heads: 2 },
      ["transformer.h.*.resid", "transformer.h.0.attn.pattern", "transformer.embed", "hidden"],
    ],
    [
      "lstm",
      { style: "lstm", vocabSize: 5, dim: 8, layers: 2 },
      ["model.layers.*.resid", "model.embed", "hidden"],
    ],
  ];
  for (const [style, options, wanted] of styles) {
    test(`of a ${style} don't change what it computes`, () => {
      const model = new CausalLM(options, { rng: random(3) }).to("float64");
      const ids = tensor(Int32Array.from([1, 2, 3, 4, 0, 1]), { shape: [2, 3] });
      const plain = noGrad(() => model.forward(ids));
      const { result, activations } = capture(model, wanted, () => model.forward(ids));
      for (const [i, x] of plain.data.entries())
        assert.ok(Math.abs(x - (result.data[i] ?? Number.NaN)) < 1e-12);
      result.square().sum().backward();
      for (const [name, x] of Object.entries(activations))
        assert.ok(
          x.grad?.data.some((g) => g !== 0),
          `${name} has a gradient`,
        );
      assert.equal(Object.keys(activations).length, wanted.length + 1, "two layers");
      const pattern = Object.entries(activations).find(([name]) => name.endsWith("pattern"))?.[1];
      for (const sum of pattern?.sum({ dims: -1 }).data ?? []) assert.ok(Math.abs(sum - 1) < 1e-12);
    });
  }

  test("a captured pattern has the dropout that it has when nobody listens", () => {
    const options = { vocabSize: 5, dim: 8, layers: 1, heads: 4, kvHeads: 2, dropout: 0.5 };
    const model = new CausalLM(options, { rng: random(3) }).to("float64");
    const ids = tensor([[1, 2, 3, 4]], { dtype: "int32" });
    const run = (): Tensor => model.train({ rng: random(9) }).forward(ids);
    const name = "model.layers.0.self_attn.pattern";
    const { result, activations } = capture(model, [name], run);
    for (const [i, x] of run().data.entries())
      assert.ok(Math.abs(x - (result.data[i] ?? Number.NaN)) < 1e-12);
    assert.ok(
      activations[name]?.data.some((p) => p > 1),
      "survivors are scaled up",
    );
  });

  test("an edited pattern changes what attention mixes", () => {
    const options = { vocabSize: 5, dim: 8, layers: 1, heads: 4, kvHeads: 2, positions: "rope" };
    const model = new CausalLM(options as ModelOptions, { rng: random(3) }).to("float64");
    const ids = tensor(Int32Array.from([1, 2, 3]), { shape: [1, 3] });
    const name = "model.layers.0.self_attn.pattern";
    const cut = edit(model, { [name]: (pattern) => pattern.mul(0) }, () =>
      capture(model, ["model.layers.0.self_attn.z"], () => model.forward(ids)),
    );
    const z = cut.activations["model.layers.0.self_attn.z"];
    assert.ok(z?.data.every((x) => x === 0));
  });
});

test("an embedding looks rows up and gathers their gradients", () => {
  const table = new Embedding(3, 2, { rng: random(1) });
  table
    .forward(tensor([[2, 2, 0]], { dtype: "int32" }))
    .sum()
    .backward();
  assert.deepEqual(table.weight.grad?.toArray(), [
    [1, 1],
    [0, 0],
    [2, 2],
  ]);
});
