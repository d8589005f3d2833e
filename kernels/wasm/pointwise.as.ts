// What is left of elementwise: accumulation, scaling, filling, and dropout. Units are elements.
// Read next: reduce.as.ts.

import { c, loadPart, storePart } from "./lanes.as";

const MIX_A = memory.data<u32>([0x85ebca6b]);
const MIX_B = memory.data<u32>([0xc2b2ae35]);
const TWO_TO_MINUS_24 = memory.data<f32>([5.9604644775390625e-8]);

/** y += alpha x. */
export function axpy(from: usize, to: usize, alpha: f32, x: usize, y: usize): void {
  const a = f32x4.splat(alpha);
  const end = to << 2;
  let i = from << 2;
  for (; i + 32 <= end; i += 32) {
    const low = f32x4.add(v128.load(y + i), f32x4.mul(a, v128.load(x + i))),
      high = f32x4.add(v128.load(y + i, 16), f32x4.mul(a, v128.load(x + i, 16)));
    v128.store(y + i, low);
    v128.store(y + i, high, 16);
  }
  for (; i < end; i += 4) store<f32>(y + i, load<f32>(y + i) + alpha * load<f32>(x + i));
}

/** y = alpha x + beta; y may be x. */
export function affine(from: usize, to: usize, x: usize, y: usize, alpha: f32, beta: f32): void {
  const a = f32x4.splat(alpha),
    b = f32x4.splat(beta);
  const end = to << 2;
  let i = from << 2;
  for (; i + 16 <= end; i += 16) v128.store(y + i, f32x4.add(f32x4.mul(a, v128.load(x + i)), b));
  for (; i < end; i += 4) store<f32>(y + i, alpha * load<f32>(x + i) + beta);
}

/** y = value, any four-byte pattern. */
export function fill(from: usize, to: usize, y: usize, bits: u32): void {
  const v = i32x4.splat(bits);
  const end = to << 2;
  let i = from << 2;
  for (; i + 16 <= end; i += 16) v128.store(y + i, v);
  for (; i < end; i += 4) store<u32>(y + i, bits);
}

export function copyBytes(from: usize, to: usize, x: usize, y: usize): void {
  memory.copy(y + from, x + from, to - from);
}

/**
 * Dropout: y[i] = x[i] / (1 - p) where element i is kept, else 0. The same call on g is the
 * gradient. Kept if (mix(i * 0x9E3779B9 + seed) >>> 8) * 2^-24 >= p, in 32-bit arithmetic, where
 *   mix(h): h ^= h >>> 16; h *= 0x85EBCA6B; h ^= h >>> 13; h *= 0xC2B2AE35; h ^= h >>> 16.
 * A counter, not a stream: any thread can decide any element, and nothing has to be stored for the
 * gradient.
 */
export function dropout(from: usize, to: usize, x: usize, y: usize, p: f32, seed: u32): void {
  const scale = f32x4.splat(1 / (1 - p)),
    rate = f32x4.splat(p);
  const lanes = i32x4.add(i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(0x9e3779b9)), i32x4.splat(seed));
  for (let i = from; i < to; i += 4) {
    let h = i32x4.add(lanes, i32x4.splat(<u32>i * 0x9e3779b9));
    h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 16)), c(MIX_A));
    h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 13)), c(MIX_B));
    h = v128.xor(h, i32x4.shr_u(h, 16));
    const kept = f32x4.ge(
      f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(h, 8)), c(TWO_TO_MINUS_24)),
      rate,
    );
    const at = i << 2,
      count = to - i;
    const v = v128.and(
      kept,
      f32x4.mul(count >= 4 ? v128.load(x + at) : loadPart(x + at, count), scale),
    );
    if (count >= 4) v128.store(y + at, v);
    else storePart(y + at, v, count);
  }
}
