// softmax, logSoftmax and crossEntropy over rows of n, with their gradients. A unit is a row.
// Masked entries (-infinity) become exact zeros, never denormals, which would slow every product
// that follows. A row that is masked everywhere becomes NaN, as 0 / 0 is. Long sums end in double
// precision: a vocabulary can be long.
// Read next: attention.as.ts, the same with the row in pieces.

import { expFlush4, log4 } from "./math.as";
import { loadPart, storePart, sumWide, widen } from "./lanes.as";
import { greatest, greatestLane } from "./reduce.as";

/** The greatest entry of the row whose turn comes next. */
let greatestAhead: f32 = 0;

/** Before the first of rows [from, to). */
@inline
function lookAt(x: usize, from: usize, to: usize, n: usize): void {
  if (from < to) greatestAhead = greatest(x + ((from * n) << 2), n);
}

/** The address of row r + 1, or 0 after the last. */
@inline
function rowAfter(x: usize, r: usize, to: usize, n: usize): usize {
  return r + 1 < to ? x + (((r + 1) * n) << 2) : 0;
}

/**
 * y[i] = exp(x[i] - shift); returns their sum, 256 at a time in doubles. y may be x; y = 0 writes
 * nothing. Each exponential is a long chain of operations that wait for one another: four of them a
 * turn fill each other's gaps, and the greatest entry of the next row, at `ahead` (0: there is none),
 * is found meanwhile for next to nothing.
 */
function expRow(x: usize, y: usize, n: usize, shift: f32, ahead: usize): f64 {
  const less = f32x4.splat(shift);
  const whole = (n & ~7) << 2;
  let total = f64x2.splat(0),
    m = f32x4.splat(-f32.MAX_VALUE * 2);
  for (let i: usize = 0; i < whole; ) {
    let s = f32x4.splat(0);
    const stop = min(whole, i + 1024);
    for (; i + 64 <= stop; i += 64) {
      const a = expFlush4(f32x4.sub(v128.load(x + i), less)),
        b = expFlush4(f32x4.sub(v128.load(x + i, 16), less)),
        c = expFlush4(f32x4.sub(v128.load(x + i, 32), less)),
        d = expFlush4(f32x4.sub(v128.load(x + i, 48), less));
      if (y) {
        v128.store(y + i, a);
        v128.store(y + i, b, 16);
        v128.store(y + i, c, 32);
        v128.store(y + i, d, 48);
      }
      if (ahead) m = greater(greater(m, ahead + i), ahead + i + 32);
      s = f32x4.add(f32x4.add(s, f32x4.add(a, b)), f32x4.add(c, d));
    }
    if (i < stop) {
      const a = expFlush4(f32x4.sub(v128.load(x + i), less)),
        b = expFlush4(f32x4.sub(v128.load(x + i, 16), less));
      if (y) {
        v128.store(y + i, a);
        v128.store(y + i, b, 16);
      }
      if (ahead) m = greater(m, ahead + i);
      s = f32x4.add(s, f32x4.add(a, b));
      i += 32;
    }
    total = f64x2.add(total, widen(s));
  }
  let sum = sumWide(total);
  for (let i = whole; i < n << 2; i += 16)
    sum += expPart(x + i, y ? y + i : 0, min<usize>(4, n - (i >> 2)), shift);
  if (ahead) greatestAhead = max(greatestLane(m), greatest(ahead + whole, n & 7));
  return sum;
}

/** The greater, lane by lane, of m and the eight floats at p. */
@inline
function greater(m: v128, p: usize): v128 {
  return f32x4.pmax(f32x4.pmax(m, v128.load(p)), v128.load(p, 16));
}

/** The same for the last 1..4. */
function expPart(x: usize, y: usize, n: usize, shift: f32): f32 {
  const v = n == 4 ? v128.load(x) : loadPart(x, n);
  const e = expFlush4(f32x4.sub(v, f32x4.splat(shift)));
  if (y && n == 4) v128.store(y, e);
  else if (y) storePart(y, e, n);
  let s = f32x4.extract_lane(e, 0);
  if (n > 1) s += f32x4.extract_lane(e, 1);
  if (n > 2) s += f32x4.extract_lane(e, 2);
  if (n > 3) s += f32x4.extract_lane(e, 3);
  return s;
}

