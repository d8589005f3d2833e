// The sections of what training has done: how far the hidden states have moved from the base's, what the
// language-model head still knows, and what probes read. Next: ../grm/inspect/drift.ts, retention.ts, probes.ts.

import type { Inspection, ModelInspection } from "../grm/inspect/inspect.ts";
import type { FeatureProbe } from "../grm/inspect/probes.ts";
import { shortName } from "../grm/inspect/states.ts";
import { goldFeatureNames } from "../lab/goldFeatures.ts";
import { cellsText, coursesText, rowsText } from "./captions.ts";
import { cellMap, curves, type Range, ranges, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { escape, visible } from "./html.ts";
import type { Section } from "./page.ts";
import { domainOfRows } from "./scales.ts";

type Layer = ModelInspection["drift"][number];

/** Rows by layer, the last on top, for each model; `base` adds the base's own. */
function byLayer(
  models: readonly ModelInspection[],
  value: (layer: Layer) => number | null,
  base?: (layer: Layer) => number | null,
): Range[] {
  const layers = models[0]?.drift ?? [];
  return layers.toReversed().flatMap(({ name }) => {
    const row = shortName(name);
    const own = models.flatMap((model) => {
      const layer = model.drift.find((l) => l.name === name);
      return layer === undefined ? [] : [{ row, of: model.name, value: value(layer) }];
    });
    const first = layers.find((l) => l.name === name);
    return base && first ? [...own, { row, of: "base", value: base(first) }] : own;
  });
}

/** Titles, and what is true of any model; what the figures show is computed from their numbers. */
const words = {
  cka: {
    title: "CKA with the base, by layer",
    limits:
      "1 is the base's arrangement of tokens, 0 what chance gives. It doesn't see turns and scale, and a few large directions decide it.",
  },
  cosine: {
    title: "Cosine with the base, by layer",
    limits:
      "Mean over tokens: 1 is unmoved, 0 at right angles. A common turn of all states lowers it and may change nothing.",
  },
  rank: {
    title: "Effective rank, by layer",
    limits:
      "How many directions are in use. It counts directions by size and doesn't know which of them matter.",
  },
  norm: {
    title: "Length of states, by layer",
    limits: "Means over tokens; the spread stands in the next figure.",
  },
  spread: {
    title: "Spread of lengths, by layer",
    limits: "Deviation over tokens divided by the mean; it doesn't say which tokens are long.",
  },
  tokens: {
    title: "Cosine with the base, layer by token",
    limits:
      "Faint cells are tokens whose state was turned away from where the base had it. Of the first pair's chosen answer alone.",
  },
  perplexity: {
    title: "Perplexity on chosen, rejected and neutral text",
    limits: "Of given text, token by token; what it writes by itself stands below.",
  },
  kl: {
    title: "KL(model ‖ base) of its predictions",
    limits:
      "How many nats a token the predictions have moved, whether for better or worse: a head that learnt the preferred answers by heart moves too.",
  },
  probe: {
    title: "What a linear probe reads off the final states",
    limits:
      "R² on held-out stories; 0 is what the mean alone gives, and below −1 it is drawn at −1. What a probe can read isn't always what the reward head uses.",
  },
} as const satisfies Record<string, Fixed>;

/** What a figure says whatever its numbers. */
type Fixed = Pick<Words, "title" | "limits">;

const noStates = "no states were read.";

export function driftSection({ models, shown }: Inspection): Section {
  const figure = (fixed: Fixed, label: string, found: readonly Range[]): Figure =>
    ranges(
      { ...fixed, look: rowsText(found) },
      { x: { label }, ranges: found, otherwise: noStates },
    );
  const both = (value: (layer: Layer) => { base: number | null; model: number | null }) =>
    byLayer(
      models,
      (l) => value(l).model,
      (l) => value(l).base,
    );
  const tokens = (shown[0]?.chosen ?? []).map(visible);
  return {
    id: "drift",
    title: "How far the hidden states have moved",
    figures: [
      ckaFigure(models),
      figure(
        words.cosine,
        "cosine",
        byLayer(models, (l) => l.cosine),
      ),
      figure(
        words.rank,
        "e^entropy",
        both((l) => l.effectiveRank),
      ),
      figure(
        words.norm,
        "mean norm",
        both(({ norms: { base, model } }) => ({ base: base.mean, model: model.mean })),
      ),
      figure(
        words.spread,
        "deviation / mean",
        both(({ norms: { base, model } }) => ({ base: base.spread, model: model.spread })),
      ),
      ...models.map((model) => cosineMap(model, tokens)),
    ],
  };
}

/** How much of the base's arrangement of tokens is left, by layer. */
export function ckaFigure(models: readonly ModelInspection[]): Figure {
  const found = byLayer(models, (l) => l.cka);
  return ranges(
    { ...words.cka, look: rowsText(found) },
    { x: { label: "linear CKA", domain: [0, 1] }, ranges: found, otherwise: noStates },
  );
}

function cosineMap({ name, cosines }: ModelInspection, tokens: readonly string[]): Figure {
  const order = cosines.toReversed();
  const [rows, values] = [order.map((c) => shortName(c.name)), order.map((c) => c.values)];
  return cellMap(
    {
      ...words.tokens,
      title: `${words.tokens.title}: ${name}`,
      look: cellsText(rows, tokens, values),
    },
    {
      rows,
      columns: tokens,
      values,
      unit: "cosine",
      strongest: 1,
      otherwise: noStates,
    },
  );
}

// --- The language model ------------------------------------------------------------------------------

const texts = ["chosen", "rejected", "neutral"] as const;

export function languageSection({ models, samples }: Inspection): Section {
  const of = (value: (model: ModelInspection, text: (typeof texts)[number]) => number | null) =>
    texts.flatMap((text) =>
      models.map((model) => ({ row: text, of: model.name, value: value(model, text) })),
    );
  const base = texts.map((row) => ({
    row,
    of: "base",
    value: models[0]?.retention[row]?.perplexity.base ?? null,
  }));
  const noText = "the pairs carry no text-generation labels.";
  const perplexities = [...of((m, text) => m.retention[text]?.perplexity.model ?? null), ...base];
  const moved = of((m, text) => m.retention[text]?.kl ?? null);
  return {
    id: "language",
    title: "What the language-model head still knows",
    figures: [
      ranges(
        { ...words.perplexity, look: rowsText(perplexities, true) },
        {
          x: { label: "perplexity", log: true },
          ranges: perplexities,
          names: [...models.map(({ name }) => name), "base"],
          otherwise: noText,
        },
      ),
      ranges(
        { ...words.kl, look: rowsText(moved) },
        { x: { label: "nats a token", zero: true }, ranges: moved, otherwise: noText },
      ),
    ],
    after: samplesHtml(samples),
  };
}

function samplesHtml({ prompt, texts: written }: Inspection["samples"]): string {
  const sides = Object.entries(written).map(
    ([name, list]) =>
      `<div><h3>${escape(name)}</h3>${list.map((text) => `<blockquote>${escape(text) || "(nothing)"}</blockquote>`).join("")}</div>`,
  );
  if (sides.length === 0) return '<p class="missing">Not here: the prompt fills the context.</p>';
  return (
    `<h3>What each writes after the same prompt</h3><p>Prompt: <code>${escape(prompt)}</code>. ` +
    `Same seed, so that equal predictions would give equal texts.</p><div class="sides">${sides.join("")}</div>`
  );
}

// --- Probes ------------------------------------------------------------------------------------------

/** Somebody whose states were probed. */
interface Probed {
  readonly name: string;
  readonly probes: readonly FeatureProbe[];
}

export function probeSection(inspection: Inspection): Section {
  const tests = probedTests(inspection);
  return {
    id: "probes",
    title: "What can be read off the hidden states",
    figures:
      tests.length === 0
        ? [probeFigure(inspection, "")]
        : [
            ...tests.map((test) => probeFigure(inspection, test)),
            ...tests.slice(-1).map((test) => byDepth(everyoneOf(inspection), test)),
          ],
  };
}

function everyoneOf({ models, baseProbes }: Inspection): Probed[] {
  return [
    ...models.map(({ name, probes }) => ({ name, probes: probes ?? [] })),
    { name: "base", probes: baseProbes ?? [] },
  ];
}

/** The tests that probes were read on, the hardest last. */
export function probedTests(inspection: Inspection): string[] {
  return [
    ...new Set(everyoneOf(inspection).flatMap(({ probes }) => probes.map(({ test }) => test))),
  ];
}

const noProbes =
  "gold features are known in the world of the demo alone; of other text nobody knows the true reward.";

/** Every feature, read off the final states; all tests have one scale. */
export function probeFigure(inspection: Inspection, test: string): Figure {
  const everyone = everyoneOf(inspection);
  const last = everyone[0]?.probes.at(-1)?.layer ?? "";
  const of = (name: string): Range[] =>
    everyone.flatMap((one) =>
      one.probes
        .filter((p) => p.test === name && p.layer === last)
        .map(({ feature, r2 }) => ({ row: feature, of: one.name, value: clipped(r2) })),
    );
  const found = of(test);
  return ranges(
    { ...words.probe, title: `${words.probe.title}: test "${test}"`, look: rowsText(found) },
    {
      x: { label: "R², held out", ...domainOfRows(probedTests(inspection).flatMap(of)) },
      rule: 0,
      names: everyone.map(({ name }) => name),
      ranges: found,
      otherwise: noProbes,
    },
  );
}

/** A probe can be worse than the mean without bound; below -1 it doesn't matter how much. */
function clipped(r2: number | null): number | null {
  return r2 === null ? null : Math.max(-1, r2);
}

function byDepth(everyone: readonly Probed[], test: string): Figure {
  const gold = goldFeatureNames.at(-1);
  const layers = [...new Set(everyone.flatMap(({ probes }) => probes.map((p) => p.layer)))];
  const series = everyone.map(({ name, probes }) => ({
    name,
    points: layers.map((layer, x) => {
      const own = probes.find((p) => p.layer === layer && p.test === test && p.feature === gold);
      return { x, y: clipped(own?.r2 ?? null) };
    }),
  }));
  return curves(
    {
      title: `The gold reward, read layer by layer: test "${test}"`,
      look: coursesText(series, "layer"),
      limits: `Layers from the embeddings (0) to the final states (${layers.length - 1}). Read at the last token, by a probe of its own for each layer.`,
    },
    {
      x: { label: "layer", domain: [0, layers.length - 1] },
      y: { label: "R², held out" },
      series,
      dots: true,
      otherwise: noProbes,
    },
  );
}
