// Matrix multiplication: C[M,N] = A[M,K] · B[K,N], optionally on top of C itself or of a bias row.
//
// One tile of C, 4 rows by 8 columns, is held in eight vector registers while k runs; everything
// else here only arranges for that loop to find its operands close by and in order. Where k is short, 2
// rows by 16 columns need fewer addresses; with wide lanes, where the engine joins pairs of vectors, eight
// registers hold 4 rows by 16 columns. B is packed in panels as wide as the tile ([panel][k][8 or 16]); the
// products are taken in blocks of KC x MC so that a panel's block stays in the first cache and A's block in
// the second. Each element of C is the same chain of sums whichever tile, edge or thread computes it.
// Read next: bench/ladder.ts, which gets here from three nested loops, one idea at a time.

import { madd, transpose } from "./lanes.as";
import { scratch, wide } from "./scratch.as";

const KC: usize = 512;
const MC: usize = 128;
const LONG: usize = 256; // the most rows of a panel of 16 columns on narrow lanes
const PACK: usize = 32; // rows that are packed at a time

/**
 * C[4,8] = base + A[4,k] · B[k,8]. The rows of A start at a0..a3; a turned A is stored as [k,4], its
 * rows `lda` bytes apart. The rows of B are `ldb` bytes apart, those of C `ldc`. `base` is what the
 * product is added to: C itself, a bias row (`ldbase` 0), or nothing (`base` 0). Unrolling over k
 * loses: eight sums, two of B, one of A and a product are twelve registers, and fifteen is all there
 * is.
 */
@inline
function tileOf(
  turned: bool,
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
): void {
  let c00 = f32x4.splat(0),
    c01 = c00,
    c10 = c00,
    c11 = c00;
  let c20 = c00,
    c21 = c00,
    c30 = c00,
    c31 = c00;
  for (let p: usize = 0, end = k << 2; p < end; p += 4) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let a = turned ? v128.load32_splat(a0) : v128.load32_splat(a0 + p);
    c00 = madd(a, b0, c00);
    c01 = madd(a, b1, c01);
    a = turned ? v128.load32_splat(a0, 4) : v128.load32_splat(a1 + p);
    c10 = madd(a, b0, c10);
    c11 = madd(a, b1, c11);
    a = turned ? v128.load32_splat(a0, 8) : v128.load32_splat(a2 + p);
    c20 = madd(a, b0, c20);
    c21 = madd(a, b1, c21);
    a = turned ? v128.load32_splat(a0, 12) : v128.load32_splat(a3 + p);
    c30 = madd(a, b0, c30);
    c31 = madd(a, b1, c31);
    b += ldb;
    if (turned) a0 += lda;
  }
  if (base) {
    c00 = f32x4.add(v128.load(base), c00);
    c01 = f32x4.add(v128.load(base, 16), c01);
    base += ldbase;
    c10 = f32x4.add(v128.load(base), c10);
    c11 = f32x4.add(v128.load(base, 16), c11);
    base += ldbase;
    c20 = f32x4.add(v128.load(base), c20);
    c21 = f32x4.add(v128.load(base, 16), c21);
    base += ldbase;
    c30 = f32x4.add(v128.load(base), c30);
    c31 = f32x4.add(v128.load(base, 16), c31);
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += ldc;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += ldc;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += ldc;
  v128.store(c, c30);
  v128.store(c, c31, 16);
}

// Calls of their own: inlined into the loops around them, their sums would not stay in registers.
function tile(
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
): void {
  tileOf(false, a0, a1, a2, a3, 0, b, ldb, c, ldc, k, base, ldbase);
}

function tileTurned(
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
): void {
  tileOf(true, a, 0, 0, 0, lda, b, ldb, c, ldc, k, base, ldbase);
}

/** A row to start from that changes no sum: -0 + x is x, its sign included. */
const NOTHING = memory.data<f32>([-0, -0, -0, -0, -0, -0, -0, -0, -0, -0, -0, -0, -0, -0, -0, -0]);

