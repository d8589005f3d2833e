// What the demo answers, from its results: yes, no or unclear with the interval, and what became of the language
// model; the two figures that show it. Next: ../lab/demo/table.ts for the numbers.

import {
  endsOf,
  geometricInterval,
  geometricMean,
  type Interval,
  signOf,
  withEnds,
} from "../grm/statistics/index.ts";
import { type DemoPlan, type RowName, rateText, rowTitles } from "../lab/demo/plan.ts";
import type { DemoResult, DemoResultFile } from "../lab/demo/results.ts";
import { type DemoFindings, findingsOf } from "../lab/demo/table.ts";
import {
  brief,
  capital,
  counted,
  listed,
  pointsText,
  rowsText,
  sidesText,
  wordOf,
} from "./captions.ts";
import { type Range, ranges } from "./charts.ts";
import type { Figure } from "./figure.ts";
import type { PageAnswer } from "./page.ts";

/** Of a run; beside it what many seeds of the same plan say, where there are more of them. */
export function demoAnswer(
  { results, plan }: DemoResultFile,
  many: DemoResultFile | null,
): PageAnswer {
  const own = findingsOf(results, plan);
  const others = many === null ? null : findingsOf(many.results, plan);
  return {
    verdict: wordOf(own.best.gain),
    said: [
      `${capital(wordOf(own.best.gain))}: ${answerText(own)}`,
      ...(others === null
        ? []
        : [
            `The same from more seeds, computed beforehand, is ${wordOf(others.best.gain)}: ${answerText(others)}`,
          ]),
    ],
    figures: [differenceFigure(own, others), keptFigure(results, plan)],
    also: [languageText(others ?? own)],
  };
}

/** What the answer rests on: the difference at the best rates with its interval, and what each rate shows. */
function answerText({ seeds, atRates, best }: DemoFindings): string {
  const gain = withEnds(best.gain, pointsText);
  const chance =
    seeds === 1 ? "one seed, which says nothing of chance" : `${seeds} seeds, 95 % interval`;
  const shown = atRates.filter((one) => signOf(one.gain) !== 0);
  const told = shown.map(({ lr, gain: { mean } }) => `${pointsText(mean)} at ${rateText(lr)}`);
  const byRate =
    told.length === 0
      ? "no difference is shown at any one rate"
      : `at one rate for both a difference is shown: ${listed(told)}`;
  return `from plain BT to GRM-SFT, each at its best learning rate, accuracy on unfamiliar pairs changes by ${gain} points (${chance}); ${byRate}.`;
}

/** What became of the language model inside, in a sentence. */
function languageText({ seeds, language }: DemoFindings): string {
  const { lr, before, sft, bt, kept } = language;
  const found = {
    "1": "is kept better by GRM-SFT",
    "-1": "is kept worse by GRM-SFT",
    "0": "is not shown to be kept better by either",
  }[`${kept}`];
  return `The language model inside ${found}: at the rate ${rateText(lr)} its perplexity goes from ${brief(before)} to ${brief(sft)} with GRM-SFT and to ${brief(bt)} with plain BT (${counted(seeds, "seed")}).`;
}

/** What GRM-SFT adds to plain BT at each rate, of this run and of many seeds. */
function differenceFigure(own: DemoFindings, others: DemoFindings | null): Figure {
  const found = [
    ...differences(own, "this run"),
    ...(others === null ? [] : differences(others, "computed beforehand")),
  ];
  return ranges(
    {
      title: "GRM-SFT less plain BT, out of distribution",
      look: sidesText(found, 0),
      limits:
        "Paired by seed; 95 % intervals (Student's t). The best rates are chosen on the tests themselves. One small world.",
    },
    {
      x: { label: "points of accuracy: right of 0 GRM-SFT is better" },
      rule: 0,
      ranges: found,
      otherwise: "there are no results.",
    },
  );
}

function differences({ seeds, atRates, best }: DemoFindings, whose: string): Range[] {
  const points = (x: number): number => 100 * x;
  const row = (name: string, gain: Interval): Range => ({
    row: name,
    of: `${whose}, ${counted(seeds, "seed")}`,
    value: points(gain.mean),
    ...(endsOf(gain, points) ?? none),
  });
  return [
    ...atRates.map(({ lr, gain }) => row(`rate ${rateText(lr)}`, gain)),
    row("each at its best", best.gain),
  ];
}

/** What became of the language model at each rate of this run. */
function keptFigure(results: readonly DemoResult[], plan: DemoPlan): Figure {
  const found = plan.rates.flatMap((lr) =>
    (["bt", "grm-sft"] as const).map((row) => ({
      row: `rate ${rateText(lr)}`,
      of: rowTitles[row] ?? row,
      ...perplexityRange(cellOf(results, row, lr)),
    })),
  );
  const before = geometricMean(results.map(({ perplexityBefore }) => perplexityBefore));
  return ranges(
    {
      title: "Perplexity of the language model, this run",
      look: `Before reward training it was ${brief(before)}, the line. ${rowsText(found, true)}`,
      limits: "Lower is better. A language model that is lost doesn't by itself cost accuracy.",
    },
    {
      x: { label: "perplexity, geometric mean", log: true },
      rule: before,
      ranges: found,
      otherwise: "there are no results.",
    },
  );
}

/** The results of a row at a rate. */
export function cellOf(results: readonly DemoResult[], row: RowName, lr: number): DemoResult[] {
  return results.filter((result) => result.row === row && result.lr === lr);
}

/** No interval. */
export const none = { low: null, high: null } as const;

/** The geometric mean of the language models' perplexities. */
export function perplexityRange(found: readonly DemoResult[]): Omit<Range, "row" | "of"> {
  const { mean, ends } = geometricInterval(found.map((r) => r.perplexity));
  return { value: found.length === 0 ? null : mean, ...(ends ?? none) };
}
