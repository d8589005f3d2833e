// kernels: loops over numbers, nothing else. So far the WebAssembly module and its host side, by
// address and size; the device that runs core's ops on them is to come. May import core, and core
// never imports it. Next: wasm/kernels.ts.

export { createWasm, type Product, type Wasm, type WasmOptions } from "./wasm/kernels.ts";
