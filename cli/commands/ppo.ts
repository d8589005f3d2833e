// twoheads ppo: trains a policy against a judge, with the true reward looking on; and the same for rloo.
// Files, the terminal and Ctrl-C are handled here; the training is ../../grm/policies/policyTrainer.ts.
// Next: ../../grm/policies/policyFolder.ts for what is written.

import type { Command } from "commander";
import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import type { PolicyCheckpoint } from "../../grm/policies/policyCheckpoint.ts";
import { PolicyFolder } from "../../grm/policies/policyFolder.ts";
import type { PolicyRecord } from "../../grm/policies/policyRecords.ts";
import {
  type PolicyOptions,
  type PolicySettings,
  policySchema,
  policySettings,
} from "../../grm/policies/policySettings.ts";
import { type TrainedPolicy, trainPolicy } from "../../grm/policies/policyTrainer.ts";
import { problemsOf } from "../../nn/checked.ts";
import { type CausalLM, mergeLoRA } from "../../nn/index.ts";
import { saveCausalLM, saveTokenizer } from "../../nn/node.ts";
import { digestFields, freeFolder } from "../../nn/run/folder.ts";
import { checkInputs, type InputDigests, inputsOf } from "../../nn/run/inputs.ts";
import { displayFor, type JsonFlag, jsonOption, printFound } from "./json.ts";
import {
  addOptimisedOptions,
  filesOf,
  type OptimisedFlags,
  optimised,
  optimisedSchema,
  type Participants,
  settled,
} from "./optimised.ts";
import { addOptions } from "./options.ts";
import { clockTime, type Display } from "./progress.ts";
import { reportOf } from "./report.ts";
import { exitAsStopped } from "./stop.ts";
import { goingOn, howToGoOn, nothingLeft, stoppable } from "./training.ts";

type Given = OptimisedFlags &
  PolicyOptions &
  JsonFlag & { readonly out?: string; readonly resume?: string };

type Algorithm = PolicySettings["algorithm"];

const examples = (name: Algorithm): string => `
Examples:
  $ twoheads ${name} --judge gold                      does the optimiser work?
  $ twoheads ${name} --judge bt                        a plain reward model, over-optimised before your eyes
  $ twoheads ${name} --judge grm-sft --kl-weight 0.05 --kl-target 6
  $ twoheads ${name} --task stories --data DATA --mode lora --steps 30
  $ twoheads ${name} --resume runs/${name}-1
`;

/** Settings without an option of their own kind: the algorithm is the command, the others are switches. */
const switches = { algorithm: true, whiten: true, normalise: true } as const;

/** Adds the command. */
export function addPpo(program: Command): void {
  addPolicyCommand(
    program,
    "ppo",
    "train a policy against a reward with PPO, while the true reward is measured",
  );
}

/** Adds a command that trains policies. */
export function addPolicyCommand(program: Command, name: Algorithm, description: string): void {
  const command = program.command(name).description(description);
  addOptimisedOptions(command)
    .option(
      "--out <folder>",
      `folder that the run is written to (default: the first free of runs/${name}-1, -2, ...)`,
    )
    .option("--resume <folder>", "folder of a run that was stopped, to go on with");
  addOptions(command, policySchema.omit(switches));
  command
    .option(
      "--no-whiten",
      "use advantages as they are, in place of giving them mean 0 and deviation 1 (PPO alone)",
    )
    .option(
      "--no-normalise",
      "use rewards as they are, in place of measuring them in the first round's deviations from its mean",
    )
    .addOption(jsonOption())
    .addHelpText("after", examples(name))
    .action((given: Given) => runPolicy(name, given));
}

const runSchema = z.object({
  flags: optimisedSchema,
  settings: policySchema,
  ...digestFields,
});

/** What a run was begun with: enough to make everything again. */
interface PolicyRun {
  readonly flags: OptimisedFlags;
  readonly settings: PolicySettings;
  readonly inputs?: InputDigests | undefined;
}

async function runPolicy(algorithm: Algorithm, { resume, ...given }: Given): Promise<void> {
  const folder = new PolicyFolder(resume ?? given.out ?? freeFolder(algorithm));
  const screen = displayFor(given);
  const say = (message: string): void => screen.say(message);
  try {
    const run = resume === undefined ? asked(algorithm, given) : readRun(algorithm, folder);
    if (resume === undefined) folder.checkFree();
    else checkInputs(folder.path, run.inputs);
    folder.lock();
    const isMade = resume !== undefined && folder.isFinished;
    if (!isMade) await trainIn(folder, run, { isNew: resume === undefined, ...given }, screen);
    else if (folder.has("report.html") && !given.json) say(nothingLeft(folder.path));
    else await tellEnd(folder, run, given);
  } finally {
    folder.close();
    screen.end();
  }
}

/** Begins a run or goes on with it, up to its end. */
async function trainIn(
  folder: PolicyFolder,
  run: PolicyRun,
  { isNew, ...flags }: JsonFlag & { readonly isNew: boolean },
  screen: Display,
): Promise<void> {
  const say = (message: string): void => screen.say(message);
  const resumed = isNew ? null : await folder.resume();
  const parts = await optimised(run.flags, say);
  say(`${run.settings.algorithm} against ${parts.judge.name}, in ${folder.path}`);
  if (resumed === null) await folder.begin({ ...run, inputs: inputsOf(filesOf(run.flags)) });
  else for (const line of goingOn(`round ${resumed.checkpoint.state.step}`, resumed)) say(line);
  const done = await work(folder, run, parts, resumed?.checkpoint, screen);
  screen.end();
  await conclude(folder, run, parts, done, flags);
}

