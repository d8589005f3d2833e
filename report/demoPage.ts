// The page of the demo: the question and its answer, what happens inside in a few figures, and folded all the
// rest: every method at every rate, and two reward models, plain BT and GRM-SFT at the hottest rate, side by side.
// Next: demoAnswer.ts for the answer, rewardPage.ts for the models.

import { accept, signatures } from "../core/signature.ts";
import type { Inspection } from "../grm/inspect/inspect.ts";
import {
  endsOf,
  geometricMean,
  type Interval,
  interval,
  plusMinus,
} from "../grm/statistics/index.ts";
import { type DemoPlan, type RowName, rateText, rowsAtRate, rowTitles } from "../lab/demo/plan.ts";
import { type DemoResult, type DemoResultFile, oodOf } from "../lab/demo/results.ts";
import { outOfDistribution } from "../lab/worlds/index.ts";
import { brief, listed, rowsText } from "./captions.ts";
import { type Axis, type Range, ranges } from "./charts.ts";
import { cellOf, demoAnswer, none, perplexityRange } from "./demoAnswer.ts";
import { ckaFigure, probedTests, probeFigure } from "./drift.ts";
import { accuracyFigure } from "./evaluation.ts";
import type { Figure } from "./figure.ts";
import { frontierFigure } from "./frontier.ts";
import { positionsFigure } from "./gradients.ts";
import { escape, numberText, tableHtml } from "./html.ts";
import { pageHtml, type Section } from "./page.ts";
import { type RewardPage, rewardSections } from "./rewardPage.ts";
import { domainOfRows } from "./scales.ts";
import { settingsSection } from "./settings.ts";
import { perplexityFigure } from "./training.ts";

const takes = signatures({
  demoPage: "page: { file: object, many: null | object, ... }",
});

/** What the demo's page shows: results, the printed text, and the models that were kept. */
export interface DemoPage {
  readonly file: DemoResultFile;
  /** The committed results of many seeds, where they are of the same plan. */
  readonly many: DemoResultFile | null;
  /** What was printed from the table on. */
  readonly printed: string;
  /** The two models that were kept; or why there are none. */
  readonly models: RewardPage | string;
}

/** The whole file. */
export function demoPage(page: DemoPage): string {
  accept(takes.demoPage, arguments);
  const { file, many, printed, models } = page;
  const { plan, results, command } = file;
  const known =
    many !== null && seedsOf(many.results).length > seedsOf(results).length ? many : null;
  const seeds = seedsOf(results);
  const run = settingsSection([
    { name: "value", values: { command, seeds: seeds.join(", "), ...plan } },
  ]);
  const inside = typeof models === "string" ? [] : rewardSections(models).filter(isInside);
  return pageHtml({
    title: "Does a text-generation loss make a reward model generalise better?",
    lead: `GRM (arXiv 2406.10216) against plain Bradley-Terry (BT), in a miniature English where the true reward is a formula. Tested on pairs unlike those of training: another domain, other words, other sentences, and all at once.`,
    answer: demoAnswer(file, known),
    sections: [
      mechanismSection(models),
      tableSection(results, plan, printed),
      manySection(many),
      { ...run, folded: true },
      ...inside.map((section) => ({ ...section, folded: true })),
    ],
  });
}

/** A model's own settings stand in the plan. */
const isInside = ({ id }: Section): boolean => id !== "run";

// --- The mechanism -----------------------------------------------------------------------------------

/** What happens inside of the two models that were kept, in at most six figures. */
function mechanismSection(models: RewardPage | string): Section {
  const title = "What happens inside";
  if (typeof models === "string") return { id: "inside", title, before: missingText(models) };
  const { runs, inspection, frontier } = models;
  const evaluations = runs.map(({ name, evaluation }) => ({ name, found: evaluation }));
  const inspected = (figures: (found: Inspection) => Figure[]): Figure[] =>
    typeof inspection === "string" ? [] : figures(inspection);
  return {
    id: "inside",
    title,
    before: `<p class="soft">Of two models of the first seed, ${escape(listed(runs.map(({ name }) => name)))}, at the highest rate. Test pairs called id are like those of training; domain, word and form change one thing, all changes everything.</p>`,
    figures: [
      perplexityFigure(runs),
      ...inspected(({ models: all }) => [ckaFigure(all)]),
      accuracyFigure(evaluations),
      ...inspected(({ models: all }) => all.slice(-1).map((last) => positionsFigure(last, all))),
      ...inspected((found) =>
        probedTests(found)
          .slice(-1)
          .map((test) => probeFigure(found, test)),
      ),
      frontierFigure(frontier),
    ],
  };
}

const missingText = (why: string): string => `<p class="missing">Not here: ${escape(why)}</p>`;

// --- Every method ------------------------------------------------------------------------------------

const seedsOf = (results: readonly DemoResult[]): number[] => [
  ...new Set(results.map(({ seed }) => seed)),
];

