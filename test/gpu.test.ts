// The gpu device in Node: every op of the table in the modes cpu and webasm, and on WebGPU where a driver
// answers (SwiftShader's, from Chromium's package, in a process of its own). Then what all modes share:
// numbers stay on the device, kernels are made once, memory comes back, and what can't be done is an
// error that says what can. Next: gpu.browser.test.ts for webgl2 and webgpu in Chromium.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  device,
  noGrad,
  ones,
  opTable,
  randn,
  random,
  scope,
  type Tensor,
  tensor,
  use,
  zeros,
} from "../core/index.ts";
import { type Helper, helperSource } from "../kernels/gpu/compile.ts";
import { formulaSource } from "../kernels/gpu/formulas.ts";
import { type GpuDevice, recordStep } from "../kernels/index.ts";
import { AdamW, SGD } from "../nn/index.ts";
import { copyOf, printedIn } from "./folders.ts";
import { judge } from "./gpu/judge.ts";
import { type Findings, suite } from "./gpu/suite.ts";
import { train } from "./gpu/training.ts";

for (const mode of ["cpu", "webasm"] as const) {
  const plan = { runs: mode === "cpu" ? 12 : 8, steps: 50 };
  judge("Node", mode, plan, () => suite(mode, plan));
}

// --- WebGPU in Node ----------------------------------------------------------------------------------

const run = promisify(execFile);
const tsx = ["--import", import.meta.resolve("tsx")];
const inNode = fileURLToPath(new URL("./gpu/inNode.ts", import.meta.url));
const swiftShader = "/usr/lib/chromium/vk_swiftshader_icd.json";
/** A card's own driver where VK_DRIVER_FILES names it (the Vulkan loader's variable), or software. */
const vulkan = process.env.VK_DRIVER_FILES ?? swiftShader;

/** Runs the suite on WebGPU in a fresh process, with or without a Vulkan driver. */
async function findWebGpu(env: Record<string, string>, steps = 1): Promise<Findings> {
  const options = { env: { ...process.env, ...env }, maxBuffer: 2 ** 26, timeout: 240_000 };
  const { stdout } = await run(
    process.execPath,
    [...tsx, inNode, "webgpu", "1", String(steps)],
    options,
  );
  return JSON.parse(stdout) as Findings;
}

describe("webgpu in Node", { skip: existsSync(vulkan) ? false : `no ${vulkan}` }, () => {
  // Chromium's package brings the driver and, beside it, the loader that Dawn looks for
  const env = { VK_ICD_FILENAMES: swiftShader, LD_LIBRARY_PATH: dirname(swiftShader) };
  const plan = { runs: 1, steps: 10 }; // 50 steps are in Chromium's turn
  judge("Node", "webgpu", plan, () => findWebGpu(env, plan.steps));
});

test("without an adapter, the error says so and names the alternatives", async () => {
  const none = { VK_ICD_FILENAMES: "/nowhere.json", VK_DRIVER_FILES: "/nowhere.json" };
  await assert.rejects(findWebGpu(none), (error: { readonly stderr: string }) => {
    assert.match(
      error.stderr,
      /gpu:webgpu: WebGPU is here, but no adapter answered; in Node it needs a Vulkan/,
    );
    assert.match(
      error.stderr,
      /What else there is: use\("gpu:webasm"\), use\("gpu:cpu"\) or use\("wasm"\)/,
    );
    return true;
  });
});

// --- What all modes share ----------------------------------------------------------------------------

const gpu = (mode = "webasm"): GpuDevice => use(`gpu:${mode}`) as GpuDevice;

test("results stay on the device until somebody reads them", async () => {
  const { engine } = gpu();
  const x = randn([8, 8], { rng: random(0) });
  const { reads } = engine.counts;
  const y = x.matmul(x).tanh().softmax({ dim: -1 }).sum();
  assert.deepEqual(y.shape, []);
  assert.equal(engine.counts.reads, reads);
  assert.ok(Math.abs((await y.item()) - 8) < 1e-5);
  assert.equal(engine.counts.reads, reads + 1);
});

