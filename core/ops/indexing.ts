// Picking elements by index, and the way back: adding gradients to where they were picked from. All
// indices are int32 and checked against their axis (indices.ts). Next: contract.ts.

import { zerosLike } from "../creation.ts";
import { type Draw, within } from "../draw.ts";
import { ArgumentError } from "../errors.ts";
import { composed, indexed } from "../kinds.ts";
import type { Op } from "../op.ts";
import { around, checkDim, replaceSide } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import {
  type Along,
  checkAlong,
  checkIndices,
  checkList,
  checkSource,
  drawAlong,
  eachPick,
  paired,
  type Sorted,
} from "./indices.ts";
import { compareNumbers, counted, eachLine } from "./lines.ts";

export type { Sorted } from "./indices.ts";

/** y[i][j][k] = x[index[i][j][k]][j][k] for dim 0, and so on for the others; the shape is index's. */
export const gather: Op<
  (x: Tensor, index: Tensor, options: Along) => Tensor,
  [x: Tensor, index: Tensor, options: Along]
> = indexed({
  infer: (x: Tensor, index: Tensor, _options: Along) => [{ shape: index.shape, dtype: x.dtype }],
  forward: ([y], x, index, { dim }) => {
    checkIndices("gather", index.data, x.shape[dim] ?? 0);
    eachPick(x.shape, index, dim, (at, place) => {
      y.data[at] = x.data[place] ?? 0;
    });
  },
  vjp: (g, _y, x, index, { dim }) => [zerosLike(x).scatterAdd(index, g, { dim })],
  call:
    (run: (x: Tensor, index: Tensor, options: Along) => Tensor, { name }) =>
    (x, index, { dim }) =>
      run(x, index, { dim: checkAlong(name, x, index, dim) }),
  takes: "x: Tensor, index: Tensor, { dim: number }",
  example:
    'tensor([[1, 2], [3, 4]]).gather(tensor([[1], [0]], { dtype: "int32" }), { dim: 1 })  // [[2],\n [3]]',
  draw: (d) => {
    const { shape, dim, picks } = drawAlong(d);
    return [d.tensor(shape), d.indices(picks, shape[dim] ?? 0), { dim }];
  },
});

/** x with source[i] added where index[i] says (see gather). Several may add to one place. */
export const scatterAdd: Op<
  (x: Tensor, index: Tensor, source: Tensor, options: Along) => Tensor,
  [x: Tensor, index: Tensor, source: Tensor, options: Along]
> = indexed({
  infer: (x: Tensor, _index: Tensor, _source: Tensor, _options: Along) => [
    { shape: x.shape, dtype: x.dtype },
  ],
  forward: ([y], x, index, source, { dim }) => {
    checkIndices("scatterAdd", index.data, x.shape[dim] ?? 0);
    const total = Float64Array.from(x.data);
    eachPick(x.shape, index, dim, (at, place) => {
      total[place] = (total[place] ?? 0) + (source.data[at] ?? 0);
    });
    y.data.set(total);
  },
  vjp: (g, _y, _x, index, _source, { dim }) => [g, null, () => g.gather(index, { dim })],
  call:
    (run: (x: Tensor, index: Tensor, source: Tensor, options: Along) => Tensor, { name }) =>
    (x, index, source, { dim }) => {
      const at = checkAlong(name, x, index, dim);
      checkSource(name, source, x, index.shape);
      return run(counted(x), index, counted(source), { dim: at });
    },
  takes: "x: Tensor, index: Tensor, source: Tensor, { dim: number }",
  example:
    'zeros([3]).scatterAdd(tensor([2, 2], { dtype: "int32" }), tensor([1, 5]), { dim: 0 })  // [0, 0, 6]',
  draw: (d) => {
    const { shape, dim, picks } = drawAlong(d);
    return [d.tensor(shape), d.indices(picks, shape[dim] ?? 0), d.tensor(picks), { dim }];
  },
});

