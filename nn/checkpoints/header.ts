// The header of a safetensors file: 8 bytes of length, then JSON that names each tensor's dtype, shape and
// byte range. Everything a reader later relies on is checked here, against the size of the file, before
// anything is allocated: ranges must tile the data exactly, and must be as long as dtype and shape say.
// Format: https://github.com/huggingface/safetensors. Next: safetensors.ts.

import { byteSize } from "../../core/dtype.ts";
import { ArgumentError, type DType, type Shape } from "../../core/index.ts";
import { type ByteSource, FileError } from "./byteSource.ts";
import { storedTypes, writtenTypes } from "./dtypes.ts";
import { type Field, parseJson } from "./json.ts";

/** What a file says of one tensor. */
export interface StoredTensor {
  readonly name: string;
  /** The format in the file: "F32", "BF16", ... */
  readonly type: string;
  readonly shape: Shape;
  /** First byte in the file, and how many. */
  readonly start: number;
  readonly length: number;
}

export interface Header {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of the data. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

const mostHeaderBytes = 100_000_000; // as the reference implementation has it
const metadataKey = "__metadata__";

/** Reads and checks the header of a safetensors file; every fault is a FileError. */
export function readHeader(source: ByteSource): Header {
  const length = readLength(source);
  const json = source.read("header", 8, length);
  if (json[0] !== 0x7b) throw new FileError(source.name, "header", "doesn't begin with {");
  const root = parseJson(source.name, json, "header");
  const metadata = new Map<string, string>();
  const tensors: StoredTensor[] = [];
  for (const [name, field] of root.entries()) {
    if (name !== metadataKey) tensors.push(readEntry(name, field, 8 + length));
    else for (const [key, text] of field.entries()) metadata.set(key, text.string());
  }
  tensors.sort((a, b) => a.start - b.start || a.length - b.length);
  checkTiling(source, tensors, 8 + length);
  return { metadata, tensors: new Map(tensors.map((entry) => [entry.name, entry])) };
}

function readLength(source: ByteSource): number {
  refuseOthers(source);
  const bytes = source.read("header length", 0, 8);
  const length = new DataView(bytes.buffer).getBigUint64(0, true);
  const left = source.size - 8;
  if (length <= left && length <= mostHeaderBytes) return Number(length);
  const most = Math.min(left, mostHeaderBytes);
  throw new FileError(source.name, "header length", `is ${length} bytes, at most ${most} can be`);
}

function readEntry(name: string, field: Field, dataStart: number): StoredTensor {
  const { type, size } = readType(field.get("dtype"));
  const sides = field.get("shape");
  const shape = sides.items().map((side) => side.wholeNumber());
  let length = size;
  for (const side of shape) {
    length *= side;
    if (!Number.isSafeInteger(length)) sides.fail(`[${shape}] is larger than any file`);
  }
  const offsets = field.get("data_offsets");
  const [begin, end, ...rest] = offsets.items().map((offset) => offset.wholeNumber());
  if (begin === undefined || end === undefined || rest.length > 0 || begin > end) {
    return offsets.fail("needs [begin, end] with begin <= end");
  }
  if (end - begin !== length) {
    offsets.fail(`holds ${end - begin} bytes, but ${type} of shape [${shape}] has ${length}`);
  }
  return { name, type, shape, start: dataStart + begin, length };
}

function readType(field: Field): { type: string; size: number } {
  const type = field.string();
  const size = storedTypes.get(type)?.size;
  if (size !== undefined) return { type, size };
  return field.fail(`${type} can't be read; known are ${[...storedTypes.keys()].join(", ")}`);
}

/** Throws unless the sorted ranges cover the data from its first byte to the end of the file, once. */
function checkTiling(
  source: ByteSource,
  tensors: readonly StoredTensor[],
  dataStart: number,
): void {
  let [end, before] = [dataStart, "the header"];
  for (const { name, start, length } of tensors) {
    const field = `header["${name}"].data_offsets`;
    if (start < end) throw new FileError(source.name, field, `overlaps ${before}`);
    if (start > end) {
      throw new FileError(
        source.name,
        field,
        `leaves a hole of ${start - end} bytes after ${before}`,
      );
    }
    [end, before] = [start + length, `"${name}"`];
    if (end > source.size) {
      const over = end - source.size;
      throw new FileError(source.name, field, `ends ${over} bytes after the end of the file`);
    }
  }
  if (end < source.size) {
    throw new FileError(
      source.name,
      "",
      `${source.size - end} bytes after ${before} belong to nothing`,
    );
  }
}

/** What a header needs to know of a tensor that will be written. */
export interface Planned {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Number of elements. */
  readonly size: number;
}

/** The bytes in front of the data, padded with spaces to a multiple of 8, and the order of the data. */
export function planHeader<T extends Planned>(
  tensors: Readonly<Record<string, T>>,
  metadata: Readonly<Record<string, string>> = {},
): { readonly bytes: Uint8Array; readonly order: readonly T[] } {
  const widest = Object.keys(writtenTypes);
  const sorted = Object.entries(tensors).sort(
    ([a, x], [b, y]) =>
      widest.indexOf(x.dtype) - widest.indexOf(y.dtype) || (a < b ? -1 : a > b ? 1 : 0),
  );
  const entries = new Map<string, object>();
  if (Object.keys(metadata).length > 0) entries.set(metadataKey, metadata);
  let end = 0;
  for (const [name, { dtype, shape, size }] of sorted) {
    if (name === metadataKey) {
      throw new ArgumentError(
        `safetensors: no tensor can be called ${name}, the format's own word`,
      );
    }
    const begin = end;
    end += size * byteSize(dtype);
    entries.set(name, { dtype: writtenTypes[dtype], shape, data_offsets: [begin, end] });
  }
  const fields = Array.from(
    entries,
    ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
  );
  const json = new TextEncoder().encode(`{${fields}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return { bytes, order: sorted.map(([, tensor]) => tensor) };
}

/** Throws where other files are called like this one: a pointer of Git LFS, or a pickle. */
function refuseOthers(source: ByteSource): void {
  const start = String.fromCharCode(...source.read("begin", 0, Math.min(source.size, 24)));
  if (start.startsWith("version https://git-lfs.")) {
    throw new FileError(
      source.name,
      "",
      "is a pointer of Git LFS, not the file itself: git lfs pull fetches it",
    );
  }
  const isPickle =
    start.charCodeAt(0) === 0x80 && start.charCodeAt(1) < 6 && start.slice(2, 8) !== "\0".repeat(6);
  if (start.startsWith("PK\u0003\u0004") || isPickle) {
    throw new FileError(
      source.name,
      "",
      "is a pickle of PyTorch, which can run code and isn't opened",
    );
  }
}
