// The transformer against numbers that were made elsewhere (PyTorch, and a real pretrained model), its
// layers' gradients against the definitions, and what must hold for every batch: a sequence's hidden
// states depend on its own tokens alone. Next: nn.optim.test.ts, nn.generate.test.ts.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  cat,
  crossEntropy,
  type Draw,
  grad,
  gradcheck,
  noGrad,
  portable,
  randn,
  random,
  type Tensor,
  tensor,
  withDefinitions,
} from "../core/index.ts";
import {
  AdamW,
  CausalLM,
  Conv1D,
  configFromHF,
  configToHF,
  LayerNorm,
  Linear,
  LSTM,
  MLP,
  type ModelConfig,
  type ModelOptions,
  type Module,
  modelConfig,
  RMSNorm,
  SwiGLU,
  Transformer,
} from "../nn/index.ts";
import { readLlama2c } from "../nn/node.ts";
import { holds } from "../testing/property.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const llama: ModelOptions = { vocabSize: 13, dim: 16, layers: 2, heads: 4, kvHeads: 2 };
const gpt2: ModelOptions = { style: "gpt2", vocabSize: 13, dim: 16, layers: 2, heads: 2 };
const lstm: ModelOptions = { style: "lstm", vocabSize: 13, dim: 16, layers: 2 };
const qwen: ModelOptions = { ...llama, attentionBias: "all", qkNorm: true };
const styles = { llama, qwen, gpt2, lstm };

/** Weights as large as those of a trained model, so that nothing is linear. */
function model(options: ModelOptions, seed = 5): CausalLM {
  const made = new CausalLM(options, { rng: random(seed) }).to("float64");
  noGrad(() => {
    for (const [name, p] of made.namedParameters()) {
      const spread = randn(p.shape, { rng: random(name), dtype: "float64" }).mul(0.3);
      p.assign(p.add(spread));
    }
  });
  return made;
}

function ids(rows: readonly (readonly number[])[]): Tensor {
  return tensor(
    rows.map((row) => [...row]),
    { dtype: "int32" },
  );
}

function largest(a: Tensor, b: Tensor): number {
  assert.deepEqual(a.shape, b.shape);
  return a.size === 0 ? 0 : (a.detach().sub(b.detach()).abs().max().data[0] ?? Number.NaN);
}

function near(a: Tensor, b: Tensor, limit: number, what = ""): void {
  const away = largest(a, b);
  assert.ok(away <= limit, `${what} ${away} > ${limit}`);
}

interface Golden {
  readonly config: Readonly<Record<string, unknown>>;
  readonly ids: number[][];
  readonly targets: number[][];
  readonly logits: number[];
  readonly loss: number;
  readonly gradients: Readonly<Record<string, number[]>>;
}

describe("against PyTorch (test/golden/nn/make.py)", () => {
  for (const name of ["llama", "gpt2"]) {
    const golden = JSON.parse(
      readFileSync(join(root, `test/golden/nn/${name}.json`), "utf8"),
    ) as Golden;

    test(`${name}: names, logits, loss and every gradient`, () => {
      const made = new CausalLM(configFromHF(golden.config), { rng: random(1) }).to("float64");
      const keys = Object.keys(golden.gradients);
      assert.deepEqual(Object.keys(made.stateDict()).sort(), keys);
      const weights = made.namedParameters().map(([key, p]) => {
        const isNorm = /norm|\.ln_/.test(key) && key.endsWith("weight");
        const values = Float64Array.from(
          { length: p.size },
          (_, i) => portable.sin(1 + i + 100 * keys.indexOf(key)) / 4 + Number(isNorm),
        );
        return [key, tensor(values, { shape: p.shape })] as const;
      });
      made.loadStateDict(Object.fromEntries(weights));
      const logits = made.forward(ids(golden.ids));
      const loss = crossEntropy(logits, ids(golden.targets));
      near(logits, tensor(Float64Array.from(golden.logits), { shape: logits.shape }), 1e-11);
      loss.backward();
      assert.ok(Math.abs((loss.data[0] ?? 0) - golden.loss) < 1e-12);
      for (const [key, p] of made.namedParameters()) {
        const expected = Float64Array.from(golden.gradients[key] ?? []);
        near(p.grad as Tensor, tensor(expected, { shape: p.shape }), 1e-11, key);
      }
    });
  }
});

