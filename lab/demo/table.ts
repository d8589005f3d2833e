// From results to what a person reads: a table of every method at every rate, the differences between
// methods with their intervals, and the verdict. Everything said is computed from the results; where an
// interval holds 0, the text says that nothing was shown. Same results, same text, to the byte.
// Next: ../../cli/commands/demo.ts, which prints it.

import { portable } from "../../core/index.ts";
import {
  geometricMean,
  type Interval,
  interval,
  plusMinus,
  signOf,
  withEnds,
} from "../../grm/statistics/index.ts";
import { outOfDistribution, type SplitName } from "../worlds/index.ts";
import { type DemoPlan, type RowName, rateText, rowsAtRate, rowTitles } from "./plan.ts";
import { type DemoResult, oodOf } from "./results.ts";

/** The results of one row at one rate, by seed. */
type TableCell = ReadonlyMap<number, DemoResult>;

function cell(results: readonly DemoResult[], row: RowName, lr: number): TableCell {
  const own = results.filter((result) => result.row === row && result.lr === lr);
  return new Map(own.map((result) => [result.seed, result]));
}

// --- Numbers as text ---------------------------------------------------------------------------------

const percent = (share: number): string => (100 * share).toFixed(1).replace("-0.0", "0.0");

const withHalf = (given: Interval): string => plusMinus(given, percent, " ±");

/** +1.2 [-0.3, 2.7], in points. */
function points(given: Interval): string {
  return withEnds(given, (x) => `${x > 0 ? "+" : ""}${percent(x)}`);
}

/** Three digits, however large. */
function short(x: number): string {
  if (x >= 1e6) return x.toExponential(1).replace("e+", "e");
  return x >= 100 ? x.toFixed(0) : x.toPrecision(3);
}

/** Columns of equal width, the first to the left. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const pad = (text: string, i: number): string =>
    i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0);
  return rows.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}

// --- The table ---------------------------------------------------------------------------------------

/** Every method at every rate; `many` are the results of more seeds, for the last column. */
export function accuracyTable(
  results: readonly DemoResult[],
  many: readonly DemoResult[] | null,
  { rates, frozenRate }: DemoPlan,
): string {
  const accuracy = (found: TableCell, split: SplitName): Interval =>
    interval([...found.values()].map((result) => result.accuracy[split]));
  const ood = (found: TableCell): Interval => interval([...found.values()].map(oodOf));
  const seedsOf = (some: readonly DemoResult[]): number =>
    new Set(some.map(({ seed }) => seed)).size;
  const line = (row: RowName, lr: number): string[] => {
    const found = cell(results, row, lr);
    const after = geometricMean([...found.values()].map((result) => result.perplexity));
    return [
      `${rowTitles[row]}`,
      rateText(lr),
      withHalf(accuracy(found, "id")),
      ...outOfDistribution.map((split) => percent(accuracy(found, split).mean)),
      withHalf(ood(found)),
      short(after),
      ...(many === null ? [] : [withHalf(ood(cell(many, row, lr)))]),
    ];
  };
  const before = geometricMean(results.map(({ perplexityBefore }) => perplexityBefore));
  const more = many === null ? [] : [`OOD, ${seedsOf(many)} seeds`];
  const head = [
    "method",
    "rate",
    "id",
    ...outOfDistribution,
    "OOD",
    `LM ppl (was ${short(before)})`,
  ];
  const blocks = rates.flatMap((lr) => [[], ...rowsAtRate.map((row) => line(row, lr))]);
  return aligned([[...head, ...more], line("frozen", frozenRate), ...blocks]);
}

// --- Differences -------------------------------------------------------------------------------------

/** Out-of-distribution accuracy of one cell minus that of another, paired by seed. */
function difference(a: TableCell, b: TableCell): Interval {
  const pairs = [...a].flatMap(([seed, result]) => {
    const other = b.get(seed);
    return other === undefined ? [] : [oodOf(result) - oodOf(other)];
  });
  return interval(pairs);
}

/** The rate at which a row does best out of distribution on average over the seeds. */
function bestRate(
  results: readonly DemoResult[],
  row: RowName,
  { rates, frozenRate }: DemoPlan,
): number {
  if (row === "frozen") return frozenRate;
  const meanAt = (lr: number): number =>
    interval([...cell(results, row, lr).values()].map(oodOf)).mean;
  return rates.reduce((best, lr) => (meanAt(lr) > meanAt(best) ? lr : best));
}

/** Which two rows are compared at which rates. */
interface RowPair {
  readonly a: RowName;
  readonly b: RowName;
}

const comparisons: readonly RowPair[] = [
  { a: "bt", b: "frozen" },
  { a: "bt-early", b: "bt" },
  { a: "grm-sft", b: "bt" },
  { a: "grm-dpo", b: "bt" },
  { a: "grm-dpo-noref", b: "bt" },
  { a: "grm-sft", b: "bt-early" },
];

function compareAt(results: readonly DemoResult[], { a, b }: RowPair, lr: number, plan: DemoPlan) {
  const other = b === "frozen" ? plan.frozenRate : lr;
  return difference(cell(results, a, lr), cell(results, b, other));
}

function compareBest(results: readonly DemoResult[], { a, b }: RowPair, plan: DemoPlan) {
  const [rateA, rateB] = [bestRate(results, a, plan), bestRate(results, b, plan)];
  return { rateA, rateB, gain: difference(cell(results, a, rateA), cell(results, b, rateB)) };
}

