// Picking by what the numbers are: those that aren't 0, those under a mask, different ones, some at random; and
// putting numbers where an index says. How many nonzero, maskedSelect and unique pick is known once the numbers
// are, so they read them: of a GPU's, an error says so. Next: numbers.ts.

import { indicesLike, zerosLike } from "../creation.ts";
import { within } from "../draw.ts";
import { checkFloat } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { indexed } from "../kinds.ts";
import type { FreeOp, Op } from "../op.ts";
import {
  type Along,
  checkAlong,
  checkIndices,
  checkSource,
  drawAlong,
  eachPick,
} from "../ops/indices.ts";
import { compareNumbers } from "../ops/lines.ts";
import type { Random } from "../random.ts";
import { broadcastShapes, checkDim, formatShape, sizeOf, stridesOf } from "../shape.ts";
import { fromData, type Tensor } from "../tensor.ts";
import { checkCount, further, named, places } from "./make.ts";

/** The places, counted row by row, of the elements that aren't 0. */
function placesNotZero({ data }: Tensor): number[] {
  const found: number[] = [];
  data.forEach((value, at) => {
    if (value !== 0) found.push(at);
  });
  return found;
}

/** The indices of the elements that aren't 0, a row for each: int32 [count, axes]. NaN isn't 0. */
export const nonzero: Op<(x: Tensor) => Tensor> = /* @__PURE__ */ further({
  name: "nonzero",
  definition: (x: Tensor) => {
    const found = placesNotZero(x);
    const strides = stridesOf(x.shape);
    const rows = found.flatMap((at) =>
      strides.map((stride, d) => Math.floor(at / stride) % (x.shape[d] ?? 1)),
    );
    return fromData(Int32Array.from(rows), [found.length, x.rank], "int32", x.device);
  },
  takes: "x: Tensor",
  example: "tensor([[1, 0], [0, 2]]).nonzero()  // [[0, 0],\n [1, 1]]",
  draw: (d) => [d.tensor(d.shape(), within(-1, 1))],
});

/** The elements where the mask (bool, which broadcasts with x) holds, as a list. */
export const maskedSelect: Op<(x: Tensor, mask: Tensor) => Tensor> = /* @__PURE__ */ further({
  name: "maskedSelect",
  definition: (x: Tensor, mask: Tensor) => {
    if (mask.dtype !== "bool") {
      throw new DTypeError(
        `maskedSelect: the mask must be bool, got ${mask.dtype}; mask.ne(0) makes one`,
      );
    }
    const shape = broadcastShapes("maskedSelect", x.shape, mask.shape);
    const list = places(x, placesNotZero(mask.expand(shape)));
    return x
      .expand(shape)
      .reshape([sizeOf(shape)])
      .indexSelect(list);
  },
  takes: "x: Tensor, mask: Tensor",
  example: "tensor([1, 2, 3]).maskedSelect(tensor([true, false, true]))  // [1, 3]",
  draw: (d) => {
    const shape = d.shape();
    return [d.tensor(shape), d.mask(d.broadcast(shape))];
  },
});

type Scatter = (x: Tensor, index: Tensor, source: Tensor | number, options: Along) => Tensor;

