// What the tape view shows and how a reader moves through it, as plain values: the step of the walk, open modules,
// the chosen box and number, epsilon, the guess. Next: state.ts, of which it is a part; views/tape.tsx.

import { modulesAround } from "../report/tape/boxes.ts";
import { itemsOf, type TapeItem, type TapeLayout } from "../report/tape/layout.ts";
import type { TapeTold } from "./messages.ts";
import { epsilons, type TapeSettings } from "./settings.ts";
import type { DifferenceCurve, OpCheck, TapeScene, WalkGift } from "./tapeBench.ts";

/** What is open in the tape view. */
export interface TapePlaceShown {
  /** Ops that have run, and after all of them, ops that were walked; null for all of it. */
  readonly at: number | null;
  /** Paths of open modules. */
  readonly open: readonly string[];
  /** The chosen box, and the number of it that differences are taken along. */
  readonly box: number | null;
  readonly element: number;
  /** The place of epsilon among `epsilons`. */
  readonly epsilon: number;
  readonly bug: number;
}

export interface TapeState extends TapePlaceShown {
  readonly isPlaying: boolean;
  readonly scene: TapeScene | null;
  /** Where its boxes stand; for a moment after something folds, as before. */
  readonly layout: TapeLayout | null;
  readonly curve: DifferenceCurve | null;
  readonly check: OpCheck | null;
  /** The box that a reader takes for the wrong one. */
  readonly guess: number | null;
}

/** Where the view begins: all walked, all folded. */
export const initialTape: TapePlaceShown = {
  ...{ at: null, open: [], box: null, element: 0, epsilon: 4, bug: 0 },
};

/** What a reader does in the tape view. */
export type TapeAction =
  | { readonly to: "step"; readonly by: 1 | -1 }
  | { readonly to: "time"; readonly at: number | null }
  | { readonly to: "play"; readonly isPlaying: boolean }
  | { readonly to: "fold"; readonly path: string; readonly isOpen: boolean }
  | { readonly to: "fold all"; readonly isOpen: boolean }
  | { readonly to: "box"; readonly box: number | null }
  /** Chooses a box and opens what is around it, at a time. */
  | { readonly to: "show"; readonly box: number; readonly at: number | null }
  | { readonly to: "element"; readonly element: number }
  | { readonly to: "epsilon"; readonly epsilon: number }
  | { readonly to: "bug"; readonly bug: number }
  | { readonly to: "guess"; readonly box: number };

/** The state of the tape after something was done. */
export function afterTape(tape: TapeState, action: TapeAction): TapeState {
  switch (action.to) {
    case "step": {
      const at = stepped(tape, action.by);
      return { ...tape, at, isPlaying: tape.isPlaying && at !== timeOf(tape) };
    }
    case "time":
      return { ...tape, at: action.at, isPlaying: false };
    case "play": {
      const isOver = action.isPlaying && timeOf(tape) === timesOf(tape.scene);
      return { ...tape, isPlaying: action.isPlaying, at: isOver ? 0 : tape.at };
    }
    case "fold": {
      const { path, isOpen } = action;
      const others = tape.open.filter((one) => one !== path && !one.startsWith(`${path}.`));
      return { ...tape, open: isOpen ? [...tape.open, path] : others };
    }
    case "fold all":
      return { ...tape, open: action.isOpen ? (tape.scene?.tape.modules ?? []) : [] };
    case "box":
      return { ...tape, box: action.box, element: 0, check: null };
    case "show": {
      const { box, at } = action;
      const around = tape.scene === null ? [] : pathsAround(tape.scene, box);
      const open = [...new Set([...tape.open, ...around])];
      return { ...tape, open, box, at, element: 0, check: null, isPlaying: false };
    }
    case "element":
      return { ...tape, element: action.element };
    case "epsilon":
      return { ...tape, epsilon: action.epsilon };
    case "bug":
      return { ...tape, bug: action.bug, guess: null, check: null };
    case "guess":
      return { ...tape, guess: action.box };
  }
}

/** The state of the tape after the worker told something of it; what is of other settings is dropped. */
export function heardTape(tape: TapeState, told: TapeTold, wanted: TapeSettings): TapeState {
  const isWanted = (settings: TapeSettings): boolean =>
    JSON.stringify(settings) === JSON.stringify(wanted);
  if (told.kind === "tape") {
    const { scene, open, layout } = told;
    if (!isWanted(scene.settings) || open.join() !== tape.open.join()) return tape;
    const box = tape.box !== null && tape.box < scene.tape.boxes.length ? tape.box : null;
    const at = tape.at === null ? null : Math.min(tape.at, timesOf(scene));
    return { ...tape, scene, layout, box, at };
  }
  if (told.kind === "check") {
    const { check } = told;
    return isWanted(check.settings) && check.box === tape.box ? { ...tape, check } : tape;
  }
  const { curve } = told;
  return isWanted(curve.settings) ? { ...tape, curve } : tape;
}

// --- Time --------------------------------------------------------------------------------------------

/** Boxes of ops, in the order in which they ran. */
function opsOf({ tape: { boxes } }: TapeScene): number[] {
  return boxes.filter(({ op }) => op !== "leaf").map(({ id }) => id);
}

/** The last time: each op ran and was walked. */
export function timesOf(scene: TapeScene | null): number {
  return scene === null ? 0 : 2 * opsOf(scene).length;
}

/** The time that is shown. */
export function timeOf({ at, scene }: TapeState): number {
  return at ?? timesOf(scene);
}

