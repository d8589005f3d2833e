// How the training of a policy goes on: policy and optimiser, the weight of the KL penalty, and the scale of
// rewards. Randomness is not in here: each round has a seed of its own.
// Next: ../../nn/run/checkpoint.ts for the file, policyTrainer.ts, which makes it and goes on from it.

import * as z from "zod";
import { accept, signatures } from "../../core/signature.ts";
import { type TrainingCheckpoint, trainingFormat } from "../../nn/run/checkpoint.ts";
import { optimiserFields } from "../../nn/run/optimiser.ts";

const takes = signatures({
  savePolicyCheckpoint: "path: string, checkpoint: { model: object, state: object, ... }",
  loadPolicyCheckpoint: "path: string",
});

const count = z.int().min(0);

const stateSchema = z.strictObject({
  settings: z.record(z.string(), z.unknown()),
  step: count,
  seconds: z.number().min(0),
  ...optimiserFields,
  klWeight: z.number(),
  /** The first round's mean and deviation of rewards; null before it. */
  scale: z.strictObject({ mean: z.number(), deviation: z.number() }).nullable(),
});

/** How far a run is, without its tensors. */
export type PolicyState = Readonly<z.infer<typeof stateSchema>>;

/** A policy's run stopped between two rounds: all that is needed to go on to the bit. */
export type PolicyCheckpoint = TrainingCheckpoint<PolicyState>;

export const policyFormat = trainingFormat("twoheads.policy", "a policy's training", stateSchema);

/** Writes a checkpoint; a kill at any moment leaves the old file or the new one. */
export async function savePolicyCheckpoint(
  path: string,
  checkpoint: PolicyCheckpoint,
): Promise<void> {
  accept(takes.savePolicyCheckpoint, arguments);
  await policyFormat.save(path, checkpoint);
}

/** Reads a checkpoint onto the current device; a FileError if it is none, or damaged. */
export function loadPolicyCheckpoint(path: string): PolicyCheckpoint {
  accept(takes.loadPolicyCheckpoint, arguments);
  return policyFormat.load(path);
}
