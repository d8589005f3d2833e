// kernels: loops over numbers, nothing else. Importing this registers the wasm device and makes it the
// default: SIMD kernels and threads under core's ops. May import core, and core never imports it.
// Next: wasm/device.ts; ready.ts for browsers.

import { registerDevice } from "../core/index.ts";
import { GpuDevice } from "./gpu/device.ts";
import { modes } from "./gpu/modes.ts";
import { registerWasm } from "./ready.ts";

registerWasm();
registerDevice("gpu", () => new GpuDevice());
for (const mode of modes) registerDevice(`gpu:${mode}`, () => new GpuDevice(mode));

export { GpuDevice } from "./gpu/device.ts";
export { provideGpu } from "./gpu/library.ts";
export { type Mode, modes } from "./gpu/modes.ts";
export { type RecordedStep, recordStep } from "./gpu/recordStep.ts";
export { type ReadyOptions, ready } from "./ready.ts";
export { WasmDevice } from "./wasm/device.ts";
export { createWasm, type Product, type Wasm, type WasmOptions } from "./wasm/kernels.ts";
export type { WasmMemory } from "./wasm/memory.ts";
export { type KernelSource, kernelsUrl, type Program } from "./wasm/module.ts";
