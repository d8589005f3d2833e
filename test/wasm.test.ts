// The wasm device as a whole: the same bits for any number of threads, what stays readable when, what
// happens to numbers that nobody used for a while, and engines that can't run it. That each op agrees
// with the reference is in ops.test.ts, each kernel with float64 loops in kernels.test.ts.
// Next: golden.test.ts for the same bits on every machine.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import {
  device,
  randint,
  randn,
  random,
  registerDevice,
  type Tensor,
  tensor,
  use,
  zeros,
} from "../core/index.ts";
import { WasmDevice } from "../kernels/index.ts";
import { AdamW, CausalLM } from "../nn/index.ts";

/** Losses of a small GPT's first steps, as their bits. */
function losses(steps: number): number[] {
  const rng = random(7);
  const config = {
    vocabSize: 61,
    dim: 40,
    layers: 2,
    heads: 4,
    context: 33,
    style: "gpt2",
  } as const;
  const model = new CausalLM(config, { rng });
  const optimiser = new AdamW(model, { lr: 3e-3 });
  return Array.from({ length: steps }, () => {
    const ids = randint([5, 33], { high: 61, rng });
    const loss = model.forward(ids).crossEntropy(ids);
    loss.backward();
    optimiser.step({ maxNorm: 1 });
    optimiser.zeroGrad();
    return loss.data[0] ?? Number.NaN;
  });
}

test("200 training steps have the same bits with 1, 2 and 3 threads", () => {
  const runs = [1, 2, 3].map((threads) => {
    const own = new WasmDevice({ threads, worthSharing: 500 }); // so that even small work is shared
    registerDevice(`wasm with ${threads}`, () => own);
    use(`wasm with ${threads}`);
    return { losses: losses(200), shared: own.wasm.threads.shared };
  });
  assert.ok((runs[0]?.losses.at(-1) ?? 9) < (runs[0]?.losses[0] ?? 0), "and they learn");
  assert.equal(runs[0]?.shared, 0);
  assert.ok((runs[1]?.shared ?? 0) > 1000 && (runs[2]?.shared ?? 0) > 1000, "work was shared");
  assert.deepEqual(runs[1]?.losses, runs[0]?.losses);
  assert.deepEqual(runs[2]?.losses, runs[0]?.losses);
});

test("a few rows get the bits that they get among many, on any number of threads", () => {
  const rng = random(4);
  for (const threads of [1, 3]) {
    registerDevice(`few ${threads}`, () => new WasmDevice({ threads, worthSharing: 500 }));
    use(`few ${threads}`);
    for (const [K, N] of [
      [3, 32],
      [130, 45],
      [512, 64],
      [1100, 39],
    ] as const) {
      const [x, w, b] = [randn([40, K], { rng }), randn([N, K], { rng }), randn([N], { rng })];
      for (const bias of [b, null]) {
        const all = x.linear(w, bias).data;
        for (const M of [2, 3, 8, 29, 32]) {
          const few = x.slice({ dim: 0, end: M }).linear(w, bias).data;
          assert.deepEqual(few, all.slice(0, M * N), `${[M, N, K]}`);
        }
      }
    }
  }
});

test("a query alone gets the bits that it gets among others", () => {
  use("wasm");
  const rng = random(3);
  for (const [S, D, heads, kvHeads] of [
    [1, 4, 1, 1],
    [7, 10, 4, 2],
    [128, 32, 2, 2],
    [300, 33, 3, 1],
    [130, 64, 2, 1],
  ] as const) {
    const [q, k, v] = [[heads, 2], ...[1, 2].map(() => [kvHeads, S])].map(([H = 0, n = 0]) =>
      randn([2, H, n, D], { rng }).mul(3),
    ) as [Tensor, Tensor, Tensor];
    const bools = randn([2, 1, 1, S], { rng }).gt(-0.5);
    const added = randn([1, heads, 1, S], { rng });
    for (const mask of [null, bools, added, added.mul(0).sub(Infinity)]) {
      for (const options of [{ mask }, { mask, causal: true, offset: S - 2 }]) {
        if (options.causal && S < 2) continue;
        const both = q.scaledDotProductAttention(k, v, options);
        for (const t of [0, 1]) {
          const one = q.slice({ dim: 2, start: t, end: t + 1 });
          const own = options.causal ? { ...options, offset: S - 2 + t } : options;
          const alone = one.scaledDotProductAttention(k, v, own);
          const expected = both.slice({ dim: 2, start: t, end: t + 1 });
          assert.deepEqual(alone.data, expected.data, `${[S, D, heads, t]}`);
        }
      }
    }
  }
});

