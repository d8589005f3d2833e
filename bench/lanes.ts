// With which lanes a benchmark's kernels run: 128 bits, as in a program that asks for nothing, or 256 with
// TWOHEADS_WIDE=1 where the engine has them. Read first, before the first kernel.
// Next: ../kernels/wasm/wide.ts.

import { WasmDevice } from "../kernels/index.ts";
import { wideLanes } from "../kernels/node.ts";

if (process.env.TWOHEADS_WIDE === "1") wideLanes();

/** Bits that the engine computes at once. */
export const lanes = new WasmDevice({ threads: 1 }).details.lanes ?? 128;