/**
 * C[2,16] = base + A[2,k] · B[k,16], with operands as in `tileOf`, but that there always is a base: NOTHING for
 * none. As many sums and products as in a tile of 4 x 8, and half as many addresses of A; but a panel twice as
 * large, which pays while it stays in the first cache.
 */
function longTile(
  a0: usize,
  a1: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
): void {
  let c00 = f32x4.splat(0),
    c01 = c00,
    c02 = c00,
    c03 = c00,
    c10 = c00,
    c11 = c00,
    c12 = c00,
    c13 = c00;
  for (let p: usize = 0, end = k << 2; p < end; p += 4) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(b, 32);
    const b3 = v128.load(b, 48);
    let a = v128.load32_splat(a0 + p);
    c00 = madd(a, b0, c00);
    c01 = madd(a, b1, c01);
    c02 = madd(a, b2, c02);
    c03 = madd(a, b3, c03);
    a = v128.load32_splat(a1 + p);
    c10 = madd(a, b0, c10);
    c11 = madd(a, b1, c11);
    c12 = madd(a, b2, c12);
    c13 = madd(a, b3, c13);
    b += ldb;
  }
  c00 = f32x4.add(v128.load(base), c00);
  c01 = f32x4.add(v128.load(base, 16), c01);
  c02 = f32x4.add(v128.load(base, 32), c02);
  c03 = f32x4.add(v128.load(base, 48), c03);
  base += ldbase;
  c10 = f32x4.add(v128.load(base), c10);
  c11 = f32x4.add(v128.load(base, 16), c11);
  c12 = f32x4.add(v128.load(base, 32), c12);
  c13 = f32x4.add(v128.load(base, 48), c13);
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c, c02, 32);
  v128.store(c, c03, 48);
  c += ldc;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  v128.store(c, c12, 32);
  v128.store(c, c13, 48);
}

/**
 * C[4,16] = base + A[4,k] · B[k,16] for an even k, with operands as in `tileOf`, but that there always is a
 * base: NOTHING for none. The engine joins its vectors by two, as stores side by side lead it back to sums
 * side by side. Two steps of k a turn: eight sums, four of B, one of A and a product are fourteen registers.
 */
