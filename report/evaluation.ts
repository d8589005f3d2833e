// The section of how good the models are: accuracy with intervals beside what is reached without reading,
// calibration, rewards and margins, and two models held against each other on the same pairs.
// Next: ../grm/evaluation.ts for what each number is.

import type { Accuracy, Evaluation, ModelComparison, Perplexity } from "../grm/evaluation.ts";
import { type Difference, type Histogram, wilson } from "../grm/statistics/index.ts";
import { brief, counted, percentText, sidesText } from "./captions.ts";
import {
  type Axis,
  type CurvePoint,
  curves,
  histograms,
  missingFigure,
  type Range,
  ranges,
  type Words,
} from "./charts.ts";
import type { Figure } from "./figure.ts";
import { type Cell, escape, numberText, tableHtml } from "./html.ts";
import type { Section } from "./page.ts";
import { spanOf } from "./scales.ts";

/** An evaluation with the name that figures give its model; or why there is none. */
export interface NamedEvaluation {
  readonly name: string;
  readonly found: Evaluation | string;
}

interface Found {
  readonly name: string;
  readonly evaluation: Evaluation;
}

/** Two models' difference on the same pairs, and which pairs these are. */
export interface NamedComparison {
  readonly pairs: string;
  readonly found: ModelComparison;
}

/** All that the evaluations say; comparisons are of the first two. */
export function evaluationSection(
  all: readonly NamedEvaluation[],
  comparisons: readonly NamedComparison[] = [],
): Section {
  const found = foundIn(all);
  const missing = missingIn(all);
  return {
    id: "evaluation",
    title: "How good it is",
    before: [
      ...missing.map((why) => `<p class="missing">Not here: ${escape(why)}</p>`),
      found.length > 0 ? summaryTable(found) : "",
      comparisons.length === 0 ? "" : comparisonTable(found, comparisons),
    ].join("\n"),
    figures: [
      accuracyFigure(all),
      reliabilityFigure(found, missing.join("; ")),
      ...rewardFigures(found),
    ],
  };
}

function foundIn(all: readonly NamedEvaluation[]): Found[] {
  return all.flatMap(({ name, found: evaluation }) =>
    typeof evaluation === "string" ? [] : [{ name, evaluation }],
  );
}

