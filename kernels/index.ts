// kernels: loops over numbers, nothing else. Importing this registers the wasm device and makes it the
// default: SIMD kernels and threads under core's ops. May import core, and core never imports it.
// Next: wasm/device.ts.

import { registerDevice } from "../core/index.ts";
import { WasmDevice } from "./wasm/device.ts";

registerDevice("wasm", () => new WasmDevice(), { preferred: true });

export { WasmDevice } from "./wasm/device.ts";
export { createWasm, type Product, type Wasm, type WasmOptions } from "./wasm/kernels.ts";
export type { Memory } from "./wasm/memory.ts";
