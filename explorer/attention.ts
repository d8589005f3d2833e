// Where a token of a read answer looks. Next: textView.ts, which reads; views/text.tsx, which shows it.

import type { ReadAnswer } from "./textView.ts";

/** Where a token looks in a block: with one head, or with the mean of all (null). */
export function lookedAt(
  { attention }: ReadAnswer,
  {
    block,
    head,
    token,
  }: { readonly block: number; readonly head: number | null; readonly token: number },
): readonly number[] | null {
  const heads = attention[block] ?? [];
  if (head !== null) return heads[head]?.[token] ?? null;
  const rows = heads.flatMap((one) => (one[token] === undefined ? [] : [one[token]]));
  const [first] = rows;
  if (first === undefined) return null;
  return first.map((_, s) => rows.reduce((sum, row) => sum + (row[s] ?? 0), 0) / rows.length);
}
