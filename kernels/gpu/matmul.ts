// The matrix product: a cell of the result is a row of A times a column of B. Flags say how the matrices
// lie, so a transposed one costs nothing; batches are walked along at most two axes of their own.
// Next: softmax.ts, crossEntropy.ts and norm.ts, for what a network does between its products.

import type { ForwardCall } from "../../core/index.ts";
import type { Contraction, ContractKernel } from "../../core/op.ts";
import { stridesOf } from "../../core/shape.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import type { Engine } from "./engine.ts";
import { quotient } from "./math.ts";
import { bufferOf, firstOf, sizeOf } from "./rule.ts";
import type { GpuBuffer } from "./storage.ts";
import { move } from "./view.ts";
import { walkOf } from "./walk.ts";

/** C[p, q, row, column] = Σ_l A[p, q, row, l] B[p, q, l, column]. */
const product = kernel(
  "matmul",
  2,
  function matmul(
    this: Thread,
    a: Numbers,
    b: Numbers,
    m: number,
    n: number,
    k: number,
    aRow: number,
    aColumn: number,
    bRow: number,
    bColumn: number,
    qs: number,
    aP: number,
    aQ: number,
    bP: number,
    bQ: number,
  ) {
    const i = this.thread.x;
    const rows = quotient(i, n);
    const column = i - rows * n;
    const batch = quotient(rows, m);
    const row = rows - batch * m;
    const p = quotient(batch, qs);
    const q = batch - p * qs;
    const aFirst = p * aP + q * aQ + row * aRow;
    const bFirst = p * bP + q * bQ + column * bColumn;
    let sum = 0;
    for (let l = 0; l < k; l++) {
      sum += a[aFirst + l * aColumn]! * b[bFirst + l * bRow]!;
    }
    return sum;
  },
  [quotient as Helper],
);

/** Strides of a batch as two axes, the outer one last to be used. */
function twoAxes({ sizes, steps }: ReturnType<typeof walkOf>): number[] {
  const [aSteps, bSteps] = steps as [number[], number[]];
  const inner = sizes.length - 1;
  const at = (own: readonly number[], d: number): number => own[d] ?? 0;
  const [aP, bP] = inner === 0 ? [0, 0] : [at(aSteps, 0), at(bSteps, 0)];
  return [sizes[inner] as number, aP, at(aSteps, inner), bP, at(bSteps, inner)];
}

/** An operand with its batch written out, where it is walked along more than two axes. */
function spread(
  engine: Engine,
  x: GpuBuffer,
  { batch }: Contraction,
  strides: readonly number[],
  cells: number,
): GpuBuffer {
  return move(engine, x, [...batch, cells], [...strides, 1]);
}

export function contract(
  engine: Engine,
  { contraction }: ContractKernel,
  call: ForwardCall,
): readonly GpuBuffer[] {
  const spec = firstOf(call);
  const c = contraction(...call.args);
  const { m, n, k } = c;
  const [left, right] = call.tensors;
  if (left === undefined || right === undefined) return []; // a product has two
  let [a, b] = [bufferOf(left), bufferOf(right)];
  let walk = walkOf(c.batch, [c.strideA, c.strideB]);
  if (walk.sizes.length > 2) {
    a = spread(engine, a, c, c.strideA, m * k);
    b = spread(engine, b, c, c.strideB, k * n);
    const own = (cells: number): number[] => stridesOf(c.batch).map((stride) => stride * cells);
    walk = walkOf(c.batch, [own(m * k), own(k * n)]);
  }
  const [aRow, aColumn] = c.transposeA ? [1, m] : [k, 1];
  const [bRow, bColumn] = c.transposeB ? [1, k] : [n, 1];
  const numbers = [m, n, k, aRow, aColumn, bRow, bColumn, ...twoAxes(walk)];
  return [engine.launch(product, spec.dtype, sizeOf(spec), [a, b], numbers)];
}
