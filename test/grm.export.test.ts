// Exports, as those who read them find them: names, shapes and fields of the official code and of PEFT, and
// in PyTorch the same rewards. Next: torchRewards.py, the PyTorch side.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type RewardModel, scoreSequences } from "../grm/index.ts";
import { exportRewardModel, loadRewardModel, saveRewardModel } from "../grm/node.ts";
import { type ModelOptions, trainBPE } from "../nn/index.ts";
import { loadCausalLM, loadSafetensors } from "../nn/node.ts";
import { twoheadsHere } from "./commandLine.ts";
import { temporaryFolder } from "./folders.ts";
import {
  backbones,
  drawnModel,
  heads,
  reading,
  sequencesOf,
  tokenizer,
  whole,
} from "./rewardFolders.ts";

const folder = temporaryFolder("export");

const { llama, gpt2, lstm } = backbones as Readonly<Record<string, ModelOptions>> & {
  readonly llama: ModelOptions;
  readonly gpt2: ModelOptions;
  readonly lstm: ModelOptions;
};

const sequences = sequencesOf(["the cat", "on the mat the cat sat", "é"]);

const rewardsOf = async (model: RewardModel): Promise<readonly number[]> => [
  ...(await scoreSequences(model, sequences)).rewards,
];

const json = (path: string): Readonly<Record<string, unknown>> =>
  JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;

const shapesIn = (path: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(loadSafetensors(path)).map(([name, x]) => [name, x.shape.join("x")]),
  );

/** Exports a model under that name. */
async function exported(name: string, model: RewardModel, merge = false): Promise<string> {
  const at = join(folder, name);
  await exportRewardModel(at, whole(model), { merge });
  return at;
}

const someLayers = ["model.layers.*.self_attn.q_proj", "model.layers.1.mlp.down_proj"];
const adapters = { layers: someLayers, rank: 2, alpha: 6, dropout: 0.1 };
const adaptersOfGPT2 = { layers: ["transformer.h.*.attn.c_attn"], rank: 3 };

describe("a whole model", () => {
  test("names, shapes and fields are those of the official code", async () => {
    const at = await exported("names", drawnModel(llama, { layers: 2, neurons: 12 }));
    const { "v_head.summary.0.weight": first, ...shapes } = shapesIn(join(at, "model.safetensors"));
    assert.equal(first, "12x16");
    assert.equal(shapes["v_head.summary.2.weight"], "12x12");
    assert.equal(shapes["v_head.summary.4.weight"], "1x12");
    assert.equal(shapes["v_head.summary.4.bias"], "1");
    assert.equal(shapes["model.layers.0.self_attn.k_proj.weight"], "8x16");
    const { model_type, vhead_layer_type, vhead_num_layers, vhead_num_neurons, ...config } = json(
      join(at, "config.json"),
    );
    assert.deepEqual(
      { model_type, vhead_layer_type, vhead_num_layers, vhead_num_neurons },
      { model_type: "llama", vhead_layer_type: "mlp", vhead_num_layers: 2, vhead_num_neurons: 12 },
    );
    assert.equal(config.summary_dropout_prob, 0.1);
    const { chat_template, model_max_length, eos_token, model_input_names } = json(
      join(at, "tokenizer_config.json"),
    );
    assert.deepEqual(model_input_names, ["input_ids", "attention_mask"]); // no types of tokens
    assert.match(chat_template as string, /Human: /);
    assert.deepEqual([model_max_length, eos_token], [64, "</s>"]);
  });

  test("opens here again, with the same rewards", async () => {
    const model = drawnModel(gpt2, { type: "linear" });
    const back = loadRewardModel(await exported("again", model));
    assert.deepEqual(await rewardsOf(back.model), await rewardsOf(model));
    assert.deepEqual(back.reading, reading);
  });

  test("merged adapters leave no trace, in the file or in the model", async () => {
    const model = drawnModel(llama, {}, adapters);
    const before = await rewardsOf(model);
    const at = await exported("merged", model, true);
    assert.deepEqual(await rewardsOf(model), before);
    const names = Object.keys(shapesIn(join(at, "model.safetensors")));
    assert.deepEqual(
      names.filter((name) => name.includes("lora")),
      [],
    );
    assert.equal(existsSync(join(at, "adapter_config.json")), false);
    const merged = await rewardsOf(loadRewardModel(at).model);
    merged.forEach((reward, i) => {
      assert.ok(Math.abs(reward - (before[i] ?? 0)) < 1e-5);
    });
  });
});

