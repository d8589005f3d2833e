// The GPT of works.ts as nn builds it, and its training step as a user writes one.
// Read next: twoheads.ts, which races it.

import { random, type Tensor, tensor } from "../core/index.ts";
import { AdamW, CausalLM } from "../nn/index.ts";
import {
  adamW,
  batchesOf,
  type GPTShape,
  initialWeights,
  layerNormEps,
  transposed,
} from "./works.ts";

/** A GPT-2 with the weights of works.ts; GPT-2's linear layers lie [in, out], its head [out, in]. */
export function gpt(shape: GPTShape): CausalLM {
  const { V: vocabSize, L: layers, D: dim, H: heads, T: context } = shape;
  const config = { style: "gpt2", tied: false, normEps: layerNormEps } as const;
  const model = new CausalLM(
    { ...config, vocabSize, layers, dim, heads, context },
    { rng: random(1) },
  );
  const entries = Object.entries(initialWeights(shape)).map(([name, weight]) => {
    const { shape: dims, data } = /c_\w+\.weight/.test(name) ? transposed(weight) : weight;
    const prefix = name === "lm_head" ? "" : "transformer.";
    const suffix = /^(wte|wpe|lm_head)$/.test(name) ? ".weight" : "";
    return [prefix + name + suffix, tensor(data, { shape: dims })] as const;
  });
  model.loadStateDict(Object.fromEntries(entries));
  return model;
}

/** A model at its first step; each call is a step, and gives its loss. */
export function trainingStep(shape: GPTShape): () => number {
  const model = gpt(shape);
  const optimiser = new AdamW(model, { ...adamW, decays: () => true });
  const batch = batchesOf(shape);
  let steps = 0;
  return () => {
    const { x, y } = batch(steps++);
    const [ids, targets] = [x, y].map((data) => tensor(data, { shape: [shape.B, shape.T] })) as [
      Tensor,
      Tensor,
    ];
    const loss = model.forward(ids).crossEntropy(targets);
    loss.backward();
    optimiser.step();
    optimiser.zeroGrad();
    return loss.data[0] as number;
  };
}
