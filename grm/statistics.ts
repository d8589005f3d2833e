// Statistics of numbers in plain arrays, on the host and portable: what rewards of pairs say, intervals,
// calibration, correlation, the bootstrap. Nothing here knows a model.
// Next: evaluation.ts, which applies them.

import { ArgumentError, portable, type Random } from "../core/index.ts";

const { exp, log } = portable;

/** ln(1 + e^x) without overflow. */
export function softplus(x: number): number {
  return Math.max(x, 0) + log(1 + exp(-Math.abs(x)));
}

/** 1 / (1 + e^-x) without overflow. */
export function sigmoid(x: number): number {
  const e = exp(-Math.abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/** Arithmetic mean; NaN of nothing. */
export function mean(x: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] ?? 0;
  return sum / x.length;
}

/** What the rewards of pairs say. */
export interface PairSummary {
  /** Mean of -log σ(r_c - r_r). */
  readonly loss: number;
  /** Share of pairs whose chosen answer has the higher reward; ties count half. */
  readonly accuracy: number;
  /** Pairs with equal rewards. */
  readonly ties: number;
  /** Mean of r_c - r_r. */
  readonly margin: number;
  readonly chosenReward: number;
  readonly rejectedReward: number;
}

/** Rewards of chosen and rejected answers, pair by pair. */
export function summarize(r_c: ArrayLike<number>, r_r: ArrayLike<number>): PairSummary {
  const differences = Float64Array.from(r_c, (r, i) => r - (r_r[i] ?? Number.NaN));
  const wins = winsOf(r_c, r_r);
  return {
    loss: mean(differences.map((d) => softplus(-d))),
    accuracy: mean(wins),
    ties: wins.filter((win) => win === 0.5).length,
    margin: mean(differences),
    chosenReward: mean(r_c),
    rejectedReward: mean(r_r),
  };
}

/** Of each pair: 1 if the chosen answer has the higher reward, 0 if the rejected one has, ½ for a tie. */
export function winsOf(r_c: ArrayLike<number>, r_r: ArrayLike<number>): Float64Array {
  return Float64Array.from(r_c, (r, i) => {
    const other = r_r[i] ?? Number.NaN;
    return r > other ? 1 : r === other ? 0.5 : 0;
  });
}

// --- Intervals ---------------------------------------------------------------------------------------

/** A share with its 95 % interval. */
export interface Share {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** The 97.5 % quantile of the normal distribution. */
const z = 1.959963984540054;

/** A share of wins with Wilson's 95 % interval (1927), which stays within [0, 1]; half wins may be among them. */
export function wilson(wins: ArrayLike<number>): Share {
  const n = wins.length;
  const p = mean(wins);
  const scale = 1 / (1 + (z * z) / n);
  const centre = scale * (p + (z * z) / (2 * n));
  const half = scale * z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return { value: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half), count: n };
}

/** A difference of means with what the bootstrap says of it. */
export interface Difference {
  readonly value: number;
  /** The 95 % percentile interval. */
  readonly low: number;
  readonly high: number;
  /** Two-sided: how often resampling crosses zero. */
  readonly p: number;
  readonly count: number;
  readonly rounds: number;
}

/**
 * mean(a) - mean(b) of numbers on the same items, by the paired bootstrap: items are drawn with
 * replacement, both numbers of each together (Efron and Tibshirani 1993).
 */
export function pairedBootstrap(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { rng, rounds = 10_000 }: { readonly rng: Random; readonly rounds?: number },
): Difference {
  const n = a.length;
  if (n === 0 || b.length !== n) {
    throw new ArgumentError(
      `pairedBootstrap: got ${n} and ${b.length} numbers; needed as many of both, at least one`,
    );
  }
  const differences = Float64Array.from(a, (x, i) => x - (b[i] ?? 0));
  const means = new Float64Array(rounds);
  for (let round = 0; round < rounds; round++) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += differences[Math.floor(rng.uniform() * n)] ?? 0;
    means[round] = sum / n;
  }
  means.sort();
  const below = means.filter((x) => x <= 0).length;
  const above = means.filter((x) => x >= 0).length;
  return {
    value: mean(differences),
    low: quantile(means, 0.025),
    high: quantile(means, 0.975),
    p: Math.min(1, (2 * (Math.min(below, above) + 1)) / (rounds + 1)),
    count: n,
    rounds,
  };
}

/** The value below which a share `q` of sorted numbers lies, interpolated. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const [low, high] = [Math.floor(at), Math.ceil(at)].map((i) => sorted[i] ?? Number.NaN);
  return (low ?? 0) + ((high ?? 0) - (low ?? 0)) * (at - Math.floor(at));
}

// --- Calibration -------------------------------------------------------------------------------------

/** Pairs of about the same confidence σ(r_c - r_r): how often they were right. */
export interface CalibrationBin {
  /** Confidences from low to high, the highest bin with its upper end. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
  /** Means over the bin; null if it is empty. */
  readonly confidence: number | null;
  readonly accuracy: number | null;
}

