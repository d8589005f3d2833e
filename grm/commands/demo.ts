// twoheads demo (npm run demo): what a text-generation loss does to a reward model, in a world where the
// truth is known. Pretrains small language models, trains reward models from them in every way at every
// rate, and prints what came of it. This file talks to the person; the work is in ../demo/.
// Next: ../demo/plan.ts for what is done, ../demo/table.ts for what is concluded.

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { type Command, InvalidArgumentError } from "commander";
import { random } from "../../core/index.ts";
import { fullPlan, type Plan, quickPlan } from "../demo/plan.ts";
import {
  type Result,
  type ResultFile,
  readResults,
  resultsOfPlan,
  writeResults,
} from "../demo/results.ts";
import { committedBase, type RunOptions, runDemo } from "../demo/run.ts";
import { accuracyTable, differenceTable, verdict } from "../demo/table.ts";
import { serveJobs, workerCommand } from "../demo/workers.ts";
import { type Comparison, spelled, spelledPairs } from "../worlds/index.ts";
import { clockTime, type Display, display } from "./progress.ts";
import { stopOnSignals } from "./stop.ts";
import { storyText } from "./world.ts";

interface Given {
  readonly seeds?: number;
  readonly seed: number;
  readonly fresh?: boolean;
  readonly quick?: boolean;
  readonly json?: string;
  readonly workers: number;
}

const examples = `
Examples:
  $ twoheads demo                     a base live and two from checkpoints, three minutes on two cores
  $ twoheads demo --quick             everything once, nothing learnt: is it all there?
  $ twoheads demo --seeds 30          many seeds; stop it and start it again as you like
  $ twoheads demo --fresh --seed 100  three seeds that nobody has seen
`;

/** Adds the command, and the hidden one that workers run. */
export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("what a text-generation loss does to a reward model, measured in three minutes")
    .option("--seeds <number>", "how many; each has its own base and data (default: 3)", whole)
    .option("--seed <number>", "the first of them; same seeds, same table", whole, 0)
    .option("--fresh", "pretrain all bases, though two are there")
    .option("--quick", "everything runs, nothing is learnt")
    .option("--json <file>", "keep the results there; goes on with those that are there already")
    .option("--workers <number>", "processes that work at once", whole, availableParallelism())
    .addHelpText("after", examples)
    .action((given: Given) => demo(given));
  program.command(workerCommand, { hidden: true }).action(serveJobs);
}

function whole(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Not a whole number.");
}

/** How large, which seeds, and where the results are kept. */
interface Settled {
  readonly plan: Plan;
  readonly seeds: readonly number[];
  readonly file: string | null;
  readonly command: string;
}

function settle({ seeds, seed, quick, json }: Given): Settled {
  const count = Math.max(1, seeds ?? (quick ? 1 : 3));
  const file = json ?? (seeds === undefined || quick ? null : "runs/demo-seeds.json");
  const flags = [
    ...(quick ? ["--quick"] : []),
    `--seeds ${count}`,
    ...(seed === 0 ? [] : [`--seed ${seed}`]),
    ...(file === null ? [] : [`--json ${file}`]),
  ];
  return {
    plan: quick ? quickPlan : fullPlan,
    seeds: Array.from({ length: count }, (_, i) => seed + i),
    file,
    command: ["twoheads demo", ...flags].join(" "),
  };
}

async function demo(given: Given): Promise<void> {
  const settled = settle(given);
  const { plan, seeds } = settled;
  // the first seed's base is always made before the reader's eyes
  const fresh = (seed: number): boolean => given.fresh || given.quick || seed === given.seed;
  console.log(introduction(plan, seeds, fresh));
  const results = await work(settled, fresh, Math.max(1, given.workers));
  if (results !== null) console.log(`\n${conclusion(results, settled, given.quick ?? false)}`);
}

/** All results; null if the user stopped it. */
async function work(
  { plan, seeds, file, command }: Settled,
  fresh: (seed: number) => boolean,
  workers: number,
): Promise<readonly Result[] | null> {
  const known = file === null ? [] : resultsOfPlan(file, plan);
  if (known.length > 0) console.log(`${file} holds ${known.length} results already; they stay.\n`);
  const screen = display();
  const stop = stopOnSignals(
    () => screen.say("stopping"),
    () => screen.end(),
  );
  try {
    const others = known.filter(({ seed }) => !seeds.includes(seed));
    const keep = (results: readonly Result[]) =>
      file === null
        ? undefined
        : writeResults(file, { command, plan, results: [...others, ...results] });
    const results = await runDemo({
      plan,
      seeds,
      fresh,
      known,
      workers,
      signal: stop.signal,
      onProgress: progressOf(screen, seeds[0] ?? 0),
      onResults: keep,
    });
    await keep(results);
    if (!stop.signal.aborted) return results;
  } finally {
    stop.dispose();
    screen.end();
  }
  console.log(file === null ? "stopped" : `stopped; the same command goes on with ${file}`);
  process.exitCode = 130; // as a shell says it: 128 + SIGINT
  return null;
}

/** Shows the share that is done and the time left; of the base that is made first, its loss and what it writes. */
function progressOf(screen: Display, live: number): RunOptions["onProgress"] {
  const start = performance.now();
  return (done, { kind, seed }, { loss, sample }) => {
    const seconds = (performance.now() - start) / 1000;
    const left = done === 0 ? "" : `, ${clockTime((seconds * (1 - done)) / done)} left`;
    const doing = `${kind === "base" ? "base" : "reward model"} of seed ${seed}`;
    const at = loss === undefined ? "" : `, loss ${loss.toFixed(2)}`;
    screen.show(done, `${clockTime(seconds)} gone${left}; ${doing}${at}`);
    if (sample === undefined || seed !== live) return;
    screen.say(`base ${seed}, step ${sample.step}${at}:\n  ${shortened(sample.text)}`);
  };
}

