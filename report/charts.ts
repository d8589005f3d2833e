// The kinds of figures: curves, ranges, bars, maps of cells. Each takes plain numbers and gives a picture
// with its table, or a sentence where there is nothing to draw. All are narrow enough for a telephone.
// Next: sections of the page, such as training.ts, which fill them.

import * as Plot from "@observablehq/plot";
import { accept, signatures } from "../core/signature.ts";
import { endsOf, type Interval } from "../grm/statistics/index.ts";
import { drawn } from "./drawn.ts";
import { colour, dash, type Figure, type Key } from "./figure.ts";
import { type Cell, numberText, type Table } from "./html.ts";
import { labelMarks } from "./labels.ts";
import { withRoom } from "./scales.ts";

const takes = signatures({
  missingFigure: "words: { title: string, look: string, ... }, why: string",
  pointAt: "x: number, given: { mean: number, half: null | number, ... }",
  curves:
    "words: { title: string, look: string, ... }, { x: object, y: object, series: any[], otherwise: string, rule?: number, dots?: boolean, bars?: boolean }",
  ranges:
    "words: { title: string, look: string, ... }, { x: object, ranges: any[], otherwise: string, rule?: number, names?: any[] }",
  histograms: "words: { title: string, look: string, ... }, bars: { x: object, y: object, ... }",
  cellMap:
    "words: { title: string, look: string, ... }, { rows: any[], columns: any[], values: any[], unit: string, strongest?: number, byRow?: boolean, root?: boolean, xLabel?: string, yLabel?: string, otherwise: string, side?: number }",
});

const size = { width: 400, height: 250, marginLeft: 54, marginBottom: 42, marginRight: 16 };

/** What every figure says of itself. */
export interface Words {
  readonly title: string;
  /** What its numbers show: in a report computed from them. */
  readonly look: string;
  readonly limits: string;
}

/** An axis of a chart: its label, and how numbers lie on it. */
export interface Axis {
  readonly label: string;
  readonly log?: boolean;
  readonly domain?: readonly [number, number];
  /** Whether 0 is on it. */
  readonly zero?: boolean;
  /** Whether places follow the square root, for numbers that crowd near 0. */
  readonly root?: boolean;
}

/** A figure that has nothing to show, and says why. */
export function missingFigure(words: Words, why: string): Figure {
  accept(takes.missingFigure, arguments);
  return { ...words, table: { columns: [], rows: [] }, picture: { missing: why } };
}

function scaleOf({ label, log, domain, zero, root }: Axis): Plot.ScaleOptions {
  return {
    label,
    ...(root && { type: "sqrt" as const }),
    ...(log && { type: "log" as const, tickFormat: numberText as (x: number) => string }),
    ...(domain && { domain }),
    ...(zero && { zero: true }),
    ...(log ? { ticks: 4 } : {}),
  };
}

// --- Curves ------------------------------------------------------------------------------------------

/** A point of a curve, with the ends of its interval where it has one. */
export interface CurvePoint {
  readonly x: number;
  readonly y: number | null;
  /** Ends of an interval. */
  readonly low?: number | null;
  readonly high?: number | null;
  /** A word beside it. */
  readonly label?: string;
}

/** A mean with the ends of its interval. */
export function pointAt(x: number, given: Interval): CurvePoint {
  accept(takes.pointAt, arguments);
  return { x, y: given.mean, ...endsOf(given) };
}

/** A curve with its name. */
export interface CurveSeries {
  readonly name: string;
  readonly points: readonly CurvePoint[];
  /** Its colour; its own number unless said. */
  readonly color?: number;
  readonly dash?: number;
}

interface Curves {
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly CurveSeries[];
  /** Why there may be nothing. */
  readonly otherwise: string;
  /** A line to hold the curves against. */
  readonly rule?: number;
  readonly dots?: boolean;
  /** Whether intervals are bars at points, for curves that turn back, and not bands. */
  readonly bars?: boolean;
}

