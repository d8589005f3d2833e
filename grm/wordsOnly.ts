// What can be told of a pair without reading it: a logistic regression on which tokens the answers have,
// their order thrown away. A reward model that isn't better than this has learnt words, not answers.
// Next: evaluation.ts, which states its accuracy beside the model's.

import { ArgumentError, portable } from "../core/index.ts";
import { accept, signature } from "../core/signature.ts";
import { IGNORE } from "./losses.ts";
import type { Pair, Sequence } from "./pairs.ts";
import { sigmoid } from "./statistics/index.ts";

/** log(1 + count) of the answer's tokens. */
function bagOf({ labels }: Sequence): Map<number, number> {
  const counts = new Map<number, number>();
  for (const id of labels) if (id !== IGNORE) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const [id, count] of counts) counts.set(id, portable.log(1 + count));
  return counts;
}

/** The chosen answer's bag minus the rejected one's, as parallel lists. */
interface WordsRow {
  readonly ids: Int32Array;
  readonly values: Float64Array;
}

function rowOf({ chosen, rejected }: Pair): WordsRow {
  const row = bagOf(chosen);
  for (const [id, value] of bagOf(rejected)) row.set(id, (row.get(id) ?? 0) - value);
  const kept = [...row].filter(([, value]) => value !== 0);
  return {
    ids: Int32Array.from(kept, ([id]) => id),
    values: Float64Array.from(kept, ([, value]) => value),
  };
}

function dot({ ids, values }: WordsRow, weights: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < ids.length; k++) sum += (values[k] ?? 0) * (weights[ids[k] ?? 0] ?? 0);
  return sum;
}

const takes = signature("WordsOnly.fit", "pairs: any[], { l2?: number, steps?: number }");

/** How the words' weights are fitted. */
export interface WordsOnlyOptions {
  /** Weight of ½ ‖w‖² against the sum of the pairs' losses. Default 1. */
  readonly l2?: number;
  /** Steps of accelerated gradient descent. Default 200. */
  readonly steps?: number;
}

/**
 * A reward that is a sum of weights of tokens and sees nothing else: the control that shows how much of a
 * task words alone decide.
 */
export class WordsOnly {
  private constructor(
    /** One for each token id. */
    readonly weights: Float64Array,
  ) {}

  /** Fits Σ -log σ(w · (x_c - x_r)) + l2/2 ‖w‖² by Nesterov's method with the step 1/L. Deterministic. */
  static fit(pairs: readonly Pair[], options: WordsOnlyOptions = {}): WordsOnly {
    accept(takes, arguments);
    const { l2 = 1, steps = 200 } = options;
    if (pairs.length === 0) throw new ArgumentError("WordsOnly: got no pairs to fit");
    const rows = pairs.map(rowOf);
    const size =
      rows.reduce((most, { ids }) => ids.reduce((m, id) => Math.max(m, id), most), 0) + 1;
    const rate = 1 / (l2 + largestEigenvalue(rows, size) / 4);
    const weights = new Float64Array(size);
    const ahead = new Float64Array(size);
    for (let step = 0; step < steps; step++) {
      const gradient = ahead.map((w) => l2 * w);
      for (const row of rows) addTo(gradient, row, -sigmoid(-dot(row, ahead)));
      const momentum = step / (step + 3);
      for (let k = 0; k < size; k++) {
        const before = weights[k] ?? 0;
        const after = (ahead[k] ?? 0) - rate * (gradient[k] ?? 0);
        weights[k] = after;
        ahead[k] = after + momentum * (after - before);
      }
    }
    return new WordsOnly(weights);
  }

  /** r_c - r_r of each pair; tokens that training didn't have count 0. */
  differences(pairs: readonly Pair[]): Float64Array {
    return Float64Array.from(pairs, (pair) => dot(rowOf(pair), this.weights));
  }
}

function addTo(sum: Float64Array, { ids, values }: WordsRow, factor: number): void {
  for (let k = 0; k < ids.length; k++) {
    const id = ids[k] ?? 0;
    sum[id] = (sum[id] ?? 0) + factor * (values[k] ?? 0);
  }
}

/** Of Xᵀ X, by power iteration, with a tenth on top as it comes from below. */
function largestEigenvalue(rows: readonly WordsRow[], size: number): number {
  let v = new Float64Array(size).fill(1);
  let value = 0;
  for (let i = 0; i < 30; i++) {
    const norm = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0)) || 1;
    const unit = v.map((x) => x / norm);
    v = new Float64Array(size);
    for (const row of rows) addTo(v, row, dot(row, unit));
    value = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
  }
  return 1.1 * value;
}
