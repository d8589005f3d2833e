// twoheads demo (npm run demo): what a text-generation loss does to a reward model, in a world where the
// truth is known. Pretrains small language models, trains reward models from them in every way at every
// rate, and prints what came of it. This file talks to the person; the work is in ../demo/.
// Next: ../../lab/demo/plan.ts for what is done, ../../lab/demo/run.ts for how, ../../lab/demo/table.ts for what is concluded.

import { availableParallelism } from "node:os";
import { type Command, InvalidArgumentError } from "commander";
import { runJob } from "../../lab/demo/job.ts";
import { fullPlan, type Plan, quickPlan } from "../../lab/demo/plan.ts";
import { demoFile, resultsOfPlan, writeResults } from "../../lab/demo/resultFile.ts";
import type { Result } from "../../lab/demo/results.ts";
import { committedBase, type RunOptions, runDemo } from "../../lab/demo/run.ts";
import { conclusion, introduction, nextCommands } from "../../lab/demo/text.ts";
import { serveJobs, workerOf } from "../../lab/workers.ts";
import { joinPath } from "../../nn/checkpoints/files.ts";
import { replaceFile } from "../../nn/node.ts";
import { clockTime, type Display, display } from "./progress.ts";
import { stopOnSignals } from "./stop.ts";

interface Given {
  readonly seeds?: number;
  readonly seed: number;
  readonly fresh?: boolean;
  readonly quick?: boolean;
  readonly json?: string;
  readonly out?: string;
  readonly workers: number;
}

const defaultWorkers = Math.min(8, availableParallelism()); // each takes about 300 MB

const quietly: Display = { say() {}, show() {}, end() {} };

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
    .option(
      "--json <file>",
      "keep the results there, a line of JSON each, and go on with those that are there",
    )
    .option(
      "--out <folder>",
      "where report.html goes (default: runs/demo, of --quick runs/demo-quick)",
    )
    .option("--workers <number>", "processes that work at once", whole, defaultWorkers)
    .addHelpText("after", examples)
    .action((given: Given) => demo(given));
  program.command(workerOf("demo"), { hidden: true }).action(() => serveJobs(runJob));
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
  /** Where the report goes, and what it is made from. */
  readonly folder: string;
  readonly command: string;
}

function settle({ seeds, seed, quick, json, out }: Given): Settled {
  const count = Math.max(1, seeds ?? (quick ? 1 : 3));
  const file = json ?? (seeds === undefined || quick ? null : "runs/demo-seeds.jsonl");
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
    folder: out ?? (quick ? "runs/demo-quick" : "runs/demo"),
    command: ["twoheads demo", ...flags].join(" "),
  };
}

async function demo(given: Given): Promise<void> {
  const settled = settle(given);
  const { plan, seeds } = settled;
  // the first seed's base is always made before the reader's eyes
  const isMade = (seed: number): boolean =>
    given.fresh || given.quick || seed === given.seed || committedBase(seed) === undefined;
  console.log(introduction(plan, seeds, isMade));
  const results = await work(settled, isMade, Math.max(1, given.workers));
  if (results === null) return;
  console.log(`\n${conclusion(results, plan)}`);
  console.log(
    `\nThe report, with two of the models looked into: ${await report(results, settled)}`,
  );
  console.log(nextCommands());
}

/** Writes the folder's report; returns where it is. */
async function report(
  results: readonly Result[],
  { plan, folder, command }: Settled,
): Promise<string> {
  const screen = process.stdout.isTTY ? display() : quietly; // a file gets the same lines every time
  try {
    await writeResults(joinPath(folder, demoFile), { command, plan, results });
    const { demoPageOf } = await import("./demoReport.ts"); // with what it takes to draw
    const html = await demoPageOf(folder, (done, status) => screen.show(done, status));
    const path = joinPath(folder, "report.html");
    await replaceFile(path, html);
    return path;
  } finally {
    screen.end();
  }
}

/** All results; null if the user stopped it. */
async function work(
  { plan, seeds, file, folder, command }: Settled,
  isMade: (seed: number) => boolean,
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
      isMade,
      known,
      workers,
      keep: folder,
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