/** Lines with bands. */
export function curves(words: Words, options: Curves): Figure {
  accept(takes.curves, arguments);
  const { x, otherwise, rule } = options;
  const isDrawn = (p: CurvePoint): p is CurvePoint & { readonly y: number } =>
    p.y !== null && Number.isFinite(p.y) && (!options.y.log || p.y > 0) && (!x.log || p.x > 0);
  const series = options.series.flatMap((one, i) => {
    const points = one.points.filter(isDrawn);
    return points.length === 0 ? [] : [{ ...one, points, i }];
  });
  if (series.length === 0) return missingFigure(words, otherwise);
  const heights = series.flatMap(({ points }) => points.flatMap((p) => [p.y, p.low, p.high]));
  const y = withRoom(options.y, rule === undefined ? heights : [...heights, rule]);
  const marks = [
    ...series.flatMap((one) => curveMarks(one, options)),
    ...labelMarks(
      series.flatMap(({ points }) => points),
      { x: scaleOf(x), y: scaleOf(y), ...size },
    ),
  ];
  const rules = rule === undefined ? [] : [Plot.ruleY([rule], { strokeOpacity: 0.4 })];
  const picture = drawn(`${words.title}: lines of ${series.map((s) => s.name).join(", ")}`, {
    ...size,
    x: scaleOf(x),
    y: { ...scaleOf(y), grid: true },
    marks: [...rules, ...marks],
  });
  return { ...words, picture, legend: keysOf(series), table: curveTable(x.label, series) };
}

/** A line, its interval, and a dot for each point with its numbers. */
function curveMarks(
  { name, points, i, ...own }: CurveSeries & { readonly i: number },
  { x, dots, bars }: Curves,
): Plot.Markish[] {
  const stroke = colour(own.color ?? i);
  const pattern = dash(own.dash ?? own.color ?? i);
  const title = (p: CurvePoint): string =>
    `${name}\n${x.label} ${numberText(p.x)}: ${rangeText(p)}`;
  const banded = points.filter((p) => p.low != null && p.high != null);
  const ends = { x: "x", y1: "low", y2: "high" };
  return [
    bars
      ? Plot.ruleX(banded, { ...ends, stroke, strokeOpacity: 0.5, strokeWidth: 2 })
      : Plot.areaY(banded, { ...ends, fill: stroke, fillOpacity: 0.15 }),
    Plot.line(points, {
      x: "x",
      y: "y",
      stroke,
      strokeWidth: 1.8,
      ...(pattern !== "" && { strokeDasharray: pattern }),
    }),
    Plot.dot(points, {
      x: "x",
      y: "y",
      r: dots || points.length < 12 ? 3 : 1.6,
      fill: stroke,
      title,
    }),
  ];
}

function keysOf(series: readonly (CurveSeries & { readonly i: number })[]): Key[] {
  return series.map(({ name, i, ...own }) => ({
    name,
    color: colour(own.color ?? i),
    dash: dash(own.dash ?? own.color ?? i),
  }));
}

function rangeText({ y, low, high }: CurvePoint): string {
  const range = low == null || high == null ? "" : ` [${numberText(low)}, ${numberText(high)}]`;
  return `${numberText(y)}${range}`;
}

const mostRows = 60;

/** A row for each x, thinned evenly where there are many. */
function curveTable(label: string, series: readonly CurveSeries[]): Table {
  const xs = [...new Set(series.flatMap(({ points }) => points.map((p) => p.x)))];
  xs.sort((a, b) => a - b);
  const every = Math.ceil(xs.length / mostRows);
  const kept = xs.filter((_, i) => i % every === 0 || i === xs.length - 1);
  const found = series.map(({ points }) => new Map(points.map((p) => [p.x, p])));
  const cell = (p: CurvePoint | undefined): Cell =>
    p === undefined ? "" : p.low == null ? p.y : rangeText(p);
  return {
    columns: [label, ...series.map(({ name }) => name)],
    rows: kept.map((x) => [x, ...found.map((points) => cell(points.get(x)))]),
  };
}

// --- Ranges ------------------------------------------------------------------------------------------

