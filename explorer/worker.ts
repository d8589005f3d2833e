// The worker: starts the SIMD device, with threads where the page is isolated, and connects a host to the page.
// Next: host.ts.

import { use } from "../core/index.ts";
import { GpuDevice, provideGpu, ready, WasmDevice } from "../kernels/index.ts";
import type { Files } from "../nn/index.ts";
import { TrainingHost } from "./host.ts";
import type { Request, Told } from "./messages.ts";

/** The little of a worker's own scope that is used. */
interface Scope {
  postMessage(told: Told): void;
  onmessage: ((event: { readonly data: Request }) => void) | null;
}

type DeviceTold = Told & { readonly kind: "device" };

const scope = globalThis as unknown as Scope;
const tell = (told: Told): void => scope.postMessage(told);

/** Starts the device; what it is, and why it isn't the SIMD device if it isn't. */
async function startDevice(): Promise<DeviceTold> {
  const device = await ready();
  const threads = device instanceof WasmDevice ? device.wasm.threads.count : 1;
  let why: string | null = null;
  if (!(device instanceof WasmDevice)) {
    try {
      use("wasm");
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
  }
  return { kind: "device", name: device.name, threads, why };
}

const bases = new Map<number | "tales", Promise<Files>>();

/** The files of a base, fetched once. */
function base(name: number | "tales"): Promise<Files> {
  const known = bases.get(name) ?? fetchBase(name);
  bases.set(name, known);
  return known;
}

async function fetchBase(base: number | "tales"): Promise<Files> {
  const names = ["config.json", "model.safetensors"];
  const files = names.map(async (name) => {
    const response = await fetch(new URL(`bases/${base}/${name}`, import.meta.url));
    if (!response.ok)
      throw new Error(`The base's ${name} can't be fetched: status ${response.status}.`);
    return [name, new Uint8Array(await response.arrayBuffer())] as const;
  });
  return new Map(await Promise.all(files));
}

/** A turn for messages; unlike a timer's, at once. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

const host = new TrainingHost({ tell, base, turn });

/** Lets trainings run on the GPU, or on the SIMD device again; what is used, and why not the GPU if so. */
async function chooseDevice(gpu: boolean): Promise<DeviceTold> {
  host.device = null;
  const usual = await startDevice();
  if (!gpu) return usual;
  try {
    const name = "gpu:webgpu";
    const library = (await import(new URL("gpu.js", import.meta.url).href)) as { default: object };
    provideGpu(library.default);
    const device = use(name);
    if (device instanceof GpuDevice) await device.ready();
    host.device = name;
    return { kind: "device", name, threads: 1, why: null };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ...usual, why };
  } finally {
    use(usual.name); // what looks at trainings, and all other views
  }
}

let started = startDevice().then(tell);
scope.onmessage = ({ data }) => {
  if (data.kind === "device") started = started.then(() => chooseDevice(data.gpu)).then(tell);
  else void started.then(() => host.hear(data));
};
