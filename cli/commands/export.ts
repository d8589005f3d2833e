// twoheads export: a reward model for PyTorch. Next: ../../grm/export.ts for the layouts.

import { type Command, Option } from "commander";
import { ArgumentError } from "../../core/index.ts";
import { type ExportOptions, exportRewardModel, layouts } from "../../grm/export.ts";
import { adaptersOf } from "../../grm/rewardModelFiles.ts";
import { fileExists, joinPath } from "../../nn/checkpoints/files.ts";
import { type JsonFlag, jsonOption, printFound } from "./json.ts";
import { openRewardModel, type UnfinishedFlag, unfinishedOption } from "./opened.ts";

interface Given extends JsonFlag, UnfinishedFlag {
  readonly out: string;
  readonly merge?: boolean;
  readonly as: NonNullable<ExportOptions["as"]>;
}

const examples = `
Examples:
  $ twoheads export runs/train-1 --out for-pytorch
  $ twoheads export runs/lora-1 --out merged --merge
  $ twoheads export runs/linear-1 --out for-trl --as sequence-classification
`;

/** Adds the command. */
export function addExport(program: Command): void {
  program
    .command("export")
    .description(
      "write a reward model in a layout that others read: the official GRM code and PEFT, or transformers, TRL and OpenRLHF",
    )
    .argument("<model>", "folder of the reward model to export")
    .requiredOption("--out <folder>", "folder that the exported model is written to")
    .option(
      "--merge",
      "add LoRA adapters to the weights, in place of writing them beside the weights",
    )
    .addOption(
      new Option(
        "--as <layout>",
        "layout: grm has both heads; sequence-classification has a linear reward head alone, and adapters in the weights",
      )
        .choices(layouts)
        .default("grm"),
    )
    .addOption(jsonOption())
    .addOption(unfinishedOption())
    .addHelpText("after", examples)
    .action((model: string, given: Given) => runExport(model, given));
}

async function runExport(path: string, given: Given): Promise<void> {
  const { out, merge = false, as } = given;
  if (fileExists(joinPath(out, "config.json"))) {
    throw new ArgumentError(`export: ${out} holds a model already; choose another --out`);
  }
  const folder = openRewardModel(path, given);
  const isSplit = adaptersOf(folder.model) !== null && !merge && as === "grm";
  const notes = await exportRewardModel(out, folder, { merge, as });
  const [base, adapters] = isSplit ? [joinPath(out, "base"), out] : [out, null];
  const opening = as === "grm" ? openedByGRM(base, adapters) : openedByTransformers(out);
  const lines = [`written to ${out}; ${opening}`, ...notes.map((note) => `note: ${note}`)];
  printFound(given, { out, as, base, adapters, notes }, lines.join("\n"));
}

function openedByGRM(base: string, adapters: string | null): string {
  const peft = `and PEFT its adapters with\n  PeftModel.from_pretrained(base, "${adapters}")`;
  return [
    "the official code opens it with",
    `  load_model_withhead("${base}", "${adapters ?? ""}", tokenizer, device)`,
    ...(adapters === null ? [] : [peft]),
  ].join("\n");
}

function openedByTransformers(out: string): string {
  return `transformers opens it with\n  AutoModelForSequenceClassification.from_pretrained("${out}")`;
}
