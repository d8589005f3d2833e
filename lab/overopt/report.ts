// What a comparison says: a text table for the terminal and for RESULTS.md.
// Next: summary.ts for what is concluded; report/overoptFigure.ts draws the same numbers.

import type { FitWithIntervals, Span } from "../../grm/policies/fits.ts";
import { bestOfNKL } from "../../grm/policies/kl.ts";
import { type Interval, mean, plusMinus } from "../../grm/statistics/index.ts";
import type { JudgeName, OveroptPlan } from "./plan.ts";
import type { MethodName, SeedResult } from "./results.ts";
import {
  atEqualKL,
  coursesOf,
  endDifference,
  equalKL,
  type MeanPoint,
  methodTitles,
  signed,
  verdict,
} from "./summary.ts";

/** A mean with half of its interval. */
export const plain = (given: Interval): string => plusMinus(given, (x) => x.toFixed(2));

const columns = [
  "judge",
  "gold first",
  "highest",
  "at KL",
  "last",
  "last - highest",
  "last - BT's",
];
const policyColumns = [`at KL ${equalKL}`, "less BT's"];
const fitColumns = ["a", "b", "fitted peak KL"];

/** Rows of a method's table, the head first. */
export function rowsOf(seeds: readonly SeedResult[], method: MethodName): string[][] {
  const courses = coursesOf(seeds).filter((course) => course.method === method);
  const isPolicy = method !== "bon";
  const rows = courses.map(({ judge, points, highest, fall, fit }) => {
    const gap = judge === "bt" ? null : endDifference(seeds, method, judge, "bt");
    const [first, last] = [points[0], points.at(-1)] as [MeanPoint, MeanPoint];
    return [
      judge,
      first.gold.mean.toFixed(2),
      highest.gold.mean.toFixed(2),
      highest.kl.toFixed(1),
      plain(last.gold),
      signed(fall),
      gap === null ? "" : signed(gap),
      ...(isPolicy ? equalCells(seeds, method, judge) : []),
      ...fitCells(fit, last.kl),
    ];
  });
  if (rows.length === 0) return [];
  return [[...columns, ...(isPolicy ? policyColumns : []), ...fitColumns], ...rows];
}

/** With how many seeds reach it, where not all do. */
function equalCells(seeds: readonly SeedResult[], method: MethodName, judge: JudgeName): string[] {
  const cell = (found: Interval | null, show: (found: Interval) => string): string => {
    if (found === null) return "";
    return `${show(found)}${found.n < seeds.length ? ` (${found.n})` : ""}`;
  };
  return [
    cell(atEqualKL(seeds, method, judge), plain),
    judge === "bt" ? "" : cell(atEqualKL(seeds, method, judge, "bt"), signed),
  ];
}

function fitCells(fit: FitWithIntervals | null, farthest: number): string[] {
  if (fit === null) return ["", "", ""];
  const { a, b, peakKL, aInterval, bInterval, peakInterval, peakShare } = fit;
  const digits = (x: number): string => x.toFixed(2);
  const between = ([low, high]: Span): string => `[${digits(low)}, ${digits(high)}]`;
  const place = (kl: number): string =>
    kl > farthest ? `> ${farthest.toFixed(1)}` : kl.toFixed(1);
  const certain = peakShare === 1 ? "" : ` (in ${Math.floor(100 * peakShare)} %)`;
  const peak =
    peakKL === null || peakInterval === null
      ? "none"
      : `${place(peakKL)} [${place(peakInterval[0])}, ${place(peakInterval[1])}]${certain}`;
  return [`${digits(a)} ${between(aInterval)}`, `${digits(b)} ${between(bInterval)}`, peak];
}

/** Rows with their columns aligned. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, k) => Math.max(...rows.map((row) => row[k]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, k) => cell.padEnd(widths[k] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The methods of a comparison, in the order in which they were run. */
export const methodsOf = (seeds: readonly SeedResult[]): MethodName[] => [
  ...new Set(coursesOf(seeds).map(({ method }) => method)),
];

/** Everything in words and tables. */
export function textReport(seeds: readonly SeedResult[], plan: OveroptPlan): string {
  const average = (value: (seed: SeedResult) => number): number => mean(seeds.map(value));
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  return [
    `"${plan.world}", ${seeds.length} seeds, each with a base of its own (perplexity ${average((s) => s.perplexity).toFixed(2)}). Proxies learn from ${plan.pairs} pairs, whose`,
    `labels are right in ${percent(average((s) => s.rightBefore))} of the cases before and ${percent(average((s) => s.right))} after ${percent(plan.flips)} flips. The margin baseline is told how far`,
    "apart the gold rewards are, which the others are not. ± is half of a 95 % interval over seeds.",
    ...methodsOf(seeds).flatMap((method) => [
      `\n${headOf(method, plan)}`,
      aligned(rowsOf(seeds, method)),
    ]),
    `\n${optimumSentence(seeds, plan)}`,
    "\nRank correlation of rewards with gold among the base's answers to a prompt:",
    aligned([
      Object.keys(seeds[0]?.correlation ?? {}),
      Object.keys(seeds[0]?.correlation ?? {}).map((name) =>
        average((s) => s.correlation[name] ?? 0).toFixed(2),
      ),
    ]),
    `\n${verdict(seeds).join("\n")}`,
    "\nA fit's interval is a bootstrap over seeds, and narrow for few of them; a peak beyond the farthest KL",
    "is an extrapolation. The KL of best-of-n is ln n - (n-1)/n, an upper bound where answers tie; that of a",
    "policy is the estimate k1 from each round's answers. The highest point is chosen on these very seeds,",
    "which flatters it a little.",
  ].join("\n");
}

function headOf(method: MethodName, { samples, policySteps }: OveroptPlan): string {
  return method === "bon"
    ? `Best-of-n to n = ${samples} (KL ${bestOfNKL(samples).toFixed(2)}): first is one sample.`
    : `${methodTitles[method]}, ${policySteps} rounds without a KL penalty: first is the base, last the trained policy.`;
}

/** What the gold reward's own best-of-n leaves to be had, where n is far from the pool's end. */
function optimumSentence(seeds: readonly SeedResult[], { samples }: OveroptPlan): string {
  const own = coursesOf(seeds).find(({ method, judge }) => method === "bon" && judge === "gold");
  const at = own?.points.findLastIndex((p) => p.at <= samples / 10) ?? -1;
  const point = own?.points[at];
  if (point === undefined) return "";
  const most = mean(seeds.map(({ optimum }) => optimum[at] ?? 0));
  return (
    `Best of ${point.at} by the gold itself has ${point.gold.mean.toFixed(2)}; the most that any way to choose from the pool ` +
    `can have at its KL of ${point.kl.toFixed(2)}, by the exact optimum, is ${most.toFixed(2)}.`
  );
}
