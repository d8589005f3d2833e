// twoheads train: from a language model and preference pairs to a reward model in a folder, and on from
// where a run stopped. Files, the terminal and Ctrl-C are handled here; the training is ../../grm/trainer.ts.
// Next: trainRun.ts for what a run is, training.ts for what the commands that train have in common.

import { type Command, Option } from "commander";
import { ArgumentError, random } from "../../core/index.ts";
import type { ChatTemplate, Reading } from "../../grm/data/index.ts";
import { type Evaluation, evaluate } from "../../grm/evaluation.ts";
import { driftWatch } from "../../grm/inspect/watch.ts";
import { type HeadOptions, RewardModel } from "../../grm/rewardModel.ts";
import type { RewardModelFolder } from "../../grm/rewardModelFiles.ts";
import {
  rewardModelWith,
  saveRewardModel,
  saveRewardModelShape,
} from "../../grm/rewardModelFolder.ts";
import type { TrainCheckpoint } from "../../grm/trainer/checkpoint.ts";
import { TrainFolder } from "../../grm/trainer/folder.ts";
import type { TrainRecord } from "../../grm/trainer/records.ts";
import {
  type Trained,
  type TrainOptions,
  type TrainProgress,
  type TrainSettings,
  train,
  trainSchema,
  trainSettings,
} from "../../grm/trainer.ts";
import type { Tokenizer } from "../../nn/index.ts";
import { loadTokenizer, readConfig, replaceFile } from "../../nn/node.ts";
import { freeFolder } from "../../nn/run/folder.ts";
import { checkInputs, inputsOf } from "../../nn/run/inputs.ts";
import { baseFolder } from "./bases.ts";
import { describeDevice } from "./device.ts";
import { displayFor, type JsonFlag, jsonOption, printFound } from "./json.ts";
import { metricsCsv } from "./metricsCsv.ts";
import { wholeNumber } from "./numbers.ts";
import { openCausalLM, type UnfinishedFlag, unfinishedOption } from "./opened.ts";
import { addOptions } from "./options.ts";
import { addPreferenceOptions, type PreferenceFlags, type Where, where } from "./preferences.ts";
import { clockTime, type Display, Rate } from "./progress.ts";
import {
  addReadingOptions,
  checkTokens,
  type ReadingFlags,
  readingOf,
  templateOf,
} from "./reading.ts";
import { reportOf } from "./report.ts";
import { baseOf, type OpenRun } from "./runs.ts";
import { readSettings } from "./settingsFile.ts";
import { exitAsStopped } from "./stop.ts";
import { goingOn, howToGoOn, keepAndTell, nothingLeft, stoppable } from "./training.ts";
import {
  describeOverlap,
  type RunData,
  readRunData,
  readTrainRun,
  resolved,
  type TrainRun,
} from "./trainRun.ts";

interface Own extends JsonFlag, UnfinishedFlag {
  readonly base?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly settings?: string;
  readonly validation?: readonly string[];
  readonly validationWhere?: Where;
  readonly holdOut?: number;
  readonly inspect?: boolean;
  readonly log?: "csv";
  readonly headType?: HeadOptions["type"];
  readonly headLayers?: number;
  readonly headNeurons?: number;
  readonly headDropout?: number;
}

type Given = Own & PreferenceFlags & ReadingFlags & TrainOptions;

const examples = `
A file of pairs has an object a line, and needs no more than this:
  {"prompt": "What is the sky?", "chosen": "Blue, mostly.", "rejected": "Green."}
CSV, TSV, Parquet and the columns of public data sets are read too: twoheads data --help.

Methods: bt (Bradley-Terry), frozen (the reward head alone), margin, label-smoothing, l2-sp (weights
decay towards the base, arXiv 1802.01483), lp-ft (the head alone first, then all, 2202.10054), and GRM
with its three regularisers, grm-sft, grm-dpo and grm-dpo-noref (2406.10216).

Examples:
  $ twoheads train --data pairs.jsonl
  $ twoheads train --base runs/pretrain-1 --data pairs.jsonl.gz
  $ twoheads train --base runs/pretrain-1 --data pairs.jsonl.gz --method bt --epochs 2 --out runs/bt
  $ twoheads train --base runs/pretrain-1 --data pairs.jsonl.gz --where split=train \\
      --validation pairs.jsonl.gz --validation-where split=valid --alpha 0.1 --mode lora
  $ twoheads train --base runs/pretrain-1 --data pairs.jsonl.gz --settings settings.json --seed 3
  $ twoheads train --resume runs/bt
`;

