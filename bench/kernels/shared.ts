// What the kernel benchmarks have in common: one thread's kernels, numbers in their memory, and how
// fast this machine multiplies and adds on registers alone.
// Read next: matmul.ts.

import "../lanes.ts";
import { type Tensor, tensor } from "../../core/index.ts";
import { createWasm, type Wasm } from "../../kernels/wasm/kernels.ts";
import { numbers, spread, type Timing, time, validate } from "../measure.ts";
import { digits, type ResultTable } from "../report.ts";

export const one = createWasm({ threads: 1 });

/** Numbers made of uniform ones in [-1, 1), in the kernels' memory: the address, and the numbers. */
export function given(
  n: number,
  seed: number,
  made = (u: number): number => u,
): [number, Float32Array] {
  const values = numbers(n, seed).map(made);
  return [put(values), values];
}

export function put(values: Float32Array): number {
  const at = one.alloc(values.byteLength);
  one.f32.set(values, at >> 2);
  return at;
}

/** The first numbers as a tensor of core's, whose reference device says what is right. */
export function on(shape: readonly number[], values: Float32Array): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(values.slice(0, size), { shape });
}

export function get(at: number, n: number, wasm: Wasm = one): Float32Array {
  return wasm.f32.slice(at >> 2, (at >> 2) + n);
}

/** GFLOP/s of multiplies and adds that never touch memory: what a product could reach. */
export function peak(): number {
  const rounds = 1_000_000;
  return (104 * rounds) / time(() => one.exports.peak(rounds, 0.5, 0.25), 60).median / 1e9;
}

/** The layout of a product: C[M,N] = A[M,K] · B[K,N], or B[N,K] if transposed. */
export interface Layout {
  readonly N: number;
  readonly K: number;
  readonly transposeB?: boolean;
}

/** Some fifty entries of a product against double precision. */
export function spotCheck(
  name: string,
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  { N, K, transposeB = false }: Layout,
): void {
  for (let e = 0; e < c.length; e += Math.max(1, Math.floor(c.length / 50))) {
    const [m, n] = [Math.floor(e / N), e % N];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += a[m * K + k]! * b[transposeB ? n * K + k : k * N + n]!;
    validate(name, [c[e]!], [sum], 1e-4);
  }
}

/** Times a kernel over n elements, bytes each moved to or from memory, and adds a row. */
export async function addStream(
  table: ResultTable,
  name: string,
  n: number,
  bytes: number,
  body: () => void,
): Promise<Timing> {
  const timing = time(body, 60);
  const [ns, rate] = [(timing.median / n) * 1e9, (bytes * n) / timing.median / 1e9];
  await table.row([name, digits(ns), spread(timing), digits(rate)], { n, bytes, timing });
  return timing;
}
