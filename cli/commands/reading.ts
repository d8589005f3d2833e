// How text becomes tokens, as options of the commands that read data. Next: ../../grm/data/sequences.ts.

import { type Command, Option } from "commander";
import {
  type ChatTemplate,
  chatTemplate,
  type Reading,
  type Truncation,
  templates,
  truncations,
} from "../../grm/data/index.ts";
import { readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { wholeNumber } from "./numbers.ts";

export interface ReadingFlags {
  readonly maxLength?: number;
  readonly truncation?: Truncation;
  readonly template?: string;
}

/** Adds the options; without them, what a model was trained with holds. */
export function addReadingOptions(command: Command): Command {
  const names = Object.keys(templates).join(", ");
  return command
    .option(
      "--max-length <number>",
      "longest sequence of prompt and answer, in tokens (default: what the model was trained with)",
      wholeNumber,
    )
    .addOption(
      new Option(
        "--truncation <policy>",
        "what becomes of longer sequences: the oldest part of the prompt is cut, the end of the answer is cut, or they are dropped",
      ).choices([...truncations]),
    )
    .option(
      "--template <name>",
      `template that conversations are written by: ${names}, or a .json file`,
    );
}

/** What was asked for, and where nothing was, `otherwise`. */
export function readingOf(flags: ReadingFlags, otherwise: Reading): Reading {
  const { maxLength, truncation, template } = flags;
  return {
    maxLength: maxLength ?? otherwise.maxLength,
    truncation: truncation ?? otherwise.truncation,
    template: template === undefined ? otherwise.template : templateNamed(template),
  };
}

/** A template by its name, or from a file {"system": ..., "user": ..., "assistant": ...}. */
function templateNamed(name: string): ChatTemplate {
  const known = Object.hasOwn(templates, name) ? templates[name] : undefined;
  return known ?? chatTemplate(parseJson(name, readFile(name)).value);
}