test("a kernel is made once for an op, a shape class and a dtype", () => {
  const device = gpu();
  const count = (fn: () => unknown): number => {
    const before = device.statistics.kernels.length;
    fn();
    return device.statistics.kernels.length - before;
  };
  const make = (...shape: number[]): Tensor => zeros(shape);
  assert.equal(
    count(() => make(2, 3).expm1()),
    1,
  );
  assert.equal(
    count(() => make(7).expm1()),
    0,
    "another size",
  );
  assert.equal(
    count(() => make(4, 5).sub(make(4, 5)).sub(make(1, 1))),
    1,
    "alike, or one number",
  );
  assert.equal(
    count(() => make(4, 5).sub(make(5))),
    1,
    "rows: two axes",
  );
  assert.equal(
    count(() => make(3, 9).sub(make(3, 1))),
    0,
    "two axes again",
  );
  assert.equal(
    count(() => make(2).to("int32").sub(1)),
    2,
    "int32, and the way there",
  );
});

test("memory comes back with release, scope and backward", async () => {
  const device = gpu();
  const x = randn([100, 100], { rng: random(0), requiresGrad: true });
  const warm = noGrad(() => [x.mul(2), x.add(1)]); // constants stay on the device
  for (const y of warm) y.release();
  const before = device.memory.bytes;
  const y = noGrad(() => x.mul(2));
  assert.equal(device.memory.bytes, before + 40_000);
  y.release();
  assert.equal(device.memory.bytes, before);
  scope(() => {
    noGrad(() => x.mul(2).add(1).exp());
    return null;
  });
  assert.equal(device.memory.bytes, before);
  scope(() => {
    x.mul(2).exp().sum().backward();
    x.grad?.release();
    x.grad = null;
    return null;
  });
  assert.equal(device.memory.bytes, before);
  assert.ok(device.memory.peak >= before + 40_000);
});

test("a training loop without any annotation stays below the slack", async () => {
  const device = gpu();
  const w = ones([512, 512], { requiresGrad: true });
  const x = ones([512, 512]);
  const before = device.memory.bytes;
  const step = (): Tensor => {
    const y = x.mul(w).relu();
    y.square().sum().backward(); // a graph of 3 MiB
    w.grad?.release();
    w.grad = null;
    return y;
  };
  for (let i = 0; i < 36; i++) step();
  const grown = device.memory.bytes - before;
  const { slack } = device.engine.memory;
  assert.ok(grown < slack + 16 * 2 ** 20, `${grown / 2 ** 20} MiB`);
  assert.ok(grown > slack / 2, "what was let go of stays while there is room");
  const y = step();
  assert.equal((await y.read()).length, 512 * 512, "and stays readable");
});

test("onDevice brings a tensor there, and read() brings it back", async () => {
  use("wasm");
  const x = tensor([
    [1, 2],
    [3, 4],
  ]).onDevice("gpu:cpu");
  assert.deepEqual([...(await x.matmul(x).read())], [7, 10, 15, 22]);
  assert.deepEqual([...(await x.gt(2).read())], [0, 0, 1, 1]);
  assert.ok((await x.to("int32").read()) instanceof Int32Array);
  assert.deepEqual(
    [...(await tensor([1.5, -1.5]).onDevice("gpu:cpu").to("int32").read())],
    [1, -1],
  );
  assert.deepEqual([...(await tensor([0, 2]).onDevice("gpu:cpu").to("bool").read())], [0, 1]);
});

test("assign writes on the device, and the tape notices", async () => {
  gpu();
  const x = tensor([1, 2], { requiresGrad: true });
  const y = x.mul(x);
  noGrad(() => x.assign(x.mul(10)));
  assert.deepEqual([...(await x.read())], [10, 20]);
  assert.deepEqual([...(await y.read())], [1, 4], "what was computed before stays");
  assert.throws(() => y.sum().backward(), /changed in place/);
  x.assign(Float32Array.of(5, 6));
  assert.deepEqual([...(await x.add(1).read())], [6, 7]);
});

