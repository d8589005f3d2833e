// What wide lanes must show before they are used: the stored bits of a training step's kernels on fixed
// numbers, and that they are faster. Edges are there on purpose: sizes that no tile divides.
// Next: wide.ts, who asks.

import type { SharedKernel } from "./exports.ts";
import type { Product, Wasm } from "./kernels.ts";

/** Floats in each of the four places that kernels read from and write to here. */
const room = 24_576;

const products: readonly Product[] = [
  { M: 23, N: 43, K: 38 },
  { M: 23, N: 43, K: 38, transposeA: true },
  { M: 23, N: 43, K: 37, transposeB: true },
  { M: 22, N: 40, K: 600 },
  { M: 22, N: 40, K: 600, transposeA: true, add: true },
  { M: 22, N: 40, K: 600, transposeB: true },
  { M: 1, N: 70, K: 60 },
];

/** A kernel with its units and arguments, given addresses of inputs and outputs. */
type Check = (
  x: number,
  g: number,
  y: number,
  z: number,
) => readonly [SharedKernel, units: number, ...args: readonly number[]];

const n = 83;
const checks: readonly Check[] = [
  (x, _g, y) => ["unaryExp", n, x, y],
  (x, _g, y) => ["unaryTanh", n, x, y],
  (x, _g, y) => ["unarySilu", n, x, y],
  (x, g, y) => ["gradSilu", n, g, x, y],
  (x, _g, y) => ["unaryGelu", n, x, y],
  (x, g, y) => ["gradGelu", n, g, x, y],
  (x, _g, y) => ["unaryGeluTanh", n, x, y],
  (x, g, y) => ["gradGeluTanh", n, g, x, y],
  (x, _g, y) => ["softmax", 9, x, y, n],
  (x, g, y) => ["softmaxGrad", 9, g, x, y, n],
  (x, g, y, z) => ["norm", 9, x, y, n, g, g, 1e-5, z, z + 64],
  (x, g, y, z) => ["normGrad", 2, g, x, y, 40, n, g, x, x + 512, z, z + 8 * n],
  (x, _g, y) => ["sumColumns", 3, x, 30, 43, y, 1, 0],
  (x, _g, y) => ["sumRows", 9, x, n, y, 1, 0],
  (x, _g, y) => ["axpy", n, 0.75, x, y],
];

/** A hash of what the kernels of a training step make of fixed numbers. */
export function bitsOf(wasm: Wasm): number {
  const at = wasm.alloc(4 * 4 * room);
  const [x, g, y, z] = [at, at + 4 * room, at + 8 * room, at + 12 * room] as const;
  let hash = 0x811c9dc5;
  const check = (run: () => void): void => {
    wasm.f32.fill(0.5, y >> 2, (y >> 2) + 2 * room);
    run();
    for (let i = y >> 2; i < (y >> 2) + 2 * room; i++)
      hash = Math.imul(hash ^ (wasm.i32[i] as number), 0x01000193); // FNV-1a by words
  };
  fill(wasm, x, 2 * room);
  for (const product of products) check(() => wasm.matmul(x, g, y, product));
  for (const of of checks) {
    const [kernel, units, ...args] = of(x, g, y, z);
    check(() => wasm.run(kernel, units, 1, 1, ...args));
  }
  check(() => attend(wasm, x, g, y, z));
  check(() => step(wasm, x, g, y));
  wasm.free(at, 4 * 4 * room);
  return hash >>> 0;
}

/** Numbers in [-4, 4), the same every time. */
function fill(wasm: Wasm, at: number, count: number): void {
  let state = 1;
  for (let i = at >> 2; i < (at >> 2) + count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    wasm.f32[i] = state / 2 ** 29;
  }
}

/** Causal attention of two heads over 70 tokens, from x, and its gradients. */
function attend(wasm: Wasm, x: number, g: number, y: number, z: number): void {
  const [H, T, D] = [2, 70, 16];
  const strides = [H * T * D, T * D, D];
  const sizes = [1, H, H, T, T, D, 1, 0, 0];
  const layout = wasm.layout([...sizes, ...strides, ...strides, ...strides, ...strides, 0, 0]);
  wasm.f32[(layout >> 2) + 8] = 0.25;
  const part = 4 * H * T * D;
  const [q, k, v, largest, mass] = [x, x + part, x + 2 * part, y + part, y + part + 4 * H * T];
  wasm.run("attention", 2 * H, 1, 1, layout, q, k, v, y, largest, mass);
  const into = [z, z + part, z + 2 * part];
  wasm.run("attentionGrad", H, 1, 1, layout, g, q, k, v, y, largest, mass, ...into);
}

/** AdamW of one block: parameters at y, averages after them. */
function step(wasm: Wasm, x: number, g: number, y: number): void {
  wasm.f32.copyWithin(y >> 2, x >> 2, (x >> 2) + n);
  const table = wasm.alloc(20);
  for (const [i, word] of [y, g, y + 4 * n, y + 8 * n, n].entries())
    wasm.i32[(table >> 2) + i] = word;
  wasm.run("adamwList", 1, 1, 1, table, 1, 0.9, 0.95, 0.1, 0.05, 0.999, 0.01, 2, 1e-8);
  wasm.free(table, 20);
}

/**
 * Whether the wide tile beats the narrow one by far, which it does where lanes were joined: the least of
 * several timings in turn, as other processes want the core too.
 */
export function isFaster(wasm: Wasm): boolean {
  const [M, N, K] = [64, 64, 256];
  const at = wasm.alloc(4 * (M * K + K * N + M * N));
  const [b, c] = [at + 4 * M * K, at + 4 * (M * K + K * N)];
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as [number, number];
  for (let turn = 0; turn < 14; turn++) {
    const isWide = turn % 2;
    wasm.exports.setWide(isWide);
    const start = performance.now();
    wasm.exports.matmulSmall(0, 1, at, K, 0, 0, b, N, 0, 0, c, N, 0, M, N, K, 0, 0);
    best[isWide] = Math.min(best[isWide] as number, performance.now() - start);
  }
  wasm.free(at, 4 * (M * K + K * N + M * N));
  return best[1] < 0.85 * best[0];
}
