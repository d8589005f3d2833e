// Kernels that touch each element once: nanoseconds an element, and GB/s of what must be read and
// written. One thread, 131,072 elements: they fit the second-level cache, as activations do.
// Read next: rows.ts.

import { validate } from "../measure.ts";
import type { Table } from "../report.ts";
import { addStream, get, given, one, put } from "./shared.ts";

const n = 131072;

const gelu = (x: number) =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

const unary: readonly (readonly [string, (x: number) => number])[] = [
  ["Neg", (x) => -x],
  ["Relu", (x) => Math.max(x, 0)],
  ["Exp", Math.exp],
  ["Tanh", Math.tanh],
  ["Sin", Math.sin],
  ["Sigmoid", (x) => 1 / (1 + Math.exp(-x))],
  ["LogSigmoid", (x) => -Math.log1p(Math.exp(-x))],
  ["Silu", (x) => x / (1 + Math.exp(-x))],
  ["GeluTanh", gelu],
];

export async function elementwise(table: Table): Promise<void> {
  table.head("131,072 elements", "ns/element", "spread", "GB/s");
  const [px, x] = given(n, 1);
  const [pg, g] = given(n, 2);
  const py = one.alloc(4 * n);
  const check = (name: string, f: (i: number) => number) =>
    validate(
      name,
      get(py, 1000),
      Array.from({ length: 1000 }, (_, i) => f(i)),
      1e-5,
    );
  for (const [name, f] of unary) {
    const kernel = `unary${name}` as "unaryExp";
    const run = () => one.run(kernel, n, 1, 4, px, py);
    run();
    check(name, (i) => f(x[i]!));
    await addStream(table, name, n, 8, run);
  }
  const add = () => one.run("binaryAdd", n, 1, 4, n, 0, px, 0, 1, pg, 0, 1, py);
  add();
  check("Add", (i) => x[i]! + g[i]!);
  await addStream(table, "Add", n, 12, add);
  const stream = (name: string, bytes: number, run: () => void) =>
    addStream(table, name, n, bytes, run);
  for (const name of ["unaryLog", "unaryErf", "unaryGelu"] as const)
    await stream(name.slice(5), 8, () => one.run(name, n, 1, 4, px, py));
  for (const name of ["gradGelu", "gradGeluTanh", "gradSilu"] as const)
    await stream(name, 12, () => one.run(name, n, 1, 4, pg, px, py));
  await stream("Add, a row to every row [1024,128]", 8, () =>
    one.run("binaryAdd", n, 1, 4, 128, 0, px, 128, 1, pg, 0, 1, py),
  );
  await stream("Mul, scalar", 8, () => one.run("binaryMul", n, 1, 4, n, 0, px, 0, 1, pg, 0, 0, py));
  await stream("Pow", 12, () => one.run("binaryPow", n, 1, 4, n, 0, px, 0, 1, pg, 0, 1, py));
  await stream("axpy", 12, () => one.run("axpy", n, 1, 4, 0.5, px, py));
  await stream("dropout", 8, () => one.run("dropout", n, 1, 4, px, py, 0.1, 7));
  await moves(table, px, py);
  await adamW(table, px, pg);
}

async function moves(table: Table, px: number, py: number): Promise<void> {
  const stream = (name: string, bytes: number, run: () => void) =>
    addStream(table, name, n, bytes, run);
  await stream("sum of all", 4, () => one.sum(px, py, 1, n, 1));
  await stream("sum over rows [1024,128]", 4, () => one.sum(px, py, 1, 1024, 128));
  await stream("transpose [1024,128]", 8, () =>
    one.stridedCopy(px, py, [128, 1024], [1, 128], [1024, 1]),
  );
  await stream("[16,64,4,32] to [16,4,64,32]", 8, () =>
    one.stridedCopy(px, py, [16, 4, 64, 32], [8192, 32, 128, 1], [8192, 2048, 32, 1]),
  );
}

/** Reads p, g, m, v and writes p, m, v; the list holds five words for each block of 8192. */
async function adamW(table: Table, px: number, pg: number): Promise<void> {
  const [pm] = given(n, 3);
  const pv = put(given(n, 4)[1].map(Math.abs));
  const blocks = n / 8192;
  const list = one.alloc(20 * blocks);
  for (let i = 0; i < blocks; i++) {
    const addresses = [px, pg, pm, pv].map((p) => p + 32768 * i);
    one.i32.set([...addresses, 8192], (list >> 2) + 5 * i);
  }
  await addStream(table, "AdamW", n, 28, () =>
    one.run("adamwList", blocks, 1, 1, list, 1, 0.9, 0.99, 0.1, 0.01, 1, 1e-9, 1, 1e-8),
  );
}
