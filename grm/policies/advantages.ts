// How much better than expected an action was: generalized advantage estimation for PPO, and the mean of
// the others for RLOO. Plain numbers on the host; a sequence is an episode whose actions are its tokens.
// Next: policyLosses.ts for what advantages weigh.

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { standardize } from "../ensemble.ts";

const takes = signatures({
  gae: "rewards: number[], values: number[], { gamma?: number, lambda?: number }",
  whiten: "x: number[]",
  leaveOneOut: "rewards: number[]",
});

/** Discount γ and weight λ of generalised advantage estimation (1506.02438). */
export interface GAEOptions {
  /** Discount of a step. Default 1: a story's last word counts as much as its first. */
  readonly gamma?: number;
  /** 0: one step's surprise alone; 1: all that came after. Default 0.95. */
  readonly lambda?: number;
}

/** Of one episode of T actions: how much better each was than expected, [T] each. */
export interface Advantages {
  readonly advantages: Float64Array;
  /** What the value head should have said: advantages + values. */
  readonly returns: Float64Array;
}

/**
 * A_t = Σ_k (γλ)^k δ_{t+k} with δ_t = r_t + γ V_{t+1} - V_t, and V = 0 after the last action
 * (1506.02438, equation 16), by A_t = δ_t + γλ A_{t+1}. Of one episode: rewards [T], values [T].
 */
export function gae(
  rewards: ArrayLike<number>,
  values: ArrayLike<number>,
  options: GAEOptions = {},
): Advantages {
  accept(takes.gae, arguments);
  const { gamma = 1, lambda = 0.95 } = options;
  const T = rewards.length;
  if (values.length !== T) {
    throw new ArgumentError(`gae: ${T} rewards and ${values.length} values; needed as many`);
  }
  const advantages = new Float64Array(T);
  let [next, nextValue] = [0, 0];
  for (let t = T - 1; t >= 0; t--) {
    const value = values[t] ?? 0;
    const delta = (rewards[t] ?? 0) + gamma * nextValue - value;
    next = delta + gamma * lambda * next;
    advantages[t] = next;
    nextValue = value;
  }
  return { advantages, returns: advantages.map((A, t) => A + (values[t] ?? 0)) };
}

/** (x - mean) / deviation, with the population's deviation; a list without spread becomes zeros. */
export function whiten(x: ArrayLike<number>): Float64Array {
  accept(takes.whiten, arguments);
  return standardize(x);
}

/**
 * RLOO's advantages (2402.14740): each reward minus the mean of the other k - 1 answers to
 * its prompt. Rewards of one prompt, at least two.
 */
export function leaveOneOut(rewards: ArrayLike<number>): Float64Array {
  accept(takes.leaveOneOut, arguments);
  const k = rewards.length;
  if (k < 2)
    throw new ArgumentError(`leaveOneOut: got ${k} rewards; needed two or more of a prompt`);
  const list = Float64Array.from(rewards);
  const sum = list.reduce((total, r) => total + r, 0);
  return list.map((r) => r - (sum - r) / (k - 1));
}
