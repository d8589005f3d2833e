// The pool of the SIMD device: against a simple allocator, on drawn sizes and lifetimes; and what it holds after loops
// whose sizes vary: at most twice what was ever in use. TWOHEADS_NIGHTLY=1 (npm run nightly) takes 100,000 steps of each.
// Next: ../kernels/wasm/pool.ts, memoryLoops.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Draw, random, registerDevice, type Tensor, tensor, use } from "../core/index.ts";
import { WasmDevice } from "../kernels/index.ts";
import { createWasm } from "../kernels/wasm/kernels.ts";
import { holds } from "../testing/property.ts";
import { loops } from "./memoryLoops.ts";

const mebibyte = 2 ** 20;
const isNightly = process.env.TWOHEADS_NIGHTLY === "1";

/** A buffer that is handed out: its bytes begin and end with a mark. */
interface Lent {
  readonly at: number;
  readonly bytes: number;
  readonly mark: number;
}

test("a pool hands out what a simple allocator would, and nobody's bytes change", () => {
  const wasm = createWasm({ threads: 1 });
  const draw = (d: Draw): [bytes: number, what: number][] =>
    Array.from({ length: d.integer(0, 300) }, () => [
      d.integer(0, 2 ** d.integer(1, 21)),
      d.integer(0, 3),
    ]);
  holds("pool", draw, (steps) => {
    const before = wasm.pool.statistics.inUse;
    const live: Lent[] = []; // the simplest allocator: a list, of which each is held against all others
    const free = (place: number): void => {
      for (const { at, bytes, mark } of live.splice(place, 1)) {
        if (bytes > 0) assert.deepEqual([wasm.u8[at], wasm.u8[at + bytes - 1]], [mark, mark]);
        wasm.free(at, bytes);
      }
    };
    steps.forEach(([bytes, what], i) => {
      const at = wasm.alloc(bytes);
      assert.ok(at > 0 && at % 64 === 0, `address ${at}`);
      for (const other of live)
        assert.ok(at >= other.at + other.bytes || other.at >= at + bytes, "two buffers overlap");
      live.push({ at, bytes, mark: i % 256 });
      wasm.u8.fill(i % 256, at, at + bytes);
      if (what > 0) free((7 * i) % live.length);
      if (what === 3) wasm.pool.join();
    });
    while (live.length > 0) free(0);
    assert.equal(wasm.pool.statistics.inUse, before);
  });
});

/** A device of its own. */
function deviceOf(name: string, threads: number): WasmDevice {
  const own = new WasmDevice({ threads, worthSharing: 500 });
  registerDevice(name, () => own);
  use(name);
  return own;
}

/** That a device holds at most twice what it ever had in use, or what isn't worth while to save. */
function checkHeld({ wasm }: WasmDevice, what: string): void {
  const { held, peak } = wasm.pool.statistics;
  const most = Math.max(2 * peak, 4 * mebibyte);
  assert.ok(held <= most, `${what}: ${held} bytes held, at most ${peak} were in use`);
}

for (const threads of [1, 3]) {
  test(`tensors of any size and lifetime keep their numbers, ${threads} threads`, () => {
    const own = deviceOf(`wasm of any size ${threads}`, threads);
    const rng = random(threads);
    const live: { x: Tensor; first: number }[] = [];
    for (let i = 0; i < 2000; i++) {
      // long-lived small ones between large ones, then the other way round: what scatters a pool
      const most = 2 ** rng.integer(4, i % 400 < 200 ? 12 : 18);
      const x = tensor(new Float32Array(rng.integer(1, most)).fill(i)).mul(2);
      live.push({ x, first: 2 * i });
      while (live.length > 120 + (i % 100)) {
        for (const { x: old, first } of live.splice(rng.integer(0, live.length), 1)) {
          assert.equal(old.sum().data[0], Math.fround(first * old.size)); // all of its numbers
          old.release();
        }
      }
      checkHeld(own, `turn ${i}`);
    }
  });
}

describe("loops whose sizes vary", () => {
  const steps = isNightly ? 100_000 : 150;
  /** Megabytes that a loop's own tensors could need ten times over. */
  const most = 24 * mebibyte;

  for (const [name, loop] of Object.entries(loops)) {
    test(`${name}: at most twice what was in use is held after ${steps} steps`, () => {
      const own = deviceOf(`wasm, ${name}`, 1);
      const step = loop(random(1));
      for (let i = 0; i < steps; i++) step();
      checkHeld(own, name);
      const { held } = own.wasm.pool.statistics;
      assert.ok(held < most, `${(held / mebibyte).toFixed(1)} MiB are held`);
      if (isNightly)
        assert.ok(process.memoryUsage().rss < 1024 * mebibyte, "the process stays small");
    });
  }
});
