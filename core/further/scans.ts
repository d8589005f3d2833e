// Products along axes, folded by halves: the gradient of a product of two is then right to every order, zeros
// among the factors included, where y / x would be 0 / 0. Next: losses.ts.

import { fullLike } from "../creation.ts";
import { axesOf, type ReduceOptions, reducedShape, reduceOptions } from "../kinds.ts";
import type { Op } from "../op.ts";
import { cat } from "../ops/view.ts";
import { checkDim, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { drawAxis, further } from "./make.ts";

interface Along {
  readonly dim: number;
}

function counted(x: Tensor): Tensor {
  return x.dtype === "bool" ? x.to("int32") : x;
}

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