describe("adapters", () => {
  test("as PEFT and as the official trainer write them", async () => {
    const at = await exported("adapters", drawnModel(llama, { type: "linear" }, adapters));
    const q = (i: number): string => `model.layers.${i}.self_attn.q_proj`;
    const down = "model.layers.1.mlp.down_proj";
    assert.deepEqual(shapesIn(join(at, "adapter_model.safetensors")), {
      [`base_model.model.${q(0)}.lora_A.weight`]: "2x16",
      [`base_model.model.${q(0)}.lora_B.weight`]: "16x2",
      [`base_model.model.${q(1)}.lora_A.weight`]: "2x16",
      [`base_model.model.${q(1)}.lora_B.weight`]: "16x2",
      [`base_model.model.${down}.lora_A.weight`]: "2x48",
      [`base_model.model.${down}.lora_B.weight`]: "16x2",
    });
    const official = Object.keys(shapesIn(join(at, "model.safetensors"))).sort();
    assert.deepEqual(
      official,
      [
        ...[q(0), q(1), down].flatMap((layer) => [
          `${layer}.lora_A.default.weight`,
          `${layer}.lora_B.default.weight`,
        ]),
        "v_head.summary.bias",
        "v_head.summary.weight",
      ].sort(),
    );
    const { r, lora_alpha, peft_type, target_modules, fan_in_fan_out, ...rest } = json(
      join(at, "adapter_config.json"),
    );
    assert.deepEqual(
      { r, lora_alpha, peft_type, fan_in_fan_out },
      { r: 2, lora_alpha: 6, peft_type: "LORA", fan_in_fan_out: false },
    );
    assert.deepEqual(target_modules, [q(0), q(1), down]); // only one of two down_proj: in full
    assert.equal(rest.base_model_name_or_path, "base");
    assert.equal(json(join(at, "config.json")).vhead_layer_type, "linear");
  });

  test("open here again, with the rewards of before", async () => {
    const model = drawnModel(gpt2, {}, adaptersOfGPT2);
    const [there, here] = [
      await rewardsOf(loadRewardModel(await exported("unmerged", model)).model),
      await rewardsOf(model),
    ];
    there.forEach((reward, i) => {
      assert.ok(Math.abs(reward - (here[i] ?? 0)) < 1e-5);
    });
  });

  test("layers that all have one are named by their last names", async () => {
    const layers = ["model.layers.*.self_attn.q_proj", "model.layers.*.self_attn.v_proj"];
    const at = await exported("all", drawnModel(llama, {}, { layers, rank: 1 }));
    const { target_modules } = json(join(at, "adapter_config.json"));
    assert.deepEqual(target_modules, ["q_proj", "v_proj"]);
  });

  test("the base inside is the language model below", async () => {
    const model = drawnModel(gpt2, {}, adaptersOfGPT2);
    const at = await exported("base of gpt2", model);
    const base = loadCausalLM(join(at, "base")).stateDict();
    const whole = model.stateDict();
    for (const [name, x] of Object.entries(base)) assert.deepEqual(x.data, whole[name]?.data);
    assert.equal(json(join(at, "adapter_config.json")).fan_in_fan_out, true);
    assert.ok(readdirSync(join(at, "base")).includes("tokenizer.json"));
  });
});

describe("a classifier", () => {
  const as = "sequence-classification";

  test("is a linear head alone, adapters in its weights, and opens here again", async () => {
    const model = drawnModel(llama, { type: "linear" }, adapters);
    const at = join(folder, "classifier");
    const bias = Number(model.stateDict()["v_head.summary.bias"]?.data[0]);
    const notes = await exportRewardModel(at, whole(model), { as });
    assert.deepEqual(notes, [
      "the language-model head stays behind: a classifier has none",
      `the head's bias stays behind: rewards there are ${bias} lower, and their order is the same`,
    ]);
    const shapes = shapesIn(join(at, "model.safetensors"));
    assert.equal(shapes["score.weight"], "1x16");
    assert.ok(!Object.keys(shapes).some((name) => /v_head|lm_head|lora/.test(name)));
    const { architectures, id2label, pad_token_id, eos_token_id, vhead_layer_type } = json(
      join(at, "config.json"),
    );
    assert.deepEqual(architectures, ["LlamaForSequenceClassification"]);
    assert.deepEqual(id2label, { 0: "LABEL_0" });
    const { pad, eos } = tokenizer.special;
    assert.deepEqual([pad_token_id, eos_token_id, vhead_layer_type], [pad, eos, undefined]);
    const back = loadRewardModel(at);
    assert.deepEqual(back.reading, reading);
    const [there, here] = [await rewardsOf(back.model), await rewardsOf(model)];
    there.forEach((reward, i) => {
      assert.ok(Math.abs(reward + bias - (here[i] ?? 0)) < 1e-5);
    });
  });

  test("names no token for padding that ends texts, which it wouldn't read", async () => {
    const ends = trainBPE(["the cat"], { vocabSize: 280, special: { eos: "</s>", pad: "</s>" } });
    const at = join(folder, "ends");
    const parts = { ...whole(drawnModel(gpt2, { type: "linear" })), tokenizer: ends };
    const notes = await exportRewardModel(at, parts, { as });
    assert.match(notes.at(-1) ?? "", /no token for padding alone.*one text at a time/);
    assert.equal(json(join(at, "config.json")).pad_token_id, undefined);
  });

  test("can't be an MLP", async () => {
    const at = join(folder, "mlp");
    const parts = whole(drawnModel(llama, {}));
    await assert.rejects(
      exportRewardModel(at, parts, { as }),
      /this one is an MLP; train with --head-type linear/,
    );
    assert.ok(!existsSync(at));
  });
});

