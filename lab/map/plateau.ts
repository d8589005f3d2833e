// The plateau: how much a method's accuracy depends on the rate. A practitioner doesn't know the right one, so what counts
// is the mean over rates that are off by up to a factor, drawn evenly on a logarithmic scale around plain Bradley-Terry's
// best, and what a rate that is off by 3 costs.
// Next: comparisons.ts for places and methods.

import { type Interval, interval } from "../../grm/statistics/index.ts";
import {
  bestSetting,
  differences,
  type MapChoice,
  type MapMethod,
  type MapPlace,
  type MapRun,
  oodAccuracy,
  plain,
} from "./comparisons.ts";

/** What a method with fixed settings does over the rates of a place. */
export interface Plateau {
  readonly place: string;
  /** With its settings other than the rate. */
  readonly method: string;
  /** Plain Bradley-Terry's best rate by validation over all seeds; what is around it is the same for all methods. */
  readonly around: number;
  /** The mean over rates within a factor of 3 and of 10, in percent, and its difference to plain Bradley-Terry's. */
  readonly within: readonly {
    readonly factor: number;
    readonly mean: Interval;
    readonly gain: Interval;
  }[];
  /**
   * Points that are lost where the rate is off by 3 to one side or the other, from the method's own best by validation;
   * of no seed where neither was run.
   */
  readonly offByThree: Interval;
  /** Mean accuracy in percent at each rate, for curves. */
  readonly curve: readonly { readonly lr: number; readonly accuracy: Interval }[];
}

/** Accuracy over rates of one seed, straight between the rates that were run on a logarithmic scale. */
type SeedCurve = readonly (readonly [log: number, accuracy: number])[];

const log = Math.log10;

/** Accuracy at a rate; that of the nearest end outside. */
export function accuracyAt(curve: SeedCurve, at: number): number {
  const after = curve.findIndex(([x]) => x >= at);
  if (after === -1) return curve.at(-1)?.[1] ?? Number.NaN;
  const [x1, y1] = curve[after] ?? [0, Number.NaN];
  const [x0, y0] = curve[after - 1] ?? [x1, y1];
  return x1 === x0 ? y1 : y0 + ((y1 - y0) * (at - x0)) / (x1 - x0);
}

/** The mean over an interval of logarithms, as far as there are rates: trapezoids between all that was run. */
export function meanOver(curve: SeedCurve, from: number, to: number): number {
  const [first, last] = [curve[0]?.[0] ?? 0, curve.at(-1)?.[0] ?? 0];
  const [low, high] = [Math.max(from, first), Math.min(to, last)];
  if (!(high > low)) return accuracyAt(curve, (from + to) / 2);
  const inside = curve.map(([x]) => x).filter((x) => x > low && x < high);
  const xs = [low, ...inside, high];
  const areas = xs.slice(1).map((x, i) => {
    const before = xs[i] ?? x;
    return ((accuracyAt(curve, before) + accuracyAt(curve, x)) / 2) * (x - before);
  });
  return areas.reduce((sum, area) => sum + area, 0) / (high - low);
}

/** Curves of each seed that has a result at every rate. */
function curvesOf(runs: readonly MapRun[]): Map<number, SeedCurve> {
  const rates = new Set(runs.map(({ words }) => words.lr)).size;
  const seeds = new Map<number, (readonly [number, number])[]>();
  for (const { words, result } of runs) {
    if (result === null) continue;
    const own = seeds.get(words.seed) ?? [];
    seeds.set(words.seed, [...own, [log(words.lr), oodAccuracy(result)]]);
  }
  return new Map(
    [...seeds]
      .filter(([, points]) => points.length === rates)
      .map(([seed, points]) => [seed, points.sort((a, b) => a[0] - b[0])]),
  );
}

/** A method's runs by its settings other than the rate. */
function variantsOf(
  { name, runs }: MapMethod,
  { over }: MapChoice,
): { name: string; runs: MapRun[] }[] {
  const others = over.filter((setting) => setting !== "lr" && readsIt(setting, name));
  const variants = new Map<string, MapRun[]>();
  for (const run of runs) {
    const settings = others.map((s) => `${s} ${run.words[s as keyof MapRun["words"]]}`);
    const key = [name, ...settings].join(", ");
    variants.set(key, [...(variants.get(key) ?? []), run]);
  }
  return [...variants].map(([key, own]) => ({ name: key, runs: own }));
}

function readsIt(setting: string, method: string): boolean {
  return setting.startsWith("l2sp") ? method.startsWith("l2-sp") : method.startsWith("grm");
}

const rateOf = (runs: readonly MapRun[], choice: MapChoice): number =>
  JSON.parse(bestSetting(runs, { ...choice, over: ["lr"] }))[0] as number;

/** The plateaus of all methods at a place; none where there are fewer than three rates. */
export function plateausOf({ name: place, methods }: MapPlace, choice: MapChoice): Plateau[] {
  const base = methods.find(({ name }) => name === plain);
  if (base === undefined) return [];
  const around = rateOf(base.runs, choice);
  const baseCurves = curvesOf(base.runs);
  const over = (curves: ReadonlyMap<number, SeedCurve>, factor: number): Map<number, number> =>
    new Map(
      [...curves].map(([seed, curve]) => [
        seed,
        meanOver(curve, log(around / factor), log(around * factor)),
      ]),
    );
  return methods
    .flatMap((method) => variantsOf(method, choice))
    .map((variant) => ({ ...variant, curves: curvesOf(variant.runs) }))
    .filter(({ curves, runs }) => curves.size > 0 && new Set(runs.map((r) => r.words.lr)).size > 2)
    .map(({ name, runs, curves }) => ({
      place,
      method: name,
      around,
      within: [3, 10].map((factor) => {
        const own = over(curves, factor);
        const gain = interval(differences(own, over(baseCurves, factor)));
        return { factor, mean: interval([...own.values()].map((x) => 100 * x)), gain };
      }),
      offByThree: interval(costsOfThree(curves, log(rateOf(runs, choice)))),
      curve: curveOf(curves),
    }));
}

/** For each seed, points lost at a third and at three times of a rate, on average, where both were covered. */
function costsOfThree(curves: ReadonlyMap<number, SeedCurve>, best: number): number[] {
  const step = log(3);
  return [...curves.values()].flatMap((curve) => {
    const ends = [best - step, best + step].filter(
      (x) => x >= (curve[0]?.[0] ?? 0) - 1e-9 && x <= (curve.at(-1)?.[0] ?? 0) + 1e-9,
    );
    if (ends.length === 0) return [];
    const off = ends.reduce((sum, x) => sum + accuracyAt(curve, x), 0) / ends.length;
    return [100 * (accuracyAt(curve, best) - off)];
  });
}

function curveOf(curves: ReadonlyMap<number, SeedCurve>): Plateau["curve"] {
  const [first = []] = curves.values();
  return first.map(([x], i) => ({
    lr: Number((10 ** x).toPrecision(6)),
    accuracy: interval([...curves.values()].map((curve) => 100 * (curve[i]?.[1] ?? Number.NaN))),
  }));
}
