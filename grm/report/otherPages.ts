// The pages of the other kinds of runs: pretraining, policies (PPO and RLOO), best-of-n, and the comparison
// of reward models under optimisation. Next: ../commands/report.ts.

import type { PretrainRecord } from "../../nn/index.ts";
import { interval } from "../demo/intervals.ts";
import { rowsOf, textReport } from "../overopt/comparison/report.ts";
import type { ResultFile } from "../overopt/comparison/results.ts";
import { coursesOf, type MeanPoint, methodTitles } from "../overopt/comparison/summary.ts";
import type { PolicyRecord } from "../overopt/policyRecords.ts";
import { type Axis, curves, type Point, type Series } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { detailsHtml, escape, numberText, tableHtml } from "./html.ts";
import { pageHtml } from "./page.ts";
import { settingsSection } from "./settings.ts";

const noRecords = "metrics.jsonl has no such records.";

// --- Pretraining -------------------------------------------------------------------------------------

/** The page of a language model's pretraining. */
export function pretrainPage(
  name: string,
  settings: Readonly<Record<string, unknown>>,
  records: readonly PretrainRecord[],
): string {
  const training = records.filter((record) => record.kind === "train");
  const validation = records.filter((record) => record.kind === "validation");
  const every = Math.max(1, Math.ceil(training.length / 300));
  const of = (value: (r: (typeof training)[number]) => number): Point[] =>
    training.filter((_, i) => i % every === 0).map((r) => ({ x: r.step, y: value(r) }));
  const held = (value: (r: (typeof validation)[number]) => number): Point[] =>
    validation.map((r) => ({ x: r.step, y: value(r) }));
  const x: Axis = { label: "step" };
  const samples = records.flatMap((r) =>
    r.kind === "sample"
      ? [detailsHtml(`step ${r.step}`, `<pre>${escape(r.prompt + r.text)}</pre>`)]
      : [],
  );
  const figures = [
    curves(
      {
        title: "Loss of a token",
        look: "Both curves fall; the gap between them is what was learnt by heart.",
        limits:
          every > 1
            ? `Every ${every}th training step is shown.`
            : "Batches differ, so that training jumps.",
      },
      {
        x,
        y: { label: "nats" },
        series: [
          { name: "training", points: of((r) => r.loss) },
          { name: "validation", points: held((r) => r.loss) },
        ],
        otherwise: noRecords,
      },
    ),
    curves(
      {
        title: "Bits for each byte of text",
        look: "The validation loss in a unit that doesn't depend on the tokenizer.",
        limits: "Of this corpus; other text may be harder.",
      },
      {
        x,
        y: { label: "bits a byte" },
        series: [{ name: "validation", points: held((r) => r.bitsPerByte) }],
        otherwise: noRecords,
      },
    ),
    curves(
      {
        title: "Gradient norm",
        look: "Spikes are steps that clipping had to tame.",
        limits: "Before clipping, over all parameters together.",
      },
      {
        x,
        y: { label: "norm", log: true },
        series: [{ name: "norm", points: of((r) => r.gradNorm) }],
        otherwise: noRecords,
      },
    ),
    curves(
      {
        title: "Learning rate",
        look: "It rises, stays, and falls to 0 over the last steps.",
        limits: "What Adam makes of it differs by parameter.",
      },
      {
        x,
        y: { label: "rate" },
        series: [{ name: "rate", points: of((r) => r.lr) }],
        otherwise: noRecords,
      },
    ),
  ];
  return pageHtml({
    title: `Language model ${name}`,
    lead: "How it was pretrained, and what it wrote on the way.",
    sections: [
      settingsSection([{ name, values: settings }]),
      { id: "training", title: "Training", figures },
      {
        id: "samples",
        title: "What it wrote",
        before: samples.join("\n") || "<p>Nothing was sampled.</p>",
      },
    ],
  });
}

// --- Policies ----------------------------------------------------------------------------------------

/** A policy's run with its name. */
export interface PolicyRun {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly records: readonly PolicyRecord[];
}

