// The section of texts: tokens coloured by what each adds to the reward, the reward of every prefix beside
// surprise, attribution beside intervention, and where attention looks. Text comes from datasets, and
// passes through escape(). Next: ../grm/inspect/tokens.ts, ../grm/inspect/explain.ts.

import type { AttentionHead } from "../grm/inspect/attention.ts";
import type { Inspection, ModelInspection, ShownPair } from "../grm/inspect/inspect.ts";
import { rowOf } from "../grm/inspect/matrix.ts";
import { shortName } from "../grm/inspect/states.ts";
import type { TokenView } from "../grm/inspect/tokens.ts";
import { rankCorrelation } from "../grm/statistics/index.ts";
import { brief, counted, coursesText, peaksText, rowsText } from "./captions.ts";
import { type CurveSeries, cellMap, curves, ranges } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { detailsHtml, escape, numberText, tableHtml, visible } from "./html.ts";
import type { Section } from "./page.ts";
import { domainOf } from "./scales.ts";

export function textSection({ models, shown }: Inspection): Section {
  const pairs = shown.map((pair, i) => {
    const place = [pair.source, pair.line === null ? null : `line ${pair.line}`].filter(Boolean);
    const title = `Pair ${i + 1}${place.length > 0 ? ` (${place.join(", ")})` : ""}`;
    return detailsHtml(title, pairHtml(pair, models, i), i === 0);
  });
  return {
    id: "texts",
    title: "Texts, token by token",
    before:
      '<p class="soft">Colour is what a token adds to the reward of the text so far: blue up, orange down, the stronger the more. ' +
      "Point at a token, or reach it with the tab key, for its numbers; the tables have all of them. Only the reward of the last token was trained.</p>",
    after: pairs.join("\n"),
  };
}

function pairHtml(pair: ShownPair, models: readonly ModelInspection[], i: number): string {
  const sides = models.flatMap(({ name, shown }) => {
    const views = shown[i];
    if (views === undefined) return [];
    const most = [...views.chosen.steps, ...views.rejected.steps].reduce<number>(
      (m, step) => Math.max(m, Math.abs(step ?? 0)),
      1e-12,
    );
    return (["chosen", "rejected"] as const).map((side) =>
      sideHtml(`${name}, ${side}`, pair[side], views[side], most),
    );
  });
  return `<div class="sides two">${sides.join("")}</div>`;
}

const mostShown = 240; // tokens of a text; of a longer one the last ones

function sideHtml(title: string, words: readonly string[], view: TokenView, most: number): string {
  const places = Array.from(words.keys()).slice(-mostShown);
  const tokens = places.map((t) => {
    const step = view.steps[t] ?? 0;
    const numbers = `adds ${numberText(view.steps[t])}, reward so far ${numberText(view.prefix[t])}, surprise ${numberText(view.surprise[t])}`;
    const weight = Math.round(45 * Math.sqrt(Math.min(1, Math.abs(step) / most)));
    const kind = view.judged[t] ? "tok" : "tok prompt";
    return `<span class="${kind}" tabindex="0" style="--to:var(--${step < 0 ? "below" : "above"});--w:${weight}%" data-r="${escape(numbers)}">${escape(visible(words[t] ?? ""))}</span>`;
  });
  const reward = view.prefix.at(-1);
  const hidden = words.length - places.length;
  const before = hidden > 0 ? `<span class="soft">(${hidden} tokens before) </span>` : "";
  const rows = places.map((t) => [
    visible(words[t] ?? ""),
    view.steps[t] ?? null,
    view.prefix[t] ?? null,
    view.surprise[t] ?? null,
  ]);
  const table = tableHtml(
    { columns: ["token", "adds to the reward", "reward so far", "surprise, nats"], rows },
    title,
  );
  return (
    `<div><h3>${escape(title)}: reward ${numberText(reward)}</h3>` +
    `<p class="text">${before}${tokens.join(" ")}</p>${detailsHtml("The numbers", table)}</div>`
  );
}

// --- Rewards of prefixes, attribution, interventions -------------------------------------------------

export function explanationSection({ models, shown }: Inspection): Section {
  const words = (shown[0]?.chosen ?? []).map(visible);
  return {
    id: "explanation",
    title: "What a reward is owed to",
    before:
      '<p class="soft">All of the first pair. Attribution says what the function looks like around the text; an intervention changes the text or the states and looks again. Neither is believed without the other.</p>',
    figures: [
      ...models.map((model) => prefixFigure(model, models)),
      ...models.map((model) => stepsFigure(model, models)),
      ...models.map((model) => surpriseFigure(model, models)),
      agreementFigure(models),
      ...models.map((model) => attributionFigure(model, words)),
      ...models.map((model) => patchFigure(model, words)),
    ],
  };
}

