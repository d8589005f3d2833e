// safetensors files, read and written from scratch: the format in which models are exchanged. Reading
// takes the header first and then only the tensors that are asked for, one ranged read each. Numbers become
// core's dtypes as dtypes.ts says. Next: header.ts for what is checked, sharded.ts for models in several
// files, onDisk.ts for paths.

import { ArgumentError, Tensor, tensor } from "../../core/index.ts";
import { describeValue } from "../../core/refusal.ts";
import { accept, signatures } from "../../core/signature.ts";
import { type ByteSource, bytesAsFile, FileError } from "./byteSource.ts";
import { storedTypes } from "./dtypes.ts";
import { planHeader, readHeader, type StoredTensor } from "./header.ts";

const takes = signatures({
  SafetensorsFile: "source: { read: function, close: function, ... }",
  read: "name: string",
  openTensors: "source: { read: function, close: function, ... }",
  readTensors: "file: { read: function, close: function, ... }, names?: Iterable",
  parseSafetensors: "bytes: any, names?: Iterable, name?: string",
  safetensorsBytes: "tensors: object, { metadata?: object }",
});

/** Tensors by name: what a module's stateDict() gives and loadStateDict() takes. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Named tensors in files, read one by one: a safetensors file, or several behind an index. */
export interface TensorFile {
  /** What was written beside the tensors. */
  readonly metadata: ReadonlyMap<string, string>;
  /** What the files say of each tensor, without its numbers. */
  readonly stored: ReadonlyMap<string, StoredTensor>;
  /** Reads one tensor onto the current device; a FileError if there is none of that name. */
  read(name: string): Tensor;
  close(): void;
}

/**
 * A safetensors file. F64 becomes float64; F32, F16, BF16 and F8 float32, exactly; integers of every width
 * int32, and one beyond int32 is a FileError; BOOL bool. A damaged or hostile file is a FileError that
 * names the field.
 */
export class SafetensorsFile implements TensorFile {
  readonly metadata: ReadonlyMap<string, string>;
  readonly stored: ReadonlyMap<string, StoredTensor>;

  constructor(readonly source: ByteSource) {
    accept(takes.SafetensorsFile, arguments);
    ({ metadata: this.metadata, tensors: this.stored } = readHeader(source));
  }

  read(name: string): Tensor {
    accept(takes.read, arguments);
    const file = this.source.name;
    const entry = this.stored.get(name);
    const type = storedTypes.get(entry?.type ?? "");
    if (entry === undefined || type === undefined) {
      throw new FileError(
        file,
        "",
        `holds no tensor "${name}"; it holds ${listed(this.stored.keys())}`,
      );
    }
    const data = type.decode(
      this.source.read(`"${name}"`, entry.start, entry.length),
      (i, value) => {
        throw new FileError(
          file,
          `"${name}"`,
          `${entry.type} ${value} at ${i} is no ${type.dtype}`,
        );
      },
    );
    return tensor(data, { shape: entry.shape, dtype: type.dtype });
  }

  close(): void {
    this.source.close();
  }
}

/** Opens a source as a safetensors file; closes it if it is none. */
export function openTensors(source: ByteSource): SafetensorsFile {
  accept(takes.openTensors, arguments);
  try {
    return new SafetensorsFile(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

function listed(names: Iterable<string>): string {
  const all = [...names];
  const shown = all.slice(0, 8).join(", ");
  return all.length > 8 ? `${shown} and ${all.length - 8} more` : shown || "none";
}

/** Reads the tensors of that name (all, unless said) onto the current device, and closes the file. */
export function readTensors(file: TensorFile, names?: Iterable<string>): Tensors {
  accept(takes.readTensors, arguments);
  try {
    return Object.fromEntries(
      Array.from(names ?? file.stored.keys(), (name) => [name, file.read(name)]),
    );
  } finally {
    file.close();
  }
}

/** The tensors in the bytes of a safetensors file: all, or those named. `name` stands in errors. */
export function parseSafetensors(
  bytes: Uint8Array,
  names?: Iterable<string>,
  name = "model.safetensors",
): Tensors {
  accept(takes.parseSafetensors, arguments);
  if (!(bytes instanceof Uint8Array)) {
    throw new ArgumentError(
      `parseSafetensors: bytes must be a Uint8Array, got ${describeValue(bytes)}; of an ArrayBuffer: new Uint8Array(buffer)`,
    );
  }
  return readTensors(openTensors(bytesAsFile(name, bytes)), names);
}

/** What a safetensors file says besides its tensors. */
export interface SafetensorsOptions {
  /** Free text beside the tensors. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Throws an ArgumentError that names what isn't a tensor. */
function checkTensors(of: string, tensors: Tensors): void {
  for (const [name, x] of Object.entries<unknown>(tensors))
    if (!(x instanceof Tensor))
      throw new ArgumentError(`${of}: "${name}" must be a tensor, got ${describeValue(x)}`);
}

/** The bytes of a safetensors file, piece by piece: the header, then each tensor's numbers. */
export async function* safetensorsBytes(
  tensors: Tensors,
  options: SafetensorsOptions = {},
): AsyncGenerator<Uint8Array> {
  accept(takes.safetensorsBytes, arguments);
  const { metadata } = options;
  checkTensors("safetensorsBytes", tensors);
  const { bytes, order } = planHeader(tensors, metadata);
  yield bytes;
  for (const x of order) {
    const { buffer, byteOffset, byteLength } = await x.read();
    yield new Uint8Array(buffer, byteOffset, byteLength);
  }
}