/** The page of one policy's training, or of two. */
export function policyPage(runs: readonly PolicyRun[]): string {
  const series = (
    value: (r: PolicyRecord) => number | null,
    x = (r: PolicyRecord) => r.step,
  ): Series[] =>
    runs.map(({ name, records }) => ({
      name,
      points: records.map((r) => ({ x: x(r), y: value(r) })),
    }));
  const one = (
    title: string,
    look: string,
    limits: string,
    label: string,
    found: readonly Series[],
    x: Axis = { label: "round" },
  ): Figure =>
    curves({ title, look, limits }, { x, y: { label }, series: found, otherwise: noRecords });
  const two = (
    a: string,
    av: (r: PolicyRecord) => number,
    b: string,
    bv: (r: PolicyRecord) => number,
  ) =>
    runs.flatMap(({ name, records }, color) =>
      (
        [
          [a, av, 0],
          [b, bv, 2],
        ] as const
      ).map(([what, value, dash]) => ({
        name: `${name}, ${what}`,
        color,
        dash,
        points: records.map((r) => ({ x: r.step, y: value(r) })),
      })),
    );
  const figures = [
    one(
      "True quality against distance from the base",
      "Where gold stops rising and falls although the optimised reward goes on: over-optimisation.",
      "One run; other seeds go other ways.",
      "gold reward",
      series(
        (r) => r.gold,
        (r) => Math.max(0, r.kl_k1),
      ),
      { label: "KL from the base, nats an answer" },
    ),
    one(
      "What is optimised, and what is true",
      "The proxy rises by construction; whether gold follows is the question.",
      "The two have units of their own.",
      "reward",
      two(
        "proxy",
        (r) => r.proxy,
        "gold",
        (r) => r.gold,
      ),
    ),
    one(
      "KL by two estimators",
      "k1 may be noisy and k3 is never negative; far apart, neither is sure.",
      "Estimates from a round's own answers.",
      "nats an answer",
      two(
        "k1",
        (r) => r.kl_k1,
        "k3",
        (r) => r.kl_k3,
      ),
    ),
    one(
      "Entropy",
      "Falling to 0 means that the policy writes one answer only.",
      "Mean over tokens of the policy's own answers.",
      "nats a token",
      series((r) => r.entropy),
    ),
    one(
      "Length of answers",
      "A reward that likes length shows here first.",
      "With the token that ends an answer.",
      "tokens",
      series((r) => r.length),
    ),
    one(
      "Share of answers that end by themselves",
      "Falling to 0 means that the policy has forgotten how to stop.",
      "The others were cut at the longest length.",
      "share",
      series((r) => r.ended),
    ),
  ];
  return pageHtml({
    title: `Policy ${runs.map(({ name }) => name).join(" and ")}`,
    lead: "A language model trained against a reward, with the true reward beside it.",
    sections: [
      settingsSection(runs.map(({ name, settings }) => ({ name, values: settings }))),
      { id: "curves", title: "Rounds", figures },
      { id: "answers", title: "What it wrote", before: runs.map(answersHtml).join("\n") },
    ],
  });
}

function answersHtml({ name, records }: PolicyRun): string {
  const every = Math.max(1, Math.ceil(records.length / 8));
  const shown = records.filter((_, i) => i % every === 0 || i === records.length - 1);
  const rows = shown.flatMap(({ step, samples }) =>
    samples.slice(0, 2).map(({ text, proxy, gold }) => [String(step), proxy, gold, text.trim()]),
  );
  const table = tableHtml({ columns: ["round", "proxy", "gold", "answer"], rows }, name);
  return detailsHtml(`Answers of ${name}`, table, true);
}

// --- Best of n ---------------------------------------------------------------------------------------

/** What `twoheads bon --json` wrote. */
export interface BestOfNRun {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly ns: readonly number[];
  readonly kl: readonly number[];
  readonly measures: readonly string[];
  /** By measure, prompt and n. */
  readonly curves: readonly (readonly (readonly number[])[])[];
}