function prefixesOf({ shown: [first] }: ModelInspection): CurveSeries[] {
  return (["chosen", "rejected"] as const).map((side, i) => ({
    name: side,
    color: i,
    points: (first?.[side].prefix ?? []).map((y, t) => ({ x: t + 1, y })),
  }));
}

/** All models have one scale. */
function prefixFigure(model: ModelInspection, models: readonly ModelInspection[]): Figure {
  const series = prefixesOf(model);
  const [chosen, rejected] = series.map(({ points }) => points.at(-1)?.y ?? Number.NaN);
  const order =
    (chosen ?? 0) > (rejected ?? 0)
      ? "The chosen answer ends above the rejected one."
      : "The chosen answer does not end above the rejected one.";
  return curves(
    {
      title: `Reward of each prefix: ${model.name}`,
      look: `${order} ${coursesText(series, "token")}`,
      limits: "Prefixes aren't finished answers; only the last point was trained.",
    },
    {
      x: { label: "tokens read" },
      y: { label: "reward", ...domainOf(models.flatMap(prefixesOf)) },
      series,
      otherwise: "no pair is shown.",
    },
  );
}

/** A number of each token of the first chosen answer. */
function overTokens(
  { name, shown: [first] }: ModelInspection,
  what: "steps" | "surprise",
): CurveSeries {
  const values = first?.chosen[what] ?? [];
  return { name, points: Array.from(values, (y, t) => ({ x: t + 1, y })) };
}

/** What tokens add, and whether those that surprise are those that move the reward; all models have one scale. */
function stepsFigure(model: ModelInspection, models: readonly ModelInspection[]): Figure {
  const one = overTokens(model, "steps");
  return curves(
    {
      title: `What each token adds to the reward: ${model.name}`,
      look: `${largestText(one)} ${surpriseText(model)}`.trim(),
      limits: "Of one chosen answer.",
    },
    {
      x: { label: "token" },
      y: { label: "reward", ...domainOf(models.map((m) => overTokens(m, "steps"))) },
      rule: 0,
      series: [{ ...one, name: "adds to the reward" }],
      otherwise: "no pair is shown.",
    },
  );
}

function surpriseFigure(model: ModelInspection, models: readonly ModelInspection[]): Figure {
  const one = overTokens(model, "surprise");
  return curves(
    {
      title: `How surprised the language-model head is: ${model.name}`,
      look: largestText(one),
      limits: "−ln p of each token, of one chosen answer.",
    },
    {
      x: { label: "token" },
      y: { label: "nats", ...domainOf(models.map((m) => overTokens(m, "surprise"))) },
      series: [{ ...one, name: "surprise" }],
      otherwise: "no pair is shown.",
    },
  );
}

/** Where a curve is farthest from 0. */
function largestText({ points }: CurveSeries): string {
  const known = points.flatMap(({ x, y }) => (y === null ? [] : [{ x, y }]));
  if (known.length === 0) return "";
  const top = known.reduce((best, p) => (Math.abs(p.y) > Math.abs(best.y) ? p : best));
  return `Largest at token ${top.x}: ${brief(top.y)}.`;
}

/** Whether tokens that surprise the language model move the reward more. */
function surpriseText({ shown: [first] }: ModelInspection): string {
  const { steps = [], surprise = [] } = first?.chosen ?? {};
  const both = Array.from(steps, (step, t) => [step, surprise[t] ?? null] as const).flatMap(
    ([step, s]) => (step === null || s === null ? [] : [[Math.abs(step), s] as const]),
  );
  const found = rankCorrelation(
    both.map(([size]) => size),
    both.map(([, s]) => s),
  );
  if (found === null) return "";
  return `The size of what a token adds goes with its surprise by a rank correlation of ${brief(found)}, over ${counted(both.length, "token")}.`;
}

function agreementFigure(models: readonly ModelInspection[]): Figure {
  const rows = [
    ["integrated gradients and deletion", "integrated", "deletion"],
    ["integrated gradients and patching", "integrated", "patching"],
    ["gradient × input and deletion", "gradientInput", "deletion"],
    ["gradient × input and patching", "gradientInput", "patching"],
  ] as const;
  const found = models.flatMap(({ name, explanation: { agreement } }) =>
    rows.map(([row, a, b]) => ({ row, of: name, value: agreement[a][b] })),
  );
  return ranges(
    {
      title: "Do attribution and intervention agree?",
      look: rowsText(found),
      limits:
        "Spearman's rank correlation over the answer's tokens: near 0, an attribution isn't to be believed. Of one answer with few tokens; the interventions differ among themselves, too.",
    },
    {
      x: { label: "rank correlation", domain: [-1, 1] },
      rule: 0,
      ranges: found,
      otherwise: "the answer is too short to rank its tokens.",
    },
  );
}

