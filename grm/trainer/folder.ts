// The training of a reward model on disk. Next: ../../nn/run/folder.ts for what is written and when.

import { accept, signatures } from "../../core/signature.ts";
import { RunFolder, type RunKind } from "../../nn/run/folder.ts";
import { type TrainPart, type TrainState, trainFormat } from "./checkpoint.ts";
import { type TrainRecord, trainRecordSchema } from "./records.ts";

const takes = signatures({
  TrainFolder: "path: string",
});

const kind: RunKind<TrainState, TrainPart, TrainRecord> = {
  checkpoint: trainFormat,
  line: trainRecordSchema,
  lastLine: (step) => step,
};

/** What a training run keeps in its folder: checkpoint, metrics and model, by path. */
export class TrainFolder extends RunFolder<TrainState, TrainPart, TrainRecord> {
  constructor(path: string) {
    accept(takes.TrainFolder, arguments);
    super(path, kind);
  }
}
