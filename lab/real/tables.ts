// From the files of the runs to the tables of RESULTS.md: accuracy of every reward model on every test
// beside what is reached without reading, what became of the language model, and GRM less Bradley-Terry,
// with two intervals: over seeds (Student's t), and seed by seed over pairs (the paired bootstrap).
// Next: ../../grm/statistics/intervals.ts.

import { readFileSync } from "node:fs";
import type { Evaluation, ModelComparison } from "../../grm/evaluation.ts";
import { interval, withEnds } from "../../grm/statistics/index.ts";
import { type ArmName, arms, type Experiment, type Test } from "./plan.ts";
import { comparisonIn, evaluationIn, folderOf } from "./run.ts";

const points = (share: number): string => (100 * share).toFixed(1);
const signed = (share: number): string => `${share > 0 ? "+" : ""}${points(share)}`;
const nameOf: Record<ArmName, string> = { bt: "BT", "grm-sft": "GRM-SFT" };
const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** The mean of some seeds' numbers with its interval, as points. */
function withInterval(values: readonly number[], show = points): string {
  return withEnds(interval(values), show);
}

/** All tables of an experiment, in Markdown. */
export function tablesOf(out: string, experiment: Experiment): string {
  const { name, lr, alpha, seeds } = experiment;
  const first = { experiment, arm: "bt", flipped: 0, seed: seeds[0] ?? 0 } as const;
  const known = experiment.tests.map((test) => evaluation(out, first, test));
  return [
    `### ${name}: ${seeds.length} seeds, lr ${lr}, alpha ${alpha}`,
    accuracies(out, experiment, known),
    differences(out, experiment),
    perplexities(out, experiment, known),
  ].join("\n\n");
}

type RunPlace = Parameters<typeof folderOf>[1];

function evaluation(out: string, run: RunPlace, { name }: Test): Evaluation {
  const text = readFileSync(evaluationIn(folderOf(out, run), name), "utf8");
  return JSON.parse(text) as Evaluation;
}

/** What each row of an experiment is: which reward models, and their flipped labels. */
function rowsOf({ seeds, flips }: Experiment) {
  return flips.flatMap((flipped) =>
    arms.map((arm) => ({
      title: `${nameOf[arm]}${flipped > 0 ? `, ${100 * flipped} % flipped` : ""}`,
      runs: seeds.map((seed) => ({ arm, flipped, seed })),
    })),
  );
}

function accuracies(out: string, experiment: Experiment, known: readonly Evaluation[]): string {
  const { tests } = experiment;
  const controls = known.map(({ controls }) => controls);
  const share = ({ value, low, high }: { value: number; low: number; high: number }): string =>
    `${points(value)} [${points(low)}, ${points(high)}]`;
  return [
    row(["accuracy, %", ...tests.map(({ name }, i) => `${name}, ${known[i]?.pairs} pairs`)]),
    row(["---", ...tests.map(() => "---:")]),
    ...rowsOf(experiment).map(({ title, runs }) => {
      const cells = tests.map((test) => {
        const values = runs.map((run) => evaluation(out, { experiment, ...run }, test));
        return withInterval(values.map(({ accuracy }) => accuracy.value));
      });
      return row([title, ...cells]);
    }),
    row(["longer wins", ...controls.map(({ longer }) => share(longer))]),
    row(["words only", ...controls.map(({ words }) => (words === null ? "" : share(words)))]),
  ].join("\n");
}

function differences(out: string, experiment: Experiment): string {
  const { tests, seeds, flips } = experiment;
  const found = (flipped: number, { name }: Test): ModelComparison[] =>
    seeds.map((seed) => {
      const run = { experiment, arm: "grm-sft", flipped, seed } as const;
      return JSON.parse(readFileSync(comparisonIn(folderOf(out, run), name), "utf8"));
    });
  const cell = (flipped: number, test: Test): string => {
    const each = found(flipped, test).map(({ difference }) => difference);
    const values = each.map(({ value }) => value);
    const bySeed = each.map(({ value, low, high }) => {
      return `${signed(value)} [${signed(low)}, ${signed(high)}]`;
    });
    return `**${withInterval(values, signed)}**; ${bySeed.join(", ")}`;
  };
  return [
    row(["GRM-SFT less BT, points", ...tests.map(({ name }) => name)]),
    row(["---", ...tests.map(() => "---")]),
    ...flips.map((flipped) => {
      const title = flipped === 0 ? "labels as they are" : `${100 * flipped} % flipped`;
      return row([title, ...tests.map((test) => cell(flipped, test))]);
    }),
  ].join("\n");
}

function perplexities(out: string, experiment: Experiment, known: readonly Evaluation[]): string {
  const [test] = experiment.tests;
  if (test === undefined) return "";
  const side = known[0]?.languageModel;
  const shown = (x: number | null | undefined): string => (x == null ? "" : x.toPrecision(3));
  const kinds = ["chosen", "rejected", "neutral"] as const;
  return [
    row(["perplexity", "chosen answers", "rejected answers", "stories"]),
    row(["---", "---:", "---:", "---:"]),
    row(["the base", ...kinds.map((kind) => shown(side?.[kind]?.base))]),
    ...rowsOf(experiment).map(({ title, runs }) => {
      const all = runs.map((run) => evaluation(out, { experiment, ...run }, test).languageModel);
      const range = kinds.map((kind) => {
        const values = all.map((one) => one[kind]?.model ?? Number.NaN).sort((a, b) => a - b);
        return `${shown(values[0])} to ${shown(values.at(-1))}`;
      });
      return row([title, ...range]);
    }),
  ].join("\n");
}
