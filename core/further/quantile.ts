// The number below which a share of the others lies. Next: losses.ts.

import { constant } from "../creation.ts";
import { within } from "../draw.ts";
import { checkFloat } from "../dtype.ts";
import { ArgumentError, ShapeError } from "../errors.ts";
import type { Op } from "../op.ts";
import { checkDim, formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { drawAxis, further } from "./make.ts";
import { ceil, floor, lerp, round } from "./numbers.ts";

/** Along which axis (of the flattened tensor unless said), and what lies between two numbers. */
export interface QuantileOptions {
  readonly dim?: number;
  readonly keepDims?: boolean;
  /** Default "linear"; or the lower or higher of the two, the nearest, or the middle. */
  readonly interpolation?: "linear" | "lower" | "higher" | "nearest" | "midpoint";
}

/** The shares as a list of x's dtype. */
function sharesOf(x: Tensor, q: Tensor | number): Tensor {
  if (typeof q !== "number" && q.rank > 1)
    throw new ShapeError(`quantile: q must be a number or a list, got ${formatShape(q.shape)}`);
  const wrong = (typeof q === "number" ? [q] : [...q.data]).find(
    (share) => !(share >= 0 && share <= 1),
  );
  if (wrong !== undefined) throw new ArgumentError(`quantile: q must be in [0, 1], got ${wrong}`);
  const shares = typeof q === "number" ? constant(q, x.dtype, x.device) : q.to(x.dtype);
  return shares.reshape([shares.size]);
}

/**
 * The quantiles q (a number, or a list, whose axis then comes first) along an axis: of n sorted numbers the one at
 * place q (n - 1), or between two. NaN where there is one.
 */
export const quantile: Op<(x: Tensor, q: Tensor | number, options?: QuantileOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "quantile",
    definition: (x: Tensor, q: Tensor | number, options: QuantileOptions = {}) => {
      const { dim, keepDims = false, interpolation = "linear" } = options;
      checkFloat("quantile", x.dtype);
      if (x.size === 0)
        throw new ShapeError(`quantile: no numbers in shape ${formatShape(x.shape)}`);
      const flat = dim === undefined ? x.reshape([x.size]) : x;
      const at = checkDim("quantile", dim ?? 0, flat.rank);
      const n = flat.shape[at] ?? 1;
      const sorted = flat.sort({ dim: at }).values;
      const ranks = sharesOf(x, q).mul(n - 1);
      const pick = (places: Tensor): Tensor => sorted.indexSelect(places.to("int32"), { dim: at });
      const between = (weight: Tensor | number): Tensor =>
        lerp(pick(floor(ranks)), pick(ceil(ranks)), weight);
      const column = [ranks.size, ...flat.shape.slice(at + 1).map(() => 1)];
      const y = {
        linear: () => between(ranks.sub(floor(ranks)).reshape(column)),
        lower: () => pick(floor(ranks)),
        higher: () => pick(ceil(ranks)),
        nearest: () => pick(round(ranks)),
        midpoint: () => between(0.5),
      }[interpolation]();
      const hasNaN = sorted.slice({ dim: at, start: n - 1 }).isNaN();
      const first = hasNaN
        .where(Number.NaN, y)
        .unsqueeze(0)
        .transpose(0, at + 1);
      const shape = dim === undefined ? x.shape.map(() => 1) : first.shape.slice(1);
      const kept = shape.filter((_, d) => keepDims || (dim !== undefined && d !== at));
      const isList = typeof q !== "number" && q.rank === 1;
      return first.reshape(isList ? [ranks.size, ...kept] : kept);
    },
    takes:
      "x: Tensor, q: Tensor | number, { dim?: number, keepDims?: boolean, " +
      'interpolation?: "linear" | "lower" | "higher" | "nearest" | "midpoint" }',
    example: "tensor([4, 1, 2, 3]).quantile(0.5)  // 2.5",
    draw: (d) => {
      const { shape, dim } = drawAxis(d, 1);
      // off every place i / (n - 1) and half-way between, where the n that are drawn have kinks
      const q = d.tensor(d.pick([], [2]), within(0, 1, { offset: 3 / 32 }));
      const modes = ["linear", "lower", "higher", "nearest", "midpoint"] as const;
      const options = { keepDims: d.pick(true, false), interpolation: d.pick(...modes) };
      const x = d.tensor(shape, within(-9, 9, { distinct: true }));
      return [
        x,
        d.pick<Tensor | number>(q, 0.5, 1),
        { ...options, ...(d.pick(true, false) && { dim }) },
      ];
    },
  });
