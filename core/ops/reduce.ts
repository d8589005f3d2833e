// Reductions: many numbers to one, over any axes. The fold is a step; the kind walks the axes and sums
// in double precision. The statistics at the end are compositions of the folds. Next: view.ts.

import { constant } from "../creation.ts";
import { type Draw, within } from "../draw.ts";
import { checkFloat } from "../dtype.ts";
import { ArgumentError } from "../errors.ts";
import {
  axesOf,
  composed,
  keep,
  pick,
  type Reduced,
  type ReduceOptions,
  type Reduction,
  reduce,
  reducedShape,
  reduceOptions,
  scan,
} from "../kinds.ts";
import type { Op } from "../op.ts";
import type { Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";

/** A tensor and axes to reduce; `sides` of at least 1 for ops without a value for nothing. */
function drawAxes(domain = within(-3, 3), minSide = 0) {
  return (d: Draw): readonly unknown[] => {
    const shape = d.shape({ maxRank: 3, minSide });
    const dims = shape.map((_, i) => i).filter(() => d.pick(true, false));
    const options = { keepDims: d.pick(true, false), ...(d.pick(true, false) && { dims }) };
    return [d.tensor(shape, domain), options];
  };
}

/** Sum over axes (all unless said). Of nothing: 0. */
export const sum: Reduction = reduce({
  start: 0,
  step: (total, x) => total + x,
  vjp: (g, _y, x, options) => [keep(g, x, options).expand(x.shape)],
  example: "tensor([[1, 2], [3, 4]]).sum({ dims: 0 })  // [4, 6]",
  draw: drawAxes(),
});

/** The largest element over axes; NaN if there is one. Ties share the gradient equally. */
export const max: Reduction = reduce({
  start: -Infinity,
  step: (best, x) => (x > best || Number.isNaN(x) ? x : best),
  notEmpty: true,
  vjp: shareAmongTies,
  example: "tensor([[1, 2], [4, 3]]).max({ dims: 1 })  // [2, 4]",
  draw: drawAxes(within(-3, 3, { distinct: true }), 1),
});

/** The smallest element over axes; NaN if there is one. Ties share the gradient equally. */
export const min: Reduction = reduce({
  start: Infinity,
  step: (best, x) => (x < best || Number.isNaN(x) ? x : best),
  notEmpty: true,
  vjp: shareAmongTies,
  example: "tensor([[1, 2], [4, 3]]).min({ dims: 1 })  // [1, 3]",
  draw: drawAxes(within(-3, 3, { distinct: true }), 1),
});

/** The gradient of an extreme, divided equally among the elements that attain it. */
function shareAmongTies(g: Tensor, y: Tensor, x: Tensor, options: Reduced): Tensor[] {
  const attains = x.eq(keep(y, x, options)).to(x.dtype);
  const count = attains.sum({ dims: options.dims, keepDims: true });
  return [keep(g, x, options).mul(attains.div(count))];
}

/** Position of the largest element (the first of several; of NaN if there is one), int32. */
export const argmax: Reduction = pick({
  better: (x, best) => x > best || (Number.isNaN(x) && !Number.isNaN(best)),
  example: "tensor([[1, 2], [4, 3]]).argmax({ dims: 1 })  // [1, 0]",
  draw: drawAxes(within(-3, 3), 1),
});

/** Position of the smallest element (the first of several; of NaN if there is one), int32. */
export const argmin: Reduction = pick({
  better: (x, best) => x < best || (Number.isNaN(x) && !Number.isNaN(best)),
  example: "tensor([[1, 2], [4, 3]]).argmin({ dims: 1 })  // [0, 1]",
  draw: drawAxes(within(-3, 3), 1),
});

/** Running sum along one axis; with `reverse`, from its end. */
export const cumsum: Op<(x: Tensor, options: { dim: number; reverse?: boolean }) => Tensor> = scan({
  start: 0,
  step: (total, x) => total + x,
  vjp: (g, _y, _x, { dim, reverse }) => [g.cumsum({ dim, reverse: !reverse })],
  example: "tensor([1, 2, 3]).cumsum({ dim: 0 })  // [1, 3, 6]",
  draw: (d) => {
    const shape = d.shape({ minRank: 1, maxRank: 3 });
    return [
      d.tensor(shape),
      { dim: d.integer(-shape.length, shape.length - 1), reverse: d.pick(true, false) },
    ];
  },
});

/** How many elements of x go into one of the result. */
function countOf(x: Tensor, dims: readonly number[]): number {
  return dims.reduce((count, d) => count * (x.shape[d] ?? 1), 1);
}

/** Arithmetic mean over axes; of nothing: NaN. */
export const mean: Reduction = composed({
  definition: (x: Tensor, options: ReduceOptions = {}) => {
    const count = countOf(x, axesOf("mean", x, options));
    checkFloat("mean", x.dtype);
    return x.sum(options).div(count);
  },
  takes: `x: Tensor, { ${reduceOptions} }`,
  example: "tensor([[1, 2], [3, 4]]).mean()  // 2.5",
  draw: drawAxes(within(-3, 3), 1),
});

/** Axes of a variance or deviation, and what is taken off its denominator. */
export interface VarOptions extends ReduceOptions {
  /** Subtracted from the count in the denominator; 1 (default) is Bessel's, 0 the population's. */
  readonly correction?: number | undefined;
}

function variance(name: string, x: Tensor, options: VarOptions): Tensor {
  const dims = axesOf(name, x, options);
  checkFloat(name, x.dtype);
  const deviation = x.sub(x.mean({ dims, keepDims: true }));
  const free = Math.max(0, countOf(x, dims) - (options.correction ?? 1));
  return deviation.square().sum({ dims, keepDims: options.keepDims }).div(free);
}

/** Variance over axes, in two passes. NaN when fewer than two elements are there (with correction 1). */
const varOp: Op<(x: Tensor, options?: VarOptions) => Tensor> = composed({
  definition: (x: Tensor, options: VarOptions = {}) => variance("var", x, options),
  takes: `x: Tensor, { ${reduceOptions}, correction?: number }`,
  example: "tensor([1, 2, 3, 4]).var()  // 1.6667",
  draw: (d) => [
    d.tensor(d.shape({ minRank: 1, maxRank: 3, minSide: 2 })),
    {
      dims: d.pick<Shape | number>(0, -1),
      correction: d.pick(0, 1),
      keepDims: d.pick(true, false),
    },
  ],
});

/** Where squares of a dtype neither overflow nor vanish, and the powers of two that bring others there. */
const squarable = {
  float32: { least: 2 ** -40, most: 2 ** 50, up: 2 ** 75, down: 2 ** -80 },
  float64: { least: 2 ** -400, most: 2 ** 450, up: 2 ** 700, down: 2 ** -600 },
} as const;

/** For each row a power of two (1 for ordinary numbers) times which it can be squared: multiplying by it is exact. */
function squareScale(x: Tensor, dims: readonly number[]): Tensor {
  const { least, most, up, down } = squarable[x.dtype === "float64" ? "float64" : "float32"];
  const by = (scale: number): Tensor => constant(scale, x.dtype, x.device);
  if (countOf(x, dims) === 0) return by(1);
  const largest = x.detach().abs().max({ dims, keepDims: true });
  return largest.gt(most).where(by(down), largest.lt(least).where(by(up), 1));
}

/** root(x scale) / scale, for a root of squares over axes. */
function scaled(x: Tensor, dims: readonly number[], root: (x: Tensor) => Tensor): Tensor {
  const scale = squareScale(x, dims);
  const y = root(x.mul(scale));
  return y.div(scale.size === y.size ? scale.reshape(y.shape) : scale);
}

/** Square root with gradient 0 at 0, where the true one is infinite (as PyTorch's std and norm). */
function rootOf(x: Tensor): Tensor {
  const atZero = x.eq(0);
  return atZero.where(0, atZero.where(1, x).sqrt());
}

/** Standard deviation over axes; gradient 0 where it is 0. */
export const std: Op<(x: Tensor, options?: VarOptions) => Tensor> = composed({
  definition: (x: Tensor, options: VarOptions = {}) => {
    const dims = axesOf("std", x, options);
    checkFloat("std", x.dtype);
    return scaled(x, dims, (small) => rootOf(variance("std", small, options)));
  },
  takes: `x: Tensor, { ${reduceOptions}, correction?: number }`,
  example: "tensor([1, 2, 3, 4]).std()  // 1.291",
  draw: (d) => {
    const shape = d.shape({ minRank: 1, maxRank: 3, minSide: 2 });
    return [d.tensor(shape, within(-3, 3, { distinct: true })), { dims: 0 }];
  },
});

/** Axes of a norm, and which norm. */
export interface VectorNormOptions extends ReduceOptions {
  /**
   * 2 (default): Euclidean. 1: sum of absolute values. Infinity (-Infinity): the largest (smallest) of them.
   * 0: how many aren't 0. Any other: (Σ |x|^p)^(1/p).
   */
  readonly p?: number;
}

/**
 * (Σ |x|^p)^(1/p), from |x| over the largest (smallest, if p < 0) so that no power overflows, as it can't where
 * |p| < 1; gradient 0 at 0.
 */
function powerNorm(x: Tensor, p: number, dims: readonly number[], keepDims: boolean): Tensor {
  const size = x.abs();
  const end =
    p > 0
      ? size.detach().max({ dims, keepDims: true })
      : size.detach().min({ dims, keepDims: true });
  const unit = end
    .gt(0)
    .logicalAnd(end.isFinite().logicalAnd(constant(Math.abs(p) >= 1, "bool", x.device)))
    .where(end, 1);
  const isZero = size.eq(0);
  const powers = isZero.where(0 ** p, isZero.where(1, size).div(unit).pow(p));
  const total = powers.sum({ dims, keepDims: true });
  const isNone = total.eq(0);
  const y = isNone.where(0 ** (1 / p), isNone.where(1, total).pow(1 / p)).mul(unit);
  return keepDims ? y : y.reshape(reducedShape(x.shape, { dims, keepDims }));
}

/** Length of the vectors along axes (of the whole tensor unless said); gradient 0 at 0, as in PyTorch. */
export const norm: Op<(x: Tensor, options?: VectorNormOptions) => Tensor> = composed({
  definition: (x: Tensor, options: VectorNormOptions = {}) => {
    const { p = 2 } = options;
    const dims = axesOf("norm", x, options);
    checkFloat("norm", x.dtype);
    const { keepDims = false } = options;
    if (Number.isNaN(p)) throw new ArgumentError(`norm: p = ${p} is no number; 2 is Euclid's`);
    if (p === 0) return x.ne(0).where(1, x.sign()).sum({ dims, keepDims });
    if (p === Infinity) return x.abs().max({ dims, keepDims });
    if (p === -Infinity) return x.abs().min({ dims, keepDims });
    if (p === 1 || countOf(x, dims) === 0) return x.abs().sum({ dims, keepDims });
    if (p !== 2) return powerNorm(x, p, dims, keepDims);
    return scaled(x, dims, (small) => rootOf(small.square().sum({ dims, keepDims })));
  },
  takes: `x: Tensor, { p?: number, ${reduceOptions} }`,
  example: "tensor([3, 4]).norm()  // 5",
  draw: drawAxes(within(-3, 3, { offset: 1 / 8 })),
});

/**
 * ln Σ exp x over axes, without overflow: m + ln Σ exp(x - m) with m the maximum. Of nothing: -inf. The
 * gradient is softmax(x); where m is infinite it is that of max, so that those that attain it share it.
 */
export const logSumExp: Reduction = composed({
  definition: (x: Tensor, options: ReduceOptions = {}) => {
    const dims = axesOf("logSumExp", x, options);
    checkFloat("logSumExp", x.dtype);
    const { keepDims = false } = options;
    if (countOf(x, dims) === 0) return x.sum({ dims, keepDims }).sub(Infinity);
    const largest = x.max({ dims, keepDims: true });
    const isUsual = largest.isFinite();
    const m = isUsual.where(largest.detach(), 0);
    const usual = isUsual.where(x, 0).sub(m).exp().sum({ dims, keepDims: true }).log().add(m);
    const y = isUsual.where(usual, largest);
    return keepDims ? y : y.reshape(reducedShape(x.shape, { dims, keepDims }));
  },
  takes: `x: Tensor, { ${reduceOptions} }`,
  example: 'tensor([1000, 1000], { dtype: "float64" }).logSumExp()  // 1000.6931',
  draw: drawAxes(),
});

export { varOp as var };
