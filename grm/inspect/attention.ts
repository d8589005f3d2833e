// Where attention looks: the pattern of every head of every layer on one sequence, and what can be said of
// a head in three numbers. Attention weights say where values come from, not how much they matter.
// Next: ../../nn/attention.ts.

import { portable, scope, tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { CausalLM, capture } from "../../nn/index.ts";
import type { Sequence } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { taken } from "../scores.ts";
import { type Matrix, matrix, rowOf } from "./matrix.ts";
import { backboneNames, evaluating, type Model } from "./states.ts";

const takes = signatures(
  {
    attentionPatterns:
      "model: RewardModel | CausalLM, sequence: { ids: number[], labels: number[], ... }",
  },
  () => ({ CausalLM, RewardModel }),
);

/** What one attention head looks at in one sequence of T tokens. */
export interface AttentionHead {
  readonly layer: number;
  readonly head: number;
  /** Row t is how the query at token t divides itself among keys 0..t: [T,T]. */
  readonly pattern: Matrix;
  /** Mean over queries of the entropy of a row, in nats: 0 looks at one token. */
  readonly entropy: number;
  /** Mean distance to what is looked at, in tokens. */
  readonly distance: number;
  /** Mean weight on the first token. */
  readonly first: number;
}

/** The patterns of all heads on a sequence; empty for a backbone without attention. */
export async function attentionPatterns(
  model: Model,
  sequence: Sequence,
): Promise<AttentionHead[]> {
  accept(takes.attentionPatterns, arguments);
  const { ids } = sequence;
  const names = backboneNames(model).filter((name) => name.endsWith(".pattern"));
  if (names.length === 0) return [];
  const T = ids.length;
  const { activations } = evaluating(model, () =>
    scope(() => capture(model, names, () => model.model.forward(tensor(ids, { shape: [1, T] })))),
  );
  const heads: AttentionHead[] = [];
  for (const [layer, name] of names.entries()) {
    const x = activations[name];
    if (x === undefined) continue;
    const [, H = 0] = x.shape;
    const numbers = Float64Array.from(await taken(x)); // [1,H,T,T]
    for (let head = 0; head < H; head++) {
      const pattern = matrix(T, T, numbers.subarray(head * T * T, (head + 1) * T * T));
      heads.push({ layer, head, pattern, ...summaryOf(pattern) });
    }
  }
  return heads;
}

function summaryOf(pattern: Matrix): Pick<AttentionHead, "entropy" | "distance" | "first"> {
  let [entropy, distance, first] = [0, 0, 0];
  for (let t = 0; t < pattern.rows; t++) {
    rowOf(pattern, t).forEach((weight, s) => {
      if (weight > 0) entropy -= (weight * portable.log(weight)) / pattern.rows;
      distance += (weight * (t - s)) / pattern.rows;
      if (s === 0) first += weight / pattern.rows;
    });
  }
  return { entropy, distance, first };
}