/** The page of best-of-n by one judge. */
export function bestOfNPage(run: BestOfNRun): string {
  const at = (k: number, i: number) =>
    interval((run.curves[k] ?? []).map((c) => c[i] ?? Number.NaN));
  const figures = run.measures.map((measure, k) =>
    curves(
      {
        title: measure,
        look: "What happens to it as the judge chooses among more answers; the band is over prompts.",
        limits: "KL is ln n − (n−1)/n, an upper bound where answers tie.",
      },
      {
        x: { label: "KL from the base, nats" },
        y: { label: measure },
        series: [
          {
            name: measure,
            points: run.kl.map((x, i) => {
              const { mean, half } = at(k, i);
              return { x, y: mean, ...(half !== null && { low: mean - half, high: mean + half }) };
            }),
          },
        ],
        otherwise: "there are no answers.",
      },
    ),
  );
  const rows = run.ns.map((n, i) => [
    String(n),
    run.kl[i] ?? null,
    ...run.measures.map((_, k) => {
      const { mean, half } = at(k, i);
      return `${numberText(mean)}${half === null ? "" : ` ± ${numberText(half)}`}`;
    }),
  ]);
  return pageHtml({
    title: `Best of n: ${run.name}`,
    lead: "A judge chooses the best of n answers; its own measure rises, and the others say what it cost.",
    sections: [
      settingsSection([{ name: run.name, values: run.settings }]),
      {
        id: "curves",
        title: "Over n",
        figures,
        after: tableHtml(
          { columns: ["n", "KL", ...run.measures], rows },
          "± is half of a 95 % interval over prompts",
        ),
      },
    ],
  });
}

// --- Reward models under optimisation ----------------------------------------------------------------

const shown = {
  gold: [
    "True quality",
    "gold reward",
    "Where a curve turns down, more optimisation makes answers worse.",
  ],
  proxy: [
    "What is optimised",
    "deviations of the base's answers",
    "It rises by construction, and says nothing of quality.",
  ],
  fluency: [
    "Fluency",
    "ln p of a token under the base",
    "Falling means answers that the base would not write.",
  ],
} as const;

/** The page of `twoheads overopt`. */
export function overoptPage(name: string, { command, plan, seeds }: ResultFile): string {
  const courses = coursesOf(seeds);
  const methods = [...new Set(courses.map(({ method }) => method))];
  const judges = [...new Set(courses.map(({ judge }) => judge))];
  const point = (p: MeanPoint, what: keyof typeof shown): Point => {
    const { mean, half } = p[what];
    return { x: p.kl, y: mean, ...(half !== null && { low: mean - half, high: mean + half }) };
  };
  const figures = methods.flatMap((method) =>
    (Object.keys(shown) as (keyof typeof shown)[]).map((what) =>
      curves(
        {
          title: `${shown[what][0]}, ${methodTitles[method]}`,
          look: shown[what][2],
          limits:
            "Bands are 95 % intervals over seeds, each with a base of its own; one small world.",
        },
        {
          x: { label: "KL from the base, nats" },
          y: { label: shown[what][1] },
          series: courses
            .filter((course) => course.method === method)
            .map(({ judge, points }) => ({
              name: judge,
              color: judges.indexOf(judge),
              points: points.map((p) => point(p, what)),
            })),
          otherwise: "no seed is done.",
        },
      ),
    ),
  );
  const tables = methods.map((method) => {
    const [columns = [], ...rows] = rowsOf(seeds, method);
    return tableHtml({ columns, rows }, methodTitles[method]);
  });
  return pageHtml({
    title: "What happens to true quality when a learnt reward is optimised?",
    lead: `${seeds.length} seeds in the world "${plan.world}".`,
    sections: [
      settingsSection([{ name, values: { command, ...plan } }]),
      { id: "curves", title: "Over the distance from the base", figures },
      {
        id: "tables",
        title: "Tables",
        before: tables.join("\n"),
        after: detailsHtml(
          "As it was printed, with verdict",
          `<pre>${escape(textReport(seeds, plan))}</pre>`,
        ),
      },
    ],
  });
}
