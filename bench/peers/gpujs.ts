// gpu.js in its webasm mode: a function computes one element of the result, and is compiled to
// WebAssembly with SIMD for all of them. Synchronous kernels, and pipelines without `threads`, stay
// on the caller's thread. It has kernels, not tensors: a call copies its arguments in and its result
// out. It has no gradients, so it can't run the training step.
// Read next: ../race.ts.

import { readFileSync } from "node:fs";
import { GPU, type IKernelFunctionThis, Input } from "gpu.js";
import { type Ready, serve } from "../contestant.ts";
import { factors, rowsOf, type Work } from "../works.ts";

type Kernel = IKernelFunctionThis<{ n: number }>;

const gpu = new GPU({ mode: "webasm" });

/** Rows come back as an array of arrays. */
function simple(run: () => unknown): Ready {
  return {
    result: async () => ((await run()) as Float32Array[]).flatMap((row) => Array.from(row)),
    run,
  };
}

function matmul(n: number): Ready {
  const [a, b] = factors(n).map((x) => new Input(x as never, [n, n]));
  const product = gpu.createKernel(
    function (this: Kernel, p: number[][], q: number[][]) {
      let sum = 0;
      for (let k = 0; k < this.constants.n; k++) {
        sum += p[this.thread.y]![k]! * q[k]![this.thread.x]!;
      }
      return sum;
    },
    { output: [n, n], constants: { n } },
  );
  return simple(() => product(a as never, b as never));
}

function exp([rows, n]: readonly [number, number]): Ready {
  const x = new Input(rowsOf([rows, n]) as never, [n, rows]);
  const kernel = gpu.createKernel(
    function (this: Kernel, v: number[][]) {
      return Math.exp(v[this.thread.y]![this.thread.x]!);
    },
    { output: [n, rows] },
  );
  return simple(() => kernel(x as never));
}

/** Four kernels in one plan: each row's maximum, the exponentials, each row's sum, the quotients. */
function softmax([rows, n]: readonly [number, number]): Ready {
  const x = new Input(rowsOf([rows, n]) as never, [n, rows]);
  const constants = { n };
  const maximum = gpu.createKernel(
    function (this: Kernel, v: number[][]) {
      let most = v[this.thread.x]![0]!;
      for (let i = 1; i < this.constants.n; i++) most = Math.max(most, v[this.thread.x]![i]!);
      return most;
    },
    { output: [rows], constants },
  );
  const raised = gpu.createKernel(
    function (this: Kernel, v: number[][], most: number[]) {
      return Math.exp(v[this.thread.y]![this.thread.x]! - most[this.thread.y]!);
    },
    { output: [n, rows] },
  );
  const sum = gpu.createKernel(
    function (this: Kernel, v: number[][]) {
      let total = 0;
      for (let i = 0; i < this.constants.n; i++) total += v[this.thread.x]![i]!;
      return total;
    },
    { output: [rows], constants },
  );
  const quotient = gpu.createKernel(
    function (this: Kernel, v: number[][], total: number[]) {
      return v[this.thread.y]![this.thread.x]! / total[this.thread.y]!;
    },
    { output: [n, rows] },
  );
  const plan = (v: never) => {
    const e = raised(v, maximum(v) as never) as never;
    return quotient(e, sum(e) as never);
  };
  const run = gpu.createPipeline(plan as never, { threads: false } as never);
  return simple(() => run(x as never));
}

function prepare(work: Work): Ready | string {
  if (work.kind === "train") return "has no gradients";
  if (work.kind === "matmul") return matmul(work.n);
  return work.kind === "exp" ? exp(work.shape) : softmax(work.shape);
}

const { version } = JSON.parse(
  readFileSync(new URL("node_modules/gpu.js/package.json", import.meta.url), "utf8"),
) as { version: string };

serve({ name: "gpu.js webasm", version, about: "SIMD, 1 thread", prepare });
