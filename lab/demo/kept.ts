// Two of the demo's reward models that stay after it: plain BT and GRM-SFT of the first seed at the hottest
// rate, each in a folder with the base that it began with and its metrics, for the report and for whoever
// wants to look inside. Keeping one watches its training and changes nothing of it.
// Next: ../../cli/commands/demoReport.ts, which opens them.

import * as z from "zod";
import { plain } from "../../grm/data/index.ts";
import { driftWatch } from "../../grm/inspect/watch.ts";
import type { Pair } from "../../grm/pairs.ts";
import type { RewardModel } from "../../grm/rewardModel.ts";
import { saveRewardModel } from "../../grm/rewardModelFolder.ts";
import { TrainFolder } from "../../grm/trainer/folder.ts";
import { type TrainHooks, trainMethods } from "../../grm/trainer.ts";
import { fileExists, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { loadCausalLM, replaceFile, saveCausalLM, saveTokenizer } from "../../nn/node.ts";
import { spelled } from "../worlds/index.ts";
import { type DemoPlan, planSchema } from "./plan.ts";

/** The methods that are kept. */
export const keptMethods: ReadonlySet<string> = new Set(["bt", "grm-sft"]);

const keptSchema = z.strictObject({
  seed: z.int(),
  arm: z.strictObject({ method: z.enum(trainMethods), lr: z.number() }),
  plan: planSchema,
});

/** What a kept model is of. */
export type KeptRun = Readonly<z.infer<typeof keptSchema>>;

/** Which of the demo's models a folder holds. */
export const keptFile = "kept.json";

export class Kept {
  private constructor(
    readonly folder: TrainFolder,
    readonly run: KeptRun,
    /** Where the base is. */
    readonly base: string,
  ) {}

  /** Begins a folder: what stood there of an earlier run no longer counts. */
  static async begin(path: string, run: KeptRun, base: string): Promise<Kept> {
    const folder = new TrainFolder(path);
    folder.lock();
    await replaceFile(folder.at(keptFile), "{}\n"); // until the model is whole
    await folder.restart();
    return new Kept(folder, run, base);
  }

  /** What training tells meanwhile. */
  hooks(validation: readonly Pair[]): Pick<TrainHooks, "onRecord" | "drift"> {
    return {
      onRecord: (record) => this.folder.record(record),
      drift: driftWatch(loadCausalLM(this.base), validation),
    };
  }

  /** The model as it is now, and its base. */
  async save(model: RewardModel): Promise<void> {
    const { tokenizer, longest } = spelled;
    const reading = { maxLength: longest, truncation: "prompt", template: plain } as const;
    const { path } = this.folder;
    await saveRewardModel(path, { model, tokenizer, reading });
    await saveCausalLM(this.folder.at("base"), loadCausalLM(this.base));
    await saveTokenizer(this.folder.at("base"), tokenizer);
    await replaceFile(this.folder.at(keptFile), `${JSON.stringify(this.run)}\n`);
    this.folder.close();
  }
}

/** What is kept in a folder; null if nothing whole is. */
export function readKept(path: string): KeptRun | null {
  const at = joinPath(path, keptFile);
  if (!fileExists(at)) return null;
  const parsed = keptSchema.safeParse(parseJson(at, readFile(at)).value);
  return parsed.success ? parsed.data : null;
}

/** Whether a kept model is of this seed and plan. */
export function isKeptOf(kept: KeptRun, seed: number, plan: DemoPlan): boolean {
  return kept.seed === seed && JSON.stringify(kept.plan) === JSON.stringify(plan);
}
