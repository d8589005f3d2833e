// What is written for a seed, and with which log probabilities, to the bit: hashes of what generate() gave
// before its cache was written in place; since then exp and gelu moved the log probabilities, and no text.
// Models of both styles, with grouped heads, LoRA and an LSTM; prompts of one and of several lengths,
// sequences that end early, and contexts longer than a block of keys.
// If a change of an algorithm moves a hash, write the new one here and say so. Next: ../nn/generate.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noGrad, random, registerDevice, scope, tensor, use } from "../core/index.ts";
import { WasmDevice } from "../kernels/index.ts";
import {
  addLoRA,
  CausalLM,
  type GenerateOptions,
  generate,
  type ModelOptions,
} from "../nn/index.ts";

const base = { vocabSize: 37, dim: 32, layers: 2, heads: 4, context: 200, initStd: 0.2 };
const models: Record<string, ModelOptions> = {
  llama: { ...base, kvHeads: 2 },
  gpt2: { ...base, style: "gpt2" },
  // more than 512 inputs to a product: its sums are taken in two parts
  wide: { ...base, style: "gpt2", dim: 136, layers: 1, heads: 2 },
  odd: { ...base, dim: 30, heads: 3, kvHeads: 1, headDim: 10 },
  lora: { ...base, kvHeads: 1 },
  lstm: { style: "lstm", vocabSize: 37, dim: 16, layers: 2 },
};

function modelOf(name: string): CausalLM {
  const lm = new CausalLM(models[name] as ModelOptions, { rng: random(4) });
  if (name !== "lora") return lm;
  addLoRA(lm, { layers: ["model.layers.*.self_attn.*"], rank: 2, rng: random(5) });
  const changed = lm.namedParameters().filter(([key]) => key.endsWith("lora.b"));
  for (const [, b] of changed) b.assign(b.data.map((_, i) => Math.fround(Math.sin(i) / 4)));
  return lm;
}

const even = Array.from({ length: 5 }, (_, i) => [1 + i, 2, 3, 4 + i]);
const ragged = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [4], [30, 31, 5]];
const calls: readonly (readonly [number[][], Omit<GenerateOptions, "rng">])[] = [
  [[[7, 8, 9]], { maxTokens: 190, temperature: 0 }],
  [even, { maxTokens: 40, temperature: 0.9 }],
  [ragged, { maxTokens: 30, samples: 3, temperature: 1.1, topK: 9, stop: [3, 5] }],
  [[[1], ...ragged], { maxTokens: 150, samples: 4, topP: 0.8, stop: [11] }],
];

/** FNV-1a over 32-bit words. */
function hashed(words: Iterable<number>, start = 0x811c9dc5): number {
  let hash = start;
  for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  return hash >>> 0;
}

/** The bits of the logits that a model gives with a cache: a prompt, one token, two, then one at a time. */
function logitsHash(lm: CausalLM, rows: number): number {
  const cache = lm.model.newCache();
  let hash: number | undefined;
  const next = (at: number, count: number): void => {
    const ids = Int32Array.from({ length: rows * count }, (_, i) => (7 * at + 5 * i) % 37);
    const logits = noGrad(() =>
      scope(() => lm.forward(tensor(ids, { shape: [rows, count] }), { cache })),
    );
    hash = hashed(new Int32Array(Float32Array.from(logits.data).buffer), hash);
    logits.release();
  };
  lm.eval();
  next(0, 9);
  for (const count of [1, 2, 1, 1, 130]) next(cache.length, count);
  for (let i = 0; i < 20; i++) next(cache.length, 1);
  cache.release();
  return hash ?? 0;
}

function hashOf(name: string): string {
  const lm = modelOf(name);
  const texts = calls.map(([prompts, options], i) =>
    hashed(
      generate(lm, prompts, { ...options, rng: random(i) }).flatMap(({ tokens }) => [
        tokens.length,
        ...tokens,
      ]),
    ),
  );
  const all = [...texts, logitsHash(lm, 1), logitsHash(lm, 3), logitsHash(lm, 17)];
  return all.map((hash) => hash.toString(16)).join(" ");
}

/** Texts of the four calls, then logits of 1, 3 and 17 rows. */
const known: Readonly<Record<string, string>> = {
  llama: "5b731d69 9633ba11 e43ddb12 3f5652a4 c9a2da97 f4d035fa b7669f44",
  gpt2: "95a449cd 3e07c149 e3bf1b05 6781b394 3b726d40 f7d0d252 8f79f48c",
  wide: "685799c7 45210d1 6e02365f b265579a 964ceb3a 126e17a6 a9c1624a",
  odd: "b89d2f2 4406622 b8d7f6e8 34bf5528 e61eeca9 366c04e1 e7b64e43",
  lora: "38da01f8 4a75ef4e 2b112639 e2f2b9b a3251f34 a714380f 944f20d3",
  lstm: "a98fbcf3 a279b7b7 a64816a5 f2c30d3c 59855a38 93869928 321599f8",
};

describe("what a seed writes, and its logits, to the bit", () => {
  for (const threads of [1, 4]) {
    const device = `wasm with ${threads} threads`;
    registerDevice(device, () => new WasmDevice({ threads, worthSharing: 500 }));
    for (const name of Object.keys(models)) {
      test(`${name} on ${device}`, () => {
        use(device);
        assert.equal(hashOf(name), known[name]);
      });
    }
  }
});
