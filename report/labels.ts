// Words beside points that don't overprint: each stands at the first of four places where none stands yet; where
// there is none, the word is left to the point's title and to the figure's table. Next: charts.ts.

import * as Plot from "@observablehq/plot";

interface LabelledPoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number | null;
  readonly high?: number | null;
  readonly label?: string;
}

interface LabelFrame {
  readonly x: Plot.ScaleOptions;
  readonly y: Plot.ScaleOptions;
  readonly width: number;
  readonly height: number;
  readonly marginLeft: number;
  readonly marginBottom: number;
  readonly marginRight: number;
}

interface LabelBox {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const places = [
  { dx: 6, dy: -11, textAnchor: "start" },
  { dx: 6, dy: 11, textAnchor: "start" },
  { dx: -6, dy: -11, textAnchor: "end" },
  { dx: -6, dy: 11, textAnchor: "end" },
] as const;

const letter = { width: 7.5, height: 14 }; // of 12 px, as a system's font has them, or a little more
const radius = 3; // of a dot
const marginTop = 20; // Plot's own

/** Marks for the words of points, all curves together. */
export function labelMarks(points: readonly LabelledPoint[], frame: LabelFrame): Plot.Markish[] {
  const labelled = points.filter(({ label }) => label !== undefined);
  if (labelled.length === 0) return [];
  const { width, height, marginLeft, marginRight, marginBottom } = frame;
  const inside = { left: marginLeft, right: width, top: 0, bottom: height - marginBottom };
  const heights = points.flatMap(({ y: value, low, high }) => [value, low ?? value, high ?? value]);
  const x = placing(
    frame.x,
    points.map((p) => p.x),
    [marginLeft, width - marginRight],
  );
  const y = placing(frame.y, heights, [height - marginBottom, marginTop]);
  const dot = (p: LabelledPoint): LabelBox => around(x(p.x), y(p.y));
  const kept: LabelBox[] = points.map(dot);
  const at = new Map<LabelledPoint, number>();
  for (const p of labelled) {
    const boxes = places.map((place) => boxOf(p.label ?? "", x(p.x), y(p.y), place));
    const found = boxes.findIndex(
      (box) => within(box, inside) && !kept.some((other) => meet(box, other)),
    );
    const box = boxes[found];
    if (box === undefined) continue;
    kept.push(box);
    at.set(p, found);
  }
  return places.map((place, i) =>
    Plot.text(
      labelled.filter((p) => at.get(p) === i),
      { x: "x", y: "y", text: "label", ...place },
    ),
  );
}

/** Where a scale places numbers, as Plot will. */
function placing(
  scale: Plot.ScaleOptions,
  values: readonly number[],
  range: readonly [number, number],
): (value: number) => number {
  const domain = scale.domain ?? [Math.min(...values), Math.max(...values)];
  const made = Plot.scale({ x: { ...scale, domain, range } });
  return (value) => Number(made?.apply(value));
}

const around = (x: number, y: number): LabelBox => {
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
};

function boxOf(text: string, x: number, y: number, place: (typeof places)[number]): LabelBox {
  const { dx, dy, textAnchor } = place;
  const width = letter.width * text.length;
  const left = x + dx - (textAnchor === "end" ? width : 0);
  return {
    left,
    right: left + width,
    top: y + dy - letter.height / 2,
    bottom: y + dy + letter.height / 2,
  };
}

const within = (box: LabelBox, frame: LabelBox): boolean =>
  box.left >= frame.left &&
  box.right <= frame.right &&
  box.top >= frame.top &&
  box.bottom <= frame.bottom;

const meet = (a: LabelBox, b: LabelBox): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
