// Kernels that work on rows: softmax and its kin, cross entropy, layer norm. One thread; GB/s of what
// must be read and written.
// Read next: attention.ts.

import { validate } from "../measure.ts";
import type { Table } from "../report.ts";
import { addStream, get, given, one } from "./shared.ts";

export async function rows(table: Table): Promise<void> {
  table.head("[rows, n]", "ns/element", "spread", "GB/s");
  for (const [r, n] of [
    [512, 256],
    [4096, 64],
    [1024, 512],
  ] as const) {
    const size = r * n;
    const [[px, x], [pg]] = [given(size, 1), given(size, 2)];
    const [py, pd] = [one.alloc(4 * size), one.alloc(4 * size)];
    const stream = (name: string, bytes: number, run: () => void) =>
      addStream(table, `${name} [${r},${n}]`, size, bytes, run);
    one.run("softmax", r, 1, 1, px, py, n);
    checkSoftmax(x.subarray(0, n), get(py, n));
    await stream("exp", 8, () => one.run("unaryExp", size, 1, 4, px, py));
    await stream("softmax", 8, () => one.run("softmax", r, 1, 1, px, py, n));
    await stream("softmaxGrad", 12, () => one.run("softmaxGrad", r, 1, 1, pg, py, pd, n));
    await stream("logSoftmax", 8, () => one.run("logSoftmax", r, 1, 1, px, py, n));
    await crossEntropy(stream, r, n, px, pd);
    await layerNorm(stream, r, n, px, pg, pd);
    for (const at of [px, py, pg, pd]) one.free(at, 4 * size);
  }
}

type Stream = (name: string, bytes: number, run: () => void) => Promise<unknown>;

function checkSoftmax(x: Float32Array, got: Float32Array): void {
  const e = Array.from(x, Math.exp);
  const total = e.reduce((s, v) => s + v, 0);
  const want = e.map((v) => v / total);
  validate("softmax", got, want, 1e-6);
}

async function crossEntropy(stream: Stream, r: number, n: number, px: number, pd: number) {
  const [targets, loss, lse] = [one.alloc(4 * r), one.alloc(4 * r), one.alloc(4 * r)];
  one.i32.fill(3, targets >> 2, (targets >> 2) + r);
  await stream("crossEntropy", 4, () =>
    one.run("crossEntropy", r, 1, 1, px, targets, n, -100, 0, loss, lse),
  );
  await stream("crossEntropyGrad", 8, () =>
    one.run("crossEntropyGrad", r, 1, 1, loss, 0, 1, px, targets, lse, pd, n, -100, 0),
  );
}

async function layerNorm(stream: Stream, r: number, n: number, px: number, pg: number, pd: number) {
  const [[w], [b]] = [given(n, 3), given(n, 4)];
  const [py, means, rstds] = [one.alloc(4 * r * n), one.alloc(4 * r), one.alloc(4 * r)];
  await stream("layerNorm", 8, () => one.run("norm", r, 1, 1, px, py, n, w, b, 1e-5, means, rstds));
  await stream("layerNorm backward, dw, db", 12, () =>
    one.normGrad(pg, px, pd, r, n, w, means, rstds, w, b),
  );
  one.free(py, 4 * r * n);
}
