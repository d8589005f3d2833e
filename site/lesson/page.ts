// A lesson's page: edits and runs its blocks, and shows what they print beside what the lesson says. Without this
// program the page is the lesson as it is printed. Next: runner.ts, which runs the code.

import { changesOf, moduleFrom } from "../../walkthroughs/lesson.ts";
import type { PageStep, RunTold } from "./messages.ts";

/** The elements of a block. */
interface LessonBlock {
  readonly step: PageStep;
  readonly code: HTMLElement;
  readonly editor: HTMLTextAreaElement;
  readonly edit: HTMLButtonElement;
  readonly result: HTMLElement;
}

function element<E extends Element = HTMLElement>(
  selector: string,
  within: ParentNode = document,
): E {
  const found = within.querySelector<E>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

const steps = JSON.parse(element("#steps").textContent ?? "[]") as PageStep[];
const blocks = steps.map((step, i): LessonBlock => {
  const place = element(`.step[data-step="${i}"]`);
  return {
    step,
    code: element("pre", place),
    editor: element<HTMLTextAreaElement>("textarea", place),
    edit: element<HTMLButtonElement>(".edit", place),
    result: element(".result", place),
  };
});
const [status, stop] = [element("#status"), element<HTMLButtonElement>("#stop")];

/** A block's code as it stands now. */
function textOf({ step, editor }: LessonBlock): string {
  return editor.hidden ? step.text : editor.value;
}

// --- Editing -----------------------------------------------------------------------------------------

function toggleEditor(block: LessonBlock): void {
  const isEditing = block.editor.hidden;
  if (isEditing) block.editor.value = block.step.text;
  block.editor.hidden = !isEditing;
  block.code.hidden = isEditing;
  block.edit.textContent = isEditing ? "Back to the lesson's code" : "Edit";
  if (isEditing) block.editor.focus();
}

// --- Running -----------------------------------------------------------------------------------------

let worker: Worker | null = null;

/** Ends a run, if there is one, and says how it ended. */
function end(how: string): void {
  worker?.terminate();
  worker = null;
  stop.disabled = true;
  status.textContent = how;
}

/** Runs the lesson from its beginning to the end of a block. */
function run(to: number): void {
  end("Running ...");
  const some = blocks.slice(0, to + 1);
  for (const { result } of some) result.replaceChildren();
  const printed = some.map(() => "");
  let at = 0;
  const show = (step: number): void =>
    showPrinted(blocks[step] as LessonBlock, printed[step] ?? "");
  worker = new Worker(new URL("runner.js", import.meta.url), { type: "module" });
  stop.disabled = false;
  const began = performance.now();
  worker.onmessage = ({ data: told }: MessageEvent<RunTold>) => {
    if (told.kind === "begun") {
      if (told.step > 0) show(told.step - 1);
      at = told.step;
      status.textContent = `Running block ${at + 1} of ${some.length} ...`;
    } else if (told.kind === "printed") printed[at] += told.text;
    else if (told.kind === "figure") showFigure(blocks[at] as LessonBlock, told);
    else if (told.kind === "failed") fail(blocks[at] as LessonBlock, told.message);
    else {
      show(at);
      end(`${verdictOn(some, printed)} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    }
  };
  worker.onerror = (event) =>
    fail(blocks[at] as LessonBlock, event.message || "the worker can't be loaded");
  const code = some.map((block) => ({ text: textOf(block), line: block.step.line }));
  worker.postMessage({ code: moduleFrom(code, (step) => `beginStep(${step});`) });
}

function verdictOn(some: readonly LessonBlock[], printed: readonly string[]): string {
  const other = some.filter(
    ({ step }, i) => changesOf(step.expected ?? undefined, printed[i] ?? "").length > 0,
  );
  if (other.length === 0) return "Everything was printed as the lesson says.";
  return `${other.length} of ${some.length} blocks printed something else than the lesson says.`;
}

function fail({ result }: LessonBlock, message: string): void {
  result.append(paragraph("failed", message));
  end("Stopped by an error.");
}

// --- Showing -----------------------------------------------------------------------------------------

function paragraph(className: string, text: string): HTMLElement {
  const p = document.createElement("p");
  p.className = className;
  p.textContent = text;
  return p;
}

/** What a block printed, beside what the lesson says: one sentence where they are the same. */
function showPrinted({ step, result }: LessonBlock, printed: string): void {
  const changes = changesOf(step.expected ?? undefined, printed);
  if (changes.length === 0) {
    if (printed !== "") result.prepend(paragraph("same", "Printed as the lesson says."));
    return;
  }
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  for (const change of changes) {
    const line = document.createElement(change.startsWith("-") ? "del" : "ins");
    line.textContent = `${change}\n`;
    pre.append(line);
  }
  result.prepend(paragraph("other", "- as the lesson says, + as it was printed now:"), pre);
}

/** A figure as it was drawn now, unless the lesson shows the same. */
function showFigure({ result }: LessonBlock, { path, svg }: RunTold & { kind: "figure" }): void {
  const shown = [...document.images].find((image) => path.endsWith(image.dataset.figure ?? "/"));
  const base64 = shown?.src.split(";base64,")[1] ?? "";
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  if (new TextDecoder().decode(bytes) === svg) {
    result.append(paragraph("same", "Drawn as the lesson shows."));
    return;
  }
  const image = document.createElement("img");
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  image.alt =
    /aria-label="([^"]*)"|<title>([^<]*)<\/title>/.exec(svg)?.slice(1).find(Boolean) ??
    "The figure that this block draws";
  result.append(image);
}

// --- Beginning ---------------------------------------------------------------------------------------

blocks.forEach((block, i) => {
  const tools = element<HTMLElement>(`.step[data-step="${i}"] .tools`);
  tools.hidden = false;
  element(".run", tools).addEventListener("click", () => run(i));
  block.edit.addEventListener("click", () => toggleEditor(block));
});
if (blocks.length > 0) element(".bar").hidden = false;
element("#run-all").addEventListener("click", () => run(blocks.length - 1));
stop.addEventListener("click", () => end("Stopped."));
