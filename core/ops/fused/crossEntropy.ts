// The loss of a classifier and of a language model: logSoftmax and the pick of a class, without storing the
// logarithms. Next: normalization.ts.

import { checkFloat, type DType, type TypedArray } from "../../dtype.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../errors.ts";
import { fused } from "../../kinds.ts";
import type { Block, Op, Spec } from "../../op.ts";
import { portable } from "../../portable.ts";
import { formatShape, sameShape } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { massOf } from "../lines.ts";

/** How the losses of a crossEntropy are put together, which targets don't count, and smoothing. */
export interface CrossEntropyOptions {
  /** "mean" (default) over the targets that count, "sum", or "none": one loss for each target. */
  readonly reduction?: "mean" | "sum" | "none";
  /** Targets of this class don't count: loss and gradient 0. Default -100. */
  readonly ignoreIndex?: number;
  /** Share ε of the target's weight that is spread evenly over all classes. Default 0. */
  readonly labelSmoothing?: number;
}

type CrossEntropySettings = Required<CrossEntropyOptions>;

type CrossEntropyRule = (logits: Tensor, target: Tensor, options: CrossEntropySettings) => Tensor;

function crossEntropyCall(
  run: CrossEntropyRule,
): (logits: Tensor, target: Tensor, options?: CrossEntropyOptions) => Tensor {
  return (logits, target, { reduction = "mean", ignoreIndex = -100, labelSmoothing = 0 } = {}) => {
    checkClasses(logits, target, ignoreIndex, labelSmoothing);
    return run(logits, target, { reduction, ignoreIndex, labelSmoothing });
  };
}

function checkClasses(
  logits: Tensor,
  target: Tensor,
  ignoreIndex: number,
  smoothing: number,
): void {
  checkFloat("crossEntropy", logits.dtype);
  if (target.dtype !== "int32") {
    throw new DTypeError(`crossEntropy: target must hold classes as int32, got ${target.dtype}`);
  }
  if (logits.rank === 0 || !sameShape(logits.shape.slice(0, -1), target.shape)) {
    throw new ShapeError(
      `crossEntropy: logits ${formatShape(logits.shape)} and target ${formatShape(target.shape)}: needed logits ` +
        "[..., classes] and target [...]; logits.transpose(1, -1) if the classes are on axis 1",
    );
  }
  if (!(smoothing >= 0 && smoothing <= 1) || !Number.isInteger(ignoreIndex)) {
    throw new ArgumentError(
      `crossEntropy: labelSmoothing ${smoothing} must be in [0, 1], ignoreIndex ${ignoreIndex} a whole number`,
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

/** What each target's loss is multiplied by: 1, or for the mean 1 / the number of targets that count. */
export function shareOf(
  target: TypedArray,
  { reduction, ignoreIndex }: Pick<CrossEntropySettings, "reduction" | "ignoreIndex">,
): number {
  if (reduction !== "mean") return 1;
  let count = 0;
  for (const c of target) if (c !== ignoreIndex) count++;
  return 1 / count;
}

/**
 * What the way back reads again of each row: its largest logit and Σ exp(x - largest). Their logSumExp would
 * be one number, but of large logits it keeps too few digits below the point.
 */
function perTarget(target: Tensor, dtype: DType): { readonly largest: Spec; readonly mass: Spec } {
  const rows: Spec = { shape: target.shape, dtype };
  return { largest: rows, mass: rows };
}

/**
 * -ln softmax(logits)[target]: logits [..., classes], target [...] of int32. With labelSmoothing ε:
 * (1 - ε) times that plus ε times the mean over all classes. Mean over the targets that count, unless said.
 */
export const crossEntropy: Op<
  (logits: Tensor, target: Tensor, options?: CrossEntropyOptions) => Tensor,
  [logits: Tensor, target: Tensor, options: CrossEntropySettings],
  "largest" | "mass"
> = fused({
  definition: (logits: Tensor, target: Tensor, options: CrossEntropySettings) => {
    const { reduction, ignoreIndex, labelSmoothing } = options;
    const ignored = target.eq(ignoreIndex);
    const logp = ignored.unsqueeze(-1).where(0, logits).logSoftmax({ dim: -1 });
    const picks = ignored.where(0, target).unsqueeze(-1);
    const nll = logp.gather(picks, { dim: -1 }).squeeze(-1).neg();
    const classes = logits.shape.at(-1) ?? 1;
    const even = logp.sum({ dims: -1 }).div(-classes);
    const loss =
      labelSmoothing === 0 ? nll : nll.mul(1 - labelSmoothing).add(even.mul(labelSmoothing));
    const losses = ignored.where(0, loss);
    if (reduction === "none") return losses;
    return reduction === "sum" ? losses.sum() : losses.sum().div(ignored.logicalNot().sum());
  },
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
    '{ reduction?: "mean" | "sum" | "none", ignoreIndex?: number, labelSmoothing?: number }',
  example: 'tensor([[0, 1]]).crossEntropy(tensor([1], { dtype: "int32" }))  // 0.3133',
  draw: (d) => {
    const reduction = d.pick("mean", "sum", "none");
    // the mean of no targets is NaN: none are ignored then, and there is at least one
    const rows = d.shape({ maxRank: 2, minSide: reduction === "mean" ? 1 : 0 });
    const classes = d.integer(1, 4);
    const ignoreIndex = reduction === "mean" ? -100 : d.pick(-100, 0);
    const options = { reduction, ignoreIndex, labelSmoothing: d.pick(0, 0.25) };
    return [d.tensor([...rows, classes]), d.indices(rows, classes), options];
  },
});
