// Curves with bands in rows and columns as one SVG, by hand: axes, lines, a legend. Reports draw with
// Observable Plot (./charts.ts); this is the picture that stands alone, with all panels in one file.
// Next: ../lab/overopt/report.ts, which fills the panels.

import { accept, signatures } from "../core/signature.ts";
import { linesOf } from "./figure.ts";
import { escape } from "./html.ts";

const takes = signatures({
  figureSvg: "panels: any[], { columns?: number, notes?: any[] }",
});

/** A point of a series, with the half height of its band. */
export interface Point {
  readonly x: number;
  readonly y: number;
  /** Half of the band's height; null for none. */
  readonly half: number | null;
  /** What is shown where the pointer rests. */
  readonly label: string;
}

/** Points that belong together, in one colour. */
export interface Series {
  readonly name: string;
  /** Series of one colour are about one thing. */
  readonly color: string;
  readonly points: readonly Point[];
}

/** One diagram of a picture with several: axes and series. */
export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Whose values the upright axis has room for; its own unless said, so that panels that are compared share a scale. */
  readonly beside?: readonly Series[];
}

/** Okabe and Ito's colours, which differ for colour-blind readers too. */
export const palette = [
  "#000000",
  "#d55e00",
  "#0072b2",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#8c6d31",
  "#7f7f7f",
  "#882255",
] as const;

const size = { width: 440, height: 300, left: 56, right: 14, top: 34, bottom: 46 };
const plot = {
  width: size.width - size.left - size.right,
  height: size.height - size.top - size.bottom,
};
const legendRow = 18;

/**
 * Panels in rows of `columns`, with one legend below for all, and `notes` in lines under it: what they show and what
 * they don't. The x axis is √x, as in 2210.10760.
 */
