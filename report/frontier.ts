// The section of the frontier: accuracy out of distribution against what is left of the language model,
// as alpha grows. Its points were computed beforehand; the section says by which command.
// Next: ../lab/frontier.ts.

import {
  geometricInterval,
  geometricMean,
  interval,
  mean,
  plusMinus,
  signOf,
} from "../grm/statistics/index.ts";
import { rateText } from "../lab/demo/plan.ts";
import type { FrontierFile, FrontierPoint } from "../lab/frontier.ts";
import { brief, coursesText, listed, percentText } from "./captions.ts";
import { type CurvePoint, type CurveSeries, curves, pointAt } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { escape, type Table, tableHtml } from "./html.ts";
import type { Section } from "./page.ts";

const none = "the frontier wasn't computed; `twoheads frontier` does it.";

/** What the seeds say of one alpha at one rate. */
interface PointPlace {
  readonly alpha: number;
  readonly points: readonly FrontierPoint[];
}

export function frontierSection(file: FrontierFile | null): Section {
  const places = placesByRate(file);
  const seeds = new Set(file?.points.map(({ seed }) => seed)).size;
  const before =
    file === null
      ? ""
      : `<p class="soft">Not of this run: ${seeds} seeds in the world "spelled", computed once by <code>${escape(file.command)}</code>. Bands are 95 % intervals over seeds; alpha 0 is plain BT.</p>`;
  return {
    id: "frontier",
    title: "The frontier over alpha",
    before,
    figures: [
      tradeFigure(places),
      overAlpha(places, "ood", {
        title: "Accuracy out of distribution over alpha",
        limits: "In one small world, at these rates, with this budget of steps.",
      }),
      gainFigure(places),
      overAlpha(places, "perplexity", {
        title: "What is left of the language model over alpha",
        limits:
          "Perplexity on held-out stories of the whole world, geometric mean over seeds. A language model may be kept without any gain in accuracy.",
      }),
    ],
    after: places.size === 0 ? "" : tableHtml(tableOf(places), "The frontier, means over seeds"),
  };
}

function placesByRate(file: FrontierFile | null): PointPlaces {
  const points = file?.points ?? [];
  const rates = [...new Set(points.map(({ lr }) => lr))].sort((a, b) => a - b);
  return new Map(rates.map((lr) => [lr, placesOf(points.filter((p) => p.lr === lr))]));
}

function placesOf(points: readonly FrontierPoint[]): PointPlace[] {
  const alphas = [...new Set(points.map(({ alpha }) => alpha))].sort((a, b) => a - b);
  return alphas.map((alpha) => ({ alpha, points: points.filter((p) => p.alpha === alpha) }));
}

type PointPlaces = ReadonlyMap<number, readonly PointPlace[]>;

/** A line for each rate; `pointsOf` says where its alphas lie. */
function byRate(
  places: PointPlaces,
  pointsOf: (own: readonly PointPlace[]) => readonly CurvePoint[],
): readonly CurveSeries[] {
  return [...places].map(([lr, own]) => ({ name: `rate ${rateText(lr)}`, points: pointsOf(own) }));
}

const overItsRoot = { x: { label: "alpha (its root)", root: true }, dots: true, otherwise: none };

function tradeFigure(places: PointPlaces): Figure {
  const series = byRate(places, (own) =>
    own.map(({ alpha, points }) => {
      const label = alpha === 0 ? "α 0" : `${alpha}`;
      const accuracy = interval(points.map(({ ood }) => ood));
      return { ...pointAt(geometricMean(points.map(({ kl }) => kl)), accuracy), label };
    }),
  );
  return curves(
    {
      title: "Accuracy against drift of the language model",
      look: [...places].map(([lr, own]) => tradeText(lr, own)).join(" "),
      limits:
        "Up and to the left is better: accurate out of distribution, and close to the base. Beside points stand alphas, where there is room. A curve of means: single seeds cross it, and the best of many alphas is flattered.",
    },
    {
      x: { label: "KL(model ‖ base), nats a token", log: true },
      y: { label: "accuracy, out of distribution" },
      series,
      dots: true,
      bars: true,
      otherwise: none,
    },
  );
}

/** The trade of a frontier's file; for pages that show it elsewhere too. */
export function frontierFigure(file: FrontierFile | null): Figure {
  return tradeFigure(placesByRate(file));
}

