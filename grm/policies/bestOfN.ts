// Best-of-n: draw n answers, keep the one that a proxy likes best. What it would give for every n is
// computed from one pool of m >= n answers to a prompt, as the mean over all ways to draw n of them, which
// varies far less than "the best of the first n". And where a distribution is known outright: best-of-n's
// exact KL, and the most gold that any policy gets at a given KL.
// Next: kl.ts for ln n - (n-1)/n, fits.ts for curves through the results.

import { ArgumentError, portable } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { checkFinite, mean } from "../statistics/index.ts";

const takes = signatures({
  bestOfN: "scores: number[], values: number[], n: number",
  bestOfNCurve: "scores: number[], values: number[], ns: number[]",
  logSpaced: "most: number, count: number",
  bestOfNDistribution: "probabilities: number[], scores: number[], n: number",
  exactKL: "p: number[], q: number[]",
  goldOptimum: "q: number[], gold: number[], kl: number",
});

const { exp, log } = portable;

/**
 * The mean, over all draws of n of the m answers without replacement, of `value` at the draw's highest
 * score: Σ_i C(i-1, n-1)/C(m, n) value_(i), with (i) the i-th smallest score (the estimator of 2112.09332).
 * Answers that tie are equally likely to be chosen. One prompt's scores and values [m], n in 1..m.
 */
export function bestOfN(scores: ArrayLike<number>, values: ArrayLike<number>, n: number): number {
  accept(takes.bestOfN, arguments);
  return bestOfNCurve(scores, values, [n])[0] ?? Number.NaN;
}

/** bestOfN for several n: the scores are sorted once. */
export function bestOfNCurve(
  scores: ArrayLike<number>,
  values: ArrayLike<number>,
  ns: readonly number[],
): number[] {
  accept(takes.bestOfNCurve, arguments);
  const m = scores.length;
  const wrong = ns.find((n) => !Number.isSafeInteger(n) || n < 1 || n > m);
  if (wrong !== undefined || values.length !== m) {
    throw new ArgumentError(
      `bestOfN: ${m} scores, ${values.length} values, n = ${wrong ?? ns}; needed as many, and n in 1..${m}`,
    );
  }
  const noNumber = Array.from(values).findIndex(Number.isNaN);
  if (noNumber >= 0) throw new ArgumentError(`bestOfN: value ${noNumber} is no number`);
  const sorted = valuesByScore(scores, values);
  return ns.map((n) => {
    let weight = n / m; // of i = m; C(i-2, n-1)/C(i-1, n-1) = (i - n)/(i - 1) leads from i to i - 1
    let sum = 0;
    for (let i = m; i >= n; i--) {
      sum += weight * (sorted[i - 1] ?? 0);
      weight *= (i - n) / (i - 1);
    }
    return sum;
  });
}

/** Values by rising score, those of equal scores replaced by their mean. */
function valuesByScore(scores: ArrayLike<number>, values: ArrayLike<number>): Float64Array {
  const order = orderOf(scores);
  const sorted = Float64Array.from(order, (i) => values[i] ?? 0);
  for (const [from, to] of tiesOf(order, scores)) {
    const tied = sorted.subarray(from, to);
    tied.fill(mean(tied));
  }
  return sorted;
}

/** Indices by rising score; an ArgumentError for a score that is no number. */
function orderOf(scores: ArrayLike<number>): number[] {
  const order = Array.from(scores, (score, i) => {
    if (Number.isNaN(score)) throw new ArgumentError(`bestOfN: score ${i} is no number`);
    return i;
  });
  return order.sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
}

/** Runs of equal scores in an order, as [from, to). */
function tiesOf(order: readonly number[], scores: ArrayLike<number>): [number, number][] {
  const starts = order.flatMap((i, at) =>
    at === 0 || scores[i] !== scores[order[at - 1] ?? 0] ? [at] : [],
  );
  return starts.map((from, i) => [from, starts[i + 1] ?? order.length]);
}

