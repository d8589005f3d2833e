// twoheads overopt (npm run overopt): reward models optimised against, by best-of-n and by reinforcement
// learning, in a world whose true reward is known. This file talks to the person; the work is in
// ../overopt/comparison/. Next: ../../lab/overopt/plan.ts.

import { availableParallelism } from "node:os";
import { type Command, InvalidArgumentError } from "commander";
import { fullPlan, type OveroptPlan, quickPlan } from "../../lab/overopt/plan.ts";
import { textReport } from "../../lab/overopt/report.ts";
import { seedsOfPlan, writeResults } from "../../lab/overopt/resultFile.ts";
import type { SeedResult } from "../../lab/overopt/results.ts";
import { runSeeds, serveSeeds } from "../../lab/overopt/seeds.ts";
import { workerOf } from "../../lab/workers.ts";
import { worldNamed } from "../../lab/worlds/index.ts";
import { joinPath } from "../../nn/checkpoints/files.ts";
import { replaceFile } from "../../nn/node.ts";
import { holding } from "../../nn/run/lock.ts";
import { figureOf } from "../../report/overoptFigure.ts";
import { displayFor, type JsonFlag, jsonOption, printFound, sayFor } from "./json.ts";
import { naturalNumber, wholeNumber } from "./numbers.ts";
import { clockTime } from "./progress.ts";
import { reportOf } from "./report.ts";
import { exitAsStopped, stopOnSignals } from "./stop.ts";

interface Given extends JsonFlag {
  readonly seeds?: number;
  readonly seed: number;
  readonly quick?: boolean;
  readonly policies: boolean;
  readonly world: "tales" | "spelled";
  readonly flips: number;
  readonly out?: string;
  readonly workers: number;
}

const examples = `
Examples:
  $ twoheads overopt                     five seeds, all reward models, under ten minutes on two cores
  $ twoheads overopt --quick             two seeds, three reward models, under two minutes
  $ twoheads overopt --no-policies --seeds 20    best-of-n alone, many seeds
  $ twoheads overopt --seeds 20          narrower intervals; stop it and start it again as you like
  $ twoheads overopt --flips 0 --out runs/overopt-clean
`;

/** Adds the command, and the hidden one that does a seed. */
export function addOveropt(program: Command): void {
  program
    .command("overopt")
    .description(
      "optimise learnt rewards until true quality falls, and see which rewards hold longest",
    )
    .option(
      "--seeds <number>",
      "number of seeds, each with a base of its own (default: 5, with --quick 2)",
      wholeNumber,
    )
    .option(
      "--seed <number>",
      "the first seed; the same seeds give the same table",
      naturalNumber,
      0,
    )
    .option("--quick", "run a smaller plan: fewer seeds, reward models and steps")
    .option("--no-policies", "leave PPO and RLOO out, and measure best-of-n alone")
    .option("--world <name>", "demo world whose stories are written: tales or spelled", "tales")
    .option(
      "--flips <share>",
      "share of the preference pairs whose labels are flipped, as noise",
      share,
      fullPlan.flips,
    )
    .option(
      "--out <folder>",
      "folder that results.json, figure.svg and report.html are written to (default: runs/overopt, with --quick runs/overopt-quick)",
    )
    .option(
      "--workers <number>",
      "number of processes that work at the same time",
      wholeNumber,
      availableParallelism(),
    )
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((given: Given) => overopt(given));
  program.command(workerOf("overopt"), { hidden: true }).action(serveSeeds);
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("Not a share from 0 to 1.");
}

/** What is to be done, and the command that says so. */
interface Settled {
  readonly plan: OveroptPlan;
  readonly seeds: readonly number[];
  readonly folder: string;
  readonly command: string;
}