/** The most accurate alpha of a rate beside plain BT. */
function tradeText(lr: number, own: readonly PointPlace[]): string {
  const found = own.map(({ alpha, points }) => ({
    alpha,
    accuracy: mean(points.map(({ ood }) => ood)),
    kl: geometricMean(points.map(({ kl }) => kl)),
  }));
  const plain = found.find(({ alpha }) => alpha === 0);
  const best = found.reduce<(typeof found)[number] | undefined>(
    (top, one) => (top === undefined || one.accuracy > top.accuracy ? one : top),
    undefined,
  );
  if (plain === undefined || best === undefined) return "";
  const at = ({ accuracy, kl }: typeof plain): string =>
    `${percentText(accuracy)} at ${brief(kl)} nats`;
  return best === plain
    ? `Rate ${rateText(lr)}: plain BT is the most accurate, ${at(plain)}.`
    : `Rate ${rateText(lr)}: alpha ${best.alpha} is the most accurate, ${at(best)}; plain BT has ${at(plain)}.`;
}

/** What each alpha adds to alpha 0 of the same seed and rate, in points. */
function gainsOf(own: readonly PointPlace[]) {
  const plain = own.find(({ alpha }) => alpha === 0)?.points ?? [];
  return own.map(({ alpha, points: found }) => {
    const gains = found.flatMap((p) => {
      const other = plain.find(({ seed }) => seed === p.seed);
      return other === undefined ? [] : [100 * (p.ood - other.ood)];
    });
    return { alpha, gain: interval(gains) };
  });
}

function gainFigure(places: PointPlaces): Figure {
  const series = byRate(places, (own) =>
    gainsOf(own).map(({ alpha, gain }) => pointAt(alpha, gain)),
  );
  return curves(
    {
      title: "What each alpha adds to plain BT, paired by seed",
      look: [...places].map(([lr, own]) => gainText(lr, own)).join(" "),
      limits:
        "Intervals are of the mean over seeds. Among many alphas the best one is flattered, and one interval in twenty is wrong.",
    },
    {
      ...overItsRoot,
      y: { label: "points of accuracy, out of distribution" },
      series,
      rule: 0,
    },
  );
}

/** At which alphas the interval of the mean leaves 0 out. */
function gainText(lr: number, own: readonly PointPlace[]): string {
  const found = gainsOf(own).filter(({ alpha }) => alpha !== 0);
  const alphas = (sign: number): string[] =>
    found.filter(({ gain }) => signOf(gain) === sign).map(({ alpha }) => String(alpha));
  const told = [
    ...(alphas(1).length > 0 ? [`a mean gain is shown at alpha ${listed(alphas(1))}`] : []),
    ...(alphas(-1).length > 0 ? [`a mean loss at alpha ${listed(alphas(-1))}`] : []),
  ];
  return `Rate ${rateText(lr)}: ${told.length === 0 ? "no alpha's interval leaves 0 out" : told.join(", ")}.`;
}

function overAlpha(
  places: PointPlaces,
  what: "ood" | "perplexity",
  fixed: { readonly title: string; readonly limits: string },
): Figure {
  const series = byRate(places, (own) =>
    own.map(({ alpha, points }) => {
      if (what === "ood") return pointAt(alpha, interval(points.map(({ ood }) => ood)));
      const { mean: centre, ends } = geometricInterval(points.map(({ perplexity }) => perplexity));
      return { x: alpha, y: centre, ...ends };
    }),
  );
  const label = what === "ood" ? "accuracy, out of distribution" : "perplexity";
  return curves(
    { ...fixed, look: coursesText(series, "alpha") },
    { ...overItsRoot, y: { label, log: what === "perplexity" }, series },
  );
}

function tableOf(places: PointPlaces): Table {
  const text = (values: readonly number[]): string =>
    plusMinus(interval(values.map((x) => 100 * x)), (x) => x.toFixed(1));
  return {
    columns: ["alpha", "rate", "id, %", "out of distribution, %", "perplexity", "KL, nats"],
    rows: [...places].flatMap(([lr, own]) =>
      own.map(({ alpha, points }) => [
        String(alpha),
        lr,
        text(points.map(({ id }) => id)),
        text(points.map(({ ood }) => ood)),
        geometricMean(points.map(({ perplexity }) => perplexity)),
        geometricMean(points.map(({ kl }) => kl)),
      ]),
    ),
  };
}
