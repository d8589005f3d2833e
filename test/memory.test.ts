// Memory: a training loop of 10,000 steps, written as anybody would write it, runs in constant memory.
// What is measured is what the collector can't free: the heap, and the arrays outside of it.
// A second loop does the same with second-order gradients, where forgotten graphs hide.
// Next: random.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { grad, randn, random, tensor } from "../core/index.ts";

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
  return heapUsed + arrayBuffers;
}

/** Runs `step` up to `last` times; the bytes that came in use after the first `settled` steps. */
async function growth(step: () => void, settled: number, last: number): Promise<number> {
  for (let i = 0; i < settled; i++) step();
  const before = await inUse();
  for (let i = settled; i < last; i++) step();
  return (await inUse()) - before;
}

test("10,000 training steps without any annotation don't grow", async () => {
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
  assert.ok(grown < 2 * megabyte, `grew by ${(grown / megabyte).toFixed(2)} MB in 9,000 steps`);
  const [first = 0, last = Number.NaN] = losses;
  assert.ok(last < first / 20, `and it learns: ${first} to ${last}`);
});

test("nor do gradients of gradients, accumulated .grad, or hooks that are removed", async () => {
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
