// What a transformer adds: dropout, rotary positions and attention. Attention's loop computes one row of
// the pattern at a time and never stores the T x S matrix; its definition does, so that a probe which
// wants to see the pattern runs withDefinitions(() => ...). Next: index.ts, where the table is made.

import { constant, indicesLike } from "../creation.ts";
import { type Draw, within } from "../draw.ts";
import { checkFloat, type DType } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { fused, like } from "../kinds.ts";
import { apply, type Block, type Op, type Spec } from "../op.ts";
import { cos, pow, sin } from "../portable.ts";
import { Random } from "../random.ts";
import {
  broadcastShapes,
  broadcastStrides,
  formatShape,
  type Shape,
  sameShape,
  sizeOf,
  walkStrides,
} from "../shape.ts";
import { checkTensor, fromData, Tensor } from "../tensor.ts";
import { cat, stack } from "./view.ts";

// --- Dropout -----------------------------------------------------------------------------------------

interface Drop {
  readonly p: number;
  readonly seed: number;
}

/**
 * Whether element i survives: a hash of seed and i, so that the mask needs no memory and is the same on
 * every device and thread. The mixing steps are MurmurHash3's 32-bit finaliser.
 */
export function survives(i: number, { p, seed }: Drop): boolean {
  let h = (Math.imul(i, 0x9e3779b9) + seed) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h ^= h >>> 16;
  return (h >>> 8) / 2 ** 24 >= Math.fround(p);
}

function scaleOf(p: number): number {
  return p === 1 ? 0 : Math.fround(1 / Math.fround(1 - p));
}

/** The mask as numbers: 0 where dropped, else the scale. */
function dropMask(x: Tensor, shape: Shape, drop: Drop): Tensor {
  const data = new Float64Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = survives(i, drop) ? scaleOf(drop.p) : 0;
  return fromData(data, shape, "float64", x.device).to(x.dtype);
}

function checkDrop(name: string, p: number, rng: Random | undefined): Drop {
  if (!(p >= 0 && p <= 1))
    throw new ArgumentError(`${name}: the probability ${p} must be in [0, 1]`);
  if (p > 0 && !(rng instanceof Random)) {
    throw new ArgumentError(
      `${name}: needs a generator to drop from: { rng: random(seed).fork("dropout") }`,
    );
  }
  return { p, seed: p > 0 && rng ? rng.integer(-(2 ** 31), 2 ** 31) : 0 };
}

export interface DropoutOptions {
  /** Probability that an element becomes 0; the others are scaled by 1 / (1 - p). */
  readonly p: number;
  /** Where the mask comes from: one draw seeds it. */
  readonly rng: Random;
}

/** Zeroes elements at random and scales the rest so that the mean stays. */
export const dropout: Op<(x: Tensor, options: DropoutOptions) => Tensor> = fused({
  definition: (x: Tensor, drop: Drop) => x.mul(dropMask(x, x.shape, drop)),
  infer: like,
  forward: ([y], x, drop) => {
    for (let i = 0; i < x.data.length; i++) {
      y.data[i] = survives(i, drop) ? (x.data[i] ?? 0) * scaleOf(drop.p) : 0;
    }
  },
  backward: ([dx], g, _results, _x, drop) => {
    for (let i = 0; dx && i < g.data.length; i++) {
      dx.data[i] = survives(i, drop) ? (g.data[i] ?? 0) * scaleOf(drop.p) : 0;
    }
  },
  call:
    (run: (x: Tensor, drop: Drop) => Tensor, { name }) =>
    (x, { p, rng }) => {
      checkFloat(name, checkTensor(name, x).dtype);
      const drop = checkDrop(name, p, rng);
      return p === 0 ? x : run(x, drop);
    },
  example: "ones([4]).dropout({ p: 0.5, rng: random(1) })  // [0, 2, 2, 2]",
  draw: (d) => [d.tensor(d.shape()), { p: d.pick(0, 0.25, 0.5), rng: Random.from(1) }],
});

// --- Rotary positions --------------------------------------------------------------------------------

interface Turn {
  readonly interleaved: boolean;
  readonly inverse: boolean;
}

