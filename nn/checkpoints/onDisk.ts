// Checkpoints on disk: what safetensors.ts, sharded.ts, folder.ts and llama2c.ts read from any source of
// bytes, read from paths here, and written. Saving shards keeps the promise of one file: new shards have
// names of their own, the index is replaced last and in one step, and only then do the old shards go. A kill
// leaves the old model or the new one. Next: files.ts.

import { byteSize } from "../../core/dtype.ts";
import { ArgumentError, type Tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import {
  digestOfFile,
  fileExists,
  folderOf,
  folderOnDisk,
  joinPath,
  nameOf,
  openFile,
  removeFile,
  replaceFile,
} from "./files.ts";
import {
  configIn,
  indexName,
  type LoadedModel,
  type ModelParts,
  modelIn,
  type RawConfig,
  weightsIn,
  weightsMetadata,
  weightsName,
} from "./folder.ts";
import { parseLlama2c } from "./llama2c.ts";
import {
  openTensors,
  readTensors,
  type SafetensorsFile,
  type SafetensorsOptions,
  safetensorsBytes,
  type TensorFile,
  type Tensors,
} from "./safetensors.ts";
import { checkWeights, sealedBytes, unfinishedName } from "./seal.ts";
import { saveConfig } from "./shape.ts";
import { openShards, readIndex } from "./sharded.ts";

const takes = signatures({
  openSafetensors: "path: string",
  loadSafetensors: "path: string, names?: Iterable",
  saveSafetensors: "path: string, tensors: object, { metadata?: object }",
  readLlama2c: "path: string",
  saveModel:
    "folder: string, { shardBytes?: number, config: object, stateDict: object, metadata?: object }",
  openWeights: "folder: string",
  readConfig: "folder: string",
  loadModel: "folder: string",
  openSharded: "indexPath: string",
  saveSharded: "indexPath: string, tensors: object, { shardBytes: number, metadata?: object }",
});

/** Opens a safetensors file on disk, without reading its tensors. Close it when done. */
export function openSafetensors(path: string): SafetensorsFile {
  accept(takes.openSafetensors, arguments);
  return openTensors(openFile(path));
}

/** Reads a safetensors file: all tensors, or those named. */
export function loadSafetensors(path: string, names?: Iterable<string>): Tensors {
  accept(takes.loadSafetensors, arguments);
  return readTensors(openSafetensors(path), names);
}

/** Writes named tensors; a kill at any moment leaves the old file or the new one. */
export function saveSafetensors(
  path: string,
  tensors: Tensors,
  options: SafetensorsOptions = {},
): Promise<void> {
  accept(takes.saveSafetensors, arguments);
  return replaceFile(path, safetensorsBytes(tensors, options));
}

/** Reads a llama2.c `.bin` (version 0, float32); config and names are those of LlamaForCausalLM. */
export function readLlama2c(path: string): LoadedModel {
  accept(takes.readLlama2c, arguments);
  const source = openFile(path);
  try {
    return parseLlama2c(source);
  } finally {
    source.close();
  }
}

/** What a model's folder holds besides weights, and into how many files these are split. */
export interface SaveModelOptions extends ModelParts {
  /** Splits the weights into files of about this many bytes; one file unless said. */
  readonly shardBytes?: number;
}

/**
 * Writes `config.json` and the weights into a folder. Each is replaced atomically, the weights last; what
 * must change together with the weights belongs into `metadata`.
 */
export async function saveModel(folder: string, parts: SaveModelOptions): Promise<void> {
  accept(takes.saveModel, arguments);
  const { config, stateDict, metadata, shardBytes } = parts;
  const options = weightsMetadata(metadata);
  const weights = joinPath(folder, weightsName);
  await saveConfig(folder, config);
  if (shardBytes === undefined) {
    const isUnfinished = metadata?.[unfinishedName] !== undefined;
    const bytes = isUnfinished ? sealedBytes : safetensorsBytes;
    return replaceFile(weights, bytes(stateDict, options));
  }
  await saveSharded(joinPath(folder, indexName), stateDict, { ...options, shardBytes });
  removeFile(weights); // a single file would be taken before the index
}

/** Opens the weights of a folder without reading them: the single file, or else the index of shards. */
export function openWeights(folder: string): TensorFile {
  accept(takes.openWeights, arguments);
  return weightsIn(folderOnDisk(folder));
}

/** Reads a folder's config.json. */
export function readConfig(folder: string): RawConfig {
  accept(takes.readConfig, arguments);
  return configIn(folderOnDisk(folder));
}

/**
 * Reads a model's configuration and weights from a folder, onto the current device. Weights of a run that aren't what
 * it wrote are a FileError.
 */
export function loadModel(folder: string): LoadedModel {
  accept(takes.loadModel, arguments);
  checkWeights(folder);
  return modelIn(folderOnDisk(folder));
}

/** Opens the shards that an index names; they lie beside it, and hold what it says and nothing else. */
export function openSharded(indexPath: string): TensorFile {
  accept(takes.openSharded, arguments);
  return openShards(folderOnDisk(folderOf(indexPath)), nameOf(indexPath));
}

const indexEnding = ".safetensors.index.json";

/** Options of saveSharded. */
export interface ShardOptions extends SafetensorsOptions {
  /** The most bytes of numbers in one file, if a single tensor doesn't have more. */
  readonly shardBytes: number;
}

/** Writes tensors in shards beside `indexPath`, which ends in `.safetensors.index.json`. */
export async function saveSharded(
  indexPath: string,
  tensors: Tensors,
  options: ShardOptions,
): Promise<void> {
  accept(takes.saveSharded, arguments);
  const { shardBytes, ...rest } = options;
  if (!indexPath.endsWith(indexEnding)) {
    throw new ArgumentError(`saveSharded: "${indexPath}" doesn't end in ${indexEnding}`);
  }
  const old = fileExists(indexPath) ? readIndex(openFile(indexPath)) : null;
  const generation = (old?.generation ?? 0) + 1;
  const shards = divide(tensors, shardBytes);
  const weightMap = new Map<string, string>();
  const sha256: Record<string, string> = {};
  const stem = `${indexPath.slice(0, -indexEnding.length)}-g${generation}`;
  for (const [i, shard] of shards.entries()) {
    const path = `${stem}-${fiveDigits(i + 1)}-of-${fiveDigits(shards.length)}.safetensors`;
    await saveSafetensors(path, Object.fromEntries(shard), rest);
    for (const [name] of shard) weightMap.set(name, nameOf(path));
    sha256[nameOf(path)] = digestOfFile(path);
  }
  const total = Object.values(tensors).reduce((sum, x) => sum + bytesOf(x), 0);
  const index = {
    metadata: { total_size: total, generation, sha256 },
    weight_map: Object.fromEntries(weightMap),
  };
  await replaceFile(indexPath, `${JSON.stringify(index, null, 2)}\n`);
  for (const file of new Set(old?.shardOf.values()))
    removeFile(joinPath(folderOf(indexPath), file));
}

function divide(tensors: Tensors, shardBytes: number): [string, Tensor][][] {
  const shards: [string, Tensor][][] = [[]];
  let room = shardBytes;
  for (const [name, x] of Object.entries(tensors)) {
    if (bytesOf(x) > room && shards.at(-1)?.length !== 0) {
      shards.push([]);
      room = shardBytes;
    }
    shards.at(-1)?.push([name, x]);
    room -= bytesOf(x);
  }
  return shards;
}

function bytesOf({ size, dtype }: Tensor): number {
  return size * byteSize(dtype);
}

function fiveDigits(n: number): string {
  return String(n).padStart(5, "0");
}
