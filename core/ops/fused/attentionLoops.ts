// Attention as loops, forwards and backwards: one row of the pattern at a time, so that the T x S matrix is
// never stored; on the way back each row is computed again. Next: attention.ts.

import type { DType } from "../../dtype.ts";
import { DTypeError, ShapeError } from "../../errors.ts";
import type { Block, Spec } from "../../op.ts";
import { portable } from "../../portable.ts";
import {
  broadcastStrides,
  broadcastsTo,
  formatShape,
  type Shape,
  walkStrides,
} from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { type Drop, scaleOf, survives } from "./drop.ts";

/** Where the heads are: "bhtd" (default) before the positions, "bthd" after them, as projections leave them. */
export type HeadLayout = "bhtd" | "bthd";

/** Attention's options as its rules see them. */
export interface Attend {
  readonly layout: HeadLayout;
  readonly causal: boolean;
  readonly offset: number;
  readonly scale: number;
  readonly drop: Drop;
}

/** The same for packed heads. */
export interface Packed extends Attend {
  readonly heads: number;
  readonly kvHeads: number;
}

/** One query's row of the pattern, computed when it is needed. */
interface QueryRow {
  /** Which row of q and y it is, and which row of k and v its first key is. */
  readonly index: number;
  readonly keys: number;
  /** Place of key s in the mask. */
  readonly maskAt: (s: number) => number;
  /** Score of key s, -inf if it may not be seen. */
  readonly score: (s: number) => number;
}

/** What attention reads: shapes [..., H, T, D] and [..., Hkv, S, D]. */
type Inputs = readonly [q: Block, k: Block, v: Block, mask: Block | null];

/** Visits the rows of all heads in order. */
function eachRow([q, k, , mask]: Inputs, o: Attend, visit: (row: QueryRow) => void): void {
  const [T = 0, D = 0] = q.shape.slice(-2);
  const S = k.shape.at(-2) ?? 0;
  const H = q.shape.at(-3) ?? 1;
  // as the definition stores them: a mask of -1e9 leaves no digits of the product
  const round = q.dtype === "float32" ? Math.fround : (x: number) => x;
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
      return round(dot * o.scale + (mask !== null && mask.dtype !== "bool" ? m : 0));
    };
    visit({ keys, index, maskAt, score });
  });
}

/**
 * What a device's way back may read again of each query's row: its largest score, and Σ exp(score - largest).
 * Their logSumExp would be one number, but of large scores it keeps too few digits below the point.
 */
export interface Masses<T = Block> {
  readonly largest: T;
  readonly mass: T;
}

export function perQuery(shape: Shape, dtype: DType): Masses<Spec> {
  return { largest: { shape, dtype }, mass: { shape, dtype } };
}

/**
 * The row's pattern exp(score - largest) / mass, and the factor of each key after dropout. A row that sees
 * nothing has mass 0, and a pattern of zeros.
 */
function patternOf(
  row: QueryRow,
  S: number,
  drop: Drop,
  dtype: DType,
): { p: Float64Array; keep: Float64Array } & Masses<number> {
  const p = Float64Array.from({ length: S }, (_, s) => row.score(s));
  const max = p.reduce((best, x) => Math.max(best, x), -Infinity);
  const largest = max === -Infinity ? 0 : max;
  let mass = 0;
  for (let s = 0; s < S; s++) {
    const e = portable.exp((p[s] ?? 0) - largest);
    p[s] = e;
    mass += e;
  }
  for (let s = 0; mass !== 0 && s < S; s++) p[s] = (p[s] ?? 0) / mass;
  const keep = p.map((_, s) =>
    drop.p === 0 ? 1 : survives(row.index * S + s, drop) ? scaleOf(drop.p, dtype) : 0,
  );
  return { p, keep, largest, mass };
}

/** Fills y and what the way back reads again of its rows. */
export function attentionForward(y: Block, masses: Masses, inputs: Inputs, o: Attend): void {
  const [q, k, v] = inputs;
  const S = k.shape.at(-2) ?? 0;
  const D = v.shape.at(-1) ?? 0;
  eachRow(inputs, o, (row) => {
    const { p, keep, largest, mass } = patternOf(row, S, o.drop, q.dtype);
    for (let c = 0; c < D; c++) {
      let sum = 0;
      for (let s = 0; s < S; s++)
        sum += (p[s] ?? 0) * (keep[s] ?? 0) * (v.data[(row.keys + s) * D + c] ?? 0);
      y.data[row.index * D + c] = sum;
    }
    masses.largest.data[row.index] = largest;
    masses.mass.data[row.index] = mass;
  });
}

/** dv = pᵀ g; with dp = g vᵀ: ds = p (dp - Σ dp p) = dmask; dq = scale ds k; dk = scale dsᵀ q. */
export function attentionBackward(
  [dq, dk, dv, dmask]: readonly (Block | null)[],
  g: Block,
  inputs: Inputs,
  o: Attend,
): void {
  const [q, k, v] = inputs;
  const S = k.shape.at(-2) ?? 0;
  const [D, Dv] = [q.shape.at(-1) ?? 0, v.shape.at(-1) ?? 0];
  const [toQ, toK, toV, toMask] = inputs.map((x) => new Float64Array(x?.data.length ?? 0)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const add = (total: Float64Array, at: number, x: number): void => {
    total[at] = (total[at] ?? 0) + x;
  };
  eachRow(inputs, o, (row) => {
    const { p, keep } = patternOf(row, S, o.drop, q.dtype);
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

/** Throws unless a mask is of bools or of the inputs' dtype and broadcasts to the scores. */
export function checkMask(name: string, mask: Tensor, dtype: DType, scores: Shape): void {
  if (mask.dtype !== "bool" && mask.dtype !== dtype) {
    throw new DTypeError(`${name}: mask must be bool or ${dtype}, got ${mask.dtype}`);
  }
  if (!broadcastsTo(name, mask.shape, scores)) {
    throw new ShapeError(
      `${name}: mask ${formatShape(mask.shape)} doesn't broadcast to ${formatShape(scores)}`,
    );
  }
}

/** AttentionOptions (attention.ts), as they stand in a signature. */
export const attentionOptions =
  "causal?: boolean, offset?: number, mask?: Tensor | null, scale?: number, dropout?: { p: number, rng: Random }";