export interface RopeOptions {
  /** Pairs are neighbours (2i, 2i+1), as in llama2.c, instead of (i, i + D/2), as on Hugging Face. */
  readonly interleaved?: boolean;
  /** Turn the other way. */
  readonly inverse?: boolean;
}

/**
 * The angle tables that rope takes: cos and sin of position * base^(-2i/dim), each [..., dim/2] float32.
 * The same bits in every engine. Reads the positions: CPU devices only, or give plain numbers.
 */
export function ropeTables(
  positions: Tensor | readonly number[],
  { dim, base = 10000 }: { readonly dim: number; readonly base?: number },
): { readonly cos: Tensor; readonly sin: Tensor } {
  if (!Number.isInteger(dim / 2)) throw new ArgumentError(`ropeTables: dim ${dim} must be even`);
  const half = dim / 2;
  const [values, rows, on] =
    positions instanceof Tensor
      ? [positions.data, positions.shape, positions.device]
      : [positions, [positions.length], undefined];
  const frequencies = Array.from({ length: half }, (_, i) => pow(base, (-2 * i) / dim));
  const table = (turn: (angle: number) => number): Tensor => {
    const data = new Float32Array(values.length * half);
    for (let i = 0; i < data.length; i++)
      data[i] = turn((values[Math.floor(i / half)] ?? 0) * (frequencies[i % half] ?? 0));
    return fromData(data, [...rows, half], "float32", on);
  };
  return { cos: table(cos), sin: table(sin) };
}

/** For every pair of x: its two places, and its place in the broadcast tables. */
function eachPair(
  x: Shape,
  table: Shape,
  interleaved: boolean,
  visit: (first: number, second: number, at: number) => void,
): void {
  const half = (x.at(-1) ?? 0) / 2;
  const rows = x.slice(0, -1);
  const strides = broadcastStrides(table, [...rows, half]).slice(0, -1);
  const step = table.at(-1) === 1 ? 0 : 1;
  walkStrides(rows, [strides], ([at = 0], row) => {
    const start = row * 2 * half;
    for (let i = 0; i < half; i++) {
      if (interleaved) visit(start + 2 * i, start + 2 * i + 1, at + i * step);
      else visit(start + i, start + i + half, at + i * step);
    }
  });
}

/** (a, b) to (a cos - b sin, a sin + b cos) for every pair. */
function turn(
  y: Block,
  x: Block,
  cos: Block,
  sin: Block,
  interleaved: boolean,
  sign: number,
): void {
  eachPair(x.shape, cos.shape, interleaved, (first, second, at) => {
    const [a, b] = [x.data[first] ?? 0, x.data[second] ?? 0];
    const [c, s] = [cos.data[at] ?? 0, sign * (sin.data[at] ?? 0)];
    y.data[first] = a * c - b * s;
    y.data[second] = a * s + b * c;
  });
}

function ropeDefinition(
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  { interleaved, inverse }: Turn,
): Tensor {
  const half = (x.shape.at(-1) ?? 0) / 2;
  const pairs = interleaved ? x.reshape([...x.shape.slice(0, -1), half, 2]) : null;
  const part = (i: number): Tensor =>
    pairs === null
      ? x.slice({ dim: -1, start: i * half, end: (i + 1) * half })
      : pairs.slice({ dim: -1, start: i, end: i + 1 }).squeeze(-1);
  const [a, b] = [part(0), part(1)];
  const s = inverse ? sin.neg() : sin;
  const [first, second] = [a.mul(cos).sub(b.mul(s)), a.mul(s).add(b.mul(cos))];
  if (pairs === null) return cat([first, second], { dim: -1 });
  return stack([first, second], { dim: -1 }).reshape(x.shape);
}

/**
 * Rotary position embedding (2104.09864): turns each pair of x [..., T, D] by the angle of its position.
 * cos and sin (see ropeTables) broadcast to [..., T, D/2]; tables that learn run the definition.
 */
