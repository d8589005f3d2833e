// A world's base: a small language model that has read tens of thousands of its stories, and so knows
// its words and grammar before anybody asks it what is good. Trained for a set number of steps, and
// never chosen by how reward models that start from it do.
// Next: ../demo/ for what is made of it.

import { noGrad, portable, type Random, random, scope, tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { AdamW, CausalLM, cosineSchedule } from "../../nn/index.ts";
import { titleLength, type World } from "./world.ts";

const takes = signatures(
  {
    newBase: "world: { document: function, gold: function, ... }, rng: Random",
    pretrainBase:
      "world: { document: function, gold: function, ... }, seed: string | number, onStep?: function, most?: number",
    documents: "world: { document: function, gold: function, ... }, count: number, rng: Random",
    perplexity: "lm: CausalLM, held: any[], first?: number",
  },
  () => ({ CausalLM }),
);

const lr = 4e-3;
const batchSize = 32; // stories to a step
const warmup = 50;
const clip = 1;
const shuffled = 16; // batches that are drawn and sorted by length together

/** How far the pretraining of a world's language model is. */
export interface BaseProgress {
  /** Steps done, of how many. */
  readonly step: number;
  readonly steps: number;
  /** Mean loss of a token in this step, in nats. */
  readonly loss: number;
  readonly lm: CausalLM;
}

/** A world's language model before it has learnt anything. */
export function newBase(world: World, rng: Random): CausalLM {
  accept(takes.newBase, arguments);
  const { layers, dim, heads, ffDim } = world.base;
  const { vocabSize } = world.tokenizer;
  const shape = { layers, dim, heads, ffDim, vocabSize, context: world.longest, ropeBase: 1000 };
  const initStd = 1 / Math.sqrt(3 * dim); // as PyTorch's linear layers; 0.02 is for wider models, and slower here
  return new CausalLM({ style: "llama", ...shape, initStd }, { rng });
}

/** Pretrains a base, as many steps as its world says or `most`; calls `onStep` after every step. Same seed, same bits. */
export async function pretrainBase(
  world: World,
  seed: number | string,
  onStep: (progress: BaseProgress) => Promise<void> | void = () => {},
  most?: number,
): Promise<CausalLM> {
  accept(takes.pretrainBase, arguments);
  const steps = most ?? world.base.steps;
  const rng = random(`${world.name} base ${seed}`);
  const lm = newBase(world, rng.fork("model"));
  const optimiser = new AdamW(lm, { lr, beta2: 0.95, weightDecay: 0.01 });
  const rate = cosineSchedule({ lr, warmup: Math.min(warmup, steps - 1), steps, minLr: lr / 20 });
  const batches = stories(world, rng.fork("stories"));
  for (let step = 0; step < steps; step++) {
    optimiser.lr = rate(step);
    const batch = batches.next().value;
    const loss = scope(() => {
      const { mean } = lossOf(lm, batch);
      mean.backward();
      optimiser.step({ maxNorm: clip });
      optimiser.zeroGrad();
      return mean.detach();
    });
    await onStep({ step: step + 1, steps, loss: loss.data[0] ?? Number.NaN, lm });
    loss.release();
  }
  return lm.eval();
}

/** Batches without end, each of documents that are about equally long, so that little is padding. */
function* stories(world: World, rng: Random): Generator<readonly Int32Array[], never> {
  for (;;) {
    const many = documents(world, shuffled * batchSize, rng);
    many.sort((a, b) => a.length - b.length);
    for (const i of rng.permutation(shuffled)) yield many.slice(i * batchSize, (i + 1) * batchSize);
  }
}

/** Documents as token ids. */
export function documents(world: World, count: number, rng: Random): Int32Array[] {
  accept(takes.documents, arguments);
  return Array.from({ length: count }, () =>
    world.tokenizer.encode(world.text(world.document(rng))),
  );
}

/** Mean loss of the tokens from `first` on, padding left out, and how many they are. */
function lossOf(lm: CausalLM, batch: readonly Int32Array[], first = 1) {
  const T = Math.max(...batch.map(({ length }) => length)) - 1;
  const shape = [batch.length, T];
  const ids = new Int32Array(batch.length * T);
  const targets = new Int32Array(batch.length * T).fill(-100);
  batch.forEach((document, i) => {
    ids.set(document.subarray(0, -1), i * T);
    targets.set(document.subarray(first), i * T + first - 1);
  });
  const count = batch.reduce((sum, { length }) => sum + length - first, 0);
  const logits = lm.forward(tensor(ids, { shape })); // a causal model doesn't see the padding behind
  return { mean: logits.crossEntropy(tensor(targets, { shape })), count };
}

/**
 * exp of the mean loss of a token over documents from the token `first` on: after the title, unless said, as nobody can
 * know that beforehand.
 */
export function perplexity(lm: CausalLM, held: readonly Int32Array[], first = titleLength): number {
  accept(takes.perplexity, arguments);
  const sorted = held.toSorted((a, b) => a.length - b.length);
  let sum = 0;
  let tokens = 0;
  for (let i = 0; i < sorted.length; i += 100) {
    const batch = sorted.slice(i, i + 100);
    const { mean, count } = noGrad(() => scope(() => lossOf(lm, batch, first)));
    sum += count * (mean.data[0] ?? Number.NaN);
    tokens += count;
    mean.release();
  }
  return portable.exp(sum / tokens);
}
