// twoheads pretrain: from text files to a language model in a folder, and on from where a run stopped.
// Files, the terminal and Ctrl-C are handled here; the training itself is ../../nn/pretrain.ts.
// Next: training.ts for what the commands that train have in common.

import type { Command } from "commander";
import { ArgumentError } from "../../core/index.ts";
import { saveConfig } from "../../nn/checkpoints/shape.ts";
import { readText } from "../../nn/checkpoints/text.ts";
import { configToHF } from "../../nn/configHF.ts";
import {
  type CausalLM,
  type Corpus,
  documentsOf,
  makeCorpus,
  type PretrainCheckpoint,
  type Pretrained,
  type PretrainOptions,
  type PretrainProgress,
  type PretrainRecord,
  type PretrainSettings,
  pretrain,
  pretrainSchema,
  pretrainSettings,
  quickPretrain,
  shapeOf,
} from "../../nn/index.ts";
import { causalLMShapedAs } from "../../nn/modelFolder.ts";
import { loadTokenizer, saveCausalLM, saveTokenizer } from "../../nn/node.ts";
import { PretrainFolder } from "../../nn/pretrain/folder.ts";
import { checkSameSettings } from "../../nn/pretrain/settings.ts";
import { freeFolder } from "../../nn/run/folder.ts";
import { checkInputs, inputsOf } from "../../nn/run/inputs.ts";
import { baseFolder } from "./bases.ts";
import { describeDevice } from "./device.ts";
import { displayFor, type JsonFlag, jsonOption, printFound, sayFor } from "./json.ts";
import { openCausalLM, type UnfinishedFlag, unfinishedOption } from "./opened.ts";
import { addOptions } from "./options.ts";
import { readPretrainRun, resolved } from "./pretrainRun.ts";
import { clockTime, type Display, Rate } from "./progress.ts";
import { reportOf } from "./report.ts";
import { exitAsStopped } from "./stop.ts";
import { goingOn, howToGoOn, keepAndTell, nothingLeft, stoppable } from "./training.ts";

/** What a run may be told, and of its base. */
type Options = PretrainOptions & UnfinishedFlag;

interface Given extends Options, JsonFlag {
  readonly corpus?: readonly string[];
  readonly base?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly quick?: boolean;
}

const examples = `
Examples:
  $ twoheads pretrain --corpus stories.txt.gz --minutes 5
  $ twoheads pretrain --corpus a.txt b.txt --steps 2000 --dim 192 --out runs/larger
  $ twoheads pretrain --base runs/larger --corpus reviews.txt --lr 5e-4 --out runs/reviews
  $ twoheads pretrain --resume runs/larger
`;

/** Adds the command. */
export function addPretrain(program: Command): void {
  const command = program
    .command("pretrain")
    .description("train a small language model on text, from scratch or starting from another one")
    .option("--corpus <files...>", "text files to train on, plain or .gz")
    .option(
      "--base <folder>",
      "language model to start from, with its tokenizer and its shape: a folder or a base's name (default: from scratch)",
      baseFolder,
    )
    .option(
      "--out <folder>",
      "folder that the run is written to (default: the first free of runs/pretrain-1, -2, ...)",
    )
    .option("--resume <folder>", "folder of a run that was stopped, to go on with")
    .addOption(unfinishedOption())
    .option("--quick", "train a tiny model for some seconds, to see that everything works")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((given: Given) => runPretrain(given));
  addOptions(command, pretrainSchema);
}

/** What a run needs to begin or to go on. */
interface Prepared {
  readonly base?: CausalLM;
  readonly folder: PretrainFolder;
  readonly settings: PretrainSettings;
  readonly corpus: Corpus;
  readonly resume?: PretrainCheckpoint;
}

