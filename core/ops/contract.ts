// Contractions: the matrix product, in which most of a network's time is spent.
// The gradient of a product is two products: with C = A B, dA = G Bᵀ and dB = Aᵀ G, whose transposes
// cost nothing because they are flags of the same kernel. Next: fused/linear.ts.

import type { Draw } from "../draw.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { contract } from "../kinds.ts";
import type { Contraction, Op } from "../op.ts";
import { broadcastShapes, broadcastStrides, formatShape, type Shape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { asRows, counted } from "./lines.ts";

/** Which operands of matmul are taken transposed. */
export interface MatmulOptions {
  /** Use Aᵀ (Bᵀ): the last two axes exchanged, without a copy. */
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** The strides of the batch axes, in elements of the whole matrices. */
function batchStrides(shape: Shape, batch: Shape): number[] {
  const matrix = sizeOf(shape, shape.length - 2);
  return broadcastStrides(shape.slice(0, -2), batch).map((stride) => stride * matrix);
}

/** The last two sides of a matrix, turned if asked. */
function sides({ shape }: Tensor, transposed: boolean): [rows: number, columns: number] {
  const [rows = 0, columns = 0] = [shape[shape.length - 2], shape[shape.length - 1]];
  return transposed ? [columns, rows] : [rows, columns];
}

const none: Shape = [];

function contractionOf(a: Tensor, b: Tensor, options: Required<MatmulOptions>): Contraction {
  const { transposeA, transposeB } = options;
  const [rows, k] = sides(a, transposeA);
  const [kB, n] = sides(b, transposeB);
  if (k !== kB) throw innerMismatch(a, b, options, k, kB);
  if (b.rank === 2 && (a.rank === 2 || !transposeA)) {
    const m = a.rank === 2 ? rows : sizeOf(a.shape, 0, a.rank - 1); // one tall product instead of a batch
    return { batch: none, m, n, k, transposeA, transposeB, strideA: none, strideB: none };
  }
  const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  const strideA = batchStrides(a.shape, batch);
  const strideB = batchStrides(b.shape, batch);
  return { batch, m: rows, n, k, transposeA, transposeB, strideA, strideB };
}

function innerMismatch(
  a: Tensor,
  b: Tensor,
  options: Required<MatmulOptions>,
  k: number,
  kB: number,
): ShapeError {
  const other = b.shape.at(options.transposeB ? -2 : -1);
  const flags = options.transposeA || options.transposeB ? ` with ${JSON.stringify(options)}` : "";
  const remedy = k === other ? "b.transpose() would fit" : "reshape one of them";
  return new ShapeError(
    `matmul: ${formatShape(a.shape)} x ${formatShape(b.shape)}${flags}: inner sizes ${k} and ${kB} differ; ${remedy}`,
  );
}

type MatmulRule = (a: Tensor, b: Tensor, options: Required<MatmulOptions>) => Tensor;

/** Vectors become matrices for the product, and their axis leaves the result again (as PyTorch). */
function matmulCall(run: MatmulRule, a: Tensor, b: Tensor, options: MatmulOptions): Tensor {
  const { transposeA = false, transposeB = false } = options;
  if (a.rank === 0 || b.rank === 0) {
    throw new ShapeError(
      `matmul: ${formatShape(a.shape)} x ${formatShape(b.shape)}: a scalar has no rows; use mul`,
    );
  }
  if (a.dtype !== b.dtype) {
    throw new DTypeError(
      `matmul: a is ${a.dtype}, b is ${b.dtype}; b.to("${a.dtype}") converts it`,
    );
  }
  if (a.dtype === "bool") return matmulCall(run, counted(a), counted(b), options);
  const flags = { transposeA: transposeA && a.rank > 1, transposeB: transposeB && b.rank > 1 };
  if (a.rank === 1)
    return dropAxis(
      run(a.reshape([1, a.size]), b.rank === 1 ? b.reshape([b.size, 1]) : b, flags),
      -2,
      b.rank === 1,
    );
  if (b.rank === 1) return dropAxis(run(a, b.reshape([b.size, 1]), flags), -1, false);
  return run(a, b, flags);
}

function dropAxis(y: Tensor, dim: number, both: boolean): Tensor {
  return both ? y.reshape([]) : y.squeeze(dim);
}

/** Matrix product of the last two axes; the axes before them are a batch and broadcast. Of bools in int32. */
export const matmul: Op<(a: Tensor, b: Tensor, options?: MatmulOptions) => Tensor> = contract({
  contraction: (a: Tensor, b: Tensor, options: Required<MatmulOptions>) =>
    contractionOf(a, b, options),
  infer: (a, b, options) => {
    const { batch, m, n } = contractionOf(a, b, options);
    const isTall = a.rank > 2 && b.rank === 2 && !options.transposeA;
    return [{ shape: isTall ? [...a.shape.slice(0, -1), n] : [...batch, m, n], dtype: a.dtype }];
  },
  vjp: (g, _y, a, b, { transposeA, transposeB }) => {
    const isTall = b.rank === 2 && !transposeA;
    const [rowsG, rowsA] = isTall ? [asRows(g), asRows(a)] : [g, a];
    return [
      () =>
        transposeA
          ? b.matmul(g, { transposeA: transposeB, transposeB: true })
          : g.matmul(b, { transposeB: !transposeB }),
      () =>
        transposeB
          ? rowsG.matmul(rowsA, { transposeA: true, transposeB: transposeA })
          : rowsA.matmul(rowsG, { transposeA: !transposeA }),
    ];
  },
  call:
    (run: MatmulRule) =>
    (a, b, options = {}) =>
      matmulCall(run, a, b, options),
  takes: "a: Tensor, b: Tensor, { transposeA?: boolean, transposeB?: boolean }",
  example: "tensor([[1, 2], [3, 4]]).matmul(tensor([[5], [6]]))  // [[17],\n [39]]",
  draw: (d: Draw) => {
    const [m, n, k] = [d.integer(0, 3), d.integer(0, 3), d.integer(0, 3)];
    const batch = d.shape({ maxRank: 2, maxSide: 2 });
    const [transposeA, transposeB] = [d.pick(true, false), d.pick(true, false)];
    const a = d.tensor([...batch, ...(transposeA ? [k, m] : [m, k])]);
    const b = d.tensor([...d.broadcast(batch), ...(transposeB ? [n, k] : [k, n])]);
    return [a, b, { transposeA, transposeB }];
  },
});
