// The sections of what training has done: how far the hidden states have moved from the base's, what the
// language-model head still knows, and what probes read. Next: ../grm/inspect/drift.ts, retention.ts, probes.ts.

import type { Inspection, ModelInspection } from "../grm/inspect/inspect.ts";
import type { FeatureProbe } from "../grm/inspect/probes.ts";
import { shortName } from "../grm/inspect/states.ts";
import { goldFeatureNames } from "../lab/goldFeatures.ts";
import { cellMap, curves, missingFigure, type Range, ranges, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { escape, visible } from "./html.ts";
import type { Section } from "./page.ts";

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

const words = {
  cka: {
    title: "CKA with the base, by layer",
    look: "1 is the base's arrangement of tokens, 0 what chance gives; where it falls is what training rewrote.",
    limits: "It doesn't see turns and scale, and a few large directions decide it.",
  },
  cosine: {
    title: "Cosine with the base, by layer",
    look: "Mean over tokens: 1 is unmoved, 0 at right angles.",
    limits: "A common turn of all states lowers it and may change nothing.",
  },
  rank: {
    title: "Effective rank, by layer",
    look: "How many directions are in use, beside the base's own.",
    limits: "It counts directions by size and doesn't know which of them matter.",
  },
  norm: {
    title: "Length of states, by layer",
    look: "States that grow make the reward head's numbers grow with them.",
    limits: "Means over tokens; the spread stands in the next figure.",
  },
  spread: {
    title: "Spread of lengths, by layer",
    look: "Deviation over tokens divided by the mean: a few very long states show as a large spread.",
    limits: "It doesn't say which tokens are long.",
  },
  tokens: {
    title: "Cosine with the base, layer by token",
    look: "Faint cells are tokens whose state was turned away from where the base had it.",
    limits: "Of the first pair's chosen answer alone.",
  },
  perplexity: {
    title: "Perplexity on chosen, rejected and neutral text",
    look: "Beside the base: what reward training cost the language model, or taught it.",
    limits: "Of given text, token by token; what it writes by itself stands below.",
  },
  kl: {
    title: "KL(model ‖ base) of its predictions",
    look: "How many nats a token the predictions have moved, whether for better or worse.",
    limits: "A head that learnt the preferred answers by heart moves too.",
  },
  probe: {
    title: "What a linear probe reads off the final states",
    look: "R² on held-out stories: what the base had and training lost, or the other way round.",
    limits: "What a probe can read isn't always what the reward head uses.",
  },
} as const satisfies Record<string, Words>;

const noStates = "no states were read.";

export function driftSection({ models, shown }: Inspection): Section {
  const figure = (said: Words, label: string, found: readonly Range[]): Figure =>
    ranges(said, { x: { label }, ranges: found, otherwise: noStates });
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
      figure(
        words.cka,
        "linear CKA",
        byLayer(models, (l) => l.cka),
      ),
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

function cosineMap({ name, cosines }: ModelInspection, tokens: readonly string[]): Figure {
  const order = cosines.toReversed();
  return cellMap(
    { ...words.tokens, title: `${words.tokens.title}: ${name}` },
    {
      rows: order.map((c) => shortName(c.name)),
      columns: tokens,
      values: order.map((c) => c.values),
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
  return {
    id: "language",
    title: "What the language-model head still knows",
    figures: [
      ranges(words.perplexity, {
        x: { label: "perplexity", log: true },
        ranges: [...of((m, text) => m.retention[text]?.perplexity.model ?? null), ...base],
        names: [...models.map(({ name }) => name), "base"],
        otherwise: noText,
      }),
      ranges(words.kl, {
        x: { label: "nats a token", zero: true },
        ranges: of((m, text) => m.retention[text]?.kl ?? null),
        otherwise: noText,
      }),
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

export function probeSection({ models, baseProbes }: Inspection): Section {
  const everyone: Probed[] = [
    ...models.map(({ name, probes }) => ({ name, probes: probes ?? [] })),
    { name: "base", probes: baseProbes ?? [] },
  ];
  const tests = [...new Set(everyone.flatMap(({ probes }) => probes.map(({ test }) => test)))];
  const why =
    "gold features are known in the world of the demo alone; of other text nobody knows the true reward.";
  return {
    id: "probes",
    title: "What can be read off the hidden states",
    figures:
      tests.length === 0
        ? [missingFigure(words.probe, why)]
        : [
            ...tests.map((test) => byFeature(everyone, test)),
            ...tests.slice(-1).map((test) => byDepth(everyone, test)),
          ],
  };
}

/** Every feature, read off the final states. */
function byFeature(everyone: readonly Probed[], test: string): Figure {
  const last = everyone[0]?.probes.at(-1)?.layer ?? "";
  return ranges(
    { ...words.probe, title: `${words.probe.title}: test "${test}"` },
    {
      x: { label: "R², held out" },
      rule: 0,
      names: everyone.map(({ name }) => name),
      ranges: everyone.flatMap(({ name, probes }) =>
        probes
          .filter((p) => p.test === test && p.layer === last)
          .map(({ feature, r2 }) => ({ row: feature, of: name, value: clipped(r2) })),
      ),
      otherwise: "",
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
  return curves(
    {
      title: `The gold reward, read layer by layer: test "${test}"`,
      look: `Layers from the embeddings (0) to the final states (${layers.length - 1}): where the reward becomes readable.`,
      limits: "Read at the last token, by a probe of its own for each layer.",
    },
    {
      x: { label: "layer", domain: [0, layers.length - 1] },
      y: { label: "R², held out" },
      series: everyone.map(({ name, probes }) => ({
        name,
        points: layers.map((layer, x) => {
          const own = probes.find(
            (p) => p.layer === layer && p.test === test && p.feature === gold,
          );
          return { x, y: clipped(own?.r2 ?? null) };
        }),
      })),
      dots: true,
      otherwise: "",
    },
  );
}
