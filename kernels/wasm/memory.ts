// Where a tensor's numbers are: at an address of the kernels' memory, in an array of the host, or both.
// The host's collector can't see addresses, and a synchronous loop never lets it tell us what it freed;
// so nothing may depend on being freed. Numbers that no kernel has used for a while move to the host,
// where the collector takes them if nobody holds them, and come back when a kernel wants them. A loop
// without any annotation therefore runs in constant memory; backward() and scope() only make it faster.
// Next: pool.ts for the addresses, device.ts for who asks.

import { byteSize, type DType, type TypedArray } from "../../core/dtype.ts";
import { allocate } from "../../core/hostMemory.ts";
import type { Storage } from "../../core/index.ts";
import type { Wasm } from "./kernels.ts";
import { lists, sizeClass } from "./pool.ts";

/** Buffers of at most this many bytes are handed to kernels through a slot, and stay with the host. */
const tiny = 64;
const slots = 4;

/** The views of the kernels' memory, by what they read. */
const views = { float32: "f32", int32: "i32", float64: "f64", bool: "u8" } as const;

/** What a buffer counts for besides its bytes: the objects around it weigh, too. */
const perBuffer = 2048;
/** How much garbage may pile up, at least, before a look at who is used. */
const leastSlack = 4 * 2 ** 20;

/** A tensor's numbers on this device. Its fields belong to Memory. */
export class WasmBuffer {
  /** Address, 0 while the kernels' memory doesn't hold the numbers. */
  at = 0;
  /** The numbers on the host: a copy that still holds, or the truth if `at` is 0 or `viewed`. */
  host: TypedArray | null = null;
  /** Somebody has the host's array and may write into it at any time. */
  viewed = false;
  /** The period in which a kernel last used it. */
  used = 0;
  /** Its place among the resident, -1 if it isn't. */
  place = -1;
  /** Set while only a graph that was walked holds it: its memory may be taken. */
  releasable: Storage | null = null;
  readonly bytes: number;

  constructor(
    readonly dtype: DType,
    readonly length: number,
  ) {
    this.bytes = length * byteSize(dtype);
  }
}

/**
 * Which numbers are in the kernels' memory: what nobody used for a while moves to the host, and comes back
 * when an op needs it.
 */
export class WasmMemory {
  /** How often numbers were moved to the host to make room, and how many bytes of them. */
  readonly spilled = { buffers: 0, bytes: 0 };
  readonly #resident: WasmBuffer[] = [];
  /** Buffers whose memory may be taken, by size class, oldest first. */
  readonly #releasable = lists<WasmBuffer>().map((list) => new Set(list));
  /** How many there are. */
  #idle = 0;
  /** What the graph that is walked weighs so far, and its newest storage. */
  #graph = 0;
  #newest = -1;
  /** The largest graph: a step's own tensors are no garbage while it runs. */
  #largestGraph = 0;
  #period = 1;
  #limit = leastSlack;
  readonly #slots: number;

  constructor(readonly wasm: Wasm) {
    this.#slots = wasm.alloc(slots * tiny);
    wasm.pool.reclaim = (index) => this.#reclaim(index);
  }

  /** A buffer at an address, with anything in it. */
  make(dtype: DType, length: number): WasmBuffer {
    const buffer = new WasmBuffer(dtype, length);
    this.#allocate(buffer);
    return buffer;
  }

  /** A buffer around an array of the host, which is taken over. */
  takeOver(host: TypedArray, dtype: DType): WasmBuffer {
    const buffer = new WasmBuffer(dtype, host.length);
    buffer.host = host;
    return buffer;
  }

  /**
   * An address to read the numbers from until the next op. With a `slot` (0 to 3, another one for each
   * operand of a call), a tiny buffer that isn't resident gets its space there.
   */
  read(buffer: WasmBuffer, slot = -1): number {
    if (buffer.at !== 0) {
      buffer.used = this.#period;
      if (buffer.viewed) this.#upload(buffer, buffer.at);
      return buffer.at;
    }
    if (slot >= 0 && buffer.bytes <= tiny) {
      const at = this.#slots + slot * tiny;
      this.#upload(buffer, at);
      return at;
    }
    this.#allocate(buffer);
    this.#upload(buffer, buffer.at);
    return buffer.at;
  }

  /** Says that the memory of a releasable buffer is wanted again. Before an op reads or makes anything. */
  hold(buffer: WasmBuffer): void {
    if (buffer.releasable !== null) this.#keep(buffer);
  }

  /** Says that a kernel changed the numbers at the address of a buffer that it read. */
  wrote(buffer: WasmBuffer): void {
    if (buffer.viewed) buffer.host?.set(this.array(buffer));
    else buffer.host = null;
  }

  /** Overwrites the numbers from the host. */
  assign(buffer: WasmBuffer, data: TypedArray): void {
    if (buffer.at === 0) buffer.host?.set(data);
    else {
      this.array(buffer).set(data);
      this.wrote(buffer);
    }
  }