/** A line's worth of a text. */
function shortened(text: string): string {
  return text.length <= 94 ? text : `${text.slice(0, 94).replace(/ \S*$/, "")} ...`;
}

// --- What is said ------------------------------------------------------------------------------------

function introduction(plan: Plan, seeds: readonly number[], fresh: (seed: number) => boolean) {
  const isMade = (seed: number): boolean => fresh(seed) || committedBase(seed) === undefined;
  const made = seeds.filter(isMade);
  const taken = seeds.filter((seed) => !isMade(seed));
  const list = (some: readonly number[]): string =>
    some.length > 4 ? `${some[0]} to ${some.at(-1)}` : some.join(", ");
  const count = (n: number): string => n.toLocaleString("en-US");
  return `
WHAT DOES A TEXT-GENERATION LOSS DO TO A REWARD MODEL?   (GRM, arXiv 2406.10216)

The world is a miniature English in which the worth of a story is a formula: what is said of the
character in its title, pleasant (+) against unpleasant (-). For example, better and worse:
${example()}
Mood words are spelled in two pieces that they share with others, so a model must look them up.

1. A small language model reads ${count(plan.baseSteps * 32)} stories of the whole world: the base. A seed has its
   own base. Pretrained now: ${list(made)}.${taken.length === 0 ? "" : ` From checkpoints in grm/demo/bases: ${list(taken)}.`}
2. From each base, reward models learn from ${plan.pairs} noisy preferences that show a small part of the
   world: two of four domains, frequent words, simple sentences.
     frozen backbone   only the reward head learns
     BT                everything learns, from preferences alone (Bradley-Terry)
     stopped early     BT with the weights that did best on ${plan.validation} other preferences
     GRM-SFT, -DPO     the same, and the language model's head goes on predicting text from the
                       very hidden states that the reward is read from
   each at three learning rates, since the rate may matter as much as the method.
3. All are tested on pairs like those they learnt from (id), and on pairs from where the preferences
   never were: other domains, rare words, complex sentences, and all at once. OOD is their mean.
`;
}

/** The shortest of some pairs of a good and a bad story. */
function example(): string {
  const pairs = spelledPairs("id", 300, { labels: "true" }, random("example"));
  const length = ({ chosen, rejected }: Comparison): number =>
    chosen.response.length + rejected.response.length;
  const isClear = ({ chosen, rejected }: Comparison): boolean =>
    spelled.gold(chosen) > 1 && spelled.gold(rejected) < -1;
  const [pair] = pairs.filter(isClear).sort((a, b) => length(a) - length(b));
  if (pair === undefined) return "";
  return `  ${storyText(spelled, pair.chosen)}\n  ${storyText(spelled, pair.rejected)}`;
}

const reading = `
How to read it: accuracies are percentages of pairs ranked right, 50 is chance. ± is half of a 95 %
interval over seeds. "LM ppl" is how perplexed the model's language-model head ends up by stories
of the whole world; what it was before is in the head of the column.
`;

function conclusion(results: readonly Result[], { plan, seeds }: Settled, isQuick: boolean) {
  const many = isQuick ? null : manySeeds(plan);
  const manyCount = new Set(many?.results.map(({ seed }) => seed)).size;
  const parts = [
    accuracyTable(results, many?.results ?? null, plan),
    reading,
    `Differences out of distribution, in points, paired by seed, ${seedsText(seeds.length)}:`,
    differenceTable(results, plan),
    ...(many === null
      ? []
      : [
          `\nThe same from ${seedsText(manyCount)} (grm/demo/seeds.json, made by: ${many.command}):`,
          differenceTable(many.results, plan),
        ]),
    `\n${verdict(results, plan)}`,
    ...(many === null
      ? []
      : [`\nThe same questions to ${seedsText(manyCount)}.`, verdict(many.results, plan)]),
    limits(seeds.length, isQuick),
    nextCommands(),
  ];
  return parts.join("\n");
}

const seedsText = (count: number): string => (count === 1 ? "1 seed" : `${count} seeds`);

/** The committed results of many seeds, if they are there and of the same plan. */
function manySeeds(plan: Plan): ResultFile | null {
  const found = readResults(fileURLToPath(new URL("../demo/seeds.json", import.meta.url)));
  return found !== null && JSON.stringify(found.plan) === JSON.stringify(plan) ? found : null;
}

function limits(seeds: number, isQuick: boolean): string {
  if (isQuick) return "\nA quick run: everything works, and the numbers mean nothing.";
  return `
What this does not show: anything about large models, human preferences or other worlds. A "best
rate" is chosen on the tests themselves, which flatters every method. An interval that holds 0
is not a proof that there is no difference${seeds < 10 ? `, and with ${seedsText(seeds)} it is wide` : ""}.`;
}

function nextCommands(): string {
  const base = committedBase(1) === undefined ? "runs/base-spelled-0" : "grm/demo/bases/1";
  return `
Next:
  npx twoheads world spelled --pairs all                      read the pairs that were hardest
  npx twoheads generate ${base} --prompt "fox woods :"   what a base writes
  npx twoheads demo --seeds 10                                more seeds, narrower intervals`;
}