export function figureSvg(
  panels: readonly Panel[],
  options: { readonly columns?: number; readonly notes?: readonly string[] } = {},
): string {
  accept(takes.figureSvg, arguments);
  const { columns = 2, notes = [] } = options;
  const rows = Math.ceil(panels.length / columns);
  const legend = legendOf(panels);
  const [width, body] = [columns * size.width, rows * size.height];
  const below = body + (Math.ceil(legend.length / 4) + 1) * legendRow;
  const lines = notes.flatMap((note) => linesOf(note, Math.floor((width - 32) / 6.2)));
  const height = below + lines.length * legendRow;
  const parts = panels.map((panel, i) => {
    const [x, y] = [(i % columns) * size.width, Math.floor(i / columns) * size.height];
    return `<g transform="translate(${x} ${y})">${panelSvg(panel)}</g>`;
  });
  const entries = legend.map(({ name, color }, i) => {
    const [x, y] = [(i % 4) * (width / 4) + 16, body + (Math.floor(i / 4) + 0.7) * legendRow];
    return `<g transform="translate(${x} ${y})"><path d="M0 0h20" stroke="${color}" stroke-width="3"/><text x="26" y="4">${escape(name)}</text></g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" role="img">`,
    `<clipPath id="plot"><rect x="${size.left}" y="${size.top}" width="${plot.width}" height="${plot.height}"/></clipPath>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...parts,
    ...entries,
    ...lines.map(
      (line, i) => `<text x="16" y="${below + (i + 0.5) * legendRow}">${escape(line)}</text>`,
    ),
    "</svg>",
  ].join("\n");
}

function legendOf(panels: readonly Panel[]): Series[] {
  const byName = new Map(panels.flatMap(({ series }) => series.map((one) => [one.name, one])));
  return [...byName.values()];
}

/** From numbers to places: √x to the right, y upwards. */
interface Scales {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly xMax: number;
  readonly yRange: readonly [number, number];
}

/** The range shows every line with room around it; a band that is wider is cut at the panel's edge. */
function scalesOf({ series, beside = series }: Panel): Scales {
  const xMax = series.flatMap((one) => one.points).reduce((most, { x }) => Math.max(most, x), 0.01);
  const points = beside.flatMap((one) => one.points);
  const low = points.reduce((least, { y }) => Math.min(least, y), Infinity);
  const high = points.reduce((most, { y }) => Math.max(most, y), -Infinity);
  const slack = 0.2 * (high - low) || 1;
  const yRange = points.length === 0 ? ([0, 1] as const) : ([low - slack, high + slack] as const);
  const { width: w, height: h } = plot;
  return {
    x: (value) => size.left + (w * Math.sqrt(Math.max(0, value))) / Math.sqrt(xMax),
    y: (value) => size.top + (h * (yRange[1] - value)) / (yRange[1] - yRange[0]),
    xMax,
    yRange,
  };
}

function panelSvg(panel: Panel): string {
  const { title, xLabel, yLabel, series } = panel;
  const scales = scalesOf(panel);
  const middle = (size.left + size.width - size.right) / 2;
  const center = (size.top + size.height - size.bottom) / 2;
  return [
    `<text x="${size.left}" y="18" font-weight="600" font-size="13">${escape(title)}</text>`,
    ...axes(scales),
    `<text x="${middle}" y="${size.height - 10}" text-anchor="middle">${escape(xLabel)}</text>`,
    `<text transform="translate(14 ${center}) rotate(-90)" text-anchor="middle">${escape(yLabel)}</text>`,
    `<g clip-path="url(#plot)">${series.map((one) => bandSvg(one, scales)).join("")}</g>`,
    ...series.map((one) => lineSvg(one, scales)),
  ].join("\n");
}

function axes({ x, y, xMax, yRange }: Scales): string[] {
  const [bottom, right] = [size.height - size.bottom, size.width - size.right];
  const horizontal = ticks(...yRange).map(
    (value) =>
      `<path d="M${size.left} ${at(y(value))}H${right}" stroke="#ddd"/><text x="${size.left - 6}" y="${at(y(value) + 4)}" text-anchor="end">${value}</text>`,
  );
  const marks = [0, 0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 500, 1000];
  const vertical = marks
    .filter((value) => value <= xMax && (value === 0 || x(value) - x(0) > 24))
    .filter((value, i, list) => i === 0 || x(value) - x(list[i - 1] ?? 0) > 16)
    .map(
      (value) =>
        `<path d="M${at(x(value))} ${bottom}v4" stroke="#888"/><text x="${at(x(value))}" y="${bottom + 17}" text-anchor="middle">${value}</text>`,
    );
  return [...horizontal, `<path d="M${size.left} ${bottom}H${right}" stroke="#888"/>`, ...vertical];
}

/** Four to nine round numbers in a range. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  let unit = 1;
  while (unit > rough) unit /= 10;
  while (unit * 10 <= rough) unit *= 10;
  const step = unit * (rough / unit >= 5 ? 5 : rough / unit >= 2 ? 2 : 1);
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(6)));
}

/** Of the points that lie farther right than all before: a band that turns back would cover itself. */
function bandSvg({ color, points }: Series, { x, y }: Scales): string {
  let farthest = -Infinity;
  const banded = points.filter((p) => {
    const isOn = p.half !== null && p.x > farthest;
    farthest = Math.max(farthest, p.x);
    return isOn;
  });
  if (banded.length < 2) return "";
  const edge = (sign: 1 | -1) =>
    banded.map((p) => `${at(x(p.x))} ${at(y(p.y + sign * (p.half ?? 0)))}`);
  const outline = [...edge(1), ...edge(-1).reverse()].join("L");
  return `<path d="M${outline}Z" fill="${color}" fill-opacity="0.13"/>`;
}

function lineSvg({ name, color, points }: Series, { x, y }: Scales): string {
  const path = points.map((p) => `${at(x(p.x))} ${at(y(p.y))}`).join("L");
  const dots = points.map(
    (p) =>
      `<circle cx="${at(x(p.x))}" cy="${at(y(p.y))}" r="2.2" fill="${color}"><title>${escape(`${name}: ${p.label}`)}</title></circle>`,
  );
  return `<path d="M${path}" fill="none" stroke="${color}" stroke-width="1.8"/>${dots.join("")}`;
}

const at = (place: number): string => place.toFixed(1);
