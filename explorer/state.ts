// All that the page shows, as one plain value, and how it changes: by what a reader does and what the worker
// tells. Views are functions of it. Next: page.tsx, which holds it; views/.

import type { StepRecord } from "../grm/index.ts";
import type { HiddenDetail, HiddenFrame, HiddenScene } from "./hiddenView.ts";
import type { Look } from "./liveTraining.ts";
import type { Told } from "./messages.ts";
import type { Overopt, OveroptProgress } from "./overoptView.ts";
import {
  blockCount,
  type ExplorerSettings,
  features,
  headCount,
  initialText,
  overoptPrompts,
  overoptSizes,
  type PlaneName,
  pairsOfEach,
  planes,
  queryOf,
  type StoryFeature,
  settingsFromQuery,
  type TapeSettings,
  type TypedText,
} from "./settings.ts";
import {
  afterTape,
  heardTape,
  type TapeAction,
  type TapePlaceShown,
  type TapeState,
  tapePlaceAt,
  tapeQuery,
} from "./tapeState.ts";
import type { TextReading, Writing } from "./textView.ts";

/** The views by the names in their addresses. */
export const views = {
  train: "Train",
  hidden: "Hidden state",
  text: "Text",
  overopt: "Over-optimisation",
  tape: "Tape",
} as const;
export type ViewName = keyof typeof views;

/** How far a training is. */
export type Phase = "starting" | "ready" | "running" | "finished" | "failed";

export interface ExplorerState {
  readonly view: ViewName;
  readonly settings: ExplorerSettings;
  /** The step of the guided tour, from 1; null outside of it. */
  readonly tour: number | null;
  /** The pair whose pushes are shown, and what colours the stories. */
  readonly pair: number;
  readonly feature: StoryFeature;
  readonly plane: PlaneName;
  /** The place of n among the sizes, and the title whose answers are shown. */
  readonly n: number;
  readonly title: number;
  /** Best-of-n by two proxies, and how far it is before it is there. */
  readonly overopt: Overopt | null;
  readonly overoptProgress: OveroptProgress | null;
  /** What somebody typed, and the token that is pointed at. */
  readonly text: TypedText;
  readonly pointed: PointedToken | null;
  /** The block whose attention is shown, and the head of it, both from 0; null is the mean of all heads. */
  readonly block: number;
  readonly attentionHead: number | null;
  readonly tape: TapeState;
  /** What the address said that can't be. */
  readonly problems: readonly string[];
  /** Whether trainings are to run on the GPU. */
  readonly gpu: boolean;
  /** What computes; null until it has started. */
  readonly device: (Told & { readonly kind: "device" }) | null;
  /** The number of the training that is shown; those before are gone. */
  readonly training: number;
  readonly phase: Phase;
  readonly steps: number;
  /** For each model, plain first, a record of each step. */
  readonly records: readonly (readonly StepRecord[])[];
  readonly looks: readonly Look[];
  /** The hidden states: what stays, where they were at some steps, and the last look into one pair. */
  readonly scene: HiddenScene | null;
  readonly frames: readonly HiddenFrame[];
  readonly detail: HiddenDetail | null;
  /** The typed text as the models read it, and what each has written. */
  readonly reading: TextReading | null;
  readonly writings: readonly Writing[];
  /** Held-out pairs to read. */
  readonly examples: readonly TypedText[];
  /** The training as a program for Node. */
  readonly code: string;
  /** Why it failed. */
  readonly failure: string | null;
}

/** A token of an answer under a model. */
export interface PointedToken {
  readonly answer: number;
  readonly model: number;
  readonly token: number;
}

/** What the page begins as, at an address. */
export function stateAt(hash: string): ExplorerState {
  const { tape, ...place } = placeAt(hash);
  return {
    ...place,
    tape: { ...tape, ...noTapeYet },
    device: null,
    training: 1,
    pointed: null,
    overopt: null,
    overoptProgress: null,
    ...nothingYet,
  };
}

/** What is known of a tape before the worker told of it. */
const noTapeYet = {
  ...{ isPlaying: false, scene: null, layout: null, curve: null, check: null, guess: null },
} as const;

/** What is known of a training before it began. */
const nothingYet = {
  phase: "starting",
  steps: 0,
  records: [],
  looks: [],
  scene: null,
  frames: [],
  detail: null,
  reading: null,
  writings: [],
  examples: [],
  code: "",
  failure: null,
} as const satisfies Partial<ExplorerState>;

/** What an address says: what is open, and how. */
type Opened = Pick<
  ExplorerState,
  | "view"
  | "settings"
  | "tour"
  | "pair"
  | "feature"
  | "plane"
  | "text"
  | "block"
  | "attentionHead"
  | "n"
  | "title"
  | "gpu"
  | "problems"
> & { readonly tape: TapePlaceShown };

