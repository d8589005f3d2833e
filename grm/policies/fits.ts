// Curves through gold against distance (2210.10760, section 3.1): with d = sqrt(KL), what best-of-n gains
// is d (a - b d), what reinforcement learning gains is d (a - b ln d). a is how fast gold rises at first,
// b what over-optimisation takes away. Both are linear in a and b, so least squares has a closed form.
// Intervals are the bootstrap's, over whole curves (prompts, or seeds): points of one curve move together.
// Next: ../../report/panels.ts.

import { ArgumentError, portable, type Random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { checkFinite, middle } from "../statistics/index.ts";

const takes = signatures({
  curveAt: 'fit: { a: number, b: number, ... }, form: "bon" | "rl", kl: number',
  fitCurve: 'kls: number[], gains: number[], form: "bon" | "rl"',
  fitCurves:
    'curves: any[], form: "bon" | "rl", { rng: Random, resamples?: number, level?: number }',
});

const { exp, log } = portable;

/** The shape of gold reward over KL: of best-of-n, or of reinforcement learning (2210.10760, section 3). */
export type CurveForm = "bon" | "rl";

/** Coefficients of a curve of gold reward over d = √KL, KL in nats. */
export interface Fit {
  readonly a: number;
  readonly b: number;
  /** The KL, in nats, where the curve is highest; null if it only rises or only falls. */
  readonly peakKL: number | null;
}

/** d (a - b d) for "bon", d (a - b ln d) for "rl", at a KL in nats; 0 at 0. */
export function curveAt(fit: Pick<Fit, "a" | "b">, form: CurveForm, kl: number): number {
  accept(takes.curveAt, arguments);
  const { a, b } = fit;
  const d = Math.sqrt(Math.max(0, kl));
  return d === 0 ? 0 : d * (a - b * penalty(form, d));
}

function penalty(form: CurveForm, d: number): number {
  return form === "bon" ? d : log(d);
}

/** Least squares of gains over no optimisation [N], at KLs [N] in nats; at least two different KLs > 0. */
export function fitCurve(kls: ArrayLike<number>, gains: ArrayLike<number>, form: CurveForm): Fit {
  accept(takes.fitCurve, arguments);
  const fit = leastSquares(kls, gains, form);
  if (fit !== null) return fit;
  throw new ArgumentError(
    "fitCurve: the points leave a and b open; needed gains at two or more different KLs > 0",
  );
}

/** The fit; null where the points leave it open. */
function leastSquares(
  kls: ArrayLike<number>,
  gains: ArrayLike<number>,
  form: CurveForm,
): Fit | null {
  if (kls.length !== gains.length)
    throw new ArgumentError(
      `fitCurve: ${kls.length} KLs and ${gains.length} gains; needed as many`,
    );
  checkFinite(kls, (i) => `fitCurve: KL ${i}`);
  checkFinite(gains, (i) => `fitCurve: gain ${i}`);
  let [uu, uv, vv, uy, vy] = [0, 0, 0, 0, 0];
  for (let i = 0; i < kls.length; i++) {
    const kl = kls[i] ?? 0;
    if (!(kl > 0)) continue; // d = 0 says nothing of a and b
    const d = Math.sqrt(kl);
    const [u, v, y] = [d, -d * penalty(form, d), gains[i] ?? 0];
    uu += u * u;
    uv += u * v;
    vv += v * v;
    uy += u * y;
    vy += v * y;
  }
  const determinant = uu * vv - uv * uv;
  if (!(determinant > 1e-12 * uu * vv)) return null;
  const a = (uy * vv - vy * uv) / determinant;
  const b = (vy * uu - uy * uv) / determinant;
  return { a, b, peakKL: peakOf(a, b, form) };
}

/** d = a / 2b for "bon", e^(a/b - 1) for "rl". */
function peakOf(a: number, b: number, form: CurveForm): number | null {
  if (!(b > 0) || (form === "bon" && !(a > 0))) return null;
  const d = form === "bon" ? a / (2 * b) : exp(a / b - 1);
  return d * d;
}

/** The ends of an interval. */
export type Span = readonly [low: number, high: number];

/** A fit, with intervals over resamples of its curves. */
export interface FitWithIntervals extends Fit {
  readonly aInterval: Span;
  readonly bInterval: Span;
  /** Of the resamples that have a peak; null if none has. */
  readonly peakInterval: Span | null;
  /** Share of the resamples that have a peak. */
  readonly peakShare: number;
}

/** How intervals are resampled. */
export interface BootstrapOptions {
  readonly rng: Random;
  /** Default 1000. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly level?: number;
}

type FitBy<F> = (kls: ArrayLike<number>, gains: ArrayLike<number>, form: CurveForm) => F;

/** A curve of one prompt or seed: gains at KLs. */
export interface Curve {
  readonly kls: ArrayLike<number>;
  readonly gains: ArrayLike<number>;
}

/**
 * The fit through all points of some curves, with percentile intervals over resampled curves, of those resamples
 * that don't leave a and b open.
 */
export function fitCurves(
  curves: readonly Curve[],
  form: CurveForm,
  options: BootstrapOptions,
): FitWithIntervals {
  accept(takes.fitCurves, arguments);
  const { rng, resamples = 1000, level = 0.95 } = options;
  const fitOf = <F>(some: readonly Curve[], fit: FitBy<F>): F => {
    const join = (part: (curve: Curve) => ArrayLike<number>): number[] =>
      some.flatMap((curve) => Array.from(part(curve)));
    return fit(
      join(({ kls }) => kls),
      join(({ gains }) => gains),
      form,
    );
  };
  const whole = fitOf(curves, fitCurve);
  const drawn = Array.from({ length: resamples }, () =>
    fitOf(
      curves.map(() => curves[rng.integer(0, curves.length)] as Curve),
      leastSquares,
    ),
  ).filter((fit) => fit !== null);
  const peaks = drawn.flatMap(({ peakKL }) => peakKL ?? []);
  const between = (values: readonly number[]): Span =>
    middle(
      values.toSorted((x, y) => x - y),
      level,
    );
  return {
    ...whole,
    aInterval: between(drawn.map(({ a }) => a)),
    bInterval: between(drawn.map(({ b }) => b)),
    peakInterval: peaks.length === 0 ? null : between(peaks),
    peakShare: peaks.length / drawn.length,
  };
}