@inline
function wideTileOf(
  turned: bool,
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
): void {
  let c00 = f32x4.splat(0),
    c01 = c00,
    c02 = c00,
    c03 = c00,
    c10 = c00,
    c11 = c00,
    c12 = c00,
    c13 = c00,
    c20 = c00,
    c21 = c00,
    c22 = c00,
    c23 = c00,
    c30 = c00,
    c31 = c00,
    c32 = c00,
    c33 = c00;
  for (let p: usize = 0, end = k << 2; p < end; p += 8) {
    const next = b + ldb;
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(b, 32);
    const b3 = v128.load(b, 48);
    const d0 = v128.load(next);
    const d1 = v128.load(next, 16);
    const d2 = v128.load(next, 32);
    const d3 = v128.load(next, 48);
    let a = turned ? v128.load32_splat(a0) : v128.load32_splat(a0 + p);
    c00 = madd(a, b0, c00);
    c01 = madd(a, b1, c01);
    c02 = madd(a, b2, c02);
    c03 = madd(a, b3, c03);
    a = turned ? v128.load32_splat(a0 + lda) : v128.load32_splat(a0 + p, 4);
    c00 = madd(a, d0, c00);
    c01 = madd(a, d1, c01);
    c02 = madd(a, d2, c02);
    c03 = madd(a, d3, c03);
    a = turned ? v128.load32_splat(a0, 4) : v128.load32_splat(a1 + p);
    c10 = madd(a, b0, c10);
    c11 = madd(a, b1, c11);
    c12 = madd(a, b2, c12);
    c13 = madd(a, b3, c13);
    a = turned ? v128.load32_splat(a0 + lda, 4) : v128.load32_splat(a1 + p, 4);
    c10 = madd(a, d0, c10);
    c11 = madd(a, d1, c11);
    c12 = madd(a, d2, c12);
    c13 = madd(a, d3, c13);
    a = turned ? v128.load32_splat(a0, 8) : v128.load32_splat(a2 + p);
    c20 = madd(a, b0, c20);
    c21 = madd(a, b1, c21);
    c22 = madd(a, b2, c22);
    c23 = madd(a, b3, c23);
    a = turned ? v128.load32_splat(a0 + lda, 8) : v128.load32_splat(a2 + p, 4);
    c20 = madd(a, d0, c20);
    c21 = madd(a, d1, c21);
    c22 = madd(a, d2, c22);
    c23 = madd(a, d3, c23);
    a = turned ? v128.load32_splat(a0, 12) : v128.load32_splat(a3 + p);
    c30 = madd(a, b0, c30);
    c31 = madd(a, b1, c31);
    c32 = madd(a, b2, c32);
    c33 = madd(a, b3, c33);
    a = turned ? v128.load32_splat(a0 + lda, 12) : v128.load32_splat(a3 + p, 4);
    c30 = madd(a, d0, c30);
    c31 = madd(a, d1, c31);
    c32 = madd(a, d2, c32);
    c33 = madd(a, d3, c33);
    b = next + ldb;
    if (turned) a0 += 2 * lda;
  }
  c00 = f32x4.add(v128.load(base), c00);
  c01 = f32x4.add(v128.load(base, 16), c01);
  c02 = f32x4.add(v128.load(base, 32), c02);
  c03 = f32x4.add(v128.load(base, 48), c03);
  base += ldbase;
  c10 = f32x4.add(v128.load(base), c10);
  c11 = f32x4.add(v128.load(base, 16), c11);
  c12 = f32x4.add(v128.load(base, 32), c12);
  c13 = f32x4.add(v128.load(base, 48), c13);
  base += ldbase;
  c20 = f32x4.add(v128.load(base), c20);
  c21 = f32x4.add(v128.load(base, 16), c21);
  c22 = f32x4.add(v128.load(base, 32), c22);
  c23 = f32x4.add(v128.load(base, 48), c23);
  base += ldbase;
  c30 = f32x4.add(v128.load(base), c30);
  c31 = f32x4.add(v128.load(base, 16), c31);
  c32 = f32x4.add(v128.load(base, 32), c32);
  c33 = f32x4.add(v128.load(base, 48), c33);
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c, c02, 32);
  v128.store(c, c03, 48);
  c += ldc;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  v128.store(c, c12, 32);
  v128.store(c, c13, 48);
  c += ldc;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  v128.store(c, c22, 32);
  v128.store(c, c23, 48);
  c += ldc;
  v128.store(c, c30);
  v128.store(c, c31, 16);
  v128.store(c, c32, 32);
  v128.store(c, c33, 48);
}

function wideTile(
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
): void {
  wideTileOf(false, a, a + lda, a + 2 * lda, a + 3 * lda, 0, b, ldb, c, ldc, k, base, ldbase);
}

function wideTileTurned(
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
): void {
  wideTileOf(true, a, 0, 0, 0, lda, b, ldb, c, ldc, k, base, ldbase);
}

/**
 * A tile at the lower or right edge: `rows` <= 4, `cols` <= 8. Computed whole beside C, then the
 * valid corner is taken.
 */
function edge(
  a: usize,
  lda: usize,
  step: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
  rows: usize,
  cols: usize,
): void {
  const corner = scratch(); // 128 bytes that nothing else uses
  const turned = step != 4;
  const last = a + (rows - 1) * lda; // missing rows repeat the last; a turned A has something there
  if (turned) tileTurned(a, step, b, ldb, corner, 32, k, 0, 0);
  else tile(a, min(a + lda, last), min(a + 2 * lda, last), last, b, ldb, corner, 32, k, 0, 0);
  for (let i: usize = 0; i < rows; i++) {
    const from = corner + 32 * (i == rows - 1 && !turned ? 3 : i);
    for (let j: usize = 0; j < cols; j++) {
      const sum = load<f32>(from + 4 * j);
      store<f32>(c + i * ldc + 4 * j, base ? load<f32>(base + i * ldbase + 4 * j) + sum : sum);
    }
  }
}

