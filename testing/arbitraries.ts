// What properties are drawn from: arbitraries of fast-check that give tensors, shapes that broadcast, indices, masks and
// batches of sequences of unlike lengths. Numbers lie on a grid of quarters unless awkward ones are asked for, and shrink
// towards 0, to fewer elements and fewer axes. Next: checks.ts, which takes them.

import fc from "fast-check";
import {
  ArgumentError,
  type Domain,
  type DType,
  type Shape,
  type Tensor,
  tensor,
  within,
} from "../core/index.ts";
import { sizeOf } from "../core/shape.ts";
import { accept, signatures } from "../core/signature.ts";

const awkwardValues = {
  /** The same few numbers again and again. */
  ties: [0, 1, 1, -1],
  zeros: [0, -0],
  infinities: [Infinity, -Infinity],
  nan: [Number.NaN],
  /** Numbers that only denormals of float32 hold. */
  denormals: [1e-40, -1e-40, 1.401298464324817e-45],
  /** The edges of float32, and what overflows in exp and squares. */
  huge: [3.4028234663852886e38, -3.4028234663852886e38, 1e20, -1e20, 89, -104],
} as const;

/** A kind of numbers that formulas trip over. */
export type Awkward = keyof typeof awkwardValues;

const kinds = Object.keys(awkwardValues).map((kind) => `"${kind}"`);
const shaped = "shape?: Shape | object";
const takes = signatures({
  shapes: "{ minRank?: number, maxRank?: number, minSide?: number, maxSide?: number }",
  broadcastingShapes: "count: number, { maxRank?: number, maxSide?: number }",
  tensors: `{ ${shaped}, dtype?: DType, domain?: object, awkward?: any[] }`,
  broadcastingTensors:
    "count: number, { maxRank?: number, maxSide?: number, dtype?: DType, domain?: object, awkward?: any[] }",
  indices: `{ ${shaped}, size: number }`,
  masks: `{ ${shaped} }`,
  raggedBatches: "{ vocabulary: number, maxRows?: number, maxLength?: number }",
});

/** How many axes there may be, and how long they may be. */
export interface ShapesOptions {
  /** Default: 0. */
  readonly minRank?: number;
  /** Default: 3. */
  readonly maxRank?: number;
  /** Default: 0, so that empty tensors are drawn. */
  readonly minSide?: number;
  /** Default: 3. */
  readonly maxSide?: number;
}

/** Shapes: lists of sizes. */
export function shapes(options: ShapesOptions = {}): fc.Arbitrary<readonly number[]> {
  accept(takes.shapes, arguments);
  const { minRank = 0, maxRank = 3, minSide = 0, maxSide = 3 } = options;
  return fc.array(fc.integer({ min: minSide, max: maxSide }), {
    minLength: minRank,
    maxLength: maxRank,
  });
}

/** Several shapes that broadcast to a common one: axes of size 1, and axes that are missing at the front. */
export function broadcastingShapes(
  count: number,
  options: Pick<ShapesOptions, "maxRank" | "maxSide"> = {},
): fc.Arbitrary<(readonly number[])[]> {
  accept(takes.broadcastingShapes, arguments);
  const part = (common: readonly number[]): fc.Arbitrary<readonly number[]> =>
    fc
      .tuple(
        fc.nat(common.length),
        fc.array(fc.boolean(), { minLength: common.length, maxLength: common.length }),
      )
      .map(([missing, isOne]) => common.map((side, d) => (isOne[d] ? 1 : side)).slice(missing));
  return shapes(options).chain((common) =>
    fc.tuple(...Array.from({ length: count }, () => part(common))),
  );
}

/** What tensors are drawn. */
export interface TensorsOptions {
  /** One shape, or an arbitrary of shapes. Default: shapes(). */
  readonly shape?: Shape | fc.Arbitrary<Shape>;
  /** Default: float32. */
  readonly dtype?: DType;
  /** Default: within(-3, 3): multiples of 1/4. */
  readonly domain?: Domain;
  /** Kinds of numbers that every third element or so is of: ties, zeros, infinities, nan, denormals, huge. */
  readonly awkward?: readonly Awkward[];
}

/** The shapes that an option asks for. */
function shapesOf(shape: Shape | fc.Arbitrary<Shape> | undefined): fc.Arbitrary<Shape> {
  if (shape === undefined) return shapes();
  return Array.isArray(shape) ? fc.constant(shape as Shape) : (shape as fc.Arbitrary<Shape>);
}

function elements({
  dtype = "float32",
  domain = within(-3, 3),
  awkward = [],
}: TensorsOptions): fc.Arbitrary<number> {
  const strange = awkward.find((kind) => !(kind in awkwardValues));
  if (strange !== undefined)
    throw new ArgumentError(
      `tensors: there is no awkward "${strange}"; there are ${kinds.join(", ")}`,
    );
  if (dtype === "bool") return fc.integer({ min: 0, max: 1 });
  const by = dtype === "int32" ? 1 : 4;
  const grid = fc
    .integer({
      min: Math.ceil(domain.low * by),
      max: Math.floor(domain.high * by) - (domain.offset > 0 ? 1 : 0),
    })
    .map((n) => n / by + domain.offset);
  const values = awkward.flatMap((kind) => awkwardValues[kind] as readonly number[]);
  if (values.length === 0) return grid;
  return fc.oneof(
    { arbitrary: grid, weight: 2 },
    { arbitrary: fc.constantFrom(...values), weight: 1 },
  );
}

