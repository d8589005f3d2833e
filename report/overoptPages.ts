// The pages of rewards that were optimised: best-of-n by one judge, and the comparison of reward models.
// Next: ../lab/overopt/summary.ts for what is concluded.

import { accept, signatures } from "../core/signature.ts";
import { type Interval, interval, plusMinus, signOf, withEnds } from "../grm/statistics/index.ts";
import { rowsOf, textReport } from "../lab/overopt/report.ts";
import type { MethodName, OveroptResultFile } from "../lab/overopt/results.ts";
import { type Course, coursesOf, methodTitles, signed, verdict } from "../lab/overopt/summary.ts";
import {
  capital,
  counted,
  coursesText,
  listed,
  signedText,
  turnsText,
  wordOf,
} from "./captions.ts";
import { type CurveSeries, curves, pointAt } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { escape, numberText, type Table, tableHtml } from "./html.ts";
import { pageHtml } from "./page.ts";
import { domainOf } from "./scales.ts";
import { settingsSection } from "./settings.ts";

const takes = signatures({
  bestOfNPage: "run: { name: string, settings: object, ... }",
  overoptPage: "name: string, results: { command: string, plan: object, ... }",
});

const distance = { label: "KL from the base, nats" } as const;

// --- Best of n ---------------------------------------------------------------------------------------

/** What `twoheads bon --out` wrote. */
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
  accept(takes.bestOfNPage, arguments);
  const { name, settings, measures } = run;
  const caption = "± is half of a 95 % interval over prompts";
  const figures = measures.map((_, k) => measureFigure(run, k));
  return pageHtml({
    title: "Does choosing the best of n answers make them better?",
    lead: `Best of n: ${name}. A judge chooses among n answers to a prompt by its own measure; the others say what it cost.`,
    answer: { ...bestOfNAnswer(run), figures: truthFirst(figures).slice(0, 2) },
    sections: [
      {
        id: "curves",
        title: "Over n",
        figures: truthFirst(figures).slice(2),
        after: tableHtml(measureTable(run), caption),
      },
      settingsSection([{ name, values: settings }]),
    ],
  });
}

/** Measures are the judge's own, the true one, and others: the true one first. */
function truthFirst<T>([proxy, ...others]: readonly T[]): T[] {
  return [...others.slice(0, 1), ...(proxy === undefined ? [] : [proxy]), ...others.slice(1)];
}

/** What a measure gains from the first n to the last, paired by prompt. */
function gainOf(run: BestOfNRun, k: number): Interval {
  return interval((run.curves[k] ?? []).map((curve) => (curve.at(-1) ?? 0) - (curve[0] ?? 0)));
}

function bestOfNAnswer(run: BestOfNRun) {
  const gains = truthFirst(run.measures.map((name, k) => ({ name, gain: gainOf(run, k) })));
  const [truth, ...others] = gains;
  const { ns } = run;
  const change = (gain: Interval): string => withEnds(gain, signedText);
  if (truth === undefined) return { verdict: "unclear", said: ["Unclear: nothing was measured."] };
  const verdict = wordOf(truth.gain);
  return {
    verdict,
    said: [
      `${capital(verdict)}: from the best of ${ns[0]} to the best of ${ns.at(-1)}, ${truth.name} changes by ${change(truth.gain)} (95 % interval over ${counted(truth.gain.n, "prompt")}).`,
      `Over the same n ${listed(others.map(({ name, gain }) => `${name} changes by ${change(gain)}`))}.`,
    ],
  };
}

/** Of measure k at the i-th n, over prompts. */
function overPrompts({ curves: all }: BestOfNRun, k: number, i: number): Interval {
  return interval((all[k] ?? []).map((curve) => curve[i] ?? Number.NaN));
}

function measureFigure(run: BestOfNRun, k: number): Figure {
  const name = run.measures[k] ?? "";
  const series = [{ name, points: run.kl.map((x, i) => pointAt(x, overPrompts(run, k, i))) }];
  return curves(
    {
      title: name,
      look: coursesText(series, "KL"),
      limits:
        "The band is a 95 % interval over prompts. KL is ln n − (n−1)/n, an upper bound where answers tie.",
    },
    { x: distance, y: { label: name }, series, otherwise: "there are no answers." },
  );
}

