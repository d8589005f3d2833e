// The lines of a run's metrics.jsonl: one when it begins, one for a step of training, one for an
// evaluation, one for how far the hidden states have drifted by then. Names are those that people look for (loss, accuracy, grad_norm), in snake case as other
// tools write them. Next: ../trainer.ts, which makes them.

import * as z from "zod";
import { accept, signatures } from "../../core/signature.ts";
import { type Lines, parseLines } from "../../nn/checked.ts";

const takes = signatures({
  parseTrainMetrics: "text: string, file?: string",
});

/** The least and the greatest reward of the pairs; records of earlier versions haven't got them. */
const extremes = { min_reward: z.number().optional(), max_reward: z.number().optional() };
const step = z.int().min(0);
const optional = z.number().nullable();

const start = z.strictObject({
  kind: z.literal("start"),
  step: z.literal(0),
  /** Pairs to train on, and how many of them had their labels flipped. */
  pairs: z.int(),
  flipped: z.int(),
  /** Pairs whose answers carry no text-generation label at all: nothing to regularise with. */
  unlabelled: z.int(),
  validation_pairs: z.int(),
  steps: z.int(),
  parameters: z.int(),
  trained_parameters: z.int(),
});

const training = z.strictObject({
  kind: z.literal("train"),
  step,
  /** Pairs seen, divided by the pairs there are. */
  epoch: z.number(),
  /** (1 - alpha) reward_loss + alpha reg_loss. */
  loss: z.number(),
  reward_loss: z.number(),
  /** null where there is no regulariser, or alpha is 0. */
  reg_loss: optional,
  /** Share of the batch's pairs whose chosen answer has the higher reward; ties count half. */
  accuracy: z.number(),
  /** Mean of r_c - r_r. */
  margin: z.number(),
  chosen_reward: z.number(),
  rejected_reward: z.number(),
  ...extremes,
  /** Norm of what each loss, with its weight in the mix, pushes the final hidden states with; they never
   * share a place, so the squares add up to the whole. null with a frozen backbone. */
  reward_hidden_grad: optional,
  reg_hidden_grad: optional,
  /** The regulariser's share of that squared norm. */
  reg_hidden_share: optional,
  /** Every parameterGradEvery steps, of the first micro-batch: the same over the trained parameters, and
   * the cosine between the two. */
  reward_param_grad: optional,
  reg_param_grad: optional,
  grad_cosine: optional,
  /** Global norm over the trained parameters, before clipping. */
  grad_norm: z.number(),
  /** How many steps were clipped so far. */
  clipped: z.int(),
  lr: z.number(),
  /** Tokens without padding, of this step. */
  tokens: z.int(),
  tokens_per_second: z.number(),
  seconds: z.number(),
});

const evaluation = z.strictObject({
  kind: z.literal("evaluation"),
  step,
  pairs: z.int(),
  /** Bradley-Terry loss. */
  loss: z.number(),
  accuracy: z.number(),
  ties: z.int(),
  margin: z.number(),
  chosen_reward: z.number(),
  rejected_reward: z.number(),
  ...extremes,
  /** Of the language model's head on labelled tokens; null if there are none. */
  chosen_perplexity: optional,
  rejected_perplexity: optional,
  /** Whether this is the best so far. */
  best: z.boolean(),
  seconds: z.number(),
});

/** After an evaluation, where it was asked for: how far the hidden states are from the base's. */
const drift = z.strictObject({
  kind: z.literal("drift"),
  step,
  /** Layer by layer of the residual stream: see ../inspect/drift.ts. */
  layers: z.array(
    z.strictObject({
      name: z.string(),
      cka: optional,
      /** Mean over tokens of the cosine with the base's state. */
      cosine: z.number(),
      /** Mean length of a state, and the deviation over tokens divided by it. */
      norm: z.number(),
      norm_spread: z.number(),
      effective_rank: optional,
    }),
  ),
});

/** What a line of metrics.jsonl must be; `kind` says which record it is. */
export const trainRecordSchema = z.discriminatedUnion("kind", [start, training, evaluation, drift]);

/** A line of metrics.jsonl. */
export type TrainRecord = Readonly<z.infer<typeof trainRecordSchema>>;

/** The first line of a run: how many pairs, steps and parameters. */
export type StartRecord = Readonly<z.infer<typeof start>>;

/** A step of training: losses, rewards, gradients, rate and speed. */
export type StepRecord = Readonly<z.infer<typeof training>>;

/** An evaluation on the validation pairs: loss, accuracy, rewards and perplexities. */
export type EvaluationRecord = Readonly<z.infer<typeof evaluation>>;

/** How far the hidden states are from the base's, layer by layer, at an evaluation. */
export type DriftRecord = Readonly<z.infer<typeof drift>>;

/** The records of a run in their order, and whether the last line of the file was cut. */
export type TrainMetrics = Lines<TrainRecord>;

/** Reads the text of a metrics.jsonl; a FileError names the line that is none of ours. */
export function parseTrainMetrics(text: string, file = "metrics.jsonl"): TrainMetrics {
  accept(takes.parseTrainMetrics, arguments);
  return parseLines(text, file, trainRecordSchema);
}