/** x[i] *= a. */
export function scaleRow(x: usize, n: usize, a: f32): void {
  const by = f32x4.splat(a);
  const end = n << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) v128.store(x + i, f32x4.mul(v128.load(x + i), by));
  for (; i < end; i += 4) store<f32>(x + i, load<f32>(x + i) * a);
}

export function logOf(x: f64): f32 {
  return f32x4.extract_lane(log4(f32x4.splat(<f32>x)), 0);
}

export function softmax(from: usize, to: usize, x: usize, y: usize, n: usize): void {
  lookAt(x, from, to, n);
  for (let r = from; r < to; r++) {
    const at = (r * n) << 2;
    const s = expRow(x + at, y + at, n, greatestAhead, rowAfter(x, r, to, n));
    scaleRow(y + at, n, <f32>(1 / s));
  }
}

/** dx = y (g - sum(g y)). */
export function softmaxGrad(from: usize, to: usize, g: usize, y: usize, dx: usize, n: usize): void {
  for (let r = from; r < to; r++) {
    const at = (r * n) << 2;
    const d = f32x4.splat(<f32>dotWide(g + at, y + at, n));
    const end = at + (n << 2);
    for (let i = at; i < end; i += 16) {
      const rest = (end - i) >> 2;
      const gi = rest >= 4 ? v128.load(g + i) : loadPart(g + i, rest);
      const yi = rest >= 4 ? v128.load(y + i) : loadPart(y + i, rest);
      const v = f32x4.mul(yi, f32x4.sub(gi, d));
      if (rest >= 4) v128.store(dx + i, v);
      else storePart(dx + i, v, rest);
    }
  }
}

function dotWide(a: usize, b: usize, n: usize): f64 {
  let s = f64x2.splat(0);
  const end = n << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16)
    s = f64x2.add(s, widen(f32x4.mul(v128.load(a + i), v128.load(b + i))));
  let total = sumWide(s);
  for (; i < end; i += 4) total += <f64>(load<f32>(a + i) * load<f32>(b + i));
  return total;
}

/** y = (x - max) - log(sum(exp(x - max))). */
export function logSoftmax(from: usize, to: usize, x: usize, y: usize, n: usize): void {
  lookAt(x, from, to, n);
  for (let r = from; r < to; r++) {
    const at = (r * n) << 2;
    const less = greatestAhead;
    const log = logOf(expRow(x + at, 0, n, less, rowAfter(x, r, to, n)));
    for (let i = at, end = at + (n << 2); i < end; i += 16) {
      const rest = (end - i) >> 2;
      const v = rest >= 4 ? v128.load(x + i) : loadPart(x + i, rest);
      const l = f32x4.sub(f32x4.sub(v, f32x4.splat(less)), f32x4.splat(log));
      if (rest >= 4) v128.store(y + i, l);
      else storePart(y + i, l, rest);
    }
  }
}

/** dx = g - exp(y) sum(g). */
export function logSoftmaxGrad(
  from: usize,
  to: usize,
  g: usize,
  y: usize,
  dx: usize,
  n: usize,
): void {
  for (let r = from; r < to; r++) {
    const at = (r * n) << 2;
    let s: f64 = 0;
    for (let i = at, end = at + (n << 2); i < end; i += 4) s += <f64>load<f32>(g + i);
    const total = f32x4.splat(<f32>s);
    for (let i = at, end = at + (n << 2); i < end; i += 16) {
      const rest = (end - i) >> 2;
      const gi = rest >= 4 ? v128.load(g + i) : loadPart(g + i, rest);
      const yi = rest >= 4 ? v128.load(y + i) : loadPart(y + i, rest);
      const v = f32x4.sub(gi, f32x4.mul(expFlush4(yi), total));
      if (rest >= 4) v128.store(dx + i, v);
      else storePart(dx + i, v, rest);
    }
  }
}

