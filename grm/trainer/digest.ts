// Whether two lists of pairs are the same: a digest over all of their ids, labels and margins.
// Next: ../trainer.ts, which resumes only on the pairs that a run was begun with.

import { sha256 } from "../../nn/arrays.ts";
import type { Pair } from "../pairs.ts";

/** SHA-256 of pairs, in hexadecimal. */
export function pairsDigest(pairs: readonly Pair[]): Promise<string> {
  const parts = pairs.flatMap(({ chosen, rejected, margin = 0 }) => [
    Float64Array.of(chosen.ids.length, rejected.ids.length, margin),
    ...[chosen.ids, chosen.labels, rejected.ids, rejected.labels],
  ]);
  return sha256(parts);
}
