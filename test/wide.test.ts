// Wide lanes: the same bits as without them, in a process of its own, as the engine is told for good. What is
// checked when they start: other bits than the stored ones, and the kernels run without, and say so.
// Next: wideBits.ts, the process; ../kernels/wasm/wide.ts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createWasm } from "../kernels/index.ts";
import { bitsOf } from "../kernels/wasm/laneCheck.ts";
import { knownBits } from "../kernels/wasm/wide.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs a program of the repository in a process of its own. */
function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", ...args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { status, out: stdout, err: stderr };
}

const evaluate = (program: string, env: Readonly<Record<string, string>> = {}) =>
  run(["--input-type=module", "--eval", program], env);

const lanesOf = `
  import { use } from "./core/index.ts";
  import "./kernels/index.ts";
  import { wideLanes } from "./kernels/node.ts";
  wideLanes();
  console.log(use("wasm").details.lanes);`;

const has = evaluate(lanesOf).out.trim() === "256";
const skip = !has && "this engine joins no lanes: Node 24 or newer on x64 with AVX2 does";

test("the stored bits are the kernels' own", () => {
  const wasm = createWasm({ threads: 1 });
  const bits = `0x${bitsOf(wasm).toString(16)}`;
  const stored = `0x${knownBits[wasm.fma ? "fma" : "plain"].toString(16)}`;
  assert.equal(bits, stored, "write the new ones into kernels/wasm/wide.ts, of both modules");
});

describe("with wide lanes", { skip }, () => {
  test("products of every form, elementwise kernels and 400 losses have the same bits", () => {
    const bits = (env: Readonly<Record<string, string>>): Record<string, unknown> => {
      const { out, err } = run(["test/wideBits.ts"], env);
      assert.notEqual(out, "", err);
      return JSON.parse(out);
    };
    const { lanes, threads: _, ...narrow } = bits({ TWOHEADS_WIDE: "0", TWOHEADS_THREADS: "1" });
    assert.equal(lanes, 128);
    for (const count of ["1", "2", "4"]) {
      const { lanes, threads, ...wide } = bits({ TWOHEADS_WIDE: "1", TWOHEADS_THREADS: count });
      assert.deepEqual([lanes, String(threads)], [256, count]);
      assert.deepEqual(wide, narrow);
    }
  });

  test("with fused multiply-add they have bits of their own, and start too", () => {
    assert.equal(evaluate(lanesOf, { TWOHEADS_FMA: "1" }).out, "256\n");
  });

  for (const [what, planted] of [
    ["a result that differs by a bit", "new Int32Array(memory.buffer)[y / 4] ^= 1;"],
    ["a kernel that throws", 'throw new WebAssembly.RuntimeError("unreachable");'],
  ] as const)
    test(`${what}: the kernels run without, and a sentence says so`, () => {
      const { out, err } = evaluate(`
      import { loadNow, startBy } from "./kernels/wasm/module.ts";
      import { startWide } from "./kernels/wasm/wide.ts";
      startBy((make, code) => startWide((lanes, own) => {
        const program = make(lanes, own);
        const { exports, memory } = program;
        const unaryExp = (from, to, x, y) => {
          exports.unaryExp(from, to, x, y);
          ${planted}
        };
        return lanes === 256 ? { ...program, exports: { ...exports, unaryExp } } : program;
      }, code));
      const { lanes, exports } = loadNow({});
      console.log(lanes, typeof exports.unaryExp);`);
      assert.equal(out, "128 function\n");
      assert.equal(
        err,
        "wasm: wide lanes gave other bits than the stored ones; running with 128-bit lanes\n",
      );
    });

  test("the command line has them, unless TWOHEADS_WIDE=0", () => {
    const program = `
      import { use } from "./core/index.ts";
      import "./kernels/index.ts";
      process.argv = [process.argv[0], "twoheads", "ops", "tanh"];
      await import("./cli/bin.js");
      console.log(use("wasm").details.lanes);`;
    assert.match(evaluate(program).out, /\n256\n$/);
    assert.match(evaluate(program, { TWOHEADS_WIDE: "0" }).out, /\n128\n$/);
  });

  test("they are for before the first tensor", () => {
    const late = lanesOf.replace("wideLanes();", 'use("wasm"); wideLanes();');
    assert.match(evaluate(late).err, /wideLanes: the kernels run already.*before the first tensor/);
  });
});

test("nobody gets them unasked", () => {
  const program = lanesOf.replace("wideLanes();", "");
  assert.equal(evaluate(program, { TWOHEADS_WIDE: "1" }).out, "128\n");
});

test("where the engine has none, asking for them by name says so", {
  skip: has && "it has",
}, () => {
  assert.deepEqual(evaluate(lanesOf), { status: 0, out: "128\n", err: "" });
  assert.match(
    evaluate(lanesOf, { TWOHEADS_WIDE: "1" }).err,
    /^wasm: TWOHEADS_WIDE=1, but .*128-bit/,
  );
});

test("TWOHEADS_WIDE is 0 or 1", () => {
  const { status, err } = run(["cli/bin.js", "ops", "tanh"], { TWOHEADS_WIDE: "yes" });
  assert.deepEqual([status, err], [1, "TWOHEADS_WIDE=yes: 0 or 1 is needed\n"]);
});
