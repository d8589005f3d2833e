// The section of what was run: settings side by side, those that differ in view and all of them folded,
// without machine, time or version, so that the same run writes the same page. Next: page.ts.

import { type Cell, detailsHtml, paragraph, tableHtml } from "./html.ts";
import type { Section } from "./page.ts";

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

/** A row for each setting, a column for each run. */
export function settingsSection(runs: readonly NamedSettings[], before = ""): Section {
  const names = [...new Set(runs.flatMap(({ values }) => Object.keys(values)))];
  const rows = names.map((name) => [name, ...runs.map(({ values }) => cellOf(values[name]))]);
  const differing = rows.filter(([, ...cells]) => new Set(cells).size > 1);
  const table = (some: readonly Cell[][], caption: string): string =>
    tableHtml({ columns: ["setting", ...runs.map(({ name }) => name)], rows: some }, caption);
  const all = detailsHtml(`All ${rows.length} settings`, table(rows, "Settings"));
  const compared =
    runs.length < 2
      ? ""
      : differing.length === 0
        ? paragraph("No setting differs.")
        : table(differing, `What differs, ${differing.length} of ${rows.length} settings`);
  return { id: "run", title: "What was run", before, after: `${compared}${all}` };
}
