// The page: holds the state, keeps the address and the worker in step with it, and draws it at most ten times
// a second, however fast the worker tells. Next: state.ts, views/train.tsx.

import { render } from "preact";
import type { Request, Told } from "./messages.ts";
import type { TypedText } from "./settings.ts";
import {
  type Action,
  addressOf,
  after,
  type ExplorerState,
  heard,
  stateAt,
  tapeSettingsOf,
  views,
} from "./state.ts";
import { App } from "./views/app.tsx";

const root = document.getElementById("app");
if (root === null) throw new Error("explorer: the page has no place for it");
const place: HTMLElement = root;

let state: ExplorerState = stateAt(location.hash);
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const ask = (request: Request): void => worker.postMessage(request);

worker.onmessage = ({ data }: MessageEvent<Told>) => {
  show(heard(state, data));
  if (data.kind === "tape") askForDifferences();
};
worker.onerror = (event) => {
  event.preventDefault();
  const message = event.message || "The worker that computes can't be loaded.";
  show({ ...state, phase: "failed", failure: message });
};

function begin(): void {
  const { training, settings } = state;
  ask({ kind: "begin", training, settings });
  if (state.phase === "running") ask({ kind: "run" });
}

/** The pair whose hidden states are to be watched; null where nobody sees them. */
function watched({ view, pair }: ExplorerState): number | null {
  return view === "hidden" ? pair : null;
}

/** The text that is to be read; null where nobody sees it. */
function readText({ view, text }: ExplorerState): TypedText | null {
  return view === "text" ? text : null;
}

/** The seed of the over-optimisation that is shown; null where nobody sees it. */
function overoptSeed({ view, settings }: ExplorerState): number | null {
  return view === "overopt" ? settings.seed : null;
}

/** Asks for what the tape view shows and the worker hasn't told. */
function askForTape(before: ExplorerState | null): void {
  if (state.view !== "tape") return;
  const wanted = (one: ExplorerState) => ({ settings: tapeSettingsOf(one), open: one.tape.open });
  const keyOf = (one: ExplorerState): string =>
    one.view === "tape" ? JSON.stringify(wanted(one)) : "";
  const isOther = before === null || keyOf(before) !== keyOf(state);
  if (isOther) ask({ kind: "tape", ...wanted(state) });
}

let asked = ""; // the differences that were asked for last

/** Asks for the differences along the chosen number, once it is known to be a parameter's. */
function askForDifferences(): void {
  const { scene, box, element } = state.tape;
  if (state.view !== "tape" || scene === null || box === null) return;
  const settings = tapeSettingsOf(state);
  const chosen = scene.tape.boxes[box];
  const key = JSON.stringify({ settings, box, element });
  if (chosen?.op !== "leaf" || !chosen.requiresGrad || key === asked) return;
  asked = key;
  ask({ kind: "differences", settings, box, element });
}

const beat = 700; // milliseconds between two steps of a tape that plays
let playing: ReturnType<typeof setInterval> | undefined;

function keepPlaying(): void {
  const isPlaying = state.view === "tape" && state.tape.isPlaying;
  if (isPlaying && playing === undefined)
    playing = setInterval(() => act({ kind: "tape", does: { to: "step", by: 1 } }), beat);
  if (isPlaying || playing === undefined) return;
  clearInterval(playing);
  playing = undefined;
}

let luck = 0;
let addressTimer: ReturnType<typeof setTimeout> | undefined;

/** The address follows, not more often than browsers allow. */
function keepAddress(): void {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => history.replaceState(null, "", addressOf(state)), 150);
}

/** Does what a reader did: in the state, in the worker, in the address. */
function act(action: Action): void {
  const before = state;
  state = after(before, action);
  if (readText(state) !== readText(before)) ask({ kind: "read", text: readText(state) });
  if (overoptSeed(state) !== overoptSeed(before))
    ask({ kind: "overopt", seed: overoptSeed(state) });
  askForTape(before);
  askForDifferences();
  keepPlaying();
  if (action.kind === "tape check")
    ask({ ...action, kind: "check", settings: tapeSettingsOf(state) });
  if (action.kind === "write") ask({ kind: "write", prompt: state.text.prompt, luck: luck++ });
  if (watched(state) !== watched(before)) ask({ kind: "watch", pair: watched(state) });
  if (state.gpu !== before.gpu) ask({ kind: "device", gpu: state.gpu });
  if (state.training !== before.training) begin();
  else if (state.phase === "running" && before.phase !== "running") ask({ kind: "run" });
  else if (action.kind === "pause") ask({ kind: "pause" });
  else if (action.kind === "step") ask({ kind: "step" });
  if (addressOf(state) !== addressOf(before)) keepAddress();
  requestAnimationFrame(draw); // a reader's own doing is seen at once
}

// --- Drawing -----------------------------------------------------------------------------------------

const shortest = 100; // milliseconds between two pictures
let drawnAt = Number.NEGATIVE_INFINITY;
let isDue = false;

function show(next: ExplorerState): void {
  state = next;
  if (isDue) return;
  isDue = true;
  setTimeout(draw, Math.max(0, drawnAt + shortest - performance.now()));
}

function draw(): void {
  isDue = false;
  drawnAt = performance.now();
  document.title = `${views[state.view]}: two heads, one hidden state`;
  render(<App state={state} act={act} />, place);
}

addEventListener("hashchange", () => act({ kind: "address", hash: location.hash }));
keepAddress();
ask({ kind: "watch", pair: watched(state) });
ask({ kind: "read", text: readText(state) });
ask({ kind: "overopt", seed: overoptSeed(state) });
if (state.gpu) ask({ kind: "device", gpu: true });
askForTape(null);
begin();
draw();
