// Shape and place, of which the table has the parts: axes merged, cut, repeated, turned round; one index of an
// axis; diagonals. Next: logic.ts.

import { ArgumentError, IndexError, ShapeError } from "../errors.ts";
import type { Op } from "../op.ts";
import { cat } from "../ops/view.ts";
import { checkDim, checkDims, formatShape, type Shape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { checkCount, drawAxis, further, places } from "./make.ts";

/** The axes from startDim to endDim as one; a scalar becomes a list of one. */
export const flatten: Op<(x: Tensor, startDim?: number, endDim?: number) => Tensor> =
  /* @__PURE__ */ further({
    name: "flatten",
    definition: (x: Tensor, startDim = 0, endDim = -1) => {
      const rank = Math.max(1, x.rank);
      const first = checkDim("flatten", startDim, rank);
      const last = checkDim("flatten", endDim, rank);
      if (first > last)
        throw new ShapeError(`flatten: startDim ${startDim} comes after endDim ${endDim}`);
      const side = sizeOf(x.shape, first, Math.min(last + 1, x.rank));
      return x.reshape([...x.shape.slice(0, first), side, ...x.shape.slice(last + 1)]);
    },
    takes: "x: Tensor, startDim?: number, endDim?: number",
    example: "tensor([[1, 2], [3, 4]]).flatten()  // [1, 2, 3, 4]",
    draw: (d) => [d.tensor(d.shape({ minRank: 2 })), d.pick(0, 1, -2), d.pick(-1)],
  });

/** At most `chunks` parts along an axis, of equal size but for the last. */
export const chunk: Op<(x: Tensor, chunks: number, options?: { dim?: number }) => Tensor[]> =
  /* @__PURE__ */ further({
    name: "chunk",
    definition: (x: Tensor, chunks: number, { dim = 0 }: { dim?: number } = {}) => {
      const at = checkDim("chunk", dim, x.rank);
      checkCount("chunk", "chunks", chunks, 1);
      const size = Math.ceil((x.shape[at] ?? 0) / chunks);
      return x.split(size === 0 ? new Array<number>(chunks).fill(0) : size, { dim: at });
    },
    takes: "x: Tensor, chunks: number, { dim?: number }",
    example: "tensor([1, 2, 3, 4, 5]).chunk(2)  // [1, 2, 3] [4, 5]",
    draw: (d) => {
      const { shape, dim } = drawAxis(d);
      return [d.tensor(shape), d.integer(1, 4), { dim }];
    },
  });

/** x[..., index, ...]: one index of axis `dim`, which goes; a negative one counts from the end. */
export const select: Op<(x: Tensor, dim: number, index: number) => Tensor> =
  /* @__PURE__ */ further({
    name: "select",
    definition: (x: Tensor, dim: number, index: number) => {
      const at = checkDim("select", dim, x.rank);
      const side = x.shape[at] ?? 0;
      const start = index < 0 ? index + side : index;
      if (!(Number.isInteger(start) && start >= 0 && start < side))
        throw new IndexError(
          `select: axis ${dim} of ${formatShape(x.shape)} has no index ${index}`,
        );
      return x.slice({ dim: at, start, end: start + 1 }).squeeze(at);
    },
    takes: "x: Tensor, dim: number, index: number",
    example: "tensor([[1, 2], [3, 4]]).select(0, -1)  // [3, 4]",
    draw: (d) => {
      const { shape, dim } = drawAxis(d, 1);
      const side = shape.at(dim) ?? 1;
      return [d.tensor(shape), dim, d.integer(-side, side - 1)];
    },
  });

/** The whole tensor sizes[i] times along axis i; further sizes in front make new axes. */
export const repeat: Op<(x: Tensor, sizes: Shape) => Tensor> = /* @__PURE__ */ further({
  name: "repeat",
  definition: (x: Tensor, sizes: Shape) => {
    for (const size of sizes) checkCount("repeat", "each size", size, 0);
    const fresh = sizes.length - x.rank;
    if (fresh < 0) {
      const shape = formatShape(x.shape);
      throw new ShapeError(`repeat: ${formatShape(sizes)} must name each axis of ${shape}`);
    }
    const shape = [...new Array<number>(fresh).fill(1), ...x.shape];
    return x
      .reshape(shape.flatMap((side) => [1, side]))
      .expand(shape.flatMap((side, d) => [sizes[d] ?? 1, side]))
      .reshape(shape.map((side, d) => side * (sizes[d] ?? 1)));
  },
  takes: "x: Tensor, sizes: Shape",
  example: "tensor([1, 2]).repeat([2, 2])  // [[1, 2, 1, 2],\n [1, 2, 1, 2]]",
  draw: (d) => {
    const shape = d.shape({ maxRank: 2 });
    return [d.tensor(shape), [d.integer(1, 2), ...shape.map(() => d.integer(0, 2))]];
  },
});

/**
 * Each element of an axis (of the flattened tensor, unless said) repeated where it stands, all as often or as often as a
 * list of int32 says.
 */
export const repeatInterleave: Op<
  (x: Tensor, repeats: Tensor | number, options?: { dim?: number }) => Tensor
> = /* @__PURE__ */ further({
  name: "repeatInterleave",
  definition: (x: Tensor, repeats: Tensor | number, { dim }: { dim?: number } = {}): Tensor => {
    if (dim === undefined) return repeatInterleave(x.reshape([x.size]), repeats, { dim: 0 });
    const at = checkDim("repeatInterleave", dim, x.rank);
    const side = x.shape[at] ?? 0;
    const counts =
      typeof repeats === "number" ? new Array<number>(side).fill(repeats) : repeats.data;
    if (counts.length !== side) {
      throw new ShapeError(
        `repeatInterleave: ${counts.length} counts for axis ${dim} of ${formatShape(x.shape)}; needed ${side}`,
      );
    }
    const list: number[] = [];
    counts.forEach((count, i) => {
      const times = checkCount("repeatInterleave", "each count", count, 0);
      for (let k = 0; k < times; k++) list.push(i);
    });
    return x.indexSelect(places(x, list), { dim: at });
  },
  takes: "x: Tensor, repeats: Tensor | number, { dim?: number }",
  example: "tensor([1, 2]).repeatInterleave(2)  // [1, 1, 2, 2]",
  draw: (d) => {
    const { shape, dim } = drawAxis(d);
    const repeats = d.pick<number | Tensor>(d.integer(0, 2), d.indices([shape.at(dim) ?? 0], 3));
    return [d.tensor(shape), repeats, { dim }];
  },
});

/** The order of axes turned round. */
export const flip: Op<(x: Tensor, dims: number | Shape) => Tensor> = /* @__PURE__ */ further({
  name: "flip",
  definition: (x: Tensor, dims: number | Shape) =>
    checkDims("flip", dims, x.rank).reduce<Tensor>((y, dim) => {
      const side = y.shape[dim] ?? 0;
      const last = Array.from({ length: side }, (_, i) => side - 1 - i);
      return y.indexSelect(places(y, last), { dim });
    }, x),
  takes: "x: Tensor, dims: number | Shape",
  example: "tensor([[1, 2], [3, 4]]).flip([0, 1])  // [[4, 3],\n [2, 1]]",
  draw: (d) => {
    const { shape, dim } = drawAxis(d);
    return [
      d.tensor(shape),
      d.pick<number | Shape>(
        dim,
        shape.map((_, i) => i),
      ),
    ];
  },
});

/** Axes, one for each shift. */
export interface RollOptions {
  readonly dims?: number | Shape;
}

/** Each element `shifts` places further on, from the end round to the front; without dims in the flattened tensor. */
export const roll: Op<(x: Tensor, shifts: number | Shape, options?: RollOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "roll",
    definition: (x: Tensor, shifts: number | Shape, { dims }: RollOptions = {}): Tensor => {
      if (dims === undefined)
        return roll(x.reshape([x.size]), shifts, { dims: 0 }).reshape(x.shape);
      const by = typeof shifts === "number" ? [shifts] : shifts;
      const axes = typeof dims === "number" ? [dims] : dims;
      if (by.length !== axes.length)
        throw new ArgumentError(`roll: ${by.length} shifts for ${axes.length} axes; one for each`);
      return axes.reduce<Tensor>((y, axis, i) => {
        const dim = checkDim("roll", axis, y.rank);
        const side = y.shape[dim] ?? 0;
        const shift = checkCount("roll", "each shift", by[i] ?? 0, -Infinity);
        const cut = side === 0 ? 0 : ((-shift % side) + side) % side;
        if (cut === 0) return y;
        return cat([y.slice({ dim, start: cut }), y.slice({ dim, start: 0, end: cut })], { dim });
      }, x);
    },
    takes: "x: Tensor, shifts: number | Shape, { dims?: number | number[] }",
    example: "tensor([1, 2, 3]).roll(1)  // [3, 1, 2]",
    draw: (d) => {
      const { shape, dim } = drawAxis(d);
      const shift = d.integer(-4, 4);
      return [d.tensor(shape), shift, d.pick<RollOptions>({}, { dims: dim })];
    },
  });

