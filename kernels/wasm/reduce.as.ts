// Reductions over the middle of [outer, n, inner]. Sums are taken in double precision, so a mean of
// ten million floats is right to the last digit, and every sum has one fixed order: threads share
// outputs, never the addends of one output.
// Read next: softmax.as.ts, which reduces and then uses the result while the row is still in the
// cache.

import { loadPart, promoteHigh, sumWide, widen } from "./lanes.as";
import { scratch } from "./scratch.as";

/** The sum (of squares) of n floats, in eight interleaved double-precision sums. */
function sum(x: usize, n: usize, squares: bool): f64 {
  let s0 = f64x2.splat(0),
    s1 = s0;
  let i: usize = 0;
  for (const whole = (n & ~7) << 2; i < whole; i += 32) {
    s0 = f64x2.add(s0, wide(v128.load(x + i), squares));
    s1 = f64x2.add(s1, wide(v128.load(x + i, 16), squares));
  }
  for (const end = n << 2; i < end; i += 16) {
    const rest = (end - i) >> 2;
    s0 = f64x2.add(s0, wide(rest >= 4 ? v128.load(x + i) : loadPart(x + i, rest), squares));
  }
  return sumWide(f64x2.add(s0, s1));
}

@inline
function wide(v: v128, squares: bool): v128 {
  if (!squares) return widen(v);
  const low = f64x2.promote_low_f32x4(v);
  const high = promoteHigh(v);
  return f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high));
}

/** out[r] = scale * sum of row r of x[rows, n]; of squares if asked. */
export function sumRows(
  from: usize,
  to: usize,
  x: usize,
  n: usize,
  out: usize,
  scale: f64,
  squares: bool,
): void {
  for (let r = from; r < to; r++)
    store<f32>(out + (r << 2), <f32>(sum(x + ((r * n) << 2), n, squares) * scale));
}

/**
 * For rows too long for one thread: out[r, block] (f64) = the sum of that block of row r. Units are
 * blocks of all rows.
 */
export function sumBlocks(
  from: usize,
  to: usize,
  x: usize,
  n: usize,
  block: usize,
  out: usize,
  squares: bool,
): void {
  const blocks = (n + block - 1) / block;
  for (let u = from; u < to; u++) {
    const r = u / blocks;
    const start = (u - r * blocks) * block;
    store<f64>(out + (u << 3), sum(x + ((r * n + start) << 2), min(block, n - start), squares));
  }
}

/** out[r] = scale * sum over the `blocks` doubles of row r, in order. */
export function sumDoubles(
  from: usize,
  to: usize,
  x: usize,
  blocks: usize,
  out: usize,
  scale: f64,
): void {
  for (let r = from; r < to; r++) {
    let s: f64 = 0;
    for (let i: usize = 0; i < blocks; i++) s += load<f64>(x + ((r * blocks + i) << 3));
    store<f32>(out + (r << 2), <f32>(s * scale));
  }
}

const STRIP: usize = 16; // columns to a unit: a cache line
const WIDEST: usize = 512; // columns that are summed side by side
const ROWS: usize = 8; // rows that are added to the sums at a time

/**
 * out[o, i] = base + scale * sum over j of x[o, j, i]; base is out itself if `add`. A unit is a strip
 * of 16 columns of one o; there are ceil(inner / 16) to each. Rows are read along, many strips wide:
 * down a column, each row would be a miss of its own. The sums are doubles in scratch memory.
 */
export function sumColumns(
  from: usize,
  to: usize,
  x: usize,
  n: usize,
  inner: usize,
  out: usize,
  scale: f64,
  add: bool,
): void {
  const strips = (inner + STRIP - 1) / STRIP;
  for (let u = from; u < to; ) {
    const o = u / strips,
      i = (u - o * strips) * STRIP;
    const next = min(to, min((o + 1) * strips, u + WIDEST / STRIP));
    const cols = min((next - u) * STRIP, inner - i);
    const sums = scratch() + 128;
    memory.fill(sums, 0, (cols + 3) << 3);
    for (let j: usize = 0; j < n; j += ROWS)
      addToSums(x + (((o * n + j) * inner + i) << 2), inner << 2, min(ROWS, n - j), cols, sums);
    for (let y = out + ((o * inner + i) << 2), s = sums, end = y + (cols << 2); y < end; y += 4) {
      const sum = <f32>(load<f64>(s) * scale);
      store<f32>(y, add ? load<f32>(y) + sum : sum);
      s += 8;
    }
    u = next;
  }
}

