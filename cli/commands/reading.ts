// How text becomes tokens, as options of the commands that read data. Next: ../../grm/data/sequences.ts.

import { type Command, Option } from "commander";
import { ArgumentError } from "../../core/index.ts";
import { chatTemplateIn, dated } from "../../grm/data/chat.ts";
import {
  type ChatTemplate,
  chatTemplate,
  type Reading,
  type Truncation,
  templates,
  transcript,
  truncations,
} from "../../grm/data/index.ts";
import { folderOnDisk, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import type { Tokenizer } from "../../nn/index.ts";
import { wholeNumber } from "./numbers.ts";

export interface ReadingFlags {
  readonly maxLength?: number;
  readonly truncation?: Truncation;
  readonly template?: string;
}

/** What --template takes. */
export const templateHelp =
  `template that conversations are written by: ${Object.keys(templates).join(", ")}, a .json file of turns, ` +
  "or a .jinja file (default: the model's own chat template, else transcript)";

/** Adds the options; without them, what a model was trained with holds. */
export function addReadingOptions(command: Command): Command {
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
    .option("--template <name>", templateHelp);
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

/** The chat template of a base, and in words where it is from; transcript where it has none. */
export function templateOf(base: string): { template: ChatTemplate; from: string } {
  const found = chatTemplateIn(folderOnDisk(base));
  if (found === null) return { template: transcript, from: "transcript" };
  return { template: found.template, from: `the chat template in ${joinPath(base, found.file)}` };
}

/** A template by its name, or from a file {"system": ..., "user": ..., "assistant": ...}. */
export function templateNamed(name: string): ChatTemplate {
  const known = Object.hasOwn(templates, name) ? templates[name] : undefined;
  if (known !== undefined) return known;
  if (name.endsWith(".jinja")) return dated(new TextDecoder().decode(readFile(name)));
  return chatTemplate(parseJson(name, readFile(name)).value);
}

/** Throws if a tokenizer has more tokens than a model knows. */
export function checkTokens(command: string, tokenizer: Tokenizer, vocabSize: number): void {
  if (tokenizer.vocabSize <= vocabSize) return;
  throw new ArgumentError(
    `${command}: the tokenizer has ${tokenizer.vocabSize} tokens, the model ${vocabSize}; they don't belong together`,
  );
}
