// Whole models in folders: what is saved comes back with the same logits to the bit, and the names of old
// GPT-2 checkpoints open as well. Next: nn.checkpoints.test.ts for the files themselves.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { noGrad, ones, random, tensor } from "../core/index.ts";
import { addLoRA, CausalLM, configToHF, type ModelOptions } from "../nn/index.ts";
import { loadCausalLM, saveCausalLM, saveModel } from "../nn/node.ts";
import { temporaryFolder } from "./folders.ts";

const folder = temporaryFolder("pretrained");

const ids = tensor([[1, 2, 3, 4]], { dtype: "int32" });
const small = { vocabSize: 7, dim: 8, layers: 2 };
const styles: Record<string, ModelOptions> = {
  llama: { ...small, heads: 2, kvHeads: 1 },
  "llama untied": { ...small, heads: 2, tied: false, normEps: 1e-6, ropeBase: 500 },
  gpt2: { ...small, style: "gpt2", heads: 2, ffDim: 12 },
  lstm: { ...small, style: "lstm" },
};

describe("a folder gives back the model", () => {
  for (const [name, options] of Object.entries(styles)) {
    test(`${name}: its configuration, and its logits to the bit`, async () => {
      const lm = new CausalLM(options, { rng: random(1) });
      const at = join(folder, name);
      await saveCausalLM(at, lm);
      const back = loadCausalLM(at);
      assert.deepEqual(back.config, lm.config);
      assert.equal(back.training, false);
      const [there, here] = [back, lm].map((model) => noGrad(() => model.forward(ids)));
      assert.deepEqual(there?.data, here?.data);
    });
  }
});

test("a GPT-2 with the names of old checkpoints opens, attention masks and all", async () => {
  const lm = new CausalLM(styles.gpt2 as ModelOptions, { rng: random(1) });
  const old = Object.entries(lm.stateDict()).map(([name, x]) => [
    name.replace("transformer.", ""),
    x,
  ]);
  const masks = { "h.0.attn.bias": ones([1, 1, 4, 4]), "h.0.attn.masked_bias": ones([]) };
  const at = join(folder, "old");
  const stateDict = { ...Object.fromEntries(old), ...masks };
  await saveModel(at, { config: configToHF(lm.config), stateDict });
  const [there, here] = [loadCausalLM(at), lm].map((model) => noGrad(() => model.forward(ids)));
  assert.deepEqual(there?.data, here?.data);
});

test("a model with adapters says how to save it", async () => {
  const lm = new CausalLM(styles.llama as ModelOptions, { rng: random(1) });
  addLoRA(lm, { layers: ["lm_head"], rank: 1, rng: random(1) });
  await assert.rejects(saveCausalLM(join(folder, "lora"), lm), /adapters \(lm_head.lora.a, ...\)/);
});