export const rope: Op<(x: Tensor, cos: Tensor, sin: Tensor, options?: RopeOptions) => Tensor> =
  fused({
    definition: ropeDefinition,
    infer: like,
    forward: ([y], x, cos, sin, { interleaved, inverse }) =>
      turn(y, x, cos, sin, interleaved, inverse ? -1 : 1),
    vjp: (g, _y, _x, cos, sin, { interleaved, inverse }) => [
      g.rope(cos, sin, { interleaved, inverse: !inverse }),
    ],
    call:
      (run) =>
      (x, cos, sin, { interleaved = false, inverse = false } = {}) => {
        checkRope(x, cos, sin);
        const rule = cos.requiresGrad || sin.requiresGrad ? ropeDefinition : run;
        return rule(x, cos, sin, { interleaved, inverse });
      },
    example: "tensor([[1, 0]]).rope(tensor([[0]]), tensor([[1]]))  // [[0, 1]]",
    draw: (d: Draw) => {
      const [T, half] = [d.integer(0, 3), d.integer(1, 2)];
      const angles = d.tensor(d.pick<Shape>([T, half], [1, half]));
      const x = d.tensor([...d.shape({ maxRank: 2, maxSide: 2 }), T, 2 * half]);
      return [x, angles.cos(), angles.sin(), { interleaved: d.pick(true, false) }];
    },
  });

function checkRope(x: Tensor, cos: Tensor, sin: Tensor): void {
  for (const t of [x, cos, sin]) checkFloat("rope", checkTensor("rope", t).dtype);
  const D = x.shape.at(-1) ?? 1;
  const to = [...x.shape.slice(0, -1), D / 2];
  const fits = Number.isInteger(D / 2) && sameShape(broadcastShapes("rope", cos.shape, to), to);
  if (fits && sameShape(cos.shape, sin.shape) && cos.dtype === x.dtype && sin.dtype === x.dtype)
    return;
  throw new ShapeError(
    `rope: x ${x.dtype} ${formatShape(x.shape)}, cos ${cos.dtype} ${formatShape(cos.shape)}, sin ${sin.dtype} ` +
      `${formatShape(sin.shape)}: needed one dtype, D even, and tables that broadcast to ${formatShape(to)}`,
  );
}

// --- Attention ---------------------------------------------------------------------------------------

export interface AttentionOptions {
  /** Position i sees positions up to i + offset. */
  readonly causal?: boolean;
  /** How many keys came before the first query (a cache's length). Default 0, as in PyTorch. */
  readonly offset?: number;
  /** bool (true: may be seen) or float (added to the scores), broadcast to [..., H, T, S]. */
  readonly mask?: Tensor | null;
  /** Default 1 / sqrt(D). */
  readonly scale?: number;
  /** Dropout on the pattern. */
  readonly dropout?: DropoutOptions;
}

/** Where the heads are: "bhtd" (default) before the positions, "bthd" after them, as projections leave them. */
export type HeadLayout = "bhtd" | "bthd";

interface Attend {
  readonly layout: HeadLayout;
  readonly causal: boolean;
  readonly offset: number;
  readonly scale: number;
  readonly drop: Drop;
}

/** Which keys each query may see, as bools that broadcast to the scores; null if all. */
function visible(
  q: Tensor,
  k: Tensor,
  mask: Tensor | null,
  { causal, offset }: Attend,
): Tensor | null {
  const limit = indicesLike(q, q.shape.at(-2) ?? 0)
    .unsqueeze(1)
    .add(offset);
  const past = causal ? indicesLike(q, k.shape.at(-2) ?? 0).le(limit) : null;
  if (mask === null) return past;
  const open = mask.dtype === "bool" ? mask : mask.ne(-Infinity);
  return past === null ? open : open.logicalAnd(past);
}

/** Key heads repeated for the query heads that share them: [..., Hkv, S, D] to [..., H, S, D]. */
function repeatHeads(x: Tensor, H: number): Tensor {
  const [S = 0, D = 0] = x.shape.slice(-2);
  const heads = x.shape.at(-3) ?? 1;
  if (x.rank < 3 || heads === H) return x;
  const batch = x.shape.slice(0, -3);
  return x
    .unsqueeze(-3)
    .expand([...batch, heads, H / heads, S, D])
    .reshape([...batch, H, S, D]);
}

