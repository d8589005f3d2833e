// Rotary positions (RoFormer, arXiv 2104.09864): each pair of a head's channels is turned by an
// angle that grows with the position, so that q · k depends on the distance between them.
//   y1 = x1 cos - x2 sin      y2 = x2 cos + x1 sin      the gradient is the turn back, sin -> -sin
// Read next: attention.as.ts.

/**
 * A unit is one row of D of x and y. `inner` rows in a row share a position, T positions follow one
 * another, and rows whose numbers differ by `batch` or more have tables `tableStride` floats apart
 * (0 shares one): [B, H, T, D] has inner 1 and batch H T, [B, T, H, D] has inner H and batch T H.
 * cos, sin: [T, R/2]. The first R channels turn, the rest pass. Pairs are (i, i + R/2), or (2i, 2i + 1)
 * if interleaved. y may be x.
 */
export function rope(
  from: usize,
  to: usize,
  x: usize,
  y: usize,
  cos: usize,
  sin: usize,
  inner: usize,
  T: usize,
  batch: usize,
  D: usize,
  R: usize,
  tableStride: usize,
  interleaved: bool,
  inverse: bool,
): void {
  const half = R >> 1;
  const sign: f32 = inverse ? -1 : 1;
  for (let r = from; r < to; r++) {
    const table = ((r / batch) * tableStride + ((r / inner) % T) * half) << 2;
    const at = (r * D) << 2;
    if (interleaved) pairs(x + at, y + at, cos + table, sin + table, half, sign);
    else halves(x + at, y + at, cos + table, sin + table, half, sign);
    if (R < D && x != y) memory.copy(y + at + (R << 2), x + at + (R << 2), (D - R) << 2);
  }
}

function halves(x: usize, y: usize, cos: usize, sin: usize, half: usize, sign: f32): void {
  const gap = half << 2;
  let i: usize = 0;
  for (; i + 16 <= gap; i += 16) {
    const a = v128.load(x + i),
      b = v128.load(x + i + gap),
      c = v128.load(cos + i);
    const s = f32x4.mul(v128.load(sin + i), f32x4.splat(sign));
    v128.store(y + i, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
    v128.store(y + i + gap, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
  }
  for (; i < gap; i += 4) {
    const a = load<f32>(x + i),
      b = load<f32>(x + i + gap),
      c = load<f32>(cos + i),
      s = load<f32>(sin + i) * sign;
    store<f32>(y + i, a * c - b * s);
    store<f32>(y + i + gap, b * c + a * s);
  }
}

function pairs(x: usize, y: usize, cos: usize, sin: usize, half: usize, sign: f32): void {
  for (let i: usize = 0; i < half; i++, x += 8, y += 8) {
    const a = load<f32>(x),
      b = load<f32>(x, 4),
      c = load<f32>(cos + (i << 2)),
      s = load<f32>(sin + (i << 2)) * sign;
    store<f32>(y, a * c - b * s);
    store<f32>(y, b * c + a * s, 4);
  }
}
