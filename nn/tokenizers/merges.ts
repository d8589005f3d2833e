// Byte pair encoding proper: while any two neighbours may merge, merge the pair of the lowest rank, the
// leftmost among equals. A heap of candidates makes that n log n, so that a page without a space costs no
// more than its share. Next: bpe.ts, where ranks are the order of learning; llama2c.ts, where they are scores.

import { Heap } from "./heap.ts";

/** Two tokens that become one. */
export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly into: number;
  /** A whole number; the lower the earlier. */
  readonly rank: number;
}

export class MergeTable {
  readonly #merges = new Map<number, Merge>();
  readonly #vocabSize: number;

  constructor(vocabSize: number, merges: Iterable<Merge>) {
    this.#vocabSize = vocabSize;
    for (const merge of merges) this.#merges.set(this.#key(merge.left, merge.right), merge);
  }

  #key(left: number, right: number): number {
    return left * this.#vocabSize + right;
  }

  /** The tokens after all merges. */
  apply(tokens: readonly number[]): readonly number[] {
    const n = tokens.length;
    const ids = [...tokens];
    const next = Int32Array.from(ids, (_, i) => i + 1);
    const previous = Int32Array.from(ids, (_, i) => i - 1);
    const mergeAt = (i: number): Merge | undefined => {
      const after = next[i] ?? n;
      return after < n
        ? this.#merges.get(this.#key(ids[i] ?? gone, ids[after] ?? gone))
        : undefined;
    };
    const candidates = new Heap<number>((a, b) => a < b); // rank n + place: by rank, then from the left
    const consider = (i: number): void => {
      const merge = i >= 0 ? mergeAt(i) : undefined;
      if (merge !== undefined) candidates.push(merge.rank * n + i);
    };
    for (let i = 0; i < n; i++) consider(i);
    for (let first = candidates.pop(); first !== undefined; first = candidates.pop()) {
      const i = first % n;
      const merge = mergeAt(i);
      if (merge === undefined || merge.rank * n + i !== first) continue; // merged with another meanwhile
      const right = next[i] ?? n;
      const after = next[right] ?? n;
      ids[i] = merge.into;
      ids[right] = gone;
      next[right] = n;
      next[i] = after;
      if (after < n) previous[after] = i;
      consider(previous[i] ?? -1);
      consider(i);
    }
    return ids.filter((id) => id !== gone);
  }
}

const gone = -1; // the place of a token that was merged into its left neighbour