/** Settings that are lists: options of their own. */
const lists = { frozenParameters: true, loraLayers: true } as const;

/** Adds the command. */
export function addTrain(program: Command): void {
  const command = program
    .command("train")
    .description("train a reward model on preference pairs")
    .option(
      "--base <folder>",
      "language model to start from: a folder or a base's name (default: stories, a small one that comes with the package)",
      baseFolder,
    )
    .option(
      "--out <folder>",
      "folder that the run is written to (default: the first free of runs/train-1, -2, ...)",
    )
    .option("--resume <folder>", "folder of a run that was stopped, to go on with")
    .option(
      "--settings <file>",
      "JSON or YAML file with settings; options on the command line win over it",
    )
    .addOption(unfinishedOption())
    .addOption(jsonOption());
  addPreferenceOptions(command);
  command
    .option(
      "--validation <files...>",
      "files of preference pairs to evaluate on (default: a share of --data is held out)",
    )
    .option(
      "--validation-where <field=value>",
      "take only validation pairs whose line has this value in this field; may be given several times",
      where,
    )
    .option(
      "--hold-out <share>",
      "share of the pairs that is held out to evaluate on, by prompt, where there is no --validation (default: 0.05)",
      Number,
    );
  command.addOption(
    new Option(
      "--log <kind>",
      "write metrics.csv into the folder as well: TensorBoard's names as columns, such as train/loss and eval/accuracy (no event files)",
    ).choices(["csv"]),
  );
  command.option(
    "--inspect",
    "record at every evaluation how far the hidden states have drifted from the base",
  );
  addReadingOptions(command);
  command
    .addOption(
      new Option(
        "--head-type <type>",
        "shape of the reward head: one linear layer, or an mlp (default: linear)",
      ).choices(["linear", "mlp"]),
    )
    .option(
      "--head-layers <number>",
      "number of hidden layers of an mlp reward head (default: 1)",
      wholeNumber,
    )
    .option(
      "--head-neurons <number>",
      "width of each hidden layer of an mlp reward head (default: the model's)",
      wholeNumber,
    )
    .option(
      "--head-dropout <share>",
      "probability of dropout on the hidden state that the reward head reads (default: 0.1)",
      Number,
    );
  addOptions(command, trainSchema.omit(lists));
  for (const [flag, field] of [
    ["--frozen-parameters", "frozenParameters"],
    ["--lora-layers", "loraLayers"],
  ] as const)
    command.option(`${flag} <names...>`, trainSchema.shape[field].description);
  command.addHelpText("after", examples).action((given: Given) => runTrain(given));
}

/** What a run needs to begin or to go on. */
interface Prepared extends RewardModelFolder {
  readonly folder: TrainFolder;
  readonly run: TrainRun;
  readonly data: RunData;
  readonly resume?: TrainCheckpoint;
  /** What to tell beforehand. */
  readonly notes: readonly string[];
}

async function runTrain({ resume, json = false, ...given }: Given): Promise<void> {
  const folder = new TrainFolder(resume ?? given.out ?? freeFolder("train"));
  const screen = displayFor({ json });
  try {
    const prepared = await (resume === undefined ? begin(folder, given) : goOn(folder, given));
    const isMade = resume !== undefined && folder.isFinished;
    const isLookedAt = folder.has("eval.json") || prepared.data.validation.length === 0;
    if (isMade && isLookedAt && folder.has("report.html") && !json) {
      screen.say(nothingLeft(folder.path));
      return;
    }
    const trained = await work(prepared, screen);
    if (trained.finished && !isMade)
      await folder.finish(() => saveRewardModel(folder.path, prepared));
    const done = trained.finished ? await look(prepared, screen) : { evaluation: null, page: null };
    screen.end();
    const { evaluation, page } = done;
    const data = { ...summaryOf(prepared, trained, evaluation), report: page };
    printFound({ json }, data, conclusion(prepared, trained, evaluation, page));
    if (!trained.finished) exitAsStopped();
  } finally {
    folder.close();
    screen.end();
  }
}

