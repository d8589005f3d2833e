// A line chart as a function of its numbers: lines, bands for intervals, axes, and a reading of the step under
// the pointer. Colours are classes, so that light and dark pages paint them, and no policy forbids them.
// Next: figure.tsx, which frames it.

import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from "d3-scale";
import { area, line } from "d3-shape";
import type { JSX } from "preact";

/** A number at a step, with the ends of its interval where it has one. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** One line of a chart. */
export interface ChartLine {
  readonly name: string;
  /** Its colour: a class of the style sheet. */
  readonly tint: "plain" | "reg" | "text" | "reward";
  readonly points: readonly ChartPoint[];
  /** A faint line beneath, of single steps. */
  readonly raw?: readonly ChartPoint[];
  /** Whether each point has a dot, and not the last one alone. */
  readonly dots?: boolean;
}

/** What a chart shows. */
export interface ChartData {
  /** Names it for who can't see it. */
  readonly label: string;
  readonly x: readonly [number, number];
  /** Names of 0, 1, 2, ... on it; numbers unless said. */
  readonly xTicks?: readonly string[];
  /** What it counts; steps unless said. */
  readonly xTitle?: string;
  /** What a place on it is called in a table; its number unless said. */
  readonly xName?: (x: number) => string;
  readonly y: readonly [number, number];
  readonly isLog?: boolean;
  readonly lines: readonly ChartLine[];
  /** A level to hold the lines against. */
  readonly rule?: { readonly y: number; readonly text: string };
  /** A place on x that is marked. */
  readonly mark?: number;
  readonly format: (y: number) => string;
  /** How numbers of the axis are written; as all others unless said. */
  readonly tick?: (y: number) => string;
}

const width = 400;
const height = 210;
const margin = { left: 46, right: 12, top: 10, bottom: 26 };

type YScale = ScaleContinuousNumeric<number, number>;

export function Chart(data: ChartData): JSX.Element {
  const { label, x: xDomain, y: yDomain, isLog, lines, rule } = data;
  const x = scaleLinear(xDomain, [margin.left, width - margin.right]);
  const range = [height - margin.bottom, margin.top];
  const y: YScale = isLog ? scaleLog(yDomain, range) : scaleLinear(yDomain, range);
  return (
    <svg class="chart" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <Axes x={x} y={y} data={data} />
      {data.mark !== undefined && (
        <line
          class="at"
          x1={x(data.mark)}
          x2={x(data.mark)}
          y1={margin.top}
          y2={height - margin.bottom}
        />
      )}
      {rule !== undefined && (
        <g class="rule">
          <line x1={margin.left} x2={width - margin.right} y1={y(rule.y)} y2={y(rule.y)} />
          <text x={width - margin.right} y={y(rule.y) - 4} text-anchor="end">
            {rule.text}
          </text>
        </g>
      )}
      {lines.map((one) => (
        <Line key={one.name} line={one} x={x} y={y} />
      ))}
    </svg>
  );
}

function Axes({ x, y, data }: { x: YScale; y: YScale; data: ChartData }): JSX.Element {
  const ticks = data.isLog ? logTicks(data.y) : y.ticks(4);
  return (
    <g class="axes">
      {ticks.map((value) => (
        <g key={value}>
          <line x1={margin.left} x2={width - margin.right} y1={y(value)} y2={y(value)} />
          <text x={margin.left - 6} y={y(value) + 4} text-anchor="end">
            {(data.tick ?? data.format)(value)}
          </text>
        </g>
      ))}
      {(data.xTicks?.map((_, i) => i) ?? x.ticks(5)).map((value) => (
        <text key={`x${value}`} x={x(value)} y={height - 8} text-anchor={anchorOf(value, data.x)}>
          {data.xTicks?.[value] ?? value}
        </text>
      ))}
    </g>
  );
}

/** Words at the ends of an axis stay within the picture. */
function anchorOf(
  value: number,
  [low, high]: readonly [number, number],
): "start" | "middle" | "end" {
  return value === high ? "end" : value === low ? "start" : "middle";
}

/** Powers of ten, and their halves and thirds where there are few. */
function logTicks([low, high]: readonly [number, number]): number[] {
  const steps = high / low > 300 ? [1] : high / low > 30 ? [1, 3] : [1, 2, 5];
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.ceil((last - first) / 8); // of many powers, some
  const powers = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    .filter((power) => power % every === 0)
    .map((power) => 10 ** power);
  return powers
    .flatMap((power) => steps.map((step) => step * power))
    .filter((value) => value >= low && value <= high);
}

function Line({ line: one, x, y }: { line: ChartLine; x: YScale; y: YScale }): JSX.Element {
  const { points, raw, tint } = one;
  const [bottom = 0, top = 0] = y.domain();
  const clamp = (value: number): number => y(Math.min(top, Math.max(bottom, value)));
  const path = line<ChartPoint>(
    (p) => x(p.x),
    (p) => clamp(p.y),
  );
  const band = area<ChartPoint>(
    (p) => x(p.x),
    (p) => clamp(p.low ?? p.y),
    (p) => clamp(p.high ?? p.y),
  );
  const hasBand = points.some((p) => p.low !== undefined);
  const last = points.at(-1);
  return (
    <g class={`line ${tint}`}>
      {hasBand && <path class="band" d={band(points as ChartPoint[]) ?? ""} />}
      {raw !== undefined && <path class="raw" d={path(raw as ChartPoint[]) ?? ""} />}
      <path class="mean" d={path(points as ChartPoint[]) ?? ""} />
      {(one.dots ? points : last === undefined ? [] : [last]).map((p) => (
        <circle key={p.x} cx={x(p.x)} cy={clamp(p.y)} r="3.5" />
      ))}
    </g>
  );
}
