// Synthetic preferences, as in the paper's study of over-optimisation (2406.10216, section 4.2): a policy
// writes two answers to each prompt, the gold reward chooses one as a person would, now and then wrongly,
// and a stated share of the labels is flipped on top. What a proxy learns from this is all it ever knows.
// Next: proxies.ts.

import { ArgumentError, type Random, tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { CausalLM, generateAsync } from "../../nn/index.ts";
import { chunks } from "../batches.ts";
import type { Pair } from "../pairs.ts";
import { sigmoid } from "../statistics/index.ts";
import { flipped } from "../trainer/pairs.ts";
import { type Answer, asSequence } from "./judges.ts";
import type { Task } from "./task.ts";

const takes = signatures(
  {
    sampleAnswers:
      "lm: CausalLM, prompts: any[], task: { maxTokens: number, stop: number[], ... }, { samples?: number, banned?: number[], rng: Random }",
    syntheticPreferences:
      "task: { prompts: function, ... }, lm: CausalLM, { count: number, flips: number, sharpness?: number, rng: Random }",
  },
  () => ({ CausalLM }),
);

/** How many answers are drawn for each prompt, and from which tokens. */
export interface DrawnAnswersOptions {
  /** How many answers each prompt gets; those of one prompt stand together. Default 1. */
  readonly samples?: number;
  /** Token ids that can't be drawn. */
  readonly banned?: readonly number[];
  readonly rng: Random;
}

/** Bytes of keys and values that may be held at once, by a rough count. */
const cacheBytes = 2 ** 28;

/** Answers that a model writes to prompts, at temperature 1; so many prompts at once as memory allows. */
export async function sampleAnswers(
  lm: CausalLM,
  prompts: readonly (readonly number[])[],
  task: Pick<Task, "maxTokens" | "stop">,
  options: DrawnAnswersOptions,
): Promise<Answer[]> {
  accept(takes.sampleAnswers, arguments);
  const { samples = 1, banned = [], rng } = options;
  const { maxTokens, stop } = task;
  const longest = prompts.reduce((most, { length }) => Math.max(most, length), 0) + maxTokens;
  const bytesOfPrompt = samples * longest * lm.config.layers * lm.model.dim * 8;
  const atOnce = Math.max(1, Math.floor(cacheBytes / bytesOfPrompt));
  const answers: Answer[] = [];
  for (const some of chunks(prompts, atOnce)) {
    const options = { samples, maxTokens, stop, rng };
    const written = await withoutTokens(lm, banned, () => generateAsync(lm, some, options));
    for (const { prompt, tokens, finish } of written) {
      const response = finish === "stop" ? tokens.slice(0, -1) : tokens;
      answers.push({ prompt: some[prompt] ?? [], response });
    }
  }
  return answers;
}

/** Runs `fn` while a bias on the logits keeps some tokens from being drawn. */
async function withoutTokens<T>(
  { lmHead }: CausalLM,
  banned: readonly number[],
  fn: () => Promise<T>,
): Promise<T> {
  if (banned.length === 0) return fn();
  const before = lmHead.bias;
  const values = Float32Array.from({ length: lmHead.outFeatures }, (_, i) => before?.data[i] ?? 0);
  for (const id of banned) values[id] = -1e9;
  const bias = tensor(values).keep();
  lmHead.bias = bias;
  try {
    return await fn();
  } finally {
    lmHead.bias = before;
    bias.release();
  }
}

/** How many pairs are labelled by a gold reward, and how noisily. */
export interface PreferenceOptions {
  readonly count: number;
  /** Share of the labels that are flipped after the draw: 0.25 in the paper's noisy arm. */
  readonly flips: number;
  /** How surely the draw follows the gold: chosen with probability σ(sharpness · difference). Default 1. */
  readonly sharpness?: number;
  readonly rng: Random;
}

/** Pairs, and what chance and noise made of their labels. */
export interface Preferences {
  readonly pairs: readonly Pair[];
  /** Pairs that were drawn and left out because the gold reward doesn't tell their answers apart. */
  readonly ties: number;
  /** Share of the labels that agree with the gold reward: before the flips, and after. */
  readonly rightBefore: number;
  readonly right: number;
}

const mostRounds = 50;

/**
 * Preference pairs of a task: chosen with probability σ(sharpness · gold difference), then `flips` of them turned
 * around. The margin is the size of the gold difference: information that only a formula can give.
 */
export async function syntheticPreferences(
  task: Task,
  lm: CausalLM,
  options: PreferenceOptions,
): Promise<Preferences> {
  accept(takes.syntheticPreferences, arguments);
  const { count, flips, sharpness = 1, rng } = options;
  const [titles, labels] = [rng.fork("prompts"), rng.fork("labels")];
  const found: { readonly pair: Pair; readonly isRight: boolean }[] = [];
  let ties = 0;
  for (let round = 0; found.length < count; round++) {
    if (round === mostRounds) {
      throw new ArgumentError(
        `syntheticPreferences: only ${found.length} of ${count} pairs after ${mostRounds} rounds; the gold ` +
          "reward gives nearly all answers the same",
      );
    }
    const prompts = task.prompts(count - found.length, titles);
    const options = { samples: 2, banned: task.unseen, rng: rng.fork(`answers ${round}`) };
    const answers = await sampleAnswers(lm, prompts, task, options);
    const gold = await task.gold.score(answers);
    for (let i = 0; i < prompts.length; i++) {
      const [a, b] = answers.slice(2 * i, 2 * i + 2) as [Answer, Answer];
      const difference = (gold[2 * i] ?? 0) - (gold[2 * i + 1] ?? 0);
      if (difference === 0) ties++;
      else found.push(labelled(a, b, difference, sharpness, labels));
    }
  }
  const pairs = found.map(({ pair }) => pair);
  const noisy = flipped(pairs, flips, rng.fork("flips"));
  const isRight = (i: number): boolean =>
    (noisy[i]?.chosen === pairs[i]?.chosen) === (found[i]?.isRight ?? false);
  const share = (is: (i: number) => boolean): number => [...pairs.keys()].filter(is).length / count;
  return {
    pairs: noisy,
    ties,
    rightBefore: share((i) => found[i]?.isRight ?? false),
    right: share(isRight),
  };
}

function labelled(a: Answer, b: Answer, difference: number, sharpness: number, rng: Random) {
  const isFirst = rng.uniform() < sigmoid(sharpness * difference);
  const [chosen, rejected] = isFirst ? [a, b] : [b, a];
  const pair: Pair = {
    chosen: asSequence(chosen),
    rejected: asSequence(rejected),
    margin: Math.abs(difference),
  };
  return { pair, isRight: isFirst === difference > 0 };
}
