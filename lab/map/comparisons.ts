// From a sweep's results to comparisons: at each place (a setting of data and training) each method, with its own best
// settings by validation, less plain Bradley-Terry with its own, paired by seed. Tests are looked at for nothing but the
// difference that is reported.
// Next: multiple.ts for many comparisons at once, plateau.ts for how much the rate matters, answers.ts for sentences.

import { random } from "../../core/index.ts";
import { type Interval, interval, mean, signFlipTest } from "../../grm/statistics/index.ts";
import { type SweepPlan, sweepPlan } from "../sweep/plan.ts";
import { isFailure, type JobOutcome, type JobResult } from "../sweep/results.ts";
import { type JobWords, wordsFrom } from "../sweep/words.ts";
import { discoveryRates } from "./multiple.ts";

/** A job's words with what came of it; null if its numbers stopped being numbers. */
export interface MapRun {
  readonly words: JobWords;
  readonly result: JobResult | null;
}

/** The runs of one method at one place. */
export interface MapMethod {
  readonly name: string;
  readonly runs: readonly MapRun[];
}

/** Everything that was trained at one setting of data and training, by method. */
export interface MapPlace {
  readonly name: string;
  readonly methods: readonly MapMethod[];
}

/** Accuracy out of distribution: the mean of the tests that training says nothing about. */
export function oodAccuracy({ accuracy }: JobResult): number {
  return mean(Object.entries(accuracy).flatMap(([name, share]) => (name === "id" ? [] : [share])));
}

// --- Places ------------------------------------------------------------------------------------------

/** Settings that say which method it is, apart from those that it chooses for itself. */
const ofMethod: ReadonlySet<string> = new Set([
  "method",
  "best",
  "dropout",
  "headDropout",
  "beta",
  "sftForm",
  "sftOn",
]);

/** What a method is called: plain Bradley-Terry is "bt", what differs from a method's usual settings stands behind. */
function nameOfMethod({ method, best, dropout, sftOn }: JobWords): string {
  const texts = { rejected: "on rejected answers", base: "on texts of the base" };
  const extras = [
    ...(sftOn === "chosen" ? [] : [texts[sftOn]]),
    ...(best === "none" ? [] : ["stopped early"]),
    ...(dropout > 0 ? [`dropout ${dropout}`] : []),
  ];
  return [method, ...extras].join(", ");
}

/** Plain Bradley-Terry, which everything is compared with. */
export const plain = "bt";

/** The places of results in the order of the plan; those with nothing to compare are left out. */
export function placesOf(given: unknown, outcomes: readonly JobOutcome[]): MapPlace[] {
  const { choose, fixed } = sweepPlan(given);
  const centre = wordsFrom("map", { ...fixed, method: plain, lr: 1, seed: 0 });
  const own = new Set([...ofMethod, ...choose.over, "seed"]);
  const runs = outcomes.map((outcome): MapRun => {
    const words = wordsFrom(`map: the job ${outcome.job}`, outcome.words);
    return { words, result: isFailure(outcome) ? null : outcome };
  });
  const places = new Map<string, { name: string; methods: Map<string, MapRun[]> }>();
  for (const run of runs) {
    const name = placeName(run.words, centre, own);
    const place = places.get(name) ?? { name, methods: new Map() };
    places.set(name, place);
    const method = nameOfMethod(run.words);
    place.methods.set(method, [...(place.methods.get(method) ?? []), run]);
  }
  return [...places.values()]
    .map(({ name, methods }) => ({
      name,
      methods: [...methods].map(([method, runs]) => ({ name: method, runs })),
    }))
    .filter(({ methods }) => methods.length > 1 && methods.some(({ name }) => name === plain));
}

/** What differs from the setting around which the plan looks: the demo's, with what the plan fixes. */
function placeName(words: JobWords, centre: JobWords, own: ReadonlySet<string>): string {
  const others = Object.entries(words).filter(
    ([name, value]) =>
      !own.has(name) &&
      name !== "files" && // the same for all
      !(name === "epochs" && words.method === "frozen") && // a head alone takes more of them
      !/^(l2sp|probe|labelSmoothing|lora)/.test(name) &&
      JSON.stringify(value) !== JSON.stringify(centre[name as keyof JobWords]),
  );
  const parts = others.map(([name, value]) =>
    name === "mode" ? String(value) : `${name} ${value}`,
  );
  return parts.length === 0 ? "centre" : parts.join(", ");
}

// --- Choosing ----------------------------------------------------------------------------------------

/** How a method's own best settings are chosen. */
export type MapChoice = SweepPlan["choose"];

/** The better of two by validation; the other measure where accuracies or losses tie, which few pairs often do. */
function isBetter(a: JobResult, b: JobResult, by: MapChoice["by"]): boolean {
  const [x, y] = [a.validation, b.validation];
  const byAccuracy = x.accuracy - y.accuracy;
  const byLoss = y.loss - x.loss;
  return (by === "accuracy" ? byAccuracy || byLoss : byLoss || byAccuracy) > 0;
}

