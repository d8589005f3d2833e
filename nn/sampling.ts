// From a row of scores to the next token: the best one, or one drawn from what temperature, top-k and
// top-p leave, in this order. Next: generate.ts, which asks for one token after the other.

import { ArgumentError, type Random, type TypedArray } from "../core/index.ts";

/** How the next token is drawn from logits. */
export interface SamplingOptions {
  /** 0: always the best token. Else logits are divided by it before the softmax. Default 1. */
  readonly temperature?: number;
  /** Draw from the k likeliest tokens. Default: from all. */
  readonly topK?: number;
  /** Draw from the fewest likeliest tokens that have this share of the probability (1904.09751). */
  readonly topP?: number;
}

/** Throws an ArgumentError unless the options make sense. */
export function checkSampling({ temperature = 1, topK = 1, topP = 1 }: SamplingOptions): void {
  if (!(temperature >= 0 && temperature < Infinity))
    throw new ArgumentError(`generate: temperature ${temperature} must be a number >= 0`);
  if (!Number.isSafeInteger(topK) || topK < 1)
    throw new ArgumentError(`generate: topK ${topK} must be a whole number > 0`);
  if (!(topP > 0 && topP <= 1)) throw new ArgumentError(`generate: topP ${topP} must be in (0, 1]`);
}

/** The place of the largest number; the first of equals. An ArgumentError if a number is NaN, or all are -Infinity. */
export function best(row: TypedArray): number {
  let at = 0;
  for (let i = 0; i < row.length; i++) {
    const x = row[i] ?? 0;
    if (Number.isNaN(x)) throw new ArgumentError(`generate: the logit of token ${i} ${isNaNText}`);
    if (x > (row[at] ?? 0)) at = i;
  }
  if (row[at] === -Infinity)
    throw new ArgumentError(
      "generate: all logits are -Infinity, so that there is no token to take",
    );
  return at;
}

const isNaNText =
  "is NaN; detectAnomaly(() => lm.forward(ids)) says where the model makes the first one";

/** A token drawn from a row of probabilities, of those that top-k and then top-p leave. */
export function draw(row: TypedArray, options: SamplingOptions, rng: Random): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += row[i] ?? 0;
  if (!(sum > 0)) {
    const bad = row.findIndex(Number.isNaN);
    const which = bad < 0 ? "" : `: that of token ${bad} ${isNaNText}`;
    throw new ArgumentError(`generate: the probabilities sum to ${sum}${which}`);
  }
  const tokens = likeliest(row, options);
  const count = tokens?.length ?? row.length;
  const at = (i: number): number => tokens?.[i] ?? i;
  const total = tokens === null ? sum : tokens.reduce((part, i) => part + (row[i] ?? 0), 0);
  let left = rng.uniform() * total;
  let last = 0;
  for (let i = 0; i < count; i++) {
    const p = row[at(i)] ?? 0;
    if (p === 0) continue;
    last = at(i);
    left -= p;
    if (left < 0) break;
  }
  return last; // where rounding left a crumb: the last that can be drawn
}

/**
 * The tokens to draw from, likeliest first and the first of equals before the others; null for all in their
 * order. As Hugging Face's warpers: the k likeliest, and of their probability the fewest that have topP of
 * it, with the one that crosses it; at least one. Of equals that both could be the k-th, the first.
 */
export function likeliest(row: TypedArray, { topK, topP = 1 }: SamplingOptions): number[] | null {
  if (topK === undefined && topP === 1) return null;
  const k = topK ?? row.length;
  // without top-k, all tokens below this together have less than 1 - topP: no need to sort them
  const most = row.length === 0 ? 0 : (row[best(row)] ?? 0);
  const floor = k < row.length ? 0 : Math.min(most, (1 - topP) / row.length);
  const tokens: number[] = [];
  for (let i = 0; i < row.length; i++) if ((row[i] ?? 0) >= floor) tokens.push(i);
  tokens.sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0) || a - b);
  const first = tokens.slice(0, k);
  if (topP === 1) return first; // whatever rounding makes of their sum
  const total = k < row.length ? first.reduce((sum, i) => sum + (row[i] ?? 0), 0) : 1;
  let mass = 0;
  const end = first.findIndex((i) => {
    mass += row[i] ?? 0;
    return mass >= topP * total;
  });
  return end < 0 ? first : first.slice(0, end + 1);
}
