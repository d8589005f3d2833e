// Bytes that somebody else wrote, wherever they are. A ByteSource is a file of which ranges are read on
// demand, so that nobody loads a big file to look at its header; a Folder is files by name. Both are on
// disk (files.ts, for Node) or in memory: a browser hands over what it has fetched.
// Next: json.ts for text that must be checked, safetensors.ts for tensors.

import { ArgumentError, TwoheadsError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";

const takes = signatures({
  bytesAsFile: "name: string, bytes: number[]",
  filesAsFolder: "files: object, name?: string",
});

/** A file that can't be read or written, or that isn't what it should be: which, where in it, and why. */
export class FileError extends TwoheadsError {
  override readonly name = "FileError";

  constructor(
    readonly file: string,
    /** The place in the file, such as `model.merges[3]`; empty for the file as a whole. */
    readonly field: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${file}: ${field === "" ? "" : `${field}: `}${problem}`, options);
  }
}

/** A file of known size whose ranges can be read: on disk, or in memory already. */
export interface ByteSource {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** A copy of `length` bytes from `start` on; a FileError that names `field` if they aren't there. */
  read(field: string, start: number, length: number): Uint8Array<ArrayBuffer>;
  close(): void;
}

/** Bytes in memory as a file; `name` stands in errors. */
export function bytesAsFile(name: string, bytes: Uint8Array): ByteSource {
  accept(takes.bytesAsFile, arguments);
  return {
    name,
    size: bytes.length,
    read(field, start, length) {
      checkRange(this, field, start, length);
      return Uint8Array.from(bytes.subarray(start, start + length));
    },
    close() {},
  };
}

/** A FileError that names `field` unless the source has those bytes. */
export function checkRange(source: ByteSource, field: string, start: number, length: number): void {
  if (start >= 0 && length >= 0 && start + length <= source.size) return;
  throw new FileError(
    source.name,
    field,
    `needs bytes ${start} to ${start + length}, the file has ${source.size}; it is cut short or damaged`,
  );
}

/** The whole of a source, which is closed. */
export function readAll(source: ByteSource): Uint8Array<ArrayBuffer> {
  try {
    return source.read("", 0, source.size);
  } finally {
    source.close();
  }
}

/** A folder whose files are opened by name: on disk, or in memory already. */
export interface Folder {
  /** Stands in errors. */
  readonly name: string;
  has(name: string): boolean;
  /** Opens a file; a FileError if there is none of that name. */
  open(name: string): ByteSource;
  /** The folder at a path from here on. */
  within(path: string): Folder;
}

/** Files in memory, by the names that they have in a folder: what a browser fetched. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** Files in memory as a folder; `name` stands in errors. An ArgumentError if they are anything else. */
export function filesAsFolder(files: Files, name = "the files"): Folder {
  accept(takes.filesAsFolder, arguments);
  if (!(files instanceof Map)) {
    throw new ArgumentError(
      `${name}: needed a Map of names to bytes, such as new Map([["config.json", bytes]])`,
    );
  }
  for (const [file, bytes] of files) {
    if (bytes instanceof Uint8Array) continue;
    throw new ArgumentError(
      `${name}: "${file}" is no Uint8Array; new Uint8Array(await response.arrayBuffer()) makes one`,
    );
  }
  return {
    name,
    has: (file) => files.has(file),
    open(file) {
      const bytes = files.get(file);
      if (bytes !== undefined) return bytesAsFile(file, bytes);
      throw new FileError(
        file,
        "",
        `isn't among ${name}: ${[...files.keys()].join(", ") || "none"}`,
      );
    },
    within(path) {
      const start = `${path}/`;
      const inside = [...files].filter(([file]) => file.startsWith(start));
      const named = inside.map(([file, bytes]) => [file.slice(start.length), bytes] as const);
      return filesAsFolder(new Map(named), `${name} in ${path}`);
    },
  };
}