// --- A real model --------------------------------------------------------------------------------------

const stories = join(process.env.TWOHEADS_DATA ?? join(root, "../shared/data"), "stories260k");
const skip = existsSync(stories) ? false : `needs ${stories} (TWOHEADS_DATA)`;

function readStories(): CausalLM {
  const { config, tensors } = readLlama2c(join(stories, "stories260K.bin"));
  const lm = new CausalLM(configFromHF(config), { rng: random(1) });
  lm.loadStateDict(tensors);
  return lm;
}

interface StoriesCase {
  readonly name: string;
  readonly tokens: number[];
  readonly nll: number[];
  readonly last_hidden: number[];
  readonly last_logits: number[];
}

describe("a pretrained Llama (stories260k)", { skip }, () => {
  const cases = (): StoriesCase[] =>
    JSON.parse(readFileSync(join(stories, "golden/forward.json"), "utf8")).cases as StoriesCase[];

  for (const [dtype, limit] of [
    ["float64", 1e-9],
    ["float32", 1e-4],
  ] as const) {
    test(`has its hidden states, logits and losses to ${limit} in ${dtype}`, () => {
      const made = readStories().to(dtype).eval();
      for (const { name, tokens, ...golden } of cases()) {
        const T = tokens.length;
        const hidden = noGrad(() => made.hidden(ids([tokens])));
        const logits = noGrad(() => made.lmHead.forward(hidden));
        const last = (x: Tensor): Tensor => x.slice({ dim: 1, start: T - 1 }).reshape([-1]);
        const close = (x: Tensor, expected: number[], what: string): void =>
          near(x.to("float64"), tensor(Float64Array.from(expected)), limit, `${name} ${what}`);
        close(last(hidden), golden.last_hidden, "hidden");
        close(last(logits), golden.last_logits, "logits");
        if (T === 1) continue;
        const before = logits.slice({ dim: 1, end: T - 1 });
        const nll = crossEntropy(before, ids([tokens.slice(1)]), { reduction: "none" });
        close(nll.reshape([-1]), golden.nll, "nll");
      }
    });
  }
});

// --- Gradients -----------------------------------------------------------------------------------------

/** Gradients of a layer's weighted sum with respect to its input and parameters. */
function gradients(layer: Module, x: Tensor, forward: (x: Tensor) => Tensor): Tensor[] {
  const leaf = x.detach().requiresGrad_();
  const y = forward(leaf);
  const weights = randn(y.shape, { rng: random("weights"), dtype: "float64" });
  return grad(y.mul(weights).sum(), [leaf, ...layer.parameters()]) as Tensor[];
}

function agrees(layer: Module, x: Tensor, forward: (x: Tensor) => Tensor): void {
  const fused = gradients(layer, x, forward);
  const plain = withDefinitions(() => gradients(layer, x, forward));
  fused.forEach((g, i) => {
    near(g, plain[i] as Tensor, 1e-10, `gradient ${i}`);
  });
}