/** A value with the ends of its interval, in a row of a chart. */
export interface Range {
  /** Where it stands. */
  readonly row: string;
  /** Whose it is. */
  readonly of: string;
  readonly value: number | null;
  readonly low?: number | null;
  readonly high?: number | null;
}

interface Ranges {
  readonly x: Axis;
  readonly ranges: readonly Range[];
  readonly otherwise: string;
  readonly rule?: number;
  /** The order of colours; those of the ranges unless said. */
  readonly names?: readonly string[];
}

const mostLetters = 34; // of a row's name in a picture; its table has all of them

const shortened = (name: string): string =>
  name.length <= mostLetters ? name : `${name.slice(0, mostLetters - 4)} ...`;

/** Points with intervals, a row for each thing, side by side for whose they are. */
export function ranges(words: Words, options: Ranges): Figure {
  accept(takes.ranges, arguments);
  const { x, ranges: all, otherwise, names } = options;
  const isDrawn = ({ value }: Range): boolean =>
    value !== null && Number.isFinite(value) && (!x.log || value > 0);
  const found = all.filter(isDrawn);
  if (found.length === 0) return missingFigure(words, otherwise);
  const rows = [...new Set(all.map(({ row }) => row))];
  const owners = names ?? [...new Set(all.map(({ of }) => of))];
  const marginLeft = 16 + 6.4 * Math.min(mostLetters, Math.max(...rows.map((row) => row.length)));
  const picture = drawn(`${words.title}: values of ${rows.join(", ")}`, {
    ...size,
    marginLeft,
    width: Math.max(size.width, marginLeft + 250),
    height: 56 + rows.length * Math.max(26, (rows.length > 10 ? 8 : 13) * owners.length),
    x: { ...scaleOf(x), grid: true },
    y: {
      domain: [-0.6, rows.length - 0.4],
      reverse: true,
      ticks: rows.map((_, i) => i),
      tickFormat: (i: number) => shortened(rows[i] ?? ""),
      tickSize: 0,
      label: null,
    },
    marks: rangeMarks(found, rows, owners, options),
  });
  const table = rangeTable(all, rows, owners);
  return { ...words, picture, table, legend: legendOf(owners, "dot") };
}

function endsText({ value, low = null, high = null }: Range): string {
  return rangeText({ x: 0, y: value, low, high });
}

function rangeMarks(
  found: readonly Range[],
  rows: readonly string[],
  owners: readonly string[],
  { x, rule }: Ranges,
): Plot.Markish[] {
  const y = ({ row, of }: Range): number =>
    rows.indexOf(row) + ((owners.indexOf(of) + 1) / (owners.length + 1) - 0.5) * 0.8;
  const stroke = ({ of }: Range): string => colour(owners.indexOf(of));
  const bounded = found.filter(
    ({ low, high }) => low != null && high != null && (!x.log || low > 0),
  );
  const ends = { x1: "low", x2: "high", y1: y, y2: y };
  const title = (range: Range): string => `${range.row}, ${range.of}: ${endsText(range)}`;
  return [
    ...(rule === undefined ? [] : [Plot.ruleX([rule], { strokeOpacity: 0.5 })]),
    Plot.link(bounded, { ...ends, stroke, strokeWidth: 2.5, strokeOpacity: 0.55 }),
    Plot.dot(found, { x: "value", y, fill: stroke, r: 4, title }),
  ];
}

function rangeTable(
  all: readonly Range[],
  rows: readonly string[],
  owners: readonly string[],
): Table {
  const cell = (row: string, of: string): Cell => {
    const own = all.find((range) => range.row === row && range.of === of);
    return own === undefined ? "" : endsText(own);
  };
  return {
    columns: ["", ...owners],
    rows: rows.map((row) => [row, ...owners.map((of) => cell(row, of))]),
  };
}

function legendOf(names: readonly string[], mark: "dot" | "area"): Key[] {
  if (names.length === 1 && names[0] === "") return [];
  return names.map((name, i) => ({ name, color: colour(i), mark }));
}

// --- Bars --------------------------------------------------------------------------------------------

