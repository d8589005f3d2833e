// twoheads generate: what a model in a folder writes after a prompt. The folder is one that twoheads
// pretrain made, or any with config.json, model.safetensors and a tokenizer that nn opens.
// Next: ../../nn/generate.ts.

import { type Command, InvalidArgumentError } from "commander";
import { random } from "../../core/index.ts";
import { documentStart, generateAsync } from "../../nn/index.ts";
import { loadCausalLM, loadTokenizer } from "../../nn/node.ts";

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
    .description("write what a model makes of a prompt")
    .argument("<folder>", "a model's folder, such as the one of a pretraining run")
    .option("--prompt <text>", "what to continue; without one, a text begins", "")
    .option("--temperature <number>", "0 takes the likeliest token", number, 0.8)
    .option("--top-k <number>", "draw from the k likeliest tokens", number)
    .option("--top-p <number>", "draw from the likeliest tokens with this share", number)
    .option("--samples <number>", "how many texts", number, 1)
    .option("--max-tokens <number>", "the longest text, in tokens", number, 200)
    .option("--seed <number>", "same seed, same texts", number, 0)
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
