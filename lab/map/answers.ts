// What the map says, in sentences that are computed from its numbers: where a text-generation loss gains out of
// distribution at settings chosen by validation, how sure that is, and how much less the rate matters with it. Where an
// interval holds 0 the sentence says that nothing is shown.
// Next: comparisons.ts and plateau.ts for the numbers, ../../report/mapPage.ts for the page that leads with these.

import { endsOf, type Interval, interval, signOf, withEnds } from "../../grm/statistics/index.ts";
import { sweepPlan } from "../sweep/plan.ts";
import type { JobOutcome } from "../sweep/results.ts";
import {
  comparisonsOf,
  differences,
  type MapChoice,
  type MapComparison,
  type MapPlace,
  oodAccuracy,
  placesOf,
} from "./comparisons.ts";
import { type Plateau, plateausOf } from "./plateau.ts";

/** Everything that the map's page shows. */
export interface MapFindings {
  readonly choice: MapChoice;
  readonly seeds: number;
  readonly jobs: number;
  readonly failures: number;
  readonly places: readonly MapPlace[];
  readonly comparisons: readonly MapComparison[];
  readonly plateaus: readonly Plateau[];
}

/** The share of false discoveries among what is called one. */
export const falseShare = 0.05;

/** All findings of a sweep's results. */
export function findingsOf(plan: unknown, outcomes: readonly JobOutcome[]): MapFindings {
  const { choose: choice } = sweepPlan(plan);
  const places = placesOf(plan, outcomes);
  return {
    choice,
    seeds: new Set(outcomes.map(({ words }) => words.seed)).size,
    jobs: outcomes.length,
    failures: outcomes.filter((outcome) => "failed" in outcome).length,
    places,
    comparisons: comparisonsOf(places, choice),
    plateaus: places.flatMap((place) => plateausOf(place, choice)),
  };
}

/** +1.2 [-0.3, +2.7] */
export function pointsText(gain: Interval): string {
  return withEnds(gain, signed);
}

function signed(x: number): string {
  const text = x.toFixed(1);
  if (Number(text) === 0) return "0.0";
  return `${x > 0 ? "+" : ""}${text}`;
}

/** Whether a comparison is called a difference at the false discovery rate. */
export function isDiscovery({ q }: MapComparison): boolean {
  return q <= falseShare;
}

/** The answer, the shortest first. */
export function answersOf(findings: MapFindings): string[] {
  const grm = findings.comparisons.filter(({ method }) => method === "grm-sft");
  if (grm.length === 0) return ["There is no place yet at which both bt and grm-sft have results."];
  return [
    ...regionAnswers(grm),
    ...sharedRateAnswers(findings),
    ...rivalAnswers(findings),
    ...plateauAnswers(findings),
  ];
}

const named = (list: readonly MapComparison[]): string =>
  list.map(({ place, gain }) => `${place} ${pointsText(gain)}`).join("; ");

function regionAnswers(grm: readonly MapComparison[]): string[] {
  const found = grm.filter(isDiscovery);
  const gains = found.filter(({ gain }) => gain.mean > 0);
  const losses = found.filter(({ gain }) => gain.mean < 0);
  const ruledOut = grm.filter(({ gain }) => (endsOf(gain)?.high ?? Infinity) < 2);
  const large = gains.filter(({ gain }) => gain.mean >= 2);
  const yes = large.length === 0 ? "No" : "Yes";
  const shown = grm.flatMap((one) => one.shown ?? []);
  const power =
    shown.length === 0
      ? []
      : [
          `These seeds would have shown, four times in five, a difference of ${Math.min(...shown).toFixed(1)} to ${Math.max(...shown).toFixed(1)} points, by place.`,
        ];
  return [
    `Does GRM-SFT gain two points or more out of distribution over plain Bradley-Terry anywhere, each with its settings chosen by validation? ${yes}: of ${grm.length} ${grm.length === 1 ? "place" : "places"} ${large.length === 0 ? "none shows it" : `${large.length} ${large.length === 1 ? "does" : "do"} (${named(large)})`}, and ${ruledOut.length} ${ruledOut.length === 1 ? "rules" : "rule"} it out.`,
    `At a false discovery rate of 5 % it gains at ${gains.length} (${named(gains) || "none"}) and loses at ${losses.length} (${named(losses) || "none"}).`,
    ...power,
  ];
}

/** What the text loss does where nobody chooses a rate: the hottest first. */
function sharedRateAnswers(findings: MapFindings): string[] {
  const { alpha, rates } = sharedRates(findings);
  if (rates.length === 0) return [];
  const texts = rates.map(({ lr, gains }) => {
    const [won, lost] = [1, -1].map((sign) => gains.filter((gain) => signOf(gain) === sign).length);
    const sorted = gains.toSorted((a, b) => a.mean - b.mean);
    const ends = sorted.filter((_, i) => i === 0 || i === sorted.length - 1).map(pointsText);
    return `at ${lr} it gains at ${won} and loses at ${lost} of ${gains.length} (${ends.join(" to ")})`;
  });
  return [
    `Where both train at one rate, GRM-SFT with alpha ${alpha}: ${texts.join("; ")}. Each interval is for itself.`,
  ];
}

