// What figures show, in words that are computed from their numbers: a caption can't claim what its figure
// doesn't show. What is true of any numbers (a definition, what isn't measured) stands in a figure's limits.
// Next: training.ts, which says what else its figures show.

import { type Interval, signOf } from "../grm/statistics/index.ts";
import type { MethodName } from "../lab/overopt/results.ts";
import { type Course, signed } from "../lab/overopt/summary.ts";
import type { CurveSeries, Range } from "./charts.ts";
import { numberText } from "./html.ts";

/** A number with three digits. */
export function brief(x: number | null | undefined): string {
  return numberText(x == null ? x : Number(x.toPrecision(3)));
}

/** A share as a percentage with a digit. */
export function percentText(share: number): string {
  return `${(100 * share).toFixed(1).replace("-", "−")} %`;
}

/** "1 pair", "2 pairs". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

/** "a", "a and b", "a, b and c". */
export function listed(items: readonly string[]): string {
  const [last = "", ...others] = items.toReversed();
  return others.length === 0 ? last : `${others.toReversed().join(", ")} and ${last}`;
}

/** With its sign: +1.2, −0.3. */
export function signedText(x: number): string {
  return `${x > 0 ? "+" : ""}${brief(x)}`;
}

/** A difference of shares in points: +1.2, −0.3. */
export function pointsText(share: number): string {
  const text = (100 * share).toFixed(1).replace("-0.0", "0.0").replace("-", "−");
  return `${share > 0 && text !== "0.0" ? "+" : ""}${text}`;
}

/** What an interval of a difference says: that there is a gain, a loss, or nothing yet. */
export function wordOf(gain: Interval): "yes" | "no" | "unclear" {
  return ({ "1": "yes", "-1": "no", "0": "unclear" } as const)[signOf(gain)];
}

