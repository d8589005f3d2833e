// What a policy is trained on: PPO's clipped objective and value loss, RLOO's loss, and the entropy that
// is watched. N tokens of a minibatch, or B answers; scalars come out. Each cites its equation.
// Next: advantages.ts for the weights, policyTrainer.ts for the loop.

import { ArgumentError, noGrad, ShapeError, type Tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";

const takes = signatures({
  ppoLoss: "logProbs: Tensor, old: Tensor, advantages: Tensor, { clip?: number }",
  clipShare: "logProbs: Tensor, old: Tensor, { clip?: number }",
  ppoValueLoss: "values: Tensor, old: Tensor, returns: Tensor, { clip?: number }",
  rlooLoss: "s: Tensor, advantages: Tensor",
  entropyOf: "logProbs: Tensor",
});

/** How far PPO lets a policy move at once. */
export interface ClipOptions {
  /** ε: how far the ratio may go from 1 before it stops paying. Default 0.2. */
  readonly clip?: number;
}

/**
 * -mean min(ρ A, clip(ρ, 1 - ε, 1 + ε) A) with ρ = π/π_old (1707.06347, equation 7). logProbs, old log
 * probabilities and advantages [N].
 */
export function ppoLoss(
  logProbs: Tensor,
  old: Tensor,
  advantages: Tensor,
  options: ClipOptions = {},
): Tensor {
  accept(takes.ppoLoss, arguments);
  const { clip = 0.2 } = options;
  checkClipped("ppoLoss", { logProbs, old, advantages }, clip);
  const ratio = boundedRatio(logProbs.sub(old), advantages, clip);
  const clipped = ratio.clamp({ min: 1 - clip, max: 1 + clip });
  return ratio.mul(advantages).minimum(clipped.mul(advantages)).mean().neg();
}

/**
 * ρ, where it could count: beyond 1 + ε it is cut off wherever A >= 0, so that a ratio too large for a float
 * can't make a NaN of a gradient that is 0.
 */
function boundedRatio(logRatio: Tensor, advantages: Tensor, clip: number): Tensor {
  const bounded = logRatio.clamp({ max: 1 + clip }); // e^(1 + ε) > 1 + ε
  return advantages.lt(0).where(logRatio, bounded).exp();
}

/** Share of the tokens whose ratio lies outside of 1 ± ε, a scalar off the tape. */
export function clipShare(logProbs: Tensor, old: Tensor, options: ClipOptions = {}): Tensor {
  accept(takes.clipShare, arguments);
  const { clip = 0.2 } = options;
  return noGrad(() => logProbs.sub(old).exp().sub(1).abs().gt(clip).to(logProbs.dtype).mean());
}

/**
 * ½ mean max((V - R)², (V_clip - R)²), where V_clip leaves the old value by at most ε (as in OpenAI's
 * baselines; 2005.12729 discusses it). Values, old values and returns [N].
 */
export function ppoValueLoss(
  values: Tensor,
  old: Tensor,
  returns: Tensor,
  options: ClipOptions = {},
): Tensor {
  accept(takes.ppoValueLoss, arguments);
  const { clip = 0.2 } = options;
  checkClipped("ppoValueLoss", { values, old, returns }, clip);
  const clipped = old.add(values.sub(old).clamp({ min: -clip, max: clip }));
  const error = values.sub(returns).square().maximum(clipped.sub(returns).square());
  return error.mean().mul(0.5);
}

/**
 * -mean A(y) s(y): REINFORCE with a whole answer as one action, and the other answers' mean as baseline
 * (2402.14740). s(y) = Σ_t ln π and advantages [B].
 */
export function rlooLoss(s: Tensor, advantages: Tensor): Tensor {
  accept(takes.rlooLoss, arguments);
  checkRows("rlooLoss", { s, advantages });
  return s.mul(advantages).mean().neg();
}

/**
 * -Σ_v π ln π of each row of log probabilities [N,V]: [N], in nats. What can't be drawn, ln π = -∞, adds 0:
 * e^-1000 is 0 in every dtype, so that the bound changes no other term.
 */
export function entropyOf(logProbs: Tensor): Tensor {
  accept(takes.entropyOf, arguments);
  return logProbs
    .exp()
    .mul(logProbs.clamp({ min: -1000 }))
    .sum({ dim: -1 })
    .neg();
}

function checkRows(name: string, rows: Readonly<Record<string, Tensor>>): void {
  const all = Object.entries(rows);
  const [N] = all[0]?.[1].shape ?? [];
  if (N && all.every(([, x]) => x.rank === 1 && x.shape[0] === N)) return;
  const got = all.map(([what, x]) => `${what} [${x.shape}]`).join(" and ");
  throw new ShapeError(`${name}: got ${got}; needed one number for each, [N] with N > 0`);
}

function checkClipped(name: string, rows: Readonly<Record<string, Tensor>>, clip: number): void {
  checkRows(name, rows);
  if (clip > 0) return;
  throw new ArgumentError(`${name}: clip is ${clip}, needed a number > 0; Infinity never clips`);
}
