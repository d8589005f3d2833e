// Starting the wasm device where its kernels are fetched: in a browser, `await ready()` once, before the first
// tensor. Node reads a file and needs no such line, and may have it all the same. Next: wasm/module.ts.

import {
  ArgumentError,
  currentDevice,
  type Device,
  DeviceError,
  registerDevice,
} from "../core/index.ts";
import { accept, signature } from "../core/signature.ts";
import { WasmDevice } from "./wasm/device.ts";
import type { WasmOptions } from "./wasm/kernels.ts";
import { hasFiles, type KernelSource, load } from "./wasm/module.ts";

const takes = signature("ready", "{ kernels?: any, threads?: number, fma?: boolean }");

/** What ready() may be told: where the kernels are, how many threads, which module. */
export interface ReadyOptions {
  /**
   * Where kernels.wasm is, or its bytes. Vite, webpack and plain pages find it by themselves; elsewhere it is
   * `twoheads/kernels.wasm` of the package.
   */
  readonly kernels?: KernelSource;
  /** Threads in all; unless said, as many as there are processors, at most 8. One where a page isn't isolated. */
  readonly threads?: number;
  /** Fetches the module with fused multiply-add instead: faster products, and other bits. */
  readonly fma?: boolean;
}

/** What the wasm device starts with, or why it can't. */
let prepared: WasmOptions | DeviceError = {};
let running: WasmDevice | null = null;
let starting: Promise<Device> | null = null;

/** Registers the wasm device and makes it the default. */
export function registerWasm(): void {
  registerDevice("wasm", startWasm, { preferred: true });
}

function startWasm(): WasmDevice {
  if (prepared instanceof DeviceError) throw prepared;
  running ??= new WasmDevice(prepared);
  return running;
}

/**
 * Fetches and starts the SIMD kernels, with threads where the page is cross-origin isolated; resolves to the
 * device that new tensors are made on. Where the kernels can't start, that is the reference device, one
 * sentence on the console says why, and `use("wasm")` is a DeviceError with the same reason. A second call
 * resolves to the same device.
 */
export function ready(options: ReadyOptions = {}): Promise<Device> {
  accept(takes, arguments);
  starting ??= begin(options);
  return starting;
}

async function begin({ kernels, threads, fma = false }: ReadyOptions): Promise<Device> {
  const asksForMore = kernels !== undefined || threads !== undefined || fma;
  if (running === null) await prepare({ kernels, threads, fma });
  else if (asksForMore) {
    starting = null;
    throw new ArgumentError(
      "ready: the wasm device runs already; give options before the first tensor",
    );
  }
  const device = currentDevice();
  if (device === running) await running.wasm.threads.begin();
  return device;
}

interface Asked {
  readonly kernels: KernelSource | undefined;
  readonly threads: number | undefined;
  readonly fma: boolean;
}

async function prepare({ kernels, threads, fma }: Asked): Promise<void> {
  try {
    const isRead = kernels === undefined && !fma && hasFiles();
    prepared = isRead ? { threads } : { threads, program: await load(kernels, fma) };
  } catch (error) {
    starting = null; // another call may hand over what was missing
    if (!(error instanceof DeviceError)) throw error;
    prepared = error;
  }
  registerWasm(); // whoever made tensors before got the default of then
}
