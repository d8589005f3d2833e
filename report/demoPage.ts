// The page of the demo: its table as figures with intervals, the verdict as it was printed, and then two
// of its reward models, plain BT and GRM-SFT at the hottest rate, looked into side by side.
// Next: ../lab/demo/table.ts for the verdict.

import { accept, signatures } from "../core/signature.ts";
import {
  endsOf,
  geometricInterval,
  geometricMean,
  type Interval,
  interval,
  plusMinus,
} from "../grm/statistics/index.ts";
import { type DemoPlan, type RowName, rateText, rowsAtRate, rowTitles } from "../lab/demo/plan.ts";
import { type DemoResult, type DemoResultFile, oodOf } from "../lab/demo/results.ts";
import { outOfDistribution } from "../lab/worlds/index.ts";
import { type Axis, missingFigure, type Range, ranges, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { escape, numberText, tableHtml } from "./html.ts";
import { pageHtml, type Section } from "./page.ts";
import { type RewardPage, rewardSections } from "./rewardPage.ts";
import { settingsSection } from "./settings.ts";

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
  const seeds = seedsOf(results);
  const run = settingsSection(
    [{ name: "value", values: { command, seeds: seeds.join(", "), ...plan } }],
    `<p>In a miniature English whose true reward is a formula, a base language model is pretrained for each seed; reward models learn from it in every way at every rate. <em>id</em> pairs are like those that they learnt from; out of distribution is the mean of four tests that change the domain, the words, the sentences, or all.</p>`,
  );
  const inside =
    typeof models === "string"
      ? [{ id: "models", title: "Inside the models", before: missingText(models) }]
      : rewardSections(models).map((section) =>
          section.id === "run"
            ? { ...section, id: "models", title: "Two of the models, looked into" }
            : section,
        );
  return pageHtml({
    title: "What does a text-generation loss do to a reward model?",
    lead: `GRM (arXiv 2406.10216) in a world where the truth is known: ${seeds.length} ${seeds.length === 1 ? "seed" : "seeds"}, every method at ${plan.rates.length} learning rates.`,
    sections: [run, tableSection(results, plan, printed), manySection(many), ...inside],
  });
}

const missingText = (why: string): string => `<p class="missing">Not here: ${escape(why)}</p>`;

const seedsOf = (results: readonly DemoResult[]): number[] => [
  ...new Set(results.map(({ seed }) => seed)),
];

function tableSection(results: readonly DemoResult[], plan: DemoPlan, printed: string): Section {
  const one = seedsOf(results).length === 1;
  return {
    id: "table",
    title: "What came of it",
    before: tableHtml(
      tableOf(results, plan),
      "Means over seeds, ± half of a 95 % interval (Student's t); accuracies in %",
    ),
    figures: figuresOf(results, plan, one ? "One seed: there are no intervals." : ""),
    after: `<details><summary>As it was printed, with differences and verdict</summary><pre>${escape(printed.trim())}</pre></details>`,
  };
}

function manySection(many: DemoResultFile | null): Section {
  const title = "The same from many seeds";
  if (many === null) {
    const why = "no results of many seeds with this plan came with the program.";
    const words = {
      title: "Out of distribution, many seeds",
      look: "How wide chance is.",
      limits: "Other worlds may differ.",
    };
    return { id: "many", title, figures: [missingFigure(words, why)] };
  }
  const count = seedsOf(many.results).length;
  return {
    id: "many",
    title,
    before: `<p class="soft">${count} seeds, made by <code>${escape(many.command)}</code>. Not of this run.</p>`,
    figures: figuresOf(many.results, many.plan, ""),
  };
}

/** The results of a row at a rate. */
function cellOf(results: readonly DemoResult[], row: RowName, lr: number): DemoResult[] {
  return results.filter((result) => result.row === row && result.lr === lr);
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
    look: "Whether GRM lies to the right of BT at the same rate, and whether the intervals leave it open.",
    limits: "A best rate is chosen on the tests themselves.",
  },
  id: {
    title: "Accuracy in distribution",
    look: "On pairs like those of training the methods lie closer together.",
    limits: "It says nothing about other pairs.",
  },
  perplexity: {
    title: "Perplexity of the language model afterwards",
    look: "How much of the base's language is left: this tells the methods apart much more loudly than accuracy.",
    limits: "Destroying the language model doesn't by itself cost accuracy out of distribution.",
  },
} as const satisfies Record<string, Words>;

/** `note` is added to what the figures don't show. */
function figuresOf(results: readonly DemoResult[], plan: DemoPlan, note: string): Figure[] {
  const figure = (
    what: keyof typeof words,
    x: Axis,
    value: (found: readonly DemoResult[]) => Omit<Range, "row" | "of">,
  ): Figure => {
    const said = { ...words[what], limits: `${words[what].limits} ${note}`.trim() };
    const found = rowsAt(plan).map(({ row, lr }) => ({
      row: rowTitles[row] ?? row,
      of: `rate ${rateText(lr)}`,
      ...value(cellOf(results, row, lr)),
    }));
    return ranges(said, { x, ranges: found, otherwise: "there are no results." });
  };
  const accuracy = { label: "share of pairs ranked right" };
  return [
    figure("ood", accuracy, (found) => range(interval(found.map(oodOf)))),
    figure("id", accuracy, (found) => range(interval(found.map((r) => r.accuracy.id)))),
    figure("perplexity", { label: "perplexity, geometric mean", log: true }, (found) => {
      const { mean, ends } = geometricInterval(found.map((r) => r.perplexity));
      return { value: found.length === 0 ? null : mean, ...(ends ?? none) };
    }),
  ];
}

const none = { low: null, high: null } as const;

function range(given: Interval): Omit<Range, "row" | "of"> {
  return { value: given.mean, ...(endsOf(given) ?? none) };
}