/** pattern = softmax(scale q kᵀ + mask), all T x S of it; rows that see nothing are 0. */
function attentionDefinition(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  mask: Tensor | null,
  options: Attend,
): Tensor {
  if (options.layout === "bthd") {
    const swap = (x: Tensor): Tensor => x.permute([0, 2, 1, 3]);
    const inner: Attend = { ...options, layout: "bhtd" };
    return swap(apply(scaledDotProductAttention.entry, [swap(q), swap(k), swap(v), mask, inner]));
  }
  const H = q.shape.at(-3) ?? 1;
  const raw = q.matmul(repeatHeads(k, H), { transposeB: true }).mul(options.scale);
  const scores = mask !== null && mask.dtype !== "bool" ? raw.add(mask) : raw;
  const open = visible(q, k, mask, options);
  let pattern: Tensor;
  if (open === null) pattern = scores.softmax({ dim: -1 });
  else {
    const sees = open.sum({ dims: -1, keepDims: true }).gt(0);
    const closed = sees.where(constant(-Infinity, q.dtype, q.device), 0);
    pattern = open.where(open.where(scores, closed).softmax({ dim: -1 }), 0);
  }
  const kept =
    options.drop.p === 0 ? pattern : pattern.mul(dropMask(q, pattern.shape, options.drop));
  return kept.named("pattern").matmul(repeatHeads(v, H));
}

/** One query's row of the pattern, computed when it is needed. */
interface Row {
  /** Which row of q and y it is, and which row of k and v its first key is. */
  readonly index: number;
  readonly keys: number;
  /** Place of key s in the mask. */
  readonly maskAt: (s: number) => number;
  /** Score of key s, -inf if it may not be seen. */
  readonly score: (s: number) => number;
}

/** Visits the rows of all heads in order. Shapes are [..., H, T, D] and [..., Hkv, S, D]. */
function eachRow(
  q: Block,
  k: Block,
  mask: Block | null,
  o: Attend,
  visit: (row: Row) => void,
): void {
  const [T = 0, D = 0] = q.shape.slice(-2);
  const S = k.shape.at(-2) ?? 0;
  const H = q.shape.at(-3) ?? 1;
  const group = H / (k.shape.at(-3) ?? 1);
  const rows = q.shape.slice(0, -1);
  const strides = mask === null ? rows.map(() => 0) : broadcastStrides(mask.shape, [...rows, S]);
  walkStrides(rows, [strides], ([maskRow = 0], index) => {
    const [head, t] = [Math.floor(index / T), index % T];
    const keyHead = Math.floor(head / H) * (H / group) + Math.floor((head % H) / group);
    const keys = keyHead * S;
    const maskAt = (s: number): number => maskRow + s * (strides.at(-1) ?? 0);
    const score = (s: number): number => {
      if (o.causal && s > t + o.offset) return -Infinity;
      const m = mask === null ? 0 : (mask.data[maskAt(s)] ?? 0);
      if (mask?.dtype === "bool" && m === 0) return -Infinity;
      let dot = 0;
      for (let c = 0; c < D; c++)
        dot += (q.data[index * D + c] ?? 0) * (k.data[(keys + s) * D + c] ?? 0);
      return dot * o.scale + (mask !== null && mask.dtype !== "bool" ? m : 0);
    };
    visit({ keys, index, maskAt, score });
  });
}

/** The row's pattern, and the factor of each key after dropout. lse: the row's logSumExp, if known. */
function patternOf(
  row: Row,
  S: number,
  drop: Drop,
  known?: number,
): { p: Float64Array; keep: Float64Array; lse: number } {
  const p = Float64Array.from({ length: S }, (_, s) => row.score(s));
  const max = p.reduce((best, x) => Math.max(best, x), -Infinity);
  let lse = known ?? Infinity; // a row that sees nothing: exp(-inf - inf) = 0
  if (known === undefined && max > -Infinity)
    lse = max + Math.log(p.reduce((sum, x) => sum + Math.exp(x - max), 0));
  if (Number.isNaN(max)) lse = Number.NaN;
  for (let s = 0; s < S; s++) p[s] = Math.exp((p[s] ?? 0) - lse);
  const keep = p.map((_, s) =>
    drop.p === 0 ? 1 : survives(row.index * S + s, drop) ? scaleOf(drop.p) : 0,
  );
  return { p, keep, lse };
}