describe("what would be computed otherwise is refused", () => {
  const refused: Readonly<Record<string, readonly [() => RewardModel, RegExp]>> = {
    "an LSTM": [() => drawnModel(lstm, {}), /transformers has no LSTM/],
    "a Llama with learned positions": [
      () => drawnModel({ ...llama, positions: "learned" } as ModelOptions, {}),
      /twoheads_positions: transformers' llama has no such thing/,
    ],
    "an adapter on the reward head": [
      () => drawnModel(llama, {}, { layers: ["v_head.summary.0"], rank: 1 }),
      /"v_head.summary.0" has an adapter, .*; merge it/,
    ],
  };
  for (const [name, [model, message]] of Object.entries(refused)) {
    test(name, async () => {
      await assert.rejects(exported(name, model()), message);
      assert.equal(existsSync(join(folder, name)), false);
    });
  }

  test("dropout that transformers' Llama hasn't is said", async () => {
    const model = drawnModel({ ...llama, dropout: 0.1 } as ModelOptions, {});
    const notes = await exportRewardModel(join(folder, "drop"), whole(model));
    assert.deepEqual(notes, [
      "the backbone's dropout of 0.1 stays behind: transformers' Llama has none",
    ]);
  });
});

test("weights that are no numbers are written nowhere", async () => {
  const model = drawnModel(llama, {});
  const [name, first] = Object.entries(model.stateDict())[0] ?? [];
  first?.assign(first.mul(Number.NaN));
  const at = join(folder, "diverged");
  await assert.rejects(exportRewardModel(at, whole(model)), {
    name: "ArgumentError",
    message: `export: "${name}" holds NaN: this model's training diverged; train it again, at a lower rate`,
  });
  assert.ok(!existsSync(at));
});

describe("twoheads export", () => {
  test("writes a folder, and not over another model", async () => {
    const from = join(folder, "from");
    await saveRewardModel(from, whole(drawnModel(llama, {}, adapters)));
    const out = join(folder, "out");
    const { out: printed, said, code } = await twoheadsHere(["export", from, "--out", out]);
    assert.deepEqual([said, code], ["", 0]);
    const merged = ["export", from, "--out", join(folder, "one"), "--merge", "--json"];
    const data = JSON.parse((await twoheadsHere(merged)).out);
    assert.deepEqual([data.base, data.adapters], [join(folder, "one"), null]);
    assert.ok(printed.includes(`load_model_withhead("${join(out, "base")}", "${out}"`));
    assert.ok(existsSync(join(out, "adapter_model.safetensors")));
    const again = await twoheadsHere(["export", from, "--out", out]);
    assert.match(again.said, /out holds a model already; choose another --out/);
    assert.equal(again.code, 1);
  });
});

describe("PyTorch", () => {
  const python = "/usr/bin/python3";
  const hasTorch = spawnSync(python, ["-c", "import torch"]).status === 0;
  const skip = hasTorch ? {} : { skip: `needs torch in ${python}` };

  test("gives the same rewards", skip, async () => {
    const models: Readonly<Record<string, readonly [RewardModel, boolean?]>> = {
      "torch linear": [drawnModel(llama, { type: "linear" })],
      "torch mlp": [drawnModel(gpt2, {})],
      "torch mlp2": [
        drawnModel(backbones["llama untied"] as ModelOptions, heads["mlp of two layers"] ?? {}),
      ],
      "torch lora": [drawnModel(llama, {}, adapters)],
      "torch lora gpt2": [drawnModel(gpt2, {}, adaptersOfGPT2)],
      "torch merged": [drawnModel(gpt2, {}, adaptersOfGPT2), true],
    };
    const asked: object[] = [];
    for (const [name, [model, merge]] of Object.entries(models)) {
      const at = await exported(name, model, merge);
      const base = join(at, "base");
      asked.push({ folder: at, base: existsSync(base) ? base : at });
    }
    const ids = sequences.map((sequence) => [...sequence.ids]);
    const script = fileURLToPath(new URL("torchRewards.py", import.meta.url));
    const input = JSON.stringify({ ids, models: asked });
    const { stdout, stderr } = spawnSync(python, [script], { input, encoding: "utf8" });
    const found = stdout.trimEnd().split("\n");
    assert.equal(found.length, asked.length, stderr);
    for (const [i, [model]] of Object.values(models).entries()) {
      const expected = await rewardsOf(model);
      (JSON.parse(found[i] ?? "[]") as number[]).forEach((reward, row) => {
        const here = expected[row] ?? Number.NaN;
        assert.ok(Math.abs(reward - here) < 1e-5, `${i}: ${reward} there, ${here} here`);
      });
    }
  });
});
