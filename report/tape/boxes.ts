// A tape as plain data, which knows no tensors: boxes with their numbers, and the modules around them. A page gets it
// from its worker. Next: graph.ts, which makes it of a loss; draw.ts, which draws it.

/** A leaf or an op of the tape. */
export interface TapeBox {
  /** Its place among the boxes: leaves first, then ops in the order in which they ran. */
  readonly id: number;
  readonly name: string;
  /** The op's name; "leaf" for what nothing on the tape made. */
  readonly op: string;
  /** Places of the boxes that it reads. */
  readonly inputs: readonly number[];
  /** Numbers and options that stand beside its inputs, as code. */
  readonly options: readonly string[];
  /** The path of the module that it ran in, or that it is a parameter of; "" outside of all. */
  readonly module: string;
  /** f32[2,3] */
  readonly type: string;
  readonly shape: readonly number[];
  readonly requiresGrad: boolean;
  readonly values: readonly number[];
  /** Derivatives of the loss by its numbers; null where there are none, or where they weren't asked for. */
  readonly gradient: readonly number[] | null;
}

/** A tape as plain data. */
export interface TapeGraph {
  readonly boxes: readonly TapeBox[];
  /** Paths of modules that have boxes; those above them too. */
  readonly modules: readonly string[];
}

/** The module that a path lies in, by its longest beginning that is one; "" for none. */
export function moduleAbove(path: string, modules: readonly string[]): string {
  const above = modules.filter((other) => path.startsWith(`${other}.`));
  return above.reduce((a, b) => (b.length > a.length ? b : a), "");
}

/** All modules around a box, the outermost first. */
export function modulesAround(path: string, modules: readonly string[]): string[] {
  const around: string[] = [];
  for (let at = path; at !== ""; at = moduleAbove(at, modules)) around.unshift(at);
  return around;
}

/** The boxes from which an arrow's way leads to one in a module, by their places; themselves too. */
export function leadingTo({ boxes }: TapeGraph, isEnd: (box: TapeBox) => boolean): Set<number> {
  const found = new Set<number>();
  for (const box of boxes.toReversed())
    if (isEnd(box) || found.has(box.id)) for (const id of [box.id, ...box.inputs]) found.add(id);
  return found;
}

/** Of some boxes, which of the first two named results they lead to: classes of a picture. */
export function tintsOf(
  tape: TapeGraph,
  ends: readonly string[],
): (boxes: readonly TapeBox[]) => string {
  const reached = ["reward", "text"].map((name, i) => {
    const end = ends[i];
    const ids = end === undefined ? new Set() : leadingTo(tape, ({ module }) => module === end);
    return { name, ids };
  });
  return (boxes) =>
    reached
      .filter(({ ids }) => boxes.some(({ id }) => ids.has(id)))
      .map(({ name }) => name)
      .join(" ");
}