interface Bars {
  readonly x: Axis;
  readonly y: Axis;
  /** One more than the counts. */
  readonly edges: readonly number[];
  readonly counts: readonly { readonly name: string; readonly values: readonly number[] }[];
  readonly otherwise: string;
}

/** Histograms over one another. */
export function histograms(words: Words, bars: Bars): Figure {
  accept(takes.histograms, arguments);
  const { x, y, edges, counts, otherwise } = bars;
  if (edges.length < 2) return missingFigure(words, otherwise);
  const bins = (values: readonly number[]) =>
    values.map((count, i) => ({ x1: edges[i], x2: edges[i + 1], count }));
  const picture = drawn(`${words.title}: counts of ${counts.map((c) => c.name).join(", ")}`, {
    ...size,
    x: scaleOf(x),
    y: { ...scaleOf(y), grid: true },
    marks: [
      ...counts.map(({ name, values }, i) =>
        Plot.rectY(bins(values), {
          x1: "x1",
          x2: "x2",
          y: "count",
          fill: colour(i),
          fillOpacity: 0.5,
          title: (b: { x1: number; count: number }) =>
            `${name}, from ${numberText(b.x1)}: ${b.count}`,
        }),
      ),
      Plot.ruleY([0]),
    ],
  });
  const rows = edges
    .slice(0, -1)
    .map((edge, i) => [
      `${numberText(edge)} to ${numberText(edges[i + 1])}`,
      ...counts.map(({ values }) => values[i] ?? 0),
    ]);
  const table = { columns: [x.label, ...counts.map(({ name }) => name)], rows };
  return {
    ...words,
    picture,
    table,
    legend: legendOf(
      counts.map(({ name }) => name),
      "area",
    ),
  };
}

// --- Maps --------------------------------------------------------------------------------------------

interface Cells {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** By row, then column; null is left blank. */
  readonly values: readonly (readonly (number | null)[])[];
  /** What a number is. */
  readonly unit: string;
  /** What has the strongest colour; the largest size unless said. */
  readonly strongest?: number;
  /** Whether each row has colours of its own, the strongest for its own largest size. */
  readonly byRow?: boolean;
  /** Colours follow the square root of size, so that small numbers are seen beside large ones. */
  readonly root?: boolean;
  readonly xLabel?: string;
  readonly yLabel?: string;
  readonly otherwise: string;
  /** Side of a cell in pixels. */
  readonly side?: number;
}

const mostDrawn = 80; // rows and columns; of more, the last ones

/** A map of numbers: one colour above 0, another below, none at 0. Of a very large one, its last corner. */
export function cellMap(words: Words, options: Cells): Figure {
  accept(takes.cellMap, arguments);
  const { rows, columns } = options;
  if (Math.max(rows.length, columns.length) <= mostDrawn) return drawMap(words, options);
  const last = <T>(list: readonly T[]): readonly T[] => list.slice(-mostDrawn);
  const values = last(options.values)
    .map((row) => row.slice(0, columns.length))
    .map(last);
  const limits = `${words.limits} Of ${columns.length} columns the last ${mostDrawn} are drawn.`;
  return drawMap(
    { ...words, limits },
    { ...options, rows: last(rows), columns: last(columns), values },
  );
}

function drawMap(words: Words, options: Cells): Figure {
  const { rows, columns, values, otherwise } = options;
  const cells = rows.flatMap((_, r) =>
    columns.flatMap((_c, c) => {
      const value = values[r]?.[c] ?? null;
      return value === null || !Number.isFinite(value) ? [] : [{ r, c, value }];
    }),
  );
  if (cells.length === 0) return missingFigure(words, otherwise);
  const largest = (some: readonly Placed[]): number =>
    options.strongest ?? some.reduce((m, { value }) => Math.max(m, Math.abs(value)), 0);
  const most = largest(cells);
  const mostOf = rows.map((_, r) =>
    options.byRow ? largest(cells.filter((cell) => cell.r === r)) : most,
  );
  const label = `${words.title}: a map of ${rows.length} rows and ${columns.length} columns`;
  const picture = drawn(label, {
    ...mapLayout(options),
    marks: [...cellMarks(cells, mostOf, options), Plot.frame({ strokeOpacity: 0.3 })],
    opacity: { type: "identity" },
  });
  const table = mapTable(cells, options);
  const wide = options.side === undefined && columns.length > 14;
  return { ...words, picture, table, legend: mapLegend(cells, most, options), wide };
}