function attentionForward(
  [y, lses]: readonly [Block, ...Block[]],
  q: Block,
  k: Block,
  v: Block,
  mask: Block | null,
  o: Attend,
): void {
  const S = k.shape.at(-2) ?? 0;
  const D = v.shape.at(-1) ?? 0;
  eachRow(q, k, mask, o, (row) => {
    const { p, keep, lse } = patternOf(row, S, o.drop);
    for (let c = 0; c < D; c++) {
      let sum = 0;
      for (let s = 0; s < S; s++)
        sum += (p[s] ?? 0) * (keep[s] ?? 0) * (v.data[(row.keys + s) * D + c] ?? 0);
      y.data[row.index * D + c] = sum;
    }
    if (lses) lses.data[row.index] = lse;
  });
}

/** dv = pᵀ g; with dp = g vᵀ: ds = p (dp - Σ dp p) = dmask; dq = scale ds k; dk = scale dsᵀ q. */
function attentionBackward(
  [dq, dk, dv, dmask]: readonly (Block | null)[],
  g: Block,
  lses: Block | undefined,
  q: Block,
  k: Block,
  v: Block,
  mask: Block | null,
  o: Attend,
): void {
  const S = k.shape.at(-2) ?? 0;
  const [D, Dv] = [q.shape.at(-1) ?? 0, v.shape.at(-1) ?? 0];
  const [toQ, toK, toV, toMask] = [q, k, v, mask].map(
    (x) => new Float64Array(x?.data.length ?? 0),
  ) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const add = (total: Float64Array, at: number, x: number): void => {
    total[at] = (total[at] ?? 0) + x;
  };
  eachRow(q, k, mask, o, (row) => {
    const { p, keep } = patternOf(row, S, o.drop, lses?.data[row.index]);
    const dp = p.map((_, s) => {
      let dot = 0;
      for (let c = 0; c < Dv; c++)
        dot += (g.data[row.index * Dv + c] ?? 0) * (v.data[(row.keys + s) * Dv + c] ?? 0);
      return dot * (keep[s] ?? 0);
    });
    const along = dp.reduce((sum, x, s) => sum + x * (p[s] ?? 0), 0);
    for (let s = 0; s < S; s++) {
      const weight = p[s] ?? 0;
      if (weight === 0) continue;
      const dscore = weight * ((dp[s] ?? 0) - along);
      const ds = dscore * o.scale;
      if (dmask) add(toMask, row.maskAt(s), dscore);
      const key = row.keys + s;
      for (let c = 0; c < Dv; c++)
        add(toV, key * Dv + c, weight * (keep[s] ?? 0) * (g.data[row.index * Dv + c] ?? 0));
      for (let c = 0; c < D; c++) {
        add(toQ, row.index * D + c, ds * (k.data[key * D + c] ?? 0));
        add(toK, key * D + c, ds * (q.data[row.index * D + c] ?? 0));
      }
    }
  });
  dq?.data.set(toQ);
  dk?.data.set(toK);
  dv?.data.set(toV);
  dmask?.data.set(toMask);
}

/**
 * softmax(scale q kᵀ + mask) v over [..., H, T, D], [..., Hkv, S, D] and [..., Hkv, S, Dv]; H is a multiple
 * of Hkv (grouped queries). A query that may see no key gives zeros.
 */
export const scaledDotProductAttention: Op<
  (
    q: Tensor,
    k: Tensor,
    v: Tensor,
    options?: AttentionOptions & { readonly layout?: HeadLayout },
  ) => Tensor
