// Attention of a single query a head: what writing one token after the other on a cache does all day.
// attention.as.ts walks eight queries side by side, of which seven would be padding here; this walks keys
// side by side. Every number is the same chain of sums as there, so that both have the same bits: a score
// adds up over d in order, a mass over the keys of a block in order, a result over the keys of a block,
// and blocks of 128 keys one after the other.
// Read next: attention.as.ts.

import { expBelow, HIDDEN, Shape, visible } from "./attention.as";
import { copyRow } from "./copy.as";
import { madd, storePart } from "./lanes.as";
import { scratch } from "./scratch.as";
import { scaleRow } from "./softmax.as";

const KEYS: usize = 128; // keys to a block
const SCORES: usize = 128; // where a block's scores are in scratch memory, then the scaled query
const QUERY: usize = SCORES + 4 * KEYS;

/** A unit is one head of one batch entry, u = b * H + h; arguments as attention's, with T = 1. */
export function attendOne(
  from: usize,
  to: usize,
  shape: usize,
  q: usize,
  k: usize,
  v: usize,
  o: usize,
  greatest: usize,
  mass: usize,
): void {
  const z = changetype<Shape>(shape);
  const query = scratch() + QUERY;
  for (let u = from; u < to; u++) {
    const b = u / z.H,
      h = u % z.H,
      hkv = h / (z.H / z.Hkv);
    copyRow(q + ((b * z.qBatch + h * z.qHead) << 2), query, z.D);
    if (z.scale != 1) scaleRow(query, z.D, z.scale);
    attend(
      z,
      b,
      h,
      k + ((b * z.kBatch + hkv * z.kHead) << 2),
      v + ((b * z.vBatch + hkv * z.vHead) << 2),
      o + ((b * z.oBatch + h * z.oHead) << 2),
      greatest + (u << 2),
      mass + (u << 2),
    );
  }
}

function attend(
  z: Shape,
  b: usize,
  h: usize,
  k: usize,
  v: usize,
  o: usize,
  greatest: usize,
  mass: usize,
): void {
  const kRow = (<usize>z.kRow) << 2,
    vRow = (<usize>z.vRow) << 2,
    P = scratch() + SCORES,
    last = visible(z, 0);
  let top: f32 = HIDDEN,
    sum: f32 = 0;
  for (let s0: usize = 0; s0 < last; s0 += KEYS) {
    const n = min(KEYS, last - s0);
    const before = top;
    scores(k + s0 * kRow, kRow, n, z.D, P);
    if (z.maskKind) hide(z, b * z.maskBatch + h * z.maskHead + s0 * z.maskCol, n, P);
    top = max4(P, n, top);
    const m: f32 = top == HIDDEN ? 0 : top; // all hidden: 0
    const shrink = f32x4.extract_lane(expBelow(f32x4.splat(before), f32x4.splat(m)), 0);
    sum = exponentials(P, n, m) + shrink * sum;
    if (s0) scaleRow(o, z.D, shrink);
    mix(P, n, v + s0 * vRow, vRow, z.D, o, s0 > 0);
  }
  scaleRow(o, z.D, sum == 0 ? 0 : 1 / sum);
  store<f32>(greatest, sum == 0 ? 0 : top);
  store<f32>(mass, sum);
}

