// The memory behind a tensor, and who gives it back. A Storage pairs a device's buffer with the facts
// that the tape needs: whether it was released (and by whom, for the error), how often it was written
// in place, and whether somebody asked to keep it. Several tensors may share one (reshape, detach).
// Next: scope.ts for releasing, device.ts for what a buffer is.

import type { Buffer, Device } from "./device.ts";
import type { DType } from "./dtype.ts";
import { ReleasedError } from "./errors.ts";

let born: Set<Storage> | null = null;

/** Runs `fn` and returns its result with every storage that was made inside. Scopes nest. */
export function collecting<T>(fn: () => T): {
  result: T;
  made: Set<Storage>;
  outer: Set<Storage> | null;
} {
  const outer = born;
  const made = new Set<Storage>();
  born = made;
  try {
    return { result: fn(), made, outer };
  } catch (error) {
    for (const storage of made) outer?.add(storage);
    throw error;
  } finally {
    born = outer;
  }
}

export class Storage {
  /** Counts in-place writes; the tape compares it to notice a value changed under it. */
  version = 0;
  /** Exempt from every scope once true. */
  kept = false;
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

  /** Gives the memory back to the device; `by` stands in the error of whoever reads it later. */
  release(by: string): void {
    if (this.#buffer === null) return;
    this.device.free(this.#buffer);
    this.#buffer = null;
    this.#releasedBy = by;
  }
}
