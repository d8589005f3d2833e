// A model in several safetensors files, behind an index that says which tensor is where. Saving keeps
// the promise of one file: new shards have names of their own, the index is replaced last and in one
// step, and only then do the old shards go. A kill leaves the old model or the new one.
// Next: folder.ts.

import { byteSize } from "../../core/dtype.ts";
import { ArgumentError, type Tensor } from "../../core/index.ts";
import {
  FileError,
  fileExists,
  folderOf,
  joinPath,
  nameOf,
  readFile,
  removeFile,
  replaceFile,
} from "./files.ts";
import type { StoredTensor } from "./header.ts";
import { parseJson } from "./json.ts";
import {
  SafetensorsFile,
  type SafetensorsOptions,
  saveSafetensors,
  type TensorFile,
  type Tensors,
} from "./safetensors.ts";

const indexEnding = ".safetensors.index.json";

/** Opens the shards that an index names; they lie beside it, and hold what it says and nothing else. */
export function openSharded(indexPath: string): TensorFile {
  const { shardOf } = readIndex(indexPath);
  const shards = new Map<string, SafetensorsFile>();
  const close = (): void => {
    for (const shard of shards.values()) shard.close();
  };
  try {
    for (const shard of new Set(shardOf.values())) {
      shards.set(shard, SafetensorsFile.open(joinPath(folderOf(indexPath), shard)));
    }
    const stored = collect(indexPath, shardOf, shards);
    const metadata = new Map([...shards.values()].flatMap((shard) => [...shard.metadata]));
    const read = (name: string): Tensor => {
      const shard = shards.get(shardOf.get(name) ?? "");
      if (shard === undefined) throw new FileError(indexPath, "weight_map", `has no "${name}"`);
      return shard.read(name);
    };
    return { metadata, stored, read, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** What the shards store, in the order of the index; throws where shards and index disagree. */
function collect(
  indexPath: string,
  shardOf: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, SafetensorsFile>,
): Map<string, StoredTensor> {
  const stored = new Map<string, StoredTensor>();
  for (const [name, shard] of shardOf) {
    const entry = shards.get(shard)?.stored.get(name);
    const field = `weight_map["${name}"]`;
    if (entry === undefined) throw new FileError(indexPath, field, `${shard} holds no such tensor`);
    stored.set(name, entry);
  }
  for (const [file, shard] of shards) {
    const extra = [...shard.stored.keys()].find((name) => shardOf.get(name) !== file);
    if (extra !== undefined) {
      throw new FileError(
        indexPath,
        `weight_map["${extra}"]`,
        `doesn't name ${file}, which holds it`,
      );
    }
  }
  return stored;
}

interface Index {
  readonly shardOf: ReadonlyMap<string, string>;
  /** How often this index was saved by us; 0 for one of others. */
  readonly generation: number;
}

function readIndex(path: string): Index {
  const root = parseJson(path, readFile(path));
  const shardOf = new Map<string, string>();
  for (const [name, field] of root.get("weight_map").entries()) {
    const file = field.string();
    if (!/^[\w.-]+\.safetensors$/.test(file)) {
      field.fail(`"${file}" is no name of a safetensors file beside the index`);
    }
    shardOf.set(name, file);
  }
  const metadata = root.get("metadata");
  const saved = metadata.value === undefined ? metadata : metadata.get("generation");
  return { shardOf, generation: saved.value === undefined ? 0 : saved.wholeNumber() };
}

/** Options of saveSharded. */
export interface ShardOptions extends SafetensorsOptions {
  /** The most bytes of numbers in one file, if a single tensor doesn't have more. */
  readonly shardBytes: number;
}

/** Writes tensors in shards beside `indexPath`, which ends in `.safetensors.index.json`. */
export async function saveSharded(
  indexPath: string,
  tensors: Tensors,
  { shardBytes, ...options }: ShardOptions,
): Promise<void> {
  if (!indexPath.endsWith(indexEnding)) {
    throw new ArgumentError(`saveSharded: "${indexPath}" doesn't end in ${indexEnding}`);
  }
  const old = fileExists(indexPath) ? readIndex(indexPath) : null;
  const generation = (old?.generation ?? 0) + 1;
  const shards = divide(tensors, shardBytes);
  const weightMap = new Map<string, string>();
  const stem = `${indexPath.slice(0, -indexEnding.length)}-g${generation}`;
  for (const [i, shard] of shards.entries()) {
    const path = `${stem}-${fiveDigits(i + 1)}-of-${fiveDigits(shards.length)}.safetensors`;
    await saveSafetensors(path, Object.fromEntries(shard), options);
    for (const [name] of shard) weightMap.set(name, nameOf(path));
  }
  const total = Object.values(tensors).reduce((sum, x) => sum + bytesOf(x), 0);
  const index = {
    metadata: { total_size: total, generation },
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
