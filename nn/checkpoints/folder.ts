// A model as a folder, in the layout of Hugging Face: config.json beside model.safetensors (or shards of
// it behind an index). The configuration is plain JSON here and the weights are named tensors; what a
// model makes of them is the model's matter. Next: ../tokenizers/folder.ts for the tokenizer beside them.

import { FileError, fileExists, joinPath, readFile, removeFile, replaceFile } from "./files.ts";
import { parseJson } from "./json.ts";
import {
  readTensors,
  SafetensorsFile,
  saveSafetensors,
  type TensorFile,
  type Tensors,
} from "./safetensors.ts";
import { openSharded, saveSharded } from "./sharded.ts";

const configName = "config.json";
const weightsName = "model.safetensors";
const indexName = `${weightsName}.index.json`;

/** What config.json holds, in Hugging Face's terms. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** A model as read from a folder. */
export interface LoadedModel {
  readonly config: RawConfig;
  readonly tensors: Tensors;
  /** Free text that was written beside the tensors. */
  readonly metadata: ReadonlyMap<string, string>;
}

export interface SaveModelOptions {
  readonly config: RawConfig;
  readonly stateDict: Tensors;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Splits the weights into files of about this many bytes; one file unless said. */
  readonly shardBytes?: number;
}

/**
 * Writes `config.json` and the weights into a folder. Each is replaced atomically, the weights last; what
 * must change together with the weights belongs into `metadata`.
 */
export async function saveModel(
  folder: string,
  { config, stateDict, metadata, shardBytes }: SaveModelOptions,
): Promise<void> {
  const text = `${JSON.stringify(config, null, 2)}\n`;
  const options = { metadata: { format: "pt", ...metadata } }; // transformers opens no file without it
  const weights = joinPath(folder, weightsName);
  await replaceFile(joinPath(folder, configName), text);
  if (shardBytes === undefined) return saveSafetensors(weights, stateDict, options);
  await saveSharded(joinPath(folder, indexName), stateDict, { ...options, shardBytes });
  removeFile(weights); // a single file would be taken before the index
}

/** Opens the weights of a folder without reading them: the single file, or else the index of shards. */
export function openWeights(folder: string): TensorFile {
  const single = joinPath(folder, weightsName);
  if (fileExists(single)) return SafetensorsFile.open(single);
  const index = joinPath(folder, indexName);
  if (fileExists(index)) return openSharded(index);
  throw new FileError(folder, "", `holds neither ${weightsName} nor ${indexName}`);
}

/** Reads a folder's config.json. */
export function readConfig(folder: string): RawConfig {
  const path = joinPath(folder, configName);
  return parseJson(path, readFile(path)).object();
}

/** Reads a model's configuration and weights from a folder, onto the current device. */
export function loadModel(folder: string): LoadedModel {
  const config = readConfig(folder);
  const file = openWeights(folder);
  const { metadata } = file;
  return { config, metadata, tensors: readTensors(file) };
}
