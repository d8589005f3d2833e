// The settings that several kinds of run share, each with its range and its description, so that one name
// means the same in all of them. Next: ../pretrain/settings.ts, the first of the runs.

import * as z from "zod";

/** How many of something, at least one. */
export const count = z.int().min(1);

/** The largest number that a float32 holds. */
export const largestFloat = 2 ** 128 - 2 ** 104;

/** A number above 0 that kernels take, which compute in float32. */
export const positive = z
  .number()
  .positive()
  .max(largestFloat, "is beyond what a float32 holds, 3.4e38");

/** A part of a whole, from 0 to less than 1. */
export const share = z.number().min(0).lt(1);

export const seed = z
  .int()
  .default(0)
  .describe("seed of all randomness; the same seed gives the same bits");

export const weightDecay = (usual: number) =>
  z
    .number()
    .min(0)
    .max(largestFloat, "is beyond what a float32 holds, 3.4e38")
    .default(usual)
    .describe("weight decay of matrices and tables, as AdamW applies it");

export const beta2 = (usual: number) =>
  share.default(usual).describe("decay rate of AdamW's mean of squared gradients");

export const largestNorm = z
  .number()
  .positive()
  .default(1)
  .describe("largest global norm of the gradients; larger ones are scaled down to it");

/** The adapters of mode lora: W + alpha / rank B A. */
export const loraSettings = {
  loraRank: count.default(8).describe("rank of the matrices of LoRA adapters"),
  loraAlpha: z
    .number()
    .positive()
    .default(16)
    .describe("numerator of the factor alpha / rank that LoRA adapters are scaled by"),
};
