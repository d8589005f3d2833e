// Tensors that are held on to: at the limit an error says who takes most, on every CPU device; what was dropped
// doesn't count, and once something is let go, work goes on. Next: ../core/memoryLimit.ts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, test } from "node:test";
import {
  ArgumentError,
  DeviceError,
  noGrad,
  setMemoryLimit,
  type Tensor,
  use,
  zeros,
} from "../core/index.ts";
import "../kernels/index.ts";
import { root } from "./folders.ts";

const limit = 48 * 2 ** 20;
after(() => setMemoryLimit());

for (const device of ["reference", "wasm"]) {
  test(`tensors that fill the memory are an error that names them, on ${device}`, () => {
    use(device);
    setMemoryLimit(limit);
    const held: Tensor[] = [];
    const fill = (turns: number): void => {
      for (let i = 0; i < turns; i++) held.push(zeros([256, 1024]).add(1), zeros([100]));
    };
    let said = "";
    assert.throws(
      () => fill(100), // a MiB a turn
      (error) => {
        said = String(error);
        return error instanceof DeviceError;
      },
    );
    const rule =
      /: out of memory: \S+ MiB wanted, and tensors hold (\S+) MiB of the 48\.0 MiB of setMemoryLimit .*; most is held by (\d+) x add f32\[256,1024\] \((\S+) MiB\)/;
    const [, all, adds, size] = rule.exec(said) ?? assert.fail(said);
    assert.ok(Math.abs(Number(adds) - held.length / 2) <= 1, `${held.length}: ${said}`);
    assert.equal(Number(size), Number(adds));
    assert.ok(Number(all) > 44 && Number(all) <= 52, said);
    assert.match(said, /\d+ x zeros f32\[100\]/);
    assert.equal(held[0]?.data[0], 1); // what there is stays whole
    held.length = 0;
    fill(20);
  });

  test(`what is dropped doesn't count, on ${device}`, () => {
    use(device);
    setMemoryLimit(limit);
    noGrad(() => {
      for (let i = 0; i < 80; i++) zeros([256, 1024]).add(1);
    });
  });
}

test("a limit is a number above 0, whoever sets it", () => {
  for (const bytes of [0, -1, Number.NaN])
    assert.throws(() => setMemoryLimit(bytes), ArgumentError, `${bytes}`);
  const program =
    'import { zeros } from "./core/index.ts"; try { zeros([2 ** 20]); console.log("made"); } catch (e) { console.log(e.message); }';
  for (const [asked, said] of [
    ["0.001", /^zeros: out of memory: 4\.0 MiB wanted, and tensors hold 0\.0 MiB of the 1\.0 MiB /],
    ["much", /^TWOHEADS_MEMORY must be a number above 0, got much$/m],
  ] as const) {
    const flags = ["--import", import.meta.resolve("tsx"), "--input-type=module", "--eval"];
    const env = { ...process.env, TWOHEADS_MEMORY: asked };
    const printed = execFileSync(process.execPath, [...flags, program], {
      ...{ cwd: root, encoding: "utf8", env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    assert.match(printed, said);
  }
});