/** How many columns the next panel has, where `left` are left. */
@inline
function panelWidth(left: usize, K: usize): usize {
  return left >= 16 && (wide || K <= LONG) ? 16 : min<usize>(8, left);
}

/**
 * C[m,cols] = base + A[m,k] · B[k,cols] for one panel of 16 columns, or of at most 8. A's rows are `lda`
 * bytes apart and its columns `step`. A step of more than 4 means that A is turned: four rows lie side by
 * side, and four times `lda` leads to the next four.
 */
function column(
  a: usize,
  lda: usize,
  step: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
  m: usize,
  cols: usize,
): void {
  if (cols <= 8) return narrowColumn(a, lda, step, b, ldb, c, ldc, k, base, ldbase, m, cols);
  const next = base ? ldbase : 0;
  let at = base ? base : NOTHING,
    rows: usize = 0; // of a tile: none fits a turned A on narrow lanes, nor an odd k on wide ones
  if (wide) rows = k & 1 ? 0 : 4;
  else if (step == 4) rows = 2;
  for (; rows && m >= rows; m -= rows, a += rows * lda, c += rows * ldc, at += rows * next) {
    if (!wide) longTile(a, a + lda, b, ldb, c, ldc, k, at, next);
    else if (step != 4) wideTileTurned(a, step, b, ldb, c, ldc, k, at, next);
    else wideTile(a, lda, b, ldb, c, ldc, k, at, next);
  }
  if (m == 0) return;
  if (base) base = at;
  narrowColumn(a, lda, step, b, ldb, c, ldc, k, base, ldbase, m, 8);
  narrowColumn(a, lda, step, b + 32, ldb, c + 32, ldc, k, base ? base + 32 : 0, ldbase, m, 8);
}

/** The same of a panel of at most 8 columns. */
function narrowColumn(
  a: usize,
  lda: usize,
  step: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  k: usize,
  base: usize,
  ldbase: usize,
  m: usize,
  cols: usize,
): void {
  let i: usize = 0;
  if (cols == 8) {
    for (; i + 4 <= m; i += 4) {
      const at = base ? base + i * ldbase : 0,
        ci = c + i * ldc,
        a0 = a + i * lda;
      if (step != 4) tileTurned(a0, step, b, ldb, ci, ldc, k, at, ldbase);
      else tile(a0, a0 + lda, a0 + 2 * lda, a0 + 3 * lda, b, ldb, ci, ldc, k, at, ldbase);
    }
  }
  for (; i < m; i += 4) {
    const at = base ? base + i * ldbase : 0,
      rows = min<usize>(4, m - i);
    edge(a + i * lda, lda, step, b, ldb, c + i * ldc, ldc, k, at, ldbase, rows, cols);
  }
}

/**
 * C = base + A · B for matrices that fit in the caches, without packing; A by `lda` and `step` as in
 * `column`. B is read in whole panels of 8 columns, a turned A in whole groups of 4: up to 28 bytes
 * beyond the last row are read (the pool keeps them readable) and never used.
 */
export function multiply(
  a: usize,
  lda: usize,
  step: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  m: usize,
  n: usize,
  k: usize,
  base: usize,
  ldbase: usize,
): void {
  for (let j: usize = 0, cols: usize = 0; j < n; j += cols) {
    const at = base ? base + 4 * j : 0;
    cols = panelWidth(n - j, k);
    column(a, lda, step, b + 4 * j, ldb, c + 4 * j, ldc, k, at, ldbase, m, cols);
  }
}

/**
 * Packs columns of B[K,N] into panels: out[panel][k][8], zeros beyond N; two whole panels side by side,
 * [k][16], where tiles have 16 columns. One unit is one panel of 8. B's rows are `ldb` floats apart; transposed, B is
 * stored as [N,K].
 */
