// Which tokens a reward is owed to, by doing something about them: leave a token out, or give the model
// another activation at its place, and see what becomes of the reward. Slower than a gradient, and what
// it says is true of the model by construction, although of inputs that it may never have seen.
// Next: explain.ts, which holds it against attribution.ts.

import {
  ArgumentError,
  arange,
  noGrad,
  scope,
  type Tensor,
  tensor,
  where,
} from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { capture, edit } from "../../nn/index.ts";
import type { Sequence } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { scoreSequences, taken } from "../scores.ts";
import { embeddings, embedName } from "./attribution.ts";
import { evaluating, streamNames } from "./states.ts";

const takes = signatures(
  {
    tokenDeletion:
      "model: RewardModel, sequence: { ids: number[], labels: number[], ... }, { places?: number[] }",
    activationPatching:
      'model: RewardModel, sequence: { ids: number[], labels: number[], ... }, { names?: any[], source?: "mean" | object, places?: number[] }',
  },
  () => ({ RewardModel }),
);

/** Where to intervene: every token unless said, as each costs a pass over the sequence. */
export interface Places {
  readonly places?: readonly number[] | undefined;
}

const everywhere = ({ ids }: Sequence): readonly number[] => Array.from(ids.keys());

/**
 * r(x) - r(x without token t), [T]: how much each token adds by being there. NaN where nothing was tried,
 * and for a sequence of one.
 */
export async function tokenDeletion(
  model: RewardModel,
  sequence: Sequence,
  options: Places = {},
): Promise<Float64Array> {
  accept(takes.tokenDeletion, arguments);
  const { places = everywhere(sequence) } = options;
  const { ids, labels } = sequence;
  const effects = new Float64Array(ids.length).fill(Number.NaN);
  if (ids.length === 1) return effects;
  const without = places.map((t) => ({
    ids: ids.filter((_id, i) => i !== t),
    labels: labels.filter((_label, i) => i !== t),
  }));
  const { rewards } = await scoreSequences(model, [sequence, ...without]);
  places.forEach((t, i) => {
    effects[t] = (rewards[0] ?? 0) - (rewards[i + 1] ?? Number.NaN);
  });
  return effects;
}

/** Which activations are replaced, at which places, and by what. */
export interface PatchOptions extends Places {
  /** Activations [B,T,C] to patch. Default: the residual stream, after attention too. */
  readonly names?: readonly string[];
  /** Another sequence of the same length, or the one whose tokens all look alike. Default "mean". */
  readonly source?: Sequence | "mean";
}

/** What replacing an activation at a token does to a sequence's reward. */
export interface Patches {
  readonly names: readonly string[];
  /** r(x). */
  readonly reward: number;
  /** For each name, r(x) - r(x with that activation at token t taken from the source), [T]; NaN where nothing was tried. */
  readonly effects: readonly Float64Array[];
}

/**
 * Activation patching (causal tracing: Meng et al., 2202.05262, section 2; Heimersheim and Nanda,
 * 2404.15255): at one activation and one token, the source's state in place of the sequence's own.
 */
export async function activationPatching(
  model: RewardModel,
  sequence: Sequence,
  given: PatchOptions = {},
): Promise<Patches> {
  accept(takes.activationPatching, arguments);
  const { names = streamNames(model, { middles: true }), source = "mean", ...options } = given;
  const { places = everywhere(sequence) } = options;
  const T = sequence.ids.length;
  if (source !== "mean" && source.ids.length !== T) {
    throw new ArgumentError(
      `activationPatching: the source has ${source.ids.length} tokens, the sequence ${T}; needed as many`,
    );
  }
  const effects: Float64Array[] = [];
  let reward = Number.NaN;
  for (const name of names) {
    const rewards = await taken(
      evaluating(model, () => scope(() => patched(model, sequence, { source, name, places }))),
    );
    reward = rewards[places.length] ?? Number.NaN;
    const own = new Float64Array(T).fill(Number.NaN);
    places.forEach((t, i) => {
      own[t] = reward - (rewards[i] ?? Number.NaN);
    });
    effects.push(own);
  }
  return { names, reward, effects };
}

interface Patch {
  readonly source: Sequence | "mean";
  readonly name: string;
  readonly places: readonly number[];
}

/** Rewards [P+1]: row i with the activation patched at token places[i], the last row as it is. */
function patched(model: RewardModel, sequence: Sequence, { source, name, places }: Patch): Tensor {
  const [T, R] = [sequence.ids.length, places.length + 1];
  const rows = (ids: Int32Array): Tensor => tensor(ids, { shape: [1, T] }).expand([R, T]);
  const other = sourceStates(model, sequence, source, name, rows);
  const at = tensor(Int32Array.from([...places, -1]), { shape: [R, 1, 1] });
  const here = at.eq(arange(T, { dtype: "int32" }).reshape([1, T, 1])); // [R,T,1]
  const patch = (x: Tensor): Tensor => {
    if (x.rank === 3 && x.shape[1] === T) return where(here, other, x);
    throw new ArgumentError(`activationPatching: "${name}" is [${x.shape}]; needed [B,T,C]`);
  };
  return edit(model, { [name]: patch }, () => model.forward(rows(sequence.ids)).rewards);
}

/** The activation in a run on the source, with as many rows, so that the same sums are done in the same order. */
function sourceStates(
  model: RewardModel,
  sequence: Sequence,
  source: Sequence | "mean",
  name: string,
  rows: (ids: Int32Array) => Tensor,
): Tensor {
  const run = (ids: Int32Array) => model.forward(rows(ids));
  const heard = (fn: () => unknown): Tensor =>
    capture(model, [name], fn).activations[name] as Tensor;
  if (source !== "mean") return heard(() => run(source.ids));
  const { base } = noGrad(() => embeddings(model, sequence, "mean"));
  const edits = { [embedName(model)]: (x: Tensor) => base.expand(x.shape) };
  return heard(() => edit(model, edits, () => run(sequence.ids))); // around the edit: what it made
}
