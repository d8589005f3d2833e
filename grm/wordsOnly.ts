// What can be told of a pair without reading it: a logistic regression on which tokens the answers have,
// their order thrown away. A reward model that isn't better than this has learnt words, not answers.
// Next: statistics/logisticRegression.ts for the fit, evaluation.ts for what it is set beside.

import { ArgumentError, portable } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { IGNORE } from "./losses.ts";
import type { Pair, Sequence } from "./pairs.ts";
import { fitLogistic, type SparseRow, scoreOf } from "./statistics/index.ts";

/** log(1 + count) of the answer's tokens. */
function bagOf({ labels }: Sequence): Map<number, number> {
  const counts = new Map<number, number>();
  for (const id of labels) if (id !== IGNORE) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const [id, count] of counts) counts.set(id, portable.log(1 + count));
  return counts;
}

/** The chosen answer's bag minus the rejected one's. */
function rowOf({ chosen, rejected }: Pair): SparseRow {
  const row = bagOf(chosen);
  for (const [id, value] of bagOf(rejected)) row.set(id, (row.get(id) ?? 0) - value);
  const kept = [...row].filter(([, value]) => value !== 0);
  return {
    ids: Int32Array.from(kept, ([id]) => id),
    values: Float64Array.from(kept, ([, value]) => value),
  };
}

const takes = signatures({
  WordsOnly: "weights: number[]",
  "WordsOnly.fit": "pairs: any[], { l2?: number, steps?: number }",
  differences: "pairs: any[]",
});

/** How the words' weights are fitted. */
export interface WordsOnlyOptions {
  /** Weight of ½ ‖w‖² against the sum of the pairs' losses; > 0. Default 1. */
  readonly l2?: number;
  /** The most steps of Newton's method, of which it needs about ten. Default 200. */
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
  ) {
    accept(takes.WordsOnly, arguments);
  }

  /**
   * The weights that minimise Σ -log σ(w · (x_c - x_r)) + l2/2 ‖w‖², the one optimum. Deterministic. An
   * ArgumentError if there are no pairs, l2 isn't > 0, or the steps don't suffice.
   */
  static fit(pairs: readonly Pair[], options: WordsOnlyOptions = {}): WordsOnly {
    accept(takes["WordsOnly.fit"], arguments);
    const { l2 = 1, steps = 200 } = options;
    if (pairs.length === 0) throw new ArgumentError("WordsOnly: got no pairs to fit");
    const rows = pairs.map(rowOf);
    const size =
      rows.reduce((most, { ids }) => ids.reduce((m, id) => Math.max(m, id), most), 0) + 1;
    return new WordsOnly(fitLogistic(rows, size, { l2, steps }));
  }

  /** r_c - r_r of each pair; tokens that training didn't have count 0. */
  differences(pairs: readonly Pair[]): Float64Array {
    accept(takes.differences, arguments);
    return Float64Array.from(pairs, (pair) => scoreOf(rowOf(pair), this.weights));
  }
}
