// twoheads sweep: many reward models by a plan, on this machine or many, into one file of results. This file talks to
// the person; the work is in ../../lab/sweep/.
// Next: ../../lab/sweep/plan.ts for what a plan says, ../../lab/sweep/run.ts for how it is run.

import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { ArgumentError } from "../../core/index.ts";
import { withDigest } from "../../lab/sweep/files.ts";
import { runLocal } from "../../lab/sweep/local.ts";
import { parallelRunner } from "../../lab/sweep/parallel.ts";
import { jobsOf, type SweepPlan, sweepPlan } from "../../lab/sweep/plan.ts";
import { isFailure, type Merged, mergeText } from "../../lab/sweep/results.ts";
import { keepMerged, mergeFolder, resultsFile, runSweep } from "../../lab/sweep/run.ts";
import type { SweepRunner } from "../../lab/sweep/runner.ts";
import { slurmRunner } from "../../lab/sweep/slurm.ts";
import { serveTasks } from "../../lab/sweep/task.ts";
import type { SweepJob } from "../../lab/sweep/words.ts";
import { workerOf } from "../../lab/workers.ts";
import { joinPath } from "../../nn/checkpoints/files.ts";
import { displayFor, type JsonFlag, jsonOption, printFound } from "./json.ts";
import { wholeNumber } from "./numbers.ts";
import { clockTime, type Display } from "./progress.ts";
import { readSettings } from "./settingsFile.ts";
import { exitAsStopped, stopOnSignals } from "./stop.ts";
import { addSweepLines } from "./sweepLines.ts";

interface Given extends JsonFlag {
  readonly out?: string;
  readonly runner: "local" | "slurm" | "parallel";
  readonly workers?: number;
  readonly hosts?: readonly string[];
  readonly command?: string;
  readonly sbatch?: string;
  readonly merge?: readonly string[];
  readonly seeds?: number;
  readonly dry?: boolean;
}

const examples = `
A plan, YAML or JSON:
  name: rates
  parts:
    - grid: { method: [bt, grm-sft], lr: [0.0007, 0.002, 0.005], pairs: [100, 500] }
  seeds: { from: 1, count: 20 }
  choose: { by: accuracy, over: [lr] }     # by validation in distribution, never by the tests
With pairs of your own in place of the world: files: { base: runs/pretrain-1, training: [a.jsonl],
  validation: [b.jsonl], tests: { id: [c.jsonl], others: [d.jsonl] }, template: plain }

Examples:
  $ twoheads sweep plan.yaml                        on the cores of this machine; stop it and go on
  $ twoheads sweep plan.yaml --seeds 3              the first three of the plan's seeds
  $ twoheads sweep plan.yaml --runner slurm --workers 64
  $ twoheads sweep plan.yaml --runner parallel --hosts 8/ada 8/grace
  $ twoheads sweep plan.yaml --merge ada.jsonl grace.jsonl
  $ twoheads map runs/rates/results.jsonl           what it says, as a page
`;

/** Adds the command, and the hidden ones that do its jobs. */
export function addSweep(program: Command): void {
  program
    .command("sweep")
    .description("train and test many reward models by a plan, on this machine or on many")
    .argument(
      "<plan>",
      "YAML or JSON file with the plan: settings, seeds, how a best one is chosen",
    )
    .option(
      "--out <folder>",
      "folder of bases, parts and results, to go on with (default: runs/ and the plan's name)",
    )
    .option(
      "--runner <name>",
      "who has jobs done: local, slurm (a job array) or parallel (GNU parallel)",
      runnerName,
      "local",
    )
    .option(
      "--workers <number>",
      "number of processes at the same time (default: the cores of this machine; with slurm, 16)",
      wholeNumber,
    )
    .option("--hosts <hosts...>", "hosts for GNU parallel, as its --sshlogin takes them: 8/ada")
    .option("--command <words>", "words that run twoheads on a host or node, if not those of here")
    .option("--sbatch <options>", "options for sbatch, such as '--partition=cpu --time=2:00:00'")
    .option(
      "--seeds <number>",
      "number of the plan's seeds to run, the first ones (default: all of them)",
      wholeNumber,
    )
    .option(
      "--merge <files...>",
      "put results or parts from other machines together with this folder's, and run nothing",
    )
    .option("--dry", "print how many jobs there are and have a result, and run nothing")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((path: string, given: Given) => sweep(path, given));
  program.command(workerOf("sweep"), { hidden: true }).action(serveTasks);
  addSweepLines(program);
}

