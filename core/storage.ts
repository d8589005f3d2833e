// The memory behind a tensor, and who gives it back. A Storage pairs a device's buffer with the facts
// that the tape needs: whether it was released (and by whom, for the error), how often it was written
// in place, and whether somebody asked to keep it. Several tensors may share one (reshape, detach).
// Next: scope.ts for releasing, device.ts for what a buffer is.

import type { Buffer, Device } from "./device.ts";
import type { DType } from "./dtype.ts";
import { ReleasedError } from "./errors.ts";

let born: Set<Storage> | null = null;

/**
 * Runs `fn`; releases every storage made inside but those that `stays` finds in the result, which become
 * the surrounding scope's, and those that are kept. `by` stands in the error of whoever reads one later.
 */
export function confine<T>(fn: () => T, stays: (result: T) => Iterable<Storage>, by: string): T {
  const outer = born;
  const made = new Set<Storage>();
  born = made;
  try {
    const result = fn();
    const stay = new Set(stays(result));
    for (const storage of made) if (!stay.has(storage) && !storage.kept) storage.release(by);
    return result;
  } finally {
    born = outer;
    for (const storage of made) if (!storage.released && !storage.kept) outer?.add(storage);
  }
}

export class Storage {
  /** Counts in-place writes; the tape compares it to notice a value changed under it. */
  version = 0;
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
    born?.add(this);
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
