// What a file holds, told by its first bytes and not by its name: JSON Lines, a JSON array, CSV, TSV, Parquet; and of
// what is none of these, what it is. Next: rows.ts, which reads each kind.

/** The fileKinds of file that rows are read from, as people call them. */
export const fileKinds = {
  lines: "JSON Lines",
  array: "a JSON array",
  csv: "CSV",
  tsv: "TSV",
  parquet: "Parquet",
} as const;

/** A kind of file that preference data comes in. */
export type FileKind = keyof typeof fileKinds;

/** Files that people have in place of one of ours: how they begin, what they are, and what to do. */
const foreign: readonly (readonly [begins: string, what: string])[] = [
  ["PK\x03\x04", "a zip archive (zip, xlsx, docx); unpack it, or save the table as CSV"],
  ["version https://git-lfs", "a Git LFS pointer, not the data; git lfs pull fetches it"],
  ["ARROW1", "an Arrow file; write it as Parquet or JSON Lines (Dataset.to_parquet)"],
  ["\xff\xff\xff\xff", "an Arrow stream; write it as Parquet or JSON Lines (Dataset.to_parquet)"],
  ["\x80\x02", "a Python pickle, which can't be read safely; write it as JSON Lines"],
  ["\x80\x03", "a Python pickle, which can't be read safely; write it as JSON Lines"],
  ["\x80\x04", "a Python pickle, which can't be read safely; write it as JSON Lines"],
  ["\x80\x05", "a Python pickle, which can't be read safely; write it as JSON Lines"],
  ["\x28\xb5\x2f\xfd", "zstd data; unpack it (zstd -d) first"],
  ["BZh", "bzip2 data; unpack it first, or pack it with gzip"],
  ["\xfd7zXZ", "xz data; unpack it first, or pack it with gzip"],
  ["7z\xbc\xaf", "a 7-Zip archive; unpack it first"],
  ["SQLite format 3", "an SQLite database; export the table as CSV"],
  ["%PDF", "a PDF"],
  ["\x89HDF", "an HDF5 file; write the table as CSV or Parquet"],
  ["Obj\x01", "an Avro file; write it as JSON Lines"],
  ["\x93NUMPY", "a NumPy array, which holds no texts"],
  ["\xff\xfe", "UTF-16 text; save it as UTF-8"],
  ["\xfe\xff", "UTF-16 text; save it as UTF-8"],
];

/** What a file is that rows can't be read from; undefined if it isn't known as such. */
export function foreignKind(head: Uint8Array): string | undefined {
  const text = latin1(head.subarray(0, 256));
  if (/^\s*<(!doctype|html|\?xml)/i.test(text))
    return "a page of HTML or XML; a download may have failed";
  return foreign.find(([begins]) => text.startsWith(begins))?.[1];
}

/** A byte a letter. */
const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Whether a file begins as Parquet does. */
export const isParquet = (head: Uint8Array): boolean => latin1(head.subarray(0, 4)) === "PAR1";

/**
 * The kind of a text by its beginning, which holds its first line if there is one. A table is told by a first line of
 * names; what is neither JSON nor that is read as JSON Lines, so that the complaint names the line.
 */
export function kindOf(head: Uint8Array, file: string): FileKind {
  if (isParquet(head)) return "parquet";
  const text = new TextDecoder()
    .decode(head)
    .replace(/^\uFEFF/, "")
    .trimStart();
  if (text.startsWith("{")) return "lines";
  if (text.startsWith("[")) return "array";
  const [first = ""] = text.split(/\r?\n/, 1);
  const name = file.toLowerCase().replace(/\.gz$/, "");
  if (/\.jsonl?$|\.ndjson$/.test(name)) return "lines";
  if (isHeader(first, "\t")) return "tsv";
  if (isHeader(first, ",")) return "csv";
  if (name.endsWith(".tsv")) return "tsv";
  return name.endsWith(".csv") ? "csv" : "lines";
}

/** Whether a line is the names of two columns or more. */
function isHeader(line: string, separator: string): boolean {
  const names = line.split(separator).map((name) => name.trim().replaceAll(/^"|"$/g, ""));
  return (
    names.length > 1 &&
    names.every((name) => /^[\p{L}_][\p{L}\p{N} _.:/-]*$/u.test(name) || name === "")
  );
}
