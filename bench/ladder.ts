// A ladder for matmul, C[n,n] = A[n,n] · B[n,n]: from three nested loops to the kernel that
// training runs, one idea a rung. Every rung is held against the first before it is timed. Most of
// the way up is about memory: the arithmetic never changes.
//
//   npm run bench -- ladder            n = 256 and 1024
//
//   1 naive          the definition: each element of C is a dot product; B is read down its columns
//   2 reordered      the two inner loops exchanged: B and C are read along their rows
//   3 blocked        blocks of 64 x 64: what is read is used 64 times before it leaves the cache
//   4 register tile  4 x 4 of C in local variables while k runs: each load feeds four uses
//   5 SIMD           the tile in WebAssembly, 32 sums in eight vector registers, B where it lies
//   6 SIMD, packed   B laid out first in panels of 8 or 16 columns, in the order the tile reads it
//   7 threads        the same, rows shared between threads; the same bits
//
// Rung 2 helps once the matrices outgrow the caches, n = 1024; at 256 its loads and stores of C cost
// more than the misses it saves. Rung 3 gains nothing here: an inner loop in JavaScript is slower than
// the memory behind it. Its idea pays where the arithmetic is fast, which is why rung 6 has it too.
// Read next: kernels/wasm/matmul.as.ts, rungs 5 and 6.

import { createWasm, type Wasm } from "../kernels/wasm/kernels.ts";
import { threadCount } from "../kernels/wasm/threads.ts";
import { numbers, spread, time, validate } from "./measure.ts";
import { digits, type ResultTable } from "./report.ts";

type Matmul = (a: Float32Array, b: Float32Array, c: Float32Array, n: number) => void;

const naive: Matmul = (a, b, c, n) => {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[i * n + k]! * b[k * n + j]!;
      c[i * n + j] = sum;
    }
  }
};

const reordered: Matmul = (a, b, c, n) => {
  c.fill(0);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const x = a[i * n + k]!;
      for (let j = 0; j < n; j++) c[i * n + j]! += x * b[k * n + j]!;
    }
  }
};

const block = 64;

const blocked: Matmul = (a, b, c, n) => {
  c.fill(0);
  for (let k0 = 0; k0 < n; k0 += block) {
    for (let j0 = 0; j0 < n; j0 += block) {
      for (let i = 0; i < n; i++) blockRow(a, b, c, n, i, k0, j0);
    }
  }
};

function blockRow(
  a: Float32Array,
  b: Float32Array,
  c: Float32Array,
  n: number,
  i: number,
  k0: number,
  j0: number,
): void {
  const [kEnd, jEnd] = [Math.min(n, k0 + block), Math.min(n, j0 + block)];
  for (let k = k0; k < kEnd; k++) {
    const x = a[i * n + k]!;
    for (let j = j0; j < jEnd; j++) c[i * n + j]! += x * b[k * n + j]!;
  }
}

/** n must be a multiple of 4: a lesson, not a library. */
const registerTile: Matmul = (a, b, c, n) => {
  for (let j = 0; j < n; j += 4) for (let i = 0; i < n; i += 4) tile(a, b, c, n, i, j);
};

