// Which backend of gpu.js runs, and the proof of it. gpu.js goes over to the CPU with nothing but a
// warning where a backend fails; here a mode that didn't start, or didn't run, is an error that says what
// answered and what else there is. use("gpu") takes the first that works: webgpu, webgl2, webasm, cpu.
// Next: engine.ts, which runs kernels in a mode.

import { DeviceError } from "../../core/index.ts";
import { reasonOf } from "../../core/show.ts";
import {
  type Gpu,
  type GpuContext,
  type GpuLibrary,
  gpuLibrary,
  isNode,
  provideWebGpu,
  type Shortcut,
  type WebGL,
} from "./library.ts";

/** All modes, in the order in which use("gpu") tries them. */
export const modes = ["webgpu", "webgl2", "webasm", "cpu"] as const;

/** By what gpu.js computes: WebGPU, WebGL2, WebAssembly, or plain JavaScript. */
export type Mode = (typeof modes)[number];

/** A backend that answered. */
export interface Backend {
  readonly mode: Mode;
  readonly gpu: Gpu;
  /** What computes, as the driver calls itself: "SwiftShader driver 5.0.0", "webasm". */
  readonly adapter: string;
  /** What gpu.js calls an array that is on the device. */
  readonly resident: "Array" | "ArrayTexture(1)" | "WebGPUBuffer";
  /** Throws unless a kernel that ran really ran in this mode. */
  check(name: string, kernel: Shortcut["kernel"]): void;
  /** Why nothing can be computed any more; null while all is well. */
  failure(): string | null;
  /** Finds out whether memory ran out, where that takes a question (WebGL): before numbers are believed. */
  checkMemory(): void;
  /** Takes the GPU away, as a crashed driver would: for tests. */
  lose(): void;
}

function unavailable(mode: Mode, reason: string, cause?: unknown): DeviceError {
  const others = modes.filter((other) => other !== mode && (!isNode() || other !== "webgl2"));
  return new DeviceError(
    `gpu:${mode}: ${reason}. What else there is: ${others.map((other) => `use("gpu:${other}")`).join(", ")} ` +
      'or use("wasm")',
    cause === undefined ? {} : { cause },
  );
}

/** Starts a mode that needs no waiting for: webgl2, webasm or cpu. */
export function startNow(mode: Exclude<Mode, "webgpu">): Backend {
  const library = gpuLibrary();
  const reason = whyNot(library, mode);
  if (reason !== null) throw unavailable(mode, reason);
  const gpu = new library.GPU({ mode });
  const context = (): WebGL | null => (mode === "webgl2" ? gpu.context : null); // in a worker, cpu has one for drawing
  let failure: string | null = null;
  return {
    mode,
    gpu,
    get adapter() {
      return mode === "webgl2" ? rendererOf(context()) : mode;
    },
    resident: mode === "webgl2" ? "ArrayTexture(1)" : "Array",
    check: (name, kernel) => checkRan(library, mode, name, kernel),
    failure: () => {
      if (context()?.isContextLost()) failure ??= "the WebGL context was lost";
      return failure;
    },
    checkMemory: () => {
      const gl = context();
      if (gl?.getError() === gl?.OUT_OF_MEMORY && gl) failure ??= "out of GPU memory";
    },
    lose: () => {
      if (context() === null) failure = "the device was given up";
      context()?.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

function rendererOf(gl: WebGL | null): string {
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  return info ? String(gl?.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "WebGL2";
}

function whyNot({ GPU }: GpuLibrary, mode: Mode): string | null {
  if (mode === "webgl2" && !GPU.isWebGL2Supported) {
    return isNode()
      ? "Node has no WebGL2; it runs in browsers"
      : "this browser gives no WebGL2 context";
  }
  if (mode === "webasm" && !GPU.isWebAssemblySupported) return "this engine has no WebAssembly";
  return null;
}

/** Starts WebGPU: an adapter must answer. */
export async function startWebGpu(): Promise<Backend> {
  const mode = "webgpu";
  const library = gpuLibrary();
  try {
    await provideWebGpu();
  } catch (cause) {
    throw unavailable(
      mode,
      `the package webgpu, which brings WebGPU to Node, didn't load (${reasonOf(cause)})`,
    );
  }
  if (!library.GPU.isWebGPUSupported) {
    throw unavailable(
      mode,
      "there is no navigator.gpu: this browser has no WebGPU, or hides it from this page",
    );
  }
  const { adapter, device } = await contextOf(library);
  const gpu = new library.GPU({ mode });
  let failure: string | null = null;
  device.lost.then(({ reason, message }) => {
    failure = `the GPU device was lost (${[reason, message].filter(Boolean).join(": ")})`;
  });
  device.addEventListener("uncapturederror", ({ error }) => {
    if (error.message.includes("parsing WGSL")) return; // gpu.js throws that itself
    const isMemory = error.constructor.name === "GPUOutOfMemoryError";
    failure ??= `${isMemory ? "out of GPU memory" : "WebGPU refused"}: ${error.message.split("\n")[0]}`;
  });
  const { description, vendor, architecture } = adapter.info;
  return {
    mode,
    gpu,
    adapter: description || [vendor, architecture].filter(Boolean).join(" ") || "WebGPU",
    resident: "WebGPUBuffer",
    check: (name, kernel) => checkRan(library, mode, name, kernel),
    failure: () => failure,
    checkMemory: () => {}, // an event says it
    lose: () => device.destroy(),
  };
}

async function contextOf(library: GpuLibrary): Promise<GpuContext> {
  try {
    return await library.WebGPUContext.acquire();
  } catch (cause) {
    const inNode = isNode()
      ? "; in Node it needs a Vulkan driver and loader (or Metal, or Direct3D 12), and SwiftShader does without a GPU: " +
        "VK_ICD_FILENAMES=.../vk_swiftshader_icd.json"
      : "";
    throw unavailable("webgpu", `WebGPU is here, but no adapter answered${inNode}`, cause);
  }
}

/**
 * The first mode that answers, in the order of preference; a DeviceError tells what each said. Where no GPU
 * answers, that is said, and who computes instead.
 */
export async function startBest(): Promise<Backend> {
  const said: string[] = [];
  for (const mode of modes) {
    try {
      const backend = mode === "webgpu" ? await startWebGpu() : startNow(mode);
      const isGpu = mode === "webgpu" || mode === "webgl2";
      if (!isGpu) console.warn(`${said.join("; ")}; gpu.js's ${mode} computes instead`);
      return backend;
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      said.push(error.message.split(". What else there is")[0] ?? error.message);
    }
  }
  throw new DeviceError(`gpu: no mode works here: ${said.join("; ")}`);
}

function checkRan(library: GpuLibrary, mode: Mode, name: string, kernel: Shortcut["kernel"]): void {
  const ran = kernel.constructor;
  const fits = mode === "webgl2" ? ran === library.WebGL2Kernel : ran.mode === mode;
  if (fits) return;
  const why = kernel.fallbackReason ? ` (${kernel.fallbackReason})` : "";
  throw unavailable(mode, `gpu.js ran ${name} in its mode "${ran.mode}" instead${why}`);
}
