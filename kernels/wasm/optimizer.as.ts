// Optimiser updates over whole parameter lists. A list is a table of blocks of at most 8192
// elements: five u32 each,
//   w, g, m, v (addresses) and count,
// so one call serves every parameter and threads share it evenly. A unit is a block.
// Read next: kernels.ts, which writes the table.

import { promoteHigh } from "./lanes.as";
import { wide } from "./scratch.as";

const ENTRY: usize = 20;

/** out[block] (f64) = the sum of g² of that block. Add the blocks in order for the global norm. */
export function sumSquaresList(from: usize, to: usize, table: usize, out: usize): void {
  for (let u = from; u < to; u++) {
    const entry = table + u * ENTRY;
    const g = <usize>load<u32>(entry, 4);
    const end = (<usize>load<u32>(entry, 16)) << 2;
    let s = f64x2.splat(0),
      t = s;
    let i: usize = 0;
    for (; i + 16 <= end; i += 16) {
      const v = v128.load(g + i);
      const low = f64x2.promote_low_f32x4(v),
        high = promoteHigh(v);
      s = f64x2.add(s, f64x2.mul(low, low));
      t = f64x2.add(t, f64x2.mul(high, high));
    }
    s = f64x2.add(s, t);
    let sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
    for (; i < end; i += 4) sum += <f64>load<f32>(g + i) * <f64>load<f32>(g + i);
    store<f64>(out + (u << 3), sum);
  }
}

/** a x + b y: an average that moves. */
@inline
function mixed(x: v128, a: f32, y: v128, b: f32): v128 {
  return f32x4.add(f32x4.mul(f32x4.splat(a), x), f32x4.mul(f32x4.splat(b), y));
}

/** w decay - step m / (sqrt(v) root + eps). */
@inline
function moved(w: v128, decay: f32, m: v128, step: f32, v: v128, root: f32, eps: f32): v128 {
  const size = f32x4.add(f32x4.mul(f32x4.sqrt(v), f32x4.splat(root)), f32x4.splat(eps));
  return f32x4.sub(f32x4.mul(w, f32x4.splat(decay)), f32x4.div(f32x4.mul(f32x4.splat(step), m), size));
}

/**
 * AdamW (Loshchilov and Hutter, arXiv 1711.05101), with g' = gScale g:
 *   m = beta1 m + (1 - beta1) g'      v = beta2 v + (1 - beta2) g'²
 *   w = w decay - step m / (sqrt(v) root + eps)
 * The caller gives decay = 1 - lr * weightDecay, step = lr / (1 - beta1^t), root = 1 / sqrt(1 -
 * beta2^t).
 */
export function adamwList(
  from: usize,
  to: usize,
  table: usize,
  gScale: f32,
  beta1: f32,
  beta2: f32,
  rest1: f32,
  rest2: f32,
  decay: f32,
  step: f32,
  root: f32,
  eps: f32,
): void {
  for (let u = from; u < to; u++) {
    const entry = table + u * ENTRY;
    const w = <usize>load<u32>(entry),
      g = <usize>load<u32>(entry, 4);
    const m = <usize>load<u32>(entry, 8),
      v = <usize>load<u32>(entry, 12);
    const end = (<usize>load<u32>(entry, 16)) << 2;
    const paired = wide ? end & ~31 : 0; // on narrow lanes, two at once are short of registers
    let i: usize = 0;
    for (; i < paired; i += 32) {
      const g0 = f32x4.mul(v128.load(g + i), f32x4.splat(gScale)),
        m0 = mixed(v128.load(m + i), beta1, g0, rest1),
        v0 = mixed(v128.load(v + i), beta2, f32x4.mul(g0, g0), rest2),
        w0 = moved(v128.load(w + i), decay, m0, step, v0, root, eps);
      const g1 = f32x4.mul(v128.load(g + i, 16), f32x4.splat(gScale)),
        m1 = mixed(v128.load(m + i, 16), beta1, g1, rest1),
        v1 = mixed(v128.load(v + i, 16), beta2, f32x4.mul(g1, g1), rest2),
        w1 = moved(v128.load(w + i, 16), decay, m1, step, v1, root, eps);
      v128.store(m + i, m0);
      v128.store(m + i, m1, 16);
      v128.store(v + i, v0);
      v128.store(v + i, v1, 16);
      v128.store(w + i, w0);
      v128.store(w + i, w1, 16);
    }
    for (; i + 16 <= end; i += 16) {
      const gi = f32x4.mul(v128.load(g + i), f32x4.splat(gScale));
      const mi = mixed(v128.load(m + i), beta1, gi, rest1),
        vi = mixed(v128.load(v + i), beta2, f32x4.mul(gi, gi), rest2);
      v128.store(m + i, mi);
      v128.store(v + i, vi);
      v128.store(w + i, moved(v128.load(w + i), decay, mi, step, vi, root, eps));
    }
    for (; i < end; i += 4) {
      const gi = load<f32>(g + i) * gScale;
      const mi = beta1 * load<f32>(m + i) + rest1 * gi;
      const vi = beta2 * load<f32>(v + i) + rest2 * (gi * gi);
      store<f32>(m + i, mi);
      store<f32>(v + i, vi);
      store<f32>(w + i, load<f32>(w + i) * decay - (step * mi) / (sqrt<f32>(vi) * root + eps));
    }
  }
}

/**
 * SGD with momentum, m the velocity (address 0: none): with g' = gScale g + weightDecay w, m =
 * momentum m + g', and w = w - lr m, or w - lr (g' + momentum m) if nesterov.
 */
export function sgdList(
  from: usize,
  to: usize,
  table: usize,
  gScale: f32,
  lr: f32,
  momentum: f32,
  weightDecay: f32,
  nesterov: bool,
): void {
  for (let u = from; u < to; u++) {
    const entry = table + u * ENTRY;
    const w = <usize>load<u32>(entry),
      g = <usize>load<u32>(entry, 4),
      m = <usize>load<u32>(entry, 8);
    for (let i: usize = 0, end = (<usize>load<u32>(entry, 16)) << 2; i < end; i += 4) {
      const gi = gScale * load<f32>(g + i) + weightDecay * load<f32>(w + i);
      let by = gi;
      if (m) {
        const mi = momentum * load<f32>(m + i) + gi;
        store<f32>(m + i, mi);
        by = nesterov ? gi + momentum * mi : mi;
      }
      store<f32>(w + i, load<f32>(w + i) - lr * by);
    }
  }
}
