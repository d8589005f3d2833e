// Folders of the field: what opens under other names, and what is refused in one sentence before it costs time.
// Next: nn.families.test.ts for what transformers writes, ../nn/pretrained.ts, ../grm/rewardModelFiles.ts.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { random, type Tensor, tensor, zeros } from "../core/index.ts";
import { scoreSequences } from "../grm/index.ts";
import { loadRewardModel } from "../grm/rewardModelFolder.ts";
import { FileError } from "../nn/checkpoints/index.ts";
import type { RopeScaling } from "../nn/config.ts";
import { ByteTokenizer, CausalLM, configFromHF, configToHF } from "../nn/index.ts";
import { loadCausalLM, saveCausalLM, saveModel, saveTokenizer } from "../nn/node.ts";
import { Rotary } from "../nn/rotary.ts";
import { temporaryFolder } from "./folders.ts";

const folder = temporaryFolder("folders");
const size = { dim: 16, layers: 1, heads: 2, kvHeads: 1, headDim: 8, ffDim: 32, context: 32 };
const tokenizer = new ByteTokenizer({ special: { bos: "<s>", eos: "</s>" } });
const shape = { style: "llama", vocabSize: tokenizer.vocabSize, ...size } as const;
const lm = new CausalLM(shape, { rng: random(1) });
const sentence = (run: () => unknown, says: RegExp): void => {
  assert.throws(run, (error: Error) => says.test(error.message) && error instanceof FileError);
};

async function modelIn(
  name: string,
  config: object,
  tensors: Readonly<Record<string, Tensor>>,
): Promise<string> {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  await saveModel(path, { config: { ...configToHF(lm.config), ...config }, stateDict: tensors });
  await saveTokenizer(path, tokenizer);
  return path;
}

describe("config.json is held against the weights before a model is built", () => {
  const rewarding = { ...lm.stateDict(), "score.weight": zeros([1, size.dim]) };
  for (const [field, value] of [
    ["num_hidden_layers", 2_000_000],
    ["intermediate_size", 48_000_000],
    ["vocab_size", 280_000_000],
    ["head_dim", 80_000_000],
  ] as const)
    test(`${field} ${value} is a sentence at once`, async () => {
      const path = await modelIn("forged", { [field]: value }, rewarding);
      const start = performance.now();
      const says = new RegExp(
        `config.json describes a model of .*${value}.*the weights hold \\d+;`,
      );
      assert.throws(() => loadCausalLM(path), says);
      assert.throws(() => loadRewardModel(path), says);
      assert.ok(performance.now() - start < 3000);
    });

  test("a context of 20,000,000 makes tables for the positions that are there", async () => {
    const long = await modelIn("long", { max_position_embeddings: 20_000_000 }, lm.stateDict());
    const read = loadCausalLM(long);
    const ids = tensor([1, 2, 3, 4], { shape: [1, 4], dtype: "int32" });
    assert.deepEqual(read.forward(ids).data, lm.eval().forward(ids).data);
    const rotary = new Rotary(5000, 4, 100);
    const [few, more] = [rotary.tables("float64", 3).cos, rotary.tables("float64", 513).cos];
    assert.deepEqual(
      [few.shape, more.shape],
      [
        [512, 2],
        [1024, 2],
      ],
    );
    assert.deepEqual(more.data.slice(0, few.size), few.data);
    assert.equal(rotary.tables("float64", 1000).cos, more);
    assert.deepEqual(rotary.tables("float64", 4999).cos.shape, [5000, 2]);
  });
});

describe("rotary positions", () => {
  test("angles scaled linearly and as Llama 3 does, there and back", () => {
    const llama3 = {
      ...{ rope_type: "llama3", factor: 4, low_freq_factor: 1, high_freq_factor: 4 },
      original_max_position_embeddings: 32,
    };
    for (const scaling of [{ rope_type: "linear", factor: 3 }, llama3]) {
      const config = configFromHF({ ...configToHF(lm.config), rope_scaling: scaling });
      assert.deepEqual(configToHF(config).rope_scaling, scaling);
    }
    const angles = (scaling: RopeScaling): number[] => {
      const { cos } = new Rotary(2, 8, 100, scaling).tables("float64", 2);
      return Array.from(cos.data.slice(4), Math.acos);
    };
    const near = (found: number[], expected: number[]): void =>
      found.forEach((x, i) => {
        assert.ok(Math.abs(x - (expected[i] ?? 0)) < 1e-7, `${found} and ${expected}`);
      });
    const plain = [1, 100 ** -0.25, 0.1, 100 ** -0.75];
    near(
      angles({ type: "linear", factor: 2 }),
      plain.map((x) => x / 2),
    );
    const [a = 0, b = 0, c = 0, d = 0] = plain; // they turn 5.1, 1.6, 0.5 and 0.2 times in 32 places
    const share = ((32 * b) / (2 * Math.PI) - 1) / 3;
    const between = (1 - share) * (b / 4) + share * b;
    const scaling = {
      type: "llama3",
      factor: 4,
      lowFactor: 1,
      highFactor: 4,
      context: 32,
    } as const;
    near(angles(scaling), [a, between, c / 4, d / 4]);
  });
});

