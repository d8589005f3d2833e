// How a pretraining run goes on: its model, its optimiser, its place in the data and its generator.
// Next: ../run/checkpoint.ts for the file, ../pretrain.ts, which makes it and goes on from it.

import * as z from "zod";
import { accept, signatures } from "../../core/signature.ts";
import { randomStateSchema, type TrainingCheckpoint, trainingFormat } from "../run/checkpoint.ts";
import { optimiserFields } from "../run/optimiser.ts";
import { pretrainSchema } from "./settings.ts";

const takes = signatures({
  savePretrainCheckpoint: "path: string, checkpoint: { model: object, state: object, ... }",
  loadPretrainCheckpoint: "path: string",
});

const count = z.int().min(0);

const stateSchema = z.strictObject({
  settings: pretrainSchema,
  /** The corpus that it was trained on, see CorpusFacts. */
  digest: z.string(),
  /** Steps taken, and how many there will be once that is known. */
  step: count,
  steps: count.nullable(),
  seconds: z.number().min(0),
  clipped: count,
  ...optimiserFields,
  position: z.strictObject({ epoch: count, window: count }),
  rng: z.strictObject({ dropout: randomStateSchema }),
});

/** How far a run is, without its tensors. */
export type PretrainState = Readonly<z.infer<typeof stateSchema>>;

/** A pretraining run stopped between two steps: all that is needed to go on to the bit. */
export type PretrainCheckpoint = TrainingCheckpoint<PretrainState>;

export const pretrainFormat = trainingFormat("twoheads.pretrain", "a pretraining run", stateSchema);

/** Writes a checkpoint; a kill at any moment leaves the old file or the new one. */
export async function savePretrainCheckpoint(
  path: string,
  checkpoint: PretrainCheckpoint,
): Promise<void> {
  accept(takes.savePretrainCheckpoint, arguments);
  await pretrainFormat.save(path, checkpoint);
}

/** Reads a checkpoint onto the current device; a FileError if it is none, or damaged. */
export function loadPretrainCheckpoint(path: string): PretrainCheckpoint {
  accept(takes.loadPretrainCheckpoint, arguments);
  return pretrainFormat.load(path);
}
