// twoheads export: a reward model for PyTorch. Next: ../../grm/export.ts for the layouts.

import type { Command } from "commander";
import { ArgumentError } from "../../core/index.ts";
import { exportRewardModel } from "../../grm/export.ts";
import { adaptersOf } from "../../grm/rewardModelFiles.ts";
import { fileExists, joinPath } from "../../nn/checkpoints/files.ts";
import { type JsonFlag, jsonOption, printFound } from "./json.ts";
import { openRewardModel } from "./runs.ts";

interface Given extends JsonFlag {
  readonly out: string;
  readonly merge?: boolean;
}

const examples = `
Examples:
  $ twoheads export runs/train-1 --out for-pytorch
  $ twoheads export runs/lora-1 --out merged --merge
`;

/** Adds the command. */
export function addExport(program: Command): void {
  program
    .command("export")
    .description("write a reward model in the layout that the official GRM code and PEFT read")
    .argument("<model>", "folder of the reward model to export")
    .requiredOption("--out <folder>", "folder that the exported model is written to")
    .option(
      "--merge",
      "add LoRA adapters to the weights, in place of writing them beside the weights",
    )
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((model: string, given: Given) => runExport(model, given));
}

async function runExport(path: string, given: Given): Promise<void> {
  const { out, merge = false } = given;
  if (fileExists(joinPath(out, "config.json"))) {
    throw new ArgumentError(`export: ${out} holds a model already; choose another --out`);
  }
  const folder = openRewardModel(path);
  const hasAdapters = adaptersOf(folder.model) !== null;
  const notes = await exportRewardModel(out, folder, { merge });
  const [base, adapters] = hasAdapters && !merge ? [joinPath(out, "base"), out] : [out, ""];
  const lines = [
    `written to ${out}; the official code opens it with`,
    `  load_model_withhead("${base}", "${adapters}", tokenizer, device)`,
    ...(adapters === ""
      ? []
      : [`and PEFT its adapters with`, `  PeftModel.from_pretrained(base, "${out}")`]),
    ...notes.map((note) => `note: ${note}`),
  ];
  const data = { out, base, adapters: adapters === "" ? null : adapters, notes };
  printFound(given, data, lines.join("\n"));
}
