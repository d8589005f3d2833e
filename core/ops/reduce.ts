// Reductions: many numbers to one, over any axes. The fold is a step; the kind walks the axes and sums
// in double precision. The statistics at the end are compositions of the folds. Next: view.ts.

import { type Draw, within } from "../draw.ts";
import { checkFloat } from "../dtype.ts";
import {
  axesOf,
  composed,
  keep,
  keptShape,
  pick,
  type ReduceOptions,
  type Reduction,
  reduce,
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
  vjp: (g, y, x, options) => [
    shareAmongTies(keep(g, x, options), x, keep(y, x, options), options.dims),
  ],
  example: "tensor([[1, 2], [4, 3]]).max({ dims: 1 })  // [2, 4]",
  draw: drawAxes(within(-3, 3, { distinct: true }), 1),
});

/** The smallest element over axes; NaN if there is one. Ties share the gradient equally. */
export const min: Reduction = reduce({
  start: Infinity,
  step: (best, x) => (x < best || Number.isNaN(x) ? x : best),
  notEmpty: true,
  vjp: (g, y, x, options) => [
    shareAmongTies(keep(g, x, options), x, keep(y, x, options), options.dims),
  ],
  example: "tensor([[1, 2], [4, 3]]).min({ dims: 1 })  // [1, 3]",
  draw: drawAxes(within(-3, 3, { distinct: true }), 1),
});

/** The gradient of an extreme, divided equally among the elements that attain it. */
function shareAmongTies(g: Tensor, x: Tensor, y: Tensor, dims: readonly number[]): Tensor {
  const attains = x.eq(y).to(x.dtype);
  return g.mul(attains.div(attains.sum({ dims, keepDims: true })));
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

/** Square root with gradient 0 at 0, where the true one is infinite (as PyTorch's std and norm). */
function rootOf(x: Tensor): Tensor {
  const atZero = x.eq(0);
  return atZero.where(0, atZero.where(1, x).sqrt());
}

/** Standard deviation over axes; gradient 0 where it is 0. */
export const std: Op<(x: Tensor, options?: VarOptions) => Tensor> = composed({
  definition: (x: Tensor, options: VarOptions = {}) => rootOf(variance("std", x, options)),
  takes: `x: Tensor, { ${reduceOptions}, correction?: number }`,
  example: "tensor([1, 2, 3, 4]).std()  // 1.291",
  draw: (d) => {
    const shape = d.shape({ minRank: 1, maxRank: 3, minSide: 2 });
    return [d.tensor(shape, within(-3, 3, { distinct: true })), { dims: 0 }];
  },
});

/** Axes of a norm, and which norm. */
export interface VectorNormOptions extends ReduceOptions {
  /** 2 (default): Euclidean. 1: sum of absolute values. Infinity: the largest of them. */
  readonly p?: 1 | 2 | typeof Infinity;
}

/** Length of the vectors along axes (of the whole tensor unless said); gradient 0 at 0. */
export const norm: Op<(x: Tensor, options?: VectorNormOptions) => Tensor> = composed({
  definition: (x: Tensor, options: VectorNormOptions = {}) => {
    const { p = 2 } = options;
    const dims = axesOf("norm", x, options);
    checkFloat("norm", x.dtype);
    const { keepDims } = options;
    if (p === 1) return x.abs().sum({ dims, keepDims });
    if (p === Infinity) return x.abs().max({ dims, keepDims });
    return rootOf(x.square().sum({ dims, keepDims }));
  },
  takes: `x: Tensor, { p?: number, ${reduceOptions} }`,
  example: "tensor([3, 4]).norm()  // 5",
  draw: drawAxes(within(-3, 3, { offset: 1 / 8 })),
});

/** ln Σ exp x over axes, without overflow: m + ln Σ exp(x - m) with m the maximum. Of nothing: -inf. */
export const logSumExp: Reduction = composed({
  definition: (x: Tensor, options: ReduceOptions = {}) => {
    const dims = axesOf("logSumExp", x, options);
    checkFloat("logSumExp", x.dtype);
    const { keepDims = false } = options;
    if (countOf(x, dims) === 0) return x.sum({ dims, keepDims }).sub(Infinity);
    const largest = x.detach().max({ dims, keepDims: true });
    const m = largest.isFinite().where(largest, 0);
    const y = x.sub(m).exp().sum({ dims, keepDims: true }).log().add(m);
    return keepDims ? y : y.reshape(without(x.shape, dims));
  },
  takes: `x: Tensor, { ${reduceOptions} }`,
  example: 'tensor([1000, 1000], { dtype: "float64" }).logSumExp()  // 1000.6931',
  draw: drawAxes(),
});

function without(shape: Shape, dims: readonly number[]): Shape {
  return keptShape(shape, dims).filter((_, d) => !dims.includes(d));
}

export { varOp as var };
