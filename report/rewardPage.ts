// The page of reward models: one training run, or two beside each other. What can't be shown is said.
// Next: ../cli/commands/report.ts, which reads runs from their folders.

import { accept, signatures } from "../core/signature.ts";
import type { Evaluation, ModelComparison } from "../grm/evaluation.ts";
import type { Inspection } from "../grm/inspect/inspect.ts";
import type { TrainRecord } from "../grm/trainer/records.ts";
import type { FrontierFile } from "../lab/frontier.ts";
import { driftSection, languageSection, probeSection } from "./drift.ts";
import { evaluationSection } from "./evaluation.ts";
import { frontierSection } from "./frontier.ts";
import { gradientSection } from "./gradients.ts";
import { escape } from "./html.ts";
import { type Page, pageHtml, type Section } from "./page.ts";
import { settingsSection } from "./settings.ts";
import { attentionSection, explanationSection, textSection } from "./tokens.ts";
import { trainingSection } from "./training.ts";

const takes = signatures({
  rewardPage: "found: { runs: any[], inspection: string | object, ... }",
  inspectionPage: "inspection: { pairs: number, models: any[], ... }",
  rewardSections:
    "{ runs: any[], comparison?: null | object, inspection: string | object, frontier: null | object }",
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
  /** Of the first two on the same pairs. */
  readonly comparison?: ModelComparison | null;
  /** Or why there is none. */
  readonly inspection: Inspection | string;
  readonly frontier: FrontierFile | null;
}

/** The whole file. */
export function rewardPage(found: RewardPage): string {
  accept(takes.rewardPage, arguments);
  const names = found.runs.map(({ name }) => name).join(" and ");
  const page: Page = {
    title: `Reward ${found.runs.length > 1 ? "models" : "model"} ${names}`,
    lead: "How it was trained, how good it is, and what training did to the hidden states that both heads read.",
    sections: rewardSections(found),
  };
  return pageHtml(page);
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
export function rewardSections(options: RewardPage): Section[] {
  accept(takes.rewardSections, arguments);
  const { runs, comparison, inspection, frontier } = options;
  const isEvaluated = runs.some(({ evaluation }) => typeof evaluation !== "string");
  return [
    settingsSection(runs.map(({ name, settings }) => ({ name, values: settings }))),
    trainingSection(runs),
    evaluationSection(
      runs.map(({ name, evaluation }) => ({ name, found: evaluation })),
      isEvaluated ? (comparison ?? null) : null,
    ),
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