function tile(
  a: Float32Array,
  b: Float32Array,
  c: Float32Array,
  n: number,
  i: number,
  j: number,
): void {
  let c00 = 0,
    c01 = 0,
    c02 = 0,
    c03 = 0,
    c10 = 0,
    c11 = 0,
    c12 = 0,
    c13 = 0;
  let c20 = 0,
    c21 = 0,
    c22 = 0,
    c23 = 0,
    c30 = 0,
    c31 = 0,
    c32 = 0,
    c33 = 0;
  for (let k = 0, at = j; k < n; k++, at += n) {
    const b0 = b[at]!,
      b1 = b[at + 1]!,
      b2 = b[at + 2]!,
      b3 = b[at + 3]!;
    const a0 = a[i * n + k]!,
      a1 = a[(i + 1) * n + k]!,
      a2 = a[(i + 2) * n + k]!,
      a3 = a[(i + 3) * n + k]!;
    c00 += a0 * b0;
    c01 += a0 * b1;
    c02 += a0 * b2;
    c03 += a0 * b3;
    c10 += a1 * b0;
    c11 += a1 * b1;
    c12 += a1 * b2;
    c13 += a1 * b3;
    c20 += a2 * b0;
    c21 += a2 * b1;
    c22 += a2 * b2;
    c23 += a2 * b3;
    c30 += a3 * b0;
    c31 += a3 * b1;
    c32 += a3 * b2;
    c33 += a3 * b3;
  }
  c.set([c00, c01, c02, c03], i * n + j);
  c.set([c10, c11, c12, c13], (i + 1) * n + j);
  c.set([c20, c21, c22, c23], (i + 2) * n + j);
  c.set([c30, c31, c32, c33], (i + 3) * n + j);
}

/** A rung that works in the WebAssembly memory: operands go in once, outside the timing. */
function inWasm(
  wasm: Wasm,
  a: Float32Array,
  b: Float32Array,
  n: number,
  run: (a: number, b: number, c: number) => void,
): Rung {
  const at = [a, b].map((x) => {
    const p = wasm.alloc(x.byteLength);
    wasm.f32.set(x, p >> 2);
    return p;
  }) as [number, number];
  const c = wasm.alloc(4 * n * n);
  return {
    body: () => run(at[0], at[1], c),
    result: () => wasm.f32.slice(c >> 2, (c >> 2) + n * n),
  };
}

interface Rung {
  body(): void;
  result(): Float32Array;
}

/** The rungs from the bottom up, for operands a and b [n,n]. */
function rungsOf(
  n: number,
  a: Float32Array,
  b: Float32Array,
): readonly (readonly [string, Rung])[] {
  const script = (f: Matmul): Rung => {
    const c = new Float32Array(n * n);
    return { body: () => f(a, b, c, n), result: () => c };
  };
  const [one, all] = [createWasm({ threads: 1 }), createWasm()];
  const direct = (p: number, q: number, c: number) =>
    one.exports.matmulSmall(0, 1, p, n, 0, 0, q, n, 0, 0, c, n, 0, n, n, n, 0, 0);
  const panels = Math.ceil(n / 8);
  const packed = one.alloc(panels * n * 32);
  const packing = (p: number, q: number, c: number) => {
    one.exports.packB(0, panels, q, n, 0, n, n, packed);
    one.exports.matmulPacked(0, n, p, n, 0, packed, c, n, n, n, 0, 0);
  };
  const shared = (p: number, q: number, c: number) => all.matmul(p, q, c, { M: n, N: n, K: n });
  return [
    ["1 naive", script(naive)],
    ["2 reordered", script(reordered)],
    ["3 blocked", script(blocked)],
    ["4 register tile", script(registerTile)],
    ["5 SIMD", inWasm(one, a, b, n, direct)],
    ["6 SIMD, packed", inWasm(one, a, b, n, packing)],
    [`7 threads (${threadCount()})`, inWasm(all, a, b, n, shared)],
  ];
}

/** Climbs the ladder at 256 and, with more time, at 1024. */
export async function ladder(
  table: ResultTable,
  { quick }: { readonly quick: boolean },
): Promise<void> {
  table.head("n, rung", "GFLOP/s", "spread", "x the first");
  for (const n of quick ? [256] : [256, 1024]) {
    const [a, b] = [numbers(n * n, 1), numbers(n * n, 2)];
    const want = new Float32Array(n * n);
    naive(a, b, want, n);
    let first = 0;
    for (const [name, { body, result }] of rungsOf(n, a, b)) {
      body();
      validate(name, result(), want, 1e-4);
      const t = time(body);
      first ||= t.median;
      const rate = (2 * n ** 3) / t.median / 1e9;
      const cells = [`${n}, ${name}`, digits(rate), spread(t), digits(first / t.median)];
      await table.row(cells, { n, timing: t });
    }
  }
}
