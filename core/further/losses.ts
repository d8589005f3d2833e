// Losses: predictions against targets of the same shape, put together by `reduction` as in crossEntropy. The
// classifier's losses have their classes on the last axis, as crossEntropy does. Next: table.ts.

import { type Draw, within } from "../draw.ts";
import { checkFloat } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import type { Op } from "../op.ts";
import { formatShape, sameShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { further } from "./make.ts";

/** How the losses of all elements are put together. */
export interface LossOptions {
  /** "mean" (default), "sum", or "none": one loss for each element. */
  readonly reduction?: "mean" | "sum" | "none";
}

const reductions = 'reduction?: "mean" | "sum" | "none"';

function put(losses: Tensor, { reduction = "mean" }: LossOptions): Tensor {
  if (reduction === "none") return losses;
  return reduction === "sum" ? losses.sum() : losses.mean();
}

/** Shapes that only broadcast are refused: [3,1] against [3] would be nine losses, and none of them meant. */
function checkPair(name: string, x: Tensor, target: Tensor): void {
  checkFloat(name, x.dtype);
  if (sameShape(x.shape, target.shape)) return;
  const shapes = `${formatShape(x.shape)} and target ${formatShape(target.shape)}`;
  throw new ShapeError(`${name}: input ${shapes} differ; target.reshape(input.shape) fits them`);
}

function drawPair(d: Draw, domain = within(-3, 3)): readonly [Tensor, Tensor, LossOptions] {
  const shape = d.shape({ maxRank: 3, minSide: 1 });
  return [d.tensor(shape), d.tensor(shape, domain), { reduction: d.pick("mean", "sum", "none") }];
}

/** (input - target)². */
export const mseLoss: Op<(input: Tensor, target: Tensor, options?: LossOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "mseLoss",
    definition: (input: Tensor, target: Tensor, options: LossOptions = {}) => {
      checkPair("mseLoss", input, target);
      return put(input.sub(target).square(), options);
    },
    takes: `input: Tensor, target: Tensor, { ${reductions} }`,
    example: "tensor([1, 2]).mseLoss(tensor([1, 4]))  // 2",
    draw: (d) => drawPair(d),
  });

/** Where a huberLoss turns from a parabola into a line: delta, 1 unless said. */
export interface HuberOptions extends LossOptions {
  readonly delta?: number;
}

/** With d = input - target: d²/2 up to |d| = delta, delta (|d| - delta/2) beyond. */
export const huberLoss: Op<(input: Tensor, target: Tensor, options?: HuberOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "huberLoss",
    definition: (input: Tensor, target: Tensor, options: HuberOptions = {}) => {
      const { delta = 1 } = options;
      checkPair("huberLoss", input, target);
      if (!(delta > 0)) throw new ArgumentError(`huberLoss: delta must be > 0, got ${delta}`);
      const d = input.sub(target);
      const isNear = d.abs().le(delta);
      const line = d
        .abs()
        .sub(delta / 2)
        .mul(delta);
      return put(isNear.where(isNear.where(d, 0).square().div(2), line), options);
    },
    takes: `input: Tensor, target: Tensor, { ${reductions}, delta?: number }`,
    example: 'tensor([0.5, 3]).huberLoss(tensor([0, 0]), { reduction: "none" })  // [0.125, 2.5]',
    draw: (d) => {
      const [input, target, options] = drawPair(d);
      return [input, target, { ...options, delta: d.pick(0.8, 1.1) }];
    },
  });

/** Weights of a bceWithLogits, which broadcast: of each loss, and of the answer yes. */
export interface BceOptions extends LossOptions {
  readonly weight?: Tensor;
  readonly posWeight?: Tensor;
}

/**
 * -(t ln σ(x) + (1 - t) ln(1 - σ(x))) of logits x and targets t in [0, 1], as (1 - t) x + ln(1 + e^-x), which
 * neither overflows nor takes the logarithm of 0. posWeight multiplies the part with t.
 */
export const bceWithLogits: Op<(input: Tensor, target: Tensor, options?: BceOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "bceWithLogits",
    definition: (input: Tensor, target: Tensor, options: BceOptions = {}) => {
      const { weight, posWeight } = options;
      checkPair("bceWithLogits", input, target);
      const t = target.to(input.dtype);
      const cost = input.neg().softplus();
      const by = posWeight ? cost.mul(t.mul(posWeight.sub(1)).add(1)) : cost;
      const losses = t.neg().add(1).mul(input).add(by);
      return put(weight ? losses.mul(weight) : losses, options);
    },
    takes: `input: Tensor, target: Tensor, { ${reductions}, weight?: Tensor, posWeight?: Tensor }`,
    example: "tensor([0, 1000]).bceWithLogits(tensor([1, 1]))  // 0.3466",
    draw: (d) => {
      const [input, target, options] = drawPair(d, within(0, 1));
      const weight = d.tensor(input.shape.slice(-1), within(0.5, 2));
      const weights = d.pick<BceOptions>({}, { weight }, { posWeight: weight });
      return [input, target, { ...options, ...weights }];
    },
  });

