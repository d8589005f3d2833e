// softmax and its logarithm, along an axis. Each entry holds the definition from the textbook, a loop that
// does it in one pass without the intermediates, and a loop for the way back. Tests hold the loops against
// the definition. Next: crossEntropy.ts.

import type { Draw } from "../../draw.ts";
import { checkFloat } from "../../dtype.ts";
import { fused, like } from "../../kinds.ts";
import type { Op } from "../../op.ts";
import { portable } from "../../portable.ts";
import { checkDim } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { eachLine, massOf } from "../lines.ts";

/** Along which axis; negative numbers count from the end. */
export interface DimOptions {
  readonly dim: number;
}

type DimRule = (x: Tensor, options: DimOptions) => Tensor;

function onAxis(run: DimRule, entry: { readonly name: string }): DimRule {
  return (x, { dim }) => {
    checkFloat(entry.name, x.dtype);
    if (x.rank === 0) return run(x.reshape([1]), { dim: checkDim(entry.name, dim, 1) }).reshape([]);
    return run(x, { dim: checkDim(entry.name, dim, x.rank) });
  };
}

function drawLine(d: Draw): readonly unknown[] {
  const shape = d.shape({ minRank: 1, maxRank: 3 });
  return [d.tensor(shape), { dim: d.integer(-shape.length, shape.length - 1) }];
}

/** exp(x) / Σ exp(x) along an axis: positive, and sums to 1. -inf becomes exactly 0. */
export const softmax: Op<DimRule, [x: Tensor, options: DimOptions]> = fused({
  definition: (x: Tensor, { dim }: DimOptions) => {
    if (x.size === 0) return x.exp();
    const e = x.sub(x.detach().max({ dims: dim, keepDims: true })).exp();
    return e.div(e.sum({ dims: dim, keepDims: true }));
  },
  infer: like,
  forward: ([y], x, { dim }) =>
    eachLine(x.shape, dim, (at, n, step) => {
      const { max, sum } = massOf(x, at, n, step);
      for (let k = at; k < at + n * step; k += step)
        y.data[k] = portable.exp((x.data[k] ?? 0) - max) / sum;
    }),
  backward: ([dx], g, [y], x, { dim }) =>
    eachLine(x.shape, dim, (at, n, step) => {
      let dot = 0; // dx = y (g - Σ g y)
      for (let k = at; k < at + n * step; k += step) dot += (g.data[k] ?? 0) * (y.data[k] ?? 0);
      for (let k = at; dx && k < at + n * step; k += step)
        dx.data[k] = (y.data[k] ?? 0) * ((g.data[k] ?? 0) - dot);
    }),
  call: onAxis,
  takes: "x: Tensor, { dim: number }",
  example: "tensor([0, 1]).softmax({ dim: -1 })  // [0.2689, 0.7311]",
  draw: drawLine,
});

/** ln softmax(x) along an axis, without the underflow: x - logSumExp(x). */
export const logSoftmax: Op<DimRule, [x: Tensor, options: DimOptions]> = fused({
  definition: (x: Tensor, { dim }: DimOptions) => {
    if (x.size === 0) return x.exp();
    const shifted = x.sub(x.detach().max({ dims: dim, keepDims: true }));
    return shifted.sub(shifted.exp().sum({ dims: dim, keepDims: true }).log());
  },
  infer: like,
  forward: ([y], x, { dim }) =>
    eachLine(x.shape, dim, (at, n, step) => {
      const { max, sum } = massOf(x, at, n, step);
      for (let k = at; k < at + n * step; k += step)
        y.data[k] = (x.data[k] ?? 0) - max - portable.log(sum);
    }),
  backward: ([dx], g, [y], x, { dim }) =>
    eachLine(x.shape, dim, (at, n, step) => {
      let total = 0; // dx = g - softmax(x) Σ g
      for (let k = at; k < at + n * step; k += step) total += g.data[k] ?? 0;
      for (let k = at; dx && k < at + n * step; k += step)
        dx.data[k] = (g.data[k] ?? 0) - portable.exp(y.data[k] ?? 0) * total;
    }),
  call: onAxis,
  takes: "x: Tensor, { dim: number }",
  example: "tensor([0, 1]).logSoftmax({ dim: -1 })  // [-1.3133, -0.3133]",
  draw: drawLine,
});
