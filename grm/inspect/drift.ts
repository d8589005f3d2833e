// How far training has moved the hidden states: what a base said of some tokens against what a model that
// was trained from it says of the same tokens, layer by layer. One number isn't enough: CKA sees the
// arrangement of tokens and neither turns nor scale, the cosine sees the direction of each token, the
// norms see scale, and the effective rank how many directions are in use.
// Next: states.ts for where states come from.

import { ArgumentError, portable } from "../../core/index.ts";
import { accept, signature, signatures } from "../../core/signature.ts";
import { cosine, deviation, dot, inUnits, mean, norm } from "../statistics/index.ts";
import {
  centredColumns,
  crossProduct,
  type Matrix,
  rowOf,
  symmetricEigenvalues,
} from "./matrix.ts";
import type { States } from "./states.ts";

const takes = signatures({
  linearCKA: "x: { rows: number, cols: number, ... }, y: { rows: number, cols: number, ... }",
  effectiveRank: "x: { rows: number, cols: number, ... }",
  rankOf: "values: number[]",
  drift: "base: object, model: object",
  driftFrom: "base: object",
  tokenCosines: "x: { rows: number, cols: number, ... }, y: { rows: number, cols: number, ... }",
});
const takesLayer = signature("drift", "states: { rows: number, cols: number, ... }");

/**
 * Linear centred kernel alignment of x [N,C] and y [N,D], the same N tokens in both: 1 where they are alike
 * up to rotation and uniform scaling, 0 on average where they have nothing in common. Kornblith et al.
 * (1905.00414, section 3) divide |xᵀy|² by |xᵀx| |yᵀy|, which tends to 1 for whatever states where tokens
 * are fewer than C; this is the debiased estimate (Nguyen et al., 2010.15327, section 2), each of the three
 * without the part that a token has in common with itself. By chance it may be below 0. Null if one doesn't
 * vary, and for fewer than four tokens.
 */
export function linearCKA(x: Matrix, y: Matrix): number | null {
  accept(takes.linearCKA, arguments);
  return alignment(centredStates(x), centredStates(y));
}

/** States centred, in moderate units, and xᵀx of them: what one side of a comparison needs once. */
interface CentredStates {
  readonly x: Matrix;
  readonly gram: Matrix;
  /** Their HSIC with themselves. */
  readonly own: number;
}

function centredStates(states: Matrix): CentredStates {
  const x = inModerateUnits(centredColumns(states));
  const gram = crossProduct(x, x);
  return { x, gram, own: alikeness(x, x, gram) };
}

function alignment(a: CentredStates, b: CentredStates): number | null {
  const scale = Math.sqrt(a.own * b.own);
  const shared = alikeness(a.x, b.x, crossProduct(a.x, b.x));
  return scale > 0 ? Math.max(-1, Math.min(1, shared / scale)) : null;
}

/** n (n-3) times the unbiased HSIC of linear kernels (Song et al. 2012, equation 4), of centred columns and aᵀb. */
function alikeness(a: Matrix, b: Matrix, { data: product }: Matrix): number {
  const n = a.rows;
  if (n < 4) return 0;
  const [p, q] = [squaredNorms(a), squaredNorms(b)];
  const [whole, pairs, each] = [dot(product, product), sumOf(p) * sumOf(q), dot(p, q)];
  const found = whole - (n / (n - 2)) * each + pairs / ((n - 1) * (n - 2));
  return Math.abs(found) > 1e-13 * (whole + each + pairs / n) ? found : 0;
}

function squaredNorms(x: Matrix): Float64Array {
  return Float64Array.from({ length: x.rows }, (_, i) => dot(rowOf(x, i), rowOf(x, i)));
}

function sumOf(x: Float64Array): number {
  return x.reduce((sum, value) => sum + value, 0);
}

/** A matrix, by one factor if need be, such that squares of its squares are doubles. */
function inModerateUnits(x: Matrix): Matrix {
  return { ...x, data: Float64Array.from(inUnits(x.data).values) };
}

/**
 * e^H of the singular values of the centred x [N,C] taken as shares: how many directions are in use, from
 * 1 to min(N, C) (Roy and Vetterli 2007). Null if nothing varies, or not all of it is finite.
 */
