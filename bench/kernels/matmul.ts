// The product by itself, one thread: as a share of multiplies and adds on registers alone, with each
// operand the other way round, and in batches of small ones, as attention has them.
// Read next: ../ladder.ts, the way there; ../../kernels/wasm/matmul.as.ts.

import { spread, time } from "../measure.ts";
import { digits, type ResultTable } from "../report.ts";
import { get, given, one, peak, spotCheck } from "./shared.ts";

export async function kernel(table: ResultTable): Promise<void> {
  table.head("n x n x n", "GFLOP/s", "spread", "of peak", "B transposed", "A transposed");
  for (const n of [64, 128, 256, 384, 512, 1024]) {
    const [[a, x], [b, y]] = [given(n * n, 1), given(n * n, 2)];
    const c = one.alloc(4 * n * n);
    one.matmul(a, b, c, { M: n, N: n, K: n });
    spotCheck(`matmul ${n}`, get(c, n * n), x, y, { N: n, K: n });
    const before = peak();
    const timings = [{}, { transposeB: true }, { transposeA: true }].map((flags) =>
      time(() => one.matmul(a, b, c, { M: n, N: n, K: n, ...flags })),
    );
    const ceiling = (before + peak()) / 2;
    const rates = timings.map((t) => (2 * n ** 3) / t.median / 1e9);
    const shares = rates.map((rate) => `${((rate / ceiling) * 100).toFixed(0)} %`);
    const cells = [String(n), digits(rates[0]!), spread(timings[0]!), ...shares];
    await table.row(cells, { n, timings, peak: ceiling * 1e9 });
    for (const at of [a, b, c]) one.free(at, 4 * n * n);
  }
  const registers = peak();
  await table.row(["peak: registers only", digits(registers)], { peak: registers * 1e9 });
}

const shapes = [
  ["q kᵀ, d 16", { M: 64, N: 64, K: 16, transposeB: true }],
  ["q kᵀ, d 32", { M: 64, N: 64, K: 32, transposeB: true }],
  ["q kᵀ, d 64", { M: 64, N: 64, K: 64, transposeB: true }],
  ["p v, d 16", { M: 64, N: 16, K: 64 }],
  ["p v, d 32", { M: 64, N: 32, K: 64 }],
  ["16 x 16 x 16", { M: 16, N: 16, K: 16 }],
  ["32 x 32 x 8", { M: 32, N: 32, K: 8 }],
] as const;

export async function batched(table: ResultTable): Promise<void> {
  table.head("batch of 64", "GFLOP/s", "spread", "GB/s");
  for (const [name, shape] of shapes) {
    const { M, N, K } = shape;
    const batch = 64;
    const [[a, x], [b, y]] = [given(batch * M * K, 1), given(batch * N * K, 2)];
    const c = one.alloc(4 * batch * M * N);
    one.matmul(a, b, c, { batch, ...shape });
    spotCheck(name, get(c, M * N), x, y, shape);
    const t = time(() => one.matmul(a, b, c, { batch, ...shape }));
    await addProduct(table, name, 2 * batch * M * N * K, 4 * batch * (M * K + N * K + M * N), t);
  }
  await oneRow(table);
}

/** A vector times a matrix: what generation does; memory, not arithmetic, is what it waits for. */
async function oneRow(table: ResultTable): Promise<void> {
  const [N, K] = [1024, 1024];
  const [[a, x], [b, y]] = [given(K, 1), given(N * K, 2)];
  const c = one.alloc(4 * N);
  for (const transposeB of [false, true]) {
    const name = `one row x 1024 x 1024${transposeB ? ", B transposed" : ""}`;
    one.matmul(a, b, c, { M: 1, N, K, transposeB });
    spotCheck(name, get(c, N), x, y, { N, K, transposeB });
    const t = time(() => one.matmul(a, b, c, { M: 1, N, K, transposeB }));
    await addProduct(table, name, 2 * N * K, 4 * N * K, t);
  }
}

function addProduct(
  table: ResultTable,
  name: string,
  operations: number,
  bytes: number,
  timing: ReturnType<typeof time>,
): Promise<void> {
  const rate = (amount: number) => digits(amount / timing.median / 1e9);
  const cells = [name, rate(operations), spread(timing), rate(bytes)];
  return table.row(cells, { operations, bytes, timing });
}
