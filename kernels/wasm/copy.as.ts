// One kernel moves everything: permute, expand, slice, pad and cat are all
//   out[sum i_d * outStride_d] = x[sum i_d * inStride_d]   over a shape of up to six dimensions,
// for elements of four bytes. Rows that are contiguous on both sides are copied whole; a transpose
// of the last two dimensions goes in blocks of 4 x 4.
// Read next: gather.as.ts, where the index comes from memory.

import { transpose } from "./lanes.as";

/**
 * `layout` points at 18 numbers: six sizes (outermost first, padded with 1 in front), six input
 * strides, six output strides, in elements. A unit is one index of the four outermost dimensions.
 */
export function stridedCopy(from: usize, to: usize, layout: usize, x: usize, y: usize): void {
  const rows = <usize>load<u32>(layout, 16),
    cols = <usize>load<u32>(layout, 20);
  const xRow = (<usize>load<u32>(layout, 40)) << 2,
    xCol = (<usize>load<u32>(layout, 44)) << 2;
  const yRow = (<usize>load<u32>(layout, 64)) << 2,
    yCol = (<usize>load<u32>(layout, 68)) << 2;
  for (let u = from; u < to; u++) {
    let px = x,
      py = y,
      o = u;
    for (let d: usize = 16; d > 0; ) {
      d -= 4;
      const size = <usize>load<u32>(layout + d);
      const i = o % size;
      o /= size;
      px += (i * load<u32>(layout + d, 24)) << 2;
      py += (i * load<u32>(layout + d, 48)) << 2;
    }
    plane(px, xRow, xCol, py, yRow, yCol, rows, cols);
  }
}

function plane(
  x: usize,
  xRow: usize,
  xCol: usize,
  y: usize,
  yRow: usize,
  yCol: usize,
  rows: usize,
  cols: usize,
): void {
  if (xRow == 4 && yCol == 4) return transpose(x, xCol, y, yRow, cols, rows);
  for (let i: usize = 0; i < rows; i++, x += xRow, y += yRow) {
    if (xCol == 4 && yCol == 4) copyRow(x, y, cols);
    else {
      for (let j: usize = 0, px = x, py = y; j < cols; j++, px += xCol, py += yCol)
        store<u32>(py, load<u32>(px));
    }
  }
}

/**
 * y = x over n elements. For rows of a few hundred bytes, where memory.copy spends longer on being
 * called.
 */
export function copyRow(x: usize, y: usize, n: usize): void {
  const end = n << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) v128.store(y + i, v128.load(x + i));
  for (; i < end; i += 4) store<u32>(y + i, load<u32>(x + i));
}

/** y = 0 over n elements; the same of memory.fill. */
export function clearRow(y: usize, n: usize): void {
  const end = n << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) v128.store(y + i, i32x4.splat(0));
  for (; i < end; i += 4) store<u32>(y + i, 0);
}

/**
 * Adds the rows of x into out: y[i, :] += x[i, :] where y's rows are `yStride` floats apart (the
 * gradient of a slice).
 */
export function addRows(
  from: usize,
  to: usize,
  x: usize,
  xStride: usize,
  y: usize,
  yStride: usize,
  n: usize,
): void {
  for (let r = from; r < to; r++) addRow(x + ((r * xStride) << 2), y + ((r * yStride) << 2), n);
}

/** y += x over n floats. */
export function addRow(x: usize, y: usize, n: usize): void {
  const end = n << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), v128.load(x + i)));
  for (; i < end; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x + i));
}
