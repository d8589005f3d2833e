// The host's side of the kernels: which path a product takes, how a sum is split in two, how much
// work is worth sharing. Everything is an address and a size; tensors are not known here.
//
//   const wasm = createWasm();
//   const x = wasm.alloc(4 * 1000);                      // bytes
//   wasm.f32.set(values, x >> 2);
//   wasm.run("unaryTanh", 1000, 2, 1024, x, x);          // units, ns each, grain, arguments
// Read next: exports.ts for every kernel's arguments, test/kernels.test.ts for what each must equal.

import { accept, signature } from "../../core/signature.ts";
import type { Exports, Kernels, SharedKernel } from "./exports.ts";
import type { HostMemory } from "./host.ts";
import { type Lanes, loadNow, type Program, type ProgramOptions } from "./module.ts";
import { Pool } from "./pool.ts";
import { controlBytes, scratchBytes, Threads, threadCount } from "./threads.ts";

const takes = signature(
  "createWasm",
  "{ threads?: number, worthSharing?: number, program?: object, shared?: boolean, bytes?: any }",
);

/**
 * Nanoseconds of work from which it is shared while the workers look out for it, and how many times
 * that must have gone by unshared before they are woken, beyond what went by that was too small.
 * Measured (npm run bench -- fork): sharing costs 2 microseconds with a worker awake, and 20 to 100 with
 * one asleep; a training step gains nothing from sharing work of less than this, and one that has
 * little else loses.
 */
const worthSharing = 40_000;
const worthWaking = 12;

/** Sums longer than this are taken in blocks of this many elements, with any number of threads. */
const sumBlock = 16_384;

/** Up to how many rows a product with a transposed matrix turns it piece by piece: see fewRows.as.ts. */
const fewRows = 32;

/**
 * One product, or a batch of them: C[M,N] = A · B, strides in floats between the matrices of a
 * batch (0: the same one).
 */
export interface Product {
  M: number;
  N: number;
  K: number;
  batch?: number;
  /** A is stored as [K,M]. */
  transposeA?: boolean;
  /** B is stored as [N,K]. */
  transposeB?: boolean;
  strideA?: number;
  strideB?: number;
  strideC?: number;
  /** C += A · B. */
  add?: boolean;
  /** Address of a row of N floats to add to each row; not together with `add`. */
  bias?: number;
}

/** How the kernels start: threads, from which size work is shared, and a module that is loaded already. */
export interface WasmOptions extends ProgramOptions {
  threads?: number | undefined;
  /** Nanoseconds of work from which threads share it. */
  worthSharing?: number;
  /** The kernels, if they are loaded already. */
  program?: Program;
}

/**
 * The kernels without a device around them, started at once: for benchmarks and tests. A DeviceError says
 * why they can't start.
 */
export function createWasm(options: WasmOptions = {}): Wasm {
  accept(takes, arguments);
  return new Wasm(options);
}

/** The running kernels: their memory, its pool, and the threads that share their work. */
export class Wasm {
  readonly memory: HostMemory;
  readonly exports: Exports;
  readonly pool: Pool;
  readonly threads: Threads;
  /** Whether products use fused multiply-add (TWOHEADS_FMA=1). */
  readonly fma: boolean;
  /** Bits that the engine computes at once; the same results. */
  readonly lanes: Lanes;
  /** Views of the whole memory. Renewed when it grows: never keep one across an alloc. */
  f32!: Float32Array;
  i32!: Int32Array;
  f64!: Float64Array;
  u8!: Uint8Array;
  readonly #layoutAt: number;
  readonly #worthSharing: number;
  /** Since the workers fell asleep: work that was worth sharing less work that was not, at least 0. */
  #missed = 0;

  constructor(options: WasmOptions) {
    this.#worthSharing = options.worthSharing ?? worthSharing;
    const { module, memory, exports, fma, lanes } = options.program ?? loadNow(options);
    this.fma = fma;
    this.lanes = lanes;
    this.memory = memory;
    this.exports = exports;
    this.pool = new Pool(this.memory, this.exports.heapBase(), () => this.#renewViews());
    this.#renewViews();
    const allocScratch = () => this.pool.alloc(scratchBytes);
    this.exports.setScratch(allocScratch());
    this.exports.setWide(Number(lanes === 256));
    this.#layoutAt = this.pool.alloc(512);
    this.threads = new Threads({
      module,
      memory,
      exports,
      lanes,
      count: options.threads ?? threadCount(),
      control: this.pool.alloc(controlBytes),
      allocScratch,
    });
  }

  alloc(bytes: number): number {
    return this.pool.alloc(bytes);
  }

  free(at: number, bytes: number): void {
    this.pool.free(at, bytes);
  }

  #renewViews(): void {
    const { buffer } = this.memory;
    this.f32 = new Float32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.u8 = new Uint8Array(buffer);
  }