describe("what stays readable", () => {
  const graph = (): { x: Tensor; middle: Tensor; loss: Tensor } => {
    use("wasm");
    const x = randn([64, 64], { rng: random(3), requiresGrad: true });
    const middle = x.tanh();
    return { x, middle, loss: middle.square().sum() };
  };
  const churn = (): void => {
    for (let i = 0; i < 3; i++) {
      const { loss } = graph();
      loss.backward();
    }
  };

  test("a graph's tensors right after backward()", () => {
    const { middle, loss } = graph();
    const before = Float32Array.from(graph().middle.data);
    loss.backward();
    assert.deepEqual(middle.data, before);
  });
  test("until the memory is needed: then an error that names the remedy", () => {
    const { middle, loss } = graph();
    loss.backward();
    churn();
    assert.throws(() => middle.data, /released by backward\(\).*x\.keep\(\)/);
    assert.throws(() => middle.add(1), /^ReleasedError: add: /);
    assert.ok((loss.data[0] ?? 0) > 0, "the root stays");
  });
  const ways: [string, (x: Tensor) => Tensor][] = [
    ["keep()", (x) => x.keep()],
    ["detach()", (x) => x.detach()],
    ["retainGrad()", (x) => x.retainGrad()],
    ["a look at its data before", (x) => (x.data.length > 0 ? x : x.keep())],
  ];
  for (const [what, hold] of ways) {
    test(`for ever after ${what}`, () => {
      const { middle, loss } = graph();
      const held = hold(middle);
      const before = Float32Array.from(graph().middle.data);
      loss.backward();
      churn();
      assert.deepEqual(held.data, before);
    });
  }
  test("what is used again after backward()", () => {
    const { middle, loss } = graph();
    loss.backward();
    const doubled = middle.mul(2);
    churn();
    assert.equal(doubled.data[0], 2 * (graph().middle.data[0] ?? 0));
  });
});

describe("x.data is the numbers themselves", () => {
  test("writes into it are seen by later ops, and later steps by it", () => {
    use("wasm");
    const x = zeros([1000]);
    const { data } = x.add(1);
    assert.equal(data[5], 1);
    const y = x.add(1);
    const view = y.data;
    view[3] = 7;
    assert.equal(y.mul(2).data[3], 14);
    y.assign(y.mul(10));
    assert.equal(view[3], 70);
  });
});

test("numbers that nobody used for a while move to the host and come back", () => {
  const own = new WasmDevice({ threads: 1 });
  registerDevice("wasm that spills", () => own);
  use("wasm that spills");
  const rng = random(5);
  const kept = Array.from({ length: 40 }, () => randn([512, 512], { rng }).mul(2)); // 1 MB each
  const sums = kept.map((x) => x.sum().data[0]);
  for (let i = 0; i < 100; i++) kept[0]?.add(i);
  assert.ok(own.memory.spilled.buffers > 30, `${own.memory.spilled.buffers} buffers moved`);
  assert.ok(own.wasm.pool.statistics.inUse < 100 * 2 ** 20);
  assert.deepEqual(
    kept.map((x) => x.sum().data[0]),
    sums,
  );
});

describe("where it can't run, or hasn't a kernel", () => {
  test("an engine without SIMD gets one sentence and the reference device", () => {
    const script =
      "WebAssembly.validate = () => false;" +
      'const core = await import("./core/index.ts"); await import("./kernels/index.ts");' +
      "console.log(core.currentDevice().name, String(core.tensor([1, 2]).add(1)));" +
      'try { core.use("wasm") } catch (error) { console.log(error.name, error.message) }';
    const flags = ["--import", "tsx", "--input-type=module", "-e", script];
    const { stdout, stderr } = spawnSync(process.execPath, flags, { encoding: "utf8" });
    const reason = "wasm: this engine lacks WebAssembly SIMD";
    assert.equal(stdout, `reference [2, 3]\nDeviceError ${reason}\n`, stderr);
    assert.equal(stderr, `${reason}; the reference device is taken instead\n`);
  });
  test("ops without a kernel run, and are counted", () => {
    const wasm = use("wasm") as WasmDevice;
    const before = wasm.fallbacks.get("cumsum") ?? 0;
    assert.deepEqual([...tensor([1, 2, 3]).cumsum({ dim: 0 }).data], [1, 3, 6]);
    assert.equal(wasm.fallbacks.get("cumsum"), before + 1);
  });
  test("a transformer's training step needs none", () => {
    const own = new WasmDevice({ threads: 1 });
    registerDevice("wasm that counts", () => own);
    use("wasm that counts");
    losses(2);
    assert.deepEqual([...own.fallbacks], []);
  });
  test("an out-of-range index is the reference's error", () => {
    use("wasm");
    const index = tensor([5], { dtype: "int32" });
    assert.throws(() => zeros([3, 2]).embedding(index), /embedding: index 5 at position 0/);
    assert.equal(device("wasm").name, "wasm");
  });
});