/** About `count` whole numbers from 1 to `most`, equally far apart in their logarithm. */
export function logSpaced(most: number, count: number): number[] {
  accept(takes.logSpaced, arguments);
  const all = Array.from({ length: count }, (_, i) =>
    Math.round(exp((log(most) * i) / Math.max(1, count - 1))),
  );
  return [...new Set(all)];
}

// --- Where the distribution is known -----------------------------------------------------------------

/**
 * Best-of-n's own distribution over answers of known probabilities [m]: F(<= score)^n - F(< score)^n for
 * each score, shared among answers that tie in proportion to their probabilities.
 */
export function bestOfNDistribution(
  probabilities: ArrayLike<number>,
  scores: ArrayLike<number>,
  n: number,
): Float64Array {
  accept(takes.bestOfNDistribution, arguments);
  const order = orderOf(scores);
  const chosen = new Float64Array(order.length);
  let below = 0;
  for (const [from, to] of tiesOf(order, scores)) {
    const tied = order.slice(from, to);
    const mass = tied.reduce((sum, i) => sum + (probabilities[i] ?? 0), 0);
    if (mass === 0) continue;
    const won = portable.pow(Math.min(1, below + mass), n) - portable.pow(below, n);
    for (const i of tied) chosen[i] = (won * (probabilities[i] ?? 0)) / mass;
    below += mass;
  }
  return chosen;
}

/** KL(p ‖ q) of two lists of probabilities, in nats; never below 0, though its sum may round to that. */
export function exactKL(p: ArrayLike<number>, q: ArrayLike<number>): number {
  accept(takes.exactKL, arguments);
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const mass = p[i] ?? 0;
    if (mass !== 0) sum += mass * log(mass / (q[i] ?? 0)); // NaN stays NaN
  }
  return Math.max(0, sum);
}

/**
 * The most mean gold within a KL from probabilities q [m]: that of p ∝ q e^(λ gold), which is best among
 * all with its KL; λ by bisection, with gold in units of its range. Answers of probability 0 count for
 * nothing, whatever their gold. At a KL from ln 1/q(best) on it is the best gold itself. An ArgumentError
 * for a KL below 0 and for numbers that are none.
 */
export function goldOptimum(q: ArrayLike<number>, gold: ArrayLike<number>, kl: number): number {
  accept(takes.goldOptimum, arguments);
  if (!(kl >= 0)) throw new ArgumentError(`goldOptimum: the KL is ${kl}; needed a number >= 0`);
  checkFinite(q, (i) => `goldOptimum: probability ${i}`);
  const possible = Array.from(q, (mass, i) => ({ mass, gold: gold[i] ?? Number.NaN })).filter(
    ({ mass }) => mass > 0,
  );
  checkFinite(
    possible.map((one) => one.gold),
    (i) => `goldOptimum: the gold of possible answer ${i}`,
  );
  const masses = possible.map(({ mass }) => mass);
  const most = possible.reduce((best, one) => Math.max(best, one.gold), -Infinity);
  const least = possible.reduce((worst, one) => Math.min(worst, one.gold), Infinity);
  const best = possible.reduce((sum, one) => sum + (one.gold === most ? one.mass : 0), 0);
  if (most === least || kl >= -log(best)) return most;
  const unit = most - least < Infinity ? 1 : 0.25; // a difference of two numbers may be larger than any
  const range = unit * most - unit * least;
  const behind = possible.map((one) => (unit * most - unit * one.gold) / range); // 0 the best, 1 the worst
  const tilted = (lambda: number): Float64Array => {
    const p = Float64Array.from(masses, (mass, i) => mass * exp(-lambda * (behind[i] ?? 0)));
    const total = p.reduce((sum, x) => sum + x, 0);
    return p.map((x) => x / total);
  };
  const reaches = (lambda: number): boolean => exactKL(tilted(lambda), masses) >= kl;
  let [low, high] = [0, 1];
  while (high < 2 ** 1000 && !reaches(high)) [low, high] = [high, 2 * high];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (reaches(middle)) high = middle;
    else low = middle;
  }
  return tilted(low).reduce((sum, p, i) => sum + p * (possible[i]?.gold ?? 0), 0);
}
