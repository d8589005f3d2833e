// Finite differences for gradcheck: the slopes of all outputs of a function along a line through a point,
// how far rounding may put them off, and what is odd about the function there if they don't fit: a kink, a
// jump, an edge of its domain. Next: gradcheck.ts.

/** Numbers by index; 0 elsewhere. A direction in which an argument moves, or weights of outputs. */
export type Sparse = ReadonlyMap<number, number>;

/** A function at a point. */
export interface FunctionAtPoint {
  /** All outputs where argument `i` is moved by t along a direction (how far each element goes). */
  at(i: number, direction: Sparse, t: number): Float64Array;
  /** All outputs at the point itself. */
  readonly values: Float64Array;
  /** The usual step of the differences. */
  readonly step: number;
}

/** A line through a point, and the differences along it that were computed so far, by their step. */
export interface DifferenceLine {
  readonly point: FunctionAtPoint;
  readonly argument: number;
  readonly direction: Sparse;
  readonly columns: Map<number, Column>;
}

export interface Column {
  /** The slope of every output. */
  readonly slopes: Float64Array;
  /** The largest change of every output over the points that were looked at. */
  readonly largest: Float64Array;
}

/** f'(0) by the five-point rule, (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h: its error is of order h⁴. */
export function columnAt(
  { point, argument, direction, columns }: DifferenceLine,
  h: number,
): Column {
  const known = columns.get(h);
  if (known !== undefined) return known;
  const ys = [-2, -1, 1, 2].map((times) => point.at(argument, direction, times * h));
  const at = (k: number, i: number): number => ys[k]?.[i] ?? Number.NaN;
  const slopes = point.values.map(
    (_, i) => (at(0, i) - 8 * at(1, i) + 8 * at(2, i) - at(3, i)) / (12 * h),
  );
  const largest = point.values.map((y, i) =>
    Math.max(...[0, 1, 2, 3].map((k) => Math.abs(at(k, i) - y))),
  );
  const column = { slopes, largest };
  columns.set(h, column);
  return column;
}

/** Whether the function gives the same slopes when it is asked again. */
export function isRepeated(line: DifferenceLine, h: number): boolean {
  const [known, again] = [line.columns, new Map()].map((columns) =>
    columnAt({ ...line, columns }, h),
  );
  return known?.slopes.every((slope, k) => Object.is(slope, again?.slopes[k])) ?? true;
}

/** How far rounding may put off a number of this size: 16 units in the last place. */
export function roundingOf(size: number): number {
  return 16 * Number.EPSILON * size;
}

/** How far rounding may put off a weighted sum of the outputs. */
export function noiseOf({ values }: FunctionAtPoint, weights: Sparse): number {
  let sizes = 0;
  for (const [k, weight] of weights) sizes += Math.abs(weight * (values[k] ?? 0));
  return roundingOf(sizes);
}

/** A weighted sum of numbers, and √Σ of its terms' squares: the size that it has with random signs. */
export function weigh(numbers: Float64Array, weights: Sparse): { sum: number; size: number } {
  let [sum, squares] = [0, 0];
  for (const [k, weight] of weights) {
    const term = weight * (numbers[k] ?? 0);
    sum += term;
    squares += term * term;
  }
  return { sum, size: Math.sqrt(squares) };
}

/** What is odd about the function along a line, as the end of a message; "" if it is smooth. */
export function diagnose({ point, argument, direction }: DifferenceLine, weights: Sparse): string {
  const here = weigh(point.values, weights).sum;
  const sidesAt = (h: number): { below: number; above: number; gap: number; steepest: number } => {
    const [low, high] = [-h, h].map((t) => point.at(argument, direction, t));
    const isInside = [low, high].every((ys) => ys?.every(Number.isFinite));
    const slope = (ys: Float64Array | undefined, t: number): number =>
      ys && isInside ? (weigh(ys, weights).sum - here) / t : Number.NaN;
    const [below, above] = [slope(low, -h), slope(high, h)];
    const steepest = Math.max(Math.abs(below), Math.abs(above));
    return { below, above, gap: Math.abs(above - below), steepest };
  };
  const h = point.step / 512;
  const [near, far] = [sidesAt(h), sidesAt(64 * h)];
  if (!Number.isFinite(near.steepest))
    return "; the function isn't finite on both sides of this point: move the input away from the edge";
  if (near.steepest * h <= 64 * noiseOf(point, weights)) return ""; // only rounding is left
  if (near.steepest > 16 * far.steepest)
    return "; the function jumps here: move the input away from the jump";
  const isCurve = near.gap < far.gap / 2; // where it is smooth, the gap falls with the step
  if (isCurve || near.gap < 1e-3 * near.steepest) return "";
  return (
    `; the function has a kink here, with slope ${Number(near.below.toPrecision(6))} below and ` +
    `${Number(near.above.toPrecision(6))} above: move the input away from it`
  );
}
