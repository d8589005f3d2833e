// The pages of rewards that were optimised: best-of-n by one judge, and the comparison of reward models.
// Next: ../lab/overopt/summary.ts for what is concluded.

import { accept, signatures } from "../core/signature.ts";
import { type Interval, interval, plusMinus } from "../grm/statistics/index.ts";
import { rowsOf, textReport } from "../lab/overopt/report.ts";
import type { MethodName, OveroptResultFile } from "../lab/overopt/results.ts";
import { type Course, coursesOf, methodTitles } from "../lab/overopt/summary.ts";
import { curves, pointAt } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { detailsHtml, escape, numberText, type Table, tableHtml } from "./html.ts";
import { pageHtml } from "./page.ts";
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
  return pageHtml({
    title: `Best of n: ${name}`,
    lead: "A judge chooses the best of n answers; its own measure rises, and the others say what it cost.",
    sections: [
      settingsSection([{ name, values: settings }]),
      {
        id: "curves",
        title: "Over n",
        figures: measures.map((_, k) => measureFigure(run, k)),
        after: tableHtml(measureTable(run), caption),
      },
    ],
  });
}

/** Of measure k at the i-th n, over prompts. */
function overPrompts({ curves: all }: BestOfNRun, k: number, i: number): Interval {
  return interval((all[k] ?? []).map((curve) => curve[i] ?? Number.NaN));
}

function measureFigure(run: BestOfNRun, k: number): Figure {
  const name = run.measures[k] ?? "";
  return curves(
    {
      title: name,
      look: "What happens to it as the judge chooses among more answers; the band is over prompts.",
      limits: "KL is ln n − (n−1)/n, an upper bound where answers tie.",
    },
    {
      x: distance,
      y: { label: name },
      series: [{ name, points: run.kl.map((x, i) => pointAt(x, overPrompts(run, k, i))) }],
      otherwise: "there are no answers.",
    },
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
    look: "Where a curve turns down, more optimisation makes answers worse.",
  },
  proxy: {
    title: "What is optimised",
    label: "deviations of the base's answers",
    look: "It rises by construction, and says nothing of quality.",
  },
  fluency: {
    title: "Fluency",
    label: "ln p of a token under the base",
    look: "Falling means answers that the base would not write.",
  },
} as const;

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
  const printed = `<pre>${escape(textReport(seeds, plan))}</pre>`;
  return pageHtml({
    title: "What happens to true quality when a learnt reward is optimised?",
    lead: `${seeds.length} seeds in the world "${plan.world}".`,
    sections: [
      settingsSection([{ name, values: { command, ...plan } }]),
      {
        id: "curves",
        title: "Over the distance from the base",
        figures: methods.flatMap((method) => courseFigures(courses, method)),
      },
      {
        id: "tables",
        title: "Tables",
        before: tables.join("\n"),
        after: detailsHtml("As it was printed, with verdict", printed),
      },
    ],
  });
}

function courseFigures(courses: readonly Course[], method: MethodName): Figure[] {
  const judges = [...new Set(courses.map(({ judge }) => judge))];
  const limits =
    "Bands are 95 % intervals over seeds, each with a base of its own; one small world.";
  return (Object.keys(shown) as (keyof typeof shown)[]).map((what) => {
    const { title, label, look } = shown[what];
    return curves(
      { title: `${title}, ${methodTitles[method]}`, look, limits },
      {
        x: distance,
        y: { label },
        series: courses
          .filter((course) => course.method === method)
          .map(({ judge, points }) => ({
            name: judge,
            color: judges.indexOf(judge),
            points: points.map((p) => pointAt(p.kl, p[what])),
          })),
        otherwise: "no seed is done.",
      },
    );
  });
}
