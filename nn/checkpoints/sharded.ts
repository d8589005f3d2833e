// A model in several safetensors files, behind an index that says which tensor is where: what is read, from
// disk or from memory. Next: folder.ts for models, onDisk.ts for how shards are saved.

import type { Tensor } from "../../core/index.ts";
import { type ByteSource, FileError, type Folder, readAll } from "./byteSource.ts";
import type { StoredTensor } from "./header.ts";
import { type Field, parseJson } from "./json.ts";
import { openTensors, type SafetensorsFile, type TensorFile } from "./safetensors.ts";

/** Opens the shards that an index names; they lie beside it, and hold what it says and nothing else. */
export function openShards(folder: Folder, indexName: string): TensorFile {
  const source = folder.open(indexName);
  const { name: indexPath } = source;
  const { shardOf } = readIndex(source);
  const shards = new Map<string, SafetensorsFile>();
  const close = (): void => {
    for (const shard of shards.values()) shard.close();
  };
  try {
    for (const shard of new Set(shardOf.values())) {
      shards.set(shard, openTensors(folder.open(shard)));
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

/** What the index of a model in shards says. */
export interface Index {
  readonly shardOf: ReadonlyMap<string, string>;
  /** How often this index was saved by us; 0 for one of others. */
  readonly generation: number;
  /** SHA-256 of each shard, in hexadecimal, as we save them; empty for an index of others. */
  readonly digests: ReadonlyMap<string, string>;
}

/** What an index says; closes it. */
export function readIndex(source: ByteSource): Index {
  const root = parseJson(source.name, readAll(source));
  const shardOf = new Map<string, string>();
  for (const [name, field] of root.get("weight_map").entries()) {
    const file = field.string();
    if (!/^[\w.-]+\.safetensors$/.test(file)) {
      field.fail(`"${file}" is no name of a safetensors file beside the index`);
    }
    shardOf.set(name, file);
  }
  const metadata = root.get("metadata");
  const said = (name: string): Field =>
    metadata.value === undefined ? metadata : metadata.get(name);
  const [saved, digests] = [said("generation"), said("sha256")];
  return {
    shardOf,
    generation: saved.value === undefined ? 0 : saved.wholeNumber(),
    digests: new Map(
      digests.value === undefined
        ? []
        : Array.from(digests.entries(), ([file, field]) => [file, field.string()]),
    ),
  };
}
