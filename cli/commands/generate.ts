// twoheads generate: what a model in a folder writes after a prompt. The folder is one that twoheads
// pretrain made, or any with config.json, model.safetensors and a tokenizer that nn opens.
// Next: ../../nn/generate.ts.

import { type Command, InvalidArgumentError } from "commander";
import { random } from "../../core/index.ts";
import { documentStart, generateAsync } from "../../nn/index.ts";
import { loadCausalLM, loadTokenizer } from "../../nn/node.ts";
import { baseFolder } from "./bases.ts";

const examples = `
Examples:
  $ twoheads generate spelled-1 --prompt "fox woods :"    a base of the demo, which comes with the package
  $ twoheads generate runs/pretrain-1 --samples 3
`;

interface Given {
  readonly prompt: string;
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
    .addHelpText("after", examples)
    .action((folder: string, given: Given) => runGenerate(folder, given));
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("Not a number.");
  return value;
}

async function runGenerate(folder: string, { prompt, seed, ...options }: Given): Promise<void> {
  const tokenizer = loadTokenizer(folder);
  const lm = loadCausalLM(folder);
  const { eos } = tokenizer.special;
  const ids = [...documentStart(tokenizer), ...tokenizer.encode(prompt, { parseSpecial: false })];
  const stop = eos === undefined ? [] : [eos];
  const texts = await generateAsync(lm, [ids], { ...options, stop, rng: random(seed) });
  const written = texts.map(
    ({ tokens }) => prompt + tokenizer.decode(tokens, { skipSpecial: true }),
  );
  console.log(written.map((text) => text.trim()).join("\n\n---\n\n"));
}