/** P[s] = q · k[s] for n keys, four side by side; where the last four aren't whole, the last key repeats. */
function scores(k: usize, kRow: usize, n: usize, D: usize, P: usize): void {
  const query = scratch() + QUERY;
  const end = k + (n - 1) * kRow;
  const whole = D & ~3;
  for (let s: usize = 0; s < n; s += 4, k += 4 * kRow) {
    const k1 = min(k + kRow, end),
      k2 = min(k + 2 * kRow, end),
      k3 = min(k + 3 * kRow, end);
    let sum = f32x4.splat(0);
    for (let d: usize = 0; d < whole << 2; d += 16) {
      const a0 = v128.load(k + d),
        a1 = v128.load(k1 + d),
        a2 = v128.load(k2 + d),
        a3 = v128.load(k3 + d);
      const low01 = v128.shuffle<f32>(a0, a1, 0, 4, 1, 5),
        low23 = v128.shuffle<f32>(a2, a3, 0, 4, 1, 5),
        high01 = v128.shuffle<f32>(a0, a1, 2, 6, 3, 7),
        high23 = v128.shuffle<f32>(a2, a3, 2, 6, 3, 7);
      const at = query + d;
      sum = madd(v128.shuffle<f32>(low01, low23, 0, 1, 4, 5), v128.load32_splat(at), sum);
      sum = madd(v128.shuffle<f32>(low01, low23, 2, 3, 6, 7), v128.load32_splat(at, 4), sum);
      sum = madd(v128.shuffle<f32>(high01, high23, 0, 1, 4, 5), v128.load32_splat(at, 8), sum);
      sum = madd(v128.shuffle<f32>(high01, high23, 2, 3, 6, 7), v128.load32_splat(at, 12), sum);
    }
    for (let d = whole << 2; d < D << 2; d += 4) {
      let a = v128.load32_zero(k + d);
      a = f32x4.replace_lane(a, 1, load<f32>(k1 + d));
      a = f32x4.replace_lane(a, 2, load<f32>(k2 + d));
      a = f32x4.replace_lane(a, 3, load<f32>(k3 + d));
      sum = madd(a, v128.load32_splat(query + d), sum);
    }
    v128.store(P + (s << 2), sum);
  }
}

/** Applies the mask from element `at` on to n scores. */
function hide(z: Shape, at: usize, n: usize, P: usize): void {
  for (let s: usize = 0; s < n; s++, at += z.maskCol) {
    const p = P + (s << 2);
    if (z.maskKind == 2) store<f32>(p, load<f32>(p) + load<f32>(z.mask + (at << 2)));
    else if (!load<u8>(z.mask + at)) store<f32>(p, HIDDEN);
  }
}

/** The greatest of n scores and `top`; NaN is none. */
function max4(P: usize, n: usize, top: f32): f32 {
  for (; n & 3; n++) store<f32>(P + (n << 2), HIDDEN); // up to a whole vector
  let m = f32x4.splat(top);
  for (let i: usize = 0; i < n << 2; i += 16) m = f32x4.pmax(m, v128.load(P + i));
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2));
  return f32x4.extract_lane(m, 0);
}

/** Scores become exp(score - m); returns their sum, in order. What follows n up to a whole vector is hidden. */
function exponentials(P: usize, n: usize, m: f32): f32 {
  const by = f32x4.splat(m);
  let sum: f32 = 0;
  for (let i: usize = 0; i < n << 2; i += 16) {
    const e = expBelow(v128.load(P + i), by);
    v128.store(P + i, e);
    sum += f32x4.extract_lane(e, 0);
    sum += f32x4.extract_lane(e, 1);
    sum += f32x4.extract_lane(e, 2);
    sum += f32x4.extract_lane(e, 3);
  }
  return sum;
}

/** o = P · v of n rows of D floats, or o += it; sixteen columns at a time, then four. */
function mix(P: usize, n: usize, v: usize, vRow: usize, D: usize, o: usize, add: bool): void {
  let d: usize = 0;
  for (; d + 16 <= D; d += 16, v += 64, o += 64) {
    let c0 = f32x4.splat(0),
      c1 = c0,
      c2 = c0,
      c3 = c0;
    for (let p = P, row = v; p < P + (n << 2); p += 4, row += vRow) {
      const x = v128.load32_splat(p);
      c0 = madd(x, v128.load(row), c0);
      c1 = madd(x, v128.load(row, 16), c1);
      c2 = madd(x, v128.load(row, 32), c2);
      c3 = madd(x, v128.load(row, 48), c3);
    }
    v128.store(o, add ? f32x4.add(v128.load(o), c0) : c0);
    v128.store(o, add ? f32x4.add(v128.load(o, 16), c1) : c1, 16);
    v128.store(o, add ? f32x4.add(v128.load(o, 32), c2) : c2, 32);
    v128.store(o, add ? f32x4.add(v128.load(o, 48), c3) : c3, 48);
  }
  for (; d < D; d += 4, v += 16, o += 16) {
    let c0 = f32x4.splat(0);
    for (let p = P, row = v; p < P + (n << 2); p += 4, row += vRow)
      c0 = madd(v128.load32_splat(p), v128.load(row), c0);
    if (add) c0 = f32x4.add(v128.load(o), c0);
    if (d + 4 <= D) v128.store(o, c0);
    else storePart(o, c0, D - d);
  }
}