> = fused({
  definition: attentionDefinition,
  // the result, and each row's logSumExp for the way back
  infer: (q, _k, v, _mask, { layout }): readonly Spec[] => {
    const rows = q.shape.slice(0, -1);
    const [B = 0, T = 0, H = 0] = rows;
    return [
      { shape: [...rows, v.shape.at(-1) ?? 0], dtype: q.dtype },
      { shape: layout === "bthd" ? [B, H, T] : rows, dtype: q.dtype },
    ];
  },
  forward: ([y, lses], q, k, v, mask, o) => {
    if (o.layout === "bhtd") return attentionForward(lses ? [y, lses] : [y], q, k, v, mask, o);
    const [apart, ...inputs] = [headsFirst(y, false), headsFirst(q), headsFirst(k), headsFirst(v)];
    attentionForward(lses ? [apart, lses] : [apart], ...inputs, mask, o);
    headsBack(y, apart);
  },
  backward: (gradients, g, [, lses], q, k, v, mask, o) => {
    if (o.layout === "bhtd") return attentionBackward(gradients, g, lses, q, k, v, mask, o);
    const [dq, dk, dv, dmask = null] = gradients;
    const apart = [q, k, v].map((x) => headsFirst(x, false));
    const [ga, qa, ka, va] = [headsFirst(g), headsFirst(q), headsFirst(k), headsFirst(v)];
    attentionBackward([...apart, dmask], ga, lses, qa, ka, va, mask, o);
    for (const [i, dx] of [dq, dk, dv].entries()) if (dx) headsBack(dx, apart[i] as Block);
  },
  call:
    (run, { name }) =>
    (q, k, v, options = {}) => {
      const { causal = false, offset = 0, mask = null, layout = "bhtd" } = options;
      checkAttention(q, k, v, mask, layout);
      const scale = options.scale ?? 1 / Math.sqrt(q.shape.at(-1) ?? 1);
      const drop = checkDrop(name, options.dropout?.p ?? 0, options.dropout?.rng);
      return run(q, k, v, mask, { layout, causal, offset, scale, drop });
    },
  example:
    "tensor([[1, 0]]).scaledDotProductAttention(tensor([[1, 0], [0, 1]]), tensor([[1], [2]]))  // [[1.3302]]",
  draw: drawAttention,
});

function drawAttention(d: Draw): readonly unknown[] {
  const [T, S, D] = [d.integer(1, 3), d.integer(1, 3), d.integer(1, 3)];
  const [B, heads, group] = [d.integer(1, 2), d.integer(1, 2), d.integer(1, 2)];
  const small = within(-1, 1);
  const layout = d.pick<HeadLayout>("bhtd", "bthd");
  const at = (H: number, rows: number): Tensor =>
    d.tensor(layout === "bhtd" ? [B, H, rows, D] : [B, rows, H, D], small);
  const mask = d.pick(null, d.mask([B, 1, T, S]), d.tensor([T, S], small));
  const dropout = d.pick(undefined, { p: 0.5, rng: Random.from(1) });
  const options = {
    layout,
    causal: d.pick(true, false),
    offset: d.integer(0, 1),
    mask,
    ...(dropout && { dropout }),
  };
  return [at(heads * group, T), at(heads, S), at(heads, S), options];
}

function checkAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  mask: Tensor | null,
  layout: HeadLayout,
): void {
  const name = "scaledDotProductAttention";
  for (const x of [q, k, v]) checkFloat(name, checkTensor(name, x, "q, k and v").dtype);
  const [headAxis, rowAxis] = layout === "bthd" ? [-2, -3] : [-3, -2];
  const [H, heads] = [q.shape.at(headAxis) ?? 1, k.shape.at(headAxis) ?? 1];
  const fits =
    [q, k, v].every((x) => x.rank >= 2 && x.rank === q.rank && x.dtype === q.dtype) &&
    (layout === "bhtd" || q.rank === 4) &&
    sameShape(k.shape.slice(0, -1), v.shape.slice(0, -1)) &&
    sameShape(q.shape.slice(0, -3), k.shape.slice(0, -3)) &&
    q.shape.at(-1) === k.shape.at(-1) &&
    Number.isInteger(H / heads);
  if (!fits) {
    const needed =
      layout === "bthd"
        ? "[B, T, H, D], [B, S, Hkv, D] and [B, S, Hkv, Dv]"
        : "[..., H, T, D], [..., Hkv, S, D] and [..., Hkv, S, Dv]";
    throw new ShapeError(
      `${name}: q ${formatShape(q.shape)}, k ${formatShape(k.shape)}, v ${formatShape(v.shape)}: needed ` +
        `${needed} of one dtype, with H a multiple of Hkv`,
    );
  }
  if (mask === null) return;
  const [T, S] = [q.shape.at(rowAxis) ?? 0, k.shape.at(rowAxis) ?? 0];
  const rows = layout === "bthd" ? [q.shape[0] ?? 0, H, T] : q.shape.slice(0, -1);
  checkMask(name, mask, q.dtype, [...rows, S]);
}

