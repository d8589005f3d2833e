// twoheads tape: the tape behind a loss as a picture, with values and gradients. A file exports the loss; without
// one, the smallest reward model with two heads is drawn. Next: ../../report/tape/svg.ts.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { ArgumentError, Tensor, TwoheadsError } from "../../core/index.ts";
import { namedLosses, tinyModel } from "../../lab/tiny.ts";
import { fileExists } from "../../nn/checkpoints/files.ts";
import { Module } from "../../nn/index.ts";
import { replaceFile } from "../../nn/node.ts";
import type { TapeSvgOptions, tapeToSvg } from "../../report/tape/svg.ts";
import { type JsonFlag, jsonOption, printFound } from "./json.ts";
import { naturalNumber } from "./numbers.ts";

interface Given extends JsonFlag {
  readonly out?: string;
  readonly before?: boolean;
  readonly depth?: number;
}

/** What tapeToSvg is given. */
interface Drawable {
  readonly loss: Parameters<typeof tapeToSvg>[0];
  readonly model?: Module;
}

const examples = `
A file exports "loss", a scalar tensor or a function that computes one, and may export "model", whose modules
become frames; the loss must then be a function.

Examples:
  $ twoheads tape                                 two heads on one pair, after backward
  $ twoheads tape --depth 1                       the same with most modules folded
  $ twoheads tape loss.mjs --before               the loss of a file of yours, values alone
`;

/** Adds the command. */
export function addTape(program: Command): void {
  program
    .command("tape")
    .description("draw the tape behind a loss as SVG: each op with its value and its gradient")
    .argument("[file]", "module that exports the loss (default: a tiny reward model and one pair)")
    .option("--before", "draw the tape before backward, without gradients")
    .option(
      "--depth <levels>",
      "levels of modules that are open; deeper ones are one box each (default: all)",
      naturalNumber,
    )
    .option("--out <file>", "SVG file that the picture is written to (default: tape.svg)")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(runTape);
}

async function runTape(file: string | undefined, given: Given): Promise<void> {
  const { out = "tape.svg", before = false, depth } = given;
  const { tapeToSvg } = await import("../../report/tape/svg.ts"); // with what it takes to draw
  const { loss, model } = file === undefined ? await tinyDrawable() : await exportsOf(file);
  const options: TapeSvgOptions = {
    gradients: !before,
    ...(depth !== undefined && { depth }),
    ...(model !== undefined && { model }),
  };
  const svg = await tapeToSvg(loss, options);
  await replaceFile(out, [new TextEncoder().encode(svg)]);
  printFound(given, { tape: out }, `the tape: ${out}`);
}

async function tinyDrawable(): Promise<Drawable> {
  const settings = { method: "grm-sft", alpha: 0.5, beta: 0.1, dtype: "float32" } as const;
  const { model, losses } = await tinyModel(settings);
  const loss: Drawable["loss"] = () => {
    const all = losses();
    return { loss: all.loss, parts: namedLosses(all) };
  };
  return { loss, model };
}

/** The loss and the model that a file exports. */
async function exportsOf(file: string): Promise<Drawable> {
  if (!fileExists(file)) throw new ArgumentError(`tape: there is no file ${file}`);
  const { loss, model } = await imported(file);
  if (typeof loss !== "function" && !(loss instanceof Tensor))
    throw new ArgumentError(
      `tape: ${file} must export "loss", a tensor or a function that computes one, made by the twoheads ` +
        "package that this command is of; it exports " +
        (loss === undefined ? "none" : "something else"),
    );
  if (model !== undefined && !(model instanceof Module))
    throw new ArgumentError(`tape: the "model" that ${file} exports is no Module of twoheads`);
  return { loss: loss as Drawable["loss"], ...(model !== undefined && { model }) };
}

async function imported(file: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(resolve(file)).href);
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_UNKNOWN_FILE_EXTENSION") throw error;
    throw new TwoheadsError(
      `tape: this Node can't run ${file}; give it JavaScript (.mjs), or use Node 22.18 or newer for TypeScript`,
    );
  }
}
