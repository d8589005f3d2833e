// Adapters as PEFT writes them, beside the models that they belong to: logits and rewards are PEFT's own
// (golden/nn/adapters.json says the versions); and damaged twins, with their sentences. Next: ../nn/checkpoints/adapters.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noGrad, type Tensor, tensor } from "../core/index.ts";
import { rewardModelFromFiles } from "../grm/index.ts";
import { safetensorsBytes } from "../nn/checkpoints/index.ts";
import { ByteTokenizer, causalLMFromFiles, modelFiles, WordTokenizer } from "../nn/index.ts";
import { goldenModels, type Shapes, written } from "./golden/written.ts";

interface Model {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly shapes: Shapes;
  readonly adapterConfig: Readonly<Record<string, unknown>>;
  readonly adapters: Shapes;
  readonly values: readonly number[];
}

const { ids, models } = goldenModels<Model>("adapters");
const find = (name: string): Model => models.find((model) => model.name === name) as Model;
const [llama, classifier] = [find("a Llama's"), find("a classifier's")];
const tokenizer = new WordTokenizer({ words: ["a", "b"] });
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

type Files = Map<string, Uint8Array>;

/** A safetensors file in memory. */
async function safetensors(tensors: Readonly<Record<string, Tensor>>): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of safetensorsBytes(tensors)) chunks.push(Uint8Array.from(chunk));
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** A folder of adapters with the model that they belong to in base/, as PEFT and transformers write them. */
async function folderOf({ config, shapes, adapterConfig, adapters }: Model): Promise<Files> {
  const base = await modelFiles({ config, stateDict: written(shapes) });
  const own = tokenizer.files().map(({ name, bytes }) => [name, bytes] as const);
  return new Map([
    ...[...base, ...own].map(([name, content]) => [`base/${name}`, content] as const),
    ["adapter_config.json", bytes(adapterConfig)],
    ["adapter_model.safetensors", await safetensors(written(adapters))],
  ]);
}

function valuesOf(files: Files, { name }: Model): number[] {
  if (name !== classifier.name)
    return [...noGrad(() => causalLMFromFiles(files).forward(ids)).data];
  return [...noGrad(() => rewardModelFromFiles(files).model.forward(ids)).rewards.data];
}

function near(found: readonly number[], { values }: Model): void {
  const away = values.map((x, i) => Math.abs(x - Number(found.slice(-values.length)[i])));
  assert.ok(Math.max(...away) < 1e-5, `${away}`);
}

describe("as PEFT writes it", () => {
  for (const model of models) {
    test(model.name, async () => near(valuesOf(await folderOf(model), model), model));
  }

  test("in one file with the reward head, as the official GRM code saves it", async () => {
    const files = await folderOf(classifier);
    files.delete("adapter_model.safetensors");
    const named = Object.entries(written(classifier.adapters)).map(([name, x]) => {
      const plain = name.replace("base_model.model.", "").replace(/lora_[AB]/, "$&.default");
      return [plain === "score.weight" ? "v_head.summary.weight" : plain, x] as const;
    });
    const head = { "v_head.summary.bias": tensor([0.5]) };
    files.set("model.safetensors", await safetensors({ ...Object.fromEntries(named), ...head }));
    const lm = written({ ...classifier.shapes, "lm_head.weight": [40, 32] });
    const { "score.weight": _, ...base } = lm;
    const ends = { vhead_layer_type: "linear", vhead_num_neurons: 1024, vhead_num_layers: 1 };
    files.set("config.json", bytes({ ...classifier.config, ...ends }));
    files.set("base/model.safetensors", await safetensors({ ...base, ...weightsOfClassifier() }));
    const values = classifier.values.map((x) => x + 0.5);
    near(valuesOf(files, classifier), { ...classifier, values });
  });

  test("with a token for padding that was added after the model was read", async () => {
    const files = await folderOf(classifier);
    files.set("config.json", bytes({ ...classifier.config, vocab_size: 43 }));
    near(valuesOf(files, classifier), classifier);
    assert.equal(rewardModelFromFiles(files).model.config.vocabSize, 43);
  });
});

