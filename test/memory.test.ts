// Memory: a training loop of 10,000 steps, written as anybody would write it, runs in constant memory on
// every CPU device. What is measured is what the collector can't free: the heap, the arrays outside of it,
// and on the wasm device the memory of its kernels.
// A second loop does the same with second-order gradients, where forgotten graphs hide.
// Next: random.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  device,
  grad,
  noGrad,
  randn,
  random,
  scope,
  type Tensor,
  tensor,
  use,
} from "../core/index.ts";
import type { WasmDevice } from "../kernels/index.ts";
import "../kernels/index.ts";

setFlagsFromString("--expose_gc");
const collect = runInNewContext("gc") as () => void;

const megabyte = 2 ** 20;

/** Bytes that are in use, after everything that can go has gone. */
async function inUse(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve)); // arrays are freed by finalisers
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const { wasm } = device("wasm") as WasmDevice;
  return heapUsed + arrayBuffers + wasm.pool.statistics.held;
}

/** Runs `step` up to `last` times; the bytes that came in use after the first `settled` steps. */
async function growth(step: () => void, settled: number, last: number): Promise<number> {
  for (let i = 0; i < settled; i++) step();
  const before = await inUse();
  for (let i = settled; i < last; i++) step();
  return (await inUse()) - before;
}

for (const name of ["reference", "wasm"]) {
  test(`10,000 training steps without any annotation don't grow on ${name}`, async () => {
    use(name);
    const rng = random(0);
    const x = randn([16, 4], { rng });
    const target = x.sum({ dims: 1, keepDims: true }).tanh();
    const w1 = randn([8, 4], { rng, requiresGrad: true });
    const b1 = tensor(new Float32Array(8), { requiresGrad: true });
    const w2 = randn([1, 8], { rng, requiresGrad: true });
    const parameters = [w1, b1, w2];
    const losses: number[] = [];
    const step = (): void => {
      const y = x.linear(w1, b1).tanh().linear(w2);
      const loss = y.sub(target).square().mean();
      loss.backward();
      for (const p of parameters) {
        if (p.grad !== null) p.assign(p.sub(p.grad.mul(0.05)));
        p.grad = null;
      }
      losses[losses.length < 2 ? losses.length : 1] = loss.data[0] ?? Number.NaN;
    };
    const grown = await growth(step, 1_000, 10_000);
    const most = name === "wasm" ? 4 : 2; // there, up to 2,000 blocks that nobody uses pile up
    assert.ok(
      grown < most * megabyte,
      `grew by ${(grown / megabyte).toFixed(2)} MB in 9,000 steps`,
    );
    const [first = 0, last = Number.NaN] = losses;
    assert.ok(last < first / 20, `and it learns: ${first} to ${last}`);
  });
}

test("nor, on wasm, what is computed without a graph and dropped", async () => {
  const { wasm } = use("wasm") as WasmDevice;
  const x = randn([64, 64], { rng: random(1) });
  const step = (): Tensor => noGrad(() => x.matmul(x).tanh().add(1).softmax({ dim: -1 }));
  for (let i = 0; i < 2_000; i++) step();
  const before = wasm.memory.buffer.byteLength;
  const grown = await growth(step, 0, 10_000); // 655 MB in all
  assert.equal(wasm.memory.buffer.byteLength, before);
  assert.ok(before < 64 * megabyte, `${(before / megabyte).toFixed(1)} MB`);
  assert.ok(grown < 20 * megabyte, `grew by ${(grown / megabyte).toFixed(2)} MB`);
});

test("nor, on wasm, steps inside a scope, which frees what backward() let go of", async () => {
  use("wasm");
  const w = randn([8, 8], { rng: random(2), requiresGrad: true });
  const step = (): void => {
    scope(() => {
      w.tanh().square().sum().backward();
      w.grad?.release();
      w.grad = null;
      return [];
    });
  };
  const grown = await growth(step, 2_000, 20_000);
  assert.ok(grown < 2 * megabyte, `grew by ${(grown / megabyte).toFixed(2)} MB in 18,000 steps`);
});

test("nor do gradients of gradients, accumulated .grad, or hooks that are removed", async () => {
  use("reference");
  const x = tensor([1, 2, 3], { dtype: "float64", requiresGrad: true });
  const step = (): void => {
    const remove = x.registerHook((g) => g.mul(1));
    const [g] = grad(x.pow(3).sum(), x, { createGraph: true });
    g?.square().sum().backward();
    remove();
  };
  const grown = await growth(step, 200, 2_000);
  assert.ok(grown < 2 * megabyte, `grew by ${(grown / megabyte).toFixed(2)} MB`);
});
