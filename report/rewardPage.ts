// The page of reward models: one training run, or two beside each other. What can't be shown is said.
// Next: ../cli/commands/report.ts, which reads runs from their folders.

import { accept, signatures } from "../core/signature.ts";
import type { Evaluation } from "../grm/evaluation.ts";
import type { Inspection } from "../grm/inspect/inspect.ts";
import type { TrainRecord } from "../grm/trainer/records.ts";
import type { FrontierFile } from "../lab/frontier.ts";
import { brief, counted, listed, percentText, pointsText } from "./captions.ts";
import { driftSection, languageSection, probeSection } from "./drift.ts";
import {
  accuracyFigure,
  besideControls,
  differenceFigure,
  evaluationSection,
  type NamedComparison,
  type NamedEvaluation,
  turned,
} from "./evaluation.ts";
import { frontierSection } from "./frontier.ts";
import { gradientSection } from "./gradients.ts";
import { escape } from "./html.ts";
import { type Page, type PageAnswer, pageHtml, type Section } from "./page.ts";
import { settingsSection } from "./settings.ts";
import { attentionSection, explanationSection, textSection } from "./tokens.ts";
import { perplexityFigure, trainingSection } from "./training.ts";

const takes = signatures({
  rewardPage: "found: { runs: any[], inspection: string | object, ... }",
  inspectionPage: "inspection: { pairs: number, models: any[], ... }",
  rewardSections:
    "page: { runs: any[], inspection: string | object, frontier: null | object, ... }",
  inspectionSections: "inspection: string | { pairs: number, models: any[], ... }",
});

/** What is known of a run. */
export interface RewardRun {
  readonly name: string;
  /** What it was begun with, by name. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly records: readonly TrainRecord[];
  /** Or why there is none. */
  readonly evaluation: Evaluation | string;
}

/** What a page on reward models shows: runs, their comparison, and what is inside them. */
export interface RewardPage {
  readonly runs: readonly RewardRun[];
  /** Of the first two on the same pairs; what is concluded is of the first comparison. */
  readonly comparisons?: readonly NamedComparison[];
  /** Or why there is none. */
  readonly inspection: Inspection | string;
  readonly frontier: FrontierFile | null;
}

/** The whole file. */
export function rewardPage(found: RewardPage): string {
  accept(takes.rewardPage, arguments);
  const names = found.runs.map(({ name }) => name);
  const isTwo = names.length > 1;
  const open = new Set(["evaluation", "training", ...(isTwo ? ["run"] : [])]);
  const page: Page = {
    title: isTwo
      ? `Which reward model ranks pairs better, ${names.join(" or ")}?`
      : `How good is the reward model ${names.join()}?`,
    lead: "On pairs that were never trained on. Below: the training, and what it did to the hidden states that both heads read.",
    answer: isTwo ? answerOfTwo(found) : answerOfOne(found),
    sections: rewardSections(found).map((section) => ({
      ...section,
      folded: !open.has(section.id),
    })),
  };
  return pageHtml(page);
}

const evaluationsOf = ({ runs }: RewardPage): NamedEvaluation[] =>
  runs.map(({ name, evaluation }) => ({ name, found: evaluation }));

/** Beside what is reached without reading. */
function answerOfOne(page: RewardPage): PageAnswer {
  const [run] = page.runs;
  const figures = [accuracyFigure(evaluationsOf(page)), perplexityFigure(page.runs)];
  if (run === undefined || typeof run.evaluation === "string") {
    return {
      verdict: "unclear",
      said: [`Unclear: ${run?.evaluation ?? "there is no run"}.`],
      figures,
    };
  }
  const { name, evaluation } = run;
  return {
    verdict: percentText(evaluation.accuracy.value),
    said: [besideControls({ name, evaluation }), ...languageTexts(page)],
    figures,
  };
}

/** Which is better, where the interval leaves 0 out and the test agrees. */
function answerOfTwo(page: RewardPage): PageAnswer {
  const [a = "", b = ""] = page.runs.map(({ name }) => name);
  const { comparisons = [] } = page;
  const [first] = comparisons;
  const figures = [differenceFigure([a, b], comparisons), accuracyFigure(evaluationsOf(page))];
  if (first === undefined) {
    return {
      verdict: "unclear",
      said: ["Unclear: the two were not compared on the same pairs."],
      figures,
    };
  }
  const { difference, first: ofA, second: ofB } = first.found;
  const { value, low, high, p, count } = turned(difference);
  const isShown = p < 0.05 && low * high > 0;
  const verdict = isShown ? (value > 0 ? b : a) : "unclear";
  return {
    verdict,
    said: [
      `${isShown ? verdict : "Unclear"}: of ${counted(count, "pair")} (${first.pairs}) ${b} ranks ${percentText(ofB.value)} right and ${a} ${percentText(ofA.value)}, a difference of ${pointsText(value)} points [${pointsText(low)}, ${pointsText(high)}] (95 % interval over pairs, p ${p < 0.001 ? "< 0.001" : p.toFixed(3)})${isShown ? "" : ", which could be chance"}.`,
      ...languageTexts(page),
    ],
    figures,
  };
}

/** What became of each language model, on chosen answers. */
function languageTexts({ runs }: RewardPage): string[] {
  const told = runs.flatMap(({ name, evaluation }) => {
    if (typeof evaluation === "string") return [];
    const { model, base } = evaluation.languageModel.chosen;
    if (model === null) return [];
    return [`${brief(model)} in ${name}${base === null ? "" : ` (its base has ${brief(base)})`}`];
  });
  return told.length === 0
    ? []
    : [`The language model's perplexity on the chosen answers is ${listed(told)}.`];
}

/** The page of what `twoheads inspect` found. */
export function inspectionPage(inspection: Inspection): string {
  accept(takes.inspectionPage, arguments);
  const names = inspection.models.map(({ name }) => name).join(" and ");
  return pageHtml({
    title: `Inside ${names}`,
    lead: `On ${inspection.pairs} pairs, beside the language model that training began with.`,
    sections: inspectionSections(inspection),
  });
}

/** All sections, for pages that have others too. */
export function rewardSections(page: RewardPage): Section[] {
  accept(takes.rewardSections, arguments);
  const { runs, comparisons, inspection, frontier } = page;
  return [
    evaluationSection(evaluationsOf(page), comparisons),
    trainingSection(runs),
    settingsSection(runs.map(({ name, settings }) => ({ name, values: settings }))),
    ...inspectionSections(inspection),
    frontierSection(frontier),
  ];
}

/**
 * The sections of a page that look into models; in place of an inspection, the sentence that says why there
 * is none.
 */
export function inspectionSections(inspection: Inspection | string): Section[] {
  accept(takes.inspectionSections, arguments);
  if (typeof inspection === "string") {
    const why = `<p class="missing">Not here: ${escape(inspection)}</p>`;
    return [{ id: "inspection", title: "Inside the models", before: why }];
  }
  const { models, shown, notes } = inspection;
  const said = notes.map((note) => `<p class="soft">${escape(note)}</p>`).join("");
  return [
    { ...textSection(inspection), after: `${textSection(inspection).after ?? ""}${said}` },
    gradientSection(models, shown[0]),
    driftSection(inspection),
    languageSection(inspection),
    explanationSection(inspection),
    probeSection(inspection),
    attentionSection(inspection),
  ];
}