/** Which targets of an nllLoss don't count (-100 unless said), and the weights of the classes. */
export interface NllOptions extends LossOptions {
  readonly ignoreIndex?: number;
  /** One for each class; the mean is then the weighted one. */
  readonly weight?: Tensor;
}

/** -input[target]: log-probabilities [..., classes], target [...] of int32. crossEntropy takes logits. */
export const nllLoss: Op<(input: Tensor, target: Tensor, options?: NllOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "nllLoss",
    definition: (input: Tensor, target: Tensor, options: NllOptions = {}) => {
      const { reduction = "mean", ignoreIndex = -100, weight } = options;
      checkFloat("nllLoss", input.dtype);
      if (target.dtype !== "int32")
        throw new DTypeError(`nllLoss: target must hold classes as int32, got ${target.dtype}`);
      const classes = input.shape.at(-1);
      const fits = input.rank > 0 && sameShape(input.shape.slice(0, -1), target.shape);
      if (!fits || (weight !== undefined && !sameShape(weight.shape, [classes ?? 0]))) {
        const shapes = `${formatShape(input.shape)} and target ${formatShape(target.shape)}`;
        throw new ShapeError(
          `nllLoss: input ${shapes}: needed [..., classes] and [...], and as many weights as classes`,
        );
      }
      const ignored = target.eq(ignoreIndex);
      const picks = ignored.where(0, target);
      const nll = input.gather(picks.unsqueeze(-1), { dim: -1 }).squeeze(-1).neg();
      const weights = weight?.indexSelect(picks.reshape([picks.size])).reshape(picks.shape);
      const losses = ignored.where(0, weights ? nll.mul(weights) : nll);
      if (reduction === "none") return losses;
      if (reduction === "sum") return losses.sum();
      return losses.sum().div(ignored.where(0, weights ?? 1).sum());
    },
    takes: `input: Tensor, target: Tensor, { ${reductions}, ignoreIndex?: number, weight?: Tensor }`,
    example: 'tensor([[-1, -2], [-3, -4]]).nllLoss(tensor([0, 1], { dtype: "int32" }))  // 2.5',
    draw: (d) => {
      const rows = d.shape({ maxRank: 2, minSide: 1 });
      const classes = d.integer(1, 4);
      const reduction = d.pick("mean", "sum", "none");
      const weight = d.pick(true, false) && { weight: d.tensor([classes], within(0.5, 2)) };
      const ignored = reduction !== "mean" && { ignoreIndex: 0 };
      const options = { reduction, ...weight, ...ignored };
      return [d.tensor([...rows, classes]), d.indices(rows, classes), options];
    },
  });

/** How a klDiv is put together, and whether its target is a logarithm too. */
export interface KlOptions {
  /** As in the other losses; "batchmean" is the sum over the first axis' size, the divergence itself. */
  readonly reduction?: "mean" | "sum" | "none" | "batchmean";
  readonly logTarget?: boolean;
}

/** target (ln target - input), input being log-probabilities; where the target is 0, so is the loss. */
export const klDiv: Op<(input: Tensor, target: Tensor, options?: KlOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "klDiv",
    definition: (input: Tensor, target: Tensor, options: KlOptions = {}) => {
      const { reduction = "mean", logTarget = false } = options;
      checkPair("klDiv", input, target);
      const isZero = target.eq(0);
      const losses = logTarget
        ? target.exp().mul(target.sub(input))
        : target.mul(isZero.where(0, isZero.where(1, target).log().sub(input)));
      if (reduction !== "batchmean") return put(losses, { reduction });
      return losses.sum().div(input.shape[0] ?? 1);
    },
    takes:
      "input: Tensor, target: Tensor, " +
      '{ reduction?: "mean" | "sum" | "none" | "batchmean", logTarget?: boolean }',
    example: 'tensor([-1, -1]).klDiv(tensor([1, 0]), { reduction: "sum" })  // 1',
    draw: (d) => {
      const [input, target] = drawPair(d, within(0.25, 1));
      const reduction = d.pick("mean", "sum", "none", "batchmean");
      return [input, target, { reduction, logTarget: d.pick(true, false) }];
    },
  });