/** What is made of a run after its training: numbers for other tools, an evaluation and a page. */
async function look(prepared: Prepared, screen: Display) {
  const { folder, run } = prepared;
  if (run.log === "csv") await replaceFile(folder.at("metrics.csv"), metricsCsv(folder.metrics()));
  const evaluation = await examine(prepared, screen);
  return { evaluation, page: await report(prepared, evaluation, screen) };
}

// --- Beginning ---------------------------------------------------------------------------------------

async function begin(folder: TrainFolder, given: Given): Promise<Prepared> {
  const { data, base = baseFolder("stories") } = given;
  if (data === undefined) {
    throw new ArgumentError(
      "train: name the pairs, --data FILE..., and the language model to begin with, --base FOLDER",
    );
  }
  const settings = trainSettings({ ...settingsIn(given.settings), ...settingsOf(given) });
  folder.checkFree();
  const run = runOf(given, base, data, settings);
  const tokenizer = loadTokenizer(base);
  const model = modelOf(base, given, settings);
  const { template, from } = templateOf(base);
  const reading = readingFor(given, model, tokenizer, template);
  const written = `conversations: written by ${given.template ?? from}`;
  const pairs = await readRunData(run, { tokenizer, reading });
  const chosen =
    given.base === undefined
      ? ["no --base was named: it begins with stories, a small base that comes with the package"]
      : [];
  await folder.begin({ ...resolved(run), inputs: inputsOf([base]) });
  await replaceFile(folder.at("data.json"), `${JSON.stringify(readAs(pairs))}\n`);
  return { folder, run, model, tokenizer, reading, data: pairs, notes: [...chosen, written] };
}

/** What was read, dropped and cut, and how it was divided: kept with the run. */
function readAs({ training, validation, reports, overlap }: RunData): object {
  return { training: training.length, validation: validation.length, overlap, reports };
}

/** The settings among the options. */
function settingsOf(given: Given): TrainOptions {
  const fields = Object.keys(trainSchema.shape) as (keyof TrainOptions)[];
  return Object.fromEntries(
    fields.flatMap((field) => (given[field] === undefined ? [] : [[field, given[field]]])),
  );
}

function settingsIn(file: string | undefined): TrainOptions {
  if (file === undefined) return {};
  return readSettings(file) as TrainOptions; // trainSettings checks the fields
}

function runOf(
  {
    where: fields,
    limit,
    lenient,
    validation,
    validationWhere,
    holdOut = 0.05,
    inspect,
    ...given
  }: Given,
  base: string,
  data: readonly string[],
  settings: TrainSettings,
): TrainRun {
  if (!(holdOut >= 0 && holdOut < 1)) {
    throw new ArgumentError(`train: --hold-out is ${holdOut}, needed a share from 0 to below 1`);
  }
  return {
    base,
    data: [...data],
    ...(fields && { where: fields }),
    ...(limit !== undefined && { limit }),
    ...(lenient !== undefined && { lenient }),
    ...columnsOf(given),
    ...(validation && { validation: [...validation] }),
    ...(validationWhere && { validationWhere }),
    ...{ holdOut, holdOutBy: "prompt" },
    ...(inspect && { inspect }),
    ...(given.log && { log: given.log }),
    settings,
  };
}

/** The columns among the options. */
function columnsOf({
  promptKey,
  chosenKey,
  rejectedKey,
  groupBy,
}: PreferenceFlags): Omit<PreferenceFlags, "data"> {
  const all = Object.entries({ promptKey, chosenKey, rejectedKey, groupBy });
  return Object.fromEntries(all.filter(([, name]) => name !== undefined));
}

