// The page of a policy that was trained against a reward (PPO, RLOO), or of two beside each other.
// Next: ../grm/policies/policyRecords.ts for what each number is.

import { accept, signatures } from "../core/signature.ts";
import type { PolicyRecord } from "../grm/policies/policyRecords.ts";
import { type Axis, type CurveSeries, curves, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { detailsHtml, tableHtml } from "./html.ts";
import { pageHtml } from "./page.ts";
import { settingsSection } from "./settings.ts";

const takes = signatures({
  policyPage: "runs: any[]",
});

const words = {
  course: {
    title: "True quality against distance from the base",
    look: "Where gold stops rising and falls although the optimised reward goes on: over-optimisation.",
    limits: "One run; other seeds go other ways.",
  },
  rewards: {
    title: "What is optimised, and what is true",
    look: "The proxy rises by construction; whether gold follows is the question.",
    limits: "The two have units of their own.",
  },
  kl: {
    title: "KL by two estimators",
    look: "k1 may be noisy and k3 is never negative; far apart, neither is sure.",
    limits: "Estimates from a round's own answers.",
  },
  entropy: {
    title: "Entropy",
    look: "Falling to 0 means that the policy writes one answer only.",
    limits: "Mean over tokens of the policy's own answers.",
  },
  length: {
    title: "Length of answers",
    look: "A reward that likes length shows here first.",
    limits: "With the token that ends an answer.",
  },
  ended: {
    title: "Share of answers that end by themselves",
    look: "Falling to 0 means that the policy has forgotten how to stop.",
    limits: "The others were cut at the longest length.",
  },
} as const satisfies Record<string, Words>;

/** A policy's run with its name. */
export interface PolicyHistory {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly records: readonly PolicyRecord[];
}

/** The whole file. */
export function policyPage(runs: readonly PolicyHistory[]): string {
  accept(takes.policyPage, arguments);
  return pageHtml({
    title: `Policy ${runs.map(({ name }) => name).join(" and ")}`,
    lead: "A language model trained against a reward, with the true reward beside it.",
    sections: [
      settingsSection(runs.map(({ name, settings }) => ({ name, values: settings }))),
      { id: "curves", title: "Rounds", figures: figuresOf(runs) },
      { id: "answers", title: "What it wrote", before: runs.map(answersHtml).join("\n") },
    ],
  });
}

type Value = (record: PolicyRecord) => number;

const byRound: Axis = { label: "round" };

/** A line for each run and each thing, things told apart by dashes. */
function lines(
  runs: readonly PolicyHistory[],
  values: Readonly<Record<string, Value>>,
  x: Value = (record) => record.step,
): CurveSeries[] {
  return runs.flatMap(({ name, records }, color) =>
    Object.entries(values).map(([what, value], i) => ({
      name: what === "" ? name : `${name}, ${what}`,
      color,
      dash: 2 * i,
      points: records.map((record) => ({ x: x(record), y: value(record) })),
    })),
  );
}

function figuresOf(runs: readonly PolicyHistory[]): Figure[] {
  const figure = (
    said: Words,
    label: string,
    series: readonly CurveSeries[],
    x = byRound,
  ): Figure => curves(said, { x, y: { label }, series, otherwise: "metrics.jsonl has no rounds." });
  const distance: Value = (record) => Math.max(0, record.kl_k1);
  return [
    figure(words.course, "gold reward", lines(runs, { "": (r) => r.gold }, distance), {
      label: "KL from the base, nats an answer",
    }),
    figure(words.rewards, "reward", lines(runs, { proxy: (r) => r.proxy, gold: (r) => r.gold })),
    figure(words.kl, "nats an answer", lines(runs, { k1: (r) => r.kl_k1, k3: (r) => r.kl_k3 })),
    figure(words.entropy, "nats a token", lines(runs, { "": (r) => r.entropy })),
    figure(words.length, "tokens", lines(runs, { "": (r) => r.length })),
    figure(words.ended, "share", lines(runs, { "": (r) => r.ended })),
  ];
}

function answersHtml({ name, records }: PolicyHistory): string {
  const every = Math.max(1, Math.ceil(records.length / 8));
  const shown = records.filter((_, i) => i % every === 0 || i === records.length - 1);
  const rows = shown.flatMap(({ step, samples }) =>
    samples.slice(0, 2).map(({ text, proxy, gold }) => [String(step), proxy, gold, text.trim()]),
  );
  const table = tableHtml({ columns: ["round", "proxy", "gold", "answer"], rows }, name);
  return detailsHtml(`Answers of ${name}`, table, true);
}