function measureTable(run: BestOfNRun): Table {
  const cell = (given: Interval): string => plusMinus(given, numberText);
  return {
    columns: ["n", "KL", ...run.measures],
    rows: run.ns.map((n, i) => [
      String(n),
      run.kl[i] ?? null,
      ...run.measures.map((_, k) => cell(overPrompts(run, k, i))),
    ]),
  };
}

// --- Reward models compared --------------------------------------------------------------------------

const shown = {
  gold: {
    title: "True quality",
    label: "gold reward",
    limits: "Where a curve turns down, more optimisation makes answers worse.",
  },
  proxy: {
    title: "What is optimised",
    label: "deviations of the base's answers",
    limits: "It says nothing of quality.",
  },
  fluency: {
    title: "Fluency",
    label: "ln p of a token under the base",
    limits: "Lower means answers that the base would not write.",
  },
} as const;

type Shown = keyof typeof shown;

/** The page of `twoheads overopt`. */
export function overoptPage(name: string, results: OveroptResultFile): string {
  accept(takes.overoptPage, arguments);
  const { command, plan, seeds } = results;
  const courses = coursesOf(seeds);
  const methods = [...new Set(courses.map(({ method }) => method))];
  const tables = methods.map((method) => {
    const [columns = [], ...rows] = rowsOf(seeds, method);
    return tableHtml({ columns, rows }, methodTitles[method]);
  });
  const printed = `<pre tabindex="0">${escape(textReport(seeds, plan))}</pre>`;
  const figures = (what: Shown): Figure[] =>
    methods.map((method) => courseFigure(courses, method, what));
  return pageHtml({
    title: "Does optimising a learnt reward make answers worse, and does regularisation help?",
    lead: `${counted(seeds.length, "seed")} in the world "${plan.world}", where true quality is known: the gold reward.`,
    answer: { ...overoptAnswer(courses, verdict(seeds)), figures: figures("gold") },
    sections: [
      { id: "curves", title: "What is optimised", figures: figures("proxy") },
      { id: "fluency", title: "Fluency", figures: figures("fluency") },
      { id: "tables", title: "Tables", before: tables.join("\n"), folded: true },
      { id: "printed", title: "As it was printed", before: printed, folded: true },
      { ...settingsSection([{ name, values: { command, ...plan } }]), folded: true },
    ],
  });
}

/** Whether plain BT is over-optimised, and the sentences on those that regularise. */
function overoptAnswer(courses: readonly Course[], sentences: readonly string[]) {
  const plain = courses.filter(({ judge }) => judge === "bt");
  const falls = plain.filter(({ fall }) => signOf(fall) < 0);
  const word = falls.length === 0 ? "unclear" : falls.length === plain.length ? "yes" : "in part";
  const ends = plain.map(({ method, fall }) => `${signed(fall)} under ${methodTitles[method]}`);
  const first =
    plain.length === 0
      ? "Unclear: plain Bradley-Terry isn't among what was optimised."
      : `${capital(word)}: optimised against plain Bradley-Terry, true quality ends below its highest point by ${listed(ends)}${falls.length === plain.length ? "" : "; an interval that holds 0, or one seed, shows no fall"} (± is half of a 95 % interval over seeds).`;
  return {
    verdict: word,
    said: [first, ...sentences.filter((s) => s.startsWith(" ")).map((s) => `${s.trim()}`)],
  };
}

/** Of one method; what is compared over methods has one scale. */
function courseFigure(courses: readonly Course[], method: MethodName, what: Shown): Figure {
  const judges = [...new Set(courses.map(({ judge }) => judge))];
  const seriesOf = (own: MethodName): CurveSeries[] =>
    courses
      .filter((course) => course.method === own)
      .map(({ judge, points }) => ({
        name: judge,
        color: judges.indexOf(judge),
        points: points.map((p) => pointAt(p.kl, p[what])),
      }));
  const { title, label, limits } = shown[what];
  const all = courses.flatMap((course) => seriesOf(course.method));
  return curves(
    {
      title: `${title}, ${methodTitles[method]}`,
      look: what === "gold" ? turnsText(courses, method) : coursesText(seriesOf(method), "KL"),
      limits: `${limits} Bands are 95 % intervals over seeds, each with a base of its own; one small world.`,
    },
    {
      x: distance,
      y: { label, ...domainOf(all) },
      series: seriesOf(method),
      otherwise: "no seed is done.",
    },
  );
}
