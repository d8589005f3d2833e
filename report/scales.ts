// Scales of panels that are held against each other: one for all of them, so that equal heights are equal
// numbers. Next: charts.ts, whose axes take them.

import type { Axis, CurveSeries, Range } from "./charts.ts";

/** From the lowest number to the highest; nothing where there is none. */
export function spanOf(values: readonly (number | null | undefined)[]): Pick<Axis, "domain"> {
  const known = values.filter((x): x is number => x != null && Number.isFinite(x));
  if (known.length === 0) return {};
  return { domain: [Math.min(...known), Math.max(...known)] };
}

/** An axis with room around numbers that are all the same, where it would have none. */
export function withRoom(axis: Axis, values: readonly (number | null | undefined)[]): Axis {
  const [low, high] = axis.domain ?? spanOf(values).domain ?? [0, 1];
  if (low !== high) return axis;
  const room = Math.abs(low) / 2 || 1;
  return { ...axis, domain: axis.log ? [low / 2, 2 * low] : [low - room, low + room] };
}

/** From the lowest value of some curves to the highest, their intervals with them; nothing where there is no value. */
export function domainOf(series: readonly CurveSeries[]): Pick<Axis, "domain"> {
  return spanOf(
    series.flatMap(({ points }) => points.flatMap(({ y, low, high }) => [y, low, high])),
  );
}

/** The same of values in rows; of those above 0 for a logarithmic axis, and from 0 on where `zero` says so. */
export function domainOfRows(
  ranges: readonly Range[],
  { log = false, zero = false }: Pick<Axis, "log" | "zero"> = {},
): Pick<Axis, "domain"> {
  const values = ranges.flatMap(({ value, low, high }) => [value, low, high]);
  return spanOf([...values.filter((x) => !log || (x ?? 0) > 0), ...(zero ? [0] : [])]);
}
