// What is concluded from all seeds: mean curves with intervals over seeds, how far gold falls from its
// highest point to the end, fits, and differences between reward models, paired by seed.
// Next: report.ts, which writes it down.

import { random } from "../../core/index.ts";
import { type FitWithIntervals, fitCurves } from "../../grm/policies/fits.ts";
import { type Interval, interval, signOf } from "../../grm/statistics/index.ts";
import type { JudgeName } from "./plan.ts";
import { type CurveResult, type MethodName, methodNames, type SeedResult } from "./results.ts";

/** What is known of a curve's point. */
export interface MeanPoint {
  /** n, or rounds. */
  readonly at: number;
  /** Mean over seeds, in nats. */
  readonly kl: number;
  readonly proxy: Interval;
  readonly gold: Interval;
  readonly length: Interval;
  readonly fluency: Interval;
}

/** A judge, optimised in one way, over all seeds. */
export interface Course {
  readonly method: MethodName;
  readonly judge: JudgeName;
  readonly points: readonly MeanPoint[];
  /** The point whose mean gold is highest; chosen on these very seeds, which flatters it a little. */
  readonly highest: MeanPoint;
  /** gold at the end less gold at the highest point, paired by seed. */
  readonly fall: Interval;
  /** null where the points don't determine one, or the judge is the gold itself. */
  readonly fit: FitWithIntervals | null;
}

/** All courses, methods in their order, judges as the plan has them. */
export function coursesOf(seeds: readonly SeedResult[]): Course[] {
  const first = seeds[0]?.curves ?? [];
  return methodNames.flatMap((method) =>
    first
      .filter((curve) => curve.method === method)
      .map(({ judge }) => courseOf(seeds, method, judge)),
  );
}

/** The curves of one method and judge, a seed each. */
function curvesOf(
  seeds: readonly SeedResult[],
  method: MethodName,
  judge: JudgeName,
): readonly CurveResult[] {
  return seeds.flatMap(
    ({ curves }) => curves.find((one) => one.method === method && one.judge === judge) ?? [],
  );
}

function courseOf(seeds: readonly SeedResult[], method: MethodName, judge: JudgeName): Course {
  const curves = curvesOf(seeds, method, judge);
  const over = (field: "kl" | "proxy" | "gold" | "length" | "fluency", i: number): Interval =>
    interval(curves.map((curve) => curve[field][i] ?? Number.NaN));
  const points = (curves[0]?.at ?? []).map((at, i) => ({
    at,
    kl: over("kl", i).mean,
    proxy: over("proxy", i),
    gold: over("gold", i),
    length: over("length", i),
    fluency: over("fluency", i),
  }));
  const best = points.reduce(
    (top, p, i) => (p.gold.mean > (points[top]?.gold.mean ?? 0) ? i : top),
    0,
  );
  const falls = curves.map(({ gold }) => (gold.at(-1) ?? 0) - (gold[best] ?? 0));
  return {
    method,
    judge,
    points,
    highest: points[best] as MeanPoint,
    fall: interval(falls),
    fit: judge === "gold" ? null : fitOf(curves, method),
  };
}

/** Gao et al.'s curve through the gains of all seeds; null if there is too little to fit. */
function fitOf(curves: readonly CurveResult[], method: MethodName): FitWithIntervals | null {
  const gains = curves.map(({ kl, gold }) => ({
    kls: kl,
    gains: gold.map((value) => value - (gold[0] ?? 0)),
  }));
  const distances = new Set(gains.flatMap(({ kls }) => kls.filter((kl) => kl > 0)));
  if (distances.size < 2) return null;
  return fitCurves(gains, method === "bon" ? "bon" : "rl", { rng: random("bootstrap") });
}

/** gold at the end against one judge's less another's, paired by seed; null if one wasn't there. */
export function endDifference(
  seeds: readonly SeedResult[],
  method: MethodName,
  judge: JudgeName,
  other: JudgeName,
): Interval | null {
  const ends = (name: JudgeName): number[] =>
    curvesOf(seeds, method, name).map(({ gold }) => gold.at(-1) ?? Number.NaN);
  const [own, others] = [ends(judge), ends(other)];
  if (own.length === 0 || others.length !== own.length) return null;
  return interval(own.map((value, i) => value - (others[i] ?? 0)));
}

