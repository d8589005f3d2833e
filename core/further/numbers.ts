// Functions of numbers: rounding, whose gradient is 0 everywhere, logarithms, and vectors by length and angle.
// Next: scans.ts.

import { zerosLike } from "../creation.ts";
import { type Draw, within } from "../draw.ts";
import { ShapeError } from "../errors.ts";
import { elementwise, floats, type Unary } from "../kinds.ts";
import type { Op } from "../op.ts";
import { portable } from "../portable.ts";
import { broadcastShapes, formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { drawAxis, further, named } from "./make.ts";

function rounding(name: string, forward: (x: number) => number, example: string): Unary {
  return named(
    name,
    elementwise({
      forward,
      vjp: (g: Tensor) => [zerosLike(g)],
      example,
      draw: (d: Draw) => [d.tensor(d.shape(), within(-3, 3, { offset: 1 / 8 }))],
    }),
  );
}

/** The largest whole number that isn't above. */
export const floor: Unary = /* @__PURE__ */ rounding(
  "floor",
  (x) => Math.floor(x),
  "tensor([1.5, -1.5]).floor()  // [1, -2]",
);

/** The smallest whole number that isn't below. */
export const ceil: Unary = /* @__PURE__ */ rounding(
  "ceil",
  (x) => Math.ceil(x),
  "tensor([1.5, -1.25]).ceil()  // [2, -1]",
);

/** The nearest whole number; of two as near, the even one. */
export const round: Unary = /* @__PURE__ */ rounding(
  "round",
  (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)),
  "tensor([0.5, 1.5, 2.5, 2.75]).round()  // [0, 2, 2, 3]",
);

/** Binary logarithm, exact at the powers of two. */
export const log2: Unary = /* @__PURE__ */ named(
  "log2",
  /* @__PURE__ */ elementwise({
    typing: floats,
    forward: (x) => {
      const y = portable.log(x) / Math.LN2;
      return portable.pow(2, Math.round(y)) === x ? Math.round(y) : y;
    },
    vjp: (g, _y, x) => [g.div(x.mul(Math.LN2))],
    example: "tensor([1, 8, 10]).log2()  // [0, 3, 3.3219]",
    draw: (d) => [d.tensor(d.shape(), within(0.25, 4))],
  }),
);

/** ln(e^a + e^b), without overflow: the larger plus ln(1 + e^-difference). */
export const logAddExp: Op<(a: Tensor, b: Tensor) => Tensor> = /* @__PURE__ */ further({
  name: "logAddExp",
  definition: (a: Tensor, b: Tensor) => {
    const wins = a.ge(b).logicalOr(a.isNaN());
    const high = wins.where(a, b);
    const gap = wins.where(b, a).sub(high);
    return high.add(high.isFinite().where(gap, 0).softplus());
  },
  takes: "a: Tensor, b: Tensor",
  example: "tensor([0, 1000]).logAddExp(tensor([0, 1000]))  // [0.6931, 1000.6932]",
  draw: (d) => {
    const shape = d.shape();
    return [d.tensor(shape), d.tensor(d.broadcast(shape))];
  },
});

/** start + weight (end - start), exactly `end` at weight 1. */
export const lerp: Op<(start: Tensor, end: Tensor, weight: Tensor | number) => Tensor> =
  /* @__PURE__ */ further({
    name: "lerp",
    definition: (start: Tensor, end: Tensor, weight: Tensor | number) => {
      const way = end.sub(start);
      const forth = (): Tensor => start.add(way.mul(weight));
      if (typeof weight === "number")
        return Math.abs(weight) < 0.5 ? forth() : end.sub(way.mul(1 - weight));
      const isNear = weight.abs().lt(0.5);
      return isNear.where(forth(), end.sub(way.mul(weight.neg().add(1))));
    },
    takes: "start: Tensor, end: Tensor, weight: Tensor | number",
    example: "tensor([0, 10]).lerp(tensor([4, 20]), 0.25)  // [1, 12.5]",
    draw: (d) => {
      const shape = d.shape();
      const weight = d.pick<Tensor | number>(0.25, 0.75, d.tensor(d.broadcast(shape)));
      return [d.tensor(shape), d.tensor(shape), weight];
    },
  });

/** The matrix a[i] b[j] of two vectors. */
export const outer: Op<(a: Tensor, b: Tensor) => Tensor> = /* @__PURE__ */ further({
  name: "outer",
  definition: (a: Tensor, b: Tensor) => {
    if (a.rank === 1 && b.rank === 1) return a.unsqueeze(1).mul(b);
    const shapes = `${formatShape(a.shape)} and ${formatShape(b.shape)}`;
    throw new ShapeError(`outer: needs two vectors, got ${shapes}; x.flatten() makes one`);
  },
  takes: "a: Tensor, b: Tensor",
  example: "tensor([1, 2]).outer(tensor([3, 4]))  // [[3, 4],\n [6, 8]]",
  draw: (d) => [d.tensor([d.integer(0, 3)]), d.tensor([d.integer(0, 3)])],
});

/** Which norm (2, Euclid's), along which axis (1), and the least that is divided by (1e-12). */
export interface NormalizeOptions {
  readonly p?: number;
  readonly dim?: number;
  readonly eps?: number;
}

/** Vectors along an axis divided by their length. */
export const normalize: Op<(x: Tensor, options?: NormalizeOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "normalize",
    definition: (x: Tensor, { p = 2, dim = 1, eps = 1e-12 }: NormalizeOptions = {}) =>
      x.div(x.norm({ p, dim, keepDims: true }).clamp({ min: eps })),
    takes: "x: Tensor, { p?: number, dim?: number, eps?: number }",
    example: "tensor([[3, 4]]).normalize()  // [[0.6, 0.8]]",
    draw: (d) => {
      const { shape, dim } = drawAxis(d);
      return [d.tensor(shape, within(0.5, 3)), { dim, p: d.pick(1, 2, 3) }];
    },
  });

/** Along which axis (1), and the least length that is divided by (1e-8). */
export interface CosineOptions {
  readonly dim?: number;
  readonly eps?: number;
}

/** The cosine of the angle between the vectors along an axis. */
export const cosineSimilarity: Op<(a: Tensor, b: Tensor, options?: CosineOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "cosineSimilarity",
    definition: (a: Tensor, b: Tensor, { dim = 1, eps = 1e-8 }: CosineOptions = {}) => {
      const shape = broadcastShapes("cosineSimilarity", a.shape, b.shape);
      const unit = (x: Tensor): Tensor => normalize(x.expand(shape), { dim, eps });
      return unit(a).mul(unit(b)).sum({ dim });
    },
    takes: "a: Tensor, b: Tensor, { dim?: number, eps?: number }",
    example: "tensor([[1, 0]]).cosineSimilarity(tensor([[3, 4]]))  // [0.6]",
    draw: (d) => {
      const { shape, dim } = drawAxis(d, 1);
      const positive = within(0.5, 3);
      return [d.tensor(shape, positive), d.tensor(d.broadcast(shape), positive), { dim }];
    },
  });