/** With a capital letter. */
export function capital(word: string): string {
  return `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;
}

// --- Curves ------------------------------------------------------------------------------------------

const mostNamed = 4; // curves, or rows of a map, that are told one by one
const beyond = 0.1; // of a curve's range: how far it has to leave its ends to have turned

interface CurvePlace {
  readonly x: number;
  readonly y: number;
}

function placesOf({ points }: CurveSeries): CurvePlace[] {
  return points.flatMap(({ x, y }) => (y !== null && Number.isFinite(y) ? [{ x, y }] : []));
}

/** From where to where a curve goes, and where it was highest or lowest on the way. */
function courseText(name: string, places: readonly CurvePlace[], label: string): string {
  const [first, last] = [places[0], places.at(-1)] as [CurvePlace, CurvePlace];
  if (places.length === 1) return `${name} is ${brief(last.y)}`;
  const top = places.reduce((best, p) => (p.y > best.y ? p : best));
  const bottom = places.reduce((best, p) => (p.y < best.y ? p : best));
  const slack = beyond * (top.y - bottom.y);
  const turns = [
    ...(top.y > Math.max(first.y, last.y) + slack
      ? [`highest, ${brief(top.y)}, at ${label} ${brief(top.x)}`]
      : []),
    ...(bottom.y < Math.min(first.y, last.y) - slack
      ? [`lowest, ${brief(bottom.y)}, at ${label} ${brief(bottom.x)}`]
      : []),
  ];
  const turned = turns.length === 0 ? "" : ` (${turns.join("; ")})`;
  const [from, to] = [brief(first.y), brief(last.y)];
  return `${name} ${from === to ? `begins and ends at ${to}` : `goes from ${from} to ${to}`}${turned}`;
}

/** What curves over `label` do: each from where to where; of many the one that ends highest and the lowest. */
export function coursesText(series: readonly CurveSeries[], label: string): string {
  const found = series
    .map((one) => ({ name: one.name, places: placesOf(one) }))
    .filter(({ places }) => places.length > 0);
  if (found.length === 0) return "";
  if (found.length <= mostNamed) {
    return `${found.map(({ name, places }) => courseText(name, places, label)).join("; ")}.`;
  }
  const ends = found.map(({ name, places }) => ({ name, y: places.at(-1)?.y ?? 0 }));
  const top = ends.reduce((best, one) => (one.y > best.y ? one : best));
  const bottom = ends.reduce((best, one) => (one.y < best.y ? one : best));
  return `Of ${found.length} curves ${top.name} ends highest, at ${brief(top.y)}, and ${bottom.name} lowest, at ${brief(bottom.y)}.`;
}

// --- Rows --------------------------------------------------------------------------------------------

interface Known extends Range {
  readonly value: number;
}

function known(ranges: readonly Range[]): Known[] {
  return ranges.filter((r): r is Known => r.value !== null && Number.isFinite(r.value));
}

/** Of values in rows: the highest and the lowest; where several have each row, the row that sets them apart most. */
export function rowsText(all: readonly Range[], log = false): string {
  const found = known(all);
  if (found.length === 0) return "";
  const of = ({ row, of: owner }: Known): string => (owner === "" ? row : `${owner}, ${row}`);
  const top = found.reduce((best, one) => (one.value > best.value ? one : best));
  const bottom = found.reduce((best, one) => (one.value < best.value ? one : best));
  const ends =
    top.value === bottom.value
      ? `Every value is ${brief(top.value)}.`
      : `Highest: ${of(top)}, ${brief(top.value)}; lowest: ${of(bottom)}, ${brief(bottom.value)}.`;
  const apart = farthestApart(found, log);
  return apart === "" ? ends : `${apart} ${ends}`;
}

function farthestApart(found: readonly Known[], log: boolean): string {
  const rows = [...new Set(found.map(({ row }) => row))].map((row) => {
    const own = found.filter((one) => one.row === row);
    const values = own.map(({ value }) => (log ? Math.log(value) : value));
    return { row, own, gap: Math.max(...values) - Math.min(...values) };
  });
  const several = rows.filter(({ own, gap }) => own.length > 1 && gap > 0);
  if (several.length === 0) return "";
  const { row, own } = several.reduce((best, one) => (one.gap > best.gap ? one : best));
  return `Farthest apart at ${row}: ${own.map(({ of, value }) => `${of} ${brief(value)}`).join(", ")}.`;
}

/** Which values' intervals lie above a number and which below it, for each whose values they are. */
export function sidesText(all: readonly Range[], level: number): string {
  const bounded = all.filter(({ low, high }) => low != null && high != null);
  const owners = [...new Set(bounded.map(({ of }) => of))];
  const at = brief(level);
  const told = owners.map((of) => {
    const own = bounded.filter((range) => range.of === of);
    const rows = (is: (range: Range) => boolean): string[] => own.filter(is).map(({ row }) => row);
    const above = rows(({ low }) => (low ?? 0) > level);
    const below = rows(({ high }) => (high ?? 0) < level);
    const sides = [
      ...(above.length > 0 ? [`above ${at}: ${listed(above)}`] : []),
      ...(below.length > 0 ? [`below ${at}: ${listed(below)}`] : []),
      ...(above.length + below.length < own.length
        ? [`${above.length + below.length > 0 ? "the others hold" : `every interval holds`} ${at}`]
        : []),
    ];
    return `${of === "" ? "" : `${of}: `}${sides.join("; ")}.`;
  });
  return told.map(capital).join(" ");
}

// --- Maps --------------------------------------------------------------------------------------------

/** Where in a map the largest and the smallest number stand. */
export function cellsText(
  rows: readonly string[],
  columns: readonly string[],
  values: readonly (readonly (number | null)[])[],
): string {
  const cells = values.flatMap((row, r) =>
    row.flatMap((value, c) =>
      value === null || !Number.isFinite(value)
        ? []
        : [{ value, place: `“${columns[c] ?? ""}” in ${rows[r] ?? ""}` }],
    ),
  );
  if (cells.length === 0) return "";
  const top = cells.reduce((best, one) => (one.value > best.value ? one : best));
  const bottom = cells.reduce((best, one) => (one.value < best.value ? one : best));
  if (top.value === bottom.value) return `Every number is ${brief(top.value)}.`;
  return `Largest at ${top.place}: ${brief(top.value)}; smallest at ${bottom.place}: ${brief(bottom.value)}.`;
}

/** The column where each row of a map has its largest size; of many rows the first and the last. */
export function peaksText(
  rows: readonly string[],
  columns: readonly string[],
  values: readonly (readonly (number | null)[])[],
): string {
  const peaks = values.flatMap((row, r) => {
    const sizes = row.map((value) => Math.abs(value ?? 0));
    const most = Math.max(0, ...sizes);
    return most > 0 ? [`${rows[r] ?? ""} at “${columns[sizes.indexOf(most)] ?? ""}”`] : [];
  });
  const told = peaks.length > mostNamed ? [...peaks.slice(0, 1), ...peaks.slice(-1)] : peaks;
  return told.length === 0 ? "" : `Strongest: ${listed(told)}.`;
}

// --- Over-optimisation -------------------------------------------------------------------------------

/** Against whom gold is shown to turn down, and against whom it isn't. */
export function turnsText(courses: readonly Course[], method: MethodName): string {
  const own = courses.filter((course) => course.method === method);
  const turning = own.filter(({ fall }) => signOf(fall) < 0);
  const told = turning.map(
    ({ judge, highest, fall }) => `${judge} from KL ${brief(highest.kl)} on (${signed(fall)})`,
  );
  const others = own.filter((course) => !turning.includes(course)).map(({ judge }) => judge);
  return [
    told.length === 0 ? "No curve is shown to turn down." : `Shown to turn down: ${listed(told)}.`,
    ...(told.length > 0 && others.length > 0 ? [`Not shown of ${listed(others)}.`] : []),
  ].join(" ");
}