function settle({ seeds, seed, quick, policies, world, flips, out }: Given): Settled {
  worldNamed(world); // or an error that lists the names
  const count = seeds ?? (quick ? 2 : 5);
  const plan = quick ? quickPlan : fullPlan;
  const kind = `${quick ? "-quick" : ""}${policies ? "" : "-bon"}`;
  const flags = [
    ...(quick ? ["--quick"] : []),
    `--seeds ${count}`,
    ...(policies ? [] : ["--no-policies"]),
    ...(seed === 0 ? [] : [`--seed ${seed}`]),
    ...(world === "tales" ? [] : [`--world ${world}`]),
    ...(flips === fullPlan.flips ? [] : [`--flips ${flips}`]),
  ];
  return {
    plan: { ...plan, world, flips, policies: policies ? plan.policies : [] },
    seeds: Array.from({ length: count }, (_, i) => seed + i),
    folder: out ?? `runs/overopt${kind}`,
    command: ["twoheads overopt", ...flags].join(" "),
  };
}

async function overopt(given: Given): Promise<void> {
  const settled = settle(given);
  await holding([joinPath(settled.folder, "results.json")], () => compare(settled, given));
}

async function compare(settled: Settled, given: Given): Promise<void> {
  const say = sayFor(given);
  say(introduction(settled));
  const results = await work(settled, given);
  const { plan, seeds, folder, command } = settled;
  const own = results.filter(({ seed }) => seeds.includes(seed));
  if (own.length < seeds.length) {
    say(
      `stopped with ${own.length} of ${seeds.length} seeds; the same command goes on with ${folder}`,
    );
    exitAsStopped();
    return;
  }
  await replaceFile(joinPath(folder, "figure.svg"), `${figureOf(own)}\n`);
  say(conclusion(own, settled));
  const { told, path } = await reportOf(folder);
  printFound(given, { command, plan, seeds: own, folder, report: path }, told);
}

function introduction({ plan, seeds, folder }: Settled): string {
  const policies = plan.policies.map(
    ({ algorithm, judges }) => `${algorithm.toUpperCase()} against ${judges.join(", ")}`,
  );
  return `
WHAT HAPPENS TO TRUE QUALITY WHEN A LEARNT REWARD IS OPTIMISED?   (GRM, arXiv 2406.10216; Gao et al., 2210.10760)

In the world "${plan.world}" the worth of a story is a formula. For each of ${seeds.length} seeds a small language model
is pretrained; ${plan.pairs} pairs of its stories get noisy labels; reward models learn from them; then each is
  - asked to choose the best of n = 1..${plan.samples} stories to ${plan.prompts} titles,
${policies.length === 0 ? "" : `  - and made the reward of policies: ${policies.join("; ")}.\n`}"gold" is the formula itself: it shows what the optimisers can do. Results go to ${folder}.
`;
}

/** All results that there are afterwards. */
async function work(settled: Settled, given: Given): Promise<readonly SeedResult[]> {
  const { plan, seeds, folder, command } = settled;
  const file = joinPath(folder, "results.json");
  let results = seedsOfPlan(file, plan);
  if (results.length > 0)
    sayFor(given)(`${file} holds ${results.length} seeds already; they stay.\n`);
  const missing = seeds.filter((seed) => !results.some((result) => result.seed === seed));
  const screen = displayFor(given);
  const stop = stopOnSignals(
    () => screen.say("stopping"),
    () => screen.end(),
  );
  const start = performance.now();
  try {
    await runSeeds({
      seeds: missing,
      plan,
      workers: given.workers,
      signal: stop.signal,
      onProgress(done, doing) {
        const seconds = (performance.now() - start) / 1000;
        const left = done > 0.01 ? `${clockTime((seconds * (1 - done)) / done)} left, ` : "";
        screen.show(done, `${clockTime(seconds)} gone, ${left}${doing}`);
      },
      async onResult(result) {
        results = [...results, result];
        await writeResults(file, { command, plan, seeds: [...results] });
        screen.say(`seed ${result.seed} is done`);
      },
    });
  } finally {
    stop.dispose();
    screen.end();
  }
  return seedsOfPlan(file, plan); // rounded and in order, as who comes back to them reads them
}

function conclusion(results: readonly SeedResult[], { plan, folder }: Settled): string {
  return `
${textReport(results, plan)}

What this does not show: anything about large models or human preferences. The rates, alpha and beta were set
beforehand for this world and size; another rate may turn the order around.

The figure: ${joinPath(folder, "figure.svg")}
Next:
  npx twoheads bon --judge grm-sft     one reward model's best-of-n, with its answers
  npx twoheads ppo --judge gold        watch a policy learn from the true reward`;
}
