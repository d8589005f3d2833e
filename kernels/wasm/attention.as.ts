// Scaled dot-product attention in blocks (FlashAttention, arXiv 2205.14135): o = softmax(scale q kᵀ
// + mask) v without ever holding the T x S matrix. Scores lie with queries side by side, [key][query]:
// each query's maximum and sum are then sums down a column, and of the five products forwards and
// backwards none needs its scores turned. Of each row its greatest score and its mass, the sum of
// exp(score - greatest), are saved; backwards, probabilities are computed again from them, with all their
// digits however large the scores are. e^x is 2^(x / ln 2), which is cheaper. Rows with nothing to attend
// to give zeros: their mass is 0.
// Read next: attendOne.as.ts for a single query, matmul.as.ts for `multiply`, math.as.ts for `exp2Flush4`.

import { dot, multiply } from "./matmul.as";
import { c, transpose } from "./lanes.as";
import { clearRow, copyRow } from "./copy.as";
import { scaleRow } from "./softmax.as";
import { exp2Flush4 } from "./math.as";
import { scratch } from "./scratch.as";

const BLOCK: usize = 64; // queries to a unit; keys to a block backwards
const KEYS: usize = 128; // keys to a block forwards
const GROUP: usize = 8; // queries, or keys, that share a causal limit: a panel's width
const WIDTH: usize = 256; // bytes in a row of 64 queries
const LOG2E = memory.data<f32>([1.44269504]);
const ONE = memory.data<f32>([1]);
export const HIDDEN = -f32.MAX_VALUE * 2; // the score of a key that may not be seen

/**
 * The call's sizes and strides, written by the host. Strides in floats (the mask's in its own
 * elements).
 */
@unmanaged
export class Shape {
  B: usize;
  H: usize;
  Hkv: usize;
  T: usize;
  S: usize;
  D: usize;
  causal: usize; // 1: query t sees keys s <= t + offset
  offset: usize;
  scale: f32;
  qBatch: usize;
  qHead: usize;
  qRow: usize;
  kBatch: usize;
  kHead: usize;
  kRow: usize;
  vBatch: usize;
  vHead: usize;
  vRow: usize;
  oBatch: usize;
  oHead: usize;
  oRow: usize;
  maskKind: usize; // 0 none, 1 one byte each (1 = attend), 2 floats to add
  mask: usize;
  maskBatch: usize;
  maskHead: usize;
  maskRow: usize;
  maskCol: usize;
}

/** e^(x - m) for x - m <= 0. */
@inline
export function expBelow(x: v128, m: v128): v128 {
  return exp2Flush4(f32x4.mul(f32x4.sub(x, m), c(LOG2E)));
}

/** How many keys query t may see, of S. */
@inline
export function visible(z: Shape, t: usize): usize {
  return z.causal ? min<usize>(z.S, t + z.offset + 1) : z.S;
}

/**
 * Hides keys: in the scores at P, [ns][nt] with `width` bytes from key to key, of keys from s0 and
 * queries from t0 on.
 */
function hide(
  z: Shape,
  b: usize,
  h: usize,
  t0: usize,
  nt: usize,
  s0: usize,
  ns: usize,
  P: usize,
  width: usize,
): void {
  if (z.maskKind) {
    const first = b * z.maskBatch + h * z.maskHead + t0 * z.maskRow + s0 * z.maskCol;
    for (let s: usize = 0; s < ns; s++) {
      for (let t: usize = 0, i = first + s * z.maskCol; t < nt; t++, i += z.maskRow) {
        const at = P + s * width + 4 * t;
        if (z.maskKind == 2) store<f32>(at, load<f32>(at) + load<f32>(z.mask + (i << 2)));
        else if (!load<u8>(z.mask + i)) store<f32>(at, HIDDEN);
      }
    }
  }
  if (!z.causal) return;
  for (let s = max(s0, t0 + z.offset + 1); s < s0 + ns; s++) {
    const row = P + (s - s0) * width; // queries before s - offset don't see key s
    for (let t: usize = 0, end = min(nt, s - z.offset - t0); t < end; t++)
      store<f32>(row + 4 * t, HIDDEN);
  }
}