function tableSection(results: readonly DemoResult[], plan: DemoPlan, printed: string): Section {
  const one = seedsOf(results).length === 1;
  return {
    id: "table",
    title: "Every method at every rate",
    folded: true,
    before: tableHtml(
      tableOf(results, plan),
      "Means over seeds, ± half of a 95 % interval (Student's t); accuracies in %",
    ),
    figures: figuresOf(results, plan, one ? "One seed: there are no intervals." : ""),
    after: `<details><summary>As it was printed, with differences and verdict</summary><pre tabindex="0">${escape(printed.trim())}</pre></details>`,
  };
}

function manySection(many: DemoResultFile | null): Section {
  const title = "The same from many seeds";
  const section = { id: "many", title, folded: true };
  if (many === null) {
    const why = "no results of many seeds with this plan came with the program.";
    return { ...section, before: missingText(why) };
  }
  const count = seedsOf(many.results).length;
  return {
    ...section,
    before: `<p class="soft">${count} seeds, made by <code>${escape(many.command)}</code>. Not of this run.</p>`,
    figures: figuresOf(many.results, many.plan, ""),
  };
}

function rowsAt({ rates, frozenRate }: DemoPlan): { readonly row: RowName; readonly lr: number }[] {
  return [
    { row: "frozen", lr: frozenRate },
    ...rates.flatMap((lr) => rowsAtRate.map((row) => ({ row, lr }))),
  ];
}

function tableOf(results: readonly DemoResult[], plan: DemoPlan) {
  const share = (found: readonly DemoResult[], value: (result: DemoResult) => number): string => {
    const points = interval(found.map((result) => 100 * value(result)));
    return plusMinus(points, (x) => x.toFixed(1));
  };
  return {
    columns: ["method", "rate", "id", ...outOfDistribution, "out of distribution", "LM perplexity"],
    rows: rowsAt(plan).map(({ row, lr }) => {
      const found = cellOf(results, row, lr);
      return [
        rowTitles[row] ?? row,
        rateText(lr),
        share(found, (r) => r.accuracy.id),
        ...outOfDistribution.map((split) => share(found, (r) => r.accuracy[split])),
        share(found, oodOf),
        numberText(geometricMean(found.map((r) => r.perplexity))),
      ];
    }),
  };
}

const words = {
  ood: {
    title: "Accuracy out of distribution",
    limits: "A best rate would be chosen on the tests themselves.",
  },
  id: { title: "Accuracy in distribution", limits: "It says nothing about other pairs." },
  perplexity: {
    title: "Perplexity of the language model afterwards",
    limits: "Destroying the language model doesn't by itself cost accuracy out of distribution.",
  },
} as const;

/** `note` is added to what the figures don't show. */
function figuresOf(results: readonly DemoResult[], plan: DemoPlan, note: string): Figure[] {
  const figure = (
    what: keyof typeof words,
    x: Axis,
    value: (found: readonly DemoResult[]) => Omit<Range, "row" | "of">,
  ): Figure => {
    const found = rowsAt(plan).map(({ row, lr }) => ({
      row: rowTitles[row] ?? row,
      of: `rate ${rateText(lr)}`,
      ...value(cellOf(results, row, lr)),
    }));
    const { title, limits } = words[what];
    const look = `${spreadText(found, x.log)} ${rowsText(found, x.log)}`.trim();
    return ranges(
      { title, look, limits: `${limits} ${note}`.trim() },
      { x, ranges: found, otherwise: "there are no results." },
    );
  };
  const share = (value: (result: DemoResult) => number) => (found: readonly DemoResult[]) =>
    range(interval(found.map(value)));
  const [ood, id] = [oodOf, (r: DemoResult) => r.accuracy.id];
  const both = rowsAt(plan).flatMap(({ row, lr }) =>
    [ood, id].map((value) => ({ row, of: "", ...share(value)(cellOf(results, row, lr)) })),
  );
  const accuracy = { label: "share of pairs ranked right", ...domainOfRows(both) };
  return [
    figure("ood", accuracy, share(ood)),
    figure("id", accuracy, share(id)),
    figure("perplexity", { label: "perplexity, geometric mean", log: true }, perplexityRange),
  ];
}

/** How far apart the methods that learn lie at each rate. */
function spreadText(found: readonly Range[], log = false): string {
  const rates = [...new Set(found.map(({ of }) => of))];
  const told = rates.flatMap((rate) => {
    const values = found.flatMap(({ of, value }) => (of === rate && value !== null ? [value] : []));
    if (values.length < 2) return [];
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return [
      `${rate}: ${log ? `×${brief(high / low)}` : `${(100 * (high - low)).toFixed(1)} points`}`,
    ];
  });
  return told.length === 0 ? "" : `From the lowest method to the highest, ${told.join(", ")}.`;
}

function range(given: Interval): Omit<Range, "row" | "of"> {
  return { value: given.mean, ...(endsOf(given) ?? none) };
}
