// Four floats at a time. Every loop here runs over whole v128 vectors and finishes with one part
// vector, whose missing lanes hold zeros. An element's bits therefore never depend on where it sits
// in an array or on which thread computes it.
// Read next: unary.as.ts, which is these loops with a function inside.

/** Loads the `count` (1..3) floats at `p` into the low lanes; zeros above. */
export function loadPart(p: usize, count: usize): v128 {
  let v = v128.load32_zero(p);
  if (count > 1) v = f32x4.replace_lane(v, 1, load<f32>(p, 4));
  if (count > 2) v = f32x4.replace_lane(v, 2, load<f32>(p, 8));
  return v;
}

/** Stores the `count` (1..3) low lanes of `v` at `p`. */
export function storePart(p: usize, v: v128, count: usize): void {
  store<f32>(p, f32x4.extract_lane(v, 0));
  if (count > 1) store<f32>(p, f32x4.extract_lane(v, 1), 4);
  if (count > 2) store<f32>(p, f32x4.extract_lane(v, 2), 8);
}

/** (v0 + v2) + (v1 + v3). */
@inline
export function sumLanes(v: v128): f32 {
  const s = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1);
}

/** The two upper floats of `v` as doubles. */
@inline
export function promoteHigh(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f32>(v, v, 2, 3, 2, 3));
}

/** The four floats of `v`, added in double precision. */
@inline
export function widen(v: v128): v128 {
  return f64x2.add(f64x2.promote_low_f32x4(v), promoteHigh(v));
}

@inline
export function sumWide(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** Transposes the 4 x 4 block at `from` (rows `stride` bytes apart) into `to`. */
@inline
export function transpose4(from: usize, stride: usize, to: usize, toStride: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + stride);
  const c = v128.load(from + 2 * stride);
  const d = v128.load(from + 3 * stride);
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5));
  v128.store(to + toStride, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7));
  v128.store(to + 2 * toStride, v128.shuffle<f32>(ab1, cd1, 0, 1, 4, 5));
  v128.store(to + 3 * toStride, v128.shuffle<f32>(ab1, cd1, 2, 3, 6, 7));
}

/** to[j][i] = from[i][j] for `rows` x `cols` floats; strides in bytes. */
export function transpose(
  from: usize,
  stride: usize,
  to: usize,
  toStride: usize,
  rows: usize,
  cols: usize,
): void {
  const rows4 = rows & ~3;
  const cols4 = cols & ~3;
  for (let j: usize = 0; j < cols4; j += 4) {
    for (let i: usize = 0; i < rows4; i += 4) {
      transpose4(from + i * stride + j * 4, stride, to + j * toStride + i * 4, toStride);
    }
  }
  for (let i: usize = 0; i < rows; i++) {
    for (let j = i < rows4 ? cols4 : 0; j < cols; j++) {
      store<f32>(to + j * toStride + i * 4, load<f32>(from + i * stride + j * 4));
    }
  }
}

/** The constant at `p` in all four lanes. */
@inline
export function c(p: usize): v128 {
  return v128.load32_splat(p);
}

/** a b + c, rounded twice; once in the module that is built with fused multiply-add. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}