/** out[d][t] = x[t][d] a for up to 64 rows of D floats; zeros up to a whole group. */
function turn(x: usize, stride: usize, rows: usize, D: usize, a: f32, out: usize): void {
  const whole = rows & ~(GROUP - 1);
  if (whole < rows)
    for (let d: usize = 0; d < D; d++) clearRow(out + d * WIDTH + 4 * whole, GROUP);
  transpose(x, stride, out, WIDTH, rows, D);
  if (a != 1) for (let d: usize = 0; d < D; d++) scaleRow(out + d * WIDTH, rows, a);
}

/**
 * A unit is 64 queries of one head of one batch entry: u = (b * H + h) * ceil(T / 64) + block.
 * q [B,H,T,D], k and v [B,Hkv,S,D], o like q, by the strides in `shape`; greatest and mass [B,H,T].
 */
export function attention(
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
  const T = <usize>z.T,
    turned = scratch() + 1024 + 4 * GROUP * KEYS;
  const blocks = (T + BLOCK - 1) / BLOCK;
  for (let u = from; u < to; u++) {
    const head = u / blocks,
      t0 = (u % blocks) * BLOCK;
    const b = head / z.H,
      h = head % z.H,
      hkv = h / (z.H / z.Hkv),
      nq = min(BLOCK, T - t0);
    const qi = q + ((b * z.qBatch + h * z.qHead + t0 * z.qRow) << 2);
    const oi = o + ((b * z.oBatch + h * z.oHead + t0 * z.oRow) << 2);
    turn(qi, z.qRow << 2, nq, z.D, z.scale, turned);
    for (let i: usize = 0; i < nq; i += GROUP) {
      attendGroup(
        z,
        b,
        h,
        t0 + i,
        min(GROUP, nq - i),
        turned + 4 * i,
        k + ((b * z.kBatch + hkv * z.kHead) << 2),
        v + ((b * z.vBatch + hkv * z.vHead) << 2),
        oi + ((i * z.oRow) << 2),
        greatest + ((head * T + t0 + i) << 2),
        mass + ((head * T + t0 + i) << 2),
      );
    }
  }
}

/** Eight queries, given turned, meet all the keys that they may see, 128 at a time. */
function attendGroup(
  z: Shape,
  b: usize,
  h: usize,
  t0: usize,
  nq: usize,
  turned: usize,
  k: usize,
  v: usize,
  o: usize,
  greatest: usize,
  mass: usize,
): void {
  const D = <usize>z.D,
    kRow = (<usize>z.kRow) << 2,
    vRow = (<usize>z.vRow) << 2,
    oRow = (<usize>z.oRow) << 2;
  const state = scratch() + 128,
    P = scratch() + 1024;
  for (let i: usize = 0; i < 32; i += 16) {
    v128.store(state + i, f32x4.splat(HIDDEN), GREATEST);
    v128.store(state + i, f32x4.splat(0), SUM);
  }
  const last = visible(z, t0 + nq - 1);
  for (let s0: usize = 0; s0 < last; s0 += KEYS) {
    const nk = min(KEYS, last - s0);
    multiply(k + s0 * kRow, kRow, 4, turned, WIDTH, P, 4 * GROUP, nk, GROUP, D, 0, 0);
    hide(z, b, h, t0, nq, s0, nk, P, 4 * GROUP);
    online(P, nk, state);
    if (s0) scaleRows(o, oRow, nq, D, state + SHRINK);
    multiply(P, 4, 4 * GROUP, v + s0 * vRow, vRow, o, oRow, nq, D, nk, s0 ? o : 0, oRow);
  }
  finish(state);
  scaleRows(o, oRow, nq, D, state + SHRINK);
  copyRow(state + GREATEST, greatest, nq);
  copyRow(state + SUM, mass, nq);
}

