// Shape and place: the same numbers under another shape (reshape shares the memory), or moved about by
// strided copies (a kernel sees nothing but "to[...] = from[...]"). The gradient of a move is the move
// back. Next: indexing.ts.

import { indicesLike } from "../creation.ts";
import type { Draw } from "../draw.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { composed, view } from "../kinds.ts";
import { type Copy, define, type FreeOp, type Op, shapesOf } from "../op.ts";
import {
  broadcastStrides,
  checkDim,
  checkShape,
  formatShape,
  replaceSide,
  type Shape,
  sizeOf,
  stridesOf,
} from "../shape.ts";
import { checkTensor, type Tensor } from "../tensor.ts";

/** Copies `shape` elements of an input, by strides, from place `start` on to place `target` on. */
function copy(
  shape: Shape,
  from: readonly number[],
  to: readonly number[],
  start = 0,
  target = 0,
  input = 0,
): Copy {
  return {
    input,
    shape,
    from: { offset: start, strides: from },
    to: { offset: target, strides: to },
  };
}

/** The call of an op whose second argument is checked, and made complete, by `complete`. */
function completed<A, B>(complete: (name: string, x: Tensor, given: A) => B) {
  return (run: (x: Tensor, argument: B) => Tensor, { name }: { readonly name: string }) =>
    (x: Tensor, given: A): Tensor =>
      run(x, complete(name, x, given));
}

/** The shape with a side of -1 worked out from the number of elements. */
function fillIn(name: string, x: Tensor, shape: Shape): Shape {
  const full = [...shape];
  const unknown = full.indexOf(-1);
  if (unknown >= 0) full[unknown] = 1;
  const rest = x.size / sizeOf(checkShape(name, full));
  if (unknown >= 0) full[unknown] = rest;
  if ((unknown < 0 || Number.isInteger(rest)) && sizeOf(full) === x.size) return full;
  throw new ShapeError(
    `${name}: ${formatShape(x.shape)} has ${x.size} elements, which don't fill ${formatShape(shape)}`,
  );
}

/** The same numbers under another shape; one side may be -1. Shares the memory. */
export const reshape: Op<(x: Tensor, shape: Shape) => Tensor> = define(
  { kind: "alias" },
  {
    infer: (x: Tensor, shape: Shape) => [{ shape, dtype: x.dtype }],
    vjp: (g, _y, x) => [g.reshape(x.shape)],
    call: completed(fillIn),
    takes: "x: Tensor, shape: Shape",
    example: "tensor([1, 2, 3, 4]).reshape([2, -1])  // [[1, 2],\n [3, 4]]",
    draw: (d: Draw) => {
      const shape = d.shape();
      return [d.tensor(shape), [...shape].reverse()];
    },
  },
);

/** The axes in another order: result axis i is axis dims[i] of x. */
export const permute: Op<(x: Tensor, dims: Shape) => Tensor> = view({
  infer: (x: Tensor, dims: Shape) => [{ shape: dims.map((d) => x.shape[d] ?? 1), dtype: x.dtype }],
  copies: (x, dims) => {
    const own = stridesOf(x.shape);
    const shape = dims.map((d) => x.shape[d] ?? 1);
    return [
      copy(
        shape,
        dims.map((d) => own[d] ?? 0),
        stridesOf(shape),
      ),
    ];
  },
  vjp: (g, _y, _x, dims) => [g.permute(dims.map((_, d) => dims.indexOf(d)))],
  call:
    (run: (x: Tensor, dims: Shape) => Tensor, { name }) =>
    (x, dims) => {
      const axes = dims.map((d) => checkDim(name, d, x.rank));
      if (new Set(axes).size === x.rank && axes.length === x.rank) return run(x, axes);
      throw new ShapeError(
        `${name}: ${formatShape(dims)} must name each of the ${x.rank} axes of ${formatShape(x.shape)} once`,
      );
    },
  takes: "x: Tensor, dims: Shape",
  example: "tensor([[1, 2, 3]]).permute([1, 0])  // [[1],\n [2],\n [3]]",
  draw: (d) => {
    const shape = d.shape();
    const order = [...d.rng.permutation(shape.length)];
    return [d.tensor(shape), order];
  },
});

