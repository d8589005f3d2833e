// Settings in a file, JSON or YAML, told by content: what begins with a brace is JSON. Names may be written as the
// options are, batch-size, or as in programs, batchSize. Next: train.ts.

import { parseDocument } from "yaml";
import { readFile } from "../../nn/checkpoints/files.ts";
import { Field, parseJson } from "../../nn/checkpoints/json.ts";
import { FileError } from "../../nn/index.ts";

/** The settings of a file as an object; a FileError names the line that is wrong. */
export function readSettings(file: string): Readonly<Record<string, unknown>> {
  const bytes = readFile(file);
  const text = new TextDecoder().decode(bytes).replace(/^\uFEFF/, "");
  const settings = text.trimStart().startsWith("{") ? parseJson(file, text) : parseYaml(file, text);
  const camel = (name: string): string =>
    name.replaceAll(/[-_]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(settings.entries().map(([name, { value }]) => [camel(name), value]));
}

function parseYaml(file: string, text: string): Field {
  try {
    const document = parseDocument(text);
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return new Field(file, "", document.toJS({ maxAliasCount: 100 })); // throws, too: an alias of nothing, a bomb
  } catch (cause) {
    const [first = ""] = (cause as Error).message.split("\n", 1);
    throw new FileError(file, "", `is not YAML: ${first.replace(/:$/, "")}`, { cause });
  }
}
