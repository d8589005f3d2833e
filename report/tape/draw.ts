// A tape as a picture: each op a box with its value and its gradient, few numbers as digits and many as a strip of
// colours. The picture is a tree of plain parts, which svg.ts writes as a file and the explorer gives to its own
// renderer. Next: svg.ts, the one call.

import type { TapeArrow, TapeItem, TapeLayout, TapePlace } from "./layout.ts";

/** An element of SVG, as data. */
export interface SvgPart {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly inside: readonly (SvgPart | string)[];
}

/** What an item shows of its numbers. */
export interface TapeLook {
  /** Classes of the step that it is in. */
  readonly classes: string;
  /** What it shows; null where it isn't there yet. */
  readonly values: readonly number[] | null;
  readonly gradient: readonly number[] | null;
}

export interface TapeDrawing {
  /** Names it for who can't see it. */
  readonly label: string;
  /** What an item shows; its own numbers unless said. */
  readonly look?: (item: TapeItem) => TapeLook;
  /** Classes of the losses that boxes lead to. */
  readonly tint?: (boxes: TapeItem["boxes"]) => string;
  /** Whether boxes are buttons. */
  readonly buttons?: boolean;
}

function part(
  tag: string,
  attributes: SvgPart["attributes"],
  ...inside: readonly (SvgPart | string)[]
): SvgPart {
  return { tag, attributes, inside };
}

/** A box's own numbers. */
const plainLook = ({ output }: TapeItem): TapeLook => ({
  classes: "",
  values: output.values,
  gradient: output.gradient,
});

/** A tape whose boxes have their places, as a tree of SVG. */
export function drawTape(laid: TapeLayout, drawing: TapeDrawing): SvgPart {
  const { label, look = plainLook, tint = () => "", buttons = false } = drawing;
  const looks = new Map(
    laid.items.map((item) => {
      const { classes, ...shown } = look(item);
      return [item.key, { ...shown, classes: `${tint(item.boxes)} ${classes}`.trim() }];
    }),
  );
  const [width, height] = [Math.ceil(laid.width), Math.ceil(laid.height)];
  const named = { role: buttons ? "group" : "img", "aria-label": label };
  return part(
    "svg",
    { class: "chart tape", viewBox: `0 0 ${width} ${height}`, width, height, ...named },
    ...laid.frames.map((frame) => frameOf(frame, buttons)),
    ...laid.arrows.map((arrow) => arrowOf(arrow, looks.get(arrow.from)?.classes ?? "")),
    ...laid.items.map((item) => boxOf(item, looks.get(item.key) ?? plainLook(item), buttons)),
  );
}

/** The last part of a module's path, with the number of a layer: "layers.0", "self_attn". */
export function shortPath(path: string): string {
  const parts = path.split(".");
  return parts.slice(/^\d+$/.test(parts.at(-1) ?? "") ? -2 : -1).join(".");
}

/** What a frame rises above its boxes. */
const roomForName = 10;

function frameOf({ path, ...place }: TapePlace & { readonly path: string }, buttons: boolean) {
  const { x, y, width, height } = cornerOf(place);
  const top = y - roomForName;
  return part(
    "g",
    { class: "frame", ...(buttons && buttonOf(`frame ${path}`)) },
    part("rect", { x, y: top, width, height: height + roomForName, rx: 9 }),
    part("text", { x: x + 9, y: top + 14 }, `${buttons ? "− " : ""}${shortPath(path)}`),
  );
}

function buttonOf(key: string): SvgPart["attributes"] {
  return { "data-key": key, tabindex: 0, role: "button" };
}

function cornerOf({ x, y, width, height }: TapePlace): TapePlace {
  return { x: round(x - width / 2), y: round(y - height / 2), width, height };
}

function round(x: number): number {
  return Math.round(10 * x) / 10;
}

/** Through the middles of an arrow's bends, with a tip at its end. */
function arrowOf({ points }: TapeArrow, classes: string): SvgPart {
  const [first, ...others] = points.map(({ x, y }) => ({ x: round(x), y: round(y) }));
  const last = others.at(-1);
  if (first === undefined || last === undefined) return part("g", {});
  const bends = others.slice(0, -1).map((p, i) => {
    const next = others[i + 1] ?? last;
    const isLast = i === others.length - 2;
    const to = isLast ? next : { x: round((p.x + next.x) / 2), y: round((p.y + next.y) / 2) };
    return `Q${p.x} ${p.y} ${to.x} ${to.y}`;
  });
  const line = `M${first.x} ${first.y}${bends.length > 0 ? bends.join("") : `L${last.x} ${last.y}`}`;
  const tip = `M${last.x} ${last.y}l-3.5 -6h7z`;
  return part(
    "g",
    { class: `arrow ${classes}` },
    part("path", { class: "shaft", d: line }),
    part("path", { class: "tip", d: tip }),
  );
}

/** What a box is called: a folded module, an op with its constants (mul 0.5), or a leaf. */
export function titleOf({ folded, output }: TapeItem): string {
  const { op, name, options } = output;
  if (folded !== null) return shortPath(folded);
  if (op !== "leaf") return [op, ...options.filter((one) => /^-?[\d.e-]+$/.test(one))].join(" ");
  return name.split(".").slice(-2).join(".");
}

