// Generation: hundreds of sequences at once, each prompt read once, then a token at a time on a cache.
// Sequences that are done leave the batch. Every sequence draws from a generator of its own, forked by
// its number, so that what it becomes depends on the seed and not on what the others do.
// Next: sampling.ts for how a token is chosen, cache.ts for what is remembered.

import {
  ArgumentError,
  noGrad,
  type Random,
  scope,
  type Tensor,
  type TypedArray,
  tensor,
} from "../core/index.ts";
import { describeValue } from "../core/refusal.ts";
import { accept, signatures } from "../core/signature.ts";
import type { Cache } from "./backbone.ts";
import { CausalLM } from "./causalLM.ts";
import { best, checkSampling, draw, type SamplingOptions } from "./sampling.ts";

const line =
  "lm: CausalLM, prompts: any[], { maxTokens: number, samples?: number, stop?: number[] | function, " +
  "rng?: Random, temperature?: number, topK?: number, topP?: number }";
const takes = signatures({ generate: line, generateAsync: line }, () => ({ CausalLM }));

/** How much is written, when it stops, and how tokens are drawn. */
export interface GenerateOptions extends SamplingOptions {
  /** The most tokens that a sequence gets. */
  readonly maxTokens: number;
  /** How many continuations each prompt gets. Default 1. */
  readonly samples?: number;
  /** Tokens that end a sequence, or a function that says of a sequence's new tokens whether they do. */
  readonly stop?: readonly number[] | ((tokens: readonly number[], sequence: number) => boolean);
  /** Where tokens are drawn from; not needed at temperature 0. */
  readonly rng?: Random;
}

/** A continuation of a prompt, and why it ended. */
export interface Generated {
  /** The number of the prompt that this continues. */
  readonly prompt: number;
  /** The new tokens, without the prompt, with the token that ended them if one did. */
  readonly tokens: readonly number[];
  /** Why it ended: stop, maxTokens, or no more room in the model's context. */
  readonly finish: "stop" | "length" | "context";
}

interface GrowingSequence {
  readonly index: number;
  readonly prompt: number;
  readonly rng: Random | undefined;
  readonly tokens: number[];
  finish: Generated["finish"] | null;
  /** Where it stands in the batch and in the cache. */
  row: number;
}

/**
 * Continuations of prompts (lists of token ids, of any lengths): `samples` of the first prompt, then those
 * of the second, and so on. Reads the numbers at once: CPU devices only; generateAsync works on all.
 */
