// Runs kernels. Each is compiled once (by name: op, shape class and dtype) and serves every size. On
// webgl2, webasm and cpu a launch is done when it returns; on webgpu everything is a promise, and a launch
// waits for the numbers that it reads. While a step is recorded, nothing runs: the launch is noted.
// Next: recordStep.ts for recording, elementwise.ts for what is launched.

import { DeviceError, environment } from "../../core/index.ts";
import { reasonOf, sizeText } from "../../core/show.ts";
import {
  type GpuKernel,
  kernel,
  mostCells,
  type Numbers,
  settingsOf,
  type Thread,
} from "./compile.ts";
import type { Handle, Shortcut } from "./library.ts";
import type { Backend, Mode } from "./modes.ts";
import type { Recorder } from "./record.ts";
import { fromDevice, GpuBuffer, GpuMemory, isResident, toDevice } from "./storage.ts";

/** A number of a launch; in a recorded step it may be worked out anew for every replay. */
export type Scalar = number | { readonly now: () => number };

/** Works a number out from the learning rate and the step. */
export type Clock = (fn: (lr: number, step: number) => number) => Scalar;

export function numberOf(scalar: Scalar): number {
  return typeof scalar === "number" ? scalar : scalar.now();
}

interface Compiled {
  readonly shortcut: Shortcut;
  /** Until the first run is through: later ones wait for it, because a kernel is built for one size at a time. */
  building: Promise<unknown> | null;
}

const same = function (this: Thread, x: Numbers) {
  return x[this.thread.x]!;
};

/** Brings an array of the host to the device. */
const upload = kernel("upload", 1, same);
/** The same numbers in an array of their own. */
const copied = kernel("copy", 1, same);

export class Engine {
  readonly memory = new GpuMemory();
  /** How many kernels ran since the start, and how many uploads from the host. */
  readonly counts = { launches: 0, uploads: 0, reads: 0 };
  recorder: Recorder | null = null;
  #backend: Backend | Promise<Backend>;
  readonly #kernels = new Map<string, Compiled>();
  /** What was launched since the current rule began. */
  #made: GpuBuffer[] = [];
  readonly #scalars = new Map<number | string, GpuBuffer>();

  /** `name`: what errors call the device. */
  constructor(
    readonly name: string,
    backend: Backend | Promise<Backend>,
  ) {
    this.#backend = backend;
    if (!(backend instanceof Promise)) return;
    backend.then(
      (answered) => {
        this.#backend = answered;
      },
      () => {}, // whoever reads or awaits ready() meets the error
    );
  }

  /** The mode that runs, or null while it isn't decided. */
  get mode(): Mode | null {
    return this.#backend instanceof Promise ? null : this.#backend.mode;
  }

  /** What computes, as its driver calls itself; null while it isn't decided. */
  get adapter(): string | null {
    return this.#backend instanceof Promise ? null : this.#backend.adapter;
  }

  /** Waits for the backend; rejects with the reason where none answers. */
  async ready(): Promise<Backend> {
    return this.#backend;
  }