function runnerName(text: string): Given["runner"] {
  if (text === "local" || text === "slurm" || text === "parallel") return text;
  throw new ArgumentError(`sweep: there is no runner "${text}"; needed local, slurm or parallel`);
}

function runnerOf({ runner, hosts = [], command, sbatch = "" }: Given): SweepRunner {
  if (hosts.length > 0 && runner !== "parallel")
    throw new ArgumentError("sweep: --hosts are for --runner parallel");
  if (sbatch !== "" && runner !== "slurm")
    throw new ArgumentError("sweep: --sbatch is for --runner slurm");
  if (runner === "slurm")
    return slurmRunner({ sbatch: sbatch.split(/\s+/).filter(Boolean), command });
  return runner === "parallel" ? parallelRunner({ hosts, command }) : runLocal;
}

async function sweep(path: string, given: Given): Promise<void> {
  const read = sweepPlan(readSettings(path));
  const whole = read.files ? { ...read, files: withDigest(read.files) } : read;
  const plan = given.seeds === undefined ? whole : firstSeeds(whole, given.seeds);
  const jobs = jobsOf(plan);
  const folder = given.out ?? joinPath("runs", plan.name);
  if (given.dry || given.merge !== undefined) {
    const merged = mergeFolder(folder, jobs, given.merge);
    if (given.merge !== undefined) await keepMerged(folder, plan, merged);
    tell(given, merged, given.merge === undefined ? [] : [`written to ${resultsFile(folder)}`]);
    return;
  }
  const runner = runnerOf(given);
  const workers = given.workers ?? (given.runner === "slurm" ? 16 : availableParallelism());
  const merged = await run(plan, jobs, { folder, runner, workers, given });
  if (merged.missing.length > 0) process.exitCode ||= 1;
}

/** Prints what a merge found, and what else is to be said. */
function tell(given: Given, merged: Merged, more: readonly string[]): void {
  const { outcomes, missing, duplicates, conflicts, foreign, torn } = merged;
  const counts = { results: outcomes.length, missing: missing.length, duplicates, foreign, torn };
  const text = [mergeText(merged), ...more].join("\n");
  printFound(given, { ...counts, failed: outcomes.filter(isFailure).length, conflicts }, text);
}

function firstSeeds(plan: SweepPlan, count: number): SweepPlan {
  if (count <= plan.seeds.count) return { ...plan, seeds: { ...plan.seeds, count } };
  throw new ArgumentError(`sweep: --seeds ${count}: the plan has ${plan.seeds.count}`);
}

interface SweepPlace {
  readonly folder: string;
  readonly runner: SweepRunner;
  readonly workers: number;
  readonly given: Given;
}

async function run(
  plan: SweepPlan,
  jobs: readonly SweepJob[],
  { folder, runner, workers, given }: SweepPlace,
): Promise<Merged> {
  const screen = displayFor(given);
  const stop = stopOnSignals(
    () => screen.say("stopping"),
    () => screen.end(),
  );
  const troubles = new Map<string, number>();
  const onTrouble = (reason: string, count: number): void => {
    if (!troubles.has(reason)) screen.say(reason);
    troubles.set(reason, (troubles.get(reason) ?? 0) + count);
  };
  try {
    const { signal } = stop;
    const place = { plan, jobs, folder, runner, workers };
    const merged = await runSweep({ ...place, signal, onProgress: progressOf(screen), onTrouble });
    screen.end();
    tell(given, merged, [
      `written to ${resultsFile(folder)}`,
      ...[...troubles].map(([reason, count]) => `  lost on the way, ${count}: ${reason}`),
      ...(signal.aborted ? ["stopped; the same command goes on"] : []),
    ]);
    if (signal.aborted) exitAsStopped();
    return merged;
  } finally {
    screen.end();
    stop.dispose();
  }
}

/** Shows the share that is done and the time left. */
function progressOf(screen: Display): (done: number, doing: string) => void {
  const start = performance.now();
  return (done, doing) => {
    const seconds = (performance.now() - start) / 1000;
    const left = done < 0.001 ? "" : `, ${clockTime((seconds * (1 - done)) / done)} left`;
    screen.show(done, `${clockTime(seconds)} gone${left}; ${doing}`);
  };
}
