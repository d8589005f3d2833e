// Where a tensor's numbers are: at an address of the kernels' memory, in an array of the host, or both.
// The host's collector can't see addresses, and a synchronous loop never lets it tell us what it freed;
// so nothing may depend on being freed. Numbers that no kernel has used for a while move to the host,
// where the collector takes them if nobody holds them, and come back when a kernel wants them. A loop
// without any annotation therefore runs in constant memory; backward() and scope() only make it faster.
// Next: pool.ts for the addresses, device.ts for who asks.

import { allocate, byteSize, type DType, type TypedArray } from "../../core/dtype.ts";
import type { Storage } from "../../core/index.ts";
import type { Wasm } from "./kernels.ts";
import { sizeClass } from "./pool.ts";

/** Blocks of at most this many bytes are handed to kernels through a slot, and stay with the host. */
const tiny = 64;
const slots = 4;

/** Bytes and blocks of garbage that may pile up, at least, before a look at who is used. */
const leastSlack = { bytes: 4 * 2 ** 20, blocks: 2_000 };

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
  retired: Storage | null = null;
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
  readonly spilled = { blocks: 0, bytes: 0 };
  readonly #resident: WasmBuffer[] = [];
  /** Blocks whose memory may be taken, by size class, oldest first. */
  readonly #retired: Queue[] = Array.from({ length: 112 }, () => new Queue());
  #retiredNow = { bytes: 0, blocks: 0 };
  /** The largest graph so far: a step's own tensors are no garbage while it runs. */
  #largestGraph = { bytes: 0, blocks: 0 };
  #period = 1;
  #limit = { ...leastSlack };
  readonly #slots: number;

  constructor(readonly wasm: Wasm) {
    this.#slots = wasm.alloc(slots * tiny);
    wasm.pool.reclaim = (index) => this.#reclaim(index);
  }

  /** A block at an address, with anything in it. */
  make(dtype: DType, length: number): WasmBuffer {
    const block = new WasmBuffer(dtype, length);
    this.#settle(block);
    return block;
  }

  /** A block around an array of the host, which is taken over. */
  adopt(host: TypedArray, dtype: DType): WasmBuffer {
    const block = new WasmBuffer(dtype, host.length);
    block.host = host;
    return block;
  }

  /**
   * An address to read the numbers from until the next op. With a `slot` (0 to 3, another one for each
   * operand of a call), a tiny block that isn't resident is lent its space there.
   */
  read(block: WasmBuffer, slot = -1): number {
    if (block.at !== 0) {
      block.used = this.#period;
      if (block.viewed) this.#upload(block, block.at);
      return block.at;
    }
    if (slot >= 0 && block.bytes <= tiny) {
      const at = this.#slots + slot * tiny;
      this.#upload(block, at);
      return at;
    }
    this.#settle(block);
    this.#upload(block, block.at);
    return block.at;
  }

  /** Says that the memory of a retired block is wanted again. Before an op reads or makes anything. */
  hold(block: WasmBuffer): void {
    if (block.retired !== null) this.#revive(block);
  }

  /** Says that a kernel changed the numbers at the address of a block that it read. */
  wrote(block: WasmBuffer): void {
    if (block.viewed) block.host?.set(this.array(block));
    else block.host = null;
  }

  /** Overwrites the numbers from the host. */
  assign(block: WasmBuffer, data: TypedArray): void {
    if (block.at === 0) block.host?.set(data);
    else {
      this.array(block).set(data);
      this.wrote(block);
    }
  }

  /** The numbers at a resident block's address, as an array: good until the memory grows. */
  array(block: WasmBuffer): TypedArray {
    const { wasm } = this;
    const { at, length } = block;
    if (block.dtype === "float32") return wasm.f32.subarray(at >>> 2, (at >>> 2) + length);
    if (block.dtype === "int32") return wasm.i32.subarray(at >>> 2, (at >>> 2) + length);
    if (block.dtype === "float64") return wasm.f64.subarray(at >>> 3, (at >>> 3) + length);
    return wasm.u8.subarray(at, at + length);
  }

  /** The host's array of a block, which the caller may keep and write into from now on. */
  view(block: WasmBuffer): TypedArray {
    block.viewed = true;
    return this.#bringHome(block);
  }

  /** The numbers for one look, not to be kept or changed. */
  peek(block: WasmBuffer): TypedArray {
    return block.host ?? this.array(block);
  }

  free(block: WasmBuffer): void {
    if (block.retired !== null) this.#revive(block);
    this.#leave(block);
    block.host = null;
  }

  /** Says that the memory of a storage's block may be taken for others; until then it stays readable. */
  retire(storage: Storage, block: WasmBuffer): void {
    if (block.at === 0 || block.retired !== null) return;
    block.retired = storage;
    const [now, largest] = [this.#retiredNow, this.#largestGraph];
    now.bytes += block.bytes;
    now.blocks++;
    if (now.bytes > largest.bytes) largest.bytes = now.bytes;
    if (now.blocks > largest.blocks) largest.blocks = now.blocks;
    this.#retired[sizeClass(block.bytes)]?.push(block);
  }

  /** To be called between ops: if much has piled up, moves to the host what two periods didn't use. */
  tidy(): void {
    const { bytes, blocks } = this.#limit;
    if (this.#bytesInUse() > bytes || this.#blocksInUse() > blocks) this.#spill();
  }

  #bytesInUse(): number {
    return this.wasm.pool.statistics.inUse - this.#retiredNow.bytes;
  }

  #blocksInUse(): number {
    return this.#resident.length - this.#retiredNow.blocks;
  }

  #spill(): void {
    const settled = { bytes: 0, blocks: 0 };
    for (const block of [...this.#resident]) {
      if (block.retired !== null) continue;
      if (block.used === this.#period) {
        settled.bytes += block.bytes;
        settled.blocks++;
      } else {
        this.#bringHome(block);
        this.#leave(block);
        this.spilled.blocks++;
        this.spilled.bytes += block.bytes;
      }
    }
    const slack = (what: "bytes" | "blocks"): number =>
      Math.max(leastSlack[what], settled[what] / 2, 3 * this.#largestGraph[what]);
    this.#period++;
    this.#limit = {
      bytes: this.#bytesInUse() + slack("bytes"),
      blocks: this.#blocksInUse() + slack("blocks"),
    };
  }

  #settle(block: WasmBuffer): void {
    block.at = this.wasm.alloc(block.bytes);
    block.used = this.#period;
    block.place = this.#resident.push(block) - 1;
  }

  /** Frees the oldest retired block of a size class, if there is one. */
  #reclaim(index: number): void {
    const old = this.#retired[index]?.shift();
    if (old !== undefined) this.#takeFrom(old);
  }

  #takeFrom(old: WasmBuffer): void {
    const storage = old.retired;
    this.#revive(old);
    if (old.host !== null) this.#leave(old);
    else storage?.release("backward(), and the memory was needed");
  }

  #revive(block: WasmBuffer): void {
    block.retired = null;
    this.#retiredNow.bytes -= block.bytes;
    this.#retiredNow.blocks--;
  }

  #leave(block: WasmBuffer): void {
    if (block.at === 0) return;
    this.wasm.free(block.at, block.bytes);
    block.at = 0;
    const last = this.#resident.pop() as WasmBuffer;
    if (last !== block) {
      this.#resident[block.place] = last;
      last.place = block.place;
    }
    block.place = -1;
  }

  #bringHome(block: WasmBuffer): TypedArray {
    if (block.host !== null) return block.host;
    const host = allocate(block.dtype, block.length);
    host.set(this.array(block));
    block.host = host;
    return host;
  }

  #upload({ dtype, host }: WasmBuffer, at: number): void {
    if (host === null) return;
    const { wasm } = this;
    if (dtype === "float32") {
      if (host.length === 1) wasm.f32[at >>> 2] = host[0] as number;
      else wasm.f32.set(host, at >>> 2);
    } else if (dtype === "int32") wasm.i32.set(host, at >>> 2);
    else if (dtype === "float64") wasm.f64.set(host, at >>> 3);
    else wasm.u8.set(host, at);
  }
}

/** First in, first out, without moving the rest at every turn. Blocks that were used again count as gone. */
class Queue {
  #items: WasmBuffer[] = [];
  #head = 0;
  /** How long it may become before those that are gone are taken out. */
  #limit = 64;

  push(block: WasmBuffer): void {
    if (this.#items.length >= this.#limit) this.#tidy();
    this.#items.push(block);
  }

  /** The oldest that is still retired. */
  shift(): WasmBuffer | undefined {
    while (this.#head < this.#items.length) {
      const block = this.#items[this.#head++];
      if (block?.retired) return block;
    }
    return undefined;
  }

  #tidy(): void {
    this.#items = this.#items.slice(this.#head).filter((block) => block.retired !== null);
    this.#head = 0;
    this.#limit = Math.max(64, 2 * this.#items.length);
  }
}
