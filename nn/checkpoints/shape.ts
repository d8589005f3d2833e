// The shape of a model in its folder: config.json, and what ends its texts. A run writes it before its first step, so
// that whoever goes on with a checkpoint knows what the numbers are of. Next: onDisk.ts for the weights.

import { joinPath, removeFile, replaceFile } from "./files.ts";
import {
  configName,
  configText,
  generationName,
  generationText,
  type RawConfig,
} from "./folder.ts";

/** Writes config.json and generation_config.json into a folder, each replaced atomically. */
export async function saveConfig(folder: string, config: RawConfig): Promise<void> {
  await replaceFile(joinPath(folder, configName), configText(config));
  const generation = generationText(config);
  if (generation === null) removeFile(joinPath(folder, generationName));
  else await replaceFile(joinPath(folder, generationName), generation);
}
