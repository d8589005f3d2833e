// A file of results as people and programs read it: a line with what made them, then a result to a line,
// all JSON. Checked when read, replaced as a whole when written.
// Next: ../lab/demo/results.ts and ../lab/frontier.ts, which keep theirs so.

import type { z } from "zod";
import { parseChecked } from "../nn/checked.ts";
import { fileExists, readFile, replaceFile } from "../nn/checkpoints/files.ts";

/** The first line and the others; null if there is no such file, a FileError with the line if it is something else. */
export function readJsonLines<Head, Row>(
  path: string,
  head: z.ZodType<Head>,
  row: z.ZodType<Row>,
): { readonly head: Head; readonly rows: readonly Row[] } | null {
  if (!fileExists(path)) return null;
  const [first = "", ...others] = new TextDecoder().decode(readFile(path)).trimEnd().split("\n");
  const rows = others.map((line, i) => parseChecked(path, line, `line ${i + 2}`, row));
  return { head: parseChecked(path, first, "line 1", head), rows };
}

/** Writes them; a kill at any moment leaves the old file or the new one. */
export async function writeJsonLines(
  path: string,
  head: object,
  rows: readonly object[],
): Promise<void> {
  await replaceFile(path, [head, ...rows].map((line) => `${JSON.stringify(line)}\n`).join(""));
}