describe("what can't be done says what can", () => {
  test("x.data names read()", () => {
    gpu();
    assert.throws(() => tensor([1]).data, /gpu:webasm: x\.data.*`await x\.read\(\)`/);
  });
  test("webgl2 isn't in Node", () => {
    assert.throws(
      () => use("gpu:webgl2"),
      /gpu:webgl2: Node has no WebGL2.*use\("gpu:webgpu"\), use\("gpu:webasm"\)/,
    );
  });
  test("float64 is for the reference device", () => {
    gpu();
    const x = tensor([1], { dtype: "float64" });
    assert.throws(
      () => x.add(1),
      /gpu:webasm: add of float64: GPUs compute in float32; x\.to\("float32"\)/,
    );
    assert.throws(() => tensor([1]).to("float64"), /to of float64/);
  });
  test("int32 beyond 2^24 is refused, on the way there and back", async () => {
    gpu();
    const big = tensor([2 ** 24 + 1], { dtype: "int32" });
    assert.throws(() => big.reshape([1, 1]).sum().add(big), /int32 16777217 .* beyond 2\^24/);
    const product = tensor([5000, 3], { dtype: "int32" }).mul(5000);
    await assert.rejects(product.read(), /int32 25000000 .* beyond 2\^24/);
    assert.deepEqual(
      [
        ...(await tensor([2 ** 24], { dtype: "int32" })
          .add(0)
          .read()),
      ],
      [2 ** 24],
    );
  });
  test("more than 2^24 elements", () => {
    gpu();
    assert.throws(
      () => zeros([1]).expand([2 ** 24 + 1]),
      /16777217 elements; a tensor here has at most 2\^24/,
    );
  });
  test("an index outside of its axis, where the host knows it; else NaN", async () => {
    gpu();
    const table = tensor([[1], [2]]);
    const index = tensor([0, 5], { dtype: "int32" });
    assert.throws(() => table.embedding(index), /embedding: index 5 at position 1 is outside/);
    const computed = index.add(0);
    assert.deepEqual([...(await table.embedding(computed).read())], [1, Number.NaN]);
  });
  test("a mode that didn't run is said, with what ran", async () => {
    const backend = await gpu().engine.ready();
    const ran = { constructor: { mode: "cpu" }, fallbackReason: "kernel maps are not supported" };
    assert.throws(
      () => backend.check("softmax", ran),
      /gpu:webasm: gpu\.js ran softmax in its mode "cpu" instead \(kernel maps are not supported\)/,
    );
  });
  test("two devices in one op", () => {
    use("wasm");
    const there = tensor([1]).onDevice("gpu:cpu");
    assert.throws(() => there.add(tensor([1])), /one tensor is on gpu:cpu, another on wasm/);
  });
});

// --- recordStep --------------------------------------------------------------------------------------

