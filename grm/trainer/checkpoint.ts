// How the training of a reward model goes on: weights, the best weights so far, optimiser state and the
// reference's log probabilities, its place in the data and its generator.
// Next: ../../nn/run/checkpoint.ts for the file, ../trainer.ts, which makes it and goes on from it.

import * as z from "zod";
import { accept, signatures } from "../../core/signature.ts";
import type { StateDict } from "../../nn/index.ts";
import {
  CheckpointFormat,
  randomStateSchema,
  type TrainingCheckpoint,
} from "../../nn/run/checkpoint.ts";
import { optimiserFields } from "../../nn/run/optimiser.ts";

const takes = signatures({
  saveTrainCheckpoint: "path: string, checkpoint: { model: object, state: object, ... }",
  loadTrainCheckpoint: "path: string",
});

const count = z.int().min(0);

const stateSchema = z.strictObject({
  /** As given to train(), complete. */
  settings: z.record(z.string(), z.unknown()),
  /** Of all ids and labels: whether the pairs are the same. */
  digest: z.string(),
  step: count,
  steps: count,
  seconds: z.number().min(0),
  clipped: count,
  ...optimiserFields,
  position: z.strictObject({ epoch: count, batch: count }),
  dropout: randomStateSchema,
  /** The best evaluation so far. */
  best: z.strictObject({ step: count, loss: z.number(), accuracy: z.number() }).nullable(),
});

/** How far a run is, without its tensors. */
export type TrainState = Readonly<z.infer<typeof stateSchema>>;

/** A training run stopped between two steps: all that is needed to go on to the bit. */
export interface TrainCheckpoint extends TrainingCheckpoint<TrainState> {
  /** The trained parameters of the best evaluation; empty if none was kept. */
  readonly best: StateDict;
  /** s_ref of the training pairs, where DPO needs it: s_c and s_r, float64 [N]. */
  readonly reference: StateDict;
}

const parts = ["model", "optimiser", "best", "reference"] as const;

export type TrainPart = (typeof parts)[number];

export const trainFormat = new CheckpointFormat({
  key: "twoheads.train",
  of: "a reward model's training",
  state: stateSchema,
  parts,
});

/** Writes a checkpoint; a kill at any moment leaves the old file or the new one. */
export async function saveTrainCheckpoint(
  path: string,
  checkpoint: TrainCheckpoint,
): Promise<void> {
  accept(takes.saveTrainCheckpoint, arguments);
  await trainFormat.save(path, checkpoint);
}

/** Reads a checkpoint onto the current device; a FileError if it is none, or damaged. */
export function loadTrainCheckpoint(path: string): TrainCheckpoint {
  accept(takes.loadTrainCheckpoint, arguments);
  return trainFormat.load(path);
}
