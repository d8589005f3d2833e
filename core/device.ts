// Where numbers are stored and who computes with them. A device holds buffers and runs calls; it knows the
// kinds of op (op.ts) and may have a faster kernel for a single op. core brings the reference device;
// others register themselves when their folder is imported. The choice is one line, use("wasm"), or
// the TWOHEADS_DEVICE variable, and nothing else in a program changes. Next: reference.ts.

import type { DType, TypedArray } from "./dtype.ts";
import { ArgumentError, DeviceError } from "./errors.ts";
import type { Call, Entry, UpdateEntry } from "./op.ts";
import type { Storage } from "./storage.ts";
import type { Tensor } from "./tensor.ts";

/** A device's own handle on a block of numbers; a typed array on the reference device. */
export type Buffer = object;

/**
 * Where tensors are stored and ops run. A device stores numbers in buffers of its own kind and computes the kinds
 * of op; registerDevice makes one known by a name, and use(name) chooses it.
 */
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
  allowRelease?(storage: Storage): void;
  /** Whether a fused op has a kernel for these arguments; without one, its definition runs. Default: yes. */
  fuses?(entry: Entry | UpdateEntry, args: readonly unknown[]): boolean;
  /** Whether one call makes all gradients of an op whose entry writes them in ops, from one like `g`. Default: no. */
  differentiates?(entry: Entry, g: Tensor): boolean;
}

const factories = new Map<string, () => Device>();
const started = new Map<string, Device>();
let preferred = "reference";
/** What use() chose, and what is taken as long as nobody chooses. */
let chosen: Device | null = null;
let byDefault: Device | null = null;

/** Makes a device known under `name`. `preferred`: take it by default from now on. */
export function registerDevice(
  name: string,
  start: () => Device,
  options: { preferred?: boolean } = {},
): void {
  factories.set(name, start);
  if (!options.preferred) return;
  preferred = name;
  byDefault = null;
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

/** New tensors are made on this device from now on. Returns it; a DeviceError if it can't start. */
export function use(name: string): Device {
  if (arguments.length > 1) throw new ArgumentError("use: takes only the name of a device");
  chosen = device(name);
  return chosen;
}

/**
 * The device that new tensors are made on: the one last used, else TWOHEADS_DEVICE, else the default. Where
 * the default can't start, one sentence says why, and the reference device computes.
 */
export function currentDevice(): Device {
  if (chosen !== null) return chosen;
  byDefault ??= startDefault();
  return byDefault;
}

function startDefault(): Device {
  const asked = environment("TWOHEADS_DEVICE");
  if (asked !== undefined) return device(asked);
  try {
    return device(preferred);
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    console.warn(`${error.message}; the reference device is taken instead`);
    return device("reference");
  }
}

/** What hosts have of the process's environment; Deno reads it only where that was allowed. */
interface Host {
  readonly process?: {
    readonly env?: Readonly<Record<string, string | undefined>>;
    getBuiltinModule?(name: string): unknown;
  };
  readonly Deno?: {
    readonly permissions: {
      querySync(what: { name: "env"; variable: string }): { readonly state: string };
    };
  };
}

/** An environment variable where there are any and they may be read; undefined elsewhere and when empty. */
export function environment(name: string): string | undefined {
  const { process, Deno } = globalThis as Host;
  const mayRead = Deno?.permissions.querySync({ name: "env", variable: name }).state;
  if (mayRead !== undefined && mayRead !== "granted") return undefined;
  return process?.env?.[name] || undefined;
}

/** Node's built-in module of that name; undefined in a browser. */
export function builtin<T>(name: string): T | undefined {
  return (globalThis as Host).process?.getBuiltinModule?.(name) as T | undefined;
}
