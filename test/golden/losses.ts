// The training runs whose losses must have the same bits on every machine: 200 steps of a small GPT and
// of a small Llama on the wasm device, from one seed, with everything on the path that could differ:
// normal draws, rotary tables, schedules, clipping, dropout. Runs in Node and in browsers alike.
// Next: ../golden.test.ts, which holds the hash.

import { currentDevice, randint, random, scope } from "../../core/index.ts";
import type { ModelOptions } from "../../nn/config.ts";
import { AdamW, CausalLM, cosineSchedule } from "../../nn/index.ts";

const shared = { vocabSize: 61, dim: 40, layers: 2, heads: 4, context: 32 } as const;
export const runs: Readonly<Record<string, ModelOptions>> = {
  gpt2: { ...shared, style: "gpt2", activation: "gelu", dropout: 0.1 },
  llama: { ...shared, style: "llama", kvHeads: 2 },
};

/** The losses of `steps` steps, float32. */
export function trainingLosses(options: ModelOptions, steps: number): Float32Array {
  const rng = random("golden");
  const model = new CausalLM(options, { rng: rng.fork("model") });
  const optimiser = new AdamW(model, { lr: 0 });
  const rate = cosineSchedule({ lr: 3e-3, warmup: 20, steps });
  return Float32Array.from({ length: steps }, (_, i) => {
    const draw = rng.fork(i);
    optimiser.lr = rate(i);
    return scope(() => {
      const ids = randint([4, 32], { high: 61, rng: draw });
      const loss = model.train({ rng: draw }).forward(ids).crossEntropy(ids);
      loss.backward();
      optimiser.step({ maxNorm: 0.5 });
      optimiser.zeroGrad();
      return loss;
    }).data[0] as number;
  });
}

/** FNV-1a over the bytes of all runs' losses, as eight hexadecimal digits; and which device it was. */
export function goldenHash(): { readonly hash: string; readonly device: string } {
  let h = 0x811c9dc5;
  for (const options of Object.values(runs)) {
    const bytes = new Uint8Array(trainingLosses(options, 200).buffer);
    for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193);
  }
  return { hash: (h >>> 0).toString(16).padStart(8, "0"), device: currentDevice().name };
}
