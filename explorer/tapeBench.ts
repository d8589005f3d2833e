// What the tape view computes: one pair's loss on a tiny model, recorded and walked back op by op; differences of
// the loss along one number of a parameter; the check of a single op; and a gradient rule that is wrong on purpose.
// Runs in the worker and in Node alike. Next: tapeState.ts, views/tape.tsx.

import { type DType, noGrad, random, Tensor, tensor } from "../core/index.ts";
import type { Gradient, Node, Recordable } from "../core/node.ts";
import { apply, type Entry } from "../core/op.ts";
import { tapeEntries } from "../core/showTape.ts";
import { unbroadcast } from "../core/tape.ts";
import { namedLosses, type Tiny, tinyModel } from "../lab/tiny.ts";
import type { TapeGraph } from "../report/tape/boxes.ts";
import { gradientsOf, tapeGraph } from "../report/tape/graph.ts";
import { watchModules, withParts } from "../report/tape/modules.ts";
import { epsilons, type TapeSettings } from "./settings.ts";
import { type Bug, bugs } from "./tapeBugs.ts";

/** What the walk did at one op. */
export interface WalkStep {
  /** The op's box. */
  readonly box: number;
  /** dL/dy, complete, as the op's rule got it. */
  readonly gradient: readonly number[];
  /** What its rule gave to each input, and what that input has by then. */
  readonly gives: readonly WalkGift[];
}

export interface WalkGift {
  readonly to: number;
  readonly part: readonly number[];
  readonly sum: readonly number[];
}

/** A tape to step through. */
export interface TapeScene {
  readonly settings: TapeSettings;
  readonly tape: TapeGraph;
  /** Names of the losses as modules of the tape. */
  readonly ends: readonly string[];
  /** The walk, from the loss to the leaves. */
  readonly walk: readonly WalkStep[];
  /**
   * The op nearest to the losses at which both push the same token: where they meet in earnest, as the final
   * hidden state has one loss at the last tokens and the other before them. Null with one loss.
   */
  readonly sameToken: number | null;
  /** The op whose rule is wrong, and how; null where none is. */
  readonly bug: { readonly box: number; readonly says: string } | null;
}

/** The loss's slope along one number, by differences with steps from large to small. */
export interface DifferenceCurve {
  readonly settings: TapeSettings;
  readonly box: number;
  readonly element: number;
  readonly dtypes: readonly {
    readonly dtype: DType;
    /** What backward says. */
    readonly analytic: number;
    /** (L(x + ε) - L(x - ε)) / 2ε for each of `epsilons`. */
    readonly numeric: readonly number[];
  }[];
}

/** An op's rule against differences of the op alone. */
export interface OpCheck {
  readonly settings: TapeSettings;
  readonly box: number;
  readonly inputs: readonly {
    readonly to: number;
    readonly rule: readonly number[];
    readonly differences: readonly number[];
    /** The largest gap, relative to the largest number. */
    readonly error: number;
  }[];
}

/** Gaps below this are rounding: differences in float64 with a step of 1e-5 agree to about 1e-10. */
export const checkLimit = 1e-6;

/** A recorded loss, ready to be walked. */
interface RecordedLoss {
  readonly loss: Tensor;
  /** Each loss by its name. */
  readonly named: Readonly<Record<string, Tensor | null>>;
  readonly modules: ReturnType<typeof withParts>;
  readonly ends: readonly string[];
}

function record({ model, losses }: Tiny): RecordedLoss {
  const { result, modules } = watchModules(model, losses);
  const named = namedLosses(result);
  const ends = Object.keys(named);
  return { loss: result.loss, named, modules: withParts(modules, named), ends };
}

/** The tape of the tiny loss in float64, and the walk along it. */
export async function tapeScene(settings: TapeSettings): Promise<TapeScene> {
  const { loss, named, modules, ends } = record(await tinyModel({ ...settings, dtype: "float64" }));
  const sameToken = sharedToken(loss, Object.values(named));
  const bug = plantedIn(loss, settings.bug);
  const walk = recordedWalk(loss);
  const tape = await tapeGraph(loss, modules, { gradients: true });
  return {
    settings,
    tape,
    ends,
    walk,
    sameToken,
    bug: bug && { box: bug.box, says: bug.kind.says },
  };
}