function checkMask(name: string, mask: Tensor, dtype: DType, scores: Shape): void {
  checkTensor(name, mask, "mask");
  if (mask.dtype !== "bool" && mask.dtype !== dtype) {
    throw new DTypeError(`${name}: mask must be bool or ${dtype}, got ${mask.dtype}`);
  }
  if (!sameShape(broadcastShapes(name, mask.shape, scores), scores)) {
    throw new ShapeError(
      `${name}: mask ${formatShape(mask.shape)} doesn't broadcast to ${formatShape(scores)}`,
    );
  }
}

// --- Attention on packed heads -----------------------------------------------------------------------

export interface PackedOptions extends AttentionOptions {
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads, which divide them; default as many. */
  readonly kvHeads?: number;
}

interface Packed extends Attend {
  readonly heads: number;
  readonly kvHeads: number;
}

/** Where q, k and v begin among the heads of a packed row, and how many heads each has. */
function partsOf({ heads, kvHeads }: Packed): readonly (readonly [first: number, count: number])[] {
  return [
    [0, heads],
    [heads, kvHeads],
    [heads + kvHeads, kvHeads],
  ];
}

function packedDefinition(qkv: Tensor, mask: Tensor | null, o: Packed): Tensor {
  const [B = 0, T = 0, width = 0] = qkv.shape;
  const all = o.heads + 2 * o.kvHeads;
  const rows = qkv.reshape([B, T, all, width / all]).permute([0, 2, 1, 3]);
  const [q, k, v] = partsOf(o).map(([start, count]) =>
    rows.slice({ dim: 1, start, end: start + count }),
  );
  const y = apply(scaledDotProductAttention.entry, [q, k, v, mask, { ...o, layout: "bhtd" }]);
  return y.permute([0, 2, 1, 3]).reshape([B, T, (width / all) * o.heads]);
}

/** Calls `visit` with the places of each row of D in [B, T, all, D] and, for `count` heads from `first`, in [B, count, T, D]. */
function eachHead(
  [B = 0, T = 0]: Shape,
  all: number,
  [first, count]: readonly [number, number],
  D: number,
  visit: (packed: number, apart: number) => void,
): void {
  for (let b = 0; b < B; b++)
    for (let t = 0; t < T; t++)
      for (let h = 0; h < count; h++)
        visit(((b * T + t) * all + first + h) * D, ((b * count + h) * T + t) * D);
}

/** Some heads of x [B, T, all · D] as a block [B, count, T, D]; their numbers, unless it is to be filled. */
function unpack(x: Block, all: number, part: readonly [number, number], isFilled = true): Block {
  const [B = 0, T = 0, width = 0] = x.shape;
  const D = width / all;
  const data = new Float64Array(B * part[1] * T * D);
  if (isFilled) {
    eachHead(x.shape, all, part, D, (packed, apart) => {
      data.set(x.data.subarray(packed, packed + D), apart);
    });
  }
  return { shape: [B, part[1], T, D], dtype: x.dtype, data };
}

function pack(x: Block, all: number, part: readonly [number, number], from: Block): void {
  const D = (x.shape[2] ?? 0) / all;
  eachHead(x.shape, all, part, D, (packed, apart) => {
    x.data.set(from.data.subarray(apart, apart + D), packed);
  });
}

/** [B, T, H, D] as a block [B, H, T, D]; its numbers, unless it is to be filled. */
function headsFirst(x: Block, isFilled = true): Block {
  const [B = 0, T = 0, H = 0, D = 0] = x.shape;
  return unpack({ ...x, shape: [B, T, H * D] }, H, [0, H], isFilled);
}

/** A block [B, H, T, D] back into x [B, T, H, D]. */
function headsBack(x: Block, apart: Block): void {
  const [B = 0, T = 0, H = 0, D = 0] = x.shape;
  pack({ ...x, shape: [B, T, H * D] }, H, [0, H], apart);
}