async function runPretrain({ resume, quick: isQuick, json = false, ...given }: Given) {
  const asked = isQuick ? { ...quickFor(given.base), ...given } : given;
  const say = sayFor({ json });
  const folder = new PretrainFolder(resume ?? asked.out ?? freeFolder("pretrain"));
  try {
    const prepared = await (resume === undefined ? begin(folder, asked) : goOn(folder, asked, say));
    const isMade = resume !== undefined && folder.isFinished;
    if (isMade && folder.has("report.html") && !json) {
      say(nothingLeft(folder.path));
      return;
    }
    const screen = displayFor({ json });
    const done = await train(prepared, screen).finally(() => screen.end());
    if (done.finished && !isMade) await folder.finish(() => saveFinished(prepared, done.lm));
    await conclude(done, folder, { json });
  } finally {
    folder.close();
  }
}

async function begin(
  folder: PretrainFolder,
  { corpus: files, base: from, out: _, unfinished, ...options }: Given,
): Promise<Prepared> {
  const base = from === undefined ? undefined : baseFor(from, { ...options, unfinished });
  const settings = pretrainSettings(
    base ? { ...options, ...shapeOf(base, options.context) } : options,
  );
  if (files === undefined) {
    throw new ArgumentError("pretrain: name the text to train on, --corpus FILE...");
  }
  folder.checkFree();
  const tokenizer = from === undefined ? undefined : loadTokenizer(from);
  const corpus = await makeCorpus(documentsIn(files, settings), settings, tokenizer);
  const run = { corpus: [...files], settings, ...(from !== undefined && { base: from }) };
  await folder.begin({ ...resolved(run), inputs: inputsOf(from === undefined ? [] : [from]) });
  await saveTokenizer(folder.path, corpus.tokenizer);
  if (base) await saveConfig(folder.path, configToHF(base.config));
  return { folder, settings, corpus, ...(base && { base }) };
}

/** The options that a base decides. */
const shape = ["style", "dim", "layers", "heads", "dropout", "tokenizer", "vocabSize"] as const;

/** What --quick means: a smaller model too, unless a base decides that. */
function quickFor(base: string | undefined): PretrainOptions {
  if (base === undefined) return quickPretrain;
  const decided: readonly string[] = [...shape, "context"];
  return Object.fromEntries(
    Object.entries(quickPretrain).filter(([name]) => !decided.includes(name)),
  );
}

/** The model to go on from; an ArgumentError for options that it decides. */
function baseFor(folder: string, { unfinished, ...options }: Options): CausalLM {
  const vain = shape.filter((name) => options[name] !== undefined);
  if (vain.length > 0) {
    throw new ArgumentError(
      `pretrain: with --base, the model has its shape and its tokenizer; leave ${vain.join(", ")} away`,
    );
  }
  return openCausalLM(folder, { unfinished });
}

async function goOn(
  folder: PretrainFolder,
  { corpus: given, base, out, ...options }: Given,
  say: (text: string) => void,
): Promise<Prepared> {
  if (out !== undefined || base !== undefined) {
    throw new ArgumentError(
      "pretrain: --resume goes on in its own folder, from its own base; leave --out and --base away",
    );
  }
  const { state } = folder.checkpoint();
  const begun = readPretrainRun(folder);
  const { settings } = state;
  checkSameSettings(settings, options);
  const files = given ?? begun.corpus;
  const corpus = await makeCorpus(
    documentsIn(files, settings),
    settings,
    loadTokenizer(folder.path),
  );
  checkInputs(folder.path, begun.inputs, () => true); // the checkpoint has all of the base that is needed
  const { checkpoint: resume, ...rewound } = await folder.resume();
  for (const line of goingOn(`step ${resume.state.step}`, rewound)) say(line);
  const shaped = begun.base === undefined ? {} : { base: causalLMShapedAs(folder.path) };
  return { folder, settings, corpus, resume, ...shaped };
}

function documentsIn(files: readonly string[], { separator }: PretrainSettings): string[] {
  return files.flatMap((file) => documentsOf(readText(file), separator));
}