function filled(shape: Shape, options: TensorsOptions): fc.Arbitrary<Tensor> {
  const { dtype = "float32" } = options;
  const size = sizeOf(shape);
  const made = (values: readonly number[]): Tensor =>
    tensor(
      dtype === "bool"
        ? Uint8Array.from(values)
        : dtype === "int32"
          ? Int32Array.from(values)
          : Float64Array.from(values),
      { shape, dtype },
    );
  if (options.domain?.distinct) {
    const { low, high } = options.domain;
    const ranks = Array.from({ length: size }, (_, i) => low + ((high - low) * (i + 0.5)) / size);
    return fc.shuffledSubarray(ranks, { minLength: size, maxLength: size }).map(made);
  }
  return fc.array(elements(options), { minLength: size, maxLength: size, size: "max" }).map(made);
}

/** Tensors. They shrink to few numbers near 0: tensor([0.5, -1]). */
export function tensors(options: TensorsOptions = {}): fc.Arbitrary<Tensor> {
  accept(takes.tensors, arguments);
  elements(options); // says at once what is wrong
  return shapesOf(options.shape).chain((shape) => filled(shape, options));
}

/** N tensors, as far as N is known. */
type TensorList<N extends number> = N extends 1
  ? [Tensor]
  : N extends 2
    ? [Tensor, Tensor]
    : N extends 3
      ? [Tensor, Tensor, Tensor]
      : Tensor[];

/** Lists of tensors whose shapes broadcast. */
export function broadcastingTensors<const N extends number>(
  count: N,
  options: Omit<TensorsOptions, "shape"> & Pick<ShapesOptions, "maxRank" | "maxSide"> = {},
): fc.Arbitrary<TensorList<N>> {
  accept(takes.broadcastingTensors, arguments);
  const { maxRank, maxSide, ...rest } = options;
  const sizes = {
    ...(maxRank !== undefined && { maxRank }),
    ...(maxSide !== undefined && { maxSide }),
  };
  const drawn = broadcastingShapes(count, sizes).chain((list) =>
    fc.tuple(...list.map((shape) => filled(shape, rest))),
  );
  return drawn as unknown as fc.Arbitrary<TensorList<N>>;
}

/** int32 tensors of indices from 0 to size - 1. */
export function indices(options: {
  readonly shape?: Shape | fc.Arbitrary<Shape>;
  readonly size: number;
}): fc.Arbitrary<Tensor> {
  accept(takes.indices, arguments);
  const { shape, size } = options;
  return shapesOf(shape).chain((sides) =>
    filled(sides, { dtype: "int32", domain: within(0, Math.max(0, size - 1)) }),
  );
}

/** bool tensors. */
export function masks(
  options: { readonly shape?: Shape | fc.Arbitrary<Shape> } = {},
): fc.Arbitrary<Tensor> {
  accept(takes.masks, arguments);
  return shapesOf(options.shape).chain((sides) => filled(sides, { dtype: "bool" }));
}

/** Sequences of unlike lengths, as they are and padded to a batch. */
export interface RaggedBatch {
  readonly sequences: readonly (readonly number[])[];
  /** [B,T] of int32: the sequences, then `padding`. */
  readonly ids: Tensor;
  /** [B,T] of bool: which ids are tokens. */
  readonly mask: Tensor;
  /** The id that stands where no token is: any of the vocabulary. */
  readonly padding: number;
}

/** Sequences of ids as a batch that is padded at the end, or to `length`. */
export function batchOf(
  sequences: readonly (readonly number[])[],
  padding: number,
  length?: number,
): RaggedBatch {
  const longest = length ?? Math.max(...sequences.map((s) => s.length));
  const row = (s: readonly number[], fill: number): number[] =>
    Array.from({ length: longest }, (_, t) => s[t] ?? fill);
  const shape = [sequences.length, longest];
  return {
    sequences,
    ids: tensor(Int32Array.from(sequences.flatMap((s) => row(s, padding))), { shape }),
    mask: tensor(
      Uint8Array.from(
        sequences.flatMap((s) =>
          row(
            s.map(() => 1),
            0,
          ),
        ),
      ),
      { shape },
    ),
    padding,
  };
}

/** Batches of sequences of unlike lengths, with ids below `vocabulary`. */
export function raggedBatches(options: {
  readonly vocabulary: number;
  /** Default: 3. */
  readonly maxRows?: number;
  /** Default: 5. */
  readonly maxLength?: number;
}): fc.Arbitrary<RaggedBatch> {
  accept(takes.raggedBatches, arguments);
  const { vocabulary, maxRows = 3, maxLength = 5 } = options;
  const id = fc.nat(vocabulary - 1);
  const rows = fc.array(fc.array(id, { minLength: 1, maxLength }), {
    minLength: 1,
    maxLength: maxRows,
  });
  return fc.tuple(rows, id).map(([sequences, padding]) => batchOf(sequences, padding));
}
