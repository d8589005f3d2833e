// What a run says of itself while it goes on, one JSON object a line in metrics.jsonl: training steps,
// validations and samples. Checked when read back, because a file may be edited, cut or another's.
// Next: trainer.ts, which makes them.

import * as z from "zod";
import { accept, signatures } from "../../core/signature.ts";
import { type Lines, parseLines } from "../checked.ts";

const takes = signatures({
  parsePretrainMetrics: "text: string, file?: string",
});

const step = z.int().min(0);

const training = z.strictObject({
  kind: z.literal("train"),
  step,
  /** Seen so far, repeated ones counted again. */
  tokens: z.int().min(0),
  /** Mean over this step's tokens, in nats. */
  loss: z.number(),
  lr: z.number(),
  /** Of all gradients together, before clipping. */
  gradNorm: z.number(),
  /** In how many steps so far that was above the limit. */
  clipped: z.int().min(0),
  /** Since the run began, without the time in which it stood still. */
  seconds: z.number(),
});

const validation = z.strictObject({
  kind: z.literal("validation"),
  step,
  /** How many held-out tokens were predicted. */
  tokens: z.int().min(1),
  /** Mean, in nats. */
  loss: z.number(),
  /** e^loss: among how many equally likely tokens the model is undecided; null where no number is as large. */
  perplexity: z.number().nullable(),
  /** The loss in bits for each byte of text: comparable between tokenizers. */
  bitsPerByte: z.number(),
  seconds: z.number(),
});

const sample = z.strictObject({
  kind: z.literal("sample"),
  step,
  prompt: z.string(),
  /** What the model wrote after the prompt. */
  text: z.string(),
});

/** What a line of a pretraining run's metrics.jsonl must be; `kind` says which record it is. */
export const pretrainRecordSchema = z.discriminatedUnion("kind", [training, validation, sample]);

/** A line of metrics.jsonl. */
export type PretrainRecord = Readonly<z.infer<typeof pretrainRecordSchema>>;

/** The records of a run in their order, and whether the last line of the file was cut. */
export type PretrainMetrics = Lines<PretrainRecord>;

/** Reads the text of a metrics.jsonl; a FileError names the line that is none of ours. */
export function parsePretrainMetrics(text: string, file = "metrics.jsonl"): PretrainMetrics {
  accept(takes.parsePretrainMetrics, arguments);
  return parseLines(text, file, pretrainRecordSchema);
}