async function train({ folder, settings, corpus, base, resume }: Prepared, screen: Display) {
  const status = statusLine();
  return stoppable(screen, "step", (signal) =>
    pretrain(settings, {
      corpus,
      base,
      resume,
      signal,
      onModel: (lm) => screen.say(`${describeCorpus(corpus)}\n${describeModel(lm, folder)}`),
      onProgress: (progress) => screen.show(progress.done, status(progress)),
      onRecord: keepAndTell(folder, screen, describeRecord),
      onCheckpoint: (checkpoint, lm) =>
        folder.save(checkpoint, (mark) =>
          saveCausalLM(folder.path, lm, corpus.tokenizer.special, mark),
        ),
    }),
  );
}

function saveFinished({ folder, corpus }: Prepared, lm: CausalLM): Promise<void> {
  return saveCausalLM(folder.path, lm, corpus.tokenizer.special);
}

const count = (n: number): string => Math.round(n).toLocaleString("en-US");

function describeCorpus({ tokenizer, facts }: Corpus): string {
  const { documents, repeated, trainingTokens, validationTokens, bytesPerToken } = facts;
  const copies = repeated === 0 ? "" : `; ${count(repeated)} repeated ones left out`;
  return [
    `corpus: ${count(documents)} ${documents === 1 ? "document" : "documents"}${copies}`,
    `tokens: ${count(trainingTokens)} to train on, ${count(validationTokens)} held out`,
    `tokenizer: ${count(tokenizer.vocabSize)} tokens of ${bytesPerToken.toFixed(2)} bytes`,
  ].join("\n");
}

function describeModel(lm: CausalLM, { path }: PretrainFolder): string {
  const { style, layers, dim } = lm.config;
  const size = `${count(lm.parameterCount())} parameters, ${layers} layers of ${dim}`;
  return `model: ${style}, ${size}, on ${describeDevice()}, in ${path}`;
}

/** A line for what is rare; null for a training step, which the bar shows. */
function describeRecord(record: PretrainRecord): string | null {
  if (record.kind === "train") return null;
  if (record.kind === "sample") {
    const text = `${record.prompt}${record.text}`.trim();
    return `step ${count(record.step)} writes:\n    ${text.replaceAll("\n", "\n    ")}`;
  }
  const { step, loss, perplexity, bitsPerByte } = record;
  return (
    `step ${count(step)}: validation loss ${loss.toFixed(3)}, perplexity ${perplexity?.toFixed(2) ?? "beyond all numbers"}, ` +
    `${bitsPerByte.toFixed(3)} bits a byte`
  );
}

/** The line beside the bar: steps, the loss of late, speed and time left. */
function statusLine(): (progress: PretrainProgress) => string {
  const rate = new Rate();
  let smooth: number | null = null;
  return ({ step, steps, tokens, done, seconds, loss }) => {
    smooth = smooth === null ? loss : 0.95 * smooth + 0.05 * loss;
    const of = steps === null ? "" : `/${count(steps)}`;
    const speed = `${count(rate.at(seconds, tokens))} tokens/s`;
    const left = clockTime((seconds * (1 - done)) / done);
    return `step ${count(step)}${of}  loss ${smooth.toFixed(3)}  ${speed}  ${left} left`;
  };
}

async function conclude(
  { lm, step, steps, finished, settings }: Pretrained,
  folder: PretrainFolder,
  flags: JsonFlag,
): Promise<void> {
  const { path } = folder;
  const validation = folder.metrics().findLast(({ kind }) => kind === "validation") ?? null;
  const parameters = lm.parameterCount();
  const data = { folder: path, finished, step, steps, parameters, validation, settings };
  if (!finished) {
    printFound(flags, data, howToGoOn("pretrain", `step ${count(step)}`, path));
    exitAsStopped();
    return;
  }
  const again = settings.minutes === null ? "" : `; the same again, to the bit: --steps ${steps}`;
  const { told, path: report } = await reportOf(path);
  const text = [
    `finished after ${count(step)} steps${again}`,
    `next: npx twoheads generate ${path} --prompt "Once upon a time"`,
    told,
  ];
  printFound(flags, { ...data, report }, text.join("\n"));
}
