// Final hidden states on a plane: a point for each story, where it came from and its trail, and the pushes on one
// pair as arrows. Next: ../views/hidden.tsx.

import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import type { JSX } from "preact";

/** A story on the plane. */
export interface ScatterPoint {
  /** Its colour, 0 to 8: the lowest of the feature to the highest. */
  readonly tone: number;
  readonly isRound: boolean;
  readonly isChosen: boolean;
  readonly label: string | null;
  readonly title: string;
  /** Where it was at each step, the last one last. */
  readonly trail: readonly (readonly [number, number])[];
}

/** A push on a token: from where, and which way. */
export interface Arrow {
  readonly of: "reward" | "text";
  readonly at: readonly [number, number];
  readonly way: readonly [number, number];
}

/** A part of the plane. */
export interface PlaneBox {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

interface ScatterProps {
  readonly label: string;
  readonly points: readonly ScatterPoint[];
  /** The part of the plane that is seen. */
  readonly box: PlaneBox;
  /** What the upward axis is. */
  readonly up: string | null;
  /** Pushes on tokens, from where they lie. */
  readonly arrows: readonly Arrow[];
  readonly onPick: (point: number) => void;
}

const side = 400;
/** Pictures that a tail goes back. */
export const shownTrail = 10;

export function Scatter({ label, points, box, up, arrows, onPick }: ScatterProps): JSX.Element {
  const x = scaleLinear(box.x, [8, side - 8]);
  const y = scaleLinear(box.y, [side - 8, 8]);
  const path = line<readonly [number, number]>(
    (p) => x(p[0]),
    (p) => y(p[1]),
  );
  const order = [...points.keys()].sort((a, b) => isOnTop(points[a]) - isOnTop(points[b]));
  return (
    <svg class="chart scatter" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={label}>
      <g class="axes">
        {isWithin(box.x, 0) && <line x1={x(0)} x2={x(0)} y1="8" y2={side - 8} />}
        {isWithin(box.y, 0) && <line y1={y(0)} y2={y(0)} x1="8" x2={side - 8} />}
        {up !== null && (
          <text x="12" y="20">
            ↑ {up}
          </text>
        )}
      </g>
      {points.map(({ trail, tone, title }) => (
        <path
          key={title}
          class={`trail tone${tone}`}
          d={path([...trail].slice(-shownTrail)) ?? ""}
        />
      ))}
      <Arrows arrows={arrows} x={x} y={y} />
      {order.map((i) => (
        <Mark key={i} point={points[i] as ScatterPoint} x={x} y={y} onPick={() => onPick(i)} />
      ))}
    </svg>
  );
}

function isWithin([low, high]: readonly [number, number], value: number): boolean {
  return low < value && value < high;
}

function isOnTop(point: ScatterPoint | undefined): number {
  return point?.isChosen ? 1 : 0;
}

type ToPixels = (value: number) => number;

function Mark(props: {
  readonly point: ScatterPoint;
  readonly x: ToPixels;
  readonly y: ToPixels;
  readonly onPick: () => void;
}): JSX.Element {
  const { point, x, y, onPick } = props;
  const { trail, tone, isRound, isChosen, label, title } = point;
  const [px, py] = trail.at(-1) ?? [0, 0];
  const [cx, cy] = [x(px), y(py)];
  const r = isChosen ? 7 : 5;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the list above the picture does the same by keyboard
    <g class={`mark tone${tone} ${isChosen ? "chosen" : ""}`} onClick={onPick}>
      <title>{title}</title>
      {isRound ? (
        <circle cx={cx} cy={cy} r={r} />
      ) : (
        <rect x={cx - r * 0.9} y={cy - r * 0.9} width={1.8 * r} height={1.8 * r} />
      )}
      {label !== null && (
        <text
          x={cx + (cx > side / 2 ? -11 : 11)}
          y={cy - 9}
          text-anchor={cx > side / 2 ? "end" : "start"}
        >
          {label}
        </text>
      )}
    </g>
  );
}

/** The length in pixels of the longest arrow; shorter ones follow the square root. */
const longest = 46;

function Arrows(props: {
  readonly arrows: readonly Arrow[];
  readonly x: ToPixels;
  readonly y: ToPixels;
}): JSX.Element {
  const { arrows, x, y } = props;
  const seen = arrows.map(({ of, at, way }) => {
    const [dx, dy] = [x(way[0]) - x(0), y(way[1]) - y(0)]; // in pixels
    return { of, x1: x(at[0]), y1: y(at[1]), dx, dy, length: Math.hypot(dx, dy) };
  });
  const most = Math.max(...seen.map(({ length }) => length), Number.MIN_VALUE);
  return (
    <g>
      {seen.map(({ of, x1, y1, dx, dy, length }, i) => {
        if (length === 0) return null;
        const scale = (longest * Math.sqrt(length / most)) / length;
        const [x2, y2] = [x1 + dx * scale, y1 + dy * scale];
        return (
          <g key={i} class={`arrow ${of}`}>
            <line x1={x1} y1={y1} x2={x2} y2={y2} />
            <circle cx={x2} cy={y2} r="2.2" />
          </g>
        );
      })}
    </g>
  );
}
