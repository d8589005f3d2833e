// The loss of a classifier and of a language model: logSoftmax and the pick of a class, without storing the
// logarithms. Next: normalization.ts.

import { within } from "../../draw.ts";
import { checkFloat, type DType, isFloat } from "../../dtype.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../errors.ts";
import { fused } from "../../kinds.ts";
import type { Block, Op, Spec } from "../../op.ts";
import { portable } from "../../portable.ts";
import { formatShape, sameShape } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { massOf, shareOf } from "../lines.ts";

/** How the losses of a crossEntropy are put together, which targets don't count, and smoothing. */
export interface CrossEntropyOptions {
  /** "mean" (default) over the targets that count, "sum", or "none": one loss for each target. */
  readonly reduction?: "mean" | "sum" | "none";
  /** Targets of this class don't count: loss and gradient 0. Default -100. */
  readonly ignoreIndex?: number;
  /** Share ε of the target's weight that is spread evenly over all classes. Default 0. */
  readonly labelSmoothing?: number;
  /** Of the classes, [classes]; the mean over classes as targets is then the weighted one. */
  readonly weight?: Tensor;
}

/** The options that the kernels see. */
export type CrossEntropySettings = Required<Omit<CrossEntropyOptions, "weight">>;

type CrossEntropyRule = (logits: Tensor, target: Tensor, options: CrossEntropySettings) => Tensor;

function crossEntropyCall(
  run: CrossEntropyRule,
): (logits: Tensor, target: Tensor, options?: CrossEntropyOptions) => Tensor {
  return (logits, target, { weight, ...options } = {}) => {
    const { reduction = "mean", ignoreIndex = -100, labelSmoothing = 0 } = options;
    const settings = { reduction, ignoreIndex, labelSmoothing };
    checkClasses(logits, target, settings, weight);
    if (weight || isFloat(target.dtype)) return composition(logits, target, settings, weight);
    return run(logits, target, settings);
  };
}

function checkClasses(
  logits: Tensor,
  target: Tensor,
  { ignoreIndex, labelSmoothing: smoothing }: CrossEntropySettings,
  weight?: Tensor,
): void {
  const { rank, shape } = logits;
  const isSoft = isFloat(target.dtype) && target.rank === rank;
  checkFloat("crossEntropy", logits.dtype);
  if (target.dtype !== "int32" && !isSoft) {
    throw new DTypeError(
      `crossEntropy: target must hold classes as int32, or their probabilities, got ${target.dtype}`,
    );
  }
  const isWeighted = !weight || sameShape(weight.shape, shape.slice(-1));
  if (rank === 0 || !sameShape(isSoft ? shape : shape.slice(0, -1), target.shape) || !isWeighted) {
    throw new ShapeError(
      `crossEntropy: logits ${formatShape(shape)} and target ${formatShape(target.shape)}: needed logits ` +
        "[..., classes], target [...] and weight [classes]; logits.transpose(1, -1) if the classes are on axis 1",
    );
  }
  if (
    !(smoothing >= 0 && smoothing <= 1) ||
    !Number.isInteger(ignoreIndex) ||
    (isSoft && ignoreIndex >= 0)
  ) {
    throw new ArgumentError(
      `crossEntropy: labelSmoothing ${smoothing} must be in [0, 1], ignoreIndex ${ignoreIndex} a whole number, < 0 with probabilities`,
    );
  }
}

/** Rows of logits and their classes; visit(row, first place, class or -1 where ignored). */
function eachTarget(
  x: Block,
  target: Block,
  ignoreIndex: number,
  visit: (row: number, at: number, c: number) => void,
): void {
  const classes = x.shape.at(-1) ?? 0;
  target.data.forEach((c, row) => {
    const isIgnored = c === ignoreIndex;
    if (!isIgnored && (c < 0 || c >= classes)) {
      throw new IndexError(
        `crossEntropy: target ${c} at position ${row} is outside [0, ${classes}), the classes, and isn't ignoreIndex ${ignoreIndex}`,
      );
    }
    visit(row, row * classes, isIgnored ? -1 : c);
  });
}

/**
 * What the way back reads again of each row: its largest logit and Σ exp(x - largest). Their logSumExp would
 * be one number, but of large logits it keeps too few digits below the point.
 */
function perTarget(target: Tensor, dtype: DType): { readonly largest: Spec; readonly mass: Spec } {
  const rows: Spec = { shape: target.shape, dtype };
  return { largest: rows, mass: rows };
}

