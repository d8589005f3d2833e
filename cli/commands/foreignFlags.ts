// Flags of the field's other trainers, answered with ours: who types --learning_rate is told of --lr. What a command
// has under the name that was typed is left alone. Next: ../cli.ts.

import type { Command } from "commander";
import { ArgumentError } from "../../core/index.ts";

/** Names as TRL, transformers and OpenRLHF have them, without dashes and underscores, and what they are here. */
const ours: Readonly<Record<string, string>> = {
  learningrate: "--lr",
  lr: "--lr",
  pertrainbatchsize: "--batch-size",
  perdevicetrainbatchsize: "--batch-size",
  trainbatchsize: "--batch-size",
  microtrainbatchsize: "--micro-batch-size",
  gradientaccumulationsteps:
    "--micro-batch-size (pairs computed at once; --batch-size stays the pairs of a step)",
  numtrainepochs: "--epochs",
  maxepochs: "--epochs",
  maxsteps: "--steps",
  maxlength: "--max-length",
  maxlen: "--max-length",
  maxseqlength: "--max-length",
  modelnameorpath: "--base",
  model: "--base",
  pretrain: "--base",
  dataset: "--data",
  datasetname: "--data",
  trainfile: "--data",
  evaldataset: "--validation",
  outputdir: "--out",
  savepath: "--out",
  resumefromcheckpoint: "--resume",
  config: "--settings",
  warmupratio: "--warmup",
  warmupsteps: "--warmup (a share of the steps)",
  weightdecay: "--weight-decay",
  l2: "--weight-decay",
  maxgradnorm: "--clip",
  maxnorm: "--clip",
  adambeta1: "--beta1",
  adambeta2: "--beta2",
  usepeft: "--mode lora",
  lorar: "--lora-rank",
  lorarank: "--lora-rank",
  loraalpha: "--lora-alpha",
  loradropout: "--lora-dropout",
  loratargetmodules: "--lora-layers",
  targetmodules: "--lora-layers",
  labelsmoothingfactor: "--label-smoothing",
  centerrewardscoefficient: "--centering",
  evalsteps: "--evaluate-every",
  evalstrategy: "--evaluate-every",
  reportto: "--log csv",
  usetensorboard: "--log csv",
  savesteps: "--checkpoint-every",
  loggingsteps: "--log-every",
  promptkey: "--prompt-key",
  inputkey: "--prompt-key",
  chosenkey: "--chosen-key",
  rejectedkey: "--rejected-key",
  chattemplatepath: "--template",
  applychattemplate: "--template",
  seed: "--seed",
};

/** An ArgumentError for the first flag that isn't the command's and has another name here. */
export function refuseForeignFlags(command: Command | undefined, words: readonly string[]): void {
  if (command === undefined) return;
  const known = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  for (const word of words) {
    const [flag = ""] = word.split("=", 1);
    if (flag === "--") return; // what follows is no option
    if (!flag.startsWith("--") || known.has(flag)) continue;
    const ourName = ours[flag.replaceAll(/[-_]/g, "").toLowerCase()];
    if (ourName === undefined || !known.has(ourName.split(" ", 1)[0])) continue;
    throw new ArgumentError(`${command.name()}: there is no ${flag}; did you mean ${ourName}?`);
  }
}