// Eight queries' state, each eight floats: the greatest score so far, the sum of exp(score - greatest),
// and what to shrink the row gathered so far by.
const GREATEST: usize = 0;
const SUM: usize = 32;
const SHRINK: usize = 64;

/**
 * Scores of eight queries and nk keys become exp(score - m). Where m grew, what has been gathered so
 * far shrinks by exp(old m - m).
 */
function online(P: usize, nk: usize, state: usize): void {
  const end = P + nk * 4 * GROUP;
  const old0 = v128.load(state, GREATEST),
    old1 = v128.load(state, GREATEST + 16);
  let m0 = old0,
    m1 = old1,
    n0 = old0,
    n1 = old1;
  for (let p = P; p < end; p += 64) {
    // Two keys a turn; of an odd number, the first comes again.
    const next = p + 32 < end ? p + 32 : P;
    m0 = f32x4.pmax(m0, v128.load(p));
    m1 = f32x4.pmax(m1, v128.load(p, 16));
    n0 = f32x4.pmax(n0, v128.load(next));
    n1 = f32x4.pmax(n1, v128.load(next, 16));
  }
  m0 = f32x4.pmax(m0, n0);
  m1 = f32x4.pmax(m1, n1);
  v128.store(state, m0, GREATEST);
  v128.store(state, m1, GREATEST + 16);
  m0 = v128.and(m0, f32x4.ne(m0, f32x4.splat(HIDDEN))); // all hidden: 0
  m1 = v128.and(m1, f32x4.ne(m1, f32x4.splat(HIDDEN)));
  let s0 = f32x4.splat(0),
    s1 = s0,
    p = P;
  for (; p + 64 <= end; p += 64) {
    const e0 = expBelow(v128.load(p), m0),
      e1 = expBelow(v128.load(p, 16), m1),
      f0 = expBelow(v128.load(p, 32), m0),
      f1 = expBelow(v128.load(p, 48), m1);
    v128.store(p, e0);
    v128.store(p, e1, 16);
    v128.store(p, f0, 32);
    v128.store(p, f1, 48);
    s0 = f32x4.add(f32x4.add(s0, e0), f0);
    s1 = f32x4.add(f32x4.add(s1, e1), f1);
  }
  if (p < end) {
    const e0 = expBelow(v128.load(p), m0),
      e1 = expBelow(v128.load(p, 16), m1);
    v128.store(p, e0);
    v128.store(p, e1, 16);
    s0 = f32x4.add(s0, e0);
    s1 = f32x4.add(s1, e1);
  }
  const shrink0 = expBelow(old0, m0),
    shrink1 = expBelow(old1, m1);
  v128.store(state, shrink0, SHRINK);
  v128.store(state, shrink1, SHRINK + 16);
  v128.store(state, f32x4.add(s0, f32x4.mul(shrink0, v128.load(state, SUM))), SUM);
  v128.store(state, f32x4.add(s1, f32x4.mul(shrink1, v128.load(state, SUM + 16))), SUM + 16);
}

/** Leaves 1 / sum where rows are scaled from, and the greatest score; 0 for both where nothing was seen. */
function finish(state: usize): void {
  for (let i: usize = 0; i < 32; i += 16) {
    const sum = v128.load(state + i, SUM),
      none = f32x4.eq(sum, f32x4.splat(0));
    v128.store(state + i, v128.andnot(f32x4.div(c(ONE), sum), none), SHRINK);
    v128.store(state + i, v128.andnot(v128.load(state + i, GREATEST), none), GREATEST);
  }
}

/** Row r of x, of n floats, is multiplied by by[r]. */
function scaleRows(x: usize, stride: usize, rows: usize, n: usize, by: usize): void {
  for (let r: usize = 0; r < rows; r++) scaleRow(x + r * stride, n, load<f32>(by + 4 * r));
}

/**
 * Gradients, from g (like o), o, greatest and mass. A unit is one key head of one batch entry, with all the
 * query heads that share it: its dk and dv are summed by whoever has the unit, over queries in
 * order.
 *   P = exp(scale q kᵀ + mask - greatest) / mass   dv = Pᵀ g   dS = P (g vᵀ - delta) scale   dq = dS k   dk = dSᵀ q
 * with delta = sum(g o) per row. dq, dk, dv have the strides of q, k, v.
 */
