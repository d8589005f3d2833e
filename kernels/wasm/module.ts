// Loads kernels.wasm and makes the memory it works on: at once where there are files (Node reads the one
// beside this module), with waiting where it is fetched (browsers). A browser compiles with waiting too:
// its main thread may not do so at once.
//
// One committed module serves shared memory (threads) and unshared memory (no cross-origin
// isolation). A module must declare which of the two it imports, in one bit of its import section;
// the kernels themselves contain no atomic instruction, so that bit is the whole difference, and
// `forSharedMemory` sets it on the way in.
// Read next: pool.ts for the memory, threads.ts for the sharing.

import { builtin } from "../../core/device.ts";
import { ArgumentError, DeviceError, environment } from "../../core/index.ts";
import { reasonOf } from "../../core/show.ts";
import type { Exports } from "./exports.ts";
import type { HostMemory, HostModule, HostURL } from "./host.ts";

const page = 65536;
const mostPages = 65536; // 4 GiB, all that 32-bit addresses reach

/**
 * An address beside this module, in the words that bundlers look for; they move the file and change them.
 * A script that isn't a module has no address: there it is beside the page.
 */
function beside(name: string, locate: () => URL): URL {
  try {
    return locate();
  } catch {
    const { location } = globalThis as { location?: { href: string } };
    const base = location?.href.startsWith("http") ? location.href : "file:///";
    return new URL(name, base);
  }
}

/** Where kernels.wasm is: beside this module, or where a bundler put it. */
export const kernelsUrl: HostURL = beside(
  "kernels.wasm",
  () => new URL("./kernels.wasm", import.meta.url),
);
const fmaUrl = beside("kernels.fma.wasm", () => new URL("./kernels.fma.wasm", import.meta.url));

/** The kernels, compiled, with their memory. */
export interface Program {
  readonly module: HostModule;
  readonly memory: HostMemory;
  readonly exports: Exports;
  /** Whether products use fused multiply-add. */
  readonly fma: boolean;
  /** Bits that the engine computes at once: 256 where wide.ts made it join pairs of vectors. */
  readonly lanes: Lanes;
}

export type Lanes = 128 | 256;

/** A module's bytes. */
export type Code = Uint8Array<ArrayBuffer>;

/** How a module starts: `make` compiles its code, or that which is given, for so many lanes. */
export type Start = (make: (lanes: Lanes, code?: Code) => Program, code: Code) => Program;

let start: Start | null = null;
let hasStarted = false;

/** Has modules start in another way from now on; false where one has started already. */
export function startBy(other: Start): boolean {
  if (hasStarted) return false;
  start = other;
  return true;
}

export interface ProgramOptions {
  /** Whether the memory is shared between threads; unless said, where it can be. */
  readonly shared?: boolean | undefined;
  /** The bytes of kernels.wasm, where there is no file system to read them from. */
  readonly bytes?: Uint8Array | undefined;
}

/** Loads the kernels at once, from the file beside this module or from bytes. */
export function loadNow({ shared = canShare(), bytes }: ProgramOptions): Program {
  const fused = bytes === undefined ? readFma() : null;
  const code = codeFor(bytes ?? fused ?? readKernels(kernelsUrl), shared);
  return startNow(code, shared, fused !== null);
}

function startNow(code: Code, shared: boolean, fma: boolean): Program {
  hasStarted = true;
  const make = (lanes: Lanes, own = code): Program => {
    const memory = createMemory(shared);
    try {
      const module = new WebAssembly.Module(own);
      const { exports } = new WebAssembly.Instance(module, { env: { memory } });
      return { module, memory, exports: exports as unknown as Exports, fma, lanes };
    } catch (cause) {
      throw refusal(cause);
    }
  };
  return start === null ? make(128) : start(make, code);
}

/** Where the kernels are, or their bytes, to load them with waiting. */
export type KernelSource = string | HostURL | Uint8Array | ArrayBuffer;

/** Loads the kernels from a URL or from bytes, with waiting. A DeviceError says why that can't be. */
export async function load(from: KernelSource | undefined, wantsFma: boolean): Promise<Program> {
  const shared = canShare();
  const fused = wantsFma ? await fetchKernels(fmaUrl) : null;
  const fma = fused !== null && canRunFma(fused, "ready({ fma: true })");
  kept = fma && fused ? fused : await fetchKernels(from ?? kernelsUrl);
  const code = codeFor(kept, shared);
  if (start !== null) return startNow(code, shared, fma);
  hasStarted = true;
  const memory = createMemory(shared);
  try {
    const module = await WebAssembly.compile(code);
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    return { module, memory, exports: exports as unknown as Exports, fma, lanes: 128 };
  } catch (cause) {
    throw refusal(cause);
  }
}

