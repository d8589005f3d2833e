// Elementwise functions of two operands under every broadcast, comparisons, and the choice between
// two operands. Classes name functions as in unary.as.ts; units are elements of the result.
// Read next: pointwise.as.ts.

import { loadPart, storePart } from "./lanes.as";
import { pow4 } from "./math.as";

// Binary: out[o, i] = f(a[o, i], b[o, i]) over rows of `inner` elements. The output is contiguous;
// an operand either runs along the row (step 1) or stays (step 0), and row o of it starts at
// rowStart(o).

/**
 * Offset, in floats, of row o. `layout` 0: o * stride. Otherwise it points at five sizes of the
 * outer dimensions, outermost first, and `stride` at the operand's five strides.
 */
@inline
function rowStart(o: usize, layout: usize, stride: usize): usize {
  return layout ? unravel(o, layout, stride) : o * stride;
}

function unravel(o: usize, sizes: usize, strides: usize): usize {
  let at: usize = 0;
  for (let d = 16; d >= 0; d -= 4) {
    const size = <usize>load<u32>(sizes + d);
    const rest = o / size;
    at += (o - rest * size) * load<u32>(strides + d);
    o = rest;
  }
  return at;
}

@inline
function binary<F>(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  while (from < to) {
    const o = from / inner;
    const i = from - o * inner;
    const count = min(inner - i, to - from);
    const pa = a + ((rowStart(o, layout, aStride) + i * aStep) << 2);
    const pb = b + ((rowStart(o, layout, bStride) + i * bStep) << 2);
    binaryRow<F>(pa, aStep, pb, bStep, out + (from << 2), count);
    from += count;
  }
}

@inline
function binaryRow<F>(
  a: usize,
  aStep: usize,
  b: usize,
  bStep: usize,
  out: usize,
  count: usize,
): void {
  const f = changetype<F>(<usize>0);
  const x = v128.load32_splat(a),
    y = v128.load32_splat(b);
  const last = (count & ~3) << 2;
  let i: usize = 0;
  if (aStep & bStep) {
    for (; i + 32 <= last; i += 32) {
      const low = f.at(v128.load(a + i), v128.load(b + i)),
        high = f.at(v128.load(a + i, 16), v128.load(b + i, 16));
      v128.store(out + i, low);
      v128.store(out + i, high, 16);
    }
    if (i < last) v128.store(out + i, f.at(v128.load(a + i), v128.load(b + i)));
    i = last;
  } else if (aStep) for (; i < last; i += 16) v128.store(out + i, f.at(v128.load(a + i), y));
  else for (; i < last; i += 16) v128.store(out + i, f.at(x, bStep ? v128.load(b + i) : y));
  const rest = count & 3;
  if (rest)
    storePart(
      out + i,
      f.at(aStep ? loadPart(a + i, rest) : x, bStep ? loadPart(b + i, rest) : y),
      rest,
    );
}

@unmanaged
class Add {
  @inline at(a: v128, b: v128): v128 {
    return f32x4.add(a, b);
  }
}
@unmanaged
class Sub {
  @inline at(a: v128, b: v128): v128 {
    return f32x4.sub(a, b);
  }
}
@unmanaged
class Mul {
  @inline at(a: v128, b: v128): v128 {
    return f32x4.mul(a, b);
  }
}
@unmanaged
class Div {
  @inline at(a: v128, b: v128): v128 {
    return f32x4.div(a, b);
  }
}
@unmanaged
class Maximum {
  @inline at(a: v128, b: v128): v128 {
    return f32x4.max(a, b);
  }
}
@unmanaged
class Minimum {
  @inline at(a: v128, b: v128): v128 {
    return f32x4.min(a, b);
  }
}
@unmanaged
class Pow {
  @inline at(a: v128, b: v128): v128 {
    return pow4(a, b);
  }
}

export function binaryAdd(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  binary<Add>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function binarySub(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  binary<Sub>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function binaryMul(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  binary<Mul>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function binaryDiv(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  binary<Div>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function binaryMaximum(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  binary<Maximum>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function binaryMinimum(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  binary<Minimum>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function binaryPow(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  binary<Pow>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}

// Comparisons: as binary, but out is one byte per element, 1 where true. NaN compares false, and
// unequal to everything.

@inline
function compare<F>(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  const f = changetype<F>(<usize>0);
  while (from < to) {
    const o = from / inner;
    let i = from - o * inner;
    const pa = a + (rowStart(o, layout, aStride) << 2);
    const pb = b + (rowStart(o, layout, bStride) << 2);
    for (const end = min(inner, i + to - from); i < end; i++, from++) {
      store<u8>(
        out + from,
        f.at(load<f32>(pa + ((i * aStep) << 2)), load<f32>(pb + ((i * bStep) << 2))),
      );
    }
  }
}

@unmanaged
class Equal {
  @inline at(a: f32, b: f32): u8 {
    return u8(a == b);
  }
}
@unmanaged
class NotEqual {
  @inline at(a: f32, b: f32): u8 {
    return u8(a != b);
  }
}
@unmanaged
class Less {
  @inline at(a: f32, b: f32): u8 {
    return u8(a < b);
  }
}
@unmanaged
class LessEqual {
  @inline at(a: f32, b: f32): u8 {
    return u8(a <= b);
  }
}
@unmanaged
class Greater {
  @inline at(a: f32, b: f32): u8 {
    return u8(a > b);
  }
}
@unmanaged
class GreaterEqual {
  @inline at(a: f32, b: f32): u8 {
    return u8(a >= b);
  }
}

export function compareEqual(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  compare<Equal>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function compareNotEqual(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  compare<NotEqual>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function compareLess(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  compare<Less>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function compareLessEqual(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  compare<LessEqual>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function compareGreater(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  compare<Greater>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}
export function compareGreaterEqual(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  compare<GreaterEqual>(from, to, inner, layout, a, aStride, aStep, b, bStride, bStep, out);
}

/** out = condition ? a : b, rows as in binary; the condition is one byte per element. */
export function where(
  from: usize,
  to: usize,
  inner: usize,
  layout: usize,
  condition: usize,
  cStride: usize,
  cStep: usize,
  a: usize,
  aStride: usize,
  aStep: usize,
  b: usize,
  bStride: usize,
  bStep: usize,
  out: usize,
): void {
  while (from < to) {
    const o = from / inner;
    let i = from - o * inner;
    const pc = condition + rowStart(o, layout, cStride);
    const pa = a + (rowStart(o, layout, aStride) << 2);
    const pb = b + (rowStart(o, layout, bStride) << 2);
    for (const end = min(inner, i + to - from); i < end; i++, from++) {
      const x = load<u32>(pa + ((i * aStep) << 2)),
        y = load<u32>(pb + ((i * bStep) << 2));
      store<u32>(out + (from << 2), select<u32>(x, y, load<u8>(pc + i * cStep)));
    }
  }
}
