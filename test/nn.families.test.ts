// The families of models that transformers writes: of each its config.json, its tensors by name and shape, and its
// logits (golden/nn/families.json says the versions, golden/written.ts how the weights are computed); and twins of them that can't be
// computed right, with their sentences. Next: ../nn/configHF.ts, ../interop/README.md for larger comparisons.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noGrad, tensor } from "../core/index.ts";
import { causalLMFiles, causalLMFromFiles, configFromHF, modelFiles } from "../nn/index.ts";
import { goldenModels, type Shapes, written } from "./golden/written.ts";

interface Model {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly shapes: Shapes;
  readonly logits: readonly number[];
}

const { ids, models } = goldenModels<Model>("families");

/** How far the logits of the last token are from those that transformers gives. */
async function away(files: Map<string, Uint8Array>, { logits }: Model): Promise<number> {
  const found = noGrad(() => causalLMFromFiles(files).forward(ids)).data.slice(-logits.length);
  return Math.max(...logits.map((x, i) => Math.abs(x - Number(found[i]))));
}

const find = (name: string): Model => models.find((model) => model.name === name) as Model;

describe("as transformers writes it", () => {
  for (const model of models) {
    test(`${model.name}: logits to 1e-5, and again from what we write`, async () => {
      const files = await modelFiles({ config: model.config, stateDict: written(model.shapes) });
      assert.ok((await away(files, model)) < 1e-5);
      const back = await causalLMFiles(causalLMFromFiles(files));
      assert.ok((await away(back, model)) < 1e-5);
      const text = new TextDecoder().decode(back.get("config.json"));
      const type = String(model.config.model_type);
      assert.equal(JSON.parse(text).model_type, type === "mistral" ? "llama" : type);
    });
  }

  test("under the names of older versions, with what isn't weights among them", async () => {
    const older = {
      "llama 2": { "layers.0.self_attn.rotary_emb.inv_freq": tensor([1, 0.5, 0.25, 0.125]) },
      gpt2: { "h.0.attn.bias": tensor([[[[1]]]]), "h.0.attn.masked_bias": tensor(-1e4) },
    };
    for (const [name, more] of Object.entries(older)) {
      const model = find(name);
      const bare = Object.entries(written(model.shapes)).map(([key, x]) => [
        key.replace(/^(model|transformer)\./, ""),
        x,
      ]);
      const stateDict = { ...Object.fromEntries(bare), ...more };
      assert.ok((await away(await modelFiles({ config: model.config, stateDict }), model)) < 1e-5);
    }
  });
});

describe("refused by name", () => {
  const yarn = { rope_type: "yarn", factor: 2, rope_theta: 1e4 };
  const twins: Readonly<Record<string, readonly [name: string, change: object, says: RegExp]>> = {
    "a window shorter than the context": [
      "mistral",
      { sliding_window: 16 },
      /sliding_window = 16 isn't supported where max_position_embeddings, 64, is more; write 16 there, too/,
    ],
    "a window that Mistral has where nothing is said": [
      "mistral",
      { sliding_window: undefined, max_position_embeddings: 5000 },
      /sliding_window = 4096 isn't/,
    ],
    "layers with a window": [
      "qwen2",
      { use_sliding_window: true, sliding_window: 8, layer_types: ["sliding_attention"] },
      /sliding_window = 8 isn't/,
    ],
    "layers with a window, by their number": [
      "qwen3",
      { use_sliding_window: true, sliding_window: 8, layer_types: null, max_window_layers: 0 },
      /sliding_window = 8 isn't/,
    ],
    "a mixture of experts": [
      "qwen3",
      { model_type: "qwen3_moe" },
      /model_type is "qwen3_moe", a mixture of experts; known are llama, mistral, qwen2, qwen3, gpt2/,
    ],
    "caps on logits": ["llama 2", { model_type: "gemma2" }, /"gemma2", whose .* \(softcapping\)/],
    "another scaling": [
      "llama 3",
      { rope_scaling: yarn },
      /rope_scaling = .*yarn.* isn't supported/,
    ],
    "angles for a part of a head": [
      "llama 2",
      { rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } },
      /partial_rotary_factor = 0.5 isn't supported/,
    ],
    "angles of each kind of layer": [
      "qwen3",
      { rope_parameters: { full_attention: { rope_theta: 1e4 } } },
      /rope_parameters = .*full_attention.* isn't supported/,
    ],
    "biases in the feed-forward part": ["llama 2", { mlp_bias: true }, /mlp_bias = true isn't/],
    "another activation": [
      "gpt2",
      { activation_function: "relu" },
      /activation_function is "relu"; known/,
    ],
    "attention scaled by layer": [
      "gpt2",
      { scale_attn_by_inverse_layer_idx: true },
      /scale_attn_by_inverse_layer_idx = true isn't/,
    ],
  };
  for (const [name, [of, change, says]] of Object.entries(twins)) {
    test(name, () => {
      const { config } = find(of);
      configFromHF(config);
      const twin = JSON.parse(JSON.stringify({ ...config, ...change })); // undefined is absent
      assert.throws(() => configFromHF(twin), says);
    });
  }

  test("a window that is off, or reaches as far as the context, isn't", () => {
    configFromHF({ ...find("mistral").config, sliding_window: null });
    configFromHF({ ...find("mistral").config, sliding_window: 64 });
    const later = { use_sliding_window: true, sliding_window: 8, layer_types: null };
    configFromHF({ ...find("qwen3").config, ...later, max_window_layers: 2 });
  });
});

describe("which of two fields counts, as in transformers 5", () => {
  const { config } = find("llama 2");
  const base = (more: object): unknown => {
    const { ropeBase, ropeScaling } = configFromHF({ ...config, ...more }) as {
      ropeBase?: number;
      ropeScaling?: object;
    };
    return [ropeBase, ropeScaling];
  };

  test("rope_parameters wins over rope_theta, and rope_scaling over both", () => {
    const linear = { rope_type: "linear", factor: 2 };
    const scaling = { type: "linear", factor: 2 };
    assert.deepEqual(base({ rope_theta: 5, rope_parameters: { rope_theta: 7 } }), [7, undefined]);
    assert.deepEqual(base({ rope_theta: 5, rope_parameters: undefined }), [5, undefined]);
    assert.deepEqual(base({ rope_theta: 5, rope_parameters: linear }), [5, scaling]);
    assert.deepEqual(
      base({ rope_theta: 5, rope_scaling: linear, rope_parameters: { rope_theta: 7 } }),
      [5, scaling],
    );
    assert.deepEqual(base({ rope_parameters: undefined, rope_scaling: null }), [10000, undefined]);
  });
});
