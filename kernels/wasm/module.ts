// Loads kernels.wasm and makes the memory it works on. Synchronous: Node reads the file beside this
// one.
//
// One committed module serves shared memory (threads) and unshared memory (no cross-origin
// isolation). A module must declare which of the two it imports, in one bit of its import section;
// the kernels themselves contain no atomic instruction, so that bit is the whole difference, and
// `forSharedMemory` sets it on the way in.
// Read next: pool.ts for the memory, threads.ts for the sharing.

import { DeviceError, environment } from "../../core/index.ts";
import type { Exports } from "./exports.ts";

const page = 65536;
const mostPages = 65536; // 4 GiB, all that 32-bit addresses reach

/** Node's built-in module of that name; undefined in a browser. */
export function builtin<T>(name: string): T | undefined {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  return host.process?.getBuiltinModule?.(name) as T | undefined;
}

/**
 * The bytes of kernels.wasm, or of the module with fused multiply-add. In a browser, fetch `kernelsUrl`
 * first and hand the bytes to `compile`.
 */
export function readKernels(url = kernelsUrl): Uint8Array {
  const fs = builtin<{ readFileSync: (url: URL) => Uint8Array }>("node:fs");
  if (!fs) throw new DeviceError(`wasm: no file system here; fetch ${url} and pass its bytes`);
  return fs.readFileSync(url);
}

export const kernelsUrl = new URL("./kernels.wasm", import.meta.url);
const fmaUrl = new URL("./kernels.fma.wasm", import.meta.url);

/**
 * The module with fused multiply-add, if TWOHEADS_FMA=1 asks for it and the engine has it (Node 22 and
 * newer). About a fifth faster in products, and its bits depend on the processor: never by default.
 */
export function readFma(): Uint8Array | null {
  if (environment("TWOHEADS_FMA") !== "1") return null;
  const bytes = readKernels(fmaUrl);
  if (WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) return bytes;
  console.warn("wasm: TWOHEADS_FMA=1, but this engine lacks relaxed SIMD; running without FMA");
  return null;
}

/** Whether a memory can be shared between threads here. */
export function canShare(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
  return isolated !== false;
}

export function createMemory(shared: boolean, initialPages = 16): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: initialPages, maximum: mostPages, shared });
}

/** Compiles the kernels for that kind of memory; an engine without SIMD gets one sentence. */
export function compile(bytes: Uint8Array, shared: boolean): WebAssembly.Module {
  const code = (shared ? forSharedMemory(bytes) : bytes) as Uint8Array<ArrayBuffer>;
  if (!WebAssembly.validate(code)) {
    throw new DeviceError(
      "wasm: this engine lacks WebAssembly SIMD; every op runs without it on the reference device, slowly",
    );
  }
  return new WebAssembly.Module(code);
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Exports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports;
}

/**
 * The module with its memory import declared as shared: limits flag 1 (has a maximum) becomes 3
 * (and is shared).
 */
export function forSharedMemory(bytes: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode("\x03env\x06memory\x02"); // module, field, kind 2: memory
  const at =
    bytes.findIndex((_, i) => name.every((byte, j) => bytes[i + j] === byte)) + name.length;
  if (at < name.length || bytes[at] !== 1) {
    throw new Error("kernels/wasm: kernels.wasm imports no memory with a maximum; rebuild it");
  }
  const copy = bytes.slice();
  copy[at] = 3;
  return copy;
}

export { mostPages, page };