describe("recordStep", () => {
  test("replays with other inputs, outside tensors as they are then, and results of any form", async () => {
    gpu();
    const w = tensor([1, 2]);
    const fn = recordStep((x: Tensor) => ({
      sum: x.mul(w).sum(),
      parts: [x.add(1)] as const,
      none: null,
    }));
    const first = await fn(tensor([3, 4]));
    assert.equal(await first.sum.item(), 11);
    w.assign(Float32Array.of(10, 20));
    const second = await fn(tensor([5, 6]));
    assert.equal(await second.sum.item(), 170);
    assert.deepEqual([...(await second.parts[0].read())], [6, 7]);
    assert.equal(await first.sum.item(), 11, "earlier results are their own");
    assert.equal(fn.replays, 2);
    assert.ok(fn.steps >= 3);
    fn.destroy();
  });
  test("goes on after eager steps, and eager steps after it", async () => {
    const eager = await train("gpu:cpu", 4);
    assert.equal(eager.losses.length, 4);
    gpu();
    const x = tensor([1, 1], { requiresGrad: true });
    const step = recordStep((rate: Tensor) => noGrad(() => x.assign(x.sub(rate))));
    await step(tensor([0.25, 0.5]));
    noGrad(() => x.assign(x.mul(2)));
    await step(tensor([0.25, 0.5]));
    assert.deepEqual([...(await x.read())], [1.25, 0.5]);
  });
  test("other shapes are an error, and so is reading inside", async () => {
    gpu();
    const fn = recordStep((x: Tensor) => x.mul(2));
    await fn(tensor([1, 2]));
    await assert.rejects(
      fn(tensor([1])),
      /recordStep: input 0 was recorded as float32 \[2\] .* now float32 \[1\]/,
    );
    const kept: Tensor[] = [];
    const leaky = recordStep((x: Tensor) => {
      kept.push(x.mul(3));
      return x.mul(2);
    });
    await leaky(tensor([1]));
    assert.throws(() => kept[0]?.add(1), /recorded by recordStep\(\), and was never computed/);
  });
  test("what a plan overwrites survives the loss of the GPU; the plan doesn't", async () => {
    const device = gpu();
    const w = tensor([1, 2]);
    const step = recordStep((x: Tensor) => noGrad(() => w.assign(w.add(x)).mul(1)));
    await Promise.all([step(tensor([1, 1])), step(tensor([1, 1]))]); // one after the other
    await device.lose();
    await assert.rejects(step(tensor([1, 1])), /gpu:webasm: the device was given up.*is intact/);
    device.restart();
    assert.deepEqual([...(await w.add(0).read())], [3, 4]);
    await assert.rejects(step(tensor([1, 1])), /the GPU that this was recorded for is gone/);
  });
  test("dropout would drop the same at every replay, and is refused", async () => {
    gpu();
    const fn = recordStep((x: Tensor) => x.dropout({ p: 0.5, rng: random(1) }));
    await assert.rejects(fn(tensor([1, 2])), /recordStep: a mask of dropout/);
    const dropped = tensor([1, 2, 3, 4]).dropout({ p: 0.5, rng: random(1) });
    use("wasm");
    const expected = tensor([1, 2, 3, 4]).dropout({ p: 0.5, rng: random(1) });
    assert.deepEqual([...(await dropped.read())], [...(await expected.read())], "the same masks");
  });
  test("on another device it runs the function", async () => {
    use("wasm");
    const fn = recordStep((x: Tensor) => x.mul(2));
    assert.deepEqual([...(await (await fn(tensor([4]))).read())], [8]);
  });
  test("an optimiser goes on eagerly after replays, once it knows their number", async () => {
    const weights = async (replays: number): Promise<number[]> => {
      gpu();
      const w = tensor([1, -2], { requiresGrad: true });
      const optimiser = new AdamW([["w", w]], { lr: 0.1 });
      const body = (x: Tensor): Tensor => {
        const loss = w.mul(x).square().sum();
        loss.backward();
        optimiser.step();
        optimiser.zeroGrad();
        return loss;
      };
      const step = recordStep(body);
      for (let i = 0; i < replays; i++) await step(tensor([1, 3]));
      if (replays > 0) optimiser.loadStateDict({ ...optimiser.stateDict(), step: step.replays });
      for (let i = replays; i < 8; i++) body(tensor([1, 3]));
      return [...(await w.read())];
    };
    const [mixed, eager] = [await weights(5), await weights(0)];
    mixed.forEach((x, i) => {
      assert.ok(Math.abs(x - (eager[i] ?? 0)) < 1e-6, `${mixed} and ${eager}`);
    });
  });
  test("several learning rates are recorded each, and can't be replaced by one", async () => {
    const trained = async (captured: boolean): Promise<number[]> => {
      gpu("cpu");
      const [a, b] = [tensor([1], { requiresGrad: true }), tensor([1], { requiresGrad: true })];
      const groups = [
        { parameters: [["a", a]] as const, lr: 0.2 },
        { parameters: [["b", b]] as const },
      ];
      const optimiser = new AdamW(groups, { lr: 0.1 });
      const body = (x: Tensor): Tensor => {
        const loss = a.add(b).mul(x).sum();
        loss.backward();
        optimiser.step();
        optimiser.zeroGrad();
        return loss;
      };
      const step = captured ? recordStep(body) : async (x: Tensor) => body(x);
      for (let i = 0; i < 3; i++) await step(tensor([2]));
      if ("lr" in step) assert.throws(() => Object.assign(step, { lr: 1 }), /2 learning rates/);
      return [...(await a.read()), ...(await b.read())];
    };
    const [captured, eager] = [await trained(true), await trained(false)];
    captured.forEach((x, i) => {
      assert.ok(Math.abs(x - (eager[i] ?? 0)) < 1e-6, `${captured} and ${eager}`);
    });
  });
  test("AMSGrad's largest squares and dampened momentum are the reference's", async () => {
    const trained = async (device: () => unknown): Promise<number[]> => {
      device();
      const [w, u] = [
        tensor([1, -2], { requiresGrad: true }),
        tensor([1, -2], { requiresGrad: true }),
      ];
      const steppers = [
        new AdamW([["w", w]], { lr: 0.1, amsgrad: true }),
        new SGD([["u", u]], { lr: 0.1, momentum: 0.9, dampening: 0.25, weightDecay: 0.1 }),
      ];
      for (const size of [4, 1, 0.5, 2]) {
        w.mul(size).square().sum().add(u.mul(size).square().sum()).backward();
        for (const optimiser of steppers) {
          optimiser.step();
          optimiser.zeroGrad();
        }
      }
      return [...(await w.read()), ...(await u.read())];
    };
    const expected = await trained(() => use("reference"));
    for (const mode of ["cpu", "webasm"] as const) {
      (await trained(() => gpu(mode))).forEach((x, i) => {
        const error = Math.abs(x - (expected[i] ?? 0)); // float32 rounds 1 - beta2
        assert.ok(error < 1e-5 * Math.abs(x), `${mode}: ${x} at ${i}`);
      });
    }
  });
  test("a learning rate may change between replays", async () => {
    const rates = async (recorded: boolean): Promise<number[]> => {
      gpu("cpu");
      const w = tensor([1], { requiresGrad: true });
      const optimiser = new AdamW([["w", w]], { lr: 0.1 });
      const body = (x: Tensor): Tensor => {
        const loss = w.mul(x).sum();
        loss.backward();
        optimiser.step();
        optimiser.zeroGrad();
        return loss;
      };
      const step = recordStep(body);
      for (const lr of [0.1, 0.1, 0.01, 0.01]) {
        if (recorded) {
          if (step.replays > 0) step.lr = lr;
          await step(tensor([2]));
        } else {
          optimiser.lr = lr;
          body(tensor([2]));
        }
      }
      return [...(await w.read())];
    };
    const [a = 0] = await rates(true);
    const [b = 1] = await rates(false);
    assert.ok(Math.abs(a - b) < 1e-6, `${a} and ${b}`);
  });
});