/** The last op that ran of which one token's numbers [B,T,...] have gradients of two losses. */
function sharedToken(loss: Tensor, [a, b]: readonly (Tensor | null)[]): number | null {
  if (!a || !b) return null;
  const entries = tapeEntries([loss]);
  const [ofA, ofB] = [a, b].map((one) => gradientsOf(one, entries));
  const rows = (g: Tensor | null | undefined, count: number): boolean[] => {
    const data = g?.data ?? [];
    const size = data.length / count;
    return Array.from({ length: count }, (_, row) =>
      Array.from(data)
        .slice(row * size, (row + 1) * size)
        .some((x) => x !== 0),
    );
  };
  const found = entries.findLastIndex(({ tensor: { shape }, node }, i) => {
    if (node === null || shape.length < 3) return false;
    const count = (shape[0] ?? 1) * (shape[1] ?? 1);
    const [inA, inB] = [rows(ofA?.[i], count), rows(ofB?.[i], count)];
    return inA.some((is, row) => is && inB[row]);
  });
  return found < 0 ? null : found;
}

/** Walks back from a loss, and writes down what every op's rule got and gave. */
function recordedWalk(loss: Tensor): WalkStep[] {
  const entries = tapeEntries([loss]);
  const places = new Map(entries.map(({ tensor: x }, id) => [x, id]));
  const steps: WalkStep[] = [];
  const sums = new Map<number, readonly number[]>();
  const undo = entries.flatMap(({ node }, box) => {
    if (node === null) return [];
    const { entry } = node;
    const gradients: Recordable["gradients"] = (_, g, createGraph) => {
      const gives: WalkGift[] = [];
      steps.push({ box, gradient: Array.from(g.data), gives });
      const given = entry.gradients(node, g, createGraph);
      return given.map((one, i) =>
        heard(one, node.args[i], (gx, x) => {
          const to = places.get(x);
          if (to === undefined || !x.requiresGrad) return;
          const part = Array.from(unbroadcast(gx, x).data);
          const sum = part.map((value, k) => value + (sums.get(to)?.[k] ?? 0));
          sums.set(to, sum);
          gives.push({ to, part, sum });
        }),
      );
    };
    Reflect.set(node, "entry", { name: entry.name, gradients });
    return [() => Reflect.set(node, "entry", entry)];
  });
  gradientsOf(loss, entries);
  for (const one of undo) one();
  return steps;
}

/** A rule's gradient that says itself when it is there. */
function heard(given: Gradient, x: unknown, hear: (gx: Tensor, x: Tensor) => void): Gradient {
  if (given === null || x === null || typeof x !== "object") return given;
  const say = (gx: Tensor): Tensor => {
    hear(gx, x as Tensor);
    return gx;
  };
  return typeof given === "function" ? () => say(given()) : say(given);
}

// --- A planted bug -----------------------------------------------------------------------------------

interface Planted {
  readonly box: number;
  readonly kind: Bug;
}

/** Makes the rule of one op behind a loss wrong, chosen by a seed: one where it changes something. 0 is none. */
function plantedIn(loss: Tensor, seed: number): Planted | null {
  if (seed === 0) return null;
  const rng = random(`bug ${seed}`);
  const entries = tapeEntries([loss]);
  const before = entries.map((_, i) => i).filter((i) => entries[i]?.node !== null);
  for (const i of rng.permutation(before.length)) {
    const box = before[i] ?? 0;
    const node = entries[box]?.node;
    const kind = bugs[rng.integer(0, bugs.length)];
    if (!node || kind === undefined || !kind.fits(node)) continue;
    const right = gradientsOf(loss, entries).map((g) => g?.data ?? []);
    plant(node, kind);
    const wrong = gradientsOf(loss, entries).map((g) => g?.data ?? []);
    if (right.some((x, i) => differs(x, wrong[i] ?? []))) return { box, kind };
    Reflect.set(node, "entry", Reflect.get(node.entry, "right"));
  }
  return null;
}

function plant(node: Node, kind: Bug): void {
  const right = node.entry;
  const gradients: Recordable["gradients"] = (_, g, createGraph) => {
    const wants = (x: unknown): boolean => x instanceof Tensor && x.requiresGrad;
    const given = right
      .gradients(node, g, createGraph)
      .map((one, i) => (!wants(node.args[i]) ? null : typeof one === "function" ? one() : one));
    return kind.change(given);
  };
  Reflect.set(node, "entry", { name: right.name, gradients, right });
}

