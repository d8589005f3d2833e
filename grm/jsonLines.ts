// A file of results as people and programs read it: a line with what made them, then a result to a line,
// all JSON. Checked when read, replaced as a whole when written.
// Next: demo/results.ts and inspect/frontier.ts, which keep theirs so.

import type { z } from "zod";
import { fileExists, readFile, replaceFile } from "../nn/checkpoints/files.ts";
import { parseJson } from "../nn/checkpoints/json.ts";
import { problemsOf } from "../nn/pretrain/settings.ts";

/** The first line and the others; null if there is no such file, a FileError with the line if it is something else. */
export function readJsonLines<Head, Row>(
  path: string,
  head: z.ZodType<Head>,
  row: z.ZodType<Row>,
): { readonly head: Head; readonly rows: readonly Row[] } | null {
  if (!fileExists(path)) return null;
  const [first = "", ...others] = new TextDecoder().decode(readFile(path)).trimEnd().split("\n");
  const read = <T>(schema: z.ZodType<T>, line: string, i: number): T => {
    const json = parseJson(path, line, `line ${i + 1}`);
    const parsed = schema.safeParse(json.value);
    return parsed.success ? parsed.data : json.fail(problemsOf(parsed.error));
  };
  const rows = others.map((line, i) => read(row, line, i + 1));
  return { head: read(head, first, 0), rows };
}

/** Writes them; a kill at any moment leaves the old file or the new one. */
export async function writeJsonLines(
  path: string,
  head: object,
  rows: readonly object[],
): Promise<void> {
  await replaceFile(path, [head, ...rows].map((line) => `${JSON.stringify(line)}\n`).join(""));
}
