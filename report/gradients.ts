// The section of where the losses push: by layer, by token, by group of parameters, and that the two are
// disjoint by position where both heads read. Next: ../grm/inspect/gradients.ts.

import type { ModelInspection, ShownPair } from "../grm/inspect/inspect.ts";
import { shortName } from "../grm/inspect/states.ts";
import { brief, cellsText, counted, listed, peaksText, rowsText } from "./captions.ts";
import { cellMap, type Range, ranges } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { escape, visible } from "./html.ts";
import type { Section } from "./page.ts";
import { domainOfRows } from "./scales.ts";

const isStream = (name: string): boolean => /\.(embed|mid|resid|hidden)$/.test(name);

export function gradientSection(
  models: readonly ModelInspection[],
  first: ShownPair | undefined,
): Section {
  const tokens = (first?.chosen ?? []).map(visible);
  return {
    id: "gradients",
    title: "Where the two losses push",
    before: models.map(sentence).join("\n"),
    figures: [
      ...models.map((model) => byLayer(model, models)),
      ...models.map((model) => positionsFigure(model, models)),
      ...models.map(sharesByGroup),
      ...models.map(cosinesByGroup),
      ...(["reward", "reg", "cosine"] as const).flatMap((what) =>
        models.map((model) => byToken(model, what, tokens)),
      ),
    ],
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

const pushed = { reward: "reward loss", reg: "text loss" } as const;

/** How hard each loss pushes the residual stream, from the final states down. */
function pushesOf({ gradients: { activations } }: ModelInspection): Range[] {
  const stream = activations.filter((a) => isStream(a.name)).toReversed();
  return stream.flatMap((a) =>
    (["reward", "reg"] as const).map((loss) => ({
      row: shortName(a.name),
      of: pushed[loss],
      value: a[loss] || null,
    })),
  );
}

/** All models have one scale. */
function byLayer(model: ModelInspection, models: readonly ModelInspection[]): Figure {
  const found = pushesOf(model);
  const log = { log: true } as const;
  return ranges(
    {
      title: `How hard each loss pushes, by layer: ${model.name}`,
      look: rowsText(found, true),
      limits:
        "From the final states (top) down to the embeddings. Norms over all positions together; two equal norms may point anywhere.",
    },
    {
      x: { label: "gradient norm", ...log, ...domainOfRows(models.flatMap(pushesOf), log) },
      ranges: found,
      otherwise: "no activation of the residual stream was reached.",
    },
  );
}

const kinds = { reward: "reward loss alone", reg: "text loss alone", both: "both" } as const;

/** How many positions each loss pushes, from the final states down through the last block, then the stream alone. */
function positionsOf({ gradients: { activations } }: ModelInspection): Range[] {
  const last = activations.findLast((a) => /\.\d+\.(resid|out)$/.test(a.name))?.name ?? "";
  const block = last.replace(/[^.]*$/, "");
  return activations
    .filter((a) => a.positions !== null && (isStream(a.name) || a.name.startsWith(block)))
    .toReversed()
    .flatMap((a) =>
      (["reward", "reg", "both"] as const).map((kind) => ({
        row: shortName(a.name),
        of: kinds[kind],
        value: a.positions?.[kind] ?? null,
      })),
    );
}

/** Where the two losses meet; all models have one scale. */
export function positionsFigure(
  model: ModelInspection,
  models: readonly ModelInspection[],
): Figure {
  const found = positionsOf(model);
  return ranges(
    {
      title: `How many positions are pushed by whom: ${model.name}`,
      look: positionsText(found),
      limits:
        "Rows go from the final states (hidden) down to the embeddings; of lower blocks only the residual stream is here. A position counts however weakly it is pushed.",
    },
    {
      x: { label: "positions", ...domainOfRows(models.flatMap(positionsOf), { zero: true }) },
      ranges: found,
      otherwise: "no activation has a state for each position.",
    },
  );
}

/** Who pushes the top row's positions, and the first row below it where some are pushed by both. */
function positionsText(found: readonly Range[]): string {
  const [top] = found;
  if (top === undefined) return "";
  const at = (row: string): string =>
    listed(found.filter((r) => r.row === row).map(({ of, value }) => `${of} ${brief(value)}`));
  const meeting = found.find(({ of, value }) => of === kinds.both && (value ?? 0) > 0);
  const where =
    meeting === undefined
      ? "No position is pushed by both anywhere below."
      : `The first row with positions pushed by both is ${meeting.row}: ${at(meeting.row)}.`;
  return `In the top row, ${top.row}: ${at(top.row)}. ${where}`;
}

const ofGroups = {
  limits: "At these weights and on these pairs; Adam's steps aren't the gradients themselves.",
  otherwise: "no parameters were reached.",
};

function sharesByGroup({ name, gradients: { groups } }: ModelInspection): Figure {
  const { limits, otherwise } = ofGroups;
  const shares = groups.flatMap((g) => [
    { row: shortName(g.name), of: "text loss's share of the square", value: g.share },
    { row: shortName(g.name), of: "conflict rate over pairs", value: g.conflicts },
  ]);
  const title = `Share and conflict by group of parameters: ${name}`;
  return ranges(
    { title, look: rowsText(shares), limits },
    { x: { label: "share", domain: [0, 1] }, ranges: shares, otherwise },
  );
}

function cosinesByGroup({ name, gradients: { groups } }: ModelInspection): Figure {
  const { limits, otherwise } = ofGroups;
  const cosines = groups.map((g) => ({ row: shortName(g.name), of: "", value: g.cosine }));
  const below = cosines.filter(({ value }) => (value ?? 0) < 0).length;
  return ranges(
    {
      title: `Cosine of the two gradients by group of parameters: ${name}`,
      look: `Below 0, where the losses pull apart, in ${below} of ${counted(groups.length, "group")}. ${rowsText(cosines)}`,
      limits,
    },
    { x: { label: "cosine", domain: [-1, 1] }, rule: 0, ranges: cosines, otherwise },
  );
}

const ofOne = "Of the first pair's chosen answer alone.";
const ofRows = `${ofOne} Each layer has colours of its own: which layer is pushed harder stands above.`;

const maps = {
  reward: { title: "The reward loss's push, layer by token", limits: ofRows },
  reg: { title: "The text loss's push, layer by token", limits: ofRows },
  cosine: {
    title: "Cosine between both pushes, layer by token",
    limits: `${ofOne} Blank where only one loss pushes; the colour for negative numbers marks a conflict.`,
  },
} as const;

function byToken(
  { name, gradients: { tokens } }: ModelInspection,
  what: keyof typeof maps,
  columns: readonly string[],
): Figure {
  const stream = tokens.chosen.filter((t) => isStream(t.name)).toReversed();
  const rows = stream.map((t) => shortName(t.name));
  const values = stream.map((t) => Array.from<number | null>(t[what]));
  const isCosine = what === "cosine";
  return cellMap(
    {
      ...maps[what],
      title: `${maps[what].title}: ${name}`,
      look: (isCosine ? cellsText : peaksText)(rows, columns, values),
    },
    {
      rows,
      columns,
      values,
      ...(isCosine ? { unit: "cosine", strongest: 1 } : { unit: "gradient norm", byRow: true }),
      otherwise: "no activation has a state for each token.",
    },
  );
}