function attributionFigure(
  { name, explanation }: ModelInspection,
  words: readonly string[],
): Figure {
  const { gradientInput, integrated, deletion, patching, difference, gap } = explanation;
  const found = {
    "gradient × input": gradientInput,
    "integrated gradients": integrated,
    "leaving it out": deletion,
    "patching its embedding": patching[0]?.effects ?? [],
  };
  const [rows, values] = [Object.keys(found), Object.values(found)];
  return cellMap(
    {
      title: `Attribution beside intervention: ${name}`,
      look: peaksText(rows, words, values),
      limits: `Each row has colours of its own, up to its largest number. Integrated gradients sum to the difference from a baseline of mean embeddings (${numberText(difference)}) but for ${numberText(gap)}; another baseline gives other numbers.`,
    },
    {
      rows,
      columns: words,
      values,
      unit: "reward",
      byRow: true,
      otherwise: "no pair is shown.",
    },
  );
}

function patchFigure(
  { name, explanation: { patching } }: ModelInspection,
  words: readonly string[],
) {
  const order = patching.toReversed();
  const [rows, values] = [order.map((p) => shortName(p.name)), order.map((p) => p.effects)];
  return cellMap(
    {
      title: `Activation patching, layer by token: ${name}`,
      look: peaksText(rows, words, values),
      limits:
        "How much reward is lost when one state is replaced by a meaningless one. One state at a time: what stands in two places at once looks unimportant in both.",
    },
    {
      rows,
      columns: words,
      values,
      unit: "of reward",
      root: true,
      otherwise: "no pair is shown.",
    },
  );
}

// --- Attention ---------------------------------------------------------------------------------------

export function attentionSection({ models, shown }: Inspection): Section {
  const words = (shown[0]?.chosen ?? []).map(visible);
  return {
    id: "attention",
    title: "Where attention looks",
    figures: [
      ...headNumbers.map((number) => headsFigure(number, models)),
      ...models.flatMap(({ name, attention }) =>
        lastLayer(attention).map((head) => patternFigure(name, head, words)),
      ),
    ],
  };
}

/** The heads of the layer that writes what both heads of the model read. */
function lastLayer(heads: readonly AttentionHead[]): readonly AttentionHead[] {
  const last = heads.at(-1)?.layer;
  return heads.filter(({ layer }) => layer === last);
}

/** What is known of every head, each with a unit of its own. */
const headNumbers = [
  {
    of: "entropy",
    title: "Entropy of every head",
    unit: "nats",
    limits: "Mean over the text's tokens; 0 is a head that looks at one token only. One text.",
  },
  {
    of: "distance",
    title: "How far every head looks back",
    unit: "tokens",
    limits: "Mean distance, by weight: where values come from, not how much they matter. One text.",
  },
  {
    of: "first",
    title: "Weight of every head on the first token",
    unit: "share",
    limits: "A head that rests there may have nothing to say. One text.",
  },
] as const;

function headsFigure(
  { of, title, unit, limits }: (typeof headNumbers)[number],
  models: readonly ModelInspection[],
): Figure {
  const found = models.flatMap(({ name, attention }) =>
    attention.map((one) => ({
      row: `layer ${one.layer}, head ${one.head}`,
      of: name,
      value: one[of],
    })),
  );
  return ranges(
    { title, look: rowsText(found), limits },
    { x: { label: unit, zero: true }, ranges: found, otherwise: "this backbone has no attention." },
  );
}

function patternFigure(
  name: string,
  { layer, head, pattern }: AttentionHead,
  words: readonly string[],
) {
  const values = Array.from({ length: pattern.rows }, (_, t) =>
    Array.from(rowOf(pattern, t), (weight, s) => (s <= t && weight >= 0.02 ? weight : null)),
  );
  const last = (values.at(-1) ?? []).map((weight) => weight ?? 0);
  const most = Math.max(0, ...last);
  return cellMap(
    {
      title: `Layer ${layer}, head ${head}: ${name}`,
      look: `The last row, which feeds the reward, looks most at “${words[last.indexOf(most)] ?? ""}”, with ${brief(most)} of its weight.`,
      limits:
        "Each row is a token that looks, each column a token that is looked at. Weights below 0.02 are left blank.",
    },
    {
      rows: words,
      columns: words,
      values,
      unit: "of attention",
      strongest: 1,
      otherwise: "this backbone has no attention.",
      side: 13,
    },
  );
}