/** Which diagonal (0 the main one, above it positive), and of which two axes. */
export interface DiagonalOptions {
  readonly offset?: number;
  readonly dim1?: number;
  readonly dim2?: number;
}

/** The elements i, i + offset of two axes (0 and 1 unless said), as a last axis in their place. */
export const diagonal: Op<(x: Tensor, options?: DiagonalOptions) => Tensor> =
  /* @__PURE__ */ further({
    name: "diagonal",
    definition: (x: Tensor, { offset = 0, dim1 = 0, dim2 = 1 }: DiagonalOptions = {}) => {
      const a = checkDim("diagonal", dim1, x.rank);
      const b = checkDim("diagonal", dim2, x.rank);
      if (a === b) throw new ShapeError(`diagonal: dim1 ${dim1} and dim2 ${dim2} are one axis`);
      checkCount("diagonal", "offset", offset, -Infinity);
      const rest = x.shape.map((_, d) => d).filter((d) => d !== a && d !== b);
      const [rows, columns] = [x.shape[a] ?? 0, x.shape[b] ?? 0];
      const first = Math.max(0, -offset);
      const length = Math.max(0, Math.min(rows - first, columns - Math.max(0, offset)));
      const list = Array.from({ length }, (_, i) => (first + i) * columns + first + i + offset);
      const lines = x.permute([...rest, a, b]);
      return lines
        .reshape([...rest.map((d) => x.shape[d] ?? 1), rows * columns])
        .indexSelect(places(x, list), { dim: -1 });
    },
    takes: "x: Tensor, { offset?: number, dim1?: number, dim2?: number }",
    example: "tensor([[1, 2], [3, 4]]).diagonal()  // [1, 4]",
    draw: (d) => [
      d.tensor(d.shape({ minRank: 2, maxRank: 3 })),
      { offset: d.integer(-2, 2), dim1: d.pick(0, -2), dim2: -1 },
    ],
  });

/** The sum of a matrix's diagonal. */
export const trace: Op<(x: Tensor) => Tensor> = /* @__PURE__ */ further({
  name: "trace",
  definition: (x: Tensor) => {
    if (x.rank !== 2) throw new ShapeError(`trace: needs a matrix, got ${formatShape(x.shape)}`);
    return diagonal(x).sum();
  },
  takes: "x: Tensor",
  example: "tensor([[1, 2], [3, 4]]).trace()  // 5",
  draw: (d) => [d.tensor(d.shape({ minRank: 2, maxRank: 2 }))],
});