/** The classifier's tensors under their own places: those of the language model with a head more would be others. */
function weightsOfClassifier(): Record<string, Tensor> {
  const { "score.weight": _, ...rest } = written(classifier.shapes);
  return rest;
}

describe("damaged twins", () => {
  const config = (change: object) => (files: Files) =>
    files.set("adapter_config.json", bytes({ ...llama.adapterConfig, ...change }));
  const adapters =
    (change: (all: Record<string, Tensor>) => Record<string, Tensor>) => async (files: Files) =>
      files.set("adapter_model.safetensors", await safetensors(change(written(llama.adapters))));
  const q = "base_model.model.model.layers.0.self_attn.q_proj.lora_";
  const twins: Readonly<Record<string, readonly [(files: Files) => unknown, RegExp]>> = {
    "a base that isn't here": [
      (files) => files.delete("base/config.json"),
      /base_model_name_or_path: the adapters belong to "some\/model", which is no folder here; put that model's files into the files\/base/,
    ],
    "another method": [
      config({ peft_type: "IA3" }),
      /peft_type: "IA3" isn't supported, only plain LoRA/,
    ],
    "weights split into size and direction": [config({ use_dora: true }), /use_dora: true isn't/],
    "a changed model": [config({ init_lora_weights: "pissa" }), /init_lora_weights: "pissa" isn't/],
    "scales by layer": [
      config({ alpha_pattern: { q_proj: 2 } }),
      /alpha_pattern: {"q_proj":2} isn't/,
    ],
    "no scale": [config({ lora_alpha: null }), /lora_alpha: null isn't/],
    "half of a pair": [
      adapters(({ [`${q}B.weight`]: _, ...rest }) => rest),
      /q_proj\.lora_A\.weight: \[2,32\] has no lora_B beside it/,
    ],
    "other ranks": [
      adapters((all) => ({ ...all, [`${q}B.weight`]: tensor([[1]]) })),
      /lora_A\.weight: \[2,32\] has a lora_B of \[1,1\] beside it/,
    ],
    "a layer that the model hasn't": [
      adapters(({ [`${q}A.weight`]: a, [`${q}B.weight`]: b }) => ({
        "base_model.model.model.layers.7.mlp.up_proj.lora_A.weight": a as Tensor,
        "base_model.model.model.layers.7.mlp.up_proj.lora_B.weight": b as Tensor,
      })),
      /layers\.7\.mlp\.up_proj\.lora_A\.weight: changes a weight of \[32,32\], which its model hasn't/,
    ],
    "a tensor of no known kind": [
      adapters((all) => ({ ...all, [`${q}magnitude_vector`]: tensor([1]) })),
      /unexpected: model\.layers\.0\.self_attn\.q_proj\.lora_magnitude_vector/,
    ],
    "a pickle": [
      (files) => {
        files.delete("adapter_model.safetensors");
        files.set("adapter_model.bin", bytes(0));
      },
      /holds adapter_model\.bin, a pickle.*convert it once, in its folder: python.*'adapter_model\.safetensors'/,
    ],
    nothing: [
      (files) => files.delete("adapter_model.safetensors"),
      /holds no adapter_model\.safetensors/,
    ],
  };
  for (const [name, [damage, says]] of Object.entries(twins)) {
    test(name, async () => {
      const files = await folderOf(llama);
      await damage(files);
      assert.throws(() => causalLMFromFiles(files), says);
    });
  }

  test("a tokenizer larger than the model, before the weights are looked at", async () => {
    const files = await folderOf(classifier);
    for (const { name, bytes } of new ByteTokenizer().files()) files.set(name, bytes);
    files.set("base/model.safetensors", bytes("broken"));
    assert.throws(() => rewardModelFromFiles(files), /the tokenizer has 256 tokens, the model 40/);
  });
});