/** The slices of x along an axis that a list of indices names, in its order. */
export const indexSelect: Op<
  (x: Tensor, index: Tensor, options?: { dim?: number }) => Tensor,
  [x: Tensor, index: Tensor, options: Along]
> = indexed({
  infer: (x: Tensor, index: Tensor, { dim }: Along) => [
    { shape: replaceSide(x.shape, dim, index.size), dtype: x.dtype },
  ],
  forward: ([y], x, index, { dim }) => {
    const { outer, n, inner } = around(x.shape, dim);
    checkIndices("indexSelect", index.data, n);
    index.data.forEach((pick, m) => {
      for (let o = 0; o < outer; o++) {
        const from = (o * n + pick) * inner;
        y.data.set(x.data.subarray(from, from + inner), (o * index.data.length + m) * inner);
      }
    });
  },
  vjp: (g, _y, x, index, { dim }) => [zerosLike(x).indexAdd(index, g, { dim })],
  call:
    (run: (x: Tensor, index: Tensor, options: Along) => Tensor, { name }) =>
    (x, index, { dim = 0 } = {}) => {
      checkList(name, index);
      return run(x, index, { dim: checkDim(name, dim, x.rank) });
    },
  takes: "x: Tensor, index: Tensor, { dim?: number }",
  example: 'tensor([10, 20, 30]).indexSelect(tensor([2, 0], { dtype: "int32" }))  // [30, 10]',
  draw: (d) => {
    const { shape, dim } = drawAlong(d);
    return [d.tensor(shape), d.indices([d.integer(0, 4)], shape[dim] ?? 0), { dim }];
  },
});

/** x with the slices of source added at the places along an axis that a list of indices names. */
export const indexAdd: Op<
  (x: Tensor, index: Tensor, source: Tensor, options?: { dim?: number }) => Tensor,
  [x: Tensor, index: Tensor, source: Tensor, options: Along]
> = indexed({
  infer: (x: Tensor, _index: Tensor, _source: Tensor, _options: Along) => [
    { shape: x.shape, dtype: x.dtype },
  ],
  forward: ([y], x, index, source, { dim }) => {
    const { outer, n, inner } = around(x.shape, dim);
    const count = index.data.length;
    checkIndices("indexAdd", index.data, n);
    const total = Float64Array.from(x.data);
    for (let o = 0; o < outer; o++) {
      for (let m = 0; m < count; m++) {
        const to = (o * n + (index.data[m] ?? 0)) * inner;
        const from = (o * count + m) * inner;
        for (let i = 0; i < inner; i++)
          total[to + i] = (total[to + i] ?? 0) + (source.data[from + i] ?? 0);
      }
    }
    y.data.set(total);
  },
  vjp: (g, _y, _x, index, _source, { dim }) => [g, null, () => g.indexSelect(index, { dim })],
  call:
    (run: (x: Tensor, index: Tensor, source: Tensor, options: Along) => Tensor, { name }) =>
    (x, index, source, { dim = 0 } = {}) => {
      checkList(name, index);
      const at = checkDim(name, dim, x.rank);
      checkSource(name, source, x, replaceSide(x.shape, at, index.size));
      return run(counted(x), index, counted(source), { dim: at });
    },
  takes: "x: Tensor, index: Tensor, source: Tensor, { dim?: number }",
  example: 'zeros([3]).indexAdd(tensor([0, 0], { dtype: "int32" }), tensor([1, 5]))  // [6, 0, 0]',
  draw: (d) => {
    const { shape, dim } = drawAlong(d);
    const count = d.integer(0, 4);
    const rows = replaceSide(shape, dim, count);
    return [d.tensor(shape), d.indices([count], shape[dim] ?? 0), d.tensor(rows), { dim }];
  },
});

interface Order extends Along {
  readonly descending: boolean;
}

