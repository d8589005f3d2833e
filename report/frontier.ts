// The section of the frontier: accuracy out of distribution against what is left of the language model,
// as alpha grows. Its points were computed beforehand; the section says by which command.
// Next: ../lab/frontier.ts.

import { geometricInterval, geometricMean, interval, plusMinus } from "../grm/statistics/index.ts";
import type { FrontierFile, FrontierPoint } from "../lab/frontier.ts";
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
  const points = file?.points ?? [];
  const rates = [...new Set(points.map(({ lr }) => lr))].sort((a, b) => a - b);
  const places = new Map(rates.map((lr) => [lr, placesOf(points.filter((p) => p.lr === lr))]));
  const seeds = new Set(points.map(({ seed }) => seed)).size;
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
        look: "Whether some text-generation loss helps, and where too much of it starves the reward.",
        limits: "In one small world, at these rates, with this budget of steps.",
      }),
      gainFigure(places),
      overAlpha(places, "perplexity", {
        title: "What is left of the language model over alpha",
        look: "Perplexity on held-out stories of the whole world, geometric mean over seeds.",
        limits: "A language model may be kept without any gain in accuracy.",
      }),
    ],
    after: points.length === 0 ? "" : tableHtml(tableOf(places), "The frontier, means over seeds"),
  };
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
  return [...places].map(([lr, own]) => ({ name: `rate ${lr}`, points: pointsOf(own) }));
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
      look: "Up and to the left is better: accurate out of distribution, and close to the base. Each point has its alpha beside it.",
      limits: "A curve of means: single seeds cross it.",
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

/** What each alpha adds to alpha 0 of the same seed and rate. */
function gainFigure(places: PointPlaces): Figure {
  const series = byRate(places, (own) => {
    const plain = own.find(({ alpha }) => alpha === 0)?.points ?? [];
    return own.map(({ alpha, points: found }) => {
      const gains = found.flatMap((p) => {
        const other = plain.find(({ seed }) => seed === p.seed);
        return other === undefined ? [] : [100 * (p.ood - other.ood)];
      });
      return pointAt(alpha, interval(gains));
    });
  });
  return curves(
    {
      title: "What each alpha adds to plain BT, paired by seed",
      look: "A band that leaves 0 out says that the seeds agree on the sign.",
      limits: "Among many alphas the best one is flattered, and one interval in twenty is wrong.",
    },
    {
      ...overItsRoot,
      y: { label: "points of accuracy, out of distribution" },
      series,
      rule: 0,
    },
  );
}

function overAlpha(
  places: PointPlaces,
  what: "ood" | "perplexity",
  words: { readonly title: string; readonly look: string; readonly limits: string },
): Figure {
  const series = byRate(places, (own) =>
    own.map(({ alpha, points }) => {
      if (what === "ood") return pointAt(alpha, interval(points.map(({ ood }) => ood)));
      const { mean, ends } = geometricInterval(points.map(({ perplexity }) => perplexity));
      return { x: alpha, y: mean, ...ends };
    }),
  );
  const label = what === "ood" ? "accuracy, out of distribution" : "perplexity";
  return curves(words, { ...overItsRoot, y: { label, log: what === "perplexity" }, series });
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
