// What the ops of this package draw, and their examples. A page loads neither, so the build leaves them out of the ops;
// for this room it keeps a second copy of the ops' files, with them (build.js bundles it into this file).
// Next: op.ts, which asks.

import * as further from "../core/further/index.ts";
import type { Described, Entry } from "../core/op.ts";
import * as ops from "../core/ops/index.ts";

/** The example and the draw of an op, as far as it says them. */
export function describedOp(entry: Entry): Partial<Described> {
  if (entry.draw !== undefined || entry.isOwn) return entry;
  const all = { ...ops, ...further } as Readonly<Record<string, { readonly entry?: Entry }>>;
  return all[entry.name]?.entry ?? entry;
}
