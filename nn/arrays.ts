// Lists of numbers, one after the other, and the digest by which two of them are known to be the same.
// Next: pretrain/corpus.ts, which uses both.

interface NumberArray {
  set(part: ArrayLike<number>, at: number): void;
}

/** The parts one after the other, in the array that `make` gives for their length. */
function concatenated<A extends NumberArray>(
  make: (length: number) => A,
  parts: readonly ArrayLike<number>[],
): A {
  const all = make(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** All ids one after the other. */
export function joinIds(parts: readonly ArrayLike<number>[]): Int32Array<ArrayBuffer> {
  return concatenated((length) => new Int32Array(length), parts);
}

/** All bytes one after the other. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatenated((length) => new Uint8Array(length), parts);
}

/** SHA-256 of the parts' bytes one after the other, in hexadecimal. */
export async function sha256(parts: readonly ArrayBufferView[]): Promise<string> {
  const runs = parts.map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", joinBytes(runs)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
