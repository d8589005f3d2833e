// twoheads frontier: out-of-distribution accuracy against what is left of the language model, for many
// weights of the text-generation loss. lab/frontier.jsonl was made by this.
// Next: ../../lab/frontier.ts.

import { type Command, InvalidArgumentError } from "commander";
import { committedBase } from "../../lab/demo/bases.ts";
import { fullPlan, quickPlan } from "../../lab/demo/plan.ts";
import {
  type FrontierPoint,
  frontierAlphas,
  frontierPoint,
  pointsOfPlan,
  writeFrontier,
} from "../../lab/frontier.ts";
import { pretrainBase, spelled } from "../../lab/worlds/index.ts";
import { fileExists, joinPath } from "../../nn/checkpoints/files.ts";
import { makeTemporaryFolder, removeTemporaryFolder } from "../../nn/checkpoints/temporary.ts";
import { saveCausalLM } from "../../nn/node.ts";
import { holding } from "../../nn/run/lock.ts";
import { breathe } from "../../nn/run/loop.ts";
import { displayFor, type JsonFlag, jsonOption, printFound } from "./json.ts";
import { wholeNumber } from "./numbers.ts";
import { clockTime, type Display } from "./progress.ts";

interface Given extends JsonFlag {
  readonly seeds: number;
  readonly rates: readonly number[];
  readonly alphas: readonly number[];
  readonly quick?: boolean;
  readonly out: string;
}

const examples = `
Examples:
  $ twoheads frontier                          three seeds, two rates, nine alphas: some minutes
  $ twoheads frontier --seeds 10               more certain; stop it and start it again as you like
`;

/** Adds the command. */
export function addFrontier(program: Command): void {
  program
    .command("frontier")
    .description(
      "measure accuracy out of distribution against what is left of the language model, for many weights alpha",
    )
    .option("--seeds <number>", "number of seeds, counted from 1", wholeNumber, 3)
    .option(
      "--rates <numbers...>",
      "learning rates that reward models are trained at",
      positive,
      [7e-4, 5e-3],
    )
    .option(
      "--alphas <numbers...>",
      "weights alpha of the text-generation loss, from 0 to 1",
      positive,
      [...frontierAlphas],
    )
    .option(
      "--quick",
      "run every point at a tiny size, to see that all of it works; nothing is learnt",
    )
    .option(
      "--out <file>",
      "JSON Lines file that keeps the points; those that it holds already are not run again",
      "runs/frontier.jsonl",
    )
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((given: Given) => runFrontier(given));
}

let seen: unknown;

/** For commander: collects numbers >= 0, starting anew where the defaults stood. */
function positive(text: string, before: readonly number[]): number[] {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) throw new InvalidArgumentError("Not a number >= 0.");
  const list = before === seen ? [...before, value] : [value];
  seen = list;
  return list;
}

async function runFrontier(given: Given): Promise<void> {
  await holding([given.out], () => makePoints(given));
}

async function makePoints(given: Given): Promise<void> {
  const { seeds, rates, alphas, quick, out } = given;
  const plan = quick ? quickPlan : fullPlan;
  const command = `twoheads frontier --seeds ${seeds} --rates ${rates.join(" ")} --alphas ${alphas.join(" ")}${quick ? " --quick" : ""}`;
  const wanted = Array.from({ length: seeds }, (_, i) => i + 1).flatMap((seed) =>
    rates.flatMap((lr) => alphas.map((alpha) => ({ seed, lr, alpha }))),
  );
  let points: readonly FrontierPoint[] = pointsOfPlan(out, plan);
  const bases = makeTemporaryFolder("frontier");
  const screen = displayFor(given);
  const start = performance.now();
  try {
    for (const [i, at] of wanted.entries()) {
      if (points.some((p) => p.seed === at.seed && p.lr === at.lr && p.alpha === at.alpha))
        continue;
      const folder = await baseOf(at.seed, bases, plan.baseSteps, screen);
      const gone = clockTime((performance.now() - start) / 1000);
      screen.show(
        i / wanted.length,
        `seed ${at.seed}, rate ${at.lr}, alpha ${at.alpha}; ${gone} gone`,
      );
      points = [...points, await frontierPoint(folder, at, plan)];
      await writeFrontier(out, { command, plan, points });
    }
  } finally {
    screen.end();
    removeTemporaryFolder(bases);
  }
  printFound(given, { command, points, out }, `${points.length} points in ${out}`);
}

/** The folder of a seed's base: the committed one, or one that is pretrained now. */
async function baseOf(
  seed: number,
  bases: string,
  steps: number,
  screen: Display,
): Promise<string> {
  const folder = committedBase(seed) ?? joinPath(bases, String(seed));
  if (fileExists(joinPath(folder, "model.safetensors"))) return folder;
  const lm = await pretrainBase(
    spelled,
    seed,
    async ({ step, loss }) => {
      screen.show(step / steps, `base ${seed}, step ${step}, loss ${loss.toFixed(2)}`);
      await breathe();
    },
    steps,
  );
  await saveCausalLM(folder, lm);
  return folder;
}