/**
 * loss[r] = logsumexp(x[r]) - (1 - smoothing) x[r, target] - smoothing mean(x[r]). largest[r] and
 * mass[r] = sum(exp(x[r] - largest[r])) are kept for the gradient: of large logits, their logsumexp would
 * keep too few digits. Rows whose target (i32) is `ignored` cost 0.
 */
export function crossEntropy(
  from: usize,
  to: usize,
  x: usize,
  target: usize,
  n: usize,
  ignored: i32,
  smoothing: f32,
  loss: usize,
  largest: usize,
  mass: usize,
): void {
  lookAt(x, from, to, n);
  for (let r = from; r < to; r++) {
    const row = x + ((r * n) << 2);
    const less = greatestAhead;
    const s = expRow(row, 0, n, less, rowAfter(x, r, to, n));
    store<f32>(largest + (r << 2), less);
    store<f32>(mass + (r << 2), <f32>s);
    const t = load<i32>(target + (r << 2));
    let cost: f32 = 0;
    if (t != ignored) {
      const own = load<f32>(row + (t << 2));
      const log = logOf(s);
      cost = less - own + log;
      if (smoothing > 0) {
        const mean = <f32>meanOf(row, n);
        if (abs(own) < f32.MAX_VALUE * 2) cost += smoothing * (own - mean);
        else cost = (1 - smoothing) * cost + smoothing * (less - mean + log);
      }
    }
    store<f32>(loss + (r << 2), cost);
  }
}

function meanOf(x: usize, n: usize): f64 {
  let s: f64 = 0;
  for (let i: usize = 0; i < n; i++) s += <f64>load<f32>(x + (i << 2));
  return s / <f64>n;
}

/**
 * dx[r, j] = c (exp(x - largest) / mass - (1 - smoothing) [j = target] - smoothing / n), c = scale * g[r *
 * gStep]; 0 where ignored. gStep 0 and scale 1 / count is the gradient of the mean.
 */
export function crossEntropyGrad(
  from: usize,
  to: usize,
  g: usize,
  gStep: usize,
  scale: f32,
  x: usize,
  target: usize,
  largest: usize,
  mass: usize,
  dx: usize,
  n: usize,
  ignored: i32,
  smoothing: f32,
): void {
  for (let r = from; r < to; r++) {
    const at = (r * n) << 2;
    const t = load<i32>(target + (r << 2));
    if (t == ignored) {
      memory.fill(dx + at, 0, n << 2);
      continue;
    }
    const by = scale * load<f32>(g + ((r * gStep) << 2));
    const c = f32x4.splat(by / load<f32>(mass + (r << 2))),
      l = f32x4.splat(load<f32>(largest + (r << 2))),
      spread = f32x4.splat((by * smoothing) / <f32>n);
    let i = at;
    for (const whole = at + ((n & ~15) << 2); i < whole; i += 64) {
      const p0 = expFlush4(f32x4.sub(v128.load(x + i), l)),
        p1 = expFlush4(f32x4.sub(v128.load(x + i, 16), l)),
        p2 = expFlush4(f32x4.sub(v128.load(x + i, 32), l)),
        p3 = expFlush4(f32x4.sub(v128.load(x + i, 48), l));
      v128.store(dx + i, f32x4.sub(f32x4.mul(c, p0), spread));
      v128.store(dx + i, f32x4.sub(f32x4.mul(c, p1), spread), 16);
      v128.store(dx + i, f32x4.sub(f32x4.mul(c, p2), spread), 32);
      v128.store(dx + i, f32x4.sub(f32x4.mul(c, p3), spread), 48);
    }
    for (const end = at + (n << 2); i < end; i += 16) {
      const rest = (end - i) >> 2;
      const v = rest >= 4 ? v128.load(x + i) : loadPart(x + i, rest);
      const d = f32x4.sub(f32x4.mul(c, expFlush4(f32x4.sub(v, l))), spread);
      if (rest >= 4) v128.store(dx + i, d);
      else storePart(dx + i, d, rest);
    }
    const hit = dx + at + (t << 2);
    store<f32>(hit, load<f32>(hit) - by * (1 - smoothing));
  }
}
