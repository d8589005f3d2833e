// The section of what was run: settings side by side, without machine, time or version, so that the same
// run writes the same page. Next: page.ts.

import { type Cell, detailsHtml, tableHtml } from "./html.ts";
import type { Section } from "./page.ts";

const mostOpen = 16; // settings that may stand before everything else

/** Settings of a run as words and numbers. */
export interface NamedSettings {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
}

function cellOf(value: unknown): Cell {
  if (value === undefined) return "";
  if (value === null) return "none";
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(String).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A row for each setting, a column for each run; those that differ are marked. */
export function settingsSection(runs: readonly NamedSettings[], before = ""): Section {
  const names = [...new Set(runs.flatMap(({ values }) => Object.keys(values)))];
  const rows = names.map((name) => {
    const cells = runs.map(({ values }) => cellOf(values[name]));
    const differs = new Set(cells).size > 1;
    return [differs ? `${name} (differs)` : name, ...cells];
  });
  const table = tableHtml({ columns: ["", ...runs.map(({ name }) => name)], rows }, "Settings");
  const after = rows.length > mostOpen ? detailsHtml(`All ${rows.length} settings`, table) : table;
  return { id: "run", title: "What was run", before, after };
}
