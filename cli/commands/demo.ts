// twoheads demo (npm run demo): what a text-generation loss does to a reward model, in a world where the
// truth is known. Pretrains small language models, trains reward models from them in every way at every
// rate, and prints what came of it. This file talks to the person; the work is in ../demo/.
// Next: ../../lab/demo/plan.ts for what is done, ../../lab/demo/run.ts for how, ../../lab/demo/table.ts for what is concluded.

import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { committedBase } from "../../lab/demo/bases.ts";
import { runJob } from "../../lab/demo/job.ts";
import { type DemoPlan, fullPlan, quickPlan } from "../../lab/demo/plan.ts";
import { demoFile, resultsOfPlan, writeResults } from "../../lab/demo/resultFile.ts";
import type { DemoResult } from "../../lab/demo/results.ts";
import { type RunOptions, runDemo } from "../../lab/demo/run.ts";
import { conclusion, introduction, nextCommands } from "../../lab/demo/text.ts";
import { serveJobs, workerOf } from "../../lab/workers.ts";
import { joinPath } from "../../nn/checkpoints/files.ts";
import { replaceFile } from "../../nn/node.ts";
import { holding } from "../../nn/run/lock.ts";
import { displayFor, type JsonFlag, jsonOption, sayFor } from "./json.ts";
import { naturalNumber } from "./numbers.ts";
import { clockTime, type Display, display } from "./progress.ts";
import { exitAsStopped, stopOnSignals } from "./stop.ts";

interface Given extends JsonFlag {
  readonly seeds?: number;
  readonly seed: number;
  readonly fresh?: boolean;
  readonly quick?: boolean;
  readonly results?: string;
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
    .description("measure what a text-generation loss does to a reward model, in three minutes")
    .option(
      "--seeds <number>",
      "number of seeds, each with its own base and data (default: 3, with --quick 1)",
      naturalNumber,
    )
    .option(
      "--seed <number>",
      "the first seed; the same seeds give the same table",
      naturalNumber,
      0,
    )
    .option("--fresh", "pretrain the bases of all seeds, though two come with the package")
    .option(
      "--quick",
      "run every step once at a tiny size, to see that all of it works; nothing is learnt",
    )
    .option(
      "--results <file>",
      "JSON Lines file that keeps the results; those that it holds already are not run again " +
        "(default: none, with --seeds runs/demo-seeds.jsonl)",
    )
    .option(
      "--out <folder>",
      "folder that report.html is written to (default: runs/demo, with --quick runs/demo-quick)",
    )
    .addOption(jsonOption("--results"))
    .option(
      "--workers <number>",
      "number of processes that work at the same time",
      naturalNumber,
      defaultWorkers,
    )
    .addHelpText("after", examples)
    .action((given: Given) => demo(given));
  program.command(workerOf("demo"), { hidden: true }).action(() => serveJobs(runJob));
}

/** How large, which seeds, and where the results are kept. */
interface Settled {
  readonly plan: DemoPlan;
  readonly seeds: readonly number[];
  readonly file: string | null;
  /** Where the report goes, and what it is made from. */
  readonly folder: string;
  readonly command: string;
  /** Tells a person: on standard output, unless that is for JSON. */
  readonly say: (text: string) => void;
  readonly isJson: boolean;
}

function settle({ seeds, seed, quick, results, out, json: isJson = false }: Given): Settled {
  const count = Math.max(1, seeds ?? (quick ? 1 : 3));
  const file = results ?? (seeds === undefined || quick ? null : "runs/demo-seeds.jsonl");
  const flags = [
    ...(quick ? ["--quick"] : []),
    `--seeds ${count}`,
    ...(seed === 0 ? [] : [`--seed ${seed}`]),
    ...(file === null ? [] : [`--results ${file}`]),
  ];
  return {
    plan: quick ? quickPlan : fullPlan,
    seeds: Array.from({ length: count }, (_, i) => seed + i),
    file,
    folder: out ?? (quick ? "runs/demo-quick" : "runs/demo"),
    command: ["twoheads demo", ...flags].join(" "),
    say: sayFor({ json: isJson }),
    isJson,
  };
}

async function demo(given: Given): Promise<void> {
  const settled = settle(given);
  const { file, folder } = settled;
  const files = [joinPath(folder, demoFile), ...(file === null ? [] : [file])];
  await holding(files, () => measure(settled, given));
}

async function measure(settled: Settled, given: Given): Promise<void> {
  const { plan, seeds, command, say, isJson } = settled;
  // the first seed's base is always made before the reader's eyes
  const isMade = (seed: number): boolean =>
    given.fresh || given.quick || seed === given.seed || committedBase(seed) === undefined;
  say(introduction(plan, seeds, isMade));
  const results = await work(settled, isMade, Math.max(1, given.workers));
  if (results === null) return;
  say(`\n${conclusion(results, plan)}`);
  const page = await report(results, settled);
  say(`\nThe report, with two of the models looked into: ${page}`);
  say(nextCommands());
  if (isJson) console.log(JSON.stringify({ command, plan, results, report: page }));
}

/** Writes the folder's report; returns where it is. */
async function report(
  results: readonly DemoResult[],
  { plan, folder, command, isJson }: Settled,
): Promise<string> {
  const screen = process.stdout.isTTY && !isJson ? display() : quietly; // a file gets the same lines every time
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
  { plan, seeds, file, folder, command, say, isJson }: Settled,
  isMade: (seed: number) => boolean,
  workers: number,
): Promise<readonly DemoResult[] | null> {
  const known = file === null ? [] : resultsOfPlan(file, plan);
  if (known.length > 0) say(`${file} holds ${known.length} results already; they stay.\n`);
  const screen = displayFor({ json: isJson });
  const stop = stopOnSignals(
    () => screen.say("stopping"),
    () => screen.end(),
  );
  try {
    const others = known.filter(({ seed }) => !seeds.includes(seed));
    const keep = (results: readonly DemoResult[]) =>
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
  say(file === null ? "stopped" : `stopped; the same command goes on with ${file}`);
  exitAsStopped();
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
