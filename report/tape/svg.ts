// One call from a loss to a picture of its tape: tapeToSvg. Next: graph.ts, layout.ts, draw.ts.

import { ArgumentError, GraphError, Tensor } from "../../core/index.ts";
import { accept, signature } from "../../core/signature.ts";
import { Module } from "../../nn/index.ts";
import { escape } from "../html.ts";
import { modulesAround, tintsOf } from "./boxes.ts";
import { drawTape, type SvgPart, tapeStyle } from "./draw.ts";
import { isReleased, tapeGraph } from "./graph.ts";
import { itemsOf, layOut } from "./layout.ts";
import { noModules, type TapeModules, watchModules, withParts } from "./modules.ts";

const takes = signature(
  "tapeToSvg",
  "loss: Tensor | function, { model?: Module, gradients?: boolean, depth?: number }",
  () => ({ Module }),
);

/** How a tape is drawn. */
export interface TapeSvgOptions {
  /** Whose modules are frames around their ops; the loss must then be a function, which runs it. */
  readonly model?: Module;
  /** Whether each box has its gradient: false is the tape before backward(). Default true. */
  readonly gradients?: boolean;
  /** How many levels of modules are open; those below are one box each. Default: all. */
  readonly depth?: number;
}

/** What a function may return besides a loss: named results of which the ops that lead to each are a frame, too. */
export interface NamedLosses {
  readonly loss: Tensor;
  readonly parts?: Readonly<Record<string, Tensor | null>>;
}

/** More would take minutes to lay out, and nobody could read them. */
const mostItems = 600;

const light =
  "--ink:#1b1b1f;--soft:#575761;--paper:#fbfbfc;--card:#fff;--line-strong:#9a9aa6;" +
  "--up:#2f7ebc;--down:#c4602d;--reward:#9c3d86;--text:#00765a;--both:#1b1b1f";
const dark =
  "--ink:#ececf1;--soft:#acacb8;--paper:#141417;--card:#1d1d21;--line-strong:#6a6a76;" +
  "--up:#6cb8ee;--down:#ff9a57;--reward:#e393cf;--text:#43c9a3;--both:#ececf1";

/**
 * The tape behind a loss as an SVG file's text: leaves, ops and arrows from the data to the loss, with values
 * and gradients; light or dark as its reader's system is. `loss` is a scalar, or with `model` a function that
 * computes one. Draw before backward() lets the graph go: gradients are found by a walk that keeps it and
 * writes no \`.grad\`. A GraphError where it is gone.
 */
export async function tapeToSvg(
  loss: Tensor | (() => Tensor | NamedLosses),
  options: TapeSvgOptions = {},
): Promise<string> {
  accept(takes, arguments);
  const { model, gradients = true, depth = Number.POSITIVE_INFINITY } = options;
  const { root, modules, ends } = found(loss, model);
  if (isReleased(root))
    throw new GraphError(
      "tapeToSvg: backward() has let the graph go; draw before it, or call backward({ retainGraph: true })",
    );
  if (root.node === null && !root.requiresGrad)
    throw new GraphError(
      "tapeToSvg: nothing was recorded; make a leaf with { requiresGrad: true }, and compute outside of noGrad",
    );
  const tape = await tapeGraph(root, modules, { gradients });
  const isOpen = (path: string): boolean => modulesAround(path, tape.modules).length <= depth;
  const count = itemsOf(tape, isOpen).length;
  if (count > mostItems)
    throw new ArgumentError(
      `tapeToSvg: ${count} boxes, more than the ${mostItems} that can be read; fold modules with { model, depth: 1 }, ` +
        "draw one step of a loop, or print it with showTape",
    );
  const tint = tintsOf(tape, ends);
  const ops = tape.boxes.filter(({ op }) => op !== "leaf").length;
  const label = `The tape of ${ops} ops${gradients ? ", with gradients" : ", before backward"}`;
  return fileText(drawTape(layOut(tape, isOpen), { label, tint }));
}

/** Runs what is to be run. */
function found(loss: Tensor | (() => Tensor | NamedLosses), model: Module | undefined) {
  if (loss instanceof Tensor) {
    if (model === undefined) return { root: loss, modules: noModules, ends: [] };
    throw new ArgumentError(
      "tapeToSvg: got a loss that was computed before, and a model; modules are seen while they run: " +
        "tapeToSvg(() => lossOf(model), { model })",
    );
  }
  const run =
    model === undefined ? { result: loss(), modules: noModules } : watchModules(model, loss);
  const given = run.result instanceof Tensor ? { loss: run.result } : run.result;
  if (!(given?.loss instanceof Tensor))
    throw new ArgumentError(
      "tapeToSvg: the function must return a tensor, or { loss, parts: { name: tensor } }",
    );
  const parts = "parts" in given ? (given.parts ?? {}) : {};
  const modules: TapeModules = withParts(run.modules, parts);
  return { root: given.loss, modules, ends: Object.keys(parts) };
}

/** A tree of SVG as text. */
export function svgText({ tag, attributes, inside }: SvgPart): string {
  const given = Object.entries(attributes).map(([name, x]) => ` ${name}="${escape(String(x))}"`);
  const body = inside.map((child) => (typeof child === "string" ? escape(child) : svgText(child)));
  return `<${tag}${given.join("")}>${body.join("")}</${tag}>`;
}

/** A picture as a file of its own. */
function fileText(svg: SvgPart): string {
  const style = `svg{${light};background:var(--paper)}@media (prefers-color-scheme:dark){svg{${dark}}}${tapeStyle}`;
  const attributes = { xmlns: "http://www.w3.org/2000/svg", ...svg.attributes };
  const inside = [{ tag: "style", attributes: {}, inside: [style] }, ...svg.inside];
  return `${svgText({ ...svg, attributes, inside })}\n`;
}
