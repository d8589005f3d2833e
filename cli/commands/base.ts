// twoheads base: pretrains the base model of a demo world into a folder, from where `twoheads generate`
// and the demo open it. The folders in ../demo/bases/ were made by this.
// Next: ../../lab/worlds/base.ts.

import type { Command } from "commander";
import { random } from "../../core/index.ts";
import { documents, perplexity, pretrainBase, worldNamed, worlds } from "../../lab/worlds/index.ts";
import { saveCausalLM, saveTokenizer } from "../../nn/node.ts";
import { breathe } from "../../nn/run/loop.ts";
import { displayFor, type JsonFlag, jsonOption, printFound } from "./json.ts";
import { naturalNumber } from "./numbers.ts";
import { clockTime } from "./progress.ts";

interface Given extends JsonFlag {
  readonly seed: number;
  readonly out?: string;
}

/** Adds the command. */
export function addBase(program: Command): void {
  program
    .command("base")
    .description("pretrain the small language model of a demo world and save it")
    .argument("<world>", `name of the demo world: ${Object.keys(worlds).join(" or ")}`)
    .option(
      "--seed <number>",
      "seed of all randomness; the same seed gives the same model to the bit",
      naturalNumber,
      0,
    )
    .option(
      "--out <folder>",
      "folder that the model is written to (default: runs/base-<world>-<seed>)",
    )
    .addOption(jsonOption())
    .action((name: string, given: Given) => runBase(name, given));
}

async function runBase(name: string, given: Given): Promise<void> {
  const { seed, out } = given;
  const world = worldNamed(name);
  const folder = out ?? `runs/base-${name}-${seed}`;
  const screen = displayFor(given);
  const start = performance.now();
  const lm = await pretrainBase(world, seed, async ({ step, steps, loss }) => {
    const left = clockTime(((performance.now() - start) / 1000 / step) * (steps - step));
    screen.show(step / steps, `step ${step}/${steps}  loss ${loss.toFixed(3)}  ${left} left`);
    await breathe();
  });
  screen.end();
  await saveCausalLM(folder, lm, world.tokenizer.special);
  await saveTokenizer(folder, world.tokenizer);
  const held = documents(world, 300, random(`${name} held out`));
  const data = { folder, parameters: lm.parameterCount(), perplexity: perplexity(lm, held) };
  const text = [
    `${data.parameters.toLocaleString("en-US")} parameters, perplexity ${data.perplexity.toFixed(2)}, in ${folder}`,
    `next: npx twoheads generate ${folder} --prompt "fox woods :" --temperature 1`,
  ];
  printFound(given, data, text.join("\n"));
}
