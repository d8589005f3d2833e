// JSON that must fit a schema: files that people, other programs and earlier runs wrote. What doesn't
// fit is a FileError that names the file, the place in it and the field.
// Next: checkpoints/json.ts for what counts as JSON.

import type { z } from "zod";
import { ArgumentError } from "../core/index.ts";
import { meant } from "../core/names.ts";
import { parseJson } from "./checkpoints/json.ts";

/** What a failed check found, in a line: which field, and what it should be; of which `schema`, if names are to be guessed. */
export function problemsOf(error: z.ZodError, schema?: z.ZodObject): string {
  return error.issues
    .map((issue) => {
      const { path, message } = issue;
      if (issue.code === "unrecognized_keys" && path.length === 0 && schema)
        return issue.keys.map((key) => unknownKey(key, Object.keys(schema.shape))).join("; ");
      return path.length === 0 ? message : `${path.join(".")}: ${message}`;
    })
    .join("; ");
}

function unknownKey(key: string, known: readonly string[]): string {
  const name = meant(key, known);
  return name === undefined
    ? `there is no "${key}"; there are ${known.join(", ")}`
    : `there is no "${key}"; did you mean ${name}?`;
}

/** Settings with their defaults; an ArgumentError, with `of` before it, names each field that is wrong. */
export function settingsFrom<S extends z.ZodObject>(
  of: string,
  options: unknown,
  schema: S,
): z.infer<S> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  throw new ArgumentError(`${of}: ${problemsOf(parsed.error, schema)}`);
}

/** What JSON holds, if the schema takes it; `path` says where in the file it stands. */
export function parseChecked<T>(
  file: string,
  content: Uint8Array | string,
  path: string,
  schema: z.ZodType<T>,
): T {
  const json = parseJson(file, content, path);
  const parsed = schema.safeParse(json.value);
  return parsed.success ? parsed.data : json.fail(problemsOf(parsed.error));
}

export interface Lines<T> {
  readonly records: readonly T[];
  /** Whether the last line was cut short, by a kill while it was written, and left out. */
  readonly torn: boolean;
}

/** Reads the text of a file with an object a line; a FileError names the line that is none of ours. */
export function parseLines<T>(text: string, file: string, schema: z.ZodType<T>): Lines<T> {
  const lines = text.split("\n");
  const torn = lines.pop() !== ""; // every whole line ends in a line break
  const records = lines.map((line, i) => parseChecked(file, line, `line ${i + 1}`, schema));
  return { records, torn };
}
