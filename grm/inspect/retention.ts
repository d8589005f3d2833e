// What the language-model head still knows after reward training: how perplexed it is by texts, how far
// its predictions have moved from the base's, and what it writes, beside what others write for the same
// prompt. Next: ../evaluation.ts for the same perplexities beside accuracy.

import { cat, noGrad, portable, random, scope, type Tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { CausalLM, generateAsync } from "../../nn/index.ts";
import { breathe } from "../../nn/run/loop.ts";
import { batchesByLength, makeBatch } from "../batches.ts";
import type { Sequence } from "../pairs.ts";
import { atPlaces } from "../rewardModel.ts";
import { taken } from "../scores.ts";
import { evaluating } from "./states.ts";

const takes = signatures(
  {
    retention: "model: CausalLM, base: CausalLM, sequences: any[], { batchTokens?: number }",
    samplesSideBySide:
      "models: object, prompt: number[], { maxTokens: number, temperature?: number, samples?: number, seed?: number, stop?: number[] }",
  },
  () => ({ CausalLM }),
);

/** On some texts, over all tokens that carry a label. */
export interface Retention {
  readonly tokens: number;
  /** e^(mean loss of a token): among how many equally likely tokens the model is undecided. */
  readonly perplexity: { readonly base: number; readonly model: number };
  /** KL(model ‖ base) of the predictions at those tokens, mean, in nats. */
  readonly kl: number;
}

/** A model's language side against its base's on the labelled tokens of sequences; null if there are none. */
export async function retention(
  model: CausalLM,
  base: CausalLM,
  sequences: readonly Sequence[],
  options: { readonly batchTokens?: number } = {},
): Promise<Retention | null> {
  accept(takes.retention, arguments);
  const { batchTokens = 1024 } = options;
  let [tokens, own, theirs, kl] = [0, 0, 0, 0];
  const lengths = sequences.map(({ ids }) => ids.length);
  for (const batch of batchesByLength(lengths, batchTokens)) {
    const rows = batch.map((i) => sequences[i] as Sequence);
    const { count, sums } = compare(model, base, rows);
    const [a = 0, b = 0, c = 0] = sums === null ? [] : Array.from(await taken(sums));
    tokens += count;
    own += a;
    theirs += b;
    kl += c;
    await breathe();
  }
  if (tokens === 0) return null;
  const perplexity = (loss: number): number => portable.exp(loss / tokens);
  return {
    tokens,
    perplexity: { base: perplexity(theirs), model: perplexity(own) },
    kl: kl / tokens,
  };
}

/** Sums over the targets of a batch, [3]: both models' losses, and the divergence. */
function compare(model: CausalLM, base: CausalLM, rows: readonly Sequence[]) {
  const { ids, mask, targets } = makeBatch(rows);
  const count = targets.places.size;
  if (count === 0) return { count, sums: null };
  const logProbs = (lm: CausalLM): Tensor =>
    evaluating(lm, () =>
      lm.lmHead.forward(atPlaces(lm.hidden(ids, { mask }), targets.places)).logSoftmax({ dim: -1 }),
    ); // [N,V]
  const sums = noGrad(() =>
    scope(() => {
      const [p, q] = [logProbs(model), logProbs(base)];
      const at = targets.tokens.unsqueeze(1);
      const loss = (x: Tensor): Tensor => x.gather(at, { dim: 1 }).sum().neg().reshape([1]);
      const kl = p.exp().mul(p.sub(q)).sum().reshape([1]);
      return cat([loss(p), loss(q), kl]);
    }),
  );
  return { count, sums };
}

/** How long and how varied the samples of each model are. */
export interface SampleOptions {
  readonly maxTokens: number;
  /** Default 1; 0 always takes the likeliest token. */
  readonly temperature?: number;
  /** Of each model. Default 2. */
  readonly samples?: number;
  readonly seed?: number;
  /** Tokens that end a sample. */
  readonly stop?: readonly number[];
}

/**
 * What each model writes after the same prompt, as new token ids by the model's name. All draw from
 * generators of one seed, so that equal predictions give equal texts.
 */
export async function samplesSideBySide(
  models: Readonly<Record<string, CausalLM>>,
  prompt: readonly number[],
  options: SampleOptions,
): Promise<Record<string, (readonly number[])[]>> {
  accept(takes.samplesSideBySide, arguments);
  const { maxTokens, temperature = 1, samples = 2, seed = 0, stop = [] } = options;
  const written: Record<string, (readonly number[])[]> = {};
  for (const [name, lm] of Object.entries(models)) {
    const rng = random(seed).fork("samples");
    const options = { maxTokens, temperature, samples, stop, rng };
    const found = await generateAsync(lm, [prompt], options);
    written[name] = found.map(({ tokens }) => tokens);
  }
  return written;
}