  /**
   * Runs a kernel over `units` units that take about `cost` nanoseconds each: alone if that is
   * little, else shared out in chunks of a multiple of `grain` units, four chunks a thread.
   */
  run(kernel: SharedKernel, units: number, cost: number, grain: number, ...args: number[]): void {
    const { threads } = this;
    if (threads.count === 1 || !this.#isShared(units * cost, units > grain)) {
      (this.exports[kernel] as (...args: number[]) => void)(0, units, ...args);
      return;
    }
    const chunk = Math.ceil(units / (4 * threads.count) / grain) * grain;
    threads.run(kernel, units, chunk, args);
  }

  /** Whether a call that takes `work` nanoseconds is shared; one that can't be split never is. */
  #isShared(work: number, canSplit: boolean): boolean {
    const { threads } = this;
    const isWorth = canSplit && work >= this.#worthSharing;
    if (threads.asleep) {
      this.#missed = isWorth ? this.#missed + work : Math.max(0, this.#missed - work);
      if (this.#missed < this.#worthSharing * worthWaking) return false;
    }
    if (!isWorth || threads.paused) return false;
    this.#missed = 0;
    return true;
  }

  /** C = A · B (or C += A · B, or C = A · B + bias), any batch. */
  matmul(a: number, b: number, c: number, p: Product): void {
    let { M, N, K } = p;
    let batch = p.batch ?? 1;
    const tA = p.transposeA ? 1 : 0;
    const tB = p.transposeB ? 1 : 0;
    const nextA = p.strideA ?? M * K;
    const nextB = p.strideB ?? K * N;
    const nextC = p.strideC ?? M * N;
    const add = p.add ? 1 : 0;
    const bias = p.bias ?? 0;
    if (batch > 1 && nextB === 0 && !tA && nextA === M * K && nextC === M * N) {
      M *= batch; // one B for all: the batch is more rows
      batch = 1;
    }
    if (M === 0 || N === 0 || batch === 0) return;
    const lda = tA ? M : K;
    const ldb = tB ? K : N;
    const ns = (M * N * K) / 16;
    if (M === 1 && batch === 1 && tB) {
      this.run("matmulRowDots", N, ns / N, 16, a, b, ldb, c, K, add, bias);
    } else if (M === 1 && batch === 1) {
      const strips = Math.ceil(N / 32);
      this.run("matmulRow", strips, ns / strips, 1, a, b, ldb, c, K, N, add, bias);
    } else if (M <= fewRows && N >= 32 && K > 0 && batch === 1 && tB && !tA) {
      const panels = Math.ceil(N / 8);
      this.run("matmulFewRows", panels, ns / panels, 2, a, b, c, M, N, K, add, bias);
    } else if (this.#isSmall(M, N, K, batch, tA, tB)) {
      const args = [a, lda, tA, nextA, b, ldb, tB, nextB, c, N, nextC, M, N, K, add, bias];
      this.run("matmulSmall", batch, ns, 1, ...args);
    } else {
      for (let i = 0; i < batch; i++) {
        const [ai, bi, ci] = [a + 4 * i * nextA, b + 4 * i * nextB, c + 4 * i * nextC];
        this.#matmulLarge(ai, lda, tA, bi, ldb, tB, ci, M, N, K, add, bias);
      }
    }
  }