function differs(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  const most = Math.max(1e-3, ...Array.from(a, Math.abs));
  return Array.from(a).some((x, i) => Math.abs(x - (b[i] ?? 0)) > 0.02 * most);
}

// --- Differences -------------------------------------------------------------------------------------

/** The slope of the loss along one number of a parameter, in both dtypes, for all steps. */
export async function differenceCurve(
  settings: TapeSettings,
  box: number,
  element: number,
): Promise<DifferenceCurve> {
  const dtypes = [];
  for (const dtype of ["float64", "float32"] as const) {
    const tiny = await tinyModel({ ...settings, dtype });
    const { loss } = record(tiny);
    plantedIn(loss, settings.bug);
    const entries = tapeEntries([loss]);
    const x = entries[box]?.tensor;
    if (x === undefined) throw new Error(`explorer: there is no box ${box}`);
    const analytic = gradientsOf(loss, entries)[box]?.data[element] ?? Number.NaN;
    const numeric = epsilons.map((epsilon) => slopeAlong(tiny, x, element, epsilon));
    dtypes.push({ dtype, analytic, numeric });
  }
  return { settings, box, element, dtypes };
}

/** (L(x + ε) - L(x - ε)) / 2ε along one number of a parameter, which is then what it was. */
function slopeAlong({ losses }: Tiny, x: Tensor, element: number, epsilon: number): number {
  const before = x.data.slice();
  const lossAt = (value: number): number => {
    const moved = before.slice();
    moved[element] = value;
    x.assign(moved);
    return noGrad(() => losses().loss.data[0] ?? Number.NaN);
  };
  const at = before[element] ?? 0;
  const slope = (lossAt(at + epsilon) - lossAt(at - epsilon)) / (2 * epsilon);
  x.assign(before);
  return slope;
}

const checkStep = 1e-5;

/** One op's rule, fed with a random g, against differences of Σ g y over the op alone. */
export async function opCheck(settings: TapeSettings, box: number): Promise<OpCheck> {
  const { loss } = record(await tinyModel({ ...settings, dtype: "float64" }));
  const entries = tapeEntries([loss]);
  const node = entries[box]?.node;
  if (!node) throw new Error(`explorer: box ${box} is no op`);
  const right = node.entry as Entry;
  plantedIn(loss, settings.bug);
  const rng = random(`check ${box}`);
  const weights = Float64Array.from({ length: node.y.size }, () => rng.normal());
  const given = node.entry.gradients(node, tensor(weights, { shape: node.y.shape }), false);
  const inputs = node.args.flatMap((x, i) => {
    const one = given[i] ?? null;
    const to = entries.findIndex(({ tensor: other }) => other === x);
    if (one === null || to < 0 || !entries[to]?.tensor.requiresGrad) return [];
    const rule = Array.from(unbroadcast(typeof one === "function" ? one() : one, x as Tensor).data);
    const differences = rule.map((_, k) => opSlope(right, node.args, i, k, weights));
    const most = Math.max(1e-12, ...rule.map(Math.abs), ...differences.map(Math.abs));
    const gap = Math.max(...rule.map((value, k) => Math.abs(value - (differences[k] ?? 0))));
    return [{ to, rule, differences, error: gap / most }];
  });
  return { settings, box, inputs };
}

/** The slope of Σ g y along one number of one argument. */
function opSlope(
  entry: Entry,
  args: readonly unknown[],
  i: number,
  k: number,
  weights: Float64Array,
): number {
  const x = args[i] as Tensor;
  const sumAt = (step: number): number => {
    const moved = Float64Array.from(x.data);
    moved[k] = (moved[k] ?? 0) + step;
    const other = tensor(moved, { shape: x.shape });
    const y = noGrad(() =>
      apply(
        entry,
        args.map((arg, j) => (j === i ? other : arg)),
      ),
    );
    return weights.reduce((sum, weight, at) => sum + weight * (y.data[at] ?? 0), 0);
  };
  return (sumAt(checkStep) - sumAt(-checkStep)) / (2 * checkStep);
}
