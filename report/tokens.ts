// The section of texts: tokens coloured by what each adds to the reward, the reward of every prefix beside
// surprise, attribution beside intervention, and where attention looks. Text comes from datasets, and
// passes through escape(). Next: ../grm/inspect/tokens.ts, ../grm/inspect/explain.ts.

import type { AttentionHead } from "../grm/inspect/attention.ts";
import type { Inspection, ModelInspection, ShownPair } from "../grm/inspect/inspect.ts";
import { rowOf } from "../grm/inspect/matrix.ts";
import { shortName } from "../grm/inspect/states.ts";
import type { TokenView } from "../grm/inspect/tokens.ts";
import { cellMap, curves, ranges } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { detailsHtml, escape, numberText, tableHtml, visible } from "./html.ts";
import type { Section } from "./page.ts";

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
    const weight = Math.round(70 * Math.sqrt(Math.min(1, Math.abs(step) / most)));
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
      ...models.flatMap((model) => [prefixFigure(model), surpriseFigure(model)]),
      agreementFigure(models),
      ...models.flatMap((model) => [attributionFigure(model, words), patchFigure(model, words)]),
    ],
  };
}

function prefixFigure({ name, shown: [first] }: ModelInspection): Figure {
  const series = (["chosen", "rejected"] as const).map((side, i) => ({
    name: side,
    color: i,
    points: (first?.[side].prefix ?? []).map((y, t) => ({ x: t + 1, y })),
  }));
  return curves(
    {
      title: `Reward of each prefix: ${name}`,
      look: "Where the two curves part is where the model makes up its mind.",
      limits: "Prefixes aren't finished answers; only the last point was trained.",
    },
    { x: { label: "tokens read" }, y: { label: "reward" }, series, otherwise: "no pair is shown." },
  );
}

function surpriseFigure({ name, shown: [first] }: ModelInspection): Figure {
  const view = first?.chosen;
  return curves(
    {
      title: `Reward and surprise, token by token: ${name}`,
      look: "Whether tokens that surprise the language model are those that move the reward.",
      limits: "Two quantities of different units on one axis, of one chosen answer.",
    },
    {
      x: { label: "token" },
      y: { label: "nats, or reward" },
      rule: 0,
      series: [
        {
          name: "adds to the reward",
          points: (view?.steps ?? []).map((y, t) => ({ x: t + 1, y })),
        },
        {
          name: "surprise of the LM head",
          points: (view?.surprise ?? []).map((y, t) => ({ x: t + 1, y })),
        },
      ],
      otherwise: "no pair is shown.",
    },
  );
}

function agreementFigure(models: readonly ModelInspection[]): Figure {
  const rows = [
    ["integrated gradients and deletion", "integrated", "deletion"],
    ["integrated gradients and patching", "integrated", "patching"],
    ["gradient × input and deletion", "gradientInput", "deletion"],
    ["gradient × input and patching", "gradientInput", "patching"],
  ] as const;
  return ranges(
    {
      title: "Do attribution and intervention agree?",
      look: "Spearman's rank correlation over the answer's tokens: near 0, an attribution isn't to be believed.",
      limits: "Of one answer with few tokens; the interventions differ among themselves, too.",
    },
    {
      x: { label: "rank correlation", domain: [-1, 1] },
      rule: 0,
      ranges: models.flatMap(({ name, explanation: { agreement } }) =>
        rows.map(([row, a, b]) => ({ row, of: name, value: agreement[a][b] })),
      ),
      otherwise: "the answer is too short to rank its tokens.",
    },
  );
}

function attributionFigure(
  { name, explanation }: ModelInspection,
  words: readonly string[],
): Figure {
  const { gradientInput, integrated, deletion, patching, difference, gap } = explanation;
  const rows = {
    "gradient × input": gradientInput,
    "integrated gradients": integrated,
    "leaving it out": deletion,
    "patching its embedding": patching[0]?.effects ?? [],
  };
  return cellMap(
    {
      title: `Attribution beside intervention: ${name}`,
      look: "Whether the rows are dark at the same tokens; each has colours of its own, up to its largest number.",
      limits: `Integrated gradients sum to the difference from a baseline of mean embeddings (${numberText(difference)}) but for ${numberText(gap)}; another baseline gives other numbers.`,
    },
    {
      rows: Object.keys(rows),
      columns: words,
      values: Object.values(rows),
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
  return cellMap(
    {
      title: `Activation patching, layer by token: ${name}`,
      look: "How much reward is lost when one state is replaced by a meaningless one: information moves from its tokens to the last one.",
      limits: "One state at a time: what stands in two places at once looks unimportant in both.",
    },
    {
      rows: order.map((p) => shortName(p.name)),
      columns: words,
      values: order.map((p) => p.effects),
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
    figures: models.flatMap(({ name, attention }) => [
      headsFigure(name, attention),
      ...lastLayer(attention).map((head) => patternFigure(name, head, words)),
    ]),
  };
}

/** The heads of the layer that writes what both heads of the model read. */
function lastLayer(heads: readonly AttentionHead[]): readonly AttentionHead[] {
  const last = heads.at(-1)?.layer;
  return heads.filter(({ layer }) => layer === last);
}

function headsFigure(name: string, heads: readonly AttentionHead[]): Figure {
  const label = ({ layer, head }: AttentionHead): string => `layer ${layer}, head ${head}`;
  return ranges(
    {
      title: `Every head in three numbers: ${name}`,
      look: "Sharp heads have little entropy; heads that rest on the first token may have nothing to say.",
      limits: "Weights say where values come from, not how much they matter. One text.",
    },
    {
      x: { label: "nats, tokens, or share" },
      ranges: heads.flatMap((head) => [
        { row: label(head), of: "entropy, nats", value: head.entropy },
        { row: label(head), of: "distance, tokens", value: head.distance },
        { row: label(head), of: "weight on the first token", value: head.first },
      ]),
      otherwise: "this backbone has no attention.",
    },
  );
}

function patternFigure(
  name: string,
  { layer, head, pattern }: AttentionHead,
  words: readonly string[],
) {
  const rows = Array.from({ length: pattern.rows }, (_, t) =>
    Array.from(rowOf(pattern, t), (weight, s) => (s <= t && weight >= 0.02 ? weight : null)),
  );
  return cellMap(
    {
      title: `Layer ${layer}, head ${head}: ${name}`,
      look: "Each row is a token that looks, each column a token that is looked at; the last row feeds the reward.",
      limits: "Weights below 0.02 are left blank.",
    },
    {
      rows: words,
      columns: words,
      values: rows,
      unit: "of attention",
      strongest: 1,
      otherwise: "this backbone has no attention.",
      side: 13,
    },
  );
}