describe("every layer's gradients are those of its definition", () => {
  const input = (d: Draw, dim: number): Tensor => d.tensor([d.integer(1, 2), d.integer(1, 3), dim]);
  const rng = random(2);
  const config = modelConfig({ vocabSize: 5, dim: 4, layers: 1, heads: 2, initStd: 0.5 });
  const layers = {
    Linear: new Linear(4, 3, { rng }),
    Conv1D: new Conv1D(4, 3, { rng }),
    LayerNorm: new LayerNorm(4),
    RMSNorm: new RMSNorm(4),
    SwiGLU: new SwiGLU(config, rng),
    MLP: new MLP({ ...config, style: "gpt2", activation: "gelu_tanh" }, rng),
  };
  for (const [name, layer] of Object.entries(layers)) {
    layer.to("float64");
    test(name, () => {
      holds(
        name,
        (d) => input(d, 4),
        (x) => {
          agrees(layer, x, (leaf) => layer.forward(leaf));
        },
      );
    });
  }

  for (const [name, options] of Object.entries(styles)) {
    test(`a whole ${name}, with and without padding`, () => {
      const lm = model({ ...options, layers: 1 } as ModelOptions);
      holds(
        name,
        (d) => {
          const shape = [d.integer(1, 2), d.integer(1, 4)];
          return [d.indices(shape, 13), d.pick(d.mask(shape), undefined)] as const;
        },
        ([tokens, mask]) => {
          const loss = (): Tensor[] => {
            const logits = lm.forward(tokens, { mask });
            const weights = randn(logits.shape, { rng: random("w"), dtype: "float64" });
            return grad(logits.mul(weights).sum(), lm.parameters()) as Tensor[];
          };
          const [fused, plain] = [loss(), withDefinitions(loss)];
          fused.forEach((g, i) => {
            near(g, plain[i] as Tensor, 1e-9, `gradient ${i}`);
          });
        },
        { runs: 6 },
      );
    });

    test(`a whole ${name} against finite differences`, () => {
      const lm = model({ ...options, layers: 1 } as ModelOptions);
      const tokens = ids([
        [1, 2, 3],
        [4, 5, 6],
      ]);
      const names = lm.namedParameters().map(([key]) => key);
      const parameters = lm.parameters();
      const places = lm.namedModules().flatMap(([path, module]) =>
        Object.entries(module).flatMap(([field, value]) => {
          const i = parameters.indexOf(value as Tensor);
          return i < 0 || path === "" ? [] : [{ module, field, value, i }];
        }),
      );
      const loss = (...values: Tensor[]): Tensor => {
        for (const { module, field, i } of places) Object.assign(module, { [field]: values[i] });
        try {
          return lm.forward(tokens).logSoftmax({ dim: -1 }).square().mean();
        } finally {
          for (const { module, field, value } of places) Object.assign(module, { [field]: value });
        }
      };
      const leaves = lm.parameters().map((p) => p.detach());
      assert.ok(names.length === leaves.length);
      assert.ok(gradcheck(loss, leaves, { order: 1, rtol: 1e-5, name }));
    });
  }
});

// --- What must hold ------------------------------------------------------------------------------------

/** Sequences side by side, padded on a side with a token that must not matter. */
function padded(
  rows: readonly (readonly number[])[],
  side: "left" | "right",
  extra: number,
): { tokens: Tensor; mask: Tensor; starts: number[] } {
  const T = Math.max(...rows.map((row) => row.length)) + extra;
  const starts = rows.map((row) => (side === "left" ? T - row.length : 0));
  const place = <X>(row: readonly X[], start: number, filler: X): X[] => [
    ...new Array<X>(start).fill(filler),
    ...row,
    ...new Array<X>(T - start - row.length).fill(filler),
  ];
  return {
    tokens: ids(rows.map((row, b) => place(row, starts[b] ?? 0, 12))),
    mask: tensor(
      rows.map((row, b) =>
        place(
          row.map(() => true),
          starts[b] ?? 0,
          false,
        ),
      ),
    ),
    starts,
  };
}

