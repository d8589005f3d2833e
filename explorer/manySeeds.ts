// What thirty seeds of the demo say about GRM-SFT against plain Bradley-Terry, for the tour: read from
// lab/demo/seeds.jsonl, lab/frontier.jsonl and lab/map/summary.json while the page is built, so that the page says what
// was measured last.
// Next: build.ts, which puts it into the page; views/tour.tsx.

import { interval, quantile } from "../grm/statistics/index.ts";
import type { DemoPlan } from "../lab/demo/plan.ts";
import type { DemoResult } from "../lab/demo/results.ts";
import { findingsOf } from "../lab/demo/table.ts";
import type { FrontierPoint } from "../lab/frontier.ts";
import type { MapSummary } from "../lab/map/summary.ts";

/** A mean, and half of its 95 % interval. */
export interface Gain {
  readonly mean: number;
  readonly half: number;
}

/** One model at one learning rate, over seeds. */
export interface ModelAtRate {
  /** Perplexities: the lowest, the median, the highest. */
  readonly perplexity: readonly [lowest: number, median: number, highest: number];
  /** Mean accuracies: on pairs like those that were learnt from, and on pairs whose words no preference showed. */
  readonly id: number;
  readonly word: number;
}

/** GRM-SFT against plain Bradley-Terry at one learning rate, over seeds. */
export interface SeedsAtRate {
  readonly lr: number;
  /** Accuracy out of distribution, GRM-SFT less plain, paired by seed. */
  readonly gain: Gain;
  readonly plain: ModelAtRate;
  readonly reg: ModelAtRate;
}

/** What many seeds say. */
export interface ManySeeds {
  readonly seeds: number;
  /** The gentlest rate first. */
  readonly rates: readonly SeedsAtRate[];
  /** As `gain`, each model at the rate that is best for it. */
  readonly atBest: Gain;
  /** Median perplexity of the base. */
  readonly base: number;
  /** What the map of this world says, over many more settings. */
  readonly map: MapSummary | null;
  /** GRM-SFT at the hottest rate, by alpha, over fewer seeds: mean accuracy out of distribution, median perplexity. */
  readonly alphas: {
    readonly seeds: number;
    readonly points: readonly {
      readonly alpha: number;
      readonly ood: number;
      readonly perplexity: number;
    }[];
  };
}

function modelAt(results: readonly DemoResult[], row: string, lr: number): ModelAtRate {
  const own = results.filter((r) => r.row === row && r.lr === lr);
  const perplexities = own.map((r) => r.perplexity);
  const mean = (split: "id" | "word"): number => interval(own.map((r) => r.accuracy[split])).mean;
  return {
    perplexity: [Math.min(...perplexities), median(perplexities), Math.max(...perplexities)],
    id: mean("id"),
    word: mean("word"),
  };
}

function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

function byAlpha(points: readonly FrontierPoint[], hot: number): ManySeeds["alphas"] {
  const own = points.filter(({ lr }) => lr === hot);
  const alphas = [...new Set(own.map(({ alpha }) => alpha))].sort((a, b) => a - b);
  const found = alphas.map((alpha) => {
    const some = own.filter((point) => point.alpha === alpha);
    const ood = interval(some.map((point) => point.ood)).mean;
    return { alpha, ood, perplexity: median(some.map((point) => point.perplexity)) };
  });
  return { seeds: new Set(own.map(({ seed }) => seed)).size, points: found };
}

/** The summary of the demo's results over many seeds, and of the frontier over alpha. */
export function manySeedsOf(
  results: readonly DemoResult[],
  plan: DemoPlan,
  frontier: readonly FrontierPoint[],
  maps: readonly MapSummary[],
): ManySeeds {
  const { seeds, atRates, best } = findingsOf(results, plan);
  const asGain = ({ mean, half }: { mean: number; half: number | null }): Gain => ({
    mean,
    half: half ?? Number.NaN,
  });
  const rates = atRates
    .map(({ lr, gain }) => ({
      lr,
      gain: asGain(gain),
      plain: modelAt(results, "bt", lr),
      reg: modelAt(results, "grm-sft", lr),
    }))
    .sort((a, b) => a.lr - b.lr);
  return {
    seeds,
    rates,
    atBest: asGain(best.gain),
    base: median(results.map((r) => r.perplexityBefore)),
    map: maps.find(({ world }) => world === "spelled") ?? null,
    alphas: byAlpha(frontier, rates.at(-1)?.lr ?? Number.NaN),
  };
}
