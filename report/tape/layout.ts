// Where the boxes of a tape stand: data flows downwards, an open module is a frame around its boxes, and one that is
// folded is a box itself. Dagre lays out: layers, then the order in each that crosses least.
// Next: draw.ts.

import { Graph, layout } from "@dagrejs/dagre";
import { moduleAbove, modulesAround, type TapeBox, type TapeGraph } from "./boxes.ts";

/** What is seen of a tape: a box, or a folded module. */
export interface TapeItem {
  /** "op 12" or "module model.layers.0". */
  readonly key: string;
  /** The boxes in it, in their order; one unless it is a folded module. */
  readonly boxes: readonly TapeBox[];
  /** The path of a folded module; null for a box. */
  readonly folded: string | null;
  /** The box whose numbers it shows: the last that others read. */
  readonly output: TapeBox;
}

/** Where something stands: its middle, and how large it is. */
export interface TapePlace {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** An arrow between two items, through some points. */
export interface TapeArrow {
  readonly from: string;
  readonly to: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A tape with all places. */
export interface TapeLayout {
  readonly width: number;
  readonly height: number;
  readonly items: readonly (TapeItem & TapePlace)[];
  /** Frames of open modules, the outermost first. */
  readonly frames: readonly (TapePlace & { readonly path: string })[];
  readonly arrows: readonly TapeArrow[];
}

/** How large boxes are. */
export const boxSize = { width: 140, height: 62 } as const;

/** What is seen with some modules open: of a folded module that lies in a folded one, nothing. */
export function itemsOf(
  { boxes, modules }: TapeGraph,
  isOpen: (path: string) => boolean,
): TapeItem[] {
  const items = new Map<string, TapeBox[]>();
  for (const box of boxes) {
    const folded = modulesAround(box.module, modules).find((path) => !isOpen(path));
    const key = folded === undefined ? `op ${box.id}` : `module ${folded}`;
    items.set(key, [...(items.get(key) ?? []), box]);
  }
  return [...items].map(([key, inside]) => {
    const folded = key.startsWith("module ") ? key.slice("module ".length) : null;
    return { key, boxes: inside, folded, output: inside.at(-1) as TapeBox };
  });
}

/** Places for all that is seen. */
export function layOut(tape: TapeGraph, isOpen: (path: string) => boolean): TapeLayout {
  const items = itemsOf(tape, isOpen);
  const keyOf = new Map(items.flatMap(({ key, boxes }) => boxes.map(({ id }) => [id, key])));
  const open = tape.modules.filter(
    (path) => modulesAround(path, tape.modules).every(isOpen) && hasItems(items, path, tape),
  );
  const graph = new Graph({ compound: true, multigraph: false });
  graph.setGraph({ rankdir: "TB", nodesep: 16, ranksep: 30, marginx: 12, marginy: 20 });
  for (const path of open) graph.setNode(`frame ${path}`, {});
  for (const { key } of items) graph.setNode(key, { ...boxSize });
  const put = (key: string, path: string): void => {
    if (path !== "") graph.setParent(key, `frame ${path}`);
  };
  for (const path of open) put(`frame ${path}`, moduleAbove(path, tape.modules));
  for (const { key, folded, output } of items)
    put(key, folded === null ? output.module : moduleAbove(folded, tape.modules));
  for (const box of tape.boxes)
    for (const input of box.inputs) {
      const [from = "", to = ""] = [keyOf.get(input), keyOf.get(box.id)];
      if (from !== to) graph.setEdge(from, to, {});
    }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const place = (key: string): TapePlace => graph.node(key) as TapePlace;
  return {
    width,
    height,
    items: items.map((item) => ({ ...item, ...placeOf(place(item.key)) })),
    frames: open.map((path) => ({ path, ...placeOf(place(`frame ${path}`)) })),
    arrows: graph.edges().map(({ v, w }: { readonly v: string; readonly w: string }) => {
      const { points = [] } = graph.edge(v, w) as Pick<TapeArrow, "points">;
      return { from: v, to: w, points: points.map(({ x, y }) => ({ x, y })) };
    }),
  };
}

function placeOf({ x, y, width, height }: TapePlace): TapePlace {
  return { x, y, width, height };
}

function hasItems(items: readonly TapeItem[], path: string, { modules }: TapeGraph): boolean {
  return items.some(({ folded, output }) =>
    modulesAround(folded ?? output.module, modules).some((at) => at === path && at !== folded),
  );
}