/** Two axes exchanged; the last two unless said. */
export const transpose: Op<(x: Tensor, dim0?: number, dim1?: number) => Tensor> = composed({
  definition: (x: Tensor, dim0 = -2, dim1 = -1) => {
    const a = checkDim("transpose", dim0, x.rank);
    const b = checkDim("transpose", dim1, x.rank);
    return x.permute(x.shape.map((_, d) => (d === a ? b : d === b ? a : d)));
  },
  takes: "x: Tensor, dim0?: number, dim1?: number",
  example: "tensor([[1, 2], [3, 4]]).transpose()  // [[1, 3],\n [2, 4]]",
  draw: (d) => [d.tensor(d.shape({ minRank: 2 }))],
});

/** Without axis `dim`, which must have size 1; without all axes of size 1 if none is named. */
export const squeeze: Op<(x: Tensor, dim?: number) => Tensor> = composed({
  definition: (x: Tensor, dim?: number) => {
    if (dim === undefined) return x.reshape(x.shape.filter((side) => side !== 1));
    const at = checkDim("squeeze", dim, x.rank);
    if (x.shape[at] === 1) return x.reshape(x.shape.filter((_, d) => d !== at));
    throw new ShapeError(
      `squeeze: axis ${dim} of ${formatShape(x.shape)} has size ${x.shape[at]}, not 1; select part of it with slice`,
    );
  },
  takes: "x: Tensor, dim?: number",
  example: "tensor([[1, 2]]).squeeze(0)  // [1, 2]",
  draw: (d) => [d.tensor([1, ...d.shape({ maxRank: 3 })]), 0],
});

