// The training of a policy on disk. Next: ../../nn/run/folder.ts for what is written and when.

import { RunFolder, type RunKind } from "../../nn/run/folder.ts";
import { type PolicyState, policyFormat } from "./policyCheckpoint.ts";
import { type PolicyRecord, policyRecordSchema } from "./policyRecords.ts";

const kind: RunKind<PolicyState, "model" | "optimiser", PolicyRecord> = {
  checkpoint: policyFormat,
  line: policyRecordSchema,
  lastLine: (step) => step - 1, // a round's line is of the answers before it was learnt from
};

/** What the training of a policy keeps in its folder: checkpoint and metrics, by path. */
export class PolicyFolder extends RunFolder<PolicyState, "model" | "optimiser", PolicyRecord> {
  constructor(path: string) {
    super(path, kind);
  }
}