  /** The numbers at a resident buffer's address, as an array: good until the memory grows. */
  array(buffer: WasmBuffer, at = buffer.at): TypedArray {
    const view = this.wasm[views[buffer.dtype]];
    const start = at / view.BYTES_PER_ELEMENT;
    return view.subarray(start, start + buffer.length);
  }

  /** The host's array of a buffer, which the caller may keep and write into from now on. */
  view(buffer: WasmBuffer): TypedArray {
    buffer.viewed = true;
    return this.#copyToHost(buffer);
  }

  /** The numbers for one look, not to be kept or changed. */
  peek(buffer: WasmBuffer): TypedArray {
    return buffer.host ?? this.array(buffer);
  }

  /** Frees a buffer for good. */
  free(buffer: WasmBuffer): void {
    if (buffer.releasable !== null) this.#keep(buffer);
    this.#freeAddress(buffer);
    buffer.host = null;
  }

  /** Says that the memory of a storage's buffer may be taken for others; until then it stays readable. */
  allowRelease(storage: Storage, buffer: WasmBuffer): void {
    if (buffer.at === 0 || buffer.releasable !== null) return;
    buffer.releasable = storage;
    if (storage.serial > this.#newest) {
      this.#newest = storage.serial; // a walk goes from the newest to the oldest: this is of another graph
      this.#graph = 0;
    }
    this.#graph += buffer.bytes + perBuffer;
    this.#largestGraph = Math.max(this.#largestGraph, this.#graph);
    this.#idle++;
    const index = sizeClass(buffer.bytes);
    this.wasm.pool.disuse(index);
    this.#releasable[index]?.add(buffer);
  }

  /**
   * To be called between ops: if much has piled up, moves to the host what two periods didn't use; if what is in
   * use lies scattered, all of it, so that it comes back side by side.
   */
  tidy(): void {
    const { pool } = this.wasm;
    if (pool.isScattered) {
      this.#spill(++this.#period);
      pool.join();
    } else if (this.#weight() > this.#limit) this.#spill(this.#period);
  }

  /** What is in use, or dropped without a word. */
  #weight(): number {
    return this.wasm.pool.statistics.inUse + perBuffer * (this.#resident.length - this.#idle);
  }

  /** Moves to the host what wasn't used in `period`. */
  #spill(period: number): void {
    let inUse = 0;
    for (const buffer of [...this.#resident]) {
      if (buffer.releasable !== null) continue;
      if (buffer.used === period) inUse += buffer.bytes;
      else {
        this.#copyToHost(buffer);
        this.#freeAddress(buffer);
        this.spilled.buffers++;
        this.spilled.bytes += buffer.bytes;
      }
    }
    this.#period++;
    const now = this.#weight();
    const slack = Math.max(leastSlack, inUse / 2, 3 * this.#largestGraph);
    this.#limit = now + Math.min(slack, (2 ** 32 - now) / 2);
  }

  /** Gives a buffer an address of the kernels' memory. */
  #allocate(buffer: WasmBuffer): void {
    buffer.at = this.wasm.alloc(buffer.bytes);
    buffer.used = this.#period;
    buffer.place = this.#resident.push(buffer) - 1;
  }

  /** Frees the oldest releasable buffer of a size class; false without one. */
  #reclaim(index: number): boolean {
    for (const old of this.#releasable[index] ?? []) {
      const storage = old.releasable;
      this.#keep(old);
      if (old.host !== null) this.#freeAddress(old);
      else storage?.release("backward(), and the memory was needed");
      return true;
    }
    return false;
  }

  /** Its memory isn't to be taken for others any more. */
  #keep(buffer: WasmBuffer): void {
    buffer.releasable = null;
    const index = sizeClass(buffer.bytes);
    this.#releasable[index]?.delete(buffer);
    this.#idle--;
    this.wasm.pool.use(index);
  }

  /** Frees a buffer's address; the host's array, if there is one, stays. */
  #freeAddress(buffer: WasmBuffer): void {
    if (buffer.at === 0) return;
    this.wasm.free(buffer.at, buffer.bytes);
    buffer.at = 0;
    const last = this.#resident.pop() as WasmBuffer;
    if (last !== buffer) {
      this.#resident[buffer.place] = last;
      last.place = buffer.place;
    }
    buffer.place = -1;
  }

  /** The host's array of a buffer, copied from its address unless it is there. */
  #copyToHost(buffer: WasmBuffer): TypedArray {
    if (buffer.host !== null) return buffer.host;
    const host = allocate(buffer.dtype, buffer.length, "wasm");
    host.set(this.array(buffer));
    buffer.host = host;
    return host;
  }

  #upload(buffer: WasmBuffer, at: number): void {
    const { dtype, host } = buffer;
    if (host === null) return;
    if (dtype === "float32" && host.length === 1) this.wasm.f32[at >>> 2] = host[0] as number;
    else this.array(buffer, at).set(host);
  }
}