/** The KL, in nats, at which policies are compared: they go at different speeds, and one end is no other's. */
export const equalKL = 5;

/** gold where a curve first reaches a KL, on the line between its points; null if it never does. */
export function goldAtKL(
  { kl, gold }: Pick<CurveResult, "kl" | "gold">,
  target: number,
): number | null {
  const i = kl.findIndex((value) => value >= target);
  if (i < 0) return null;
  const [k0, k1] = [kl[i - 1] ?? 0, kl[i] ?? 0];
  const [g0, g1] = [gold[i - 1] ?? gold[i] ?? 0, gold[i] ?? 0];
  return g0 + ((g1 - g0) * (target - k0)) / (k1 - k0 || 1);
}

/** gold at that KL over the seeds that reach it, less another judge's if one is named; null for none. */
export function atEqualKL(
  seeds: readonly SeedResult[],
  method: MethodName,
  judge: JudgeName,
  less?: JudgeName,
): Interval | null {
  const at = (seed: SeedResult, name: JudgeName): number | null => {
    const [curve] = curvesOf([seed], method, name);
    return curve === undefined ? null : goldAtKL(curve, equalKL);
  };
  const values = seeds.flatMap((seed) => {
    const own = at(seed, judge);
    const other = less === undefined ? 0 : at(seed, less);
    return own === null || other === null ? [] : [own - other];
  });
  return values.length === 0 ? null : interval(values);
}

export const methodTitles: Readonly<Record<MethodName, string>> = {
  bon: "best-of-n",
  ppo: "PPO",
  rloo: "RLOO",
};

/** Whether plain BT was over-optimised, and what each GRM variant changed: a sentence for each, computed. */
export function verdict(seeds: readonly SeedResult[]): string[] {
  const courses = coursesOf(seeds);
  return methodNames.flatMap((method) => {
    const plain = courses.find((course) => course.method === method && course.judge === "bt");
    if (plain === undefined) return [];
    const others = courses.filter(
      ({ judge, ...course }) => course.method === method && judge.startsWith("grm-"),
    );
    return [
      plainSentence(plain, method),
      ...others.map(({ judge }) => grmSentence(seeds, method, judge)),
    ];
  });
}

function plainSentence({ highest, fall, points }: Course, method: MethodName): string {
  const where = `${method === "bon" ? "n" : "round"} ${highest.at} (KL ${highest.kl.toFixed(1)})`;
  const end = points.at(-1)?.at;
  const sign = signOf(fall);
  const found =
    sign < 0
      ? "over-optimised"
      : "not shown to be over-optimised: the interval holds 0, or there is one seed";
  return `${methodTitles[method]} against BT: gold is highest at ${where} and ends, at ${end}, ${signed(fall)} from there: ${found}.`;
}

/** Best-of-n ends at the same KL for all; policies are compared where their KL is the same. */
function grmSentence(seeds: readonly SeedResult[], method: MethodName, judge: JudgeName): string {
  const isBoN = method === "bon";
  const gap = isBoN
    ? endDifference(seeds, method, judge, "bt")
    : atEqualKL(seeds, method, judge, "bt");
  const where = isBoN
    ? `the end of ${methodTitles[method]}`
    : `a KL of ${equalKL} of ${methodTitles[method]}`;
  if (gap === null) return `  ${judge} and BT: no seed has both at ${where}.`;
  const found = { 1: "helps", 0: "no difference shown", [-1]: "harms" }[signOf(gap)];
  return `  ${judge} less BT at ${where}: ${signed(gap)} gold (${gap.n} seeds): ${found}.`;
}

/** +0.31 ± 0.12 */
export function signed({ mean, half }: Interval): string {
  const value = `${mean < 0 ? "-" : "+"}${Math.abs(mean).toFixed(2)}`;
  return half === null ? value : `${value} ± ${half.toFixed(2)}`;
}