export function attentionGrad(
  from: usize,
  to: usize,
  shape: usize,
  g: usize,
  q: usize,
  k: usize,
  v: usize,
  o: usize,
  greatest: usize,
  mass: usize,
  dq: usize,
  dk: usize,
  dv: usize,
): void {
  const z = changetype<Shape>(shape);
  const group = z.H / z.Hkv;
  for (let u = from; u < to; u++) {
    const b = u / z.Hkv,
      hkv = u % z.Hkv;
    const kAt = (b * z.kBatch + hkv * z.kHead) << 2,
      vAt = (b * z.vBatch + hkv * z.vHead) << 2;
    clear(dk + kAt, z.kRow, z.S, z.D);
    clear(dv + vAt, z.vRow, z.S, z.D);
    for (let h = hkv * group; h < (hkv + 1) * group; h++) {
      for (let t0: usize = 0; t0 < z.T; t0 += BLOCK) {
        const qAt = (b * z.qBatch + h * z.qHead + t0 * z.qRow) << 2,
          oAt = (b * z.oBatch + h * z.oHead + t0 * z.oRow) << 2;
        const row = ((b * z.H + h) * z.T + t0) << 2;
        prepare(z, t0, g + oAt, q + qAt, o + oAt, greatest + row, mass + row);
        const last = visible(z, min(t0 + BLOCK, z.T) - 1);
        for (let s0: usize = 0; s0 < last; s0 += BLOCK) {
          const nk = min(BLOCK, last - s0),
            ki = kAt + ((s0 * z.kRow) << 2),
            vi = vAt + ((s0 * z.vRow) << 2);
          blockGrad(z, b, h, t0, s0, nk, g + oAt, q + qAt, k + ki, v + vi, dk + ki, dv + vi);
          queryGrad(z, t0, s0, k + ki, dq + qAt);
        }
      }
    }
  }
}

function clear(p: usize, stride: usize, rows: usize, D: usize): void {
  for (let i: usize = 0; i < rows; i++, p += stride << 2) clearRow(p, D);
}

// Scratch memory backwards, from byte 128 on: the greatest score, delta and 1 / mass of 64 queries, P of
// a group of keys, dS of a block, q and g turned.
const GREATESTS: usize = 128;
const DELTAS: usize = GREATESTS + WIDTH;
const SHARES: usize = DELTAS + WIDTH;
const PROBABILITIES: usize = SHARES + WIDTH;
const SCORES: usize = PROBABILITIES + GROUP * WIDTH;
const TURNED: usize = SCORES + BLOCK * WIDTH;

/** What a block of queries needs for every block of keys. */
function prepare(
  z: Shape,
  t0: usize,
  g: usize,
  q: usize,
  o: usize,
  greatest: usize,
  mass: usize,
): void {
  const at = scratch(),
    nq = min(BLOCK, z.T - t0),
    oRow = (<usize>z.oRow) << 2;
  turn(q, z.qRow << 2, nq, z.D, z.scale, at + TURNED);
  turn(g, oRow, nq, z.D, 1, at + TURNED + z.D * WIDTH);
  for (let i: usize = 0; i < nq; i++) {
    const sum = load<f32>(mass + 4 * i);
    store<f32>(at + 4 * i, load<f32>(greatest + 4 * i), GREATESTS);
    store<f32>(at + 4 * i, sum == 0 ? 0 : 1 / sum, SHARES);
    store<f32>(at + 4 * i, dot(g + i * oRow, o + i * oRow, z.D), DELTAS);
  }
}