export function packB(
  from: usize,
  to: usize,
  b: usize,
  ldb: usize,
  transposed: bool,
  K: usize,
  N: usize,
  out: usize,
): void {
  ldb <<= 2;
  for (let k: usize = 0; k < K; k += PACK) {
    const rows = min(PACK, K - k);
    for (let j = from; j < to; j++) {
      const cols = min<usize>(8, N - j * 8),
        even = j & ~1;
      const isPaired = panelWidth(N - even * 8, K) == 16,
        width: usize = isPaired ? 64 : 32;
      const panel = out + (isPaired ? even * K * 32 + (j - even) * 32 : j * K * 32) + k * width;
      if (cols < 8) memory.fill(panel, 0, rows * 32);
      if (transposed) transpose(b + j * 8 * ldb + k * 4, ldb, panel, width, cols, rows);
      else copyColumns(b + k * ldb + j * 32, ldb, panel, width, rows, cols);
    }
  }
}

function copyColumns(
  from: usize,
  stride: usize,
  panel: usize,
  width: usize,
  K: usize,
  cols: usize,
): void {
  if (cols == 8) {
    for (; K >= 2; K -= 2, panel += 2 * width) {
      const next = from + stride;
      const a = v128.load(from),
        b = v128.load(from, 16),
        c = v128.load(next),
        d = v128.load(next, 16);
      v128.store(panel, a);
      v128.store(panel, b, 16);
      v128.store(panel + width, c);
      v128.store(panel + width, d, 16);
      from = next + stride;
    }
  }
  for (; K > 0; K--, from += stride, panel += width)
    for (let j: usize = 0; j < cols; j++) store<f32>(panel + 4 * j, load<f32>(from + 4 * j));
}

/**
 * Packs rows [0, k) of m columns of a transposed A: four columns side by side, [k][4], as
 * `tileTurned` reads them; `panel` bytes lead to the next four. Beyond m stands anything.
 */
function packA(a: usize, lda: usize, k: usize, m: usize, out: usize, panel: usize): void {
  for (; k >= 2; k -= 2, a += 2 * lda, out += 32) {
    for (let from = a, to = out; from < a + (m << 2); from += 16, to += panel) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from + lda), 16);
    }
  }
  if (k)
    for (let from = a, to = out; from < a + (m << 2); from += 16, to += panel)
      v128.store(to, v128.load(from));
}

/**
 * Rows [from, to) of C[M,N] = A · B, B packed. `lda`, `ldc` in floats; a transposed A is stored as
 * [K,M]. `add`: C += instead of C =. `bias`: a row of N floats to start from, or 0.
 */
export function matmulPacked(
  from: usize,
  to: usize,
  a: usize,
  lda: usize,
  transposed: bool,
  packed: usize,
  c: usize,
  ldc: usize,
  K: usize,
  N: usize,
  add: bool,
  bias: usize,
): void {
  lda <<= 2;
  ldc <<= 2;
  const block = scratch() + 128; // A's block, when it is transposed
  for (let i = from; i < to; i += MC) {
    const m = min(MC, to - i);
    for (let k0: usize = 0; k0 < K; k0 += KC) {
      const k = min(KC, K - k0);
      let rows = a + i * lda + k0 * 4;
      if (transposed) {
        rows = block;
        packA(a + k0 * lda + i * 4, lda, k, m, block, (k << 4) + 64);
      }
      for (let j: usize = 0, cols: usize = 0; j < N; j += cols) {
        cols = panelWidth(N - j, K);
        const at = c + i * ldc + j * 4;
        const onC = add || k0 > 0;
        const base = onC ? at : bias ? bias + j * 4 : 0;
        column(
          rows,
          transposed ? (k << 2) + 16 : lda,
          transposed ? 16 : 4,
          packed + (j * K + k0 * max<usize>(8, cols)) * 4,
          max<usize>(8, cols) << 2,
          at,
          ldc,
          k,
          base,
          onC ? ldc : 0,
          m,
          cols,
        );
      }
    }
  }
}

