// The allocator: one memory, cut from the bottom up into buffers of fixed sizes, four sizes to an
// octave (so at most a quarter is rounding). A freed buffer waits in its size's list; the next
// request for that size takes it. A training loop asks for the same sizes every step, and finds them
// there. Where sizes vary the lists fill up with what nobody asks for again: once two fifths
// more than was ever in use are cut, what waits is joined with its neighbours into gaps, and requests
// are cut from the smallest gap that fits (deferred coalescing, best fit: Wilson et al., "Dynamic
// storage allocation", 1995). Should that not help, what is in use is moved together between two ops: see
// memory.ts. Addresses are multiples of 64, and 64 bytes past any buffer can be read:
// matmul reads whole panels of 8 columns.
// Read next: threads.ts.

import { keeper, outOfMemory } from "../../core/hostMemory.ts";
import { sizeText } from "../../core/show.ts";
import type { HostMemory } from "./host.ts";
import { mostPages, page } from "./module.ts";

const smallest = 64;
const margin = 64;
/** Bytes below which it isn't worth while to save any, and all that 32-bit addresses reach. */
const little = 4 * 2 ** 20;
const most = mostPages * page;

/**
 * Bytes: in use now; cut from the memory at most so far; the most ever in use; the memory's size.
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

/** A list for each of the sizes. */
export function lists<T>(): T[][] {
  return sizes.map(() => []);
}

/** Free memory of any size. */
interface Gap {
  at: number;
  size: number;
}

export class Pool {
  readonly statistics: PoolStatistics = { inUse: 0, held: 0, peak: 0, memory: 0 };
  /** Called when no buffer of a size class waits: may free one, and says whether it did. */
  reclaim: (index: number) => boolean = () => false;
  readonly #waiting = lists<number>();
  #gaps: Gap[] = [];
  /** Buffers that came out of use since gaps were last made. */
  #freed = 0;
  readonly #memory: HostMemory;
  readonly #onGrow: () => void;
  readonly #base: number;
  #top: number;

  /**
   * `base`: the first byte that is free. `onGrow` is called whenever the memory has grown, to renew
   * views of it.
   */
  constructor(memory: HostMemory, base: number, onGrow: () => void = () => {}) {
    this.#memory = memory;
    this.#onGrow = onGrow;
    this.#base = this.#top = Math.ceil(base / 64) * 64;
    this.statistics.memory = memory.buffer.byteLength;
  }

  /**
   * The address of `bytes` bytes with anything in them, never 0. Throws if 4 GiB are not enough.
   */
  alloc(bytes: number): number {
    const index = sizeClass(bytes);
    const waiting = this.#waiting[index] as number[];
    if (waiting.length === 0) this.reclaim(index);
    const at = waiting.pop() ?? this.#find(sizes[index] as number, bytes);
    this.use(index);
    return at;
  }

  /** Gives back what `alloc(bytes)` returned. */
  free(at: number, bytes: number): void {
    const index = sizeClass(bytes);
    this.#waiting[index]?.push(at);
    this.disuse(index);
  }

  /** Counts a buffer of a size class as in use. */
  use(index: number): void {
    const { statistics } = this;
    statistics.inUse += sizes[index] as number;
    if (statistics.inUse > statistics.peak) statistics.peak = statistics.inUse;
  }

  /** Counts one no more, as it is free or may be taken. */
  disuse(index: number): void {
    this.statistics.inUse -= sizes[index] as number;
    this.#freed++;
  }

  /** Whether so much more is cut than was ever in use, or is left, that what is in use should move together. */
  get isScattered(): boolean {
    const { inUse, peak } = this.statistics;
    const bytes = this.#top - this.#base;
    return bytes > little && bytes > Math.min(1.6 * peak, Math.max(0.75 * most, 1.5 * inUse));
  }

  /** Makes gaps of all that is free, and what is free at the top uncut. */
  join(): void {
    const free = this.#gaps;
    this.#waiting.forEach((list, index) => {
      while (this.reclaim(index));
      const size = sizes[index] as number;
      for (const at of list.splice(0)) free.push({ at, size });
    });
    free.sort((a, b) => a.at - b.at);
    const gaps: Gap[] = [];
    let last: Gap | undefined;
    for (const gap of free) {
      if (last && last.at + last.size === gap.at) last.size += gap.size;
      else if (gap.size > 0) {
        last = gap;
        gaps.push(gap);
      }
    }
    if (last && last.at + last.size === this.#top) {
      this.#top = last.at;
      gaps.pop();
    }
    this.#gaps = gaps;
    this.#freed = 0;
  }

  /** Memory for a buffer of a size that none waits of. */
  #find(size: number, wanted: number): number {
    const end = this.#top + size - this.#base;
    const isRoomy = end < Math.max(little, 1.4 * this.statistics.peak);
    let at = this.#split(size);
    if (!at && (isRoomy || this.#freed <= this.#gaps.length)) at = this.#cut(size); // so joining stays rare
    if (!at) {
      this.join();
      at = this.#split(size) || this.#cut(size);
    }
    if (at) return at;
    const { inUse, held } = this.statistics;
    const why = `${sizeText(inUse)} in use, ${sizeText(held)} held; 32-bit addresses reach 4.0 GiB`;
    throw outOfMemory("wasm", wanted, why);
  }

  /** The end of the smallest gap that is large enough; 0 without one. */
  #split(size: number): number {
    let best: Gap | undefined;
    for (const gap of this.#gaps)
      if (gap.size >= size && !(best && best.size <= gap.size)) best = gap;
    if (!best) return 0;
    best.size -= size;
    return best.at + best.size;
  }

  /** Memory from the top; 0 if there is no more. */
  #cut(size: number): number {
    const at = this.#top;
    const top = at + size;
    if (top + margin > this.statistics.memory && !this.#grow(top + margin)) return 0;
    this.#top = top;
    const { statistics } = this;
    statistics.held = Math.max(statistics.held, top - this.#base);
    return at;
  }

  /** Grows by at least a quarter, so that growing stays rare. */
  #grow(end: number): boolean {
    const now = this.statistics.memory / page;
    const needed = Math.ceil(end / page);
    keeper.take((needed - now) * page, "wasm");
    const more = Math.min(mostPages, Math.max(needed, Math.ceil(now * 1.25)));
    if (needed > mostPages || !(this.#tryGrow(more - now) || this.#tryGrow(needed - now)))
      return false;
    this.statistics.memory = this.#memory.buffer.byteLength;
    this.#onGrow();
    return true;
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
