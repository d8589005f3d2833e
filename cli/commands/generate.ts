// twoheads generate: what a model in a folder writes after a prompt. The folder is one that twoheads
// pretrain made, or any with config.json, model.safetensors and a tokenizer that nn opens.
// Next: ../../nn/generate.ts.

import { type Command, InvalidArgumentError } from "commander";
import { random } from "../../core/index.ts";
import { openConversation } from "../../grm/data/sequences.ts";
import { documentStart, generateAsync, type Tokenizer } from "../../nn/index.ts";
import { loadTokenizer } from "../../nn/node.ts";
import { baseFolder } from "./bases.ts";
import { type JsonFlag, jsonOption, printFound } from "./json.ts";
import { openCausalLM, stopsOf, type UnfinishedFlag, unfinishedOption } from "./opened.ts";
import { checkTokens, templateHelp, templateNamed, templateOf } from "./reading.ts";

const examples = `
Examples:
  $ twoheads generate spelled-1 --prompt "fox woods :"    a base of the demo, which comes with the package
  $ twoheads generate runs/pretrain-1 --samples 3
  $ twoheads generate models/a-chat-model --chat "What is a reward model?" --system "Be brief."
`;

interface Given extends JsonFlag, UnfinishedFlag {
  readonly prompt: string;
  readonly chat?: string;
  readonly system?: string;
  readonly template?: string;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly samples: number;
  readonly maxTokens: number;
  readonly seed: number;
}

/** Adds the command. */
export function addGenerate(program: Command): void {
  program
    .command("generate")
    .description("let a language model continue a prompt")
    .argument(
      "<folder>",
      "language model that writes: the folder of a run, or a base's name such as spelled-1",
      baseFolder,
    )
    .option("--prompt <text>", "text to continue (without one, the model begins a document)", "")
    .option(
      "--chat <text>",
      "message of a user to answer, written by the model's chat template (in place of --prompt)",
    )
    .option("--system <text>", "what the system says before the message of --chat")
    .option("--template <name>", templateHelp)
    .option(
      "--temperature <number>",
      "temperature of sampling; 0 always takes the likeliest token",
      number,
      0.8,
    )
    .option(
      "--top-k <number>",
      "draw each token from the k likeliest ones (default: from all)",
      number,
    )
    .option(
      "--top-p <number>",
      "draw each token from the likeliest ones that together have this probability (default: from all)",
      number,
    )
    .option("--samples <number>", "number of texts to write", number, 1)
    .option(
      "--max-tokens <number>",
      "largest number of tokens that are written to a text",
      number,
      200,
    )
    .option("--seed <number>", "seed of sampling; the same seed gives the same texts", number, 0)
    .addOption(jsonOption())
    .addOption(unfinishedOption())
    .addHelpText("after", examples)
    .action((folder: string, given: Given) => runGenerate(folder, given));
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("Not a number.");
  return value;
}

async function runGenerate(folder: string, given: Given): Promise<void> {
  const { prompt, chat, system, template, seed, json = false, unfinished: _, ...options } = given;
  const tokenizer = loadTokenizer(folder);
  const lm = openCausalLM(folder, given);
  checkTokens("generate", tokenizer, lm.model.vocabSize);
  const ids =
    chat === undefined
      ? [...documentStart(tokenizer), ...tokenizer.encode(prompt, { parseSpecial: false })]
      : chatIds(folder, { ...given, chat }, tokenizer);
  const stop = stopsOf(folder, tokenizer);
  const texts = await generateAsync(lm, [ids], { ...options, stop, rng: random(seed) });
  const before = chat === undefined ? prompt : "";
  const written = texts.map(({ tokens }) =>
    `${before}${tokenizer.decode(tokens, { skipSpecial: true })}`.trim(),
  );
  const samples = texts.map(({ tokens }, i) => ({ text: written[i], tokens: tokens.length }));
  printFound({ json }, { model: folder, seed, samples }, written.join("\n\n---\n\n"));
}

/** A user's message, and the assistant's turn begun. */
function chatIds(
  folder: string,
  { chat, system, template: name }: Given & { chat: string },
  tokenizer: Tokenizer,
): number[] {
  const own = templateOf(folder);
  const template = name === undefined ? own.template : templateNamed(name);
  console.error(`conversation: written by ${name ?? own.from}`);
  const start = system === undefined ? [] : [{ role: "system", content: system } as const];
  return openConversation([...start, { role: "user", content: chat }], template, tokenizer);
}