/**
 * Matrices [from, to) of a batch of small products C[M,N] = A · B; leading dimensions and batch
 * strides in floats. A transposed B goes through the scratch memory: K * roundUp(N, 8) floats.
 */
export function matmulSmall(
  from: usize,
  to: usize,
  a: usize,
  lda: usize,
  transposedA: bool,
  nextA: usize,
  b: usize,
  ldb: usize,
  transposedB: bool,
  nextB: usize,
  c: usize,
  ldc: usize,
  nextC: usize,
  M: usize,
  N: usize,
  K: usize,
  add: bool,
  bias: usize,
): void {
  const width = ((N + 7) & ~7) << 2;
  const turnedB = scratch() + 128;
  lda <<= 2;
  ldb <<= 2;
  ldc <<= 2;
  for (let i = from; i < to; i++) {
    const ai = a + ((i * nextA) << 2);
    let bi = b + ((i * nextB) << 2);
    const ci = c + ((i * nextC) << 2);
    if (transposedB && (i == from || nextB)) transpose(bi, ldb, turnedB, width, N, K);
    if (transposedB) bi = turnedB;
    multiply(
      ai,
      transposedA ? 4 : lda,
      transposedA ? lda : 4,
      bi,
      transposedB ? width : ldb,
      ci,
      ldc,
      M,
      N,
      K,
      add ? ci : bias,
      add ? ldc : 0,
    );
  }
}

/**
 * Columns [32 from, 32 to) of one row: c[N] = a[K] · B[K,N]. Reads B once, in strips of 32 columns.
 * This is what generating one token does all day.
 */
export function matmulRow(
  from: usize,
  to: usize,
  a: usize,
  b: usize,
  ldb: usize,
  c: usize,
  K: usize,
  N: usize,
  add: bool,
  bias: usize,
): void {
  ldb <<= 2;
  to = min(to * 32, N);
  let j = from * 32;
  for (; j + 32 <= to; j += 32)
    strip(a, b + 4 * j, ldb, c + 4 * j, K, add ? c + 4 * j : bias ? bias + 4 * j : 0);
  for (; j < to; j++) {
    let sum: f32 = 0;
    for (let k: usize = 0, at = b + 4 * j; k < K; k++, at += ldb)
      sum += load<f32>(a + 4 * k) * load<f32>(at);
    if (add) sum = load<f32>(c + 4 * j) + sum;
    else if (bias) sum = load<f32>(bias + 4 * j) + sum;
    store<f32>(c + 4 * j, sum);
  }
}

function strip(a: usize, b: usize, ldb: usize, c: usize, K: usize, base: usize): void {
  let c0 = f32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0,
    c4 = c0,
    c5 = c0,
    c6 = c0,
    c7 = c0;
  for (const end = a + 4 * K; a < end; a += 4, b += ldb) {
    const x = v128.load32_splat(a);
    c0 = madd(x, v128.load(b), c0);
    c1 = madd(x, v128.load(b, 16), c1);
    c2 = madd(x, v128.load(b, 32), c2);
    c3 = madd(x, v128.load(b, 48), c3);
    c4 = madd(x, v128.load(b, 64), c4);
    c5 = madd(x, v128.load(b, 80), c5);
    c6 = madd(x, v128.load(b, 96), c6);
    c7 = madd(x, v128.load(b, 112), c7);
  }
  if (base) {
    c0 = f32x4.add(v128.load(base), c0);
    c1 = f32x4.add(v128.load(base, 16), c1);
    c2 = f32x4.add(v128.load(base, 32), c2);
    c3 = f32x4.add(v128.load(base, 48), c3);
    c4 = f32x4.add(v128.load(base, 64), c4);
    c5 = f32x4.add(v128.load(base, 80), c5);
    c6 = f32x4.add(v128.load(base, 96), c6);
    c7 = f32x4.add(v128.load(base, 112), c7);
  }
  v128.store(c, c0);
  v128.store(c, c1, 16);
  v128.store(c, c2, 32);
  v128.store(c, c3, 48);
  v128.store(c, c4, 64);
  v128.store(c, c5, 80);
  v128.store(c, c6, 96);
  v128.store(c, c7, 112);
}

