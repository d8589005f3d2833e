// A reward model in a folder on disk: rewardModelFiles.ts, from paths. Next: export.ts for others to open.

import { accept, signatures } from "../core/signature.ts";
import { folderOnDisk } from "../nn/checkpoints/files.ts";
import { saveModel, saveTokenizer } from "../nn/node.ts";
import { type RewardModelFolder, rewardModelIn, rewardModelParts } from "./rewardModelFiles.ts";

const takes = signatures({
  saveRewardModel: "folder: string, parts: { model: object, tokenizer: object, ... }",
  loadRewardModel: "folder: string",
});

/** Writes a reward model into a folder, each file replaced atomically, the weights last. */
export async function saveRewardModel(folder: string, parts: RewardModelFolder): Promise<void> {
  accept(takes.saveRewardModel, arguments);
  const model = rewardModelParts(parts);
  await saveTokenizer(folder, parts.tokenizer);
  await saveModel(folder, model);
}

/**
 * Opens a reward model's folder, ours or the official code's, in evaluation mode. Weights that don't fit
 * the configuration are a FileError, and nothing is loaded.
 */
export function loadRewardModel(folder: string): RewardModelFolder {
  accept(takes.loadRewardModel, arguments);
  return rewardModelIn(folderOnDisk(folder));
}
