// The gpu device: core's ops as kernels that are TypeScript functions, compiled by gpu.js to WebGPU, WebGL2,
// WebAssembly or JavaScript. Results stay where they are computed until somebody reads them. use("gpu")
// takes the best mode that answers, use("gpu:webgl2") that one or an error. Next: table.ts for which op
// runs what, engine.ts for how a kernel runs, modes.ts for what runs it.

import {
  type Buffer,
  type Call,
  type Device,
  DeviceError,
  DTypeError,
  type Entry,
  type Storage,
  type Tensor,
  type TypedArray,
  type UpdateEntry,
} from "../../core/index.ts";
import { accept, signature } from "../../core/signature.ts";
import { Engine } from "./engine.ts";
import { gpuLibrary } from "./library.ts";
import { type Mode, modes, startBest, startNow, startWebGpu } from "./modes.ts";
import { bufferOf } from "./rule.ts";
import { GpuBuffer, type MemoryStatistics } from "./storage.ts";
import { fuses, runKernels } from "./table.ts";

const takes = signature("GpuDevice", `mode?: null | ${modes.map((m) => `"${m}"`).join(" | ")}`);

/** The gpu device: ops as kernels of gpu.js, numbers on the GPU until they are read. use("gpu") makes one. */
export class GpuDevice implements Device {
  readonly name: string;
  readonly #wanted: Mode | null;
  #engine: Engine;
  /** Which engine computed a buffer: those of a lost one are gone. */
  readonly #engines = new WeakMap<GpuBuffer, Engine>();

  /** `mode`: that one, or an error; without it the first that answers. */
  constructor(mode: Mode | null = null) {
    accept(takes, arguments);
    this.name = mode === null ? "gpu" : `gpu:${mode}`;
    this.#wanted = mode;
    this.#engine = this.#start();
  }

  #start(): Engine {
    const { name } = this;
    gpuLibrary(); // if it is missing, that is said at once
    if (this.#wanted === null) return new Engine(name, startBest());
    return new Engine(name, this.#wanted === "webgpu" ? startWebGpu() : startNow(this.#wanted));
  }

  /** The mode that really runs; null while `ready()` isn't through. */
  get mode(): Mode | null {
    return this.#engine.mode;
  }

  get details(): Device["details"] & object {
    const { mode, adapter } = this.#engine;
    return { mode: mode ?? "not decided yet", adapter: adapter ?? "not decided yet" };
  }

  /** Waits until it is sure which mode runs, and names it; rejects with the reason if none does. */
  async ready(): Promise<Mode> {
    return (await this.#engine.ready()).mode;
  }

  /** Bytes and tensors on the device. */
  get memory(): MemoryStatistics {
    return this.#engine.memory.statistics;
  }

  /** The kernels that were compiled, and how often any ran. */
  get statistics(): { readonly kernels: readonly string[]; readonly launches: number } {
    return { kernels: this.#engine.kernels, launches: this.#engine.counts.launches };
  }

  /** What runs the kernels; recordStep() records with it. */
  get engine(): Engine {
    return this.#engine;
  }

  /** After the GPU was lost: asks for it anew. Tensors that were only there stay lost. */
  restart(): this {
    this.#engine = this.#start();
    return this;
  }

  /** Takes the GPU away, as a crashed driver would: to try what a program then does. */
  async lose(): Promise<void> {
    (await this.#engine.ready()).lose();
  }

  upload(data: TypedArray, dtype: GpuBuffer["dtype"]): GpuBuffer {
    const buffer = new GpuBuffer(dtype, data.length);
    buffer.host = data;
    this.#engines.set(buffer, this.#engine);
    this.#engine.recorder?.uploads.add(buffer);
    return buffer;
  }

  view(): TypedArray {
    throw new DeviceError(
      `${this.name}: x.data, x.toArray() and printing need the numbers at once, and those of a GPU come ` +
        "later; `await x.read()` brings them, `await x.item()` a single one",
    );
  }

  async read(buffer: Buffer): Promise<TypedArray> {
    return this.#engineOf(buffer as GpuBuffer).read(buffer as GpuBuffer);
  }

  write(buffer: Buffer, data: TypedArray): void {
    const own = buffer as GpuBuffer;
    if (this.#engine.recorder !== null) {
      throw new DeviceError(
        "recordStep: x.assign(array) takes numbers of now, which a replay can't renew",
      );
    }
    this.#engine.memory.free(own);
    own.host = own.dtype === "float32" ? Float32Array.from(data) : data.slice();
    this.#engines.set(own, this.#engine);
  }

  copy(to: Buffer, from: Buffer): void {
    const [own, source] = [to, from] as [GpuBuffer, GpuBuffer];
    const engine = this.#engineOf(source);
    engine.overwrite(own, engine.copy(source));
    this.#engines.set(own, engine);
  }

  free(buffer: Buffer): void {
    const own = buffer as GpuBuffer;
    const engine = this.#engines.get(own) ?? this.#engine;
    engine.memory.hold(own);
    engine.memory.free(own);
    if (engine.recorder === null) own.host = null;
  }

  allowRelease(storage: Storage): void {
    this.#engine.memory.allowRelease(storage, storage.buffer("allowRelease") as GpuBuffer);
  }

  fuses(entry: Entry | UpdateEntry, args: readonly unknown[]): boolean {
    return fuses(entry, args);
  }

  run(call: Call): readonly GpuBuffer[] {
    const { tensors } = call;
    for (const x of tensors) this.#engineOf(bufferOf(x));
    if ([...tensors, ...call.outputs].some((x) => x?.dtype === "float64"))
      return this.#double(call, tensors);
    const buffers = this.#engine.within(() => {
      const made = runKernels(this.#engine, call);
      if (made !== null) return made;
      throw new DeviceError(
        `${this.name}: ${call.entry.name} has no kernel; withDefinitions() runs its parts`,
      );
    });
    for (const buffer of buffers) this.#engines.set(buffer, this.#engine);
    return buffers;
  }

  /** float64 is only ever passed through, on the host: to(...) makes float32 of it. */
  #double({ entry, outputs: [spec] }: Call, [x]: readonly Tensor[]): readonly GpuBuffer[] {
    const host = x === undefined ? null : bufferOf(x).host;
    if (this.#engine.recorder !== null && host !== null) {
      throw new DeviceError(
        "recordStep: a mask of dropout (or another float64 array that is made inside) would be the same at every " +
          "replay; record a step without dropout, or pass the mask in",
      );
    }
    if (entry.name === "to" && host !== null && spec?.dtype === "float32")
      return [this.upload(Float32Array.from(host), "float32")];
    throw new DTypeError(
      `${this.name}: ${entry.name} of float64: GPUs compute in float32; x.to("float32"), or use("reference") ` +
        "where double precision is needed, as gradcheck does",
    );
  }

  /** The engine that has a buffer's numbers; a DeviceError if that one is gone. */
  #engineOf(buffer: GpuBuffer): Engine {
    const engine = this.#engines.get(buffer) ?? this.#engine;
    if (engine === this.#engine || buffer.host !== null) return this.#engine;
    throw new DeviceError(
      `${this.name}: this tensor was on the GPU when it was lost (${engine.failure() ?? "restarted"}); ` +
        "load it from the last checkpoint",
    );
  }
}