/** Whether kernels are read from files here, at once; elsewhere they are fetched. */
export function hasFiles(): boolean {
  return builtin("node:fs") !== undefined && kernelsUrl.protocol === "file:";
}

const remedy = "hand it over: await ready({ kernels: its URL or its bytes })";

/** What was fetched last: where there are no files, others start from it at once. */
let kept: Uint8Array | null = null;

function readKernels(url: URL): Uint8Array {
  if (!hasFiles()) {
    if (kept !== null) return kept;
    throw new DeviceError(
      "wasm: its kernels are fetched before the first tensor: await ready(), of twoheads/kernels",
    );
  }
  const fs = builtin<{ readFileSync: (url: URL) => Uint8Array }>("node:fs");
  try {
    return fs?.readFileSync(url) as Uint8Array;
  } catch (cause) {
    throw new DeviceError(`wasm: ${url} can't be read (${reasonOf(cause)}); ${remedy}`, { cause });
  }
}

async function fetchKernels(from: KernelSource): Promise<Uint8Array> {
  if (from instanceof ArrayBuffer) return new Uint8Array(from);
  if (from instanceof Uint8Array) return from;
  if (typeof from !== "string" && !(from instanceof URL)) {
    throw new ArgumentError(`ready: kernels is ${String(from)}, needed a URL or bytes`);
  }
  const url = typeof from === "string" ? beside(from, () => new URL(from)) : from;
  if (url.protocol === "file:") return readKernels(url);
  const bytes = await fetched(url);
  const isWasm = [0, 0x61, 0x73, 0x6d].every((byte, i) => bytes[i] === byte); // "\0asm"
  if (isWasm) return bytes;
  throw new DeviceError(
    `wasm: what ${url} gives is no WebAssembly (a page, perhaps); serve twoheads/kernels.wasm there, or ${remedy}`,
  );
}

async function fetched(url: URL): Promise<Uint8Array> {
  let why: string;
  try {
    const response = await fetch(url);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    why = `status ${response.status}`;
  } catch (cause) {
    why = reasonOf(cause);
  }
  throw new DeviceError(`wasm: ${url} can't be fetched (${why}); ${remedy}`);
}

/**
 * The module with fused multiply-add, if TWOHEADS_FMA=1 asks for it and the engine has it (Node 22 and
 * newer). About a fifth faster in products, and its bits depend on the processor: never by default.
 */
function readFma(): Uint8Array | null {
  if (environment("TWOHEADS_FMA") !== "1") return null;
  const bytes = readKernels(fmaUrl);
  return canRunFma(bytes, "TWOHEADS_FMA=1") ? bytes : null;
}

function canRunFma(bytes: Uint8Array, asked: string): boolean {
  if (WebAssembly.validate(bytes as Code)) return true;
  console.warn(`wasm: ${asked}, but this engine lacks relaxed SIMD; running without FMA`);
  return false;
}

/** Whether a memory can be shared between threads here. */
function canShare(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
  return isolated !== false;
}

/** A memory that may grow to 4 GiB, or to as much as the system lets it reserve. */
function createMemory(shared: boolean): WebAssembly.Memory {
  for (let maximum = mostPages; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: 64, maximum, shared });
    } catch (cause) {
      if (maximum > 4096) continue;
      throw new DeviceError(`wasm: no memory can be reserved (${reasonOf(cause)})`, { cause });
    }
  }
}

/** The code for that kind of memory; an engine without SIMD gets one sentence. */
function codeFor(bytes: Uint8Array, shared: boolean): Code {
  if (typeof WebAssembly === "undefined") {
    throw new DeviceError("wasm: this engine has no WebAssembly, or was told to do without");
  }
  const code = (shared ? forSharedMemory(bytes) : bytes) as Code;
  if (WebAssembly.validate(code)) return code;
  throw new DeviceError("wasm: this engine lacks WebAssembly SIMD");
}

/** Why code that is valid doesn't compile or start: the page's policy, as a rule. */
function refusal(cause: unknown): DeviceError {
  const message = reasonOf(cause);
  const byPolicy = /unsafe-eval|Content.Security.Policy|\bCSP\b/i.test(message);
  const why = byPolicy
    ? "this page's Content-Security-Policy lets no WebAssembly compile (script-src needs 'wasm-unsafe-eval')"
    : `its kernels don't compile here (${message})`;
  return new DeviceError(`wasm: ${why}`, { cause });
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
    throw new Error("kernels.wasm has no maximum; rebuild it");
  }
  const copy = bytes.slice();
  copy[at] = 3;
  return copy;
}

export { mostPages, page };