/** Positions that sort an axis, int32; equal elements keep their order, NaN counts as the largest. */
export const argsort: Op<
  (x: Tensor, options?: { dim?: number; descending?: boolean }) => Tensor,
  [x: Tensor, options: Order]
> = indexed({
  infer: (x: Tensor, _options: Order) => [{ shape: x.shape, dtype: "int32" }],
  forward: ([y], x, { dim, descending }) => {
    const sign = descending ? -1 : 1;
    eachLine(x.shape, dim, (at, n, step) => {
      const value = (k: number): number => x.data[at + k * step] ?? 0;
      const order = Array.from({ length: n }, (_, k) => k);
      order.sort((p, q) => sign * compareNumbers(value(p), value(q)));
      order.forEach((k, rank) => {
        y.data[at + rank * step] = k;
      });
    });
  },
  call:
    (run: (x: Tensor, options: Order) => Tensor, { name }) =>
    (x, { dim = -1, descending = false } = {}) =>
      run(x, { dim: checkDim(name, dim, x.rank), descending }),
  takes: "x: Tensor, { dim?: number, descending?: boolean }",
  example: "tensor([3, 1, 2]).argsort()  // [1, 2, 0]",
  draw: drawSort,
});

function drawSort(d: Draw): readonly unknown[] {
  const shape = d.shape({ minRank: 1, maxRank: 3, minSide: 1 });
  const options = { dim: d.integer(0, shape.length - 1), descending: d.pick(true, false) };
  return [d.tensor(shape, within(-9, 9, { distinct: true })), options];
}

function sortedBy(x: Tensor, indices: Tensor, dim: number): Sorted {
  return paired(x.gather(indices, { dim }), indices);
}

/** An axis in order, ascending unless said. The values carry gradients. Stable; NaN counts as the largest. */
export const sort: Op<(x: Tensor, options?: { dim?: number; descending?: boolean }) => Sorted> =
  composed({
    definition: (
      x: Tensor,
      { dim = -1, descending = false }: { dim?: number; descending?: boolean } = {},
    ) => {
      if (x.rank === 0) {
        const { values, indices } = sort(x.reshape([1]), { descending });
        return paired(values.reshape([]), indices.reshape([]));
      }
      const at = checkDim("sort", dim, x.rank);
      return sortedBy(x, x.argsort({ dim: at, descending }), at);
    },
    takes: "x: Tensor, { dim?: number, descending?: boolean }",
    example: "tensor([3, 1, 2]).sort().values  // [1, 2, 3]",
    draw: drawSort,
  });

/** Along which axis topk looks (the last unless said), and for which end. */
export interface TopkOptions {
  readonly dim?: number;
  /** The largest (default) or the smallest. */
  readonly largest?: boolean;
}

/** The k largest (or smallest) elements along an axis, best first. The values carry gradients. */
export const topk: Op<(x: Tensor, k: number, options?: TopkOptions) => Sorted> = composed({
  definition: (x: Tensor, k: number, { dim = -1, largest = true }: TopkOptions = {}) => {
    const at = checkDim("topk", dim, x.rank);
    if (!Number.isInteger(k) || k < 0 || k > (x.shape[at] ?? 0)) {
      throw new ArgumentError(
        `topk: k = ${k} must be a whole number from 0 to ${x.shape[at]}, the size of axis ${dim}`,
      );
    }
    const order = x.argsort({ dim: at, descending: largest });
    return sortedBy(x, order.slice({ dim: at, start: 0, end: k }), at);
  },
  takes: "x: Tensor, k: number, { dim?: number, largest?: boolean }",
  example: "tensor([3, 1, 2]).topk(2).values  // [3, 2]",
  draw: (d) => {
    const shape = d.shape({ minRank: 1, maxRank: 3, minSide: 1 });
    return [d.tensor(shape, within(-9, 9, { distinct: true })), d.integer(0, shape.at(-1) ?? 0)];
  },
});
