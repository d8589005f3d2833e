// Arrays of the host: where numbers are on the reference device, and where other devices put what isn't used. Who
// makes one says so here, which costs a call; memoryLimit.ts listens where it runs, and knows how many may be.
// Next: memoryLimit.ts.

import { arrays, byteSize, type DType, type TypedArray } from "./dtype.ts";
import { DeviceError } from "./errors.ts";
import { sizeText } from "./show.ts";

/** Who looks after the memory that tensors take: nobody, unless memoryLimit.ts does. */
export const keeper = {
  /** Hears of bytes that are about to be taken, and for whom; a DeviceError where that is too much. */
  take(_bytes: number, _by: string): void {},
  /** Who holds most of them, as the end of a message. */
  holders: (): string => "",
};

/** A typed array of `length` zeros; a DeviceError, which begins with who asks, where there is no room for it. */
export function allocate(dtype: DType, length: number, by = "reference"): TypedArray {
  const bytes = length * byteSize(dtype);
  keeper.take(bytes, by);
  try {
    return new arrays[dtype](length);
  } catch {
    throw outOfMemory(by, bytes, "more than one array can hold here");
  }
}

/** What a DeviceError says where memory ends, and why it does. */
export function outOfMemory(by: string, wanted: number, why: string): DeviceError {
  return new DeviceError(
    `${by}: out of memory: ${sizeText(wanted)} wanted, ${why}; keep fewer tensors, or use smaller batches${keeper.holders()}`,
  );
}