describe("a classifier of one label", () => {
  test("score.weight is the reward head", async () => {
    const dict = lm.stateDict();
    const { "lm_head.weight": _, ...backbone } = dict;
    const score = tensor([Array.from({ length: 16 }, (_, i) => Math.sin(i + 1))]);
    const path = await modelIn("classifier", {}, { ...backbone, "score.weight": score });
    const { model, reading } = loadRewardModel(path);
    assert.equal(reading.truncation, "prompt");
    const ids = Int32Array.of(4, 5, 6);
    const { rewards } = await scoreSequences(model, [{ ids, labels: ids }]);
    const hidden = Array.from(
      lm.eval().model.forward(tensor([[4, 5, 6]], { dtype: "int32" })).data,
    );
    const last = hidden.slice(-16);
    const expected = last.reduce((sum, x, i) => sum + x * Math.sin(i + 1), 0);
    assert.ok(Math.abs((rewards[0] ?? 0) - expected) < 1e-5);
  });

  test("is read before an end token that it takes for padding, as transformers reads it", async () => {
    const { "lm_head.weight": _, ...backbone } = lm.stateDict();
    const score = tensor([Array.from({ length: 16 }, (_, i) => Math.sin(i + 1))]);
    const dict = { ...backbone, "score.weight": score };
    const { eos = 0 } = tokenizer.special;
    const rewardsIn = async (name: string, config: object): Promise<number[]> => {
      const { model } = loadRewardModel(await modelIn(name, config, dict));
      const rows = [[4, 5, 6], [4, 5, 6, eos], [4, 5, 6, eos, eos], [eos]];
      const sequences = rows.map((row) => ({
        ids: Int32Array.from(row),
        labels: Int32Array.from(row),
      }));
      return [...(await scoreSequences(model, sequences)).rewards];
    };
    const [plain, ended, twice, alone] = await rewardsIn("pads with its end", {
      pad_token_id: eos,
    });
    assert.deepEqual([ended, twice], [plain, plain]);
    const [same, apart, , own] = await rewardsIn("pads apart", { pad_token_id: 3 });
    assert.deepEqual([same, own], [plain, alone]);
    assert.notEqual(apart, plain);
  });

  test("writes no text, and its weight may have the name that OpenRLHF's configuration says", async () => {
    const { "lm_head.weight": _, ...backbone } = lm.stateDict();
    const score = tensor([Array.from({ length: 16 }, (_, i) => Math.sin(i + 1))]);
    const rewardsIn = async (name: string, prefix?: string): Promise<Float64Array> => {
      const config = { value_head_prefix: prefix };
      const dict = { ...backbone, [`${prefix ?? "score"}.weight`]: score };
      const path = await modelIn(name, config, dict);
      assert.throws(() => loadCausalLM(path), /weights are a classifier's \(\w+\.weight\), which/);
      const ids = Int32Array.of(4, 5, 6);
      return (await scoreSequences(loadRewardModel(path).model, [{ ids, labels: ids }])).rewards;
    };
    assert.deepEqual(await rewardsIn("prefix", "value_head"), await rewardsIn("no prefix"));
  });

  test("of several labels it is no reward model", async () => {
    const score = tensor([new Array(16).fill(0), new Array(16).fill(1)]);
    const path = await modelIn("labels", {}, { ...lm.stateDict(), "score.weight": score });
    sentence(() => loadRewardModel(path), /a classifier of 2 labels, no reward model/);
  });
});

describe("one sentence at once", () => {
  test("an unsupported model, before its weights are looked at", async () => {
    const path = await modelIn("mamba", { model_type: "mamba" }, lm.stateDict());
    writeFileSync(join(path, "model.safetensors"), "broken");
    assert.throws(() => loadCausalLM(path), /model_type is "mamba"; known are/);
    assert.throws(() => loadRewardModel(path), /model_type is "mamba"; known are/);
  });

  test("quantised weights", async () => {
    for (const name of ["qweight", "weight_scale_inv", "quant_state.bitsandbytes__nf4"]) {
      const dict = { ...lm.stateDict(), [`model.layers.0.self_attn.q_proj.${name}`]: zeros([2]) };
      const path = await modelIn("quantised", {}, dict);
      assert.throws(() => loadCausalLM(path), /the weights are quantised \(model.*\), which isn't/);
    }
  });

  test("pickles and pointers", async () => {
    const path = await modelIn("pickle", {}, lm.stateDict());
    const weights = join(path, "model.safetensors");
    const pointer = "version https://git-lfs.example/spec/v1\noid sha256:0\nsize 5\n";
    writeFileSync(weights, pointer);
    sentence(() => loadCausalLM(path), /model\.safetensors: is a pointer of Git LFS/);
    writeFileSync(weights, "PK\u0003\u0004 and more bytes");
    sentence(() => loadCausalLM(path), /is a pickle of PyTorch/);
    renameSync(weights, join(path, "pytorch_model.bin"));
    sentence(
      () => loadCausalLM(path),
      /holds pytorch_model\.bin, a pickle.*convert it once, in its folder: python/,
    );
    const config = readFileSync(join(path, "config.json"), "utf8");
    writeFileSync(join(path, "config.json"), pointer);
    sentence(() => loadCausalLM(path), /config\.json: is a pointer of Git LFS/);
    assert.match(config, /llama/);
  });

  test("a tokenizer larger than the model", async () => {
    const score = tensor([new Array(16).fill(1)]);
    const small = new CausalLM({ ...shape, vocabSize: 200 }, { rng: random(1) });
    const stateDict = { ...small.stateDict(), "score.weight": score };
    const path = await modelIn("large", { vocab_size: 200 }, stateDict);
    sentence(() => loadRewardModel(path), /the tokenizer has 258 tokens, the model 200/);
  });

  test("ids of the roles stand in config.json and generation_config.json", async () => {
    const path = join(folder, "roles");
    await saveCausalLM(path, lm, tokenizer.special);
    const read = (name: string) => JSON.parse(readFileSync(join(path, name), "utf8"));
    const ids = { bos_token_id: 256, eos_token_id: 257 };
    assert.deepEqual(read("generation_config.json"), ids);
    assert.equal(read("config.json").eos_token_id, 257);
    await saveCausalLM(path, lm);
    assert.throws(() => read("generation_config.json"), /no such file/);
  });
});