describe("padding invariance", () => {
  for (const [name, options] of Object.entries(styles)) {
    for (const [dtype, limit] of [
      ["float64", 1e-12],
      ["float32", 1e-6],
    ] as const) {
      test(`${name} in ${dtype}: a sequence's states depend on its own tokens alone`, () => {
        const lm = new CausalLM(options, { rng: random(5) }).to(dtype).eval();
        holds(
          `${name} padding`,
          (d) => ({
            rows: Array.from({ length: d.integer(1, 3) }, () =>
              Array.from({ length: d.integer(1, 5) }, () => d.integer(0, 11)),
            ),
            side: d.pick<"left" | "right">("left", "right"),
            extra: d.integer(0, 2),
          }),
          ({ rows, side, extra }) =>
            noGrad(() => {
              const { tokens, mask, starts } = padded(rows, side, extra);
              const batch = {
                hidden: lm.hidden(tokens, { mask }),
                logits: lm.forward(tokens, { mask }),
              };
              rows.forEach((row, b) => {
                const alone = { hidden: lm.hidden(ids([row])), logits: lm.forward(ids([row])) };
                const start = starts[b] ?? 0;
                const part = (x: Tensor): Tensor =>
                  x
                    .slice({ dim: 0, start: b, end: b + 1 })
                    .slice({ dim: 1, start, end: start + row.length });
                near(part(batch.hidden), alone.hidden, limit, "hidden");
                near(part(batch.logits), alone.logits, limit, "logits");
              });
            }),
          { runs: 10, show: JSON.stringify },
        );
      });
    }
  }

  test("a row of padding alone gives no NaN", () => {
    for (const options of Object.values(styles)) {
      const lm = model(options);
      const mask = tensor([
        [true, true],
        [false, false],
      ]);
      const hidden = lm.hidden(
        ids([
          [1, 2],
          [3, 4],
        ]),
        { mask },
      );
      assert.ok(hidden.data.every(Number.isFinite));
      const first = hidden.slice({ dim: 0, end: 1 });
      for (const g of grad(first.sum(), lm.model.parameters(), { allowUnused: true }))
        assert.ok(g === null || g.data.every(Number.isFinite));
    }
  });

  test("holds for gradients: padding adds nothing to them", () => {
    const lm = model(llama);
    const row = [1, 2, 3, 4];
    const loss = (tokens: Tensor, mask: Tensor | undefined, start: number): Tensor[] => {
      const hidden = lm.hidden(tokens, { mask }).slice({ dim: 1, start, end: start + 4 });
      return grad(hidden.square().sum(), lm.model.parameters()) as Tensor[];
    };
    const alone = loss(ids([row]), undefined, 0);
    for (const side of ["left", "right"] as const) {
      const { tokens, mask, starts } = padded([row], side, 3);
      const found = loss(tokens, mask, starts[0] ?? 0);
      found.forEach((g, i) => {
        near(g, alone[i] as Tensor, 1e-10, side);
      });
    }
  });
});

