// Kernels that touch each element once: nanoseconds an element, and GB/s of what must be read and
// written. One thread, 131,072 elements: they fit the second-level cache, as activations do.
// Read next: rows.ts.

import { adamwStep, grad, type Tensor, tensor } from "../../core/index.ts";
import { survives } from "../../core/ops/fused/drop.ts";
import { validate } from "../measure.ts";
import type { ResultTable } from "../report.ts";
import { addStream, get, given, on, one, put } from "./shared.ts";

const n = 131072;
const some = 1000; // elements that are compared

type Unary = (x: Tensor) => Tensor;

const unary: Readonly<Record<string, Unary>> = {
  Neg: (x) => x.neg(),
  Relu: (x) => x.relu(),
  Exp: (x) => x.exp(),
  Log: (x) => x.log(),
  Tanh: (x) => x.tanh(),
  Sin: (x) => x.sin(),
  Erf: (x) => x.erf(),
  Sigmoid: (x) => x.sigmoid(),
  LogSigmoid: (x) => x.logSigmoid(),
  Silu: (x) => x.silu(),
  Gelu: (x) => x.gelu(),
  GeluTanh: (x) => x.gelu({ approximate: "tanh" }),
};

/** g times the derivative of f at x. */
const slope =
  (f: Unary) =>
  (x: Tensor, g: Tensor): Tensor => {
    const leaf = x.detach().requiresGrad_();
    return grad(f(leaf), [leaf], { gradOutputs: g })[0] as Tensor;
  };

export async function elementwise(table: ResultTable): Promise<void> {
  table.head("131,072 elements", "ns/element", "spread", "GB/s");
  const [px, x] = given(n, 1, (u) => u + 1.5); // in [0.5, 2.5): log and pow want them positive
  const [pg, g] = given(n, 2);
  const py = one.alloc(4 * n);
  const [tx, tg] = [x, g].map((values) => tensor(values.slice(0, some))) as [Tensor, Tensor];
  const add = async (name: string, bytes: number, want: Tensor, run: () => void) => {
    run();
    validate(name, get(py, want.size), want.data, 1e-5);
    await addStream(table, name, n, bytes, run);
  };
  for (const [name, f] of Object.entries(unary)) {
    const kernel = `unary${name}` as "unaryExp";
    await add(name, 8, f(tx), () => one.run(kernel, n, 1, 4, px, py));
  }
  for (const name of ["Gelu", "GeluTanh", "Silu"] as const) {
    const want = slope(unary[name]!)(tx, tg);
    const kernel = `grad${name}` as const;
    await add(`gradient of ${name}`, 12, want, () => one.run(kernel, n, 1, 4, pg, px, py));
  }
  const binary = (kernel: "binaryAdd" | "binaryMul" | "binaryPow") => () =>
    one.run(kernel, n, 1, 4, n, 0, px, 0, 1, pg, 0, 1, py);
  await add("Add", 12, tx.add(tg), binary("binaryAdd"));
  await add("Pow", 12, tx.pow(tg), binary("binaryPow"));
  await add("Add, a row to every row [1024,128]", 8, tx.add(tensor(repeated(g))), () =>
    one.run("binaryAdd", n, 1, 4, 128, 0, px, 128, 1, pg, 0, 1, py),
  );
  await add("Mul, scalar", 8, tx.mul(g[0]!), () =>
    one.run("binaryMul", n, 1, 4, n, 0, px, 0, 1, pg, 0, 0, py),
  );
  const drop = { p: 0.1, seed: 7 };
  const dropped = tensor(x.slice(0, some).map((u, i) => (survives(i, drop) ? u / 0.9 : 0)));
  await add("dropout", 8, dropped, () => one.run("dropout", n, 1, 4, px, py, drop.p, drop.seed));
  await sums(add, px, py, x);
  await moves(add, px, py, x);
  await inPlace(table, px, pg);
}

const repeated = (row: Float32Array) =>
  Float32Array.from({ length: some }, (_, i) => row[i % 128]!);

type Add = (name: string, bytes: number, want: Tensor, run: () => void) => Promise<void>;

async function sums(add: Add, px: number, py: number, x: Float32Array): Promise<void> {
  const [total, columns] = [on([n], x).sum().reshape([1]), on([1024, 128], x).sum({ dim: 0 })];
  await add("sum of all", 4, total, () => one.sum(px, py, 1, n, 1));
  await add("sum over rows [1024,128]", 4, columns, () => one.sum(px, py, 1, 1024, 128));
}

async function moves(add: Add, px: number, py: number, x: Float32Array): Promise<void> {
  await add("transpose [1024,128]", 8, on([1024, 128], x).transpose(), () =>
    one.stridedCopy(px, py, [128, 1024], [1, 128], [1024, 1]),
  );
  const heads = on([16, 64, 4, 32], x).permute([0, 2, 1, 3]);
  await add("[16,64,4,32] to [16,4,64,32]", 8, heads, () =>
    one.stridedCopy(px, py, [16, 4, 64, 32], [8192, 32, 128, 1], [8192, 2048, 32, 1]),
  );
}

/** AdamW reads p, g, m, v and writes p, m, v; its list holds five words for a block of 8192. */
async function inPlace(table: ResultTable, px: number, pg: number): Promise<void> {
  const [pm] = given(n, 3);
  const pv = put(given(n, 4)[1].map(Math.abs));
  const blocks = n / 8192;
  const list = one.alloc(20 * blocks);
  for (let i = 0; i < blocks; i++) {
    const addresses = [px, pg, pm, pv].map((p) => p + 32768 * i);
    one.i32.set([...addresses, 8192], (list >> 2) + 5 * i);
  }
  const step = () =>
    one.run("adamwList", blocks, 1, 1, list, 1, 0.9, 0.99, 0.1, 0.01, 1, 1e-3, 1, 1e-8);
  const [w, g, m, v] = [px, pg, pm, pv].map((at) => [tensor(get(at, some))]) as [
    Tensor[],
    Tensor[],
    Tensor[],
    Tensor[],
  ];
  const rates = { lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0 };
  adamwStep(w, g, m, v, { ...rates, step: 1e6 }); // so late that the averages need no correction
  step();
  validate("AdamW", get(px, some), w[0]!.data, 1e-5);
  await addStream(table, "AdamW", n, 28, step);
}