  /**
   * Small enough to leave B as it is (or turned, in scratch memory) and to give each thread whole
   * matrices.
   */
  #isSmall(M: number, N: number, K: number, batch: number, tA: number, tB: number): boolean {
    const width = Math.ceil(N / 8) * 8;
    const turned = (tB ? K * width : 0) + (tA ? M * K : 0);
    const fits = K <= 512 && K * N <= 1 << 16 && 4 * turned + 256 <= scratchBytes;
    return fits && (M * N * K <= 1 << 19 || batch >= 8);
  }

  /** Packs B, at most 16 MiB of it at a time, then multiplies rows. */
  #matmulLarge(
    a: number,
    lda: number,
    tA: number,
    b: number,
    ldb: number,
    tB: number,
    c: number,
    M: number,
    N: number,
    K: number,
    add: number,
    bias: number,
  ): void {
    const stripe = Math.max(8, Math.floor((1 << 22) / Math.max(K, 1) / 8) * 8);
    for (let n = 0; n < N; n += stripe) {
      const cols = Math.min(stripe, N - n);
      const panels = Math.ceil(cols / 8);
      const bytes = panels * K * 32;
      const packed = this.pool.alloc(bytes);
      this.run("packB", panels, K * 4, 1, b + 4 * n * (tB ? ldb : 1), ldb, tB, K, cols, packed);
      const row = (cols * K) / 16;
      this.run(
        "matmulPacked",
        M,
        row,
        16,
        a,
        lda,
        tA,
        packed,
        c + 4 * n,
        N,
        K,
        cols,
        add,
        bias && bias + 4 * n,
      );
      this.pool.free(packed, bytes);
    }
  }

  /** out[o, i] = scale * sum over j of x[o, j, i] (of squares if asked, where inner is 1). */
  sum(
    x: number,
    out: number,
    outer: number,
    n: number,
    inner: number,
    scale = 1,
    squares = false,
  ): void {
    if (inner > 1) {
      const strips = Math.ceil(inner / 16);
      this.run("sumColumns", outer * strips, n * 4, 1, x, n, inner, out, scale, 0);
    } else if (n <= sumBlock) {
      this.run("sumRows", outer, n / 4, 1, x, n, out, scale, squares ? 1 : 0);
    } else {
      this.#sumLongRows(x, out, outer, n, scale, squares ? 1 : 0);
    }
  }

  /** Blocks of fixed length, then the blocks in order: neither knows how many threads there are. */
  #sumLongRows(
    x: number,
    out: number,
    outer: number,
    n: number,
    scale: number,
    squares: number,
  ): void {
    const blocks = Math.ceil(n / sumBlock);
    const bytes = outer * blocks * 8;
    const parts = this.pool.alloc(bytes);
    this.run("sumBlocks", outer * blocks, sumBlock / 4, 1, x, n, sumBlock, parts, squares);
    this.run("sumDoubles", outer, blocks, 1, parts, blocks, out, scale);
    this.pool.free(parts, bytes);
  }

  /**
   * dx, and dw and db if their addresses are given, of layerNorm (means given) or rmsNorm (means
   * 0).
   */
  normGrad(...args: Parameters<Kernels["normGrad"]>): void {
    const [g, x, dx, rows, n, w, means, rstds, dw, db] = args;
    const units = Math.ceil(rows / 32);
    const bytes = units * n * 4;
    const dws = dw ? this.pool.alloc(bytes) : 0;
    const dbs = db ? this.pool.alloc(bytes) : 0;
    this.run("normGrad", units, n * 32, 1, g, x, dx, rows, n, w, means, rstds, dws, dbs);
    for (const [parts, out] of [
      [dws, dw],
      [dbs, db],
    ] as const) {
      if (!parts) continue;
      this.sumColumns(parts, out, units, n);
      this.pool.free(parts, bytes);
    }
  }

  /** out[i] = sum over r of x[r, i]: the gradient of a bias. */
  sumColumns(x: number, out: number, rows: number, n: number): void {
    this.run("sumColumns", Math.ceil(n / 16), rows * 4, 1, x, rows, n, out, 1, 0);
  }

  /**
   * Writes numbers where kernels read shapes and strides from (stridedCopy's 18, a binary kernel's
   * 5 sizes and 5 + 5 strides, attention's shape). Good until the next call; returns the address.
   */
  layout(values: readonly number[], at = 0): number {
    const start = (this.#layoutAt >> 2) + at;
    for (let i = 0; i < values.length; i++) this.i32[start + i] = values[i] as number;
    return start << 2;
  }

  /**
   * out = x moved: out[i · outStrides] = x[i · inStrides] over `shape` (up to six dimensions),
   * strides in elements.
   */
  stridedCopy(
    x: number,
    out: number,
    shape: readonly number[],
    inStrides: readonly number[],
    outStrides: readonly number[],
  ): void {
    const numbers = new Array<number>(18).fill(0); // sizes, strides of x, strides of out
    const front = 6 - shape.length;
    let units = 1;
    for (let d = 0; d < 6; d++) {
      const i = d - front;
      numbers[d] = i < 0 ? 1 : (shape[i] as number);
      numbers[6 + d] = i < 0 ? 0 : (inStrides[i] as number);
      numbers[12 + d] = i < 0 ? 0 : (outStrides[i] as number);
      if (d < 4) units *= numbers[d] as number;
    }
    const at = this.layout(numbers);
    this.run("stridedCopy", units, (numbers[4] as number) * (numbers[5] as number), 1, at, x, out);
  }
}