describe("with a cache", () => {
  for (const [name, options] of Object.entries(styles)) {
    test(`${name} gives the logits that it gives without, to 1e-5`, () => {
      const lm = new CausalLM(options, { rng: random(5) }).eval();
      holds(
        `${name} cache`,
        (d) => {
          const rows = Array.from({ length: d.integer(1, 3) }, () =>
            Array.from({ length: d.integer(1, 4) }, () => d.integer(0, 11)),
          );
          const more = rows.map(() => [d.integer(0, 11), d.integer(0, 11), d.integer(0, 11)]);
          return { rows, more, side: d.pick<"left" | "right">("left", "right") };
        },
        ({ rows, more, side }) =>
          noGrad(() => {
            const cache = lm.model.newCache();
            const { tokens, mask } = padded(rows, side, 0);
            lm.forward(tokens, { mask, cache });
            const [one, two] = [
              more.map((row) => row.slice(0, 1)),
              more.map((row) => row.slice(1)),
            ];
            const steps = [lm.forward(ids(one), { cache }), lm.forward(ids(two), { cache })];
            const found = cat(steps, { dim: 1 });
            rows.forEach((row, b) => {
              const whole = lm.forward(ids([[...row, ...(more[b] ?? [])]]));
              const rest = whole.slice({ dim: 1, start: row.length });
              near(found.slice({ dim: 0, start: b, end: b + 1 }), rest, 1e-5);
            });
            assert.equal(cache.length, (tokens.shape[1] ?? 0) + 3);
            cache.release();
          }),
        { runs: 10, show: JSON.stringify },
      );
    });

    test(`${name} goes on with chosen rows`, () => {
      const lm = new CausalLM(options, { rng: random(5) }).eval();
      noGrad(() => {
        const cache = lm.model.newCache();
        lm.forward(
          ids([
            [1, 2, 3],
            [4, 5, 6],
          ]),
          { cache },
        );
        cache.select(tensor([1, 1, 0], { dtype: "int32" }));
        const found = lm.forward(ids([[7], [8], [9]]), { cache });
        const whole = lm.forward(
          ids([
            [4, 5, 6, 7],
            [4, 5, 6, 8],
            [1, 2, 3, 9],
          ]),
        );
        near(found, whole.slice({ dim: 1, start: 3 }), 1e-5);
      });
    });
  }

  test("refuses gradients, and caches of another kind of model", () => {
    const transformer = new CausalLM(llama, { rng: random(1) });
    const recurrent = new CausalLM(lstm, { rng: random(1) });
    const one = ids([[1]]);
    assert.throws(
      () => transformer.forward(one, { cache: transformer.model.newCache() }),
      /noGrad/,
    );
    assert.throws(
      () => noGrad(() => transformer.forward(one, { cache: recurrent.model.newCache() })),
      /newCache/,
    );
    assert.throws(
      () => noGrad(() => recurrent.forward(one, { cache: transformer.model.newCache() })),
      /newCache/,
    );
  });
});

describe("training", () => {
  for (const [name, options] of Object.entries(styles)) {
    test(`a two-layer ${name} overfits one batch to a loss below 0.01`, () => {
      const rng = random(11);
      const lm = new CausalLM(options, { rng });
      // each row starts with a token of its own: what follows the first can be known, and relative
      // positions can't tell "a" from "a a"
      const draw = (_: unknown, t: number): number => (t === 0 ? 0 : rng.integer(4, 13));
      const tokens = ids([0, 1, 2, 3].map((b) => Array.from({ length: 7 }, draw).with(0, b)));
      const [x, y] = [tokens.slice({ dim: 1, end: 6 }), tokens.slice({ dim: 1, start: 1 })];
      const optimiser = new AdamW(lm, { lr: 0.01, weightDecay: 0 });
      let loss = Infinity;
      for (let step = 0; step < 300 && loss >= 0.01; step++) {
        optimiser.zeroGrad();
        const mean = crossEntropy(lm.forward(x), y);
        mean.backward();
        optimiser.step({ maxNorm: 1 });
        loss = mean.data[0] ?? Number.NaN;
      }
      assert.ok(loss < 0.01, `${loss}`);
    });
  }

  test("dropout needs a generator, and the same one gives the same loss", () => {
    const lm = new CausalLM({ ...llama, dropout: 0.2 } as ModelOptions, { rng: random(1) });
    const tokens = ids([[1, 2, 3]]);
    assert.throws(() => lm.forward(tokens), /needs a generator/);
    const [one, two] = [1, 1].map((seed) => lm.train({ rng: random(seed) }).forward(tokens));
    assert.deepEqual(one?.data, two?.data);
    assert.notDeepEqual(lm.train({ rng: random(2) }).forward(tokens).data, one?.data);
    lm.eval();
    assert.deepEqual(lm.forward(tokens).data, lm.forward(tokens).data);
  });
});

