// Scaled dot-product attention in blocks (FlashAttention, arXiv 2205.14135): o = softmax(scale q kᵀ
// + mask) v without ever holding the T x S matrix. Forwards, a block of 64 queries meets the keys
// 64 at a time and keeps, per row, the greatest score m and the sum l of exp(score - m) so far.
// Only lse = m + log l is saved; backwards, each block of probabilities is computed again from it
// as exp(score - lse). Rows with nothing to attend to give zeros (their lse is +infinity, which
// makes every probability 0 backwards too).
// Read next: matmul.as.ts for `multiply`, softmax.as.ts for the row loops.

import { dot, multiply } from "./matmul.as";
import { transpose } from "./lanes.as";
import { clearRow } from "./copy.as";
import { expRow, logOf, scaleRow } from "./softmax.as";
import { greatest } from "./reduce.as";
import { expFlush4 } from "./math.as";
import { scratch } from "./scratch.as";

const BLOCK: usize = 64; // queries, and keys, to a block
const STEP: usize = 16; // queries that share a causal limit inside a block
const WIDTH: usize = 256; // bytes in a row of scores

/**
 * The call's sizes and strides, written by the host. Strides in floats (the mask's in its own
 * elements).
 */
@unmanaged
class Shape {
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

/** How many keys query t may see, of S. */
@inline
function visible(z: Shape, t: usize): usize {
  return z.causal ? min<usize>(z.S, t + z.offset + 1) : z.S;
}

/**
 * Whether scores must be scaled before the greatest is sought: not if scaling keeps their order and
 * nothing is added.
 */
@inline
function scalesFirst(z: Shape): bool {
  return z.maskKind == 2 || !(z.scale > 0);
}

/**
 * Applies the mask to one row of scores, of which the first `seen` may be seen at all; scales them
 * if that comes first.
 */
function maskRow(z: Shape, b: usize, h: usize, t: usize, s0: usize, seen: usize, row: usize): void {
  if (scalesFirst(z)) scaleRow(row, seen, z.scale);
  if (!z.maskKind) return;
  let i = b * z.maskBatch + h * z.maskHead + t * z.maskRow + s0 * z.maskCol;
  for (let p = row, end = row + (seen << 2); p < end; p += 4, i += z.maskCol) {
    if (z.maskKind == 2) store<f32>(p, load<f32>(p) + load<f32>(z.mask + (i << 2)));
    else if (!load<u8>(z.mask + i)) store<f32>(p, -f32.MAX_VALUE * 2);
  }
}

/** How many of the `nk` keys from s0 on query t may see. */
@inline
function seenFrom(z: Shape, t: usize, s0: usize, nk: usize): usize {
  const seen = visible(z, t);
  return seen > s0 ? min(nk, seen - s0) : 0;
}

/**
 * A unit is 64 queries of one head of one batch entry: u = (b * H + h) * ceil(T / 64) + block.
 * q [B,H,T,D], k and v [B,Hkv,S,D], o like q, by the strides in `shape`; lse [B,H,T].
 */
export function attention(
  from: usize,
  to: usize,
  shape: usize,
  q: usize,
  k: usize,
  v: usize,
  o: usize,
  lse: usize,
): void {
  const z = changetype<Shape>(shape);
  const T = <usize>z.T;
  const blocks = (T + BLOCK - 1) / BLOCK;
  for (let u = from; u < to; u++) {
    const head = u / blocks,
      t0 = (u % blocks) * BLOCK;
    const b = head / z.H,
      h = head % z.H,
      hkv = h / (z.H / z.Hkv);
    attendBlock(
      z,
      b,
      h,
      t0,
      min(BLOCK, T - t0),
      q + ((b * z.qBatch + h * z.qHead + t0 * z.qRow) << 2),
      k + ((b * z.kBatch + hkv * z.kHead) << 2),
      v + ((b * z.vBatch + hkv * z.vHead) << 2),
      o + ((b * z.oBatch + h * z.oHead + t0 * z.oRow) << 2),
      lse + ((head * T + t0) << 2),
    );
  }
}

function attendBlock(
  z: Shape,
  b: usize,
  h: usize,
  t0: usize,
  nq: usize,
  q: usize,
  k: usize,
  v: usize,
  o: usize,
  lse: usize,
): void {
  const D = <usize>z.D,
    qRow = (<usize>z.qRow) << 2,
    oRow = (<usize>z.oRow) << 2;
  const greatests = scratch() + 128,
    sums = greatests + 4 * BLOCK,
    scores = sums + 8 * BLOCK,
    turned = scores + BLOCK * WIDTH;
  for (let i: usize = 0; i < nq; i++) {
    store<f32>(greatests + (i << 2), -f32.MAX_VALUE * 2);
    store<f64>(sums + (i << 3), 0);
    clearRow(o + i * oRow, D);
  }
  const last = visible(z, t0 + nq - 1);
  const scale: f32 = scalesFirst(z) ? 1 : z.scale;
  for (let s0: usize = 0; s0 < last; s0 += BLOCK) {
    const keys = min(BLOCK, last - s0);
    transpose(k + ((s0 * z.kRow) << 2), z.kRow << 2, turned, WIDTH, keys, D);
    for (let i: usize = 0; i < nq; i += STEP) {
      const rows = min(STEP, nq - i);
      const seen = visible(z, t0 + i + rows - 1);
      if (seen <= s0) continue;
      const nk = min(keys, seen - s0);
      const P = scores + i * WIDTH,
        oi = o + i * oRow;
      multiply(q + i * qRow, qRow, turned, WIDTH, P, WIDTH, rows, (nk + 7) & ~7, D, 0, 0);
      for (let r: usize = 0; r < rows; r++) {
        const row = P + r * WIDTH,
          own = seenFrom(z, t0 + i + r, s0, nk);
        maskRow(z, b, h, t0 + i + r, s0, own, row);
        clearRow(row + (own << 2), nk - own);
        online(
          row,
          own,
          scale,
          greatests + ((i + r) << 2),
          sums + ((i + r) << 3),
          oi + r * oRow,
          D,
        );
      }
      multiply(P, WIDTH, v + ((s0 * z.vRow) << 2), z.vRow << 2, oi, oRow, rows, D, nk, oi, oRow);
    }
  }
  for (let i: usize = 0; i < nq; i++) {
    const sum = load<f64>(sums + (i << 3));
    scaleRow(o + i * oRow, D, sum == 0 ? 0 : <f32>(1 / sum));
    store<f32>(
      lse + (i << 2),
      sum == 0 ? f32.MAX_VALUE * 2 : load<f32>(greatests + (i << 2)) + logOf(sum),
    );
  }
}

/**
 * A row's scores become exp(scale score - m); if m grew, what the row has gathered so far shrinks
 * by exp(old m - m).
 */
function online(
  row: usize,
  nk: usize,
  scale: f32,
  greatestAt: usize,
  sumAt: usize,
  o: usize,
  D: usize,
): void {
  const old = load<f32>(greatestAt);
  const m = max(old, scale * greatest(row, nk));
  const shift: f32 = m == -f32.MAX_VALUE * 2 ? 0 : m;
  const sum = expRow(row, row, nk, scale, shift);
  let before = load<f64>(sumAt);
  if (before > 0 && m != old) {
    const shrink = f32x4.extract_lane(expFlush4(f32x4.splat(old - shift)), 0);
    scaleRow(o, D, shrink);
    before *= shrink;
  }
  store<f64>(sumAt, before + sum);
  store<f32>(greatestAt, m);
}

/**
 * Gradients, from g (like o), o and lse. A unit is one key head of one batch entry, with all the
 * query heads that share it: its dk and dv are summed by whoever has the unit, over queries in
 * order.
 *   P = exp(scale q kᵀ + mask - lse)   dv = Pᵀ g   dS = P (g vᵀ - delta) scale   dq = dS k   dk = dSᵀ q
 * with delta = sum(g o) per row. dq, dk, dv have the strides of q, k, v. `delta` is [B,H,T] of
 * working memory.
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
  lse: usize,
  dq: usize,
  dk: usize,
  dv: usize,
  delta: usize,
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
      const qAt = (b * z.qBatch + h * z.qHead) << 2,
        oAt = (b * z.oBatch + h * z.oHead) << 2;
      const rows = ((b * z.H + h) * z.T) << 2;
      clear(dq + qAt, z.qRow, z.T, z.D);
      deltas(z, g + oAt, o + oAt, delta + rows);
      for (let s0: usize = 0; s0 < z.S; s0 += BLOCK) {
        headGrad(
          z,
          b,
          h,
          s0,
          g + oAt,
          q + qAt,
          k + kAt,
          v + vAt,
          lse + rows,
          delta + rows,
          dq + qAt,
          dk + kAt,
          dv + vAt,
        );
      }
    }
  }
}

function clear(p: usize, stride: usize, rows: usize, D: usize): void {
  for (let i: usize = 0; i < rows; i++, p += stride << 2) clearRow(p, D);
}

function deltas(z: Shape, g: usize, o: usize, delta: usize): void {
  for (let t: usize = 0; t < z.T; t++) {
    const at = (t * z.oRow) << 2;
    store<f32>(delta + (t << 2), dot(g + at, o + at, z.D));
  }
}

/** One block of 64 keys against all queries of one head. */
function headGrad(
  z: Shape,
  b: usize,
  h: usize,
  s0: usize,
  g: usize,
  q: usize,
  k: usize,
  v: usize,
  lse: usize,
  delta: usize,
  dq: usize,
  dk: usize,
  dv: usize,
): void {
  const D = <usize>z.D,
    T = <usize>z.T,
    keys = min(BLOCK, z.S - s0);
  const qRow = (<usize>z.qRow) << 2,
    kRow = (<usize>z.kRow) << 2,
    vRow = (<usize>z.vRow) << 2,
    oRow = (<usize>z.oRow) << 2;
  const P = scratch() + 128,
    dS = P + STEP * WIDTH,
    PT = dS + STEP * WIDTH,
    dST = PT + BLOCK * STEP * 4;
  const scale: f32 = scalesFirst(z) ? 1 : z.scale;
  const kT = dST + BLOCK * STEP * 4,
    vT = kT + D * WIDTH;
  k += s0 * kRow;
  v += s0 * vRow;
  dk += s0 * kRow;
  dv += s0 * vRow;
  transpose(k, kRow, kT, WIDTH, keys, D);
  transpose(v, vRow, vT, WIDTH, keys, D);
  for (let t: usize = 0; t < T; t += STEP) {
    const rows = min(STEP, T - t);
    const seen = visible(z, t + rows - 1);
    if (seen <= s0) continue;
    const nk = min(keys, seen - s0),
      nk8 = (nk + 7) & ~7;
    multiply(q + t * qRow, qRow, kT, WIDTH, P, WIDTH, rows, nk8, D, 0, 0);
    multiply(g + t * oRow, oRow, vT, WIDTH, dS, WIDTH, rows, nk8, D, 0, 0);
    for (let r: usize = 0; r < rows; r++) {
      const at = (t + r) << 2,
        row = r * WIDTH,
        own = seenFrom(z, t + r, s0, nk);
      maskRow(z, b, h, t + r, s0, own, P + row);
      scoreGrad(P + row, dS + row, own, scale, load<f32>(lse + at), load<f32>(delta + at), z.scale);
      clearRow(P + row + (own << 2), nk8 - own);
      clearRow(dS + row + (own << 2), nk8 - own);
    }
    transpose(P, WIDTH, PT, STEP * 4, rows, nk);
    transpose(dS, WIDTH, dST, STEP * 4, rows, nk);
    multiply(PT, STEP * 4, g + t * oRow, oRow, dv, vRow, nk, D, rows, dv, vRow);
    multiply(dST, STEP * 4, q + t * qRow, qRow, dk, kRow, nk, D, rows, dk, kRow);
    multiply(dS, WIDTH, k, kRow, dq + t * qRow, qRow, rows, D, nk, dq + t * qRow, qRow);
  }
}

/**
 * P = exp(scale P - lse); dS = P (dS - delta) scaled. The last vector may reach beyond nk; the
 * caller clears that.
 */
function scoreGrad(
  P: usize,
  dS: usize,
  nk: usize,
  scale: f32,
  lse: f32,
  delta: f32,
  scaled: f32,
): void {
  for (let i: usize = 0; i < nk << 2; i += 16) {
    const p = expFlush4(
      f32x4.sub(f32x4.mul(v128.load(P + i), f32x4.splat(scale)), f32x4.splat(lse)),
    );
    v128.store(P + i, p);
    const d = f32x4.sub(v128.load(dS + i), f32x4.splat(delta));
    v128.store(dS + i, f32x4.mul(f32x4.mul(p, d), f32x4.splat(scaled)));
  }
}
