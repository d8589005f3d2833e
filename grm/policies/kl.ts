// How far a policy π has gone from its reference q, KL(π ‖ q), in nats: two estimates from sequences that
// π wrote, the known value for best-of-n, and the controller that holds a KL penalty near a target.
// Next: advantages.ts, policyLosses.ts.

import { ArgumentError, portable } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";

const takes = signatures({
  klEstimate: "logPi: number[], logQ: number[]",
  bestOfNKL: "n: number",
  adaptedCoefficient: "beta: number, kl: number, { target: number, gain?: number }",
});

const { exp, log } = portable;

/** Two estimates of KL(π ‖ q) of a sequence, in nats. */
export interface KLEstimate {
  /** Σ_t ln π/q: unbiased, of high variance, may be negative. */
  readonly k1: number;
  /** Σ_t (q/π - 1 - ln q/π): unbiased, no term is negative (Schulman 2020, "Approximating KL divergence"). */
  readonly k3: number;
}

/** Of one sequence that π wrote, from both models' log probabilities of its tokens. */
export function klEstimate(logPi: ArrayLike<number>, logQ: ArrayLike<number>): KLEstimate {
  accept(takes.klEstimate, arguments);
  if (logPi.length !== logQ.length) {
    throw new ArgumentError(
      `klEstimate: ${logPi.length} log probabilities of the policy, ${logQ.length} of the reference; needed as many`,
    );
  }
  let [k1, k3] = [0, 0];
  for (let t = 0; t < logPi.length; t++) {
    const [p, q] = [logPi[t] ?? 0, logQ[t] ?? 0];
    const logRatio = p === q ? 0 : q - p; // ln q/π; two zero probabilities are as likely as each other
    k1 -= logRatio;
    k3 += beyondTangent(logRatio);
  }
  return { k1, k3 };
}

/** e^x - 1 - x >= 0. Near 0 by its series x²/2 (1 + x/3 (1 + x/4 (...))): the difference would keep no digit. */
function beyondTangent(x: number): number {
  if (x === Infinity) return x;
  if (Math.abs(x) > 0.35) return exp(x) - 1 - x;
  let series = 1;
  for (let n = 18; n >= 3; n--) series = 1 + (x * series) / n; // 0.35^16 2 / 18! < 2^-53
  return (x * x * series) / 2;
}

/**
 * KL of best-of-n from what it samples from: ln n - (n - 1)/n, where no two samples tie. With ties it is
 * an upper bound (2401.01879).
 */
export function bestOfNKL(n: number): number {
  accept(takes.bestOfNKL, arguments);
  if (!Number.isSafeInteger(n) || n < 1) {
    throw new ArgumentError(`bestOfNKL: n is ${n}, needed a whole number > 0`);
  }
  return log(n) - (n - 1) / n;
}

/** Which KL the penalty's weight is steered to, and how fast. */
export interface AdaptiveKLOptions {
  /** The KL to hold, in nats a sequence. */
  readonly target: number;
  /** How fast it reacts; 0.1 in the source. */
  readonly gain?: number;
}

/**
 * The next coefficient β of the KL penalty: β (1 + gain · e), where e is (KL - target)/target, cut to
 * ±0.2 (1909.08593, section 2.2).
 */
export function adaptedCoefficient(beta: number, kl: number, options: AdaptiveKLOptions): number {
  accept(takes.adaptedCoefficient, arguments);
  const { target, gain = 0.1 } = options;
  if (!(target > 0)) throw new ArgumentError(`adaptedCoefficient: target ${target} must be > 0`);
  if (Number.isNaN(kl)) throw new ArgumentError("adaptedCoefficient: the KL is NaN, no number");
  const error = Math.min(0.2, Math.max(-0.2, (kl - target) / target));
  return beta * (1 + gain * error);
}