describe("mistakes", () => {
  const lm = new CausalLM({ ...llama, context: 4 } as ModelOptions, { rng: random(1) });
  test("in what is given to forward", () => {
    assert.throws(
      () => lm.forward(tensor([1, 2])),
      /ids must be int32 \[batch, tokens\].*float32 \[2\]/,
    );
    assert.throws(
      () => lm.forward(ids([[1, 2, 3, 4, 5]])),
      /5 positions don't fit its context of 4/,
    );
    assert.throws(
      () => lm.forward(ids([[1, 2]]), { mask: tensor([true, true]) }),
      /mask must be bool or int32 \[1,2\] as ids, got bool \[2\]/,
    );
    assert.throws(() => lm.forward(ids([[99]])), /index 99/);
  });

  test("in a configuration, all at once", () => {
    const wrong = { vocabSize: 0, dim: 6, layers: 1, heads: 4, drpout: 1 } as unknown;
    assert.throws(() => modelConfig(wrong as ModelOptions), {
      message:
        'modelConfig: there is no "drpout"; near are dropout, dim; vocabSize is 0, needed a whole number > 0; ' +
        "headDim is 1.5, needed a whole number > 0; dim / heads unless said",
    });
    assert.throws(
      () => modelConfig({ ...llama, kvHeads: 3 } as ModelOptions),
      /heads 4 must be a multiple of kvHeads 3/,
    );
    assert.throws(() => modelConfig({ ...gpt2, kvHeads: 1 } as ModelOptions), /as many kvHeads/);
    assert.throws(
      () => modelConfig({ vocabSize: 2, dim: 6, layers: 1, heads: 2 }),
      /headDim 3 must be even/,
    );
  });
});

describe("Hugging Face's config.json", () => {
  const variants: ModelConfig[] = [
    modelConfig(llama),
    modelConfig({
      ...llama,
      tied: false,
      dropout: 0.1,
      positions: "learned",
      headDim: 8,
    } as ModelOptions),
    modelConfig(gpt2),
    modelConfig({ ...gpt2, dropout: 0.1, positions: "rope", activation: "gelu" } as ModelOptions),
    modelConfig(lstm),
  ];
  test("goes there and back", () => {
    for (const config of variants) {
      const there = JSON.parse(JSON.stringify(configToHF(config))) as Record<string, unknown>;
      assert.deepEqual(configFromHF(there), config);
    }
  });

  test("of newer versions keeps the base of the rotary angles elsewhere", () => {
    const { rope_theta: _, ...rest } = configToHF(modelConfig(llama));
    const config = { ...rest, rope_parameters: { rope_type: "default", rope_theta: 5e5 } };
    assert.deepEqual(configFromHF(config), { ...modelConfig(llama), ropeBase: 5e5 });
  });

  test("of models that would be computed wrong is refused by name", () => {
    const base = configToHF(modelConfig(llama));
    const refuses = (change: Record<string, unknown>, message: RegExp): void => {
      assert.throws(() => configFromHF({ ...base, ...change }), message);
    };
    refuses({ model_type: "mamba" }, /model_type is "mamba"; known are llama, mistral/);
    refuses({ rope_scaling: { rope_type: "yarn" } }, /rope_scaling = .*yarn/);
    refuses({ hidden_act: "relu" }, /hidden_act is "relu"; known are/);
    refuses({ vocab_size: "many" }, /vocab_size is many, needed a number/);
    refuses({ mlp_bias: true }, /mlp_bias = true isn't supported/);
  });
});

test("backbones and models of a seed are the same to the bit, of another seed not", () => {
  const weights = (seed: number): Float32Array[] =>
    new CausalLM(llama, { rng: random(seed) }).parameters().map((p) => p.data as Float32Array);
  assert.deepEqual(weights(1), weights(1));
  assert.notDeepEqual(weights(1), weights(2));
  const backbone = new Transformer(
    { vocabSize: 5, dim: 4, layers: 1, heads: 2 },
    { rng: random(1) },
  );
  assert.deepEqual(backbone.forward(ids([[1, 2]])).shape, [1, 2, 4]);
  const recurrent = new LSTM(
    { style: "lstm", vocabSize: 5, dim: 4, layers: 1 },
    { rng: random(1) },
  );
  assert.deepEqual(recurrent.forward(ids([[1, 2]])).shape, [1, 2, 4]);
});
