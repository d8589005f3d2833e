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

function mean(x: usize, n: usize): f32 {
  let s = f32x4.splat(0);
  for (let i: usize = 0, end = n << 2; i < end; i += 16)
    s = f32x4.add(s, part(x, i, (end - i) >> 2));
  return sumLanes(s) / <f32>n;
}

/** The mean of (x - m)². */
function variance(x: usize, n: usize, m: f32): f32 {
  const less = f32x4.splat(m);
  let s = f32x4.splat(0);
  const end = n << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) {
    const d = f32x4.sub(v128.load(x + i), less);
    s = f32x4.add(s, f32x4.mul(d, d));
  }
  let sum = sumLanes(s);
  for (; i < end; i += 4) sum += (load<f32>(x + i) - m) * (load<f32>(x + i) - m);
  return sum / <f32>n;
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
  for (let r = from; r < to; r++) {
    const at = (r * n) << 2;
    const m = means ? mean(x + at, n) : 0;
    const rstd: f32 = 1 / sqrt<f32>(variance(x + at, n, m) + eps);
    if (means) store<f32>(means + (r << 2), m);
    store<f32>(rstds + (r << 2), rstd);
    const less = f32x4.splat(m),
      by = f32x4.splat(rstd);
    for (let i: usize = 0, end = n << 2; i < end; i += 16) {
      const rest = (end - i) >> 2;
      let v = f32x4.mul(f32x4.sub(part(x + at, i, rest), less), by);
      if (w) v = f32x4.mul(v, part(w, i, rest));
      if (b) v = f32x4.add(v, part(b, i, rest));
      if (rest >= 4) v128.store(y + at + i, v);
      else storePart(y + at + i, v, rest);
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
  const end = n << 2;
  let k = f32x4.splat(0),
    kh = k;
  for (let i: usize = 0; i < end; i += 16) {
    const rest = (end - i) >> 2;
    const gi = part(g, i, rest);
    const h = f32x4.mul(f32x4.sub(part(x, i, rest), less), by);
    const ki = w ? f32x4.mul(gi, part(w, i, rest)) : gi;
    k = f32x4.add(k, ki);
    kh = f32x4.add(kh, f32x4.mul(ki, h));
    if (dw) addTo(dw, i, rest, f32x4.mul(gi, h));
    if (db) addTo(db, i, rest, gi);
  }
  const meanK = f32x4.splat(centred ? sumLanes(k) / <f32>n : 0),
    meanKh = f32x4.splat(sumLanes(kh) / <f32>n);
  for (let i: usize = 0; i < end; i += 16) {
    const rest = (end - i) >> 2;
    const h = f32x4.mul(f32x4.sub(part(x, i, rest), less), by);
    const ki = w ? f32x4.mul(part(g, i, rest), part(w, i, rest)) : part(g, i, rest);
    const v = f32x4.mul(by, f32x4.sub(f32x4.sub(ki, meanK), f32x4.mul(h, meanKh)));
    if (rest >= 4) v128.store(dx + i, v);
    else storePart(dx + i, v, rest);
  }
}

@inline
function addTo(p: usize, i: usize, rest: usize, v: v128): void {
  const sum = f32x4.add(part(p, i, rest), v);
  if (rest >= 4) v128.store(p + i, sum);
  else storePart(p + i, sum, rest);
}