/** What each method adds to another, in points of OOD accuracy, at each rate and each at its own best. */
export function differenceTable(results: readonly DemoResult[], plan: DemoPlan): string {
  const lines = comparisons.map((comparison) => {
    const { a, b } = comparison;
    const { gain } = compareBest(results, comparison, plan);
    return [
      `${rowTitles[a]} - ${rowTitles[b]}`,
      ...plan.rates.map((lr) => points(compareAt(results, comparison, lr, plan))),
      points(gain),
    ];
  });
  const head = ["", ...plan.rates.map((lr) => `at ${rateText(lr)}`), "each at its best rate"];
  return aligned([head, ...lines]);
}

// --- The verdict -------------------------------------------------------------------------------------

const main: RowPair = { a: "grm-sft", b: "bt" };

/** What GRM-SFT adds to plain BT, in shares of out-of-distribution accuracy, and what became of the language models. */
export interface DemoFindings {
  readonly seeds: number;
  /** At each rate, from the lowest. */
  readonly atRates: readonly { readonly lr: number; readonly gain: Interval }[];
  /** Each at the rate that is its own best. */
  readonly best: { readonly rateA: number; readonly rateB: number; readonly gain: Interval };
  /** Perplexities at the hottest rate, geometric means over seeds, and which is shown to be lower: 1 GRM-SFT's, -1 BT's. */
  readonly language: {
    readonly lr: number;
    readonly before: number;
    readonly sft: number;
    readonly bt: number;
    readonly kept: -1 | 0 | 1;
  };
}

/** Everything that the verdict is made of, from the results. */
export function findingsOf(results: readonly DemoResult[], plan: DemoPlan): DemoFindings {
  return {
    seeds: new Set(results.map(({ seed }) => seed)).size,
    atRates: plan.rates.map((lr) => ({ lr, gain: compareAt(results, main, lr, plan) })),
    best: compareBest(results, main, plan),
    language: languageOf(results, plan),
  };
}

/** How the language models ended at the hottest rate, and whether the seeds agree on who kept it better. */
function languageOf(results: readonly DemoResult[], { rates }: DemoPlan): DemoFindings["language"] {
  const lr = Math.max(...rates);
  const [sft, bt] = [cell(results, "grm-sft", lr), cell(results, "bt", lr)];
  const logs = [...sft].flatMap(([seed, { perplexity }]) => {
    const other = bt.get(seed);
    return other === undefined ? [] : [portable.log(other.perplexity / perplexity)];
  });
  const average = (found: TableCell): number =>
    geometricMean([...found.values()].map(({ perplexity }) => perplexity));
  const before = geometricMean([...sft.values()].map(({ perplexityBefore }) => perplexityBefore));
  return { lr, before, sft: average(sft), bt: average(bt), kept: signOf(interval(logs)) };
}

/** A difference in words, with what it allows to say. */
function inWords(gain: Interval): string {
  const verb = { "1": "gained", "-1": "lost", "0": "showed no difference:" } as const;
  const sign = signOf(gain);
  const size = sign === 0 ? points(gain) : points(gain).replace(/^[+-]/, "");
  return gain.half === null
    ? `got ${points(gain)} points, with one seed that says nothing`
    : `${verb[`${sign}`]} ${size}${sign === 0 ? "" : " points"}`;
}

/** Sentences on GRM-SFT against plain BT: at each rate, at the best rates, on the language model, and in a line. */
export function verdict(results: readonly DemoResult[], plan: DemoPlan): string {
  const found = findingsOf(results, plan);
  const { rateA, rateB, gain } = found.best;
  return [
    "Did regularisation (GRM-SFT against plain BT) help out of distribution?",
    ...found.atRates.map(({ lr, gain: own }) => `  at ${rateText(lr)} it ${inWords(own)}`),
    `  each at its own best rate (${rateText(rateA)} and ${rateText(rateB)}) it ${inWords(gain)}`,
    inALine(found),
  ].join("\n");
}

/** What these seeds show and what they don't. */
function inALine({ seeds, atRates, best, language }: DemoFindings): string {
  const findings = [
    ...atRates.map(({ lr, gain }) => ({ where: `at ${rateText(lr)}`, gain })),
    { where: "each at its best rate", gain: best.gain },
  ];
  const words = { "1": "a gain", "-1": "a loss" } as const;
  const shown = findings.flatMap(({ where, gain }) => {
    const sign = signOf(gain);
    return sign === 0
      ? []
      : [`${words[`${sign}`]} of ${percent(Math.abs(gain.mean))} points ${where}`];
  });
  const rest = findings.filter(({ gain }) => signOf(gain) === 0).map(({ where }) => where);
  return [
    `In a line: ${seeds} ${seeds === 1 ? "seed shows" : "seeds show"} `,
    [...shown, keptLanguage(language)].join(", "),
    rest.length === 0 ? "" : `; no difference in accuracy is shown ${rest.join(", ")}`,
    ".",
  ].join("");
}

function keptLanguage({ lr, sft, bt, kept }: DemoFindings["language"]): string {
  const verb = {
    "1": "the language model kept better",
    "-1": "the language model kept worse",
    "0": "no clear difference between the language models",
  };
  return `${verb[`${kept}`]} (perplexity ${short(sft)} against ${short(bt)} at ${rateText(lr)})`;
}