/** What the flags of a new run say. */
function asked(algorithm: Algorithm, given: Given): PolicyRun {
  const flags = settled(flagsOf(given));
  const names = Object.keys(policySchema.shape) as (keyof PolicyOptions)[];
  const own = Object.entries(given).filter(([name]) => names.includes(name as keyof PolicyOptions));
  const samples = algorithm === "rloo" ? { samples: 4 } : {};
  const settings = policySettings({ ...samples, ...Object.fromEntries(own), algorithm });
  return { flags, settings };
}

/** The flags that say who takes part, without the others. */
function flagsOf(given: OptimisedFlags): OptimisedFlags {
  const { task, policy, data, judge, reward, rule, pairs, flips } = given;
  const { sharpness, proxyLr, proxySeed, unfinished } = given;
  const proxy = { pairs, flips, sharpness, proxyLr, proxySeed };
  return { task, policy, data, judge, reward, rule, ...proxy, unfinished };
}

/** What a run was begun with. */
function readRun(algorithm: Algorithm, folder: PolicyFolder): PolicyRun {
  const { path } = folder;
  const json = folder.run();
  const parsed = runSchema.safeParse(json.value);
  if (!parsed.success) return json.fail(`is no run of a policy: ${problemsOf(parsed.error)}`);
  const { flags, settings, inputs } = parsed.data;
  if (settings.algorithm !== algorithm) {
    throw new ArgumentError(
      `${algorithm}: ${path} is a run of ${settings.algorithm}; resume it with that`,
    );
  }
  return { flags, settings: policySettings(settings), inputs };
}

async function work(
  folder: PolicyFolder,
  { settings }: PolicyRun,
  { task, judge, policy }: Participants,
  resume: PolicyCheckpoint | undefined,
  screen: Display,
): Promise<TrainedPolicy> {
  const first = resume?.state.step ?? 0;
  const before = resume?.state.seconds ?? 0;
  const parts = { lm: policy(), reference: policy(), task, judge };
  return stoppable(screen, "round", (signal) =>
    trainPolicy(parts, settings, {
      resume,
      signal,
      onRecord(record, steps) {
        folder.record(record);
        const each = (record.seconds - before) / (record.step - first + 1);
        const left = clockTime(each * (steps - record.step));
        screen.show(record.step / steps, `round ${record.step}/${steps}  ${left} left`);
        if (record.step % Math.ceil(steps / 10) === 0) screen.say(describe(record));
      },
      onCheckpoint: (checkpoint) => folder.save(checkpoint),
    }),
  );
}

function describe(record: PolicyRecord): string {
  const { step, proxy, gold, kl_k1, kl_k3, entropy, length, refused, clipped, samples } = record;
  const lost = refused + clipped === 0 ? "" : `, ${refused} rewards refused and ${clipped} cut`;
  const text = samples[0]?.text.trim().replaceAll("\n", " ") ?? "";
  return (
    `round ${step}: proxy ${proxy.toFixed(2)}, gold ${gold.toFixed(2)}, KL ${kl_k1.toFixed(1)} (k1) ${kl_k3.toFixed(1)} (k3), ` +
    `entropy ${entropy.toFixed(2)}, ${length.toFixed(1)} tokens${lost}\n    ${text}`
  );
}

async function conclude(
  folder: PolicyFolder,
  run: PolicyRun,
  { task, policy: plain }: Participants,
  { policy, finished, step }: TrainedPolicy,
  flags: JsonFlag,
): Promise<void> {
  const { path } = folder;
  const { settings } = run;
  if (!finished) {
    const data = { folder: path, finished, rounds: step, settings };
    printFound(flags, data, howToGoOn(settings.algorithm, `round ${step}`, path));
    exitAsStopped();
    return;
  }
  const lm = settings.mode === "lora" ? merged(policy.lm, plain()) : policy.lm;
  await folder.finish(async () => {
    await saveTokenizer(path, task.tokenizer);
    await saveCausalLM(path, lm, task.tokenizer.special);
  });
  await tellEnd(folder, run, flags);
}

/** Writes the report of a run that is finished, and says what came of it. */
async function tellEnd(
  folder: PolicyFolder,
  { settings }: PolicyRun,
  flags: JsonFlag,
): Promise<void> {
  const { path } = folder;
  const records = folder.metrics();
  const [first, last] = [records[0], records.at(-1)];
  const best = records.reduce(
    (top, record) => (record.gold > top.gold ? record : top),
    records[0] as PolicyRecord,
  );
  const { told, path: report } = await reportOf(path);
  const text = [
    `gold ${first?.gold.toFixed(2)} at first, ${best.gold.toFixed(2)} at its highest (round ${best.step}, KL ${best.kl_k1.toFixed(1)}), ` +
      `${last?.gold.toFixed(2)} at last (KL ${last?.kl_k1.toFixed(1)})`,
    `the policy and metrics.jsonl: ${path}`,
    told,
  ];
  const data = { folder: path, finished: true, rounds: settings.steps, settings };
  printFound(flags, { ...data, first, best, last, report }, text.join("\n"));
}

/** A model's weights with its adapters' updates, in a model without adapters. */
function merged(adapted: CausalLM, plain: CausalLM): CausalLM {
  mergeLoRA(adapted);
  plain.loadStateDict(adapted.stateDict(), { strict: false }); // passes over the adapters' own names
  return plain;
}