export function generate(
  lm: CausalLM,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Generated[] {
  accept(takes.generate, arguments);
  const run = continuations(lm, prompts, options);
  let next = run.next();
  while (next.done !== true) next = run.next(next.value.data);
  return next.value;
}

/** The same on any device, without blocking while a GPU computes. */
export async function generateAsync(
  lm: CausalLM,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<Generated[]> {
  accept(takes.generateAsync, arguments);
  const run = continuations(lm, prompts, options);
  let next = run.next();
  while (next.done !== true) next = run.next(await next.value.read());
  return next.value;
}

/** Yields the scores [rows, V] of the next tokens, and is given their numbers. */
function* continuations(
  lm: CausalLM,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Generator<Tensor, Generated[], TypedArray> {
  check(lm, prompts, options);
  const { vocabSize, context } = lm.model;
  const sequences = start(prompts, options);
  const cache = lm.model.newCache();
  const resumeTraining = lm.pauseTraining();
  try {
    let scores = score(lm, cache, options, () => padLeft(prompts));
    for (let unfinished = sequences; ; ) {
      const numbers = yield scores;
      for (const sequence of unfinished) {
        const row = numbers.subarray(sequence.row * vocabSize, (sequence.row + 1) * vocabSize);
        extend(sequence, row, options, cache.length === context);
      }
      const [rows = 0] = scores.shape;
      scores.release();
      unfinished = unfinished.filter(({ finish }) => finish === null);
      if (unfinished.length === 0) break;
      scores = score(lm, cache, options, () => gather(unfinished, rows, cache));
    }
    return sequences.map(({ prompt, tokens, finish }) => ({
      prompt,
      tokens,
      finish: finish ?? "length",
    }));
  } finally {
    cache.release();
    resumeTraining();
  }
}

function check(
  { model }: CausalLM,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): void {
  checkSampling(options);
  const { maxTokens, samples = 1, temperature = 1, rng } = options;
  for (const [name, value] of Object.entries({ maxTokens, samples })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new ArgumentError(`generate: ${name} ${value} must be a whole number > 0`);
  }
  if (temperature > 0 && rng === undefined) {
    throw new ArgumentError(
      "generate: drawing tokens needs a generator, { rng: random(seed) }; temperature 0 needs none",
    );
  }
  if (prompts.length === 0) throw new ArgumentError("generate: got no prompts");
  prompts.forEach((prompt, i) => {
    if (typeof prompt !== "object" || !(prompt?.length >= 0))
      throw new ArgumentError(
        `generate: prompt ${i} must be a list of token ids, got ${describeValue(prompt)}; write [[1, 2, 3]] for one prompt`,
      );
    if (prompt.length === 0)
      throw new ArgumentError(`generate: prompt ${i} is empty; begin with a start token`);
    if (!Array.from(prompt).every(Number.isSafeInteger))
      throw new ArgumentError(`generate: prompt ${i} holds what is no token id, a whole number`);
    if (prompt.length > model.context) {
      throw new ArgumentError(
        `generate: prompt ${i} has ${prompt.length} tokens, the model's context holds ${model.context}`,
      );
    }
  });
}

/** All sequences; those of one prompt begin in its row. Draws once, so that the next call draws others. */
function start(
  prompts: readonly (readonly number[])[],
  { samples = 1, rng }: GenerateOptions,
): GrowingSequence[] {
  const call = rng?.integer(0, 2 ** 31);
  return Array.from({ length: prompts.length * samples }, (_, index) => {
    const prompt = Math.floor(index / samples);
    const fork = rng?.fork(`generate ${call} ${index}`);
    return { index, prompt, rng: fork, tokens: [], finish: null, row: prompt };
  });
}

interface NextTokens {
  readonly ids: Tensor;
  readonly mask?: Tensor;
}

/** Prompts side by side, padding before the shorter ones, so that all end together. */
function padLeft(prompts: readonly (readonly number[])[]): NextTokens {
  const T = Math.max(...prompts.map(({ length }) => length));
  const shape = [prompts.length, T];
  const ids = new Int32Array(prompts.length * T);
  const mask = new Uint8Array(prompts.length * T);
  prompts.forEach((prompt, i) => {
    ids.set(prompt, (i + 1) * T - prompt.length);
    mask.fill(1, (i + 1) * T - prompt.length, (i + 1) * T);
  });
  if (mask.every((real) => real === 1)) return { ids: tensor(ids, { shape }) };
  return { ids: tensor(ids, { shape }), mask: tensor(mask, { shape }) };
}

/**
 * The last token of each sequence. The cache gets a row for each where several still share their
 * prompt's, or where a quarter of the rows are of sequences that are done; else those go on idle.
 */
function gather(unfinished: readonly GrowingSequence[], rows: number, cache: Cache): NextTokens {
  const taken = new Set(unfinished.map(({ row }) => row));
  let width = rows;
  if (taken.size < unfinished.length || unfinished.length <= 0.75 * rows) {
    cache.select(tensor(Int32Array.from(unfinished, ({ row }) => row)));
    unfinished.forEach((sequence, i) => {
      sequence.row = i;
    });
    width = unfinished.length;
  }
  const ids = new Int32Array(width);
  for (const { row, tokens } of unfinished) ids[row] = tokens.at(-1) ?? 0;
  return { ids: tensor(ids, { shape: [width, 1] }) };
}

/** What the last token of each row says of the next: logits, or at a temperature probabilities. */
function score(
  lm: CausalLM,
  cache: Cache,
  { temperature = 1 }: GenerateOptions,
  batch: () => NextTokens,
): Tensor {
  return noGrad(() =>
    scope(() => {
      const { ids, mask } = batch();
      const hidden = lm.hidden(ids, { mask, cache });
      const logits = lm.lmHead.forward(hidden.slice({ dim: 1, start: -1 }).squeeze(1));
      return temperature === 0 ? logits : softened(logits, temperature);
    }),
  );
}

/** softmax(logits / temperature). A tiny temperature would make infinities of what isn't brought near 0 before. */
function softened(logits: Tensor, temperature: number): Tensor {
  if (temperature >= 1e-6) return logits.div(temperature).softmax({ dim: -1 });
  const behind = logits.sub(logits.max({ dim: -1, keepDims: true }));
  return behind.div(Math.max(temperature, 1e-30)).softmax({ dim: -1 });
}

/** Gives a sequence its next token, and says whether it is done. */
function extend(
  sequence: GrowingSequence,
  row: TypedArray,
  options: GenerateOptions,
  isFull: boolean,
): void {
  const { tokens, index, rng } = sequence;
  const { maxTokens, stop = [] } = options;
  const token =
    rng === undefined || options.temperature === 0 ? best(row) : draw(row, options, rng);
  tokens.push(token);
  const isStopped = typeof stop === "function" ? stop(tokens, index) : stop.includes(token);
  if (isStopped) sequence.finish = "stop";
  else if (tokens.length === maxTokens) sequence.finish = "length";
  else if (isFull) sequence.finish = "context";
}
