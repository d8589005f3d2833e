// Questions whose answers are bools, for the whole tensor or along axes. Next: numbers.ts.

import type { Draw } from "../draw.ts";
import { type ReduceOptions, reduceOptions } from "../kinds.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { further } from "./make.ts";

type Asked = Op<(x: Tensor, options?: ReduceOptions) => Tensor>;

function drawMask(d: Draw): readonly unknown[] {
  const shape = d.shape({ minRank: 1, maxRank: 3 });
  return [d.mask(shape), { dim: d.integer(0, shape.length - 1), keepDims: d.pick(true, false) }];
}

/** Whether any element along axes is true (not 0); of nothing: false. */
export const any: Asked = /* @__PURE__ */ further({
  name: "any",
  definition: (x: Tensor, options: ReduceOptions = {}) => x.ne(0).sum(options).gt(0),
  takes: `x: Tensor, { ${reduceOptions} }`,
  example: "tensor([[0, 1], [0, 0]]).any({ dim: 1 })  // [true, false]",
  draw: drawMask,
});

/** Whether all elements along axes are true (not 0); of nothing: true. */
export const all: Asked = /* @__PURE__ */ further({
  name: "all",
  definition: (x: Tensor, options: ReduceOptions = {}) => x.eq(0).sum(options).eq(0),
  takes: `x: Tensor, { ${reduceOptions} }`,
  example: "tensor([[1, 1], [0, 1]]).all({ dim: 1 })  // [true, false]",
  draw: drawMask,
});

/** Whether the element is infinite, of either sign. */
export const isInf: Op<(x: Tensor) => Tensor> = /* @__PURE__ */ further({
  name: "isInf",
  definition: (x: Tensor) => x.abs().eq(Infinity),
  takes: "x: Tensor",
  example: "tensor([1, -Infinity, NaN]).isInf()  // [false, true, false]",
  draw: (d) => [d.tensor(d.shape())],
});
