// What kernels make of fixed numbers, as hashes, for a process that the environment gives one width of lanes
// or the other: products of every form and edge, the elementwise kernels, and 400 training losses.
// Next: wide.test.ts, which compares two such processes.

import { setFlagsFromString } from "node:v8";
import { use } from "../core/index.ts";
import "../kernels/index.ts";
import { wideLanes } from "../kernels/node.ts";
import type { WasmDevice } from "../kernels/wasm/device.ts";
import type { SharedKernel } from "../kernels/wasm/exports.ts";
import type { Product, Wasm } from "../kernels/wasm/kernels.ts";
import { goldenHash } from "./golden/losses.ts";

wideLanes();
const { wasm, details } = use("wasm") as WasmDevice;
setFlagsFromString("--wasm-sync-tier-up"); // the compiler that joins takes over after a first call

const room = 1 << 16;
const [x, g, y] = [0, 1, 2].map(() => wasm.alloc(4 * room)) as [number, number, number];
let state = 1;
for (const at of [x, g]) {
  for (let i = at >> 2; i < (at >> 2) + room; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    wasm.f32[i] = state / 2 ** 29;
  }
}

/** Of the first numbers at y, after a run that begins with ones there. */
function hashAfter(count: number, run: (w: Wasm) => void): number {
  wasm.f32.fill(1, y >> 2, (y >> 2) + count);
  run(wasm);
  let hash = 0x811c9dc5;
  for (let i = y >> 2; i < (y >> 2) + count; i++)
    hash = Math.imul(hash ^ (wasm.i32[i] as number), 0x01000193);
  return hash >>> 0;
}

const both = [false, true];
const forms: readonly Partial<Product>[] = both.flatMap((transposeA) =>
  both.flatMap((transposeB) => [
    { transposeA, transposeB },
    { transposeA, transposeB, add: true },
    { transposeA, transposeB, bias: g },
  ]),
);

function productHashes(): number[] {
  const hashes: number[] = [];
  for (const M of [1, 2, 4, 7, 20])
    for (const N of [1, 8, 15, 16, 17, 24, 33, 48])
      for (const K of [1, 2, 17, 64, 513, 600])
        for (const form of forms)
          hashes.push(hashAfter(M * N, () => wasm.matmul(x, g, y, { M, N, K, ...form })));
  for (const form of forms) {
    const [M, N, K, batch] = [17, 19, 23, 8];
    hashes.push(hashAfter(batch * M * N, () => wasm.matmul(x, g, y, { batch, M, N, K, ...form })));
    const large = { M: 90, N: 100, K: 110, ...form };
    hashes.push(hashAfter(large.M * large.N, () => wasm.matmul(x, g, y, large)));
  }
  return hashes;
}

/** Every kernel of one operand, and every gradient of one, over more than whole vectors. */
function elementwiseHashes(): Record<string, number> {
  const names = (Object.keys(wasm.exports) as SharedKernel[]).filter((name) =>
    /^(unary|grad)/.test(name),
  );
  const n = 16_387;
  return Object.fromEntries(
    names.map((name) => {
      const operands = name.startsWith("grad") ? [g, x] : [x];
      const rest = name === "unaryClamp" ? [-1, 1] : [];
      return [name, hashAfter(n, () => wasm.run(name, n, 1, 1, ...operands, y, ...rest))];
    }),
  );
}

productHashes();
elementwiseHashes();
const { threads, lanes } = details;
const found = { lanes, threads, products: productHashes(), elementwise: elementwiseHashes() };
console.log(JSON.stringify({ ...found, golden: goldenHash().hash }));