/**
 * Causal self-attention as one projection leaves it: qkv [B, T, (H + 2 Hkv) · D], the heads of the queries,
 * then those of the keys, then those of the values; gives [B, T, H · D]. scaledDotProductAttention without
 * taking the heads apart; mask broadcasts to [B, H, T, T].
 */
export const packedAttention: Op<(qkv: Tensor, options: PackedOptions) => Tensor> = fused({
  definition: packedDefinition,
  // the result, and each row's logSumExp for the way back
  infer: (qkv, _mask, { heads, kvHeads }): readonly Spec[] => {
    const [B = 0, T = 0, width = 0] = qkv.shape;
    const D = width / (heads + 2 * kvHeads);
    return [
      { shape: [B, T, heads * D], dtype: qkv.dtype },
      { shape: [B, heads, T], dtype: qkv.dtype },
    ];
  },
  forward: ([y, lses], qkv, mask, o) => {
    const all = o.heads + 2 * o.kvHeads;
    const [q, k, v] = partsOf(o).map((part) => unpack(qkv, all, part)) as [Block, Block, Block];
    const apart = unpack(y, o.heads, [0, o.heads], false);
    attentionForward(lses ? [apart, lses] : [apart], q, k, v, mask, o);
    pack(y, o.heads, [0, o.heads], apart);
  },
  backward: ([dqkv, dmask], g, [, lses], qkv, mask, o) => {
    const all = o.heads + 2 * o.kvHeads;
    const parts = partsOf(o);
    const [q, k, v] = parts.map((part) => unpack(qkv, all, part)) as [Block, Block, Block];
    const gradients = parts.map((part) => unpack(qkv, all, part, false));
    const apart = unpack(g, o.heads, [0, o.heads]);
    attentionBackward([...gradients, dmask ?? null], apart, lses, q, k, v, mask, o);
    if (dqkv) for (const [i, dx] of gradients.entries()) pack(dqkv, all, parts[i] ?? [0, 0], dx);
  },
  call:
    (run, { name }) =>
    (qkv, options) => {
      const { heads, kvHeads = heads, causal = false, offset = 0, mask = null } = options;
      const D = checkPacked(qkv, mask, heads, kvHeads);
      const scale = options.scale ?? 1 / Math.sqrt(D);
      const drop = checkDrop(name, options.dropout?.p ?? 0, options.dropout?.rng);
      return run(qkv, mask, { layout: "bthd", causal, offset, scale, drop, heads, kvHeads });
    },
  example:
    "tensor([[[1, 2, 10], [1, 3, 20]]]).packedAttention({ heads: 1, causal: true })  // [[[     10],\n  [17.3106]]]",
  draw: (d) => {
    const [B, T, D] = [d.integer(1, 2), d.integer(1, 3), d.integer(1, 3)];
    const [kvHeads, group] = [d.integer(1, 2), d.integer(1, 2)];
    const heads = kvHeads * group;
    const small = within(-1, 1);
    const qkv = d.tensor([B, T, (heads + 2 * kvHeads) * D], small);
    const mask = d.pick(null, d.mask([B, 1, T, T]), d.tensor([T, T], small));
    return [qkv, { heads, kvHeads, causal: d.pick(true, false), mask }];
  },
});

/** The width of a head. */
function checkPacked(qkv: Tensor, mask: Tensor | null, heads: number, kvHeads: number): number {
  const name = "packedAttention";
  checkFloat(name, checkTensor(name, qkv, "qkv").dtype);
  const [B = 0, T = 0, width = 0] = qkv.shape;
  const D = width / (heads + 2 * kvHeads);
  const fits = Number.isInteger(D) && Number.isInteger(heads / kvHeads) && heads > 0;
  if (qkv.rank !== 3 || !fits) {
    throw new ShapeError(
      `${name}: qkv ${formatShape(qkv.shape)} with ${heads} heads and ${kvHeads} for keys: needed ` +
        "[B, T, (heads + 2 kvHeads) D], heads a multiple of kvHeads",
    );
  }
  if (mask !== null) checkMask(name, mask, qkv.dtype, [B, heads, T, T]);
  return D;
}
