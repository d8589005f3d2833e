// layerNorm and rmsNorm over rows of n, with gradients. A unit is a row forwards, a block of 32
// rows backwards: a block leaves its part of dw and db, and sumColumns adds the parts in order, so
// the number of threads changes no bit.
//   layerNorm: y = (x - mean) rstd w + b      rmsNorm: y = x rstd w, which is the same with mean left out
// Read next: kernels.ts, which pairs the backward pass with its sum.

import { loadPart, storePart, sumLanes } from "./lanes.as";

@inline
function part(p: usize, i: usize, rest: usize): v128 {
  return rest >= 4 ? v128.load(p + i) : loadPart(p + i, rest);
}

// Loops go over whole vectors; `tail` is what is left of n.

function mean(x: usize, n: usize): f32 {
  let s = f32x4.splat(0),
    t = s;
  const tail = n & 3,
    end = (n - tail) << 2;
  let i: usize = 0;
  for (; i + 32 <= end; i += 32) {
    s = f32x4.add(s, v128.load(x + i));
    t = f32x4.add(t, v128.load(x + i, 16));
  }
  if (i < end) s = f32x4.add(s, v128.load(x + i));
  if (tail) t = f32x4.add(t, loadPart(x + end, tail));
  return sumLanes(f32x4.add(s, t)) / <f32>n;
}

/** The mean of (x - m)². */
function variance(x: usize, n: usize, m: f32): f32 {
  const less = f32x4.splat(m);
  let s = f32x4.splat(0),
    t = s;
  const end = n << 2;
  let i: usize = 0;
  for (; i + 32 <= end; i += 32) {
    const d = f32x4.sub(v128.load(x + i), less),
      e = f32x4.sub(v128.load(x + i, 16), less);
    s = f32x4.add(s, f32x4.mul(d, d));
    t = f32x4.add(t, f32x4.mul(e, e));
  }
  let sum = sumLanes(f32x4.add(s, t));
  for (; i < end; i += 4) sum += (load<f32>(x + i) - m) * (load<f32>(x + i) - m);
  return sum / <f32>n;
}

/** (v - less) by w + b, for what stands at i; w and b may be 0. */
@inline
function normed(v: v128, less: v128, by: v128, w: usize, b: usize, i: usize, rest: usize): v128 {
  v = f32x4.mul(f32x4.sub(v, less), by);
  if (w) v = f32x4.mul(v, part(w, i, rest));
  if (b) v = f32x4.add(v, part(b, i, rest));
  return v;
}

// Beyond these, squares may have overflowed or lost digits.
const MOST: f32 = 1e30;
const LEAST: f32 = 1e-30;

/** One row in double precision, whose range holds the square of every float. */
function normWide(
  x: usize,
  y: usize,
  n: usize,
  w: usize,
  b: usize,
  eps: f64,
  mean: usize,
  rstd: usize,
): void {
  const end = n << 2;
  let m: f64 = 0,
    v: f64 = 0;
  if (mean) for (let i: usize = 0; i < end; i += 4) m += <f64>load<f32>(x + i);
  m /= <f64>n;
  for (let i: usize = 0; i < end; i += 4) {
    const d = <f64>load<f32>(x + i) - m;
    v += d * d;
  }
  const scale = 1 / sqrt(v / <f64>n + eps);
  for (let i: usize = 0; i < end; i += 4) {
    const unit = (<f64>load<f32>(x + i) - m) * scale;
    const scaled = w ? unit * <f64>load<f32>(w + i) : unit;
    store<f32>(y + i, <f32>(b ? scaled + <f64>load<f32>(b + i) : scaled));
  }
  if (mean) store<f32>(mean, <f32>m);
  store<f32>(rstd, <f32>scale);
}

/**
 * w and b may be 0 (absent). means 0 is rmsNorm. means and rstds, one float a row, are kept for the
 * gradient.
 */
export function norm(
  from: usize,
  to: usize,
  x: usize,
  y: usize,
  n: usize,
  w: usize,
  b: usize,
  eps: f32,
  means: usize,
  rstds: usize,
): void {
  const tail = n & 3;
  for (let r = from; r < to; r++) {
    const at = (r * n) << 2;
    const m = means ? mean(x + at, n) : 0;
    const v = variance(x + at, n, m);
    if (!(v < MOST) || max(v, eps) < LEAST) {
      normWide(x + at, y + at, n, w, b, eps, means ? means + (r << 2) : 0, rstds + (r << 2));
      continue;
    }
    const rstd: f32 = 1 / sqrt<f32>(v + eps);
    if (means) store<f32>(means + (r << 2), m);
    store<f32>(rstds + (r << 2), rstd);
    const less = f32x4.splat(m),
      by = f32x4.splat(rstd);
    const end = (n - tail) << 2;
    let i: usize = 0;
    for (; i + 32 <= end; i += 32) {
      let v0 = f32x4.mul(f32x4.sub(v128.load(x + at + i), less), by),
        v1 = f32x4.mul(f32x4.sub(v128.load(x + at + i, 16), less), by);
      if (w) {
        v0 = f32x4.mul(v0, v128.load(w + i));
        v1 = f32x4.mul(v1, v128.load(w + i, 16));
      }
      if (b) {
        v0 = f32x4.add(v0, v128.load(b + i));
        v1 = f32x4.add(v1, v128.load(b + i, 16));
      }
      v128.store(y + at + i, v0);
      v128.store(y + at + i, v1, 16);
    }
    if (i < end) v128.store(y + at + i, normed(v128.load(x + at + i), less, by, w, b, i, 4));
    if (tail) {
      const v = normed(loadPart(x + at + end, tail), less, by, w, b, end, tail);
      storePart(y + at + end, v, tail);
    }
  }
}