/** What a choice is made between: the settings that the plan names. */
export function settingOf(words: JobWords, { over }: MapChoice): string {
  return JSON.stringify(over.map((name) => words[name as keyof JobWords]));
}

/** The result of each seed at the method's chosen setting: chosen by that seed, or by all seeds together. */
export function chosenBySeed(
  { runs }: MapMethod,
  choice: MapChoice,
): ReadonlyMap<number, JobResult> {
  const allowed = choice.per === "seed" ? null : bestSetting(runs, choice);
  const chosen = new Map<number, JobResult>();
  for (const { words, result } of runs) {
    if (result === null || (allowed !== null && settingOf(words, choice) !== allowed)) continue;
    const before = chosen.get(words.seed);
    if (before === undefined || isBetter(result, before, choice.by)) chosen.set(words.seed, result);
  }
  return chosen;
}

/** The setting whose mean over seeds is best by validation. */
export function bestSetting(runs: readonly MapRun[], choice: MapChoice): string {
  const scores = new Map<string, number[]>();
  for (const { words, result } of runs) {
    const score = result === null ? -1e9 : scoreOf(result, choice);
    const setting = settingOf(words, choice);
    scores.set(setting, [...(scores.get(setting) ?? []), score]);
  }
  const means = [...scores].map(([setting, list]) => [setting, mean(list)] as const);
  return means.reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

function scoreOf({ validation }: JobResult, { by }: MapChoice): number {
  return by === "accuracy" ? validation.accuracy : -validation.loss;
}

// --- Comparing ---------------------------------------------------------------------------------------

/** A method less plain Bradley-Terry at a place, in points of accuracy out of distribution. */
export interface MapComparison {
  readonly place: string;
  readonly method: string;
  readonly gain: Interval;
  /** Two-sided, of the sign-flip test over seeds. */
  readonly p: number;
  /** The false discovery rate at which this comparison would be called one: Benjamini and Hochberg over all of them. */
  readonly q: number;
  /** Points that these seeds would have shown with a probability of 80 %. */
  readonly shown: number | null;
  /** Seeds that would show two points with a probability of 80 %. */
  readonly seedsForTwo: number | null;
}

/** Differences of two methods by seed, in points. */
export function differences(
  a: ReadonlyMap<number, number>,
  b: ReadonlyMap<number, number>,
): number[] {
  return [...a].flatMap(([seed, x]) => {
    const other = b.get(seed);
    return other === undefined ? [] : [100 * (x - other)];
  });
}

function oodBySeed(chosen: ReadonlyMap<number, JobResult>): Map<number, number> {
  return new Map([...chosen].map(([seed, result]) => [seed, oodAccuracy(result)]));
}

/** Every method less plain Bradley-Terry at every place, each with its chosen settings. */
export function comparisonsOf(places: readonly MapPlace[], choice: MapChoice): MapComparison[] {
  const found = places.flatMap(({ name: place, methods }) => {
    const accuracy = (method: MapMethod) => oodBySeed(chosenBySeed(method, choice));
    const base = methods.find(({ name }) => name === plain) as MapMethod;
    const against = accuracy(base);
    return methods
      .filter(({ name }) => name !== plain)
      .map((method) => ({
        place,
        method: method.name,
        gains: differences(accuracy(method), against),
      }))
      .filter(({ gains }) => gains.length > 0);
  });
  const p = found.map(({ gains, place, method }) =>
    signFlipTest(gains, { rng: random(`map ${place} ${method}`) }),
  );
  const q = discoveryRates(p);
  return found.map(({ place, method, gains }, i) => {
    const gain = interval(gains);
    return { place, method, gain, p: p[i] ?? 1, q: q[i] ?? 1, ...powerOf(gain) };
  });
}

/** z of a two-sided test at 5 %, and of 80 % power. */
const [z95, z80] = [1.959964, 0.841621];

/** What seeds like these show: the difference that n of them find four times in five, and how many find two points. */
export function powerOf(gain: Interval): Pick<MapComparison, "shown" | "seedsForTwo"> {
  const { half, n } = gain;
  if (half === null || n < 3) return { shown: null, seedsForTwo: null };
  const t = half / standardError(gain);
  const shown = (t + z80) * standardError(gain);
  const deviation = standardError(gain) * Math.sqrt(n);
  const normal = ((z95 + z80) * deviation) / 2;
  return { shown, seedsForTwo: Math.ceil(normal ** 2 + z95 ** 2 / 2) }; // the last term for estimating the deviation
}

/** Of a mean, from half of its interval. */
function standardError({ half, n }: Interval): number {
  const unit = interval([-1, 1, ...new Array(n - 2).fill(0)]); // whose standard error is known
  const known = Math.sqrt(2 / (n - 1) / n);
  return ((half ?? 0) * known) / (unit.half ?? 1);
}