/** x with source[i], or a number, put where index[i] says (see gather). Of several in one place the last one stays. */
export const scatter: Op<Scatter, [x: Tensor, index: Tensor, source: Tensor, options: Along]> =
  /* @__PURE__ */ named(
    "scatter",
    /* @__PURE__ */ indexed({
      infer: (x: Tensor, _index: Tensor, _source: Tensor, _options: Along) => [
        { shape: x.shape, dtype: x.dtype },
      ],
      forward: ([y], x, index, source, { dim }) => {
        checkIndices("scatter", index.data, x.shape[dim] ?? 0);
        y.data.set(x.data);
        eachPick(x.shape, index, dim, (at, place) => {
          y.data[place] = source.data[at] ?? 0;
        });
      },
      vjp: (g, _y, x, index, _source, { dim }) => [
        () => scatter(g, index, 0, { dim }),
        null,
        () => {
          const order = indicesLike(x, index.size).reshape(index.shape);
          const last = scatter(zerosLike(x).to("int32"), index, order, { dim }).gather(index, {
            dim,
          });
          return last.eq(order).where(g.gather(index, { dim }), 0);
        },
      ],
      call:
        (
          run: (x: Tensor, index: Tensor, source: Tensor, options: Along) => Tensor,
          { name },
        ): Scatter =>
        (x, index, source, { dim }) => {
          const at = checkAlong(name, x, index, dim);
          const from =
            typeof source === "number" ? zerosLike(index).to(x.dtype).add(source) : source;
          checkSource(name, from, x, index.shape);
          return run(x, index, from, { dim: at });
        },
      takes: "x: Tensor, index: Tensor, source: Tensor | number, { dim: number }",
      example:
        'zeros([3]).scatter(tensor([2, 0], { dtype: "int32" }), tensor([5, 7]), { dim: 0 })  // [7, 0, 5]',
      draw: (d) => {
        const { shape, dim, picks } = drawAlong(d);
        const source = d.pick<Tensor | number>(d.tensor(picks), 2);
        return [d.tensor(shape), d.indices(picks, shape[dim] ?? 0), source, { dim }];
      },
    }),
  );

/** What unique looks at, and what it gives besides. */
export interface UniqueOptions {
  /** Whole slices along this axis; without it the numbers of the flattened tensor. */
  readonly dim?: number;
  /** For each number (slice) of x, its place among the unique ones, int32. */
  readonly returnInverse?: boolean;
  /** How often each occurs, int32. */
  readonly returnCounts?: boolean;
}

/** The unique numbers, and behind them what was asked for: first the inverse, then the counts. */
export type Unique<O> = O extends { readonly returnInverse: true; readonly returnCounts: true }
  ? readonly [values: Tensor, inverse: Tensor, counts: Tensor]
  : O extends { readonly returnInverse: true } | { readonly returnCounts: true }
    ? readonly [values: Tensor, more: Tensor]
    : Tensor;

/** Rows of m numbers in order, equal ones as one: where each stands first, the group of each row, and their sizes. */
function groups({ data }: Tensor, n: number, m: number) {
  const compare = (p: number, q: number): number => {
    for (let k = 0; k < m; k++) {
      const order = compareNumbers(data[p * m + k] ?? 0, data[q * m + k] ?? 0);
      if (order !== 0) return order;
    }
    return 0;
  };
  const isNew = (p: number, q: number | undefined): boolean => {
    for (let k = 0; k < m; k++) if (data[p * m + k] !== data[(q ?? -1) * m + k]) return true;
    return q === undefined;
  };
  const [first, counts, inverse]: [number[], number[], Int32Array] = [[], [], new Int32Array(n)];
  const order = Array.from({ length: n }, (_, i) => i).sort(compare);
  order.forEach((row, i) => {
    if (isNew(row, order[i - 1])) counts[first.push(row) - 1] = 0;
    const group = first.length - 1;
    inverse[row] = group;
    counts[group] = (counts[group] ?? 0) + 1;
  });
  return { first, inverse, counts };
}

/**
 * The different numbers, or slices, in ascending order; each NaN is one by itself. What their gradient reaches is
 * where each stands first.
 */
export const unique: FreeOp<
  <const O extends UniqueOptions = Readonly<Record<never, never>>>(
    x: Tensor,
    options?: O,
  ) => Unique<O>