const mostCells = 2500;
const mostLargest = 200;

/** All numbers; of a very large map the largest ones, so that a page stays small. */
function mapTable(cells: readonly Placed[], { rows, columns, values, unit }: Cells): Table {
  if (rows.length * columns.length <= mostCells) {
    return {
      columns: ["", ...columns],
      rows: rows.map((row, r) => [row, ...columns.map((_, c) => values[r]?.[c] ?? null)]),
    };
  }
  const order = cells.toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value));
  return {
    columns: [`row (the ${mostLargest} largest of ${cells.length})`, "column", unit],
    rows: order
      .slice(0, mostLargest)
      .map(({ r, c, value }) => [`${r + 1} ${rows[r]}`, `${c + 1} ${columns[c]}`, value]),
  };
}

interface Placed {
  readonly r: number;
  readonly c: number;
  readonly value: number;
}

/** Sizes and axes: columns named upright below, rows at the left. */
function mapLayout({ rows, columns, xLabel = "", yLabel = "", ...options }: Cells) {
  const longest = (names: readonly string[]): number => Math.max(...names.map((n) => n.length));
  const marginLeft = 22 + 7 * longest(rows);
  const marginBottom = 26 + 6.5 * longest(columns);
  const side = options.side ?? Math.max(16, Math.min(44, (960 - marginLeft) / columns.length));
  return {
    width: Math.max(300, marginLeft + 20 + columns.length * side),
    height: 26 + marginBottom + rows.length * Math.min(side, 24),
    marginLeft,
    marginBottom,
    marginTop: 22,
    x: {
      domain: columns.map((_, c) => c),
      tickFormat: (c: number) => columns[c] ?? "",
      tickRotate: longest(columns) > 2 ? -90 : 0,
      tickSize: 0,
      label: xLabel,
    },
    y: {
      domain: rows.map((_, r) => r),
      tickFormat: (r: number) => rows[r] ?? "",
      tickSize: 0,
      label: yLabel,
    },
  };
}

const mostTitles = 600; // cells with numbers of their own to point at; beyond, the table has them

/** Cells above 0, then those below. */
function cellMarks(
  cells: readonly Placed[],
  mostOf: readonly number[],
  { rows, columns, unit, root }: Cells,
) {
  const strength = ({ r, value }: Placed): number => {
    const most = mostOf[r] ?? 0;
    const share = most > 0 ? Math.min(1, Math.abs(value) / most) : 0;
    return Number((root ? Math.sqrt(share) : share).toFixed(3));
  };
  const title = ({ r, c, value }: Placed): string =>
    `${rows[r]}, ${columns[c]}: ${numberText(value)} ${unit}`;
  const mark = (sign: 1 | -1, fill: string) =>
    Plot.cell(
      cells.filter(({ value }) => value * sign > 0),
      {
        x: "c",
        y: "r",
        fill,
        fillOpacity: strength,
        ...(cells.length <= mostTitles && { title }),
      },
    );
  return [mark(1, "var(--above)"), mark(-1, "var(--below)")];
}

function mapLegend(cells: readonly Placed[], most: number, { unit, root, byRow }: Cells): Key[] {
  const shown = byRow ? "the row's largest" : numberText(most);
  const above: Key = {
    name: `${unit}, 0 to ${shown}${root ? ", by the root" : ""}`,
    color: "var(--above)",
    mark: "area",
  };
  const below: Key = {
    name: byRow ? "below 0" : `0 to −${shown}`,
    color: "var(--below)",
    mark: "area",
  };
  return cells.some(({ value }) => value < 0) ? [above, below] : [above];
}