/** A fresh reward head on the base, drawn by the seed. */
function modelOf(base: string, given: Given, { seed }: TrainSettings): RewardModel {
  const { headType: type, headLayers: layers, headNeurons: neurons, headDropout: dropout } = given;
  const asked = Object.entries({ type, layers, neurons, dropout });
  const head: HeadOptions = Object.fromEntries(asked.filter(([, value]) => value !== undefined));
  if (readConfig(base).vhead_layer_type !== undefined) {
    throw new ArgumentError(
      `train: ${base} is a reward model already; --base takes the language model that one begins with`,
    );
  }
  return new RewardModel(openCausalLM(base, given), { head, rng: random(seed).fork("head") });
}

function readingFor(
  given: Given,
  { model }: RewardModel,
  tokenizer: Tokenizer,
  template: ChatTemplate,
): Reading {
  checkTokens("train", tokenizer, model.vocabSize);
  const maxLength = Math.min(model.context, 1024);
  const reading = readingOf(given, { maxLength, truncation: "prompt", template });
  if (reading.maxLength <= model.context) return reading;
  throw new ArgumentError(
    `train: --max-length ${reading.maxLength} is beyond the model's context of ${model.context} tokens`,
  );
}

async function goOn(folder: TrainFolder, given: Given): Promise<Prepared> {
  const others = Object.keys(given);
  if (others.length > 0) {
    throw new ArgumentError(
      `train: --resume goes on as the run was begun; leave ${others.join(", ")} away, or begin a new run`,
    );
  }
  const { path } = folder;
  const run = readTrainRun(path);
  checkInputs(path, run.inputs, () => true); // perplexities stand alone where the base is gone
  const { checkpoint, ...rewound } = await folder.resume();
  const model = rewardModelWith(path, checkpoint.model);
  const data = await readRunData(run, model);
  const notes = goingOn(`step ${checkpoint.state.step}`, rewound);
  return { ...model, folder, run, data, resume: checkpoint, notes };
}

// --- Training ----------------------------------------------------------------------------------------

async function work(prepared: Prepared, screen: Display): Promise<Trained> {
  const { folder, run, model, data, resume } = prepared;
  for (const line of introduction(prepared)) screen.say(line);
  const status = statusLine();
  const base = run.inspect ? baseOf(run.base, screen.say) : undefined;
  return stoppable(screen, "step", (signal) =>
    train(model, data.training, run.settings, {
      validation: data.validation,
      drift: base && driftWatch(base, data.validation),
      resume,
      signal,
      onProgress: (progress) => screen.show(progress.step / progress.steps, status(progress)),
      onRecord: keepAndTell(folder, screen, describeRecord),
      async onCheckpoint(checkpoint) {
        if (checkpoint.state.step === 0) await saveRewardModelShape(folder.path, prepared); // by now with adapters
        await folder.save(checkpoint, (mark) => saveRewardModel(folder.path, prepared, mark));
      },
    }),
  );
}

const count = (n: number): string => Math.round(n).toLocaleString("en-US");
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function introduction({ folder, run, model, data, reading, notes }: Prepared): string[] {
  const { method, mode, alpha, beta } = run.settings;
  const { style, layers, dim } = model.config;
  const regularized = method.startsWith("grm") ? `, alpha ${alpha}, beta ${beta}` : "";
  return [
    ...data.reports.map(String),
    ...[describeOverlap(data.overlap) ?? []].flat(),
    `pairs: ${count(data.training.length)} to train on, ${count(data.validation.length)} to evaluate on, of at most ${reading.maxLength} tokens`,
    `model: ${style}, ${count(model.parameterCount())} parameters, ${layers} layers of ${dim}, on ${describeDevice()}`,
    `method: ${method} (${mode})${regularized}; in ${folder.path}`,
    ...notes,
  ];
}

