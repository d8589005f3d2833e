// The memory behind a tensor, and who gives it back. A Storage pairs a device's buffer with the facts
// that the tape needs: whether it was released (and by whom, for the error), how often it was written
// in place, and whether somebody asked to keep it. Several tensors may share one (reshape, detach).
// Next: scope.ts for releasing, device.ts for what a buffer is.

import type { Buffer, Device } from "./device.ts";
import type { DType } from "./dtype.ts";
import { ReleasedError } from "./errors.ts";

/** What was made since the innermost confine began, in order. */
let born: Storage[] | null = null;

/**
 * Runs `fn`; releases every storage made inside but those that `stays` finds in the result, which become
 * the surrounding scope's, and those that are kept. `by` stands in the error of whoever reads one later.
 */
export function confine<T>(fn: () => T, stays: (result: T) => Iterable<Storage>, by: string): T {
  const outer = born;
  const made: Storage[] = [];
  born = made;
  try {
    const result = fn();
    const stay = new Set(stays(result));
    for (const storage of made) if (!stay.has(storage) && !storage.kept) storage.release(by);
    return result;
  } finally {
    born = outer;
    if (outer)
      for (const storage of made) if (!storage.released && !storage.kept) outer.push(storage);
  }
}

/**
 * Who still needs the numbers of which storage, inside of a confine: what was made there since goes back
 * as soon as nobody needs it, so that the next op finds memory that is still in the processor's cache.
 */
export class Holders {
  readonly #first = serials;
  #seen = born?.length ?? 0;

  constructor(readonly by: string) {}

  hold(storage: Storage): void {
    storage.holders++;
  }

  drop(storage: Storage): void {
    storage.holders--;
    if (storage.serial >= this.#first) this.#release(storage);
  }

  /** Like drop, for what is to stay. */
  handOver(storage: Storage): void {
    storage.holders--;
  }

  /** Releases what was made since the last call and is held by nobody. */
  sweep(): void {
    if (born === null) return;
    for (; this.#seen < born.length; this.#seen++) this.#release(born[this.#seen] as Storage);
  }

  #release(storage: Storage): void {
    if (storage.holders === 0 && !storage.kept) storage.release(this.by);
  }
}

let serials = 0;

export class Storage {
  /** Grows with time. */
  readonly serial = serials++;
  /** Counts in-place writes; the tape compares it to notice a value changed under it. */
  version = 0;
  /** How many needs of it are counted at the moment: see Holders. */
  holders = 0;
  /** Exempt from every scope once true. */
  kept = false;
  /** Somebody besides the graph asked for it: it isn't retired with the graph. */
  outlivesGraph = false;
  #buffer: Buffer | null;
  #releasedBy = "";

  constructor(
    readonly device: Device,
    readonly dtype: DType,
    readonly length: number,
    buffer: Buffer,
  ) {
    this.#buffer = buffer;
    born?.push(this);
  }

  get released(): boolean {
    return this.#buffer === null;
  }

  /** The device's buffer; a ReleasedError that names `reader` and the remedy once it is gone. */
  buffer(reader: string): Buffer {
    if (this.#buffer !== null) return this.#buffer;
    throw new ReleasedError(
      `${reader}: this tensor's memory was released by ${this.#releasedBy}; ` +
        "return it from there, or call x.keep() on it before",
    );
  }

  /** Says that the graph which held this was walked: the device may take the memory if nobody else asked for it. */
  retire(): void {
    if (!this.kept && !this.outlivesGraph && this.#buffer !== null) this.device.retire?.(this);
  }

  /** Gives the memory back to the device; `by` stands in the error of whoever reads it later. */
  release(by: string): void {
    if (this.#buffer === null) return;
    this.device.free(this.#buffer);
    this.#buffer = null;
    this.#releasedBy = by;
  }
}
