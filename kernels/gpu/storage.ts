// Where a tensor's numbers are: on the host, on the device, or on their way to it (a promise: shape now,
// data later). Everything is float32 on the device; int32 and bool are whole numbers there, exact up to
// 2^24. A buffer is written once: an update in place gives it new numbers, so that whatever was submitted
// before still reads the old ones. Next: engine.ts, which makes numbers; device.ts, which hands buffers out.

import type { DType, TypedArray } from "../../core/dtype.ts";
import { allocate } from "../../core/hostMemory.ts";
import { DTypeError, type Storage } from "../../core/index.ts";
import type { Handle, Resident } from "./library.ts";

/** Beyond this, not every whole number is a float32. */
export const mostWhole = 2 ** 24;

/** Numbers of a step that is being recorded: which step of it makes them (see recordStep.ts). */
export interface Recorded {
  readonly step: number;
}

/** A tensor's numbers on a gpu device. Its fields belong to the engine and to Memory. */
export class GpuBuffer {
  /** The numbers on the host, as they were uploaded or replayed; null once they changed on the device. */
  host: TypedArray | null = null;
  /** The numbers on the device, or a promise of them. */
  value: Handle | Promise<Handle> | null = null;
  /** Set while a step is recorded: which of its steps computes this. */
  recorded: Recorded | null = null;
  /** Set while only a graph that was walked holds it. */
  releasable: Storage | null = null;

  constructor(
    readonly dtype: DType,
    readonly length: number,
  ) {}

  get bytes(): number {
    return 4 * Math.max(1, this.length);
  }
}

export interface MemoryStatistics {
  /** Bytes of tensors on the device now, and the most so far. */
  readonly bytes: number;
  readonly peak: number;
  /** How many tensors those are. */
  readonly tensors: number;
}

export function isResident(handle: Handle): handle is Resident {
  return !(handle instanceof Float32Array);
}

/** Counts what is on the device, and gives it back: when a tensor is released, releasable for long, or gone. */
export class GpuMemory {
  #bytes = 0;
  #peak = 0;
  #tensors = 0;
  readonly #releasable = new Set<GpuBuffer>();
  #releasableBytes = 0;
  readonly #lost = new FinalizationRegistry<Slot>((slot) => this.#freeSlot(slot));
  readonly #slots = new WeakMap<GpuBuffer, Slot>();

  /** `slack`: bytes that only walked graphs hold may stay this many before the oldest go. */
  constructor(readonly slack = 64 * 2 ** 20) {}

  get statistics(): MemoryStatistics {
    return { bytes: this.#bytes, peak: this.#peak, tensors: this.#tensors };
  }

  /** Says that a buffer has numbers on the device (or will have), in place of those before. */
  store(buffer: GpuBuffer, value: Handle | Promise<Handle>): void {
    this.free(buffer);
    const slot: Slot = { handle: value, bytes: buffer.bytes, readers: 0, freed: false };
    this.#own(buffer, slot);
    this.#bytes += slot.bytes;
    this.#tensors++;
    this.#peak = Math.max(this.#peak, this.#bytes);
  }

  #own(buffer: GpuBuffer, slot: Slot): void {
    const { handle } = slot;
    buffer.value = handle;
    this.#slots.set(buffer, slot);
    this.#lost.register(buffer, slot, slot);
    if (!(handle instanceof Promise)) return;
    handle.then(
      (value) => {
        slot.handle = value;
        if (this.#slots.get(buffer) === slot) buffer.value = value;
      },
      () => {}, // whoever reads the buffer meets the error
    );
  }

  /** Gives a buffer the numbers of another, which is left without. */
  take(buffer: GpuBuffer, from: GpuBuffer): void {
    const slot = this.#slots.get(from);
    if (slot === undefined || from.value === null) return;
    this.free(buffer);
    this.hold(buffer);
    this.#slots.delete(from);
    this.#lost.unregister(slot);
    from.value = null;
    this.#own(buffer, slot);
  }

  /** Gives back a buffer's numbers on the device. */
  free(buffer: GpuBuffer): void {
    const slot = this.#slots.get(buffer);
    if (slot === undefined) return;
    this.#slots.delete(buffer);
    this.#lost.unregister(slot);
    buffer.value = null;
    this.#freeSlot(slot);
  }

  /** Says that only a walked graph holds it: it goes when there is much of that, the oldest first. */
  allowRelease(storage: Storage, buffer: GpuBuffer): void {
    if (buffer.releasable !== null || buffer.value === null) return;
    buffer.releasable = storage;
    this.#releasableBytes += buffer.bytes;
    this.#releasable.add(buffer);
    for (const oldest of this.#releasable) {
      if (this.#releasableBytes <= this.slack) break;
      const { releasable } = oldest;
      this.hold(oldest);
      releasable?.release("backward(), and the memory was needed");
    }
  }

  /** Says that a releasable buffer is wanted again. */
  hold(buffer: GpuBuffer): void {
    if (buffer.releasable === null) return;
    buffer.releasable = null;
    this.#releasableBytes -= buffer.bytes;
    this.#releasable.delete(buffer);
  }

  /** Numbers that a launch waits to read: they stay until `endReading`, whatever becomes of their buffer. */
  startReading(buffer: GpuBuffer): Slot | undefined {
    const slot = this.#slots.get(buffer);
    if (slot !== undefined) slot.readers++;
    return slot;
  }

  endReading(slot: Slot | undefined): void {
    if (slot !== undefined && --slot.readers === 0 && slot.freed) remove(slot);
  }

  #freeSlot(slot: Slot): void {
    if (slot.freed) return;
    slot.freed = true;
    this.#bytes -= slot.bytes;
    this.#tensors--;
    if (slot.readers === 0) remove(slot);
  }
}

/** Numbers on the device that one buffer owns. */
export interface Slot {
  handle: Handle | Promise<Handle>;
  readonly bytes: number;
  /** Launches that wait to read them. */
  readers: number;
  /** Nobody owns them any more. */
  freed: boolean;
}

function remove({ handle }: Slot): void {
  if (handle instanceof Promise) handle.then(removeHandle, () => {});
  else removeHandle(handle);
}

function removeHandle(handle: Handle): void {
  if (isResident(handle)) handle.delete();
}

/** float32 numbers as the array that a dtype is read as. */
export function fromDevice(
  name: string,
  data: Float32Array,
  dtype: DType,
  length: number,
): TypedArray {
  const array = allocate(dtype, length);
  if (dtype === "int32") checkWhole(name, data);
  for (let i = 0; i < length; i++) array[i] = data[i] as number;
  return array;
}

/** A host array as the device has it; whole numbers that float32 can't hold are a DTypeError. */
export function toDevice(name: string, data: TypedArray): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Int32Array) checkWhole(name, data);
  return Float32Array.from(data);
}

function checkWhole(name: string, data: Int32Array | Float32Array): void {
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (Math.abs(value) <= mostWhole) continue;
    throw new DTypeError(
      `${name}: int32 ${value} at position ${i} is beyond 2^24, up to which the GPU's float32 holds whole ` +
        'numbers exactly; keep such integers on wasm or reference, x.onDevice("wasm")',
    );
  }
}