test("without gpu.js, the error says how to get it", () => {
  const alone = copyOf(["core", "kernels"], ["seedrandom"]);
  mkdirSync(join(alone, "node_modules/gpu.js"));
  writeFileSync(join(alone, "node_modules/gpu.js/index.js"), 'throw new Error("not here")');
  const program = `
      import { use } from "./core/index.ts";
      import "./kernels/index.ts";
      try { use("gpu:cpu"); } catch (error) { console.log(error.name, error.message); }`;
  assert.match(
    printedIn(alone, program),
    /^DeviceError gpu: gpu.js doesn't load \(not here\); npm install gpu.js webgpu brings it/,
  );
});

test("the gpu device that nobody named takes the best mode", async () => {
  const best = use("gpu") as GpuDevice;
  const y = tensor([1, 2]).mul(2); // before it is known what computes it
  assert.deepEqual([...(await y.read())], [2, 4]);
  assert.ok(["webgpu", "webasm"].includes(best.mode ?? ""), `${best.mode}`);
  assert.equal(best.details.mode, best.mode);
  use("wasm");
  assert.equal(device("gpu"), best);
});

test("names that a minifier wrote with $ reach no GPU, whose languages don't know it", () => {
  const $half = (x: number): number => x / 2;
  function $quarter(x: number): number {
    return $half($half(x));
  }
  const { name, source } = helperSource($quarter);
  assert.equal(name, "_S_quarter");
  assert.match(source, /_S_half\(_S_half\(x\)\)/);
});

test("no formula leaves a maximum to the card: NVIDIA's drops NaN, seen on an H200", () => {
  for (const [name, { kernel }] of opTable) {
    if (kernel.kind !== "elementwise") continue;
    const source = formulaSource(name, kernel.forward as Helper).at(-1)?.source ?? "";
    assert.doesNotMatch(source, /\b(\w+)\s*[<>]\s*(\w+)\s*\?\s*(\1\s*:\s*\2|\2\s*:\s*\1)\b/, name);
  }
  const relu = formulaSource("f", (x: number) => (x < 0 ? 0 : x))[0]?.source ?? "";
  assert.match(relu, /maxOf\(x, 0\)/);
});
