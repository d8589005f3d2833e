// A pretraining run on disk. Next: ../run/folder.ts for what is written and when.

import { RunFolder, type RunKind } from "../run/folder.ts";
import { type PretrainState, pretrainFormat } from "./checkpoint.ts";
import { type PretrainRecord, pretrainRecordSchema } from "./records.ts";

const kind: RunKind<PretrainState, "model" | "optimiser", PretrainRecord> = {
  checkpoint: pretrainFormat,
  line: pretrainRecordSchema,
  lastLine: (step) => step,
};

/** What a pretraining run keeps in its folder: checkpoint, metrics and model, by path. */
export class PretrainFolder extends RunFolder<
  PretrainState,
  "model" | "optimiser",
  PretrainRecord
> {
  constructor(path: string) {
    super(path, kind);
  }
}
