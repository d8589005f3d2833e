// A reward model in a folder on disk: rewardModelFiles.ts, from paths. Next: export.ts for others to open.

import { accept, signatures } from "../core/signature.ts";
import { folderOnDisk } from "../nn/checkpoints/files.ts";
import { saveConfig } from "../nn/checkpoints/shape.ts";
import type { StateDict } from "../nn/index.ts";
import { loadModel, readConfig, saveModel, saveTokenizer } from "../nn/node.ts";
import { type RewardModelFolder, rewardModelIn, rewardModelParts } from "./rewardModelFiles.ts";

const takes = signatures({
  saveRewardModel:
    "folder: string, parts: { model: object, tokenizer: object, ... }, metadata?: object",
  loadRewardModel: "folder: string",
});

/** Writes a reward model into a folder, each file replaced atomically, the weights, with `metadata`, last. */
export async function saveRewardModel(
  folder: string,
  parts: RewardModelFolder,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  accept(takes.saveRewardModel, arguments);
  const model = rewardModelParts(parts);
  await saveTokenizer(folder, parts.tokenizer);
  await saveModel(folder, { ...model, metadata });
}

/** Writes all of a reward model but its weights: what a checkpoint's numbers are of. */
export async function saveRewardModelShape(
  folder: string,
  parts: RewardModelFolder,
): Promise<void> {
  await saveTokenizer(folder, parts.tokenizer);
  await saveConfig(folder, rewardModelParts(parts).config);
}

/** A reward model whose shape is in a folder, with weights from elsewhere. */
export function rewardModelWith(folder: string, tensors: StateDict): RewardModelFolder {
  const metadata = new Map<string, string>();
  const load = () => ({ config: readConfig(folder), tensors, metadata });
  return rewardModelIn(folderOnDisk(folder), load);
}

/**
 * Opens a reward model's folder, ours or the official code's, in evaluation mode. Weights that don't fit
 * the configuration are a FileError, and nothing is loaded.
 */
export function loadRewardModel(folder: string): RewardModelFolder {
  accept(takes.loadRewardModel, arguments);
  return rewardModelIn(folderOnDisk(folder), () => loadModel(folder));
}
