// Small dense matrices of doubles on the host: what the views of this folder compute with once a model's
// numbers have been read. Row-major, plain loops, no device. Sizes are tokens x width, so that a few
// hundred million additions are the most that anybody waits for.
// Next: drift.ts and probes.ts, which use them.

import { ArgumentError } from "../../core/index.ts";
import { centred, norm } from "../statistics/index.ts";

/** N rows of C numbers: row i begins at i C. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/**
 * A matrix of float64, row by row: zeros, or a copy of `data`, of rows times cols numbers (else an
 * ArgumentError).
 */
export function matrix(rows: number, cols: number, data?: ArrayLike<number>): Matrix {
  const numbers = data === undefined ? new Float64Array(rows * cols) : Float64Array.from(data);
  if (numbers.length === rows * cols) return { rows, cols, data: numbers };
  throw new ArgumentError(
    `matrix: ${numbers.length} numbers don't fill ${rows} x ${cols}; needed ${rows * cols}`,
  );
}

/** Row i, without a copy. */
export function rowOf({ cols, data }: Matrix, i: number): Float64Array {
  return data.subarray(i * cols, (i + 1) * cols);
}

/** These rows, in this order. */
export function pickRows(x: Matrix, rows: readonly number[]): Matrix {
  const picked = matrix(rows.length, x.cols);
  rows.forEach((from, to) => {
    picked.data.set(rowOf(x, from), to * x.cols);
  });
  return picked;
}

/** Matrices of one width, one below the other. */
export function stackRows(parts: readonly Matrix[]): Matrix {
  const cols = parts[0]?.cols ?? 0;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const all = matrix(rows, cols);
  let at = 0;
  for (const { data } of parts) {
    all.data.set(data, at);
    at += data.length;
  }
  return all;
}

/** The mean of each column, [C]. */
export function columnMeans(x: Matrix): Float64Array {
  const means = new Float64Array(x.cols);
  for (let i = 0; i < x.rows; i++) {
    const row = rowOf(x, i);
    for (let c = 0; c < x.cols; c++) means[c] = (means[c] ?? 0) + (row[c] ?? 0) / x.rows;
  }
  return means;
}

/** Column c, [N]. */
export function columnOf({ rows, cols, data }: Matrix, c: number): Float64Array {
  const column = new Float64Array(rows);
  for (let i = 0; i < rows; i++) column[i] = data[i * cols + c] ?? 0;
  return column;
}

/** Columns less their means; zeros where one differs by no more than rounding. */
export function centredColumns(x: Matrix): Matrix {
  const less = matrix(x.rows, x.cols);
  for (let c = 0; c < x.cols; c++) {
    const column = centred(columnOf(x, c));
    for (let i = 0; i < x.rows; i++) less.data[i * x.cols + c] = column[i] ?? 0;
  }
  return less;
}

/** xᵀ y, [C,D], of matrices with as many rows. */
export function crossProduct(x: Matrix, y: Matrix): Matrix {
  if (x.rows !== y.rows) {
    throw new ArgumentError(
      `crossProduct: ${x.rows} and ${y.rows} rows; needed the same items in both`,
    );
  }
  const product = matrix(x.cols, y.cols);
  for (let i = 0; i < x.rows; i++) {
    const right = rowOf(y, i);
    for (let c = 0, at = 0; c < x.cols; c++) {
      const a = x.data[i * x.cols + c] ?? 0;
      for (let d = 0; d < y.cols; d++, at++)
        product.data[at] = (product.data[at] ?? 0) + a * (right[d] ?? 0);
    }
  }
  return product;
}

/** Eigenvalues of a symmetric matrix, largest first, by Jacobi's rotations (Golub and Van Loan, 8.5). */
export function symmetricEigenvalues(symmetric: Matrix): Float64Array {
  const n = symmetric.rows;
  const a = symmetric.data.slice();
  const at = (i: number, j: number): number => a[i * n + j] ?? 0;
  const scale = norm(a);
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) off += at(i, j) ** 2;
    if (Math.sqrt(2 * off) <= 1e-14 * scale) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, n, p, q);
  }
  return Float64Array.from({ length: n }, (_, i) => at(i, i))
    .sort()
    .reverse();
}

/** Makes a[p,q] zero: a becomes Jᵀ a J. */
function rotate(a: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q] ?? 0;
  if (apq === 0) return;
  const theta = ((a[q * n + q] ?? 0) - (a[p * n + p] ?? 0)) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  turn(a, n, p, q, n, c, s); // columns p and q
  turn(a, n, p * n, q * n, 1, c, s); // rows
}

/** Turns two rows or columns of n numbers that begin at i and j, `step` apart, by an angle of cosine c and sine s. */
function turn(
  a: Float64Array,
  n: number,
  i: number,
  j: number,
  step: number,
  c: number,
  s: number,
): void {
  for (let k = 0; k < n; k++) {
    const x = a[i + k * step] ?? 0;
    const y = a[j + k * step] ?? 0;
    a[i + k * step] = c * x - s * y;
    a[j + k * step] = s * x + c * y;
  }
}

/** The w with a w = b, for a symmetric positive definite, by Cholesky's factor. */
export function solvePositive(a: Matrix, b: ArrayLike<number>): Float64Array {
  const n = a.rows;
  const lower = new Float64Array(n * n); // a = L Lᵀ
  const l = (i: number, j: number): number => lower[i * n + j] ?? 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a.data[i * n + j] ?? 0;
      for (let k = 0; k < j; k++) sum -= l(i, k) * l(j, k);
      if (i === j && !(sum > 0)) {
        throw new ArgumentError(
          "solvePositive: the matrix isn't positive definite; more l2 makes it so",
        );
      }
      lower[i * n + j] = i === j ? Math.sqrt(sum) : sum / l(j, j);
    }
  }
  const w = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) w[i] = (w[i] ?? 0) - l(i, k) * (w[k] ?? 0);
    w[i] = (w[i] ?? 0) / l(i, i);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) w[i] = (w[i] ?? 0) - l(k, i) * (w[k] ?? 0);
    w[i] = (w[i] ?? 0) / l(i, i);
  }
  return w;
}