/** A line for what is rare; null for a training step, which the bar shows, and for drift. */
function describeRecord(record: TrainRecord): string | null {
  if (record.kind === "train" || record.kind === "drift") return null;
  if (record.kind === "start") {
    const { flipped, unlabelled, steps, trained_parameters } = record;
    return [
      `${count(steps)} steps, ${count(trained_parameters)} parameters trained`,
      ...(flipped > 0 ? [`labels of ${count(flipped)} pairs flipped, as asked for`] : []),
      ...(unlabelled > 0 ? [`${count(unlabelled)} pairs have no text-generation label`] : []),
    ].join("; ");
  }
  const { step, loss, accuracy, ties, chosen_perplexity, best } = record;
  const ppl = chosen_perplexity === null ? "" : `, perplexity ${chosen_perplexity.toFixed(2)}`;
  return (
    `step ${count(step)}: validation accuracy ${percent(accuracy)}${ties > 0 ? ` (${ties} ties)` : ""}, ` +
    `loss ${loss.toFixed(4)}${ppl}${best ? ", the best so far" : ""}`
  );
}

/** The line beside the bar: steps, loss and accuracy of late, speed and time left. */
function statusLine(): (progress: TrainProgress) => string {
  const rate = new Rate();
  const begun = performance.now();
  let [first, tokens] = [0, 0];
  let smooth: { loss: number; accuracy: number } | null = null;
  return ({ step, steps, record }) => {
    if (first === 0) first = step - 1;
    tokens += record.tokens;
    const mix = (old: number, x: number): number => 0.95 * old + 0.05 * x;
    const { loss, accuracy } = record;
    const before = smooth ?? { loss, accuracy };
    smooth = { loss: mix(before.loss, loss), accuracy: mix(before.accuracy, accuracy) };
    const seconds = (performance.now() - begun) / 1000;
    const left = clockTime((seconds / (step - first)) * (steps - step));
    const speed = `${count(rate.at(seconds, tokens))} tokens/s`;
    const numbers = `loss ${smooth.loss.toFixed(3)}  accuracy ${percent(smooth.accuracy)}`;
    return `step ${count(step)}/${count(steps)}  ${numbers}  ${speed}  ${left} left`;
  };
}

// --- The end -----------------------------------------------------------------------------------------

/** Evaluates on the validation pairs into eval.json; null if there are none. */
async function examine(
  { folder, run, model, data }: Prepared,
  screen: Display,
): Promise<Evaluation | null> {
  if (data.validation.length === 0) return null;
  const found = await evaluate(model, data.validation, {
    training: data.training,
    base: baseOf(run.base, (message) => screen.say(message)),
    onProgress: (done) => screen.show(done, "evaluating"),
  });
  const text = `${JSON.stringify(found, null, 2)}\n`;
  await replaceFile(folder.at("eval.json"), text);
  return found;
}

/** Writes report.html; its path, or null. */
async function report(
  { folder, ...prepared }: Prepared,
  evaluation: Evaluation | null,
  screen: Display,
): Promise<string | null> {
  const { path } = folder;
  const base = baseOf(prepared.run.base, () => {});
  const open: OpenRun = { ...prepared, path, base, records: folder.metrics(), evaluation };
  const written = await reportOf(path, ({ pageOfRuns }) => pageOfRuns([open], screen.show));
  if (written.path === null) screen.say(written.told);
  return written.path;
}

function summaryOf(
  { folder, data }: Prepared,
  trained: Trained,
  evaluation: Evaluation | null,
): object {
  const { settings, step, steps, finished, best } = trained;
  const path = folder.path;
  return { folder: path, data: readAs(data), step, steps, finished, best, settings, evaluation };
}

function conclusion(
  { folder: { path } }: Prepared,
  { step, finished, best }: Trained,
  evaluation: Evaluation | null,
  page: string | null,
): string {
  if (!finished) return howToGoOn("train", `step ${count(step)}`, path);
  const kept = best === null ? "" : `; the weights are those of step ${count(best.step)}, the best`;
  const { value, low, high } = evaluation?.accuracy ?? {};
  const reached =
    value === undefined
      ? []
      : [`validation accuracy ${percent(value)} [${percent(low ?? 0)}, ${percent(high ?? 1)}]`];
  return [
    `finished after ${count(step)} steps${kept}`,
    ...reached,
    `next: npx twoheads eval ${path} --data PAIRS.jsonl`,
    `      npx twoheads score ${path} ANSWERS.jsonl`,
    ...(page === null ? [] : [`the report: ${page}`]),
  ].join("\n");
}
