// What must hold of a mode: judges what suite.ts found. The bounds stand here, each with its reason.
// Next: ../gpu.test.ts and ../gpu.browser.test.ts, which find and judge.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mode } from "../../kernels/index.ts";
import type { Findings, SuitePlan } from "./suite.ts";
import { train } from "./training.ts";

/**
 * Largest error of float32 functions, relative to numbers above 1. cpu rounds once, from double precision;
 * webasm computes in float32; shaders may take exp and log from hardware that is off by a few units more.
 */
export const bounds: Readonly<Record<Mode, number>> = {
  cpu: 1e-7,
  webasm: 1e-6,
  webgl2: 4e-6,
  webgpu: 4e-6,
};

/** What every mode makes of NaN, ∞, -∞, 1e-40, -0, 3e38, 1000 and -1000. Denormals count as 0. */
const oddities: Readonly<Record<string, string>> = {
  add0: "NaN,Infinity,-Infinity,0,0,3e38,1000,-1000",
  mul1: "NaN,Infinity,-Infinity,0,0,3e38,1000,-1000",
  isNaN: "1,0,0,0,0,0,0,0",
  isFinite: "0,0,0,1,1,1,1,1",
  maximum0: "NaN,Infinity,0,0,0,3e38,1000,0",
  minimum0: "NaN,0,-Infinity,0,0,0,0,-1000",
  relu: "NaN,Infinity,0,0,0,3e38,1000,0",
  exp: "NaN,Infinity,0,1,1,Infinity,Infinity,0",
  tanh: "NaN,1,-1,0,0,1,1,-1",
  sigmoid: "NaN,1,0,0.5,0.5,1,1,0",
  silu: "NaN,Infinity,0,0,0,3e38,1000,0",
  eqSelf: "0,1,1,1,1,1,1,1",
  neSelf: "1,0,0,0,0,0,0,0", // WGSL's own != would hide the NaN
  whereNe: "1,1,1,1,1,1,1000,1",
  powOfOne: "1,1,1,1,1",
  softmaxHidden: "NaN,NaN",
  siluEnds: "0,Infinity",
  crossed: "NaN,0,0,0,0,0,0,0",
  rmsHuge: "1,1",
  max: "NaN",
  argmax: "0",
  clamp: "NaN,1,-1,0,0,1,1,-1",
};

/** Numbers as bounds allow them to be compared: denormals are 0, the rest has four digits. */
function rounded(list: string): string {
  const short = (text: string): string => {
    const x = Number(text);
    return Math.abs(x) < 1.2e-38 ? "0" : String(Number.isFinite(x) ? Number(x.toPrecision(4)) : x);
  };
  return list.split(",").map(short).join(",");
}

function largestGap(a: readonly number[], b: readonly number[]): number {
  return a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

let reference: Promise<readonly number[]> | null = null;

/** The losses on the SIMD device. */
async function wasmLosses(steps: number): Promise<readonly number[]> {
  reference ??= train("wasm", 50).then(({ losses }) => losses);
  return (await reference).slice(0, steps);
}

/** What a plan on that mode runs as. */
const executors: Readonly<Record<Mode, readonly string[]>> = {
  webgpu: ["fused-encoder"], // one submission a step
  webgl2: ["generic"],
  webasm: ["fused-sync", "fused-threaded"],
  cpu: ["generic"],
};

/** Tests of one mode; `find` runs the suite there, or says why the mode doesn't start. */
export function judge(
  where: string,
  mode: Mode,
  plan: SuitePlan,
  find: () => Promise<Findings | string>,
): void {
  test(`gpu:${mode} in ${where}`, async (t) => {
    const found = await find();
    if (typeof found === "string") return t.skip(`gpu:${mode} was not tested: ${found}`);
    await t.test("runs in the mode that was asked for", () => assert.equal(found.ran, mode));
    await t.test(`the op table agrees with the reference, ${plan.runs} drawn inputs an op`, () => {
      assert.deepEqual(found.opTable.failures, []);
      assert.ok(found.opTable.ops > 80, `${found.opTable.ops} ops`);
    });
    await t.test("larger shapes agree with the reference", () => {
      assert.deepEqual(found.sizes, []);
    });
    await t.test("functions are as exact as it says", () => {
      for (const [name, error] of Object.entries(found.errors))
        assert.ok(error <= bounds[mode], `${name}: ${error}, allowed are ${bounds[mode]}`);
    });
    await t.test("NaN, infinities and denormals are what it says", () => {
      for (const [name, expected] of Object.entries(oddities))
        assert.equal(rounded(found.oddities[name] ?? ""), rounded(expected), name);
    });
    await t.test(`${plan.steps} training steps give the SIMD device's losses to 1e-3`, async () => {
      const expected = await wasmLosses(plan.steps);
      assert.equal(found.eager.length, plan.steps);
      assert.ok(largestGap(expected, found.eager) < 1e-3);
      if (plan.steps < 50) return;
      assert.ok((found.eager.at(-1) ?? 9) < (found.eager[0] ?? 0) / 5, "and it learns");
    });
    await t.test("a recorded step gives the same losses to 1e-5", () => {
      assert.ok(largestGap(found.eager, found.recorded) < 1e-5);
      assert.ok(executors[mode].includes(found.executor), `ran as ${found.executor}`);
      if (mode === "webgpu") assert.equal(found.submissions, 1, "one submission a step");
    });
    await t.test("losing the device is a clear error, and the rest is there", () => {
      const { message, elsewhere, onHost, old, restarted } = found.loss;
      assert.match(message, /lost|given up/);
      assert.match(message, /What is on other devices or in files is intact.*restart\(\)/);
      assert.deepEqual(
        [elsewhere, onHost, restarted],
        [
          [1, 2],
          [3, 4],
          [30, 40],
        ],
      );
      assert.match(old, /this tensor was on the GPU when it was lost/);
    });
    const { ops, properties, worst } = found.opTable;
    t.diagnostic(
      `gpu:${mode} in ${where}: ${ops} ops, ${properties} properties of ${plan.runs} drawn inputs each, ` +
        `largest difference ${worst[0].toExponential(1)} (${worst[1]}); ${found.kernels} kernels; ` +
        `recorded: ${found.executor}; ${(found.milliseconds / 1000).toFixed(1)} s`,
    );
    for (const [op, why] of Object.entries(found.opTable.skipped))
      t.diagnostic(`left out: ${op}: ${why}`);
  });
}
