// The allocator: one memory, cut from the bottom up into buffers of fixed sizes, four sizes to an
// octave (so at most a quarter is rounding). A freed buffer waits in its size's list; the next
// request for that size takes it. Nothing is ever searched, split or merged: a training loop asks
// for the same sizes every step, and finds them. Addresses are multiples of 64, and 64 bytes past
// any buffer can be read: matmul reads whole panels of 8 columns.
// Read next: threads.ts.

import { DeviceError } from "../../core/index.ts";
import type { HostMemory } from "./host.ts";
import { mostPages, page } from "./module.ts";

const smallest = 64;
const margin = 64;

/**
 * Bytes: handed out now; cut from the memory so far; the most ever handed out; the memory's size.
 */
export interface PoolStatistics {
  inUse: number;
  held: number;
  peak: number;
  memory: number;
}

/** Which of the sizes 64, 80, 96, 112, 128, 160, ... holds that many bytes. */
export function sizeClass(bytes: number): number {
  if (bytes <= smallest) return 0;
  const last = bytes - 1;
  if (last > 0xffffffff) return sizes.length - 1; // more than there is: alloc says so
  const octave = 31 - Math.clz32(last); // 2^octave < bytes <= 2^(octave + 1)
  return (octave - 6) * 4 + ((last >>> (octave - 2)) & 3) + 1;
}

/** The sizes, in bytes. */
const sizes = Array.from({ length: 112 }, (_, index) => {
  const octave = 6 + Math.floor(index / 4);
  return Math.ceil((2 ** octave * (1 + (index % 4) / 4)) / 64) * 64;
});

export class Pool {
  readonly statistics: PoolStatistics = { inUse: 0, held: 0, peak: 0, memory: 0 };
  /** Called when no buffer of a size class waits: may free one. */
  reclaim: (index: number) => void = () => {};
  readonly #waiting: number[][] = Array.from({ length: 112 }, () => []);
  readonly #memory: HostMemory;
  readonly #onGrow: () => void;
  #top: number;

  /**
   * `base`: the first byte that is free. `onGrow` is called whenever the memory has grown, to renew
   * views of it.
   */
  constructor(memory: HostMemory, base: number, onGrow: () => void = () => {}) {
    this.#memory = memory;
    this.#onGrow = onGrow;
    this.#top = Math.ceil(base / 64) * 64;
    this.statistics.memory = memory.buffer.byteLength;
  }

  /**
   * The address of `bytes` bytes with anything in them, never 0. Throws if 4 GiB are not enough.
   */
  alloc(bytes: number): number {
    const index = sizeClass(bytes);
    const size = sizes[index] as number;
    const waiting = this.#waiting[index] as number[];
    if (waiting.length === 0) this.reclaim(index);
    const at = waiting.pop() ?? this.#cut(size, bytes);
    const statistics = this.statistics;
    statistics.inUse += size;
    if (statistics.inUse > statistics.peak) statistics.peak = statistics.inUse;
    return at;
  }

  /** Gives back what `alloc(bytes)` returned. */
  free(at: number, bytes: number): void {
    const index = sizeClass(bytes);
    this.#waiting[index]?.push(at);
    this.statistics.inUse -= sizes[index] as number;
  }

  #cut(size: number, wanted: number): number {
    const at = this.#top;
    const end = at + size + margin;
    if (end > this.statistics.memory) this.#grow(end, wanted);
    this.#top = at + size;
    this.statistics.held += size;
    return at;
  }

  /** Grows by at least a quarter, so that growing stays rare. */
  #grow(end: number, wanted: number): void {
    const now = this.statistics.memory / page;
    const needed = Math.ceil(end / page);
    const more = Math.min(mostPages, Math.max(needed, Math.ceil(now * 1.25)));
    if (needed > mostPages || !(this.#tryGrow(more - now) || this.#tryGrow(needed - now))) {
      const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
      const { inUse, held } = this.statistics;
      throw new DeviceError(
        `wasm: out of memory: ${mib(wanted)} wanted, ${mib(inUse)} in use and ${mib(held)} held of at most 4096 MiB; ` +
          "release tensors with scope(), or use smaller batches",
      );
    }
    this.statistics.memory = this.#memory.buffer.byteLength;
    this.#onGrow();
  }

  #tryGrow(pages: number): boolean {
    try {
      this.#memory.grow(pages);
      return true;
    } catch {
      return false;
    }
  }
}
