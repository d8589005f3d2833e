// The source of an op's entry as it stands in core/ops, for the page that shows it: read while the page is built, so
// that it can't fall behind. Next: build.ts; views/tapePanel.tsx, which shows it.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { formulas, type OpSource } from "./tapeFormulas.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The entries of all ops that have a formula here, by name. */
export function opSources(): Record<string, OpSource> {
  const folder = join(root, "core/ops");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
  const found: Record<string, OpSource> = {};
  for (const file of files) {
    const source = readFileSync(file, "utf8");
    for (const name of Object.keys(formulas)) {
      const text = entryIn(source, name);
      if (text !== null) found[name] = { file: relative(root, file).split(sep).join("/"), text };
    }
  }
  return found;
}

/** The statement that exports an entry, with its comment; null if it is another file's. */
export function entryIn(source: string, name: string): string | null {
  const lines = source.split("\n");
  const at = lines.findIndex((line) => new RegExp(`^export const ${name}\\b`).test(line));
  if (at < 0) return null;
  let from = at;
  while (/^(\/\*\*| \*)/.test(lines[from - 1] ?? "")) from--;
  const end = lines.findIndex((line, i) => i >= at && /^(\S.*)?[)}\]];$/.test(line));
  return lines.slice(from, end + 1).join("\n");
}
