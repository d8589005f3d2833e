// The section of where the losses push: by layer, by token, by group of parameters, and that the two are
// disjoint by position where both heads read. Next: ../grm/inspect/gradients.ts.

import type { ModelInspection, ShownPair } from "../grm/inspect/inspect.ts";
import { shortName } from "../grm/inspect/states.ts";
import { cellMap, ranges, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { escape, visible } from "./html.ts";
import type { Section } from "./page.ts";

const isStream = (name: string): boolean => /\.(embed|mid|resid|hidden)$/.test(name);

export function gradientSection(
  models: readonly ModelInspection[],
  first: ShownPair | undefined,
): Section {
  return {
    id: "gradients",
    title: "Where the two losses push",
    before: models.map(sentence).join("\n"),
    figures: models.flatMap((model) => [
      byLayer(model),
      positions(model),
      byGroup(model),
      ...byToken(model, (first?.chosen ?? []).map(visible)),
    ]),
  };
}

/** What was found at the final hidden state, in a sentence. */
function sentence({ name, gradients }: ModelInspection): string {
  const { method, alpha, beta, pairs, disjoint, meets } = gradients;
  const whole = disjoint
    ? "no position of the final hidden states is pushed by both losses"
    : "some positions of the final hidden states are pushed by both losses";
  const where =
    meets === null
      ? "they never meet below"
      : `going down, they first meet at <code>${escape(meets)}</code>`;
  return (
    `<p><strong>${escape(name)}</strong>, gradients of ${escape(method)} (alpha ${alpha}, beta ${beta}) on ${pairs} pairs: ` +
    `${whole}; ${where}.</p>`
  );
}

function byLayer({ name, gradients: { activations } }: ModelInspection): Figure {
  const stream = activations.filter((a) => isStream(a.name)).toReversed();
  return ranges(
    {
      title: `How hard each loss pushes, by layer: ${name}`,
      look: "From the final states (top) down to the embeddings: which loss has the stronger say where.",
      limits: "Norms over all positions together; two equal norms may point anywhere.",
    },
    {
      x: { label: "gradient norm", log: true },
      ranges: stream.flatMap((a) => [
        { row: shortName(a.name), of: "reward loss", value: a.reward || null },
        { row: shortName(a.name), of: "text loss", value: a.reg || null },
      ]),
      otherwise: "no activation of the residual stream was reached.",
    },
  );
}

function positions({ name, gradients: { activations } }: ModelInspection): Figure {
  const last = activations.findLast((a) => /\.\d+\.(resid|out)$/.test(a.name))?.name ?? "";
  const block = last.replace(/[^.]*$/, "");
  const placed = activations
    .filter((a) => a.positions !== null && (isStream(a.name) || a.name.startsWith(block)))
    .toReversed();
  const kinds = ["reward", "reg", "both"] as const;
  const names = { reward: "reward loss alone", reg: "text loss alone", both: "both" };
  return ranges(
    {
      title: `How many positions are pushed by whom: ${name}`,
      look: "At the top no position is pushed by both; they meet where attention reads other positions.",
      limits:
        "A position counts however weakly it is pushed; of lower blocks only the residual stream is here.",
    },
    {
      x: { label: "positions" },
      ranges: placed.flatMap((a) =>
        kinds.map((kind) => ({
          row: shortName(a.name),
          of: names[kind],
          value: a.positions?.[kind] ?? null,
        })),
      ),
      otherwise: "no activation has a state for each position.",
    },
  );
}

function byGroup({ name, gradients: { groups } }: ModelInspection): Figure {
  return ranges(
    {
      title: `Share, cosine and conflict by group of parameters: ${name}`,
      look: "A negative cosine, and a conflict rate above one half, mean that the losses pull apart there.",
      limits: "At these weights and on these pairs; Adam's steps aren't the gradients themselves.",
    },
    {
      x: { label: "−1 to 1", domain: [-1, 1] },
      rule: 0,
      ranges: groups.flatMap((g) => [
        { row: shortName(g.name), of: "text loss's share of the square", value: g.share },
        { row: shortName(g.name), of: "cosine", value: g.cosine },
        { row: shortName(g.name), of: "conflict rate over pairs", value: g.conflicts },
      ]),
      otherwise: "no parameters were reached.",
    },
  );
}

const ofOne = "Of the first pair's chosen answer alone.";
const ofRows = `${ofOne} Each layer has colours of its own: which layer is pushed harder stands above.`;

const maps = {
  reward: {
    title: "The reward loss's push, layer by token",
    look: "At the top it stands on the last token alone, and spreads to the left as attention is undone.",
    limits: ofRows,
  },
  reg: {
    title: "The text loss's push, layer by token",
    look: "At the top it stands on every place that predicts a token of the answer, and not on the last.",
    limits: ofRows,
  },
  cosine: {
    title: "Cosine between both pushes, layer by token",
    look: "Blank where only one loss pushes; the colour for negative numbers marks a conflict.",
    limits: ofOne,
  },
} as const satisfies Record<string, Words>;

function byToken(
  { name, gradients: { tokens } }: ModelInspection,
  columns: readonly string[],
): Figure[] {
  const stream = tokens.chosen.filter((t) => isStream(t.name)).toReversed();
  return (["reward", "reg", "cosine"] as const).map((what) =>
    cellMap(
      { ...maps[what], title: `${maps[what].title}: ${name}` },
      {
        rows: stream.map((t) => shortName(t.name)),
        columns,
        values: stream.map((t) => Array.from<number | null>(t[what])),
        ...(what === "cosine"
          ? { unit: "cosine", strongest: 1 }
          : { unit: "gradient norm", byRow: true }),
        otherwise: "no activation has a state for each token.",
      },
    ),
  );
}
