// Kernels that work on rows: softmax and its kin, cross entropy, layer norm. One thread; GB/s of what
// must be read and written. Held against core's reference device.
// Read next: attention.ts.

import { crossEntropy, grad, layerNorm, type Tensor, tensor } from "../../core/index.ts";
import { validate } from "../measure.ts";
import type { ResultTable } from "../report.ts";
import { addStream, get, given, on, one } from "./shared.ts";

/** A matrix [r, n] and its gradient, here and in the kernels' memory, and room for a result. */
interface Case {
  readonly table: ResultTable;
  readonly r: number;
  readonly n: number;
  readonly px: number;
  readonly pg: number;
  readonly py: number;
  readonly x: Tensor;
  readonly g: Tensor;
}

export async function rows(table: ResultTable): Promise<void> {
  table.head("[rows, n]", "ns/element", "spread", "GB/s");
  for (const [r, n] of [
    [512, 256],
    [4096, 64],
    [1024, 512],
  ] as const) {
    const [[px, x], [pg, g]] = [given(r * n, 1), given(r * n, 2)];
    const [tx, tg] = [on([r, n], x).requiresGrad_(), on([r, n], g)];
    const that = { table, r, n, px, pg, py: one.alloc(4 * r * n), x: tx, g: tg };
    await softmaxes(that);
    await entropy(that);
    await norm(that);
    for (const at of [px, pg, that.py]) one.free(at, 4 * r * n);
  }
}

/** Holds what `run` leaves at `at` against `want`, then times it. */
async function add(
  { table, r, n }: Case,
  name: string,
  bytes: number,
  want: Tensor,
  at: number,
  run: () => void,
): Promise<void> {
  run();
  validate(name, get(at, want.size), want.data, 1e-5);
  await addStream(table, `${name} [${r},${n}]`, r * n, bytes, run);
}

async function softmaxes(that: Case): Promise<void> {
  const { r, n, px, pg, py, x, g } = that;
  const pp = one.alloc(4 * r * n);
  const softmax = x.softmax({ dim: -1 });
  const back = grad(softmax, [x], { gradOutputs: g })[0] as Tensor;
  await add(that, "exp", 8, x.exp(), py, () => one.run("unaryExp", r * n, 1, 4, px, py));
  await add(that, "softmax", 8, softmax, pp, () => one.run("softmax", r, 1, 1, px, pp, n));
  await add(that, "softmaxGrad", 12, back, py, () =>
    one.run("softmaxGrad", r, 1, 1, pg, pp, py, n),
  );
  await add(that, "logSoftmax", 8, x.logSoftmax({ dim: -1 }), py, () =>
    one.run("logSoftmax", r, 1, 1, px, py, n),
  );
  one.free(pp, 4 * r * n);
}

async function entropy(that: Case): Promise<void> {
  const { r, n, px, py, x } = that;
  const [targets, loss, largest, mass, ones] = [0, 0, 0, 0, 0].map(() => one.alloc(4 * r)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  one.i32.fill(3, targets >> 2, (targets >> 2) + r);
  one.f32.fill(1, ones >> 2, (ones >> 2) + r);
  const want = crossEntropy(x, tensor(new Int32Array(r).fill(3)), { reduction: "none" });
  const back = grad(want.sum(), [x])[0] as Tensor;
  await add(that, "crossEntropy", 4, want, loss, () =>
    one.run("crossEntropy", r, 1, 1, px, targets, n, -100, 0, loss, largest, mass),
  );
  await add(that, "crossEntropyGrad", 8, back, py, () =>
    one.run("crossEntropyGrad", r, 1, 1, ones, 1, 1, px, targets, largest, mass, py, n, -100, 0),
  );
}

async function norm(that: Case): Promise<void> {
  const { r, n, px, pg, py, x, g } = that;
  const [[pw, w], [pb, b]] = [given(n, 3), given(n, 4)];
  const [dw, db, means, rstds] = [n, n, r, r].map((size) => one.alloc(4 * size)) as [
    number,
    number,
    number,
    number,
  ];
  const want = layerNorm(x, tensor(w), tensor(b), { eps: 1e-5 });
  const back = grad(want, [x], { gradOutputs: g })[0] as Tensor;
  await add(that, "layerNorm", 8, want, py, () =>
    one.run("norm", r, 1, 1, px, py, n, pw, pb, 1e-5, means, rstds),
  );
  await add(that, "layerNorm backward, dw, db", 12, back, py, () =>
    one.normGrad(pg, px, py, r, n, pw, means, rstds, dw, db),
  );
}
