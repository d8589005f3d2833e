// Where numbers live and who computes with them. A device holds buffers and runs calls; it knows the
// kinds of op (op.ts) and may have a faster kernel for a single op. core brings the reference device;
// others register themselves when their folder is imported. The choice is one line, use("wasm"), or
// the TWOHEADS_DEVICE variable, and nothing else in a program changes. Next: reference.ts.

import type { DType, TypedArray } from "./dtype.ts";
import { DeviceError } from "./errors.ts";
import type { Call } from "./op.ts";
import type { Storage } from "./storage.ts";

/** A device's own handle on a block of numbers; a typed array on the reference device. */
export type Buffer = object;

export interface Device {
  readonly name: string;
  /** What a record of a run should say of it: threads, options that change bits. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
  /** Takes over an array of the host (it may be kept as it is, so don't write to it afterwards). */
  upload(data: TypedArray, dtype: DType): Buffer;
  /** The numbers themselves, not a copy. CPU devices only: others throw and name `await x.read()`. */
  view(buffer: Buffer): TypedArray;
  /** A copy of the numbers, as soon as they are there. */
  read(buffer: Buffer): Promise<TypedArray>;
  /** Overwrites a buffer in place. */
  write(buffer: Buffer, data: TypedArray): void;
  /** Overwrites a buffer with the numbers of another. Without it they go through the host. */
  copy?(to: Buffer, from: Buffer): void;
  /** Runs one op; returns a buffer for each of `call.outputs`. */
  run(call: Call): readonly Buffer[];
  free(buffer: Buffer): void;
  /**
   * Says that only a graph which was walked held this storage. The device may release it when it needs
   * the memory; until then it stays readable. Devices that count on the garbage collector have none.
   */
  retire?(storage: Storage): void;
  /** Whether a fused op has a kernel for these arguments; without one, its definition runs. Default: yes. */
  fuses?(entry: Call["entry"], args: readonly unknown[]): boolean;
}

const factories = new Map<string, () => Device>();
const started = new Map<string, Device>();
let preferred = "reference";
let current: Device | null = null;

/** Makes a device known under `name`. `preferred`: take it by default from now on. */
export function registerDevice(
  name: string,
  start: () => Device,
  options: { preferred?: boolean } = {},
): void {
  factories.set(name, start);
  if (options.preferred) {
    preferred = name;
    current = null;
  }
}

/** The device called `name`, started on first use; a DeviceError that lists the known ones. */
export function device(name: string): Device {
  const running = started.get(name);
  if (running !== undefined) return running;
  const start = factories.get(name);
  if (start === undefined) {
    throw new DeviceError(
      `use: there is no device "${name}" here; known are ${[...factories.keys()].join(", ")}. ` +
        'The wasm and gpu devices come with: import "twoheads/kernels"',
    );
  }
  const fresh = start();
  started.set(name, fresh);
  return fresh;
}

/** New tensors are made on this device from now on. Returns it. */
export function use(name: string): Device {
  current = device(name);
  return current;
}

/** The device that new tensors are made on: the one last used, else TWOHEADS_DEVICE, else the default. */
export function currentDevice(): Device {
  current ??= device(environment("TWOHEADS_DEVICE") ?? preferred);
  return current;
}

/** An environment variable where there are any (Node); undefined in browsers and when empty. */
export function environment(name: string): string | undefined {
  return typeof process === "undefined" ? undefined : process.env[name] || undefined;
}
