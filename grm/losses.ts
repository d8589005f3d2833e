// The losses of a reward model with two heads, each one a short function. A reward r is a score of an answer;
// Bradley-Terry says that y_c is preferred to y_r with probability σ(r_c - r_r), σ(z) = 1 / (1 + exp(-z)), and
// its loss is -log of that. π(y_t | ...) is the probability that the language model gives to token y_t after
// those before it: softmax of its logits, V scores for the V tokens there are. GRM adds a loss on these
// probabilities: SFT (supervised fine-tuning) makes y_c likely, DPO (direct preference optimisation) likelier
// than y_r; a loss that is added to hold a model back is a regulariser.
//
// Symbols are those of GRM (2406.10216; such numbers are arXiv's): prompt x, chosen answer y_c, rejected
// answer y_r, rewards r_c and r_r [B], and s = s(y) = Σ_t log π(y_t | x, y_<t) [B], a sum over the answer's
// tokens, not normalised by their number. Every loss is a mean over the B pairs, a scalar.
// Next: rewardModel.ts, where r and s come from; trainer.ts, where the losses are put together.

import { ArgumentError, ShapeError, type Tensor } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";

const takes = signatures({
  sequenceLogProbs: "logits: Tensor, labels: Tensor",
  bradleyTerry: "r_c: Tensor, r_r: Tensor, { margin?: Tensor | number, labelSmoothing?: number }",
  rewardCentering: "r_c: Tensor, r_r: Tensor",
  positiveRegularizer: "r_c: Tensor, { eps: number }",
  sftRegularizer: 's_c: Tensor, { beta?: number, form?: "logSigmoid" | "nll" }',
  dpoRegularizer:
    "s_c: Tensor, s_r: Tensor, { beta?: number, reference?: { s_c: Tensor, s_r: Tensor } }",
  grmLoss: "rewardLoss: Tensor, regLoss: Tensor | null, { alpha?: number }",
});

/** The label of tokens that carry no text-generation loss. */
export const IGNORE = -100;

/**
 * s(y) of each row: logits [B,T,V], labels [B,T] int32 with -100 where there is no loss. Logits at t are
 * held against the label at t + 1: the shift is in here. A label at the first place has no logits before
 * it and doesn't count.
 */
export function sequenceLogProbs(logits: Tensor, labels: Tensor): Tensor {
  accept(takes.sequenceLogProbs, arguments);
  if (logits.rank !== 3 || String(logits.shape.slice(0, 2)) !== String(labels.shape)) {
    throw new ShapeError(
      `sequenceLogProbs: logits [${logits.shape}] and labels [${labels.shape}]; needed [B,T,V] and [B,T]`,
    );
  }
  const next = labels.slice({ dim: 1, start: 1 }).pad([0, 1], { value: IGNORE }); // [B,T]
  const losses = logits.crossEntropy(next, { reduction: "none", ignoreIndex: IGNORE });
  return losses.sum({ dim: 1 }).neg();
}

/** Variants of the Bradley-Terry loss: margins and smoothed labels. */
export interface BradleyTerryOptions {
  /** By how much y_c was rated better: [B], or the same for all. Default 0. */
  readonly margin?: Tensor | number | undefined;
  /** The probability with which a label is taken to be wrong. Default 0. */
  readonly labelSmoothing?: number | undefined;
}

/**
 * -log σ(r_c - r_r): the reward loss (2406.10216, equation 1). With `margin` m, -log σ(r_c - r_r - m) as
 * in Llama 2 (2307.09288, section 3.2.2). With `labelSmoothing` ε, (1 - ε) times that plus ε times the
 * loss of the flipped label (2305.18290's conservative form; the paper's baseline, appendix B).
 */
export function bradleyTerry(r_c: Tensor, r_r: Tensor, options: BradleyTerryOptions = {}): Tensor {
  accept(takes.bradleyTerry, arguments);
  const { margin = 0, labelSmoothing = 0 } = options;
  checkRows("bradleyTerry", { r_c, r_r, ...(typeof margin === "number" ? {} : { margin }) });
  checkShare("bradleyTerry", { labelSmoothing });
  const difference = r_c.sub(r_r).sub(margin);
  const right = difference.logSigmoid().mean().neg();
  if (labelSmoothing === 0) return right;
  const flipped = difference.neg().logSigmoid().mean().neg();
  return right.mul(1 - labelSmoothing).add(flipped.mul(labelSmoothing));
}

