// A figure: a picture, what to look for in it, what it doesn't show, and all of its numbers as a table.
// Colours are CSS variables, which light and dark pages fill differently.
// Next: charts.ts for the kinds of figures, drawn.ts for the picture.

import { accept, signatures } from "../core/signature.ts";
import { escape, type Table, tableHtml } from "./html.ts";

const takes = signatures({
  figureHtml: "figure: { title: string, look: string, ... }, id: string",
  standaloneSvg: "figure: { title: string, look: string, ... }",
});

/** An entry of a figure's legend. */
export interface Key {
  readonly name: string;
  /** A CSS colour. */
  readonly color: string;
  /** Of a line, as stroke-dasharray; "" for a solid one. */
  readonly dash?: string;
  /** What it looks like. Default "line". */
  readonly mark?: "line" | "dot" | "area";
}

/** A picture with what to look for in it, what it doesn't show, and its numbers as a table. */
export interface Figure {
  readonly title: string;
  /** What its numbers show: in reports computed from them. */
  readonly look: string;
  /** How to read it and what it doesn't show: true of any numbers. */
  readonly limits: string;
  readonly table: Table;
  /** The picture; or, in a sentence, why there is none. */
  readonly picture: { readonly svg: string } | { readonly missing: string };
  readonly legend?: readonly Key[];
  /** Whether it takes the whole width of the page. */
  readonly wide?: boolean;
}

/** How many colours there are. */
export const colours = 8;

/** The colour of the i-th thing, from Okabe and Ito's, which differ for colour-blind readers too. */
export function colour(i: number): string {
  return `var(--c${i % colours})`;
}

const dashes = ["", "6 3", "2 2", "8 3 2 3"];

/** A second way to tell lines apart. */
export function dash(i: number): string {
  return dashes[i % dashes.length] ?? "";
}

/** A figure for a page, with an id that is its own there. */
export function figureHtml(figure: Figure, id: string): string {
  accept(takes.figureHtml, arguments);
  const { title, look, limits, picture, table, legend = [], wide } = figure;
  const scrollable = wide ? ` tabindex="0" role="group" aria-label="${escape(title)}"` : "";
  const inside =
    "svg" in picture
      ? `<div class="picture scroll"${scrollable}>${namedOnce(picture.svg)}</div>`
      : `<p class="missing">Not here: ${escape(picture.missing)}</p>`;
  const numbers =
    table.rows.length === 0
      ? ""
      : `<details><summary>The numbers</summary>${tableHtml(table, title)}</details>`;
  return [
    `<figure id="${escape(id)}"${wide ? ' class="wide"' : ""}>`,
    `<h3>${escape(title)}</h3>`,
    legend.length > 0 && "svg" in picture ? legendHtml(legend) : "",
    inside,
    `<figcaption>${escape(look)} <span class="limits">${escape(limits)}</span></figcaption>`,
    numbers,
    "</figure>",
  ].join("\n");
}

/** A picture has one name: those that Plot gives its parts aren't allowed in one. */
function namedOnce(svg: string): string {
  return svg.replaceAll(/(<(?!svg)\w+\b[^>]*?) aria-label="[^"]*"/g, "$1");
}

function legendHtml(keys: readonly Key[]): string {
  const items = keys.map(
    (key) =>
      `<li><svg width="24" height="12" aria-hidden="true">${markSvg(key)}</svg>${escape(key.name)}</li>`,
  );
  return `<ul class="legend">${items.join("")}</ul>`;
}

/** A key's mark, around y = 6. */
function markSvg({ color, dash: pattern = "", mark = "line" }: Key): string {
  const paint = escape(color);
  if (mark === "dot") return `<circle cx="12" cy="6" r="4.5" fill="${paint}"/>`;
  if (mark === "area") return `<rect x="4" width="16" height="12" fill="${paint}"/>`;
  const dashes = pattern === "" ? "" : ` stroke-dasharray="${escape(pattern)}"`;
  return `<path d="M1 6H23" stroke="${paint}" stroke-width="3"${dashes}/>`;
}

/** The palette, light and dark, as CSS. */
export const palette = {
  light: ["#0072b2", "#d55e00", "#009e73", "#b5507f", "#8a6d00", "#3a3a3a", "#56a0d0", "#882255"],
  dark: ["#6cb8ee", "#ff9a57", "#3fd0a4", "#ee95c4", "#e3c34e", "#d0d0d0", "#9cd0f5", "#e08fb5"],
} as const;

/** Variables of colour for a selector. */
export function paletteCss(mode: keyof typeof palette): string {
  return palette[mode].map((value, i) => `--c${i}:${value}`).join(";");
}

const standaloneCss = `svg{${paletteCss("light")};--above:#0072b2;--below:#d55e00;color:#222;background:#fff}
@media (prefers-color-scheme:dark){svg{${paletteCss("dark")};--above:#6cb8ee;--below:#ff9a57;color:#e8e8ec;background:#17171a}}
text{white-space:pre}`;

/** Text in lines of at most `most` characters, unless a word is longer. */
export function linesOf(text: string, most: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1) ?? ""} ${word}`;
    if (lines.length > 0 && longer.length <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * A figure as a file of its own, light or dark as its reader's system is: title, picture, legend, what to look for,
 * and what it doesn't show. null if there is no picture.
 */
export function standaloneSvg(figure: Figure): string | null {
  accept(takes.standaloneSvg, arguments);
  const { picture, title, look, limits, legend = [] } = figure;
  if (!("svg" in picture)) return null;
  const width = Number(/ width="([\d.]+)"/.exec(picture.svg)?.[1] ?? 640);
  const height = Number(/ height="([\d.]+)"/.exec(picture.svg)?.[1] ?? 400);
  const keys = legend.map(
    (key, i) =>
      `<g transform="translate(12 ${height + 28 + 18 * i})">${markSvg(key)}<text x="30" y="10">${escape(key.name)}</text></g>`,
  );
  const most = Math.floor((width - 24) / 6.2); // 12 px of a system's font are about 6 wide
  const below = height + 40 + 18 * legend.length;
  const texts = [...linesOf(look, most), ...linesOf(limits, most)];
  const isLimit = (i: number): boolean => i >= linesOf(look, most).length;
  const caption = texts.map(
    (text, i) =>
      `<text x="12" y="${below + 17 * i}"${isLimit(i) ? ' font-style="italic"' : ""}>${escape(text)}</text>`,
  );
  const total = below + 17 * texts.length;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" viewBox="0 0 ${width} ${total}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor" role="img" aria-label="${escape(title)}">`,
    `<style>${standaloneCss}</style>`,
    `<text x="12" y="18" font-weight="600">${escape(title)}</text>`,
    `<g transform="translate(0 24)">${picture.svg}</g>`,
    ...keys,
    ...caption,
    "</svg>",
  ].join("\n");
}
