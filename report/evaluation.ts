// The section of how good the models are: accuracy with intervals beside what is reached without reading,
// calibration, rewards and margins, and two models held against each other on the same pairs.
// Next: ../grm/evaluation.ts for what each number is.

import type { Accuracy, Evaluation, ModelComparison, Perplexity } from "../grm/evaluation.ts";
import type { Histogram } from "../grm/statistics/index.ts";
import { curves, histograms, missingFigure, ranges, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { type Cell, numberText, paragraph, tableHtml } from "./html.ts";
import type { Section } from "./page.ts";

/** An evaluation with the name that figures give its model; or why there is none. */
export interface NamedEvaluation {
  readonly name: string;
  readonly found: Evaluation | string;
}

interface Found {
  readonly name: string;
  readonly evaluation: Evaluation;
}

/** All that the evaluations say; `comparison` is of the first two. */
export function evaluationSection(
  all: readonly NamedEvaluation[],
  comparison: ModelComparison | null = null,
): Section {
  const found = all.flatMap(({ name, found: evaluation }) =>
    typeof evaluation === "string" ? [] : [{ name, evaluation }],
  );
  const missing = all.flatMap(({ name, found: why }) =>
    typeof why === "string" ? [`${name}: ${why}`] : [],
  );
  const figures = [
    accuracyFigure(found, missing.join("; ")),
    reliabilityFigure(found, missing.join("; ")),
    ...found.flatMap(rewardFigures),
  ];
  return {
    id: "evaluation",
    title: "How good it is",
    before: [
      ...missing.map((why) => `<p class="missing">Not here: ${paragraph(why)}</p>`),
      found.length > 0 ? summaryTable(found) : "",
      comparison === null ? "" : comparisonTable(found, comparison),
    ].join("\n"),
    figures,
  };
}

const percent = (share: number): string => (100 * share).toFixed(1);

function accuracyText({ value, low, high, ties }: Accuracy): string {
  const tied = ties > 0 ? `, ${ties} ties` : "";
  return `${percent(value)} % [${percent(low)}, ${percent(high)}]${tied}`;
}

function perplexityText(side: Perplexity | null): Cell {
  if (side === null) return null;
  const base = side.base === null ? "" : ` (base ${numberText(side.base)})`;
  return `${numberText(side.model)}${base}`;
}

function summaryTable(found: readonly Found[]): string {
  const row = (name: string, value: (evaluation: Evaluation) => Cell): Cell[] => [
    name,
    ...found.map(({ evaluation }) => value(evaluation)),
  ];
  const rows = [
    row("pairs", (e) => e.pairs),
    row("accuracy, 95 % interval", (e) => accuracyText(e.accuracy)),
    row("longer answer wins (without reading)", (e) => accuracyText(e.controls.longer)),
    row("words alone (logistic regression)", (e) =>
      e.controls.words === null ? "no training pairs at hand" : accuracyText(e.controls.words),
    ),
    row("loss, −ln σ(r_c − r_r)", (e) => e.loss),
    row("expected calibration error", (e) => e.calibration.ece),
    row("Brier score (0.25 says nothing)", (e) => e.calibration.brier),
    row("fitted temperature", (e) => e.calibration.temperature ?? "none fits"),
    row("reward against length (Spearman)", (e) => e.length.spearman),
    row("perplexity, chosen", (e) => perplexityText(e.languageModel.chosen)),
    row("perplexity, rejected", (e) => perplexityText(e.languageModel.rejected)),
    row("perplexity, neutral", (e) => perplexityText(e.languageModel.neutral)),
  ];
  const columns = ["", ...found.map(({ name }) => name)];
  return tableHtml({ columns, rows }, "Validation pairs, which were never trained on");
}

function comparisonTable(found: readonly Found[], comparison: ModelComparison): string {
  const [a = "first", b = "second"] = found.map(({ name }) => name);
  const { difference, lossDifference, onlyFirst, onlySecond } = comparison;
  const rows = [
    [
      "accuracy, points",
      100 * difference.value,
      100 * difference.low,
      100 * difference.high,
      difference.p,
    ],
    ["loss", lossDifference.value, lossDifference.low, lossDifference.high, lossDifference.p],
  ];
  const table = tableHtml(
    { columns: [`${a} less ${b}`, "difference", "low", "high", "p"], rows },
    `On the same ${difference.count} pairs: 95 % intervals by the paired bootstrap, ${difference.rounds} rounds; p by the sign-flip test`,
  );
  return `${table}${paragraph(`Only ${a} is right about ${onlyFirst} pairs, only ${b} about ${onlySecond}.`)}`;
}

function accuracyFigure(found: readonly Found[], why: string): Figure {
  const rows = found.flatMap(({ name, evaluation: { accuracy, bySource, controls } }) => {
    const one = (row: string, { value, low, high }: Accuracy) => ({
      row,
      of: name,
      value,
      low,
      high,
    });
    return [
      one("all pairs", accuracy),
      ...Object.entries(bySource).map(([source, own]) => one(source, own)),
      one("control: longer wins", controls.longer),
      ...(controls.words === null ? [] : [one("control: words alone", controls.words)]),
    ];
  });
  return ranges(
    {
      title: "Accuracy, by source and beside the controls",
      look: "A model that isn't clear of the controls has learnt length or words, not answers.",
      limits: "Intervals are over pairs (Wilson, 95 %), not over training seeds.",
    },
    {
      x: { label: "share of pairs ranked right" },
      ranges: rows,
      rule: 0.5,
      otherwise: why || "there is no evaluation.",
    },
  );
}

function reliabilityFigure(found: readonly Found[], why: string): Figure {
  const words = {
    title: "Reliability",
    look: "On the dotted line a model is right as often as it is sure; below it, it is too sure.",
    limits: "Bins with few pairs jump by chance; the counts stand in the evaluation.",
  };
  if (found.length === 0) return missingFigure(words, why || "there is no evaluation.");
  const series = found.map(({ name, evaluation: { calibration } }) => ({
    name,
    points: calibration.bins.map(({ confidence, accuracy }) => ({
      x: confidence ?? Number.NaN,
      y: accuracy,
    })),
  }));
  const ideal = {
    name: "as sure as right",
    points: [0.5, 1].map((x) => ({ x, y: x })),
    color: 5,
    dash: 2,
  };
  return curves(words, {
    x: { label: "confidence σ(|r_c − r_r|)", domain: [0.5, 1] },
    y: { label: "share ranked right", domain: [0, 1] },
    series: [...series, ideal],
    dots: true,
    otherwise: "no pair was evaluated.",
  });
}

/** Distributions in the same bins, with what is counted in them. */
function distributions(
  words: Words,
  [x, y]: readonly [x: string, y: string],
  found: Readonly<Record<string, { readonly histogram: Histogram }>>,
): Figure {
  const all = Object.entries(found);
  return histograms(words, {
    x: { label: x },
    y: { label: y },
    edges: all[0]?.[1].histogram.edges ?? [],
    counts: all.map(([name, { histogram }]) => ({ name, values: histogram.counts })),
    otherwise: "no pair was evaluated.",
  });
}

function rewardFigures({ name, evaluation: { rewards, margins } }: Found): Figure[] {
  const rewardWords = {
    title: `Rewards: ${name}`,
    look: "Chosen answers should lie to the right of rejected ones.",
    limits: "Only differences within a pair mean something; where all of them lie doesn't.",
  };
  const marginWords = {
    title: `Margins: ${name}`,
    look: "Right of 0 the model agrees with the label; the farther, the surer it is.",
    limits: "Wide margins are no better than narrow ones unless they are right more often.",
  };
  const { chosen, rejected } = rewards;
  return [
    distributions(rewardWords, ["reward", "answers"], { chosen, rejected }),
    distributions(marginWords, ["r_c − r_r", "pairs"], { pairs: margins }),
  ];
}