  /** Names of the kernels that were compiled. */
  get kernels(): readonly string[] {
    return [...this.#kernels.keys()];
  }

  /** Computes `length` numbers with a kernel; a buffer that holds them or will hold them. */
  launch(
    kernel: GpuKernel,
    dtype: GpuBuffer["dtype"],
    length: number,
    buffers: readonly GpuBuffer[],
    scalars: readonly Scalar[],
  ): GpuBuffer {
    const out = new GpuBuffer(dtype, length);
    checkSize(kernel.name, length);
    if (length === 0) return out;
    if (this.recorder !== null) {
      this.recorder.launch(kernel, out, buffers, scalars);
      return out;
    }
    this.checkAlive();
    this.counts.launches++;
    const values = buffers.map((buffer) => this.#valueOf(kernel.name, buffer));
    const numbers = scalars.map(numberOf);
    this.memory.store(out, this.#start(kernel, length, buffers, values, numbers));
    this.#made.push(out);
    return out;
  }

  /** Runs a rule; what it made besides its results goes back at once. */
  within(rule: () => readonly GpuBuffer[]): readonly GpuBuffer[] {
    this.#made = [];
    const results = rule();
    const stays = new Set(results);
    for (const buffer of this.#made) if (!stays.has(buffer)) this.memory.free(buffer);
    this.#made = [];
    return results;
  }

  #start(
    kernel: GpuKernel,
    length: number,
    buffers: readonly GpuBuffer[],
    values: readonly (Handle | Promise<Handle>)[],
    numbers: readonly number[],
  ): Handle | Promise<Handle> {
    const backend = this.#backend;
    const isReady = !(backend instanceof Promise) && !values.some((x) => x instanceof Promise);
    if (isReady) return this.#run(backend, kernel, length, [...(values as Handle[]), ...numbers]);
    const slots = buffers.map((buffer) => this.memory.startReading(buffer));
    return Promise.all([backend, ...values]).then(async ([answered, ...handles]) => {
      try {
        return await this.#run(answered, kernel, length, [...handles, ...numbers]);
      } finally {
        for (const slot of slots) this.memory.endReading(slot);
      }
    });
  }

  #run(
    backend: Backend,
    kernel: GpuKernel,
    length: number,
    args: readonly (Handle | number)[],
  ): Handle | Promise<Handle> {
    const compiled = this.#compile(backend, kernel);
    const { shortcut } = compiled;
    if (compiled.building !== null)
      return compiled.building.then(() => this.#run(backend, kernel, length, args));
    const isNew = shortcut.kernel.built !== true;
    try {
      shortcut.setOutput([length]);
      const result = shortcut(...args);
      if (!(result instanceof Promise)) backend.check(kernel.name, shortcut.kernel);
      if (!isNew || !(result instanceof Promise)) return result;
      const built = result.then((handle) => {
        backend.check(kernel.name, shortcut.kernel);
        compiled.building = null;
        return handle;
      });
      compiled.building = built.catch(() => {
        compiled.building = null;
      });
      return built.catch((error) => this.failed(kernel.name, error));
    } catch (error) {
      return this.failed(kernel.name, error);
    }
  }

  #compile({ gpu, resident }: Backend, kernel: GpuKernel): Compiled {
    const known = this.#kernels.get(kernel.name);
    if (known !== undefined) return known;
    const array = kernel === upload ? "Array" : resident;
    const shortcut = gpu.createKernel(kernel.source, {
      ...settingsOf(kernel, [1]),
      argumentTypes: [
        ...new Array<string>(kernel.arrays).fill(array),
        ...new Array<string>(kernel.scalars).fill("Float"),
      ],
      pipeline: true,
      immutable: true,
      dynamicOutput: true,
      dynamicArguments: true,
    });
    if (Number(environment("DEBUG")) >= 4) console.error(`${kernel.name}: ${kernel.source}`);
    const compiled = { shortcut, building: null };
    this.#kernels.set(kernel.name, compiled);
    return compiled;
  }

  /** Throws what went wrong as a DeviceError; if the device is lost, that. */
  failed(name: string, error: unknown): never {
    const lost = this.failure();
    if (lost !== null) throw this.#lostError(lost, { cause: error });
    if (error instanceof DeviceError) throw error;
    throw new DeviceError(`${this.name}: ${name} didn't run: ${reasonOf(error)}`, { cause: error });
  }

  // --- Host and device -------------------------------------------------------------------------------

  /** A buffer's numbers on the device, brought there if they are on the host. */
  #valueOf(reader: string, buffer: GpuBuffer): Handle | Promise<Handle> {
    this.memory.hold(buffer);
    if (buffer.value !== null) return buffer.value;
    if (buffer.recorded !== null) {
      throw new DeviceError(
        `${reader}: this tensor belongs to a step that was recorded by recordStep(), and was never computed; ` +
          "return it from the recorded function to get its numbers",
      );
    }
    const host = buffer.length === 0 ? Float32Array.of(0) : buffer.host;
    if (host === null) throw new DeviceError(`${reader}: the numbers of this tensor are gone`);
    const data = toDevice(reader, host);
    if (data.length === 1) return this.#scalarValue(data[0] as number);
    const value = this.#upload(data);
    this.memory.store(buffer, value);
    return value;
  }

  #upload(data: Float32Array): Handle | Promise<Handle> {
    if (this.mode === "webasm" || this.mode === "cpu") return data;
    this.counts.uploads++;
    return this.#start(upload, data.length, [], [data], []);
  }

