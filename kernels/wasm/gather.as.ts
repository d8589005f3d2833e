// Reading and adding at indices (i32) that come from memory: embedding rows, gather and scatterAdd
// along one dimension. Where several addends meet in one place they are added in the order of the
// index, whoever adds them. Indices must be in range: the host checks, kernels don't.
// Read next: optimizer.as.ts.

import { addRow, copyRow } from "./copy.as";

/** y[r, :] = x[index[r], :]. */
export function gatherRows(
  from: usize,
  to: usize,
  x: usize,
  index: usize,
  y: usize,
  n: usize,
): void {
  for (let r = from; r < to; r++) {
    copyRow(x + ((<usize>load<u32>(index + (r << 2)) * n) << 2), y + ((r * n) << 2), n);
  }
}

/**
 * dx[index[r], :] += g[r, :] for r = 0..count. Units are rows of dx: each thread looks through the
 * whole index for its own.
 */
export function scatterAddRows(
  from: usize,
  to: usize,
  g: usize,
  index: usize,
  count: usize,
  dx: usize,
  n: usize,
): void {
  for (let r: usize = 0; r < count; r++) {
    const at = <usize>load<u32>(index + (r << 2));
    if (at >= from && at < to) addRow(g + ((r * n) << 2), dx + ((at * n) << 2), n);
  }
}

/**
 * y[o, j, i] = x[o, index[o, j, i], i]; x is [outer, n, inner], y and index [outer, m, inner].
 * Units are o.
 */
export function gather(
  from: usize,
  to: usize,
  x: usize,
  index: usize,
  y: usize,
  n: usize,
  m: usize,
  inner: usize,
): void {
  for (let o = from; o < to; o++) {
    for (let j: usize = 0; j < m; j++) {
      for (let i: usize = 0, at = (o * m + j) * inner; i < inner; i++, at++) {
        const k = <usize>load<u32>(index + (at << 2));
        store<u32>(y + (at << 2), load<u32>(x + (((o * n + k) * inner + i) << 2)));
      }
    }
  }
}

/** dx[o, index[o, j, i], i] += g[o, j, i]; shapes as in gather. Units are o. */
export function scatterAdd(
  from: usize,
  to: usize,
  g: usize,
  index: usize,
  dx: usize,
  n: usize,
  m: usize,
  inner: usize,
): void {
  for (let o = from; o < to; o++) {
    for (let j: usize = 0; j < m; j++) {
      for (let i: usize = 0, at = (o * m + j) * inner; i < inner; i++, at++) {
        const p = dx + (((o * n + <usize>load<u32>(index + (at << 2))) * inner + i) << 2);
        store<f32>(p, load<f32>(p) + load<f32>(g + (at << 2)));
      }
    }
  }
}
