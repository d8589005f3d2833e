// gpu.js, seen from here: the few of its types that the device uses, and where it comes from. It is an
// optional peer of the package: in Node it is loaded when a gpu device is first used, in a
// browser the page hands it over with provideGpu. Next: modes.ts, which starts one of its backends.

import { builtin } from "../../core/device.ts";
import { ArgumentError, DeviceError } from "../../core/index.ts";
import { reasonOf } from "../../core/show.ts";
import { accept, signature } from "../../core/signature.ts";

const takes = signature("provideGpu", "library: function | object");

/** Numbers that stay where they were computed: a texture or a buffer of the GPU. */
export interface Resident {
  toArray(): Float32Array | Promise<Float32Array>;
  delete(): void;
  readonly texture?: object;
}

/** What kernels take and give: arrays on the backends that run on the CPU, else something resident. */
export type Handle = Float32Array | Resident;

/** A compiled kernel. */
export interface Shortcut {
  (...args: readonly (Handle | number)[]): Handle | Promise<Handle>;
  setOutput(output: readonly number[]): unknown;
  destroy(): void;
  /** The backend's own object, which says what really ran. */
  readonly kernel: {
    readonly constructor: { readonly mode: string };
    readonly fallbackReason?: string | null;
    readonly built?: boolean;
  };
}

/** A whole plan of kernels, compiled to run as one. */
export interface PipelineShortcut {
  (...args: readonly (Float32Array | number)[]): Promise<readonly Float32Array[]>;
  destroy(): void;
  /** "fused-encoder", "fused-threaded", "fused-sync" or "generic". */
  readonly executorKind: string;
  readonly fallbackReason: string | null;
  /** The mode that executes: "webgpu", "gpu" (WebGL), "webasm" or "cpu". */
  readonly backend: string | null;
}

export interface HelperSource {
  readonly name: string;
  readonly source: string;
  readonly argumentNames: readonly string[];
  readonly argumentTypes: readonly string[];
  readonly returnType: string;
}

export interface KernelSettings {
  readonly output: readonly number[];
  readonly functions: readonly HelperSource[];
  readonly argumentTypes?: readonly string[];
  readonly returnType: string;
  readonly precision: "single";
  readonly tactic: "precision";
  readonly loopMaxIterations: number;
  readonly pipeline?: boolean;
  readonly immutable?: boolean;
  readonly dynamicOutput?: boolean;
  readonly dynamicArguments?: boolean;
}

/** The few things that a WebGL2RenderingContext is asked. */
export interface WebGL {
  readonly OUT_OF_MEMORY: number;
  getError(): number;
  isContextLost(): boolean;
  getExtension(name: "WEBGL_lose_context"): { loseContext(): void } | null;
  getExtension(
    name: "WEBGL_debug_renderer_info",
  ): { readonly UNMASKED_RENDERER_WEBGL: number } | null;
  getParameter(name: number): unknown;
}

export interface Gpu {
  createKernel(source: string, settings: KernelSettings): Shortcut;
  createPipeline(
    fn: (...handles: never[]) => unknown,
    settings?: { readonly threads?: boolean },
  ): PipelineShortcut;
  destroy(): Promise<void>;
  readonly context: WebGL | null;
}

/** The module `gpu.js`. */
export interface GpuLibrary {
  readonly GPU: {
    new (settings: { readonly mode: string }): Gpu;
    readonly isWebGL2Supported: boolean;
    readonly isWebAssemblySupported: boolean;
    readonly isWebGPUSupported: boolean;
  };
  readonly WebGL2Kernel: object;
  readonly WebGPUContext: {
    acquire(): Promise<GpuContext>;
  };
}

/** The parts of WebGPU's adapter and device that matter here. */
export interface GpuContext {
  readonly adapter: {
    readonly info: {
      readonly description: string;
      readonly architecture: string;
      readonly vendor: string;
    };
  };
  readonly device: GpuDeviceHandle;
}

export interface GpuDeviceHandle {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  addEventListener(
    type: "uncapturederror",
    listener: (event: { readonly error: { readonly message: string } }) => void,
  ): void;
  destroy(): void;
}

let provided: GpuLibrary | null = null;

/**
 * Hands gpu.js over, where it can't be found by itself: in browsers and bundles,
 * `import gpujs from "gpu.js"; provideGpu(gpujs)`.
 */
export function provideGpu(library: unknown): void {
  accept(takes, arguments);
  const given = library as Partial<GpuLibrary>;
  if (typeof given.GPU !== "function") {
    throw new ArgumentError(
      "provideGpu: this is not gpu.js, it has no GPU to make; hand over the import of gpu.js by itself: " +
        'import gpujs from "gpu.js"; provideGpu(gpujs)',
    );
  }
  provided = given as GpuLibrary;
}

interface NodeModules {
  createRequire(from: string): (name: string) => unknown;
}

/** gpu.js: provided, or required from Node's modules. A DeviceError says how to get it. */
export function gpuLibrary(): GpuLibrary {
  if (provided !== null) return provided;
  const modules = builtin<NodeModules>("node:module");
  if (modules === undefined) {
    throw new DeviceError(
      'gpu: gpu.js isn\'t here; import gpujs from "gpu.js" and call provideGpu(gpujs) (twoheads/kernels) ' +
        'before use("gpu")',
    );
  }
  try {
    provided = modules.createRequire(import.meta.url)("gpu.js") as GpuLibrary;
    return provided;
  } catch (cause) {
    throw new DeviceError(
      `gpu: gpu.js doesn't load (${reasonOf(cause)}); npm install gpu.js webgpu brings it (about 140 MB, most of it ` +
        'WebGPU for Node); use("wasm") needs neither',
      { cause },
    );
  }
}

/** Whether this is Node, Deno or Bun. */
export function isNode(): boolean {
  return builtin("node:module") !== undefined;
}

/** Puts WebGPU on `navigator.gpu`: browsers have it there, Node has it from the package `webgpu`. */
export async function provideWebGpu(): Promise<void> {
  const host = globalThis as { navigator?: { gpu?: unknown } };
  if (host.navigator?.gpu || !isNode()) return;
  const name = "webgpu"; // a variable and a comment, so that bundlers for browsers don't look for it
  const { create, globals } = (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)) as {
    create: (options: string[]) => unknown;
    globals: object;
  };
  Object.assign(globalThis, globals);
  if (host.navigator === undefined)
    Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, "gpu", { value: create([]), configurable: true });
}