/**
 * Columns [from, to) of one row against a transposed B: c[n] = a[K] · B[n,K], one dot product each.
 */
export function matmulRowDots(
  from: usize,
  to: usize,
  a: usize,
  b: usize,
  ldb: usize,
  c: usize,
  K: usize,
  add: bool,
  bias: usize,
): void {
  for (let n = from; n < to; n++) {
    let sum = dot(a, b + ((n * ldb) << 2), K);
    if (add) sum = load<f32>(c + 4 * n) + sum;
    else if (bias) sum = load<f32>(bias + 4 * n) + sum;
    store<f32>(c + 4 * n, sum);
  }
}

/** a · b over k floats, in sixteen partial sums. */
export function dot(a: usize, b: usize, k: usize): f32 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  let i: usize = 0;
  const end = k << 2;
  for (; i + 64 <= end; i += 64) {
    s0 = madd(v128.load(a + i), v128.load(b + i), s0);
    s1 = madd(v128.load(a + i, 16), v128.load(b + i, 16), s1);
    s2 = madd(v128.load(a + i, 32), v128.load(b + i, 32), s2);
    s3 = madd(v128.load(a + i, 48), v128.load(b + i, 48), s3);
  }
  for (; i + 16 <= end; i += 16) s0 = madd(v128.load(a + i), v128.load(b + i), s0);
  s0 = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  let sum =
    f32x4.extract_lane(s0, 0) +
    f32x4.extract_lane(s0, 2) +
    (f32x4.extract_lane(s0, 1) + f32x4.extract_lane(s0, 3));
  for (; i < end; i += 4) sum += load<f32>(a + i) * load<f32>(b + i);
  return sum;
}

/**
 * The ceiling: `rounds` x 104 floating-point operations on registers alone, four lanes of multiply
 * and add. Thirteen chains c = c x + y, because one chain waits eight cycles for itself and three
 * such operations fit a cycle.
 */
export function peak(rounds: u32, x: f32, y: f32): f32 {
  const a = f32x4.splat(x),
    b = f32x4.splat(y);
  let c0 = a,
    c1 = f32x4.add(c0, b),
    c2 = f32x4.add(c1, b),
    c3 = f32x4.add(c2, b),
    c4 = f32x4.add(c3, b),
    c5 = f32x4.add(c4, b);
  let c6 = f32x4.add(c5, b),
    c7 = f32x4.add(c6, b),
    c8 = f32x4.add(c7, b),
    c9 = f32x4.add(c8, b);
  let c10 = f32x4.add(c9, b),
    c11 = f32x4.add(c10, b),
    c12 = f32x4.add(c11, b);
  for (let i: u32 = 0; i < rounds; i++) {
    c0 = f32x4.add(f32x4.mul(c0, a), b);
    c1 = f32x4.add(f32x4.mul(c1, a), b);
    c2 = f32x4.add(f32x4.mul(c2, a), b);
    c3 = f32x4.add(f32x4.mul(c3, a), b);
    c4 = f32x4.add(f32x4.mul(c4, a), b);
    c5 = f32x4.add(f32x4.mul(c5, a), b);
    c6 = f32x4.add(f32x4.mul(c6, a), b);
    c7 = f32x4.add(f32x4.mul(c7, a), b);
    c8 = f32x4.add(f32x4.mul(c8, a), b);
    c9 = f32x4.add(f32x4.mul(c9, a), b);
    c10 = f32x4.add(f32x4.mul(c10, a), b);
    c11 = f32x4.add(f32x4.mul(c11, a), b);
    c12 = f32x4.add(f32x4.mul(c12, a), b);
  }
  c0 = f32x4.add(
    f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)),
    f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)),
  );
  return f32x4.extract_lane(
    f32x4.add(c0, f32x4.add(f32x4.add(c8, c9), f32x4.add(c10, f32x4.add(c11, c12)))),
    0,
  );
}