/** The loss made of other ops: of classes, or of the probability of each class; then the mean is over rows. */
function composition(
  logits: Tensor,
  target: Tensor,
  { reduction, ignoreIndex, labelSmoothing }: CrossEntropySettings,
  weight?: Tensor,
): Tensor {
  const isSoft = isFloat(target.dtype);
  const ignored = (isSoft ? target.sum({ dims: -1 }) : target).eq(ignoreIndex); // no probabilities' sum is
  const logp = ignored.unsqueeze(-1).where(0, logits).logSoftmax({ dim: -1 });
  const weighted = weight ? logp.mul(weight) : logp;
  const picks = isSoft ? target : ignored.where(0, target).unsqueeze(-1);
  const nll = isSoft
    ? weighted.mul(picks).sum({ dims: -1 }).neg()
    : weighted.gather(picks, { dim: -1 }).squeeze(-1).neg();
  const even = weighted.sum({ dims: -1 }).div(-(logits.shape.at(-1) ?? 1));
  const loss =
    labelSmoothing === 0 ? nll : nll.mul(1 - labelSmoothing).add(even.mul(labelSmoothing));
  const losses = ignored.where(0, loss);
  if (reduction === "none") return losses;
  const total = losses.sum();
  if (reduction === "sum") return total;
  if (isSoft || !weight) return total.div(ignored.logicalNot().sum());
  const weights = weight.indexSelect(picks.reshape([target.size])).reshape(target.shape);
  return total.div(ignored.where(0, weights).sum());
}

/**
 * -ln softmax(logits)[target]: logits [..., classes], target [...] of int32. With labelSmoothing ε:
 * (1 - ε) times that plus ε times the mean over all classes. Mean over the targets that count, unless said.
 * Of a target [..., classes], the probability of each class: -Σ target ln softmax(logits).
 */
export const crossEntropy: Op<
  (logits: Tensor, target: Tensor, options?: CrossEntropyOptions) => Tensor,
  [logits: Tensor, target: Tensor, options: CrossEntropySettings],
  "largest" | "mass"
> = fused({
  definition: composition as CrossEntropyRule,
  infer: (logits, target, { reduction }) => [
    { shape: reduction === "none" ? target.shape : [], dtype: logits.dtype },
    perTarget(target, logits.dtype),
  ],
  forward: ([loss, { largest, mass }], x, target, options) => {
    const { ignoreIndex, labelSmoothing } = options;
    const classes = x.shape.at(-1) ?? 0;
    let sum = 0;
    eachTarget(x, target, ignoreIndex, (row, at, c) => {
      const { max, sum: total } = massOf(x, at, classes, 1);
      const cost = (k: number): number => portable.log(total) + (max - (x.data[k] ?? 0));
      let even = 0;
      for (let k = at; labelSmoothing > 0 && k < at + classes; k++) even += cost(k);
      const nll = cost(at + c);
      const smooth =
        labelSmoothing === 0 ? nll : (1 - labelSmoothing) * nll + (labelSmoothing * even) / classes;
      if (options.reduction === "none") loss.data[row] = c < 0 ? 0 : smooth;
      sum += c < 0 ? 0 : smooth;
      largest.data[row] = max;
      mass.data[row] = total;
    });
    if (options.reduction !== "none") loss.data[0] = sum * shareOf(target.data, options);
  },
  backward: ([dx], g, [, { largest, mass }], x, target, options) => {
    const { ignoreIndex, labelSmoothing } = options;
    const classes = x.shape.at(-1) ?? 0;
    const share = shareOf(target.data, options);
    const gStep = options.reduction === "none" ? 1 : 0;
    eachTarget(x, target, ignoreIndex, (row, at, c) => {
      const by = share * (g.data[row * gStep] ?? 0);
      for (let k = 0; dx && k < classes; k++) {
        const wanted = (k === c ? 1 - labelSmoothing : 0) + labelSmoothing / classes;
        const p =
          portable.exp((x.data[at + k] ?? 0) - (largest.data[row] ?? 0)) / (mass.data[row] ?? 0);
        dx.data[at + k] = c < 0 ? 0 : by * (p - wanted);
      }
    });
  },
  call: crossEntropyCall,
  takes:
    "logits: Tensor, target: Tensor, " +
    '{ reduction?: "mean" | "sum" | "none", ignoreIndex?: number, labelSmoothing?: number, weight?: Tensor }',
  example: 'tensor([[0, 1]]).crossEntropy(tensor([1], { dtype: "int32" }))  // 0.3133',
  draw: (d) => {
    const reduction = d.pick("mean", "sum", "none");
    // the mean of no targets is NaN: none are ignored then, and there is at least one
    const rows = d.shape({ maxRank: 2, minSide: reduction === "mean" ? 1 : 0 });
    const classes = d.integer(1, 4);
    const ignoreIndex = reduction === "mean" ? -100 : d.pick(-100, 0);
    const weight = d.pick(true, false) && { weight: d.tensor([classes], within(0.5, 2)) };
    const options = { reduction, labelSmoothing: d.pick(0, 0.25), ...weight };
    const logits = d.tensor([...rows, classes]);
    if (d.pick(true, false)) return [logits, d.indices(rows, classes), { ...options, ignoreIndex }];
    return [logits, d.tensor([...rows, classes], within(0, 1)), options];
  },
});
