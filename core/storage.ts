// The memory behind a tensor. Several tensors may share one storage, and only the storage knows the buffer:
//
//   x = tensor([...])      Tensor x ──────┐
//   y = x.reshape([3, 2])  Tensor y ──────┤    Storage                    the device's buffer
//   z = x.detach()         Tensor z ──────┴──> dtype, length, version ──> 1 2 3 4 5 6
//                          shape, grad,        kept, released by whom     (an array, an address, a GPU's)
//                          node on the tape
//
// The storage counts in-place writes, so that the tape notices a value that changed under it; and it knows
// whether it was released, by whom, and who asked to keep it. Next: memory.ts for who releases it, device.ts
// for what a buffer is.

import type { Buffer, Device } from "./device.ts";
import type { DType } from "./dtype.ts";
import { ReleasedError } from "./errors.ts";
import { noteMade } from "./memory.ts";
import { type Shape, sizeOf } from "./shape.ts";

/**
 * The memory behind a tensor: a buffer on a device, its dtype and length. Tensors of other shapes and
 * detached ones share it; reading it after its release is an error that names the remedy.
 */
export class Storage {
  readonly length: number;
  /** Grows with time. */
  readonly serial: number;
  /** Counts in-place writes; the tape compares it to notice a value changed under it. */
  version = 0;
  /** How many gradients of a backward walk need it at the moment: see Gradients in memory.ts. */
  needs = 0;
  /** Exempt from every scope once true. */
  kept = false;
  /** Code outside of the graph uses it too: a walk along the graph doesn't allow its release. */
  usedOutsideGraph = false;
  #buffer: Buffer | null;
  #releasedBy = "";

  constructor(
    readonly device: Device,
    readonly dtype: DType,
    /** That of the tensor that it was made for. */
    readonly shape: Shape,
    buffer: Buffer,
    /** The op that made it. */
    readonly by: string,
  ) {
    this.length = sizeOf(shape);
    this.#buffer = buffer;
    this.serial = noteMade(this);
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

  /** Says that the graph which held this was walked: the device may release it, unless others use it. */
  allowRelease(): void {
    if (!this.kept && !this.usedOutsideGraph && this.#buffer !== null)
      this.device.allowRelease?.(this);
  }

  /** Gives the memory back to the device; `by` stands in the error of whoever reads it later. */
  release(by: string): void {
    if (this.#buffer === null) return;
    this.device.free(this.#buffer);
    this.#buffer = null;
    this.#releasedBy = by;
  }
}