export function effectiveRank(x: Matrix): number | null {
  accept(takes.effectiveRank, arguments);
  return x.data.every(Number.isFinite) ? rankBehind(centredStates(x)) : null;
}

function rankBehind({ gram }: CentredStates): number | null {
  const squares = symmetricEigenvalues(gram); // of singular values, up to rounding
  const largest = squares[0] ?? 0;
  return rankOf(squares.map((square) => (square > 1e-14 * largest ? Math.sqrt(square) : 0)));
}

/** e^H of numbers >= 0 taken as shares of their sum, H = -Σ p ln p. */
export function rankOf(values: ArrayLike<number>): number | null {
  accept(takes.rankOf, arguments);
  const list = Array.from(values);
  const total = list.reduce((sum, value) => sum + value, 0);
  if (!(total > 0)) return null;
  const terms = list.map((value) =>
    value > 0 ? (value / total) * portable.log(value / total) : 0,
  );
  return portable.exp(-terms.reduce((sum, term) => sum + term, 0));
}

/** Lengths of the states of tokens. */
export interface Norms {
  readonly mean: number;
  /** Deviation over tokens, divided by the mean. */
  readonly spread: number;
}

/** Of one layer; "base" and "model" say of whom. */
export interface LayerDrift {
  readonly name: string;
  readonly cka: number | null;
  /** Mean over tokens of cos(base state, state). */
  readonly cosine: number;
  readonly norms: { readonly base: Norms; readonly model: Norms };
  readonly effectiveRank: { readonly base: number | null; readonly model: number | null };
}

/** Layer by layer, states of the same tokens before and after training. */
export function drift(base: States, model: States): LayerDrift[] {
  accept(takes.drift, arguments);
  return driftFrom(base)(model);
}

/** drift() from one base for any number of models: what only depends on the base is computed once. */
export function driftFrom(base: States): (model: States) => LayerDrift[] {
  accept(takes.driftFrom, arguments);
  const sides = Object.entries(base).map(([name, x]) => ({ name, before: sideOf(x) }));
  return (model) =>
    sides.map(({ name, before }) => {
      const { states: x } = before;
      const y = model[name];
      if (y === undefined || y.rows !== x.rows || y.cols !== x.cols) {
        throw new ArgumentError(
          `drift: "${name}" is [${x.rows},${x.cols}] of the base and ` +
            `${y === undefined ? "missing" : `[${y.rows},${y.cols}]`} of the model; needed the same tokens of both`,
        );
      }
      const after = sideOf(y);
      return {
        name,
        cka: alignment(before.centred, after.centred),
        cosine: mean(tokenCosines(x, y)),
        norms: { base: before.norms, model: after.norms },
        effectiveRank: { base: before.effectiveRank, model: after.effectiveRank },
      };
    });
}

/** States of one model at one layer, and what a comparison needs of them. */
interface Side {
  readonly states: Matrix;
  readonly centred: CentredStates;
  readonly norms: Norms;
  readonly effectiveRank: number | null;
}

function sideOf(states: Matrix): Side {
  accept(takesLayer, [states]);
  const centred = centredStates(states);
  const isFinite = states.data.every(Number.isFinite);
  const effectiveRank = isFinite ? rankBehind(centred) : null;
  return { states, centred, norms: normsOf(states), effectiveRank };
}

/** cos(x_i, y_i) of each row, [N]; 1 where both are 0, 0 where one is, NaN where a state holds no finite number. */
export function tokenCosines(x: Matrix, y: Matrix): Float64Array {
  accept(takes.tokenCosines, arguments);
  return Float64Array.from({ length: x.rows }, (_, i) => {
    const [a, b] = [rowOf(x, i), rowOf(y, i)];
    const [p, q] = [norm(a), norm(b)];
    if (!Number.isFinite(p + q)) return Number.NaN;
    return cosine(a, b) ?? (p === q ? 1 : 0);
  });
}

function normsOf(x: Matrix): Norms {
  const lengths = Float64Array.from({ length: x.rows }, (_, i) => norm(rowOf(x, i)));
  const average = mean(lengths);
  return { mean: average, spread: average === 0 ? 0 : deviation(lengths) / average };
}
