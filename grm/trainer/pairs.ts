// The pairs of a run before its first step: whether the model can take them, and label noise.
// Next: ../trainer.ts.

import { ArgumentError, type Random } from "../../core/index.ts";
import { largestFloat } from "../../nn/run/settings.ts";
import { pairLength } from "../batches.ts";
import { IGNORE } from "../losses.ts";
import type { Pair, Sequence } from "../pairs.ts";
import type { RewardModel } from "../rewardModel.ts";
import type { TrainSettings } from "../trainer.ts";

/** How a person finds pairs again, file by file, at most ten of them: pairs.jsonl, lines 3, 8 (hh). */
export function placesOf(pairs: readonly Pair[], indices: readonly number[]): string {
  const files = new Map<string, string[]>();
  for (const i of indices.slice(0, 10)) {
    const { file, line, source } = pairs[i] ?? {};
    const kind = line === undefined ? "pair" : "line";
    const key = file === undefined ? kind : `${file}, ${kind}`;
    const places = files.get(key) ?? [];
    files.set(key, places);
    places.push(`${line ?? i + 1}${source === undefined ? "" : ` (${source})`}`);
  }
  const list = (places: string[]): string => `${places.length > 1 ? "s" : ""} ${places.join(", ")}`;
  const named = [...files].map(([key, places]) => key + list(places)).join("; ");
  const more = indices.length - 10;
  return named + (more > 0 ? ` and ${more} more` : "");
}

/** Throws unless the model can take every pair; `needsMargin` says whether each needs its margin. */
export function checkPairs(
  model: RewardModel,
  pairs: readonly Pair[],
  { needsMargin = false }: { readonly needsMargin?: boolean } = {},
): void {
  const { context } = model.model;
  refuse(
    pairs,
    (pair) => pairLength(pair) > context,
    `are longer than the model's context of ${context} tokens`,
    "cut them when they are read (maxLength)",
  );
  refuse(
    pairs,
    ({ margin = 0 }) => !(Math.abs(margin) <= largestFloat),
    "have a margin beyond what a float32 holds, 3.4e38",
    "measure margins in another unit",
  );
  if (!needsMargin) return;
  refuse(
    pairs,
    ({ margin }) => margin === undefined,
    "have no margin",
    "method bt goes without margins",
  );
}

/** Throws unless there is a text for each pair that the model can take, and a method that reads them. */
export function checkTexts(
  model: RewardModel,
  pairs: readonly Pair[],
  { method }: TrainSettings,
  texts: readonly Sequence[] | undefined,
): void {
  if (texts === undefined) return;
  if (method !== "grm-sft")
    throw new ArgumentError(`train: method ${method} reads no texts; needed grm-sft`);
  if (texts.length !== pairs.length) {
    throw new ArgumentError(
      `train: got ${texts.length} texts for ${pairs.length} pairs; needed one for each`,
    );
  }
  const { context } = model.model;
  const long = texts.findIndex(({ ids }) => ids.length > context);
  if (long === -1) return;
  throw new ArgumentError(
    `train: text ${long + 1} has ${texts[long]?.ids.length} tokens, more than the model's context of ${context}; cut it`,
  );
}

function refuse(
  pairs: readonly Pair[],
  isBad: (pair: Pair) => boolean,
  problem: string,
  remedy: string,
): void {
  const bad = pairs.flatMap((pair, i) => (isBad(pair) ? [i] : []));
  if (bad.length === 0) return;
  throw new ArgumentError(
    `train: ${bad.length} of ${pairs.length} pairs ${problem} (${placesOf(pairs, bad)}); ${remedy}`,
  );
}

/** Whether a sequence has a label that anything predicts. */
export function isLabelled({ labels }: Sequence): boolean {
  return labels.subarray(1).some((label) => label !== IGNORE);
}

/** How many pairs get their labels flipped at this share. */
export function flipCount(pairs: readonly Pair[], share: number): number {
  return Math.round(pairs.length * share);
}

/** The pairs with this share of them, drawn once, having chosen and rejected swapped. */
export function flipped(pairs: readonly Pair[], share: number, rng: Random): readonly Pair[] {
  const drawn = new Set(rng.permutation(pairs.length).subarray(0, flipCount(pairs, share)));
  return pairs.map((pair, i) =>
    drawn.has(i) ? { ...pair, chosen: pair.rejected, rejected: pair.chosen } : pair,
  );
}