/** How far the confidence σ(r_c - r_r) can be believed. */
export interface Calibration {
  readonly bins: readonly CalibrationBin[];
  /** Expected calibration error: the mean gap between confidence and accuracy, weighted by count. */
  readonly ece: number;
  /** Mean of (1 - σ(r_c - r_r))². 0.25 is what saying nothing costs. */
  readonly brier: number;
  /** T that makes σ((r_c - r_r) / T) fit best; null if none does (all right, or no better than chance). */
  readonly temperature: number | null;
}

/**
 * Whether a reward model is as sure as it should be. Its confidence in a pair is σ(|r_c - r_r|), from ½ to
 * 1; it is right if the chosen answer has the higher reward.
 */
export function calibration(differences: ArrayLike<number>, bins = 10): Calibration {
  const pairs = Array.from(differences, (d) => {
    const confidence = sigmoid(Math.abs(d));
    const bin = Math.min(bins - 1, Math.floor((2 * confidence - 1) * bins));
    return { confidence, right: d > 0 ? 1 : d === 0 ? 0.5 : 0, bin };
  });
  const table = Array.from({ length: bins }, (_, i) => {
    const own = pairs.filter(({ bin }) => bin === i);
    return {
      low: 0.5 + i / (2 * bins),
      high: 0.5 + (i + 1) / (2 * bins),
      count: own.length,
      confidence: own.length === 0 ? null : mean(own.map((pair) => pair.confidence)),
      accuracy: own.length === 0 ? null : mean(own.map((pair) => pair.right)),
    };
  });
  const gaps = table.map((b) => b.count * Math.abs((b.confidence ?? 0) - (b.accuracy ?? 0)));
  return {
    bins: table,
    ece: gaps.reduce((sum, gap) => sum + gap, 0) / pairs.length,
    brier: mean(Array.from(differences, (d) => (1 - sigmoid(d)) ** 2)),
    temperature: fitTemperature(differences),
  };
}

/** The T > 0 that minimises mean -log σ(d / T), which is convex in a = 1/T: bisection of its slope. */
export function fitTemperature(differences: ArrayLike<number>): number | null {
  const slope = (a: number): number =>
    -mean(Array.from(differences, (d) => (d === 0 ? 0 : d * sigmoid(-a * d))));
  let [low, high] = [1e-6, 1e6];
  if (!(slope(low) < 0) || !(slope(high) > 0)) return null;
  for (let i = 0; i < 100; i++) {
    const middle = Math.sqrt(low * high);
    if (slope(middle) < 0) low = middle;
    else high = middle;
  }
  return 1 / Math.sqrt(low * high);
}

// --- Distributions and correlation -------------------------------------------------------------------

/** Counts of numbers between edges of equal distance. */
export interface Histogram {
  /** One more than counts. */
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

/** Counts in bins of equal width; with `like`, in the bins that cover those numbers as well. */
export function histogram(
  values: ArrayLike<number>,
  { bins = 20, like = values }: { readonly bins?: number; readonly like?: ArrayLike<number> } = {},
): Histogram {
  const all = [...Array.from(values), ...Array.from(like)];
  const low = all.reduce((least, x) => Math.min(least, x), Infinity);
  const high = all.reduce((most, x) => Math.max(most, x), -Infinity);
  if (all.length === 0) return { edges: [], counts: [] };
  const width = high > low ? (high - low) / bins : 1;
  const counts = new Array<number>(bins).fill(0);
  for (const x of Array.from(values)) {
    const bin = Math.min(bins - 1, Math.floor((x - low) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { edges: Array.from({ length: bins + 1 }, (_, i) => low + i * width), counts };
}

/** √ of the mean squared distance from the mean. */
export function deviation(x: ArrayLike<number>): number {
  const centre = mean(x);
  return Math.sqrt(mean(Array.from(x, (value) => (value - centre) ** 2)));
}

/** Pearson's correlation; null where one of both doesn't vary. */
export function correlation(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  const [mx, my] = [mean(x), mean(y)];
  const product = mean(Array.from(x, (value, i) => (value - mx) * ((y[i] ?? 0) - my)));
  const scale = deviation(x) * deviation(y);
  return scale > 0 ? product / scale : null;
}

/** Spearman's: the correlation of ranks, of which ties share the mean. */
export function rankCorrelation(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  return correlation(ranks(x), ranks(y));
}

function ranks(x: ArrayLike<number>): Float64Array {
  const order = Array.from(x, (_, i) => i).sort((a, b) => (x[a] ?? 0) - (x[b] ?? 0));
  const result = new Float64Array(x.length);
  for (let i = 0; i < order.length; ) {
    let end = i + 1;
    while (end < order.length && x[order[end] ?? 0] === x[order[i] ?? 0]) end++;
    for (let k = i; k < end; k++) result[order[k] ?? 0] = (i + end - 1) / 2;
    i = end;
  }
  return result;
}