  /** A buffer with one number. */
  scalar(value: number): GpuBuffer {
    const buffer = new GpuBuffer("float32", 1);
    buffer.host = Float32Array.of(value);
    this.recorder?.uploads.add(buffer);
    return buffer;
  }

  /** One number on the device, kept for the next that asks for the same. */
  #scalarValue(value: number): Handle | Promise<Handle> {
    const key = Object.is(value, -0) ? "-0" : value;
    const known = this.#scalars.get(key)?.value;
    if (known) return known;
    if (this.#scalars.size >= 1000) this.#scalars.clear();
    const buffer = new GpuBuffer("float32", 1);
    this.memory.store(buffer, this.#upload(Float32Array.of(value)));
    this.#scalars.set(key, buffer);
    return buffer.value as Handle | Promise<Handle>;
  }

  /** Gives a buffer the numbers of another that was just computed. */
  overwrite(buffer: GpuBuffer, by: GpuBuffer): void {
    if (this.recorder !== null) this.recorder.overwrite(buffer, by);
    else if (by.value !== null) {
      this.memory.take(buffer, by);
      buffer.host = null;
    } else buffer.host = by.host;
  }

  /** A buffer with the same numbers. */
  copy(buffer: GpuBuffer): GpuBuffer {
    return this.launch(copied, buffer.dtype, buffer.length, [buffer], []);
  }

  /** Numbers that depend on learning rate and step: of now, or in a recorded step those of each replay. */
  time({ lr, step }: { readonly lr: number; readonly step: number }): Clock {
    const { recorder } = this;
    if (recorder === null) return (fn) => fn(lr, step);
    recorder.rates.add(lr);
    return (fn) => ({ now: () => fn(recorder.lr ?? lr, step + recorder.replays) });
  }

  /** The numbers of a buffer as its dtype reads them. */
  async read(buffer: GpuBuffer): Promise<GpuBuffer["host"] & object> {
    if (buffer.host !== null) return buffer.host.slice();
    if (buffer.length === 0) return fromDevice("read", new Float32Array(0), buffer.dtype, 0);
    this.checkAlive();
    this.counts.reads++;
    const value = this.#valueOf("read", buffer);
    const slot = this.memory.startReading(buffer);
    try {
      const handle = await value;
      const data = isResident(handle) ? await handle.toArray() : handle;
      (await this.#backend).checkMemory();
      const lost = this.failure();
      if (lost !== null) throw this.#lostError(lost);
      return fromDevice("read", data, buffer.dtype, buffer.length);
    } catch (error) {
      return this.failed("read", error);
    } finally {
      this.memory.endReading(slot);
    }
  }

  // --- Losing the GPU --------------------------------------------------------------------------------

  /** Why this engine can't go on; null while it can. */
  failure(): string | null {
    return this.#backend instanceof Promise ? null : this.#backend.failure();
  }

  /** Throws if this engine can't go on. */
  checkAlive(): void {
    const lost = this.failure();
    if (lost !== null) throw this.#lostError(lost);
  }

  #lostError(reason: string, options?: ErrorOptions): DeviceError {
    const { bytes, tensors } = this.memory.statistics;
    return new DeviceError(
      `${this.name}: ${reason}, and with it the ${tensors} tensors (${sizeText(bytes)}) that ` +
        "were only there. What is on other devices or in files is intact: load the last checkpoint, and " +
        `go on with device("${this.name}").restart() or use("wasm")`,
      options,
    );
  }
}

function checkSize(name: string, length: number): void {
  if (length <= mostCells) return;
  throw new DeviceError(
    `gpu: ${name} would make ${length} elements; a tensor here has at most 2^24 = ${mostCells}, up to which ` +
      'float32 counts exactly. Split it, or use("wasm")',
  );
}
