// A sequence token by token: the reward of each prefix, what each token adds to it, and how surprised the
// language model is by it. Only the last prefix's reward is trained; those before show where a judgement
// comes from, if it comes gradually. Next: attribution.ts, which asks the same of the whole sequence.

import { noGrad, scope, tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { CausalLM } from "../../nn/index.ts";
import type { Sequence } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { taken } from "../scores.ts";
import { tokenRewards } from "../tokenRewards.ts";
import { evaluating } from "./states.ts";

const takes = signatures(
  {
    tokenView: "model: RewardModel, sequence: { ids: number[], labels: number[], ... }",
    surprises: "lm: CausalLM, sequence: { ids: number[], labels: number[], ... }",
  },
  () => ({ CausalLM, RewardModel }),
);

/** T numbers each, in the order of the tokens. */
export interface TokenView {
  readonly ids: readonly number[];
  /** Whether a token belongs to the judged answer. */
  readonly judged: readonly boolean[];
  /** The reward of the text up to and with the token: r(y_1..t). */
  readonly prefix: readonly number[];
  /** What the token adds: r(y_1..t) - r(y_1..t-1); of the first token null. */
  readonly steps: readonly (number | null)[];
  /** -ln π(y_t | before) under the model's own head, in nats; of the first token null. */
  readonly surprise: readonly (number | null)[];
}

/** Rewards and surprise of every token, in evaluation mode. */
export async function tokenView(model: RewardModel, sequence: Sequence): Promise<TokenView> {
  accept(takes.tokenView, arguments);
  const [rewards = new Float64Array(0)] = await tokenRewards(model, [sequence]);
  const prefix = Array.from(rewards);
  return {
    ids: Array.from(sequence.ids),
    judged: Array.from(sequence.labels, (label) => label >= 0),
    prefix,
    steps: prefix.map((r, t) => (t === 0 ? null : r - (prefix[t - 1] ?? 0))),
    surprise: await surprises(model.lm, sequence),
  };
}

/** -ln π(y_t | before) of every token but the first, in nats. */
export async function surprises(lm: CausalLM, sequence: Sequence): Promise<(number | null)[]> {
  accept(takes.surprises, arguments);
  const { ids } = sequence;
  const T = ids.length;
  if (T === 1) return [null];
  const losses = evaluating(lm, () =>
    noGrad(() =>
      scope(() => {
        const before = tensor(ids.slice(0, -1), { shape: [1, T - 1] });
        const after = tensor(ids.slice(1), { shape: [1, T - 1] });
        return lm.forward(before).crossEntropy(after, { reduction: "none" });
      }),
    ),
  );
  return [null, ...Array.from(await taken(losses))];
}