/** What else does what it does: every other method against plain Bradley-Terry, pooled over the places that it was run at. */
function rivalAnswers({ comparisons }: MapFindings): string[] {
  const others = comparisons.filter(({ method }) => method !== "grm-sft");
  const found = others.filter(isDiscovery);
  if (others.length === 0) return [];
  const list = found.map(({ place, method, gain }) => `${method} at ${place} ${pointsText(gain)}`);
  return [
    `Of ${others.length} comparisons of other methods with plain Bradley-Terry, ${found.length} are shown: ${list.join("; ") || "none"}.`,
  ];
}

function plateauAnswers({ plateaus }: MapFindings): string[] {
  const centre = plateaus.filter(({ place }) => place === plateaus[0]?.place);
  const bt = centre.find(({ method }) => method === "bt");
  if (bt === undefined) return [];
  const rest = centre.filter((one) => one !== bt);
  const better = rest.filter(({ within }) => within.some(({ gain }) => signOf(gain) > 0));
  const list = better.map(({ method, within }) => {
    const gains = within.map(({ factor, gain }) => `${pointsText(gain)} within ${factor}`);
    return `${method} (${gains.join(", ")})`;
  });
  const lost = rest.filter(({ within }) => within.some(({ gain }) => signOf(gain) < 0));
  const cost =
    bt.offByThree.n === 0
      ? ""
      : ` A rate that is off by 3 costs Bradley-Terry ${bt.offByThree.mean.toFixed(1)} points.`;
  return [
    `The plateau, at ${bt.place}: over rates that are off by up to a factor from Bradley-Terry's best by validation (${bt.around}), drawn evenly on a logarithmic scale, ${better.length} of ${rest.length} others are shown to do better than Bradley-Terry: ${list.join("; ") || "none"}; ${lost.length} to do worse.${cost} Each interval is for itself; the table has all of them.`,
  ];
}

// --- At one rate -------------------------------------------------------------------------------------

/** A method's setting less plain Bradley-Terry at the same rate. */
export interface AtRate {
  readonly alpha: number;
  readonly lr: number;
  readonly gain: Interval;
  readonly gains: readonly number[];
}

/** GRM-SFT with each alpha less Bradley-Terry, both at the same rate, by seed. */
export function atEachRate({ methods }: MapPlace): AtRate[] {
  const runsOf = (name: string) => methods.find((method) => method.name === name)?.runs ?? [];
  const accuracies = (name: string, alpha: number | null, lr: number) =>
    new Map(
      runsOf(name).flatMap(({ words, result }) =>
        result !== null && words.lr === lr && (alpha === null || words.alpha === alpha)
          ? [[words.seed, oodAccuracy(result)] as const]
          : [],
      ),
    );
  const settings = new Map(
    runsOf("grm-sft").map(({ words: { alpha, lr } }) => [`${alpha} ${lr}`, { alpha, lr }]),
  );
  return [...settings.values()].map(({ alpha, lr }) => {
    const gains = differences(accuracies("grm-sft", alpha, lr), accuracies("bt", null, lr));
    return { alpha, lr, gains, gain: interval(gains) };
  });
}

/** GRM-SFT less Bradley-Terry, both at one rate. */
export interface SharedRate {
  readonly lr: number;
  /** By place, those where both have results. */
  readonly gains: readonly Interval[];
  /** Where the plan looks around; undefined if that has no such rate. */
  readonly centre: Interval | undefined;
}

/** GRM-SFT with the alpha that most places have less Bradley-Terry at the same rate, the hottest rate first. */
export function sharedRates({ places }: MapFindings): {
  readonly alpha: number;
  readonly rates: readonly SharedRate[];
} {
  const all = places.flatMap((place) => atEachRate(place).map((one) => ({ ...one, place })));
  const alphas = all.map(({ alpha }) => alpha);
  const count = (alpha: number): number => alphas.filter((one) => one === alpha).length;
  const alpha = alphas.toSorted((a, b) => count(b) - count(a))[0] ?? Number.NaN;
  const own = all.filter((one) => one.alpha === alpha);
  const rates = [...new Set(own.map(({ lr }) => lr))].sort((a, b) => b - a);
  return {
    alpha,
    rates: rates.map((lr) => {
      const here = own.filter((one) => one.lr === lr);
      const centre = here.find(({ place }) => place === places[0])?.gain;
      return { lr, gains: here.map(({ gain }) => gain), centre };
    }),
  };
}