/**
 * With h = (x - mean) rstd and k = g w: dx = rstd (k - mean(k) - h mean(k h)); mean(k) is left out
 * for rmsNorm. Unit u is rows [32 u, 32 u + 32) of `rows`; dw and db (or 0) are [units, n], each
 * unit's own sums of g h and g.
 */
export function normGrad(
  from: usize,
  to: usize,
  g: usize,
  x: usize,
  dx: usize,
  rows: usize,
  n: usize,
  w: usize,
  means: usize,
  rstds: usize,
  dw: usize,
  db: usize,
): void {
  for (let u = from; u < to; u++) {
    const own = (u * n) << 2;
    if (dw) memory.fill(dw + own, 0, n << 2);
    if (db) memory.fill(db + own, 0, n << 2);
    for (let r = u * 32, end = min(rows, r + 32); r < end; r++) {
      const at = (r * n) << 2;
      const m = means ? load<f32>(means + (r << 2)) : 0;
      const rstd = load<f32>(rstds + (r << 2));
      normGradRow(
        g + at,
        x + at,
        dx + at,
        n,
        w,
        m,
        rstd,
        means != 0,
        dw ? dw + own : 0,
        db ? db + own : 0,
      );
    }
  }
}

function normGradRow(
  g: usize,
  x: usize,
  dx: usize,
  n: usize,
  w: usize,
  m: f32,
  rstd: f32,
  centred: bool,
  dw: usize,
  db: usize,
): void {
  const less = f32x4.splat(m),
    by = f32x4.splat(rstd);
  const tail = n & 3,
    end = (n - tail) << 2;
  let k = f32x4.splat(0),
    kh = k;
  for (let i: usize = 0; i < end; i += 16) {
    const gi = v128.load(g + i);
    const h = f32x4.mul(f32x4.sub(v128.load(x + i), less), by);
    const ki = w ? f32x4.mul(gi, v128.load(w + i)) : gi;
    k = f32x4.add(k, ki);
    kh = f32x4.add(kh, f32x4.mul(ki, h));
    if (dw) v128.store(dw + i, f32x4.add(v128.load(dw + i), f32x4.mul(gi, h)));
    if (db) v128.store(db + i, f32x4.add(v128.load(db + i), gi));
  }
  if (tail) {
    const gi = loadPart(g + end, tail);
    const h = f32x4.mul(f32x4.sub(loadPart(x + end, tail), less), by);
    const ki = w ? f32x4.mul(gi, loadPart(w + end, tail)) : gi;
    k = f32x4.add(k, ki);
    kh = f32x4.add(kh, f32x4.mul(ki, h));
    if (dw) storePart(dw + end, f32x4.add(loadPart(dw + end, tail), f32x4.mul(gi, h)), tail);
    if (db) storePart(db + end, f32x4.add(loadPart(db + end, tail), gi), tail);
  }
  const meanK = f32x4.splat(centred ? sumLanes(k) / <f32>n : 0),
    meanKh = f32x4.splat(sumLanes(kh) / <f32>n);
  let i: usize = 0;
  for (; i + 32 <= end; i += 32) {
    const h0 = f32x4.mul(f32x4.sub(v128.load(x + i), less), by),
      h1 = f32x4.mul(f32x4.sub(v128.load(x + i, 16), less), by);
    let k0 = v128.load(g + i),
      k1 = v128.load(g + i, 16);
    if (w) {
      k0 = f32x4.mul(k0, v128.load(w + i));
      k1 = f32x4.mul(k1, v128.load(w + i, 16));
    }
    k0 = f32x4.mul(by, f32x4.sub(f32x4.sub(k0, meanK), f32x4.mul(h0, meanKh)));
    k1 = f32x4.mul(by, f32x4.sub(f32x4.sub(k1, meanK), f32x4.mul(h1, meanKh)));
    v128.store(dx + i, k0);
    v128.store(dx + i, k1, 16);
  }
  if (i < end)
    v128.store(dx + i, slope(v128.load(g + i), v128.load(x + i), w, less, by, meanK, meanKh, i, 4));
  if (tail) {
    const gi = loadPart(g + end, tail),
      xi = loadPart(x + end, tail);
    storePart(dx + end, slope(gi, xi, w, less, by, meanK, meanKh, end, tail), tail);
  }
}

/** by (k - meanK - h meanKh), for what stands at i. */
@inline
function slope(
  g: v128,
  x: v128,
  w: usize,
  less: v128,
  by: v128,
  meanK: v128,
  meanKh: v128,
  i: usize,
  rest: usize,
): v128 {
  const h = f32x4.mul(f32x4.sub(x, less), by);
  const k = w ? f32x4.mul(g, part(w, i, rest)) : g;
  return f32x4.mul(by, f32x4.sub(f32x4.sub(k, meanK), f32x4.mul(h, meanKh)));
}