/** dk and dv of nk <= 64 keys, from 64 queries; leaves dS [key][query] in scratch memory. */
function blockGrad(
  z: Shape,
  b: usize,
  h: usize,
  t0: usize,
  s0: usize,
  nk: usize,
  g: usize,
  q: usize,
  k: usize,
  v: usize,
  dk: usize,
  dv: usize,
): void {
  const D = <usize>z.D,
    nq = min(BLOCK, z.T - t0);
  const qRow = (<usize>z.qRow) << 2,
    kRow = (<usize>z.kRow) << 2,
    vRow = (<usize>z.vRow) << 2,
    oRow = (<usize>z.oRow) << 2;
  for (let j: usize = 0; j < nk; j += GROUP) {
    // Queries before `first` see none of these keys.
    const s = s0 + j,
      first = z.causal && s > t0 + z.offset ? (s - z.offset - t0) & ~(GROUP - 1) : 0;
    const n = nq - first,
      n8 = (n + GROUP - 1) & ~(GROUP - 1),
      ns = min(GROUP, nk - j);
    const P = scratch() + PROBABILITIES,
      dS = scratch() + SCORES + j * WIDTH + 4 * first,
      qT = scratch() + TURNED + 4 * first;
    const kj = k + j * kRow,
      vj = v + j * vRow,
      dkj = dk + j * kRow,
      dvj = dv + j * vRow;
    multiply(kj, kRow, 4, qT, WIDTH, P, WIDTH, ns, n8, D, 0, 0);
    multiply(vj, vRow, 4, qT + D * WIDTH, WIDTH, dS, WIDTH, ns, n8, D, 0, 0);
    hide(z, b, h, t0 + first, n, s, ns, P, WIDTH);
    for (let r: usize = 0; r < ns; r++)
      scoreGrad(P + r * WIDTH, dS + r * WIDTH, n8, scratch() + GREATESTS + 4 * first, z.scale);
    multiply(P, WIDTH, 4, g + first * oRow, oRow, dvj, vRow, ns, D, n, dvj, vRow);
    multiply(dS, WIDTH, 4, q + first * qRow, qRow, dkj, kRow, ns, D, n, dkj, kRow);
  }
}

/**
 * One key: P = exp(P - greatest) / mass; dS = P (dS - delta) scale. The greatest scores are at `rows`,
 * delta and 1 / mass one and two WIDTHs further on.
 */
function scoreGrad(P: usize, dS: usize, n: usize, rows: usize, scale: f32): void {
  const by = f32x4.splat(scale);
  for (let i: usize = 0; i < n << 2; i += 32) {
    const e0 = expBelow(v128.load(P + i), v128.load(rows + i)),
      e1 = expBelow(v128.load(P + i, 16), v128.load(rows + i, 16));
    const p0 = f32x4.mul(e0, v128.load(rows + i, 2 * WIDTH)),
      p1 = f32x4.mul(e1, v128.load(rows + i, 2 * WIDTH + 16));
    const d0 = f32x4.sub(v128.load(dS + i), v128.load(rows + i, WIDTH)),
      d1 = f32x4.sub(v128.load(dS + i, 16), v128.load(rows + i, WIDTH + 16));
    v128.store(P + i, p0);
    v128.store(P + i, p1, 16);
    v128.store(dS + i, f32x4.mul(f32x4.mul(p0, d0), by));
    v128.store(dS + i, f32x4.mul(f32x4.mul(p1, d1), by), 16);
  }
}

/** dq of a block of queries, from dS of a block of keys that `blockGrad` left, eight queries a time. */
function queryGrad(z: Shape, t0: usize, s0: usize, k: usize, dq: usize): void {
  const qRow = (<usize>z.qRow) << 2,
    nq = min(BLOCK, z.T - t0);
  for (let i: usize = 0; i < nq; i += GROUP) {
    const rows = min(GROUP, nq - i),
      seen = visible(z, t0 + i + rows - 1),
      to = dq + i * qRow;
    if (seen <= s0) continue;
    const dS = scratch() + SCORES + 4 * i,
      nk = min(BLOCK, seen - s0);
    multiply(dS, 4, WIDTH, k, z.kRow << 2, to, qRow, rows, z.D, nk, s0 ? to : 0, qRow);
  }
}
