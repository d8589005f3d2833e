// Products and extremes along axes, and quantiles. Products are folded by halves: the gradient of a product of two is then right to every order, zeros
// among the factors included, where y / x would be 0 / 0. Next: losses.ts.

import { fullLike, indicesLike } from "../creation.ts";
import { within } from "../draw.ts";
import { axesOf, type ReduceOptions, reducedShape, reduceOptions } from "../kinds.ts";
import type { Op } from "../op.ts";
import { type Along, paired, type Sorted } from "../ops/indices.ts";
import { counted } from "../ops/lines.ts";
import { cat } from "../ops/view.ts";
import { checkDim, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { drawAxis, further } from "./make.ts";

/** The product over axes (all unless said). Of nothing: 1. */
export const prod: Op<(x: Tensor, options?: ReduceOptions) => Tensor> = /* @__PURE__ */ further({
  name: "prod",
  definition: (x: Tensor, options: ReduceOptions = {}) => {
    const dims = axesOf("prod", x, options);
    const rest = x.shape.map((_, d) => d).filter((d) => !dims.includes(d));
    const shape = reducedShape(x.shape, { dims, keepDims: options.keepDims ?? false });
    let n = dims.reduce((size, d) => size * (x.shape[d] ?? 1), 1);
    let y = counted(x)
      .permute([...dims, ...rest])
      .reshape([n, sizeOf(shape)]);
    if (n === 0) return fullLike(y.sum({ dim: 0 }), 1).reshape(shape);
    for (; n > 1; n = y.shape[0] ?? 0) {
      const half = n >> 1;
      const pairs = y
        .slice({ dim: 0, start: 0, end: half })
        .mul(y.slice({ dim: 0, start: half, end: 2 * half }));
      y = n % 2 === 0 ? pairs : cat([pairs, y.slice({ dim: 0, start: n - 1 })]);
    }
    return y.reshape(shape);
  },
  takes: `x: Tensor, { ${reduceOptions} }`,
  example: "tensor([[1, 2], [3, 4]]).prod({ dim: 1 })  // [2, 12]",
  draw: (d) => {
    const { shape, dim } = drawAxis(d);
    return [
      d.tensor(shape),
      { keepDims: d.pick(true, false), ...(d.pick(true, false) && { dim }) },
    ];
  },
});

/** Running product along one axis. */
export const cumprod: Op<(x: Tensor, options: Along) => Tensor> = /* @__PURE__ */ further({
  name: "cumprod",
  definition: (x: Tensor, options: Along) => {
    const dim = checkDim("cumprod", options.dim, x.rank);
    const n = x.shape[dim] ?? 0;
    let y = counted(x);
    for (let k = 1; k < n; k *= 2)
      y = cat(
        shifted(y, dim, k, (late, early) => late.mul(early)),
        { dim },
      );
    return y;
  },
  takes: "x: Tensor, { dim: number }",
  example: "tensor([1, 2, 3]).cumprod({ dim: 0 })  // [1, 2, 6]",
  draw: (d) => {
    const { shape, dim } = drawAxis(d);
    return [d.tensor(shape), { dim }];
  },
});

/** The first k places of an axis as they are, and each further one joined with the one k before it. */
function shifted(
  x: Tensor,
  dim: number,
  k: number,
  join: (late: Tensor, early: Tensor) => Tensor,
): [Tensor, Tensor] {
  const late = x.slice({ dim, start: k });
  return [
    x.slice({ dim, start: 0, end: k }),
    join(late, x.slice({ dim, start: 0, end: late.shape[dim] ?? 0 })),
  ];
}

/** Which element of an axis up to each one `wins`, a later one where both may: cummax and cummin. NaN wins for good. */
function running(
  name: string,
  wins: (late: Tensor, early: Tensor) => Tensor,
  example: string,
): Op<(x: Tensor, options: Along) => Sorted> {
  return further({
    name,
    definition: (x: Tensor, options: Along) => {
      const dim = checkDim(name, options.dim, x.rank);
      const n = x.shape[dim] ?? 0;
      const side = x.shape.map((_, d) => (d === dim ? n : 1));
      let [best, at] = [x.detach(), indicesLike(x, n).reshape(side).expand(x.shape)];
      for (let k = 1; k < n; k *= 2) {
        let won: Tensor | undefined;
        const join = (late: Tensor, early: Tensor): Tensor => {
          won ??= wins(late, early).logicalOr(late.isNaN());
          return won.where(late, early);
        };
        best = cat(shifted(best, dim, k, join), { dim });
        at = cat(shifted(at, dim, k, join), { dim });
      }
      return paired(x.gather(at, { dim }), at);
    },
    takes: "x: Tensor, { dim: number }",
    example,
    draw: (d) => {
      const { shape, dim } = drawAxis(d);
      return [d.tensor(shape, within(-9, 9, { distinct: true })), { dim }];
    },
  });
}

/** The largest element so far along one axis, and its place (the latest of several; of the first NaN on, NaN). */
export const cummax: Op<(x: Tensor, options: Along) => Sorted> = /* @__PURE__ */ running(
  "cummax",
  (late, early) => late.ge(early),
  "tensor([1, 3, 2]).cummax({ dim: 0 }).values  // [1, 3, 3]",
);

/** The smallest element so far along one axis, and its place (the latest of several; of the first NaN on, NaN). */
export const cummin: Op<(x: Tensor, options: Along) => Sorted> = /* @__PURE__ */ running(
  "cummin",
  (late, early) => late.le(early),
  "tensor([3, 1, 2]).cummin({ dim: 0 }).values  // [3, 1, 1]",
);