/** With a new axis of size 1 at `dim`. */
export const unsqueeze: Op<(x: Tensor, dim: number) => Tensor> = composed({
  definition: (x: Tensor, dim: number) => {
    const at = checkDim("unsqueeze", dim, x.rank + 1);
    return x.reshape([...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
  },
  takes: "x: Tensor, dim: number",
  example: "tensor([1, 2]).unsqueeze(1)  // [[1],\n [2]]",
  draw: (d) => [d.tensor(d.shape({ maxRank: 3 })), d.pick(0, -1)],
});

/** Repeats axes of size 1 (and new ones in front) up to `shape`; -1 leaves an axis as it is. */
export const expand: Op<(x: Tensor, shape: Shape) => Tensor> = view({
  infer: (x: Tensor, shape: Shape) => [{ shape, dtype: x.dtype }],
  copies: (x, shape) => [copy(shape, broadcastStrides(x.shape, shape), stridesOf(shape))],
  vjp: (g) => [g], // the tape sums over stretched axes
  call:
    (run: (x: Tensor, shape: Shape) => Tensor, { name }) =>
    (x, shape) => {
      const offset = shape.length - x.rank;
      const to = checkShape(
        name,
        shape.map((side, d) => (side === -1 ? (x.shape[d - offset] ?? -1) : side)),
      );
      if (offset >= 0 && x.shape.every((side, d) => side === 1 || side === to[d + offset]))
        return run(x, to);
      throw new ShapeError(
        `${name}: ${formatShape(x.shape)} doesn't stretch to ${formatShape(shape)}; only axes of size 1 do`,
      );
    },
  takes: "x: Tensor, shape: Shape",
  example: "tensor([[1], [2]]).expand([2, 3])  // [[1, 1, 1],\n [2, 2, 2]]",
  draw: (d) => {
    const shape = d.shape();
    const narrow = shape.map((side) => d.pick(1, side));
    return [d.tensor(narrow), [d.integer(1, 2), ...shape]];
  },
});

/** The part of one axis that slice takes: indices start to end, without end. */
export interface SliceOptions {
  /** Which axis. */
  readonly dim: number;
  /** First and one past the last index; negative ones count from the end, both are clamped. */
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** Only every step-th of these indices. */
  readonly step?: number | undefined;
}

interface SliceRange {
  readonly dim: number;
  readonly start: number;
  readonly end: number;
}

function checkWhole(name: string, what: string, value: number): void {
  if (!Number.isInteger(value) && Math.abs(value) !== Infinity) {
    throw new ArgumentError(`${name}: ${what} must be a whole number, got ${value}`);
  }
}

function checkCount(name: string, what: string, value: number): void {
  if (!(value > 0 && Number.isInteger(value)))
    throw new ArgumentError(`${name}: ${what} must be a whole number > 0, got ${value}`);
}

function rangeOf(
  name: string,
  x: Tensor,
  { dim, start = 0, end = Infinity }: SliceOptions,
): SliceRange {
  const at = checkDim(name, dim, x.rank);
  const side = x.shape[at] ?? 0;
  checkWhole(name, "start", start);
  checkWhole(name, "end", end);
  const clamp = (i: number): number => Math.min(Math.max(i < 0 ? i + side : i, 0), side);
  const first = clamp(start);
  return { dim: at, start: first, end: Math.max(first, clamp(end)) };
}

/** Every step-th index of a range; a strided copy would be no faster. */
function sliceCall(
  run: (x: Tensor, range: SliceRange) => Tensor,
  { name }: { readonly name: string },
): (x: Tensor, options: SliceOptions) => Tensor {
  return (x, options) => {
    const range = rangeOf(name, x, options);
    const { step = 1 } = options;
    if (step === 1) return run(x, range);
    checkCount(name, "step", step);
    const { dim, start, end } = range;
    const places = indicesLike(x, Math.ceil((end - start) / step));
    return x.indexSelect(places.mul(step).add(start), { dim });
  };
}

/** The part [start, end) of one axis, or every step-th index of it. */
export const slice: Op<(x: Tensor, options: SliceOptions) => Tensor> = view({
  infer: (x: Tensor, { dim, start, end }: SliceRange) => [
    { shape: replaceSide(x.shape, dim, end - start), dtype: x.dtype },
  ],
  copies: (x, { dim, start, end }) => {
    const shape = replaceSide(x.shape, dim, end - start);
    const strides = stridesOf(x.shape);
    return [copy(shape, strides, stridesOf(shape), start * (strides[dim] ?? 0))];
  },
  vjp: (g, _y, x, { dim, start, end }) => {
    const pads = x.shape.flatMap((_, d) =>
      d === dim ? [start, (x.shape[dim] ?? 0) - end] : [0, 0],
    );
    return [g.pad(lastAxisFirst(pads))];
  },
  call: sliceCall,
  takes: "x: Tensor, { dim: number, start?: number, end?: number, step?: number }",
  example: "tensor([1, 2, 3, 4]).slice({ dim: 0, start: 1, end: -1 })  // [2, 3]",
  draw: (d) => {
    const shape = d.shape({ minRank: 1 });
    const range = { start: d.integer(-2, 2), end: d.integer(-1, 4), step: d.pick(1, 1, 2, 3) };
    return [d.tensor(shape), { dim: d.integer(0, shape.length - 1), ...range }];
  },
});

/** [before0, after0, before1, after1, ...] in PyTorch's order, which begins with the last axis. */
function lastAxisFirst(pads: readonly number[]): number[] {
  const pairs = Array.from({ length: pads.length / 2 }, (_, d) => [
    pads[2 * d] ?? 0,
    pads[2 * d + 1] ?? 0,
  ]);
  return pairs.reverse().flat();
}

interface Padding {
  /** Elements before and after, for each axis. */
  readonly before: Shape;
  readonly after: Shape;
  readonly value: number;
}

function paddingOf(name: string, x: Tensor, pads: readonly number[], value: number): Padding {
  if (
    pads.length % 2 !== 0 ||
    pads.length > 2 * x.rank ||
    pads.some((p) => !(p >= 0) || !Number.isInteger(p))
  ) {
    throw new ShapeError(
      `${name}: pads ${formatShape(pads)} for shape ${formatShape(x.shape)}: needed [before, after] of the last ` +
        "axis, then of the one before it, and so on, all whole numbers >= 0",
    );
  }
  const of = (offset: number): number[] =>
    x.shape.map((_, d) => pads[2 * (x.rank - 1 - d) + offset] ?? 0);
  return { before: of(0), after: of(1), value };
}

function paddedShape(x: Tensor, { before, after }: Padding): Shape {
  return x.shape.map((side, d) => side + (before[d] ?? 0) + (after[d] ?? 0));
}

/** `value` (0) around a tensor: [before, after] of the last axis, then of the one before it, ... */
export const pad: Op<(x: Tensor, pads: readonly number[], options?: { value?: number }) => Tensor> =
  view({
    infer: (x: Tensor, padding: Padding) => [{ shape: paddedShape(x, padding), dtype: x.dtype }],
    copies: (x, padding) => {
      const to = stridesOf(paddedShape(x, padding));
      const offset = padding.before.reduce((sum, count, d) => sum + count * (to[d] ?? 0), 0);
      return [copy(x.shape, stridesOf(x.shape), to, 0, offset)];
    },
    fill: (x, { value }) => (x.dtype === "bool" ? Number(value !== 0) : value),
    vjp: (g, _y, x, { before }) => [
      x.shape.reduce<Tensor>((part, side, dim) => {
        const start = before[dim] ?? 0;
        return part.shape[dim] === side ? part : part.slice({ dim, start, end: start + side });
      }, g),
    ],
    call:
      (run: (x: Tensor, padding: Padding) => Tensor, { name }) =>
      (x, pads, { value = 0 } = {}) =>
        run(x, paddingOf(name, x, pads, value)),
    takes: "x: Tensor, pads: number[], { value?: number }",
    example: "tensor([1, 2]).pad([1, 2])  // [0, 1, 2, 0, 0]",
    draw: (d) => [
      d.tensor(d.shape({ minRank: 1 })),
      [d.integer(0, 2), d.integer(0, 2)],
      { value: d.pick(0, 1) },
    ],
  });

/** The parts that cat joins: where each begins along the axis. */
function startsOf(parts: readonly Tensor[], dim: number): number[] {
  let at = 0;
  return parts.map((x) => {
    const start = at;
    at += x.shape[dim] ?? 0;
    return start;
  });
}

/** Returns the parts if all are tensors. */
function checkTensors(name: string, parts: readonly Tensor[]): readonly [Tensor, ...Tensor[]] {
  if (parts.length === 0) throw new ArgumentError(`${name}: needs at least one tensor`);
  for (const x of parts) checkTensor(name, x, "each part");
  return parts as readonly [Tensor, ...Tensor[]];
}

function checkParts(name: string, parts: readonly Tensor[], dim: number): number {
  const [first] = checkTensors(name, parts);
  const at = checkDim(name, dim, first.rank);
  for (const x of parts) {
    if (x.rank !== first.rank || x.shape.some((side, d) => d !== at && side !== first.shape[d])) {
      throw new ShapeError(`${name}: ${shapesOf(first, x)} differ in another axis than ${dim}`);
    }
    if (x.dtype !== first.dtype) {
      throw new DTypeError(
        `${name}: parts are ${first.dtype} and ${x.dtype}; x.to("${first.dtype}") converts`,
      );
    }
  }
  return at;
}

/** The parts and the axis of an entry that takes any number of tensors, then the axis. */
function partsOf(args: readonly (Tensor | number)[]): { parts: Tensor[]; dim: number } {
  return { parts: args.slice(0, -1) as Tensor[], dim: args.at(-1) as number };
}

function joinedShape(parts: readonly Tensor[], dim: number): Shape {
  const side = parts.reduce((sum, x) => sum + (x.shape[dim] ?? 0), 0);
  return replaceSide(parts[0]?.shape ?? [], dim, side);
}

/** Tensors one behind the other along an axis; their other sides agree. */
export const cat: FreeOp<(parts: readonly Tensor[], options?: { dim?: number }) => Tensor> = view({
  infer: (...args: (Tensor | number)[]) => {
    const { parts, dim } = partsOf(args);
    return [{ shape: joinedShape(parts, dim), dtype: parts[0]?.dtype ?? "float32" }];
  },
  copies: (...args) => {
    const { parts, dim } = partsOf(args);
    const strides = stridesOf(joinedShape(parts, dim));
    return startsOf(parts, dim).map((start, input) => {
      const shape = parts[input]?.shape ?? [];
      return copy(shape, stridesOf(shape), strides, 0, start * (strides[dim] ?? 0), input);
    });
  },
  vjp: (g, _y, ...args) => {
    const { parts, dim } = partsOf(args);
    return startsOf(parts, dim).map(
      (start, i) => () => g.slice({ dim, start, end: start + (parts[i]?.shape[dim] ?? 0) }),
    );
  },
  call:
    (run: (...args: (Tensor | number)[]) => Tensor, { name }) =>
    (parts, { dim = 0 } = {}) => {
      const at = checkParts(name, parts, dim);
      return run(...parts, at);
    },
  takes: "parts: Tensor[], { dim?: number }",
  example: "cat([tensor([1, 2]), tensor([3])])  // [1, 2, 3]",
  draw: (d) => {
    const shape = d.shape({ minRank: 1, maxRank: 3 });
    const dim = d.integer(0, shape.length - 1);
    const parts = [0, 1, 2].map(() => d.tensor(replaceSide(shape, dim, d.integer(0, 3))));
    return [parts, { dim }];
  },
});

/** Tensors of one shape side by side along a new axis. */
export const stack: FreeOp<(parts: readonly Tensor[], options?: { dim?: number }) => Tensor> =
  composed({
    definition: (parts: readonly Tensor[], { dim = 0 }: { dim?: number } = {}) =>
      cat(
        checkTensors("stack", parts).map((x) => x.unsqueeze(dim)),
        { dim },
      ),
    takes: "parts: Tensor[], { dim?: number }",
    example: "stack([tensor([1, 2]), tensor([3, 4])])  // [[1, 2],\n [3, 4]]",
    draw: (d) => {
      const shape = d.shape({ maxRank: 3 });
      return [[d.tensor(shape), d.tensor(shape)], { dim: d.pick(0, -1) }];
    },
  });

/** Parts of `size` along an axis (the last may be smaller), or of the listed sizes. */
export const split: Op<(x: Tensor, size: number | Shape, options?: { dim?: number }) => Tensor[]> =
  composed({
    definition: (x: Tensor, size: number | Shape, { dim = 0 }: { dim?: number } = {}) => {
      const at = checkDim("split", dim, x.rank);
      const side = x.shape[at] ?? 0;
      if (typeof size === "number") checkCount("split", "size", size);
      const sizes =
        typeof size === "number"
          ? Array.from({ length: Math.max(1, Math.ceil(side / size)) }, (_, i) =>
              Math.min(size, side - i * size),
            )
          : checkShape("split", size);
      if (sizes.reduce((sum, n) => sum + n, 0) !== side) {
        throw new ShapeError(
          `split: sizes ${formatShape(sizes)} don't add up to ${side}, the size of axis ${dim}`,
        );
      }
      let start = 0;
      return sizes.map((n) => {
        const part = x.slice({ dim: at, start, end: start + n });
        start += n;
        return part;
      });
    },
    takes: "x: Tensor, size: number | Shape, { dim?: number }",
    example: "split(tensor([1, 2, 3]), 2)  // [1, 2] [3]",
    draw: (d) => [d.tensor(d.shape({ minRank: 1 })), d.integer(1, 3)],
  });

/** Which elements of the last two axes lie on or below the `diagonal`. */
function triangle(name: string, x: Tensor, diagonal: number): Tensor {
  if (x.rank < 2) {
    throw new ShapeError(
      `${name}: needs a matrix or a batch of them, got shape ${formatShape(x.shape)}`,
    );
  }
  const [rows = 0, columns = 0] = x.shape.slice(-2);
  const row = indicesLike(x, rows).unsqueeze(1);
  return indicesLike(x, columns).le(row.add(diagonal));
}

/** The lower triangle: 0 above the diagonal (shifted up by `diagonal`). */
export const tril: Op<(x: Tensor, options?: { diagonal?: number }) => Tensor> = composed({
  definition: (x: Tensor, { diagonal = 0 }: { diagonal?: number } = {}) =>
    triangle("tril", x, diagonal).where(x, 0),
  takes: "x: Tensor, { diagonal?: number }",
  example: "tensor([[1, 2], [3, 4]]).tril()  // [[1, 0],\n [3, 4]]",
  draw: (d) => [d.tensor(d.shape({ minRank: 2 })), { diagonal: d.integer(-1, 1) }],
});

/** The upper triangle: 0 below the diagonal (shifted up by `diagonal`). */
export const triu: Op<(x: Tensor, options?: { diagonal?: number }) => Tensor> = composed({
  definition: (x: Tensor, { diagonal = 0 }: { diagonal?: number } = {}) =>
    triangle("triu", x, diagonal - 1).where(0, x),
  takes: "x: Tensor, { diagonal?: number }",
  example: "tensor([[1, 2], [3, 4]]).triu()  // [[1, 2],\n [0, 4]]",
  draw: (d) => [d.tensor(d.shape({ minRank: 2 })), { diagonal: d.integer(-1, 1) }],
});
