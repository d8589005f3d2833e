// One half of a comparison with transformers and PEFT: writes models of every family with drawn weights, and prints where
// each lies and what it gives, a line of JSON each. Next: compareFolders.py and comparePeft.py, which call this and compare.
//   tsx interop/writeFolders.ts OUT lm|classifier|adapters|merged|unmerged SEEDS
// The last two are reward models in the official code's layout: their rewards are printed, of the others but classifiers logits.

import { join } from "node:path";
import { noGrad, randint, random } from "../core/index.ts";
import { type ExportOptions, exportRewardModel } from "../grm/node.ts";
import type { ModelOptions } from "../nn/index.ts";
import { saveCausalLM } from "../nn/node.ts";
import { drawnModel, tokenizer, whole } from "../test/rewardFolders.ts";

const small = { vocabSize: 280, dim: 32, layers: 2, heads: 4, context: 64 };
const linear = { type: "linear", factor: 4 } as const;
const llama3 = { type: "llama3", factor: 8, lowFactor: 1, highFactor: 4, context: 32 } as const;
const models: Readonly<Record<string, ModelOptions>> = {
  "llama 2": { ...small, tied: false },
  "llama 2, linear scaling": { ...small, ropeScaling: linear, headDim: 12 },
  "llama 3": { ...small, kvHeads: 2, tied: false, ropeBase: 5e5, ropeScaling: llama3 },
  "llama, attention_bias": { ...small, attentionBias: "all" },
  smollm: { ...small, dim: 36, heads: 3, kvHeads: 1 },
  qwen2: { ...small, kvHeads: 2, attentionBias: "qkv", tied: false },
  qwen3: { ...small, kvHeads: 2, headDim: 16, qkNorm: true },
  gpt2: { ...small, style: "gpt2" },
  "gpt2, gelu, untied": { ...small, style: "gpt2", activation: "gelu", tied: false },
};

const options: Readonly<Record<string, ExportOptions>> = {
  classifier: { as: "sequence-classification" },
  merged: { merge: true },
};

const [out = ".", kind = "lm", seeds = "3"] = process.argv.slice(2);
for (const [name, size] of Object.entries(models)) {
  for (let seed = 0; seed < Number(seeds); seed++) {
    const folder = join(out, `${kind} ${name} ${seed}`);
    const ids = randint([3, 24], { high: 256, rng: random(`${name} ${seed}`) });
    const model = drawnModel(size, { type: "linear" }, adaptersFor(name), seed);
    const parts = whole(model);
    if (kind === "lm") await saveCausalLM(folder, model.lm, tokenizer.special);
    else await exportRewardModel(folder, parts, options[kind] ?? {});
    const { hidden, rewards } = noGrad(() => model.forward(ids));
    const isLogits = kind === "lm" || kind === "adapters";
    const values = isLogits ? noGrad(() => model.logits(hidden)) : rewards;
    const bias = Number(model.stateDict()["v_head.summary.bias"]?.data[0]); // a classifier has none
    const ours = [...values.data].map((x) => (kind === "classifier" ? x - bias : x));
    console.log(JSON.stringify({ name, folder, ids: rowsOf(ids.data, 24), ours }));
  }
}

function adaptersFor(name: string) {
  if (kind === "lm") return undefined;
  const layers = name.startsWith("gpt2")
    ? ["transformer.h.*.attn.c_attn", "transformer.h.*.mlp.c_proj"]
    : ["model.layers.*.self_attn.q_proj", "model.layers.*.mlp.down_proj"];
  return { layers, rank: 3, alpha: 5 };
}

function rowsOf(data: ArrayLike<number>, width: number): number[][] {
  const all = Array.from(data);
  return Array.from({ length: all.length / width }, (_, i) =>
    all.slice(i * width, (i + 1) * width),
  );
}
