// What thirty seeds of the demo say about GRM-SFT against plain Bradley-Terry, for the tour: read from
// lab/demo/seeds.jsonl and lab/frontier.jsonl while the page is built, so that the page says what was measured last.
// Next: build.ts, which puts it into the page; views/tour.tsx.

import { interval } from "../grm/statistics/index.ts";
import { type DemoResult, oodOf } from "../lab/demo/results.ts";
import type { FrontierPoint } from "../lab/frontier.ts";

/** GRM-SFT against plain Bradley-Terry at one learning rate, over seeds. */
export interface SeedsAtRate {
  readonly lr: number;
  /** Accuracy out of distribution, GRM-SFT less plain, paired by seed: mean and half of its 95 % interval. */
  readonly gain: { readonly mean: number; readonly half: number };
  /** Medians over the seeds. */
  readonly perplexity: { readonly base: number; readonly plain: number; readonly reg: number };
}

/** What many seeds say, at the gentlest and the hottest rate. */
export interface ManySeeds {
  readonly seeds: number;
  readonly gentle: SeedsAtRate;
  readonly hot: SeedsAtRate;
  /** GRM-SFT at the hottest rate, by alpha: mean accuracy out of distribution over fewer seeds. */
  readonly alphas: {
    readonly seeds: number;
    readonly ood: readonly { readonly alpha: number; readonly mean: number }[];
  };
}

function atRate(results: readonly DemoResult[], lr: number): SeedsAtRate {
  const of = (row: string): DemoResult[] => results.filter((r) => r.row === row && r.lr === lr);
  const [plain, reg] = [of("bt"), of("grm-sft")];
  const gains = reg.flatMap((result) => {
    const other = plain.find(({ seed }) => seed === result.seed);
    return other === undefined ? [] : [oodOf(result) - oodOf(other)];
  });
  const { mean, half } = interval(gains);
  const perplexity = {
    base: median(plain.map((r) => r.perplexityBefore)),
    plain: median(plain.map((r) => r.perplexity)),
    reg: median(reg.map((r) => r.perplexity)),
  };
  return { lr, gain: { mean, half: half ?? Number.NaN }, perplexity };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

function byAlpha(points: readonly FrontierPoint[], hot: number): ManySeeds["alphas"] {
  const own = points.filter(({ lr }) => lr === hot);
  const alphas = [...new Set(own.map(({ alpha }) => alpha))].sort((a, b) => a - b);
  const ood = alphas.map((alpha) => {
    const found = own.filter((point) => point.alpha === alpha);
    return { alpha, mean: interval(found.map((point) => point.ood)).mean };
  });
  return { seeds: new Set(own.map(({ seed }) => seed)).size, ood };
}

/** The summary of the demo's results over many seeds, and of the frontier over alpha. */
export function manySeedsOf(
  results: readonly DemoResult[],
  frontier: readonly FrontierPoint[],
): ManySeeds {
  const rates = [...new Set(results.filter(({ row }) => row === "bt").map(({ lr }) => lr))];
  return {
    seeds: new Set(results.map(({ seed }) => seed)).size,
    gentle: atRate(results, Math.min(...rates)),
    hot: atRate(results, Math.max(...rates)),
    alphas: byAlpha(frontier, Math.max(...rates)),
  };
}