function missingIn(all: readonly NamedEvaluation[]): string[] {
  return all.flatMap(({ name, found: why }) =>
    typeof why === "string" ? [`${name}: ${why}`] : [],
  );
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

/** The second's less the first's, where a comparison has the first's less the second's. */
export function turned({ value, low, high, ...rest }: Difference): Difference {
  return { ...rest, value: -value, low: -high, high: -low };
}

function comparisonTable(found: readonly Found[], comparisons: readonly NamedComparison[]): string {
  const [a = "first", b = "second"] = found.map(({ name }) => name);
  const numbers = (given: Difference, unit: number): Cell[] => {
    const { count, value, low, high, p } = turned(given);
    return [count, unit * value, unit * low, unit * high, p];
  };
  const rows = comparisons.flatMap(({ pairs, found: { onlyFirst, onlySecond, ...of } }) => [
    [`accuracy in points, ${pairs}`, ...numbers(of.difference, 100), onlyFirst, onlySecond],
    [`loss, ${pairs}`, ...numbers(of.lossDifference, 1), "", ""],
  ]);
  const rounds = comparisons[0]?.found.difference.rounds ?? 0;
  const columns = [`${b} less ${a}`, "pairs", "difference", "low", "high", "p"];
  return tableHtml(
    { columns: [...columns, `only ${a} right`, `only ${b} right`], rows },
    `On the same pairs: 95 % intervals by the paired bootstrap, ${rounds.toLocaleString("en-US")} rounds; p by the sign-flip test`,
  );
}

/** What the second adds to the first on the same pairs, all of them and by where they are from. */
export function differenceFigure(
  [a, b]: readonly [first: string, second: string],
  comparisons: readonly NamedComparison[],
): Figure {
  const found = comparisons.map(({ pairs, found: { difference } }) => {
    const { value, low, high } = turned(difference);
    return { row: pairs, of: "", value: 100 * value, low: 100 * low, high: 100 * high };
  });
  return ranges(
    {
      title: `${b} less ${a} on the same pairs`,
      look: sidesText(found, 0),
      limits:
        "95 % intervals over test pairs (paired bootstrap): trained again with another seed, both models would be others.",
    },
    {
      x: { label: `points of accuracy: right of 0 ${b} is better` },
      rule: 0,
      ranges: found,
      otherwise: "the models weren't compared.",
    },
  );
}

const control = "without reading";

function rangeOf(row: string, of: string, { value, low, high }: Accuracy): Range {
  return { row, of, value, low, high };
}

/** Accuracy by source, beside what is reached without reading. */
export function accuracyFigure(all: readonly NamedEvaluation[]): Figure {
  const [found, why] = [foundIn(all), missingIn(all).join("; ")];
  const rows = found.flatMap(({ name, evaluation: { accuracy, bySource } }) => {
    return [
      rangeOf("all pairs", name, accuracy),
      ...Object.entries(bySource).map(([source, own]) => rangeOf(source, name, own)),
    ];
  });
  const controls = found.slice(0, 1).flatMap(
    ({
      evaluation: {
        controls: { longer, words },
      },
    }) => [
      rangeOf("longer answer wins", control, longer),
      ...(words === null ? [] : [rangeOf("words alone", control, words)]),
    ],
  );
  return ranges(
    {
      title: "Accuracy, by source and beside the controls",
      look: found.map(besideControls).join(" "),
      limits:
        "Without reading: the longer answer wins, or the words that it has decide, whatever their order. Intervals are over pairs (Wilson, 95 %), not over training seeds.",
    },
    {
      x: { label: "share of pairs ranked right" },
      ranges: [...rows, ...controls],
      rule: 0.5,
      otherwise: why || "there is no evaluation.",
    },
  );
}

/** Whether a model's interval is clear of what is reached without reading. */
export function besideControls({ name, evaluation: { accuracy, controls } }: Found): string {
  const { longer, words } = controls;
  const best = words !== null && words.value > longer.value ? words : longer;
  const which = best === longer ? "the longer answer" : "words alone";
  const found =
    accuracy.low > best.high
      ? "it is above, and the intervals don't touch"
      : accuracy.high < best.low
        ? "it is below, and the intervals don't touch"
        : "the intervals overlap";
  return `${name} ranks ${accuracyText(accuracy)} right, and the better control, ${which}, ${accuracyText(best)}: ${found}.`;
}

function reliabilityFigure(found: readonly Found[], why: string): Figure {
  const bins = found.map(({ name, evaluation }) => ({ name, points: binsOf(evaluation) }));
  const words = {
    title: "Is it as sure as it should be?",
    look: bins.map(surenessText).join(" "),
    limits:
      "On the dotted line a model is right as often as it is sure; below it, it is too sure. Bars are 95 % intervals over a bin's pairs (Wilson).",
  };
  if (found.length === 0) return missingFigure(words, why || "there is no evaluation.");
  const ideal = {
    name: "as sure as right",
    points: [0.5, 1].map((x) => ({ x, y: x })),
    color: 5,
    dash: 2,
  };
  return curves(words, {
    x: { label: "confidence σ(|r_c − r_r|)", domain: [0.5, 1] },
    y: { label: "share ranked right", domain: [0, 1] },
    series: [...bins, ideal],
    dots: true,
    bars: true,
    otherwise: "no pair was evaluated.",
  });
}

type Bin = CurvePoint & { readonly y: number };

/** Bins that hold pairs: mean confidence, and the share that was right with its interval. */
function binsOf({ calibration }: Evaluation): Bin[] {
  return calibration.bins.flatMap(({ confidence, accuracy, count }) => {
    if (confidence === null || accuracy === null) return [];
    const { low, high } = wilson(new Float64Array(count).fill(accuracy)); // which reads count and mean alone
    return [{ x: confidence, y: accuracy, low, high }];
  });
}

function surenessText({ name, points }: { name: string; points: readonly Bin[] }): string {
  const tooSure = points.filter(({ x, high }) => x > (high ?? 1)).length;
  const tooUnsure = points.filter(({ x, low }) => x < (low ?? 0)).length;
  const rest = points.length - tooSure - tooUnsure;
  return `${name}: of ${counted(points.length, "bin")}, ${tooSure} shown to be too sure, ${tooUnsure} not sure enough, ${rest} within the interval.`;
}

/** Distributions in the same bins, with what is counted in them, on scales that all models share. */
function distributions(
  words: Words,
  [x, y]: readonly [x: Axis, y: Axis],
  found: Readonly<Record<string, { readonly histogram: Histogram }>>,
): Figure {
  const all = Object.entries(found);
  return histograms(words, {
    x,
    y,
    edges: all[0]?.[1].histogram.edges ?? [],
    counts: all.map(([name, { histogram }]) => ({ name, values: histogram.counts })),
    otherwise: "no pair was evaluated.",
  });
}

/** Rewards and margins of every model, each kind on scales of its own. */
function rewardFigures(found: readonly Found[]): Figure[] {
  const rewards = found.flatMap(({ evaluation }) => Object.values(evaluation.rewards));
  const margins = found.map(({ evaluation }) => evaluation.margins);
  const axes = (x: string, y: string, all: readonly { histogram: Histogram }[]) =>
    [
      { label: x, ...spanOf(all.flatMap(({ histogram }) => histogram.edges)) },
      { label: y, ...spanOf([0, ...all.flatMap(({ histogram }) => histogram.counts)]) },
    ] as const;
  const [ofRewards, ofMargins] = [
    axes("reward", "answers", rewards),
    axes("r_c − r_r", "pairs", margins),
  ];
  return [
    ...found.map(({ name, evaluation }) =>
      distributions(rewardWords(name, evaluation), ofRewards, evaluation.rewards),
    ),
    ...found.map(({ name, evaluation }) =>
      distributions(marginWords(name, evaluation), ofMargins, { pairs: evaluation.margins }),
    ),
  ];
}

function rewardWords(name: string, { rewards: { chosen, rejected } }: Evaluation): Words {
  return {
    title: `Rewards: ${name}`,
    look: `Mean of chosen answers ${brief(chosen.mean)}, of rejected ones ${brief(rejected.mean)}; deviations ${brief(chosen.deviation)} and ${brief(rejected.deviation)}.`,
    limits: "Only differences within a pair mean something; where all of them lie doesn't.",
  };
}

function marginWords(name: string, { margins, accuracy }: Evaluation): Words {
  return {
    title: `Margins: ${name}`,
    look: `Right of 0 the model agrees with the label: ${percentText(accuracy.value)} of the pairs, ties counted half. Mean margin ${brief(margins.mean)}.`,
    limits: "Wide margins are no better than narrow ones unless they are right more often.",
  };
}
