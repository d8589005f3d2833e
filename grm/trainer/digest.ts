// Whether two lists of pairs are the same: a digest over all of their ids, labels and margins.
// Next: ../trainer.ts, which resumes only on the pairs that a run was begun with.

import type { Pair } from "../pairs.ts";

/** SHA-256 of pairs, in hexadecimal. */
export async function pairsDigest(pairs: readonly Pair[]): Promise<string> {
  const parts = pairs.flatMap(({ chosen, rejected, margin = 0 }) => [
    Float64Array.of(chosen.ids.length, rejected.ids.length, margin),
    ...[chosen.ids, chosen.labels, rejected.ids, rejected.labels],
  ]);
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of parts) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
