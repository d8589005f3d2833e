// The page of the map: the answer first, then where it is from. Differences at every place with intervals, what each rate
// does, the plateau, and all numbers in tables. Every sentence and caption is a function of the results.
// Next: ../lab/map/answers.ts for the sentences.

import { accept, signatures } from "../core/signature.ts";
import { endsOf, plusMinus } from "../grm/statistics/index.ts";
import {
  answersOf,
  atEachRate,
  isDiscovery,
  type MapFindings,
  pointsText,
} from "../lab/map/answers.ts";
import { coursesText, sidesText } from "./captions.ts";
import { type CurveSeries, cellMap, curves, pointAt, type Range, ranges } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { paragraph, type Table, tableHtml } from "./html.ts";
import { pageHtml, type Section } from "./page.ts";

const takes = signatures({
  mapPage: "findings: { places: any[], comparisons: any[], plateaus: any[], ... }",
});

const none = "there are no results of this kind yet.";

/** The whole file. */
export function mapPage(findings: MapFindings): string {
  accept(takes.mapPage, arguments);
  const { seeds, jobs, failures, choice } = findings;
  const [answer = "", ...more] = answersOf(findings);
  const chosen = `${choice.over.join(", ")} chosen by validation ${choice.by} ${choice.per === "seed" ? "of each seed" : "over all seeds"}`;
  return pageHtml({
    title: "Where does a text-generation loss make reward models generalise?",
    lead: answer,
    sections: [
      {
        id: "answers",
        title: "What the map says",
        before: [
          ...more,
          `From ${jobs} reward models of ${seeds} seeds (${failures} failed: their numbers stopped being numbers), ${chosen}, never by the tests.`,
        ]
          .map(paragraph)
          .join(""),
      },
      placesSection(findings),
      ratesSection(findings),
      plateauSection(findings),
    ],
  });
}

// --- Places ------------------------------------------------------------------------------------------

function placesSection({ comparisons, places }: MapFindings): Section {
  const methods = [...new Set(comparisons.map(({ method }) => method))];
  const of = (place: string, method: string) =>
    comparisons.find((one) => one.place === place && one.method === method);
  const all = places.flatMap(({ name: row }) =>
    methods.flatMap((method): Range[] => {
      const found = of(row, method);
      if (found === undefined) return [];
      return [{ row, of: method, value: found.gain.mean, ...endsOf(found.gain) }];
    }),
  );
  const discoveries = comparisons.filter(isDiscovery).length;
  const heat = cellMap(
    {
      title: "Each method less plain BT out of distribution, in points",
      look: `Rows are places: what differs from the demo's setting. ${discoveries} of ${comparisons.length} differences are called real at a false discovery rate of 5 %.`,
      limits:
        "A colour without its interval says little: these stand in the next figure and in the table below.",
    },
    {
      rows: places.map(({ name }) => name),
      columns: methods,
      values: places.map(({ name }) =>
        methods.map((method) => of(name, method)?.gain.mean ?? null),
      ),
      unit: "points",
      otherwise: none,
    },
  );
  const words = {
    title: "The same with 95 % intervals over seeds",
    look: sidesText(all, 0),
    limits: "Intervals are each for itself; that there are many is in the column q of the table.",
  };
  const x = { label: "points less BT" };
  return {
    id: "places",
    title: "Each with its own best settings by validation",
    figures: [heat, ranges(words, { x, ranges: all, rule: 0, names: methods, otherwise: none })],
    after: tableHtml(comparisonTable(comparisons), "All comparisons with plain BT, paired by seed"),
  };
}

function comparisonTable(comparisons: MapFindings["comparisons"]): Table {
  return {
    columns: [
      "place",
      "method",
      "points less BT",
      "seeds",
      "p",
      "q",
      "shown 4 times in 5",
      "seeds for 2 points",
    ],
    rows: comparisons.map(({ place, method, gain, p, q, shown, seedsForTwo }) => [
      place,
      method,
      pointsText(gain),
      gain.n,
      p,
      q,
      shown === null ? "" : shown.toFixed(1),
      seedsForTwo,
    ]),
  };
}

// --- Rates -------------------------------------------------------------------------------------------

function ratesSection({ places }: MapFindings): Section {
  const figures = places.flatMap((place): Figure[] => {
    const found = atEachRate(place);
    if (found.length === 0) return [];
    const sorted = (values: readonly number[]): number[] =>
      [...new Set(values)].sort((a, b) => a - b);
    const alphas = sorted(found.map(({ alpha }) => alpha));
    const rates = sorted(found.map(({ lr }) => lr));
    const at = (alpha: number, lr: number) =>
      found.find((one) => one.alpha === alpha && one.lr === lr)?.gain;
    const seeds = Math.max(...found.map(({ gain }) => gain.n));
    return [
      cellMap(
        {
          title: `GRM-SFT less BT at the same rate, in points: ${place.name}`,
          look: `Where the rate is shared, ${rates.map((lr) => `at ${lr} ${alphas.map((alpha) => textOf(at(alpha, lr))).join(" and ")}`).join("; ")} (alpha ${alphas.join(" and ")}, ${seeds} seeds).`,
          limits: "Nobody has to share a rate: what counts is each with its own.",
        },
        {
          rows: alphas.map((alpha) => `alpha ${alpha}`),
          columns: rates.map(String),
          values: alphas.map((alpha) => rates.map((lr) => at(alpha, lr)?.mean ?? null)),
          unit: "points",
          otherwise: none,
        },
      ),
    ];
  });
  return { id: "rates", title: "At the same rate", figures };
}

function textOf(gain: Parameters<typeof pointsText>[0] | undefined): string {
  return gain === undefined ? "no result" : pointsText(gain);
}

// --- The plateau -------------------------------------------------------------------------------------

function plateauSection({ plateaus }: MapFindings): Section {
  const places = [...new Set(plateaus.map(({ place }) => place))];
  const figures = places.map((name) => {
    const own = plateaus.filter(({ place }) => place === name);
    const series: CurveSeries[] = own.map(({ method, curve }) => ({
      name: method,
      points: curve.map(({ lr, accuracy }) => pointAt(lr, accuracy)),
    }));
    const words = {
      title: `Accuracy out of distribution over the rate: ${name}`,
      look: coursesText(series, "rate"),
      limits:
        "A flat line forgives a wrong rate. Bands are 95 % intervals over seeds; those of methods that share seeds overlap more than their difference does: the table pairs them.",
    };
    return curves(words, {
      x: { label: "rate", log: true },
      y: { label: "percent" },
      series,
      otherwise: none,
    });
  });
  return {
    id: "plateau",
    title: "How much the rate matters",
    figures,
    after: tableHtml(
      plateauTable(plateaus),
      "Means over rates drawn evenly on a logarithmic scale within a factor of Bradley-Terry's best by validation, and what a rate off by 3 costs from a method's own best",
    ),
  };
}

function plateauTable(plateaus: MapFindings["plateaus"]): Table {
  const percent = (x: number): string => x.toFixed(1);
  return {
    columns: [
      "place",
      "method",
      "around",
      "within 3, %",
      "less BT",
      "within 10, %",
      "less BT",
      "off by 3 costs",
    ],
    rows: plateaus.map(({ place, method, around, within, offByThree }) => [
      place,
      method,
      around,
      ...within.flatMap(({ mean, gain }) => [
        plusMinus(mean, percent),
        method === "bt" ? "" : pointsText(gain),
      ]),
      offByThree.n === 0 ? "" : plusMinus(offByThree, percent),
    ]),
  };
}