/** sums[c] += x[r, c] for r = 0, 1, ... in order. */
function addToSums(x: usize, stride: usize, rows: usize, cols: usize, sums: usize): void {
  // Each column's sum is a chain that waits for itself: eight side by side fill each other's gaps.
  for (; cols >= 8; cols -= 8, x += 32, sums += 64) {
    let a = v128.load(sums),
      b = v128.load(sums, 16),
      c = v128.load(sums, 32),
      d = v128.load(sums, 48);
    for (let r: usize = 0, at = x; r < rows; r++, at += stride) {
      const v = v128.load(at),
        w = v128.load(at, 16);
      a = f64x2.add(a, f64x2.promote_low_f32x4(v));
      b = f64x2.add(b, promoteHigh(v));
      c = f64x2.add(c, f64x2.promote_low_f32x4(w));
      d = f64x2.add(d, promoteHigh(w));
    }
    v128.store(sums, a);
    v128.store(sums, b, 16);
    v128.store(sums, c, 32);
    v128.store(sums, d, 48);
  }
  for (let c: usize = 0; c < cols; c += 4, x += 16, sums += 32) {
    let low = v128.load(sums),
      high = v128.load(sums, 16);
    for (let r: usize = 0, at = x; r < rows; r++, at += stride) {
      const v = c + 4 <= cols ? v128.load(at) : loadPart(at, cols - c);
      low = f64x2.add(low, f64x2.promote_low_f32x4(v));
      high = f64x2.add(high, promoteHigh(v));
    }
    v128.store(sums, low);
    v128.store(sums, high, 16);
  }
}

/**
 * The greatest of n floats, -infinity if there are none. NaN is passed over: softmax meets it again
 * when it adds up.
 */
export function greatest(x: usize, n: usize): f32 {
  let a = f32x4.splat(-f32.MAX_VALUE * 2),
    b = a,
    c = a,
    d = a;
  const end = n << 2;
  let i: usize = 0;
  for (; i + 64 <= end; i += 64) {
    a = f32x4.pmax(a, v128.load(x + i));
    b = f32x4.pmax(b, v128.load(x + i, 16));
    c = f32x4.pmax(c, v128.load(x + i, 32));
    d = f32x4.pmax(d, v128.load(x + i, 48));
  }
  for (; i + 16 <= end; i += 16) a = f32x4.pmax(a, v128.load(x + i));
  let best = greatestLane(f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d)));
  for (; i < end; i += 4) {
    const v = load<f32>(x + i);
    if (v > best) best = v;
  }
  return best;
}

/** The greatest of four floats. */
@inline
export function greatestLane(v: v128): f32 {
  v = f32x4.pmax(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1));
}

/** The same, but NaN if there is one. */
function greatestOrNaN(x: usize, n: usize): f32 {
  let m = f32x4.splat(-f32.MAX_VALUE * 2);
  const end = n << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) m = f32x4.max(m, v128.load(x + i));
  m = f32x4.max(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  let best = max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1));
  for (; i < end; i += 4) best = max(best, load<f32>(x + i));
  return best;
}

/** out[o, i] = max (or min, with `sign` -1) over j of x[o, j, i]. Units are outputs. */
export function extreme(
  from: usize,
  to: usize,
  x: usize,
  n: usize,
  inner: usize,
  out: usize,
  sign: f32,
): void {
  for (let u = from; u < to; u++) {
    const o = u / inner;
    let at = x + ((o * n * inner + (u - o * inner)) << 2);
    let best: f32 = 0;
    if (inner == 1 && sign > 0) best = greatestOrNaN(at, n);
    else {
      best = load<f32>(at);
      for (let j: usize = 0; j < n; j++, at += inner << 2)
        best = sign > 0 ? max(best, load<f32>(at)) : min(best, load<f32>(at));
    }
    store<f32>(out + (u << 2), best);
  }
}

/**
 * out[o, i] (i32) = the first j where x[o, j, i] is greatest (least, with `sign` -1); the first NaN
 * wins. Units are outputs.
 */
export function argExtreme(
  from: usize,
  to: usize,
  x: usize,
  n: usize,
  inner: usize,
  out: usize,
  sign: f32,
): void {
  for (let u = from; u < to; u++) {
    const o = u / inner;
    let at = x + ((o * n * inner + (u - o * inner)) << 2);
    let best = load<f32>(at) * sign;
    let index: usize = 0;
    for (let j: usize = 0; j < n && best == best; j++, at += inner << 2) {
      const v = load<f32>(at) * sign;
      if (v > best || v != v) {
        best = v;
        index = j;
      }
    }
    store<i32>(out + (u << 2), index);
  }
}
