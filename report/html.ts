// Text as HTML: escaping, tables, the small parts that every section of a page is made of. Whatever comes
// from a dataset, a file or a model passes through escape() on its way into a page.
// Next: figure.ts, page.ts.

import { accept, signatures } from "../core/signature.ts";

const takes = signatures({
  escape: "text: string",
  tableHtml: "table: { columns: any[], rows: any[], ... }, caption: string",
});
const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Embeddings, overrides and isolates of direction, and what ends them. */
const directions = /[\u202a-\u202e\u2066-\u2069]/;

/**
 * Text as it may stand in HTML and in quoted attributes; control characters become visible. Text that turns the direction
 * of writing is isolated, so that what stands after it on the page keeps its own.
 */
export function escape(text: string): string {
  accept(takes.escape, arguments);
  const safe = text
    .replaceAll(/[&<>"']/g, (sign) => entities[sign] ?? sign)
    .replaceAll(/[^\P{Cc}\t\n\r]/gu, "\ufffd"); // control characters, which HTML doesn't allow
  return directions.test(text) ? isolated(safe) : safe;
}

/** In an isolate that ends where the text does: what it leaves open is closed, and what it never opened it can't close. */
function isolated(text: string): string {
  const ends: string[] = [];
  const kept = Array.from(text).filter((sign) => {
    if (!directions.test(sign)) return true;
    const isEnd = sign === "\u202c" || sign === "\u2069";
    if (!isEnd) ends.push(sign < "\u2066" ? "\u202c" : "\u2069");
    return !isEnd || (ends.at(-1) === sign && ends.pop());
  });
  return `\u2068${kept.join("")}${ends.reverse().join("")}\u2069`;
}

/** A cell: text, a number (shown with some digits), or nothing. */
export type Cell = string | number | null;

/** Numbers and words in rows, under the names of their columns. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A number with four digits, as people write it; a dash for none. */
export function numberText(x: number | null | undefined): string {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (Number.isInteger(x) && Math.abs(x) < 1e6) return x.toLocaleString("en-US").replace("-", "−");
  const size = Math.abs(x);
  const text =
    size >= 1e5 || size < 1e-3
      ? Number(x.toPrecision(3)).toExponential()
      : String(Number(x.toPrecision(4)));
  return text.replace("e+", "e").replaceAll("-", "−");
}

function cellHtml(cell: Cell, isHead: boolean): string {
  const text = typeof cell === "string" ? cell : numberText(cell);
  if (isHead) return `<th scope="row">${escape(text)}</th>`;
  return `<td${typeof cell === "string" ? "" : ' class="n"'}>${escape(text)}</td>`;
}

/** A table whose rows are named by their first cell. */
export function tableHtml(table: Table, caption: string): string {
  accept(takes.tableHtml, arguments);
  const { columns, rows } = table;
  const isNumeric = (i: number): boolean =>
    i > 0 && rows.every((row) => typeof row[i] !== "string" || row[i] === "");
  const head = columns
    .map((name, i) => {
      if (name === "") return "<td></td>"; // a head has to say something
      return `<th scope="col"${isNumeric(i) ? ' class="n"' : ""}>${escape(name)}</th>`;
    })
    .join("");
  const body = rows
    .map((row) => `<tr>${row.map((cell, i) => cellHtml(cell, i === 0)).join("")}</tr>`)
    .join("\n");
  return (
    `<div class="scroll" tabindex="0" role="group" aria-label="${escape(caption)}">` +
    `<table><caption>${escape(caption)}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`
  );
}

/** What opens on a click: closed at first unless said. */
export function detailsHtml(summary: string, body: string, isOpen = false): string {
  return `<details${isOpen ? " open" : ""}><summary>${escape(summary)}</summary>${body}</details>`;
}

export function paragraph(text: string): string {
  return `<p>${escape(text)}</p>`;
}

/** White space made visible, so that a token can be pointed at. */
export function visible(token: string): string {
  return token.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll(/^ | $/g, "␣") || "∅";
}