/** (r_c + r_r)²: keeps rewards around 0, which Bradley-Terry leaves open (2312.09244). */
export function rewardCentering(r_c: Tensor, r_r: Tensor): Tensor {
  accept(takes.rewardCentering, arguments);
  checkRows("rewardCentering", { r_c, r_r });
  return r_c.add(r_r).square().mean();
}

/** -ε log σ(mean r_c): the official repository's `pos_reg`, which keeps chosen rewards positive. */
export function positiveRegularizer(r_c: Tensor, options: { readonly eps: number }): Tensor {
  accept(takes.positiveRegularizer, arguments);
  checkRows("positiveRegularizer", { r_c });
  return r_c.mean().logSigmoid().mul(-options.eps);
}

/** The strength β inside the SFT regulariser, and its form. */
export interface SftOptions {
  /** Default 0.1. */
  readonly beta?: number | undefined;
  /** "logSigmoid" (default), or "nll": -s(y_c), in which beta plays no part. */
  readonly form?: "logSigmoid" | "nll" | undefined;
}

/** SFT regularisation, -log σ(β s(y_c)) (2406.10216, section 3.2). dL/ds = -β σ(-β s) / B. */
export function sftRegularizer(s_c: Tensor, options: SftOptions = {}): Tensor {
  accept(takes.sftRegularizer, arguments);
  const { beta = 0.1, form = "logSigmoid" } = options;
  checkRows("sftRegularizer", { s_c });
  return form === "nll" ? s_c.mean().neg() : s_c.mul(beta).logSigmoid().mean().neg();
}

/** The strength β inside the DPO regulariser, and its reference. */
export interface DpoOptions {
  /** Default 0.1. */
  readonly beta?: number | undefined;
  /** s of the same answers under the frozen base. Absent: DPO without reference. */
  readonly reference?: { readonly s_c: Tensor; readonly s_r: Tensor } | undefined;
}

/** DPO regularisation, -log σ(β [s(y_c) - s(y_r) - s_ref(y_c) + s_ref(y_r)]) (2406.10216, section 3.2). */
export function dpoRegularizer(s_c: Tensor, s_r: Tensor, options: DpoOptions = {}): Tensor {
  accept(takes.dpoRegularizer, arguments);
  const { beta = 0.1, reference } = options;
  checkRows("dpoRegularizer", { s_c, s_r, ...reference });
  const difference = s_c.sub(s_r);
  const gain =
    reference === undefined ? difference : difference.sub(reference.s_c.sub(reference.s_r));
  return gain.mul(beta).logSigmoid().mean().neg();
}

/** (1 - α) L_reward + α L_reg (2406.10216, section 3.2); the paper's α is 0.01. With α = 0, L_reward itself. */
export function grmLoss(
  rewardLoss: Tensor,
  regLoss: Tensor | null,
  options: { readonly alpha?: number } = {},
): Tensor {
  accept(takes.grmLoss, arguments);
  const { alpha = 0.01 } = options;
  checkShare("grmLoss", { alpha });
  if (alpha === 0) return rewardLoss;
  if (regLoss === null) {
    throw new ArgumentError(`grmLoss: alpha ${alpha} needs a regLoss; alpha 0 goes without`);
  }
  return rewardLoss.mul(1 - alpha).add(regLoss.mul(alpha));
}

/** Throws unless all are [B] with one B > 0. */
function checkRows(name: string, rows: Readonly<Record<string, Tensor>>): void {
  const all = Object.entries(rows);
  const [B] = all[0]?.[1].shape ?? [];
  if (B && all.every(([, x]) => x.rank === 1 && x.shape[0] === B)) return;
  const got = all.map(([what, x]) => `${what} [${x.shape}]`).join(" and ");
  throw new ShapeError(`${name}: got ${got}; needed one number for each of B > 0 pairs, [B]`);
}

function checkShare(name: string, share: Readonly<Record<string, number>>): void {
  for (const [what, value] of Object.entries(share)) {
    if (value >= 0 && value <= 1) continue;
    throw new ArgumentError(`${name}: ${what} is ${value}, needed a number from 0 to 1`);
  }
}
