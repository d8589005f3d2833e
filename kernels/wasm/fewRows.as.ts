// Products of few rows with a large transposed matrix, C[M,N] = A[M,K] · B with B stored as [N,K]: what a
// batch of sequences does in every linear layer at each token it writes. Turning all of B first would move
// more numbers than the product needs; so eight rows of it at a time are turned into scratch memory, where
// they stay in the first cache while all rows of A meet them. Threads share columns, as there are few rows.
// The same chains of sums as matmulPacked's, so the same bits.
// Read next: matmul.as.ts for `multiply`.

import { transpose } from "./lanes.as";
import { multiply } from "./matmul.as";
import { scratch } from "./scratch.as";

const KC: usize = 512; // as matmul's: a chain of sums ends there and the next begins

/** Columns [8 from, 8 to) of C; A, B and C without gaps. `add`: C += instead of C =. `bias`: a row of N floats to start from, or 0. */
export function matmulFewRows(
  from: usize,
  to: usize,
  a: usize,
  b: usize,
  c: usize,
  M: usize,
  N: usize,
  K: usize,
  add: bool,
  bias: usize,
): void {
  const panel = scratch() + 128;
  for (let k0: usize = 0; k0 < K; k0 += KC) {
    const k = min(KC, K - k0),
      onC = add || k0 > 0;
    for (let j = from * 8; j < min(to * 8, N); j += 8) {
      const cols = min<usize>(8, N - j),
        ci = c + (j << 2);
      transpose(b + ((j * K + k0) << 2), K << 2, panel, 32, cols, k);
      const base = onC ? ci : bias ? bias + (j << 2) : 0;
      multiply(a + (k0 << 2), K << 2, 4, panel, 32, ci, N << 2, M, cols, k, base, onC ? N << 2 : 0);
    }
  }
}
