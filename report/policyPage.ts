// The page of a policy that was trained against a reward (PPO, RLOO), or of two beside each other.
// Next: ../grm/policies/policyRecords.ts for what each number is.

import { accept, signatures } from "../core/signature.ts";
import type { PolicyRecord } from "../grm/policies/policyRecords.ts";
import { brief, capital, coursesText, listed } from "./captions.ts";
import { type Axis, type CurveSeries, curves, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { detailsHtml, tableHtml } from "./html.ts";
import { pageHtml } from "./page.ts";
import { settingsSection } from "./settings.ts";

const takes = signatures({
  policyPage: "runs: any[]",
});

/** Titles, and what is true of any run. */
const words = {
  course: {
    title: "True quality against distance from the base",
    limits:
      "Where gold falls although the optimised reward goes on: over-optimisation. One run each; other seeds go other ways.",
  },
  proxy: { title: "What is optimised", limits: "It says nothing of true quality." },
  gold: {
    title: "What is true",
    limits: "The gold reward, in a unit of its own; the policy never sees it.",
  },
  kl: {
    title: "KL by two estimators",
    limits:
      "Estimates from a round's own answers: k1 may be noisy and k3 is never negative; far apart, neither is sure.",
  },
  entropy: {
    title: "Entropy",
    limits:
      "Mean over tokens of the policy's own answers; 0 is a policy that writes one answer only.",
  },
  length: { title: "Length of answers", limits: "With the token that ends an answer." },
  ended: {
    title: "Share of answers that end by themselves",
    limits: "The others were cut at the longest length.",
  },
} as const;

/** A policy's run with its name. */
export interface PolicyHistory {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly records: readonly PolicyRecord[];
}

/** The whole file. */
export function policyPage(runs: readonly PolicyHistory[]): string {
  accept(takes.policyPage, arguments);
  const [course, proxy, ...others] = figuresOf(runs) as [Figure, Figure, ...Figure[]];
  return pageHtml({
    title: "Did optimising the reward make the answers better?",
    lead: `Policy ${listed(runs.map(({ name }) => name))}: a language model trained against a reward, with the true reward beside it.`,
    answer: { ...answerOf(runs), figures: [course, proxy] },
    sections: [
      { id: "answers", title: "What it wrote", before: runs.map(answersHtml).join("\n") },
      { id: "curves", title: "Round by round", figures: others },
      {
        ...settingsSection(runs.map(({ name, settings }) => ({ name, values: settings }))),
        folded: runs.length < 2,
      },
    ],
  });
}

/** What came of each run's gold reward: one number a run, so that nothing is known of chance. */
function answerOf(runs: readonly PolicyHistory[]) {
  const ended = runs.flatMap(({ name, records }) => {
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined) return [];
    return [{ name, first, last, top: records.reduce((t, one) => (one.gold > t.gold ? one : t)) }];
  });
  if (ended.length === 0) return { verdict: "unclear", said: ["Unclear: no round was recorded."] };
  const better = ended.filter(({ first, last }) => last.gold > first.gold).length;
  const verdict = better === ended.length ? "yes" : better === 0 ? "no" : "in part";
  const told = ended.map(({ name, first, last, top }) => {
    const before =
      top === last
        ? ""
        : ` (it was ${brief(top.gold)} in round ${top.step}, at a KL of ${brief(top.kl_k1)})`;
    return `in ${name} true quality went from ${brief(first.gold)} to ${brief(last.gold)}${before} while what is optimised went from ${brief(first.proxy)} to ${brief(last.proxy)}`;
  });
  const chance =
    "A run is one draw of chance and has no interval; npx twoheads overopt has one, over seeds.";
  return { verdict, said: [`${capital(verdict)}: ${told.join("; ")}.`, chance] };
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
    fixed: Omit<Words, "look">,
    label: string,
    series: readonly CurveSeries[],
    x = byRound,
  ): Figure => {
    const look = coursesText(series, x === byRound ? "round" : "KL");
    return curves(
      { ...fixed, look },
      { x, y: { label }, series, otherwise: "metrics.jsonl has no rounds." },
    );
  };
  const distance: Value = (record) => Math.max(0, record.kl_k1);
  return [
    figure(words.course, "gold reward", lines(runs, { "": (r) => r.gold }, distance), {
      label: "KL from the base, nats an answer",
    }),
    figure(words.proxy, "optimised reward", lines(runs, { "": (r) => r.proxy })),
    figure(words.gold, "gold reward", lines(runs, { "": (r) => r.gold })),
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