/** Whether a module is open. */
export function isOpenIn({ open }: Pick<TapeState, "open">): (path: string) => boolean {
  return (path) => open.includes(path);
}

/** Times at which something that is seen has just run, or was just walked. A folded module does it at once. */
function stops(scene: TapeScene, open: TapeState["open"]): number[] {
  const ops = opsOf(scene);
  const places = new Map(ops.map((id, k) => [id, k]));
  const times = itemsOf(scene.tape, isOpenIn({ open })).flatMap(({ boxes }) => {
    const ks = boxes.flatMap(({ id }) => places.get(id) ?? []);
    return ks.length === 0 ? [] : [Math.max(...ks) + 1, 2 * ops.length - Math.min(...ks)];
  });
  return [0, ...times].sort((a, b) => a - b);
}

function stepped(tape: TapeState, by: 1 | -1): number {
  const now = timeOf(tape);
  if (tape.scene === null) return now;
  const times = stops(tape.scene, tape.open);
  const next = by > 0 ? times.find((time) => time > now) : times.findLast((time) => time < now);
  return next ?? now;
}

/** What a box has at a time: whether it ran, what has arrived at it, and whether more will come. */
export interface BoxMoment {
  readonly hasRun: boolean;
  readonly gradient: readonly number[] | null;
  /** What arrived so far, from which box. */
  readonly gifts: readonly (WalkGift & { readonly from: number })[];
  readonly isWhole: boolean;
  /** Whether this is what just ran or was just walked. */
  readonly isNow: boolean;
}

/** What each box has at a time. */
export function momentsAt(scene: TapeScene, time: number): BoxMoment[] {
  const ops = opsOf(scene);
  const N = ops.length;
  const places = new Map(ops.map((id, k) => [id, k]));
  const walked = Math.max(0, time - N);
  const all = scene.tape.boxes.map((): (WalkGift & { from: number })[] => []);
  const total = scene.tape.boxes.map(() => 0);
  for (const [i, { box, gives }] of scene.walk.entries())
    for (const gift of gives) {
      if (i < walked) all[gift.to]?.push({ ...gift, from: box });
      total[gift.to] = (total[gift.to] ?? 0) + 1;
    }
  const now = time <= N ? ops[time - 1] : ops[2 * N - time];
  return scene.tape.boxes.map(({ id }) => {
    const gifts = all[id] ?? [];
    const isRoot = id === ops.at(-1);
    const seed = isRoot && time >= N ? [1] : null;
    return {
      hasRun: (places.get(id) ?? -1) < time,
      gradient: gifts.at(-1)?.sum ?? seed,
      gifts,
      isWhole: gifts.length === total[id],
      isNow: id === now,
    };
  });
}

/** What of an item is shown at a time: its output's numbers, and whether one of its boxes is at work. */
export function momentOf(item: TapeItem, moments: readonly BoxMoment[]): BoxMoment | undefined {
  const own = moments[item.output.id];
  return own && { ...own, isNow: item.boxes.some(({ id }) => moments[id]?.isNow) };
}

/** Where gradients of both losses are added up for the first time on the way back; null with one loss. */
export function meetingOf(scene: TapeScene): { readonly box: number; readonly at: number } | null {
  const [reward, text] = scene.ends;
  if (reward === undefined || text === undefined) return null;
  const { boxes } = scene.tape;
  const of = new Map<number, Set<string>>();
  const N = scene.walk.length;
  for (const [i, { box, gives }] of scene.walk.entries()) {
    const own = boxes[box]?.module ?? "";
    const mine = [reward, text].includes(own) ? new Set([own]) : (of.get(box) ?? new Set());
    for (const { to } of gives) {
      const there = new Set([...(of.get(to) ?? []), ...mine]);
      of.set(to, there);
      if (there.size === 2) return { box: to, at: N + i + 1 };
    }
  }
  return null;
}

/** All modules around a box. */
export function pathsAround({ tape }: TapeScene, box: number): string[] {
  return modulesAround(tape.boxes[box]?.module ?? "", tape.modules);
}

// --- Addresses ---------------------------------------------------------------------------------------

/** What an address says of a tape, read by `take` as all of it is. */
export function tapePlaceAt(
  take: <T>(key: string, otherwise: T, read: (text: string) => T | undefined) => T,
): TapePlaceShown {
  const whole = (most: number) => (text: string) =>
    /^\d{1,4}$/.test(text) && Number(text) <= most ? Number(text) : undefined;
  return {
    at: take<number | null>("at", null, whole(999)),
    open: take<readonly string[]>("open", [], (text) =>
      /^[\w. ,]+$/.test(text) ? text.split(",") : undefined,
    ),
    box: take<number | null>("box", null, whole(999)),
    element: take("element", 0, whole(999)),
    epsilon: take("eps", initialTape.epsilon, whole(epsilons.length - 1)),
    bug: take("bug", 0, whole(8)),
  };
}

/** What an address holds of a tape: all that isn't as at first. */
export function tapeQuery(tape: TapePlaceShown): [string, string][] {
  const { at, open, box, element, epsilon, bug } = tape;
  const entries: [string, string | null][] = [
    ["at", at === null ? null : String(at)],
    ["open", open.length === 0 ? null : open.join(",")],
    ["box", box === null ? null : String(box)],
    ["element", element === 0 ? null : String(element)],
    ["eps", epsilon === initialTape.epsilon ? null : String(epsilon)],
    ["bug", bug === 0 ? null : String(bug)],
  ];
  return entries.filter((entry): entry is [string, string] => entry[1] !== null);
}