function boxOf(item: TapeItem & TapePlace, look: TapeLook, buttons: boolean): SvgPart {
  const { output, folded } = item;
  const { x, y, width, height } = cornerOf(item);
  const kind = folded !== null ? "folded" : output.op === "leaf" ? "leaf" : "op";
  const count = item.boxes.filter(({ op }) => op !== "leaf").length;
  const inside = folded === null ? "" : `${count} ${count === 1 ? "op" : "ops"} → `;
  const sign = folded !== null && buttons ? "+ " : "";
  return part(
    "g",
    {
      class: `box ${kind} ${output.requiresGrad ? "" : "constant"} ${look.classes}`.trim(),
      transform: `translate(${x} ${y})`,
      ...(buttons && buttonOf(item.key)),
    },
    ...(buttons ? [] : [part("title", {}, titleText(item))]),
    part("rect", { class: "body", width, height, rx: kind === "leaf" ? 3 : 9 }),
    part("text", { class: "name", x: 8, y: 15 }, `${cut(sign + titleOf(item))} `),
    part("text", { class: "type", x: 8, y: 27 }, `${inside}${output.type}`),
    ...numbersOf("value", look.values, 32, width),
    ...(output.requiresGrad ? numbersOf("gradient", look.gradient, 46, width) : []),
  );
}

/** As much of a name as a box is wide. */
function cut(name: string): string {
  return name.length > 19 ? `${name.slice(0, 17)}…` : name;
}

/** What a pointer that rests on a box reads. */
function titleText({ folded, output, boxes }: TapeItem): string {
  if (folded !== null) return `${folded}: ${boxes.length} boxes; out comes ${output.type}`;
  const what = output.op === "leaf" ? output.name : [output.op, ...output.options].join(" ");
  return `${what}: ${output.type}`;
}

/** At most so many numbers are written as digits, and so many cells drawn. */
const mostDigits = 2;
const mostCells = 32;

function numbersOf(
  what: "value" | "gradient",
  numbers: readonly number[] | null,
  y: number,
  width: number,
): SvgPart[] {
  const hidden = { "aria-hidden": "true" }; // pictures of numbers, no part of a name
  const sign = what === "value" ? "y" : "dL";
  const label = part("text", { class: "label", x: 8, y: y + 8, ...hidden }, sign);
  if (numbers === null) return [label];
  if (numbers.length <= mostDigits) {
    const text = numbers.map(digits).join(", ");
    return [label, part("text", { class: what, x: 26, y: y + 8, ...hidden }, text)];
  }
  const cells = cellsOf(numbers);
  const most = Math.max(...cells.map(Math.abs));
  const size = (width - 34) / cells.length;
  const rects = cells.map((x, i) =>
    part("rect", {
      class: x < 0 ? "below" : "above",
      x: round(26 + i * size),
      y,
      width: round(Math.max(size - 0.6, 0.6)),
      height: 9,
      "fill-opacity":
        most === 0 ? 0.06 : Math.round(100 * (0.06 + (0.94 * Math.abs(x)) / most)) / 100,
    }),
  );
  return [label, part("g", { class: `strip ${what}`, ...hidden }, ...rects)];
}

/** All numbers, or of neighbours the one that is farthest from 0. */
export function cellsOf(numbers: readonly number[]): number[] {
  const each = Math.ceil(numbers.length / mostCells);
  return Array.from({ length: Math.ceil(numbers.length / each) }, (_, i) =>
    numbers.slice(i * each, (i + 1) * each).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a)),
  );
}

/** Three digits. */
export function digits(x: number): string {
  if (x === 0) return "0";
  const size = Math.abs(x);
  const text = size >= 1e4 || size < 1e-3 ? x.toExponential(1) : String(Number(x.toPrecision(3)));
  return text.replace("e+", "e").replaceAll("-", "−");
}

/** What a picture of a tape looks like, in the page's colours: the same rules in a file and in the explorer. */
export const tapeStyle = `
.tape text { font: 11px system-ui, sans-serif; fill: var(--ink); }
.tape .body { fill: var(--card); stroke: var(--line-strong); }
.tape .leaf .body { fill: var(--paper); }
.tape .constant .body { stroke-dasharray: 3 2; }
.tape .folded .body { stroke-width: 2; }
.tape .name { font-weight: 600; font-size: 10.5px; }
.tape .type, .tape .label { fill: var(--soft); font-size: 9.5px; }
.tape .above { fill: var(--up); }
.tape .below { fill: var(--down); }
.tape .frame rect { fill: var(--ink); fill-opacity: 0.035; stroke: var(--line-strong); stroke-dasharray: 5 3; }
.tape .frame text { fill: var(--soft); font-weight: 600; }
.tape .shaft { fill: none; stroke: var(--soft); stroke-width: 1.2; }
.tape .tip { fill: var(--soft); }
.tape .reward .body { stroke: var(--reward); }
.tape .text .body { stroke: var(--text); }
.tape .reward.text .body { stroke: var(--both); }
.tape .arrow.reward .shaft { stroke: var(--reward); }
.tape .arrow.reward .tip { fill: var(--reward); }
.tape .arrow.text .shaft { stroke: var(--text); }
.tape .arrow.text .tip { fill: var(--text); }
.tape .arrow.reward.text .shaft { stroke: var(--both); }
.tape .arrow.reward.text .tip { fill: var(--both); }
`;
