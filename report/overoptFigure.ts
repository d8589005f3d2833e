// One figure of a whole comparison: what is optimised, gold and fluency in rows, a column for each method.
// Next: panels.ts for how it is drawn.

import { accept, signatures } from "../core/signature.ts";
import { methodsOf, plain } from "../lab/overopt/report.ts";
import type { MethodName, SeedResult } from "../lab/overopt/results.ts";
import { type Course, coursesOf, type MeanPoint, methodTitles } from "../lab/overopt/summary.ts";
import { turnsText } from "./captions.ts";
import { figureSvg, type Panel, type Point, palette, type Series } from "./panels.ts";

const takes = signatures({
  figureOf: "seeds: any[]",
});

/** What the figure's rows show: a title, and what stands at the axis. */
const shown = {
  proxy: ["what is optimised", "reward, base's deviations"],
  gold: ["true quality", "gold"],
  fluency: ["fluency", "ln p of a token under the base"],
} as const;

type Shown = keyof typeof shown;

/** The figure: what is optimised, gold and fluency in rows, a column for each method. */
export function figureOf(seeds: readonly SeedResult[]): string {
  accept(takes.figureOf, arguments);
  const courses = coursesOf(seeds);
  const methods = methodsOf(seeds);
  const names = [...new Set(courses.map(({ judge }) => judge))];
  const seriesOf = (own: readonly Course[], what: Shown): Series[] =>
    own.map(({ judge, method, points }) => ({
      name: judge,
      color: palette[names.indexOf(judge) % palette.length] ?? "#000",
      points: points.map((p) => pointOf(p, what, method)),
    }));
  const panel = (method: MethodName, what: Shown): Panel => ({
    title: `${shown[what][0]}, ${methodTitles[method]}`,
    xLabel: "KL from the base, nats (axis: its root)",
    yLabel: shown[what][1],
    series: seriesOf(
      courses.filter((course) => course.method === method),
      what,
    ),
    beside: seriesOf(courses, what), // a row's panels are compared
  });
  const panels = (Object.keys(shown) as Shown[]).flatMap((what) =>
    methods.map((method) => panel(method, what)),
  );
  const notes = [
    ...methods.map((method) => `Gold, ${methodTitles[method]}: ${turnsText(courses, method)}`),
    "Bands are 95 % intervals over seeds, each with a base of its own; one small world. What is optimised says nothing of quality.",
  ];
  return figureSvg(panels, { columns: methods.length, notes });
}

function pointOf(p: MeanPoint, what: Shown, method: MethodName): Point {
  const { mean, half } = p[what];
  const label = `${method === "bon" ? "n" : "round"} ${p.at}, KL ${p.kl.toFixed(2)}, ${what} ${plain(p[what])}`;
  return { x: Math.max(0, p.kl), y: mean, half, label };
}