/** What an address says: `#train?alpha=0.5&...`. */
function placeAt(hash: string): Opened {
  const [name = "", query = ""] = hash.replace(/^#/, "").split("?");
  const given = new URLSearchParams(query);
  const problems: string[] = [];
  const take = <T>(key: string, otherwise: T, read: (text: string) => T | undefined): T => {
    const text = given.get(key);
    given.delete(key);
    if (text === null) return otherwise;
    const found = read(text);
    if (found === undefined) problems.push(`"${text}" is no ${key}; it was left out.`);
    return found ?? otherwise;
  };
  const whole = (from: number, to: number) => (text: string) =>
    /^\d+$/.test(text) && Number(text) >= from && Number(text) <= to ? Number(text) : undefined;
  const tour = take<number | null>("tour", null, whole(1, tourLength));
  const pair = take("pair", 1, whole(1, 2 * pairsOfEach)) - 1;
  const feature = take<StoryFeature>("colour", features[0], (text) =>
    features.find((one) => one === text),
  );
  const plane = take<PlaneName>("plane", "reward", (text) =>
    Object.hasOwn(planes, text) ? (text as PlaneName) : undefined,
  );
  const typed = (key: string, otherwise: string): string => take(key, otherwise, (text) => text);
  const text: TypedText = {
    prompt: typed("prompt", initialText.prompt),
    answers: [typed("a", initialText.answers[0]), typed("b", initialText.answers[1])],
  };
  const fromOne = take("block", blockCount, whole(1, blockCount)); // as addresses said it once
  const block = take("layer", fromOne - 1, whole(0, blockCount - 1));
  const attentionHead = take("attention", null, attentionHeadOf);
  const n = take("n", 5, whole(1, overoptSizes)) - 1;
  const title = take("title", 1, whole(1, overoptPrompts)) - 1;
  const tape = tapePlaceAt(take);
  const gpu = take("gpu", 0, whole(0, 1)) === 1;
  const isView = name === "" || Object.hasOwn(views, name);
  if (!isView) problems.push(`There is no view "${name}"; this is Train.`);
  const view = isView && name !== "" ? (name as ViewName) : "train";
  const { settings, problems: others } = settingsFromQuery(given);
  return {
    ...{ view, settings, tour, pair, feature, plane },
    ...{ text, block, attentionHead, n, title, tape, gpu },
    problems: [...problems, ...others],
  };
}

/** "mean" or "head-2"; and as addresses said it once, 0 for the mean and 3 for head 2. */
function attentionHeadOf(text: string): number | null | undefined {
  if (text === "mean" || text === "0") return null;
  const [, head = Number(text) - 1] = /^head-(\d)$/.exec(text) ?? [];
  return Number(head) >= 0 && Number(head) < headCount ? Number(head) : undefined;
}

/** How many steps the guided tour has. */
export const tourLength = 6;

/** The address of what is shown. */
export function addressOf(state: ExplorerState): string {
  const { settings, text, attentionHead: head, tour } = state;
  const query = queryOf(settings);
  query.set("pair", String(state.pair + 1));
  query.set("colour", state.feature);
  query.set("plane", state.plane);
  query.set("layer", String(state.block));
  query.set("attention", head === null ? "mean" : `head-${head}`);
  query.set("n", String(state.n + 1));
  query.set("title", String(state.title + 1));
  if (text.prompt !== initialText.prompt) query.set("prompt", text.prompt);
  for (const [key, i] of [
    ["a", 0],
    ["b", 1],
  ] as const)
    if (text.answers[i] !== initialText.answers[i]) query.set(key, text.answers[i]);
  if (state.gpu) query.set("gpu", "1");
  for (const [key, value] of tapeQuery(state.tape)) query.set(key, value);
  if (tour !== null) query.set("tour", String(tour));
  return `#${state.view}?${query}`;
}

/** What a reader does. */
export type Action =
  | { readonly kind: "set"; readonly settings: Partial<ExplorerSettings> }
  | { readonly kind: "reset" }
  | { readonly kind: "pair"; readonly pair: number }
  | { readonly kind: "feature"; readonly feature: StoryFeature }
  | { readonly kind: "plane"; readonly plane: PlaneName }
  | { readonly kind: "text"; readonly text: TypedText }
  | { readonly kind: "point"; readonly pointed: PointedToken | null }
  /** The pointer goes on by so many tokens of an answer that has `count`. */
  | {
      readonly kind: "walk";
      readonly at: Omit<PointedToken, "token">;
      readonly by: number;
      readonly count: number;
    }
  | { readonly kind: "block"; readonly block: number }
  | { readonly kind: "head"; readonly head: number | null }
  | { readonly kind: "n"; readonly n: number }
  | { readonly kind: "title"; readonly title: number }
  | { readonly kind: "tape"; readonly does: TapeAction }
  /** The rule of an op against differences. */
  | { readonly kind: "tape check"; readonly box: number }
  | { readonly kind: "write" }
  | { readonly kind: "gpu"; readonly gpu: boolean }
  | { readonly kind: "tour"; readonly tour: number | null }
  | { readonly kind: "address"; readonly hash: string }
  | { readonly kind: "run" }
  | { readonly kind: "pause" }
  | { readonly kind: "step" };

/** The state after something was done; a training that begins anew has a new number. */
export function after(state: ExplorerState, action: Action): ExplorerState {
  switch (action.kind) {
    case "set":
      return anew({
        ...state,
        problems: [],
        settings: { ...state.settings, ...action.settings },
      });
    case "reset":
      return anew({ ...state, phase: "ready" });
    case "address": {
      const place = placeAt(action.hash);
      const isSame =
        String(queryOf(place.settings)) === String(queryOf(state.settings)) &&
        place.gpu === state.gpu;
      const there = { ...state, ...place, tape: { ...state.tape, ...place.tape } };
      return isSame ? there : anew(there);
    }
    case "pair":
      return { ...state, pair: action.pair };
    case "feature":
      return { ...state, feature: action.feature };
    case "plane":
      return { ...state, plane: action.plane };
    case "text":
      return { ...state, text: action.text, writings: [], pointed: null };
    case "point":
      return { ...state, pointed: action.pointed };
    case "walk":
      return { ...state, pointed: walked(state.pointed, action) };
    case "block":
      return { ...state, block: action.block };
    case "head":
      return { ...state, attentionHead: action.head };
    case "n":
      return { ...state, n: action.n };
    case "title":
      return { ...state, title: action.title };
    case "tape":
      return { ...state, tape: afterTape(state.tape, action.does) };
    case "write":
      return { ...state, writings: [] };
    case "gpu":
      return anew({ ...state, gpu: action.gpu, device: null });
    case "tour":
      return { ...state, tour: action.tour };
    case "run":
      return state.phase === "ready" || state.phase === "starting"
        ? { ...state, phase: "running" }
        : state;
    case "pause":
      return state.phase === "running" ? { ...state, phase: "ready" } : state;
    case "step":
    case "tape check":
      return state;
  }
}

/** The token after a walk; it begins at the first one of an answer that wasn't pointed at. */
function walked(
  pointed: PointedToken | null,
  { at, by, count }: Action & { readonly kind: "walk" },
): PointedToken {
  const isThere = pointed?.answer === at.answer && pointed.model === at.model;
  const token = (isThere ? pointed.token : -1) + by;
  return { ...at, token: Math.max(0, Math.min(count - 1, token)) };
}

/** From the base again; what was running goes on running. */
function anew(state: ExplorerState): ExplorerState {
  const phase = state.phase === "running" ? "running" : "starting";
  return { ...state, ...nothingYet, phase, training: state.training + 1 };
}

/** The state after the worker told something; what is of an earlier training is dropped. */
export function heard(state: ExplorerState, told: Told): ExplorerState {
  if (told.kind === "device") return { ...state, device: told };
  if (told.kind === "overoptProgress") return { ...state, overoptProgress: told.progress };
  if (told.kind === "overopt") return { ...state, overopt: told.overopt, overoptProgress: null };
  if (told.kind === "tape" || told.kind === "differences" || told.kind === "check")
    return { ...state, tape: heardTape(state.tape, told, tapeSettingsOf(state)) };
  if (told.training !== state.training) return state;
  switch (told.kind) {
    case "begun": {
      const { steps, code, examples } = told;
      const phase = state.phase === "running" ? "running" : "ready";
      return { ...state, steps, code, examples, phase };
    }
    case "steps": {
      const records = told.records.map((record, i) => [...(state.records[i] ?? []), record]);
      return { ...state, records };
    }
    case "look":
      return { ...state, looks: [...state.looks, told.look] };
    case "scene":
      return { ...state, scene: told.scene };
    case "frame": {
      const before = state.frames.filter(({ step }) => step !== told.frame.step);
      return { ...state, frames: [...before, told.frame] };
    }
    case "detail":
      return { ...state, detail: told.detail };
    case "reading":
      return { ...state, reading: told.reading };
    case "writing": {
      const others = state.writings.filter(({ model }) => model !== told.writing.model);
      return { ...state, writings: [...others, told.writing] };
    }
    case "finished":
      return { ...state, phase: "finished" };
    case "failed":
      return { ...state, phase: "failed", failure: told.message };
  }
}

/** Steps that were taken. */
export function stepOf({ records }: ExplorerState): number {
  return records[0]?.length ?? 0;
}

/** What decides the tape that is to be shown. */
export function tapeSettingsOf({ settings, tape }: ExplorerState): TapeSettings {
  const { method, alpha, beta } = settings;
  return { method, alpha, beta, bug: tape.bug };
}