> = /* @__PURE__ */ further({
  name: "unique",
  definition: <O extends UniqueOptions>(x: Tensor, options?: O): Unique<O> => {
    const { dim, returnInverse = false, returnCounts = false }: UniqueOptions = options ?? {};
    const flat = dim === undefined ? x.reshape([x.size]) : x;
    const at = checkDim("unique", dim ?? 0, flat.rank);
    const n = flat.shape[at] ?? 0;
    const rest = flat.shape.map((_, d) => d).filter((d) => d !== at);
    const { first, inverse, counts } = groups(flat.permute([at, ...rest]), n, n && flat.size / n);
    const y = flat.indexSelect(places(x, first), { dim: at });
    const back = places(x, inverse).reshape(dim === undefined ? x.shape : [n]);
    const more = [...(returnInverse ? [back] : []), ...(returnCounts ? [places(x, counts)] : [])];
    return (more.length === 0 ? y : [y, ...more]) as unknown as Unique<O>;
  },
  takes: "x: Tensor, { dim?: number, returnInverse?: boolean, returnCounts?: boolean }",
  example: "tensor([3, 1, 3]).unique()  // [1, 3]",
  draw: (d) => {
    const shape = d.shape({ minRank: 1, maxRank: 3 });
    const x = d.pick(d.tensor(shape, within(-9, 9, { distinct: true })), d.indices(shape, 3));
    const dim = d.pick(true, false) && { dim: d.integer(0, shape.length - 1) };
    return [x, { ...dim, returnInverse: d.pick(true, false), returnCounts: d.pick(true, false) }];
  },
});

/** Where chance comes from, and whether the same place may be drawn again. */
export interface MultinomialOptions {
  readonly rng: Random;
  /** Default false: each place at most once. */
  readonly replacement?: boolean;
}

/** Throws unless enough places can be drawn. */
function checkWeights(weights: Float64Array, needed: number): void {
  const wrong = weights.find((w) => !(w >= 0 && w < Infinity));
  if (wrong !== undefined)
    throw new ArgumentError(`multinomial: weights must be finite and >= 0, got ${wrong}`);
  const possible = weights.filter((w) => w > 0).length;
  if (possible >= needed) return;
  throw new ArgumentError(
    `multinomial: ${possible} of ${weights.length} weights are > 0, needed ${needed}; ` +
      "{ replacement: true } draws the same place again",
  );
}

/** Places drawn in proportion to the weights [n], or those of each row [rows, n]: int32 [numSamples] or [rows, numSamples]. */
export const multinomial: Op<
  (x: Tensor, numSamples: number, options: MultinomialOptions) => Tensor
> = /* @__PURE__ */ further({
  name: "multinomial",
  definition: (x: Tensor, numSamples: number, options: MultinomialOptions) => {
    const { rng, replacement = false } = options;
    checkFloat("multinomial", x.dtype);
    checkCount("multinomial", "numSamples", numSamples, 1);
    if (x.rank !== 1 && x.rank !== 2) {
      const shape = formatShape(x.shape);
      throw new ShapeError(`multinomial: needs weights [n] or [rows, n], got shape ${shape}`);
    }
    const n = x.shape.at(-1) ?? 0;
    const rows = x.rank === 1 ? 1 : (x.shape[0] ?? 0);
    const drawn: number[] = [];
    for (let row = 0; row < rows; row++) {
      const weights = Float64Array.from(x.data.subarray(row * n, (row + 1) * n));
      checkWeights(weights, replacement ? 1 : numSamples);
      for (let i = 0; i < numSamples; i++) {
        const place = rng.categorical(weights);
        drawn.push(place);
        if (!replacement) weights[place] = 0;
      }
    }
    return places(x, drawn).reshape([...x.shape.slice(0, -1), numSamples]);
  },
  takes: "x: Tensor, numSamples: number, { rng: Random, replacement?: boolean }",
  example: "tensor([0, 1, 0]).multinomial(1, { rng: random(1) })  // [1]",
  draw: (d) => {
    const shape = d.shape({ minRank: 1, maxRank: 2, minSide: 1 });
    const replacement = d.pick(true, false);
    const most = replacement ? 4 : (shape.at(-1) ?? 1);
    return [
      d.tensor(shape, within(0.25, 2)),
      d.integer(1, most),
      { rng: d.rng.fork("multinomial"), replacement },
    ];
  },
});
