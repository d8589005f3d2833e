// Carries the plan out with the project's own commands, as anybody could by hand: twoheads pretrain,
// train, eval and compare, two at a time, each line of it written to commands.txt. What is there already
// is not done again; a training that was stopped goes on where it was.
// Next: tables.ts for what is made of the results.

import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TwoheadsError } from "../../core/index.ts";
import { appendLine } from "../../nn/checkpoints/files.ts";
import { writeCorpora } from "./corpora.ts";
import { type ArmName, arms, type Base, bases, type Experiment, experiments } from "./plan.ts";

const program = fileURLToPath(new URL("../../cli/bin.js", import.meta.url));

/** A command that failed; what it printed as errors stands in the message. */
export class CommandError extends TwoheadsError {
  override readonly name = "CommandError";
}

export interface RealOptions {
  /** The folder of shared data. */
  readonly data: string;
  /** Where everything goes. */
  readonly out: string;
  /** Commands at once, each with one thread. */
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly onDone: (done: number, of: number, what: string) => void;
}

/** A reward model of the plan. */
export interface RealRun {
  readonly experiment: Experiment;
  readonly arm: ArmName;
  readonly flipped: number;
  readonly seed: number;
}

export function folderOf(out: string, { experiment, arm, flipped, seed }: RealRun): string {
  return join(out, experiment.name, `${arm}-flips-${flipped}-seed-${seed}`);
}

/** The file with what a model reached on a test. */
export const evaluationIn = (folder: string, test: string): string =>
  join(folder, `eval-${fileName(test)}.json`);

/** The file with how GRM differs from Bradley-Terry on a test, pair by pair. */
export const comparisonIn = (folder: string, test: string): string =>
  join(folder, `compare-${fileName(test)}.json`);

const fileName = (test: string): string => test.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

/** All reward models of the plan. */
export function allRuns(): RealRun[] {
  return experiments.flatMap((experiment) =>
    experiment.seeds.flatMap((seed) =>
      experiment.flips.flatMap((flipped) =>
        arms.map((arm) => ({ experiment, arm, flipped, seed })),
      ),
    ),
  );
}

/** Everything: bases one after the other, then reward models and their tests, then the comparisons. */
export async function runPlan(options: RealOptions): Promise<void> {
  const corpora = await writeCorpora(options.data, join(options.out, "corpora"));
  for (const base of bases) await pretrainBase(base, corpora[base.corpus], options);
  const runs = allRuns();
  const missing = runs.filter((run) => !isTested(run, options));
  let done = 0;
  await inParallel(missing, options, async (run) => {
    await trainAndTest(run, options);
    if (options.signal.aborted) return;
    options.onDone(++done, missing.length, folderOf("", run));
  });
  const regularised = runs.filter(({ arm }) => arm !== "bt");
  await inParallel(regularised, options, (run) => compare(run, options));
}

function isTested(run: RealRun, { out }: RealOptions): boolean {
  const folder = folderOf(out, run);
  return run.experiment.tests.every(({ name }) => existsSync(evaluationIn(folder, name)));
}

/** Does something with all, `workers` at a time; nothing new is begun after a failure or a stop. */
async function inParallel<T>(
  items: readonly T[],
  { workers, signal }: RealOptions,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  let failed = false;
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (failed || signal.aborted) return;
      await work(next).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
}

async function pretrainBase({ name, from, flags }: Base, corpus: string, options: RealOptions) {
  const out = join(options.out, "bases", name);
  const origin = from === undefined ? [] : ["--base", join(options.out, "bases", from)];
  await resumable(out, options, [
    ...["pretrain", "--corpus", corpus, ...origin, "--out", out, ...flags],
  ]);
}

async function trainAndTest(run: RealRun, options: RealOptions): Promise<void> {
  const { experiment, arm, flipped, seed } = run;
  const { base, files, flags, validation, lr, alpha, tests } = experiment;
  const folder = folderOf(options.out, run);
  const data = files.map((file) => join(options.data, file));
  const method = ["--method", arm, "--lr", String(lr), "--alpha", String(alpha)];
  await resumable(folder, options, [
    ...["train", "--base", join(options.out, "bases", base), "--data", ...data, ...flags],
    ...["--validation", ...data, ...validation, ...method],
    ...["--flips", String(flipped), "--seed", String(seed), "--out", folder],
  ]);
  for (const test of tests) {
    const tested = test.files.map((file) => join(options.data, file));
    const neutral = [
      "--neutral",
      join(options.data, "tinystories/part-b.txt.gz"),
      "--neutral-tokens",
      "10000",
    ];
    await once(evaluationIn(folder, test.name), options, [
      ...["eval", folder, "--data", ...tested, ...test.flags, ...neutral, "--json"],
    ]);
  }
}

async function compare(run: RealRun, options: RealOptions): Promise<void> {
  const folder = folderOf(options.out, run);
  const plain = folderOf(options.out, { ...run, arm: "bt" });
  for (const test of run.experiment.tests) {
    const tested = test.files.map((file) => join(options.data, file));
    await once(comparisonIn(folder, test.name), options, [
      ...["compare", folder, plain, "--data", ...tested, ...test.flags, "--json"],
    ]);
  }
}

/** A training, begun or gone on with, unless it is finished: a file says that. */
async function resumable(folder: string, options: RealOptions, args: readonly string[]) {
  const finished = join(folder, "finished.txt");
  if (existsSync(finished)) return;
  const begun = existsSync(join(folder, "checkpoint.safetensors"));
  const again = [args[0] ?? "", "--resume", folder];
  await twoheads(begun ? again : args, options);
  if (!options.signal.aborted) writeFileSync(finished, "");
}

/** A command whose output is kept as a file, unless that is there. */
async function once(file: string, options: RealOptions, args: readonly string[]): Promise<void> {
  if (existsSync(file) || options.signal.aborted) return;
  const printed = await twoheads(args, options);
  if (!options.signal.aborted) writeFileSync(file, printed);
}

/** Runs the program to its end; returns what it printed. */
function twoheads(args: readonly string[], { out, signal }: RealOptions): Promise<string> {
  appendLine(join(out, "commands.txt"), `twoheads ${args.join(" ")}`);
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, TWOHEADS_THREADS: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [printed, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    printed += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk;
  });
  const stop = (): boolean => child.kill("SIGINT");
  signal.addEventListener("abort", stop);
  return new Promise<string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0 || signal.aborted) resolve(printed);
      else reject(new CommandError(`twoheads ${args.join(" ")}\nended with ${code}: ${errors}`));
    });
  }).finally(() => signal.removeEventListener("abort", stop));
}
