// Whether a file of tensors is what was written: a seal is the SHA-256 of the file, with zeros in its own place,
// among the metadata; and of a run's finished weights run.json knows the SHA-256, so that these stay as other
// programs expect them. A flipped bit anywhere, in a name, a dtype or a number, breaks both.
// Next: onDisk.ts, which checks both; ../run/folder.ts, which writes them.

import { createHash } from "node:crypto";
import { FileError } from "./byteSource.ts";
import { digestOfFile, fileExists, joinPath, openFile, readFile } from "./files.ts";
import { indexName, weightsName } from "./folder.ts";
import { readHeader } from "./header.ts";
import { parseJson } from "./json.ts";
import { type SafetensorsOptions, safetensorsBytes, type Tensors } from "./safetensors.ts";
import { readIndex } from "./sharded.ts";

/** The name of the seal among the metadata. */
export const sealName = "twoheads.sha256";

/** What metadata say of weights that aren't those of a run's end: how far it was, as "step 4 of 8". */
export const unfinishedName = "twoheads.unfinished";

const blank = "0".repeat(64);
const sealed = new RegExp(`(?<="${sealName}":")[0-9a-f]{64}(?=")`);

/** The bytes of a safetensors file with a seal. */
export async function* sealedBytes(
  tensors: Tensors,
  { metadata }: SafetensorsOptions,
): AsyncGenerator<Uint8Array> {
  const options = { metadata: { ...metadata, [sealName]: blank } };
  const hash = createHash("sha256");
  for await (const chunk of safetensorsBytes(tensors, options)) hash.update(chunk);
  let digest: string | null = hash.digest("hex");
  for await (const chunk of safetensorsBytes(tensors, options)) {
    if (digest === null) yield chunk;
    else yield withSeal(chunk, digest); // the header comes first
    digest = null;
  }
}

/** A header's bytes with another seal; the seal is ASCII, so that nothing else moves. */
function withSeal(header: Uint8Array, digest: string): Uint8Array {
  return Buffer.from(Buffer.from(header).toString("latin1").replace(sealed, digest), "latin1");
}

/** A FileError if a file has a seal, and it is broken. */
export function checkSeal(path: string): void {
  const source = openFile(path);
  try {
    const seal = readHeader(source).metadata.get(sealName);
    if (seal === undefined) return;
    const length = 8 + Number(Buffer.from(source.read("", 0, 8)).readBigUInt64LE());
    const header = source.read("header", 0, length);
    const hash = createHash("sha256").update(withSeal(header, blank));
    const most = 2 ** 24; // bytes at once
    for (let at = length; at < source.size; at += most)
      hash.update(source.read("", at, Math.min(most, source.size - at)));
    if (hash.digest("hex") === seal) return;
  } finally {
    source.close();
  }
  throw new FileError(path, "", `is damaged: its SHA-256 isn't the one that was written into it`);
}

/** The SHA-256 of a run's finished weights as its run.json says; undefined where nobody says. */
export function knownDigest(folder: string): string | undefined {
  const path = joinPath(folder, "run.json");
  if (!fileExists(path)) return undefined;
  const weights = parseJson(path, readFile(path)).get("weights");
  if (weights.value === undefined) return undefined;
  const digest = weights.get(weightsName);
  return digest.value === undefined ? undefined : digest.string();
}

/** A FileError unless the shards of a folder are what their index knows them by, where it does. */
function checkShards(folder: string): void {
  const path = joinPath(folder, indexName);
  if (!fileExists(path)) return;
  const { shardOf, digests } = readIndex(openFile(path));
  for (const shard of new Set(shardOf.values())) {
    const [file, known] = [joinPath(folder, shard), digests.get(shard)];
    if (known === undefined || !fileExists(file)) continue; // a missing one is told where it is opened
    if (digestOfFile(file) === known) continue;
    throw new FileError(
      file,
      "",
      `is damaged, or another model's: its SHA-256 isn't the one in ${indexName} (${known.slice(0, 12)}...)`,
    );
  }
}

/** A FileError unless a folder's weights are, as far as anybody knows, what was written. */
export function checkWeights(folder: string): void {
  const path = joinPath(folder, weightsName);
  if (!fileExists(path)) {
    checkShards(folder);
    return;
  }
  checkSeal(path);
  const known = knownDigest(folder);
  if (known === undefined || known === digestOfFile(path)) return;
  throw new FileError(
    path,
    "",
    `is damaged, or another model's: its SHA-256 isn't the one in run.json (${known.slice(0, 12)}...); --resume ${folder} writes it again`,
  );
}
