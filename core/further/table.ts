// The table of the further ops, which the tests go over as they do over the table of ops, and `twoheads ops` lists.
// A page that doesn't ask for it doesn't load it. Next: methods.ts.

import type { Entry } from "../op.ts";
import * as ops from "./index.ts";

/** Every further op by its name. */
export const furtherOps: ReadonlyMap<string, Entry> = /* @__PURE__ */ tableOf(ops);

function tableOf(module: Readonly<Record<string, unknown>>): Map<string, Entry> {
  const entries = Object.values(module).flatMap((op) =>
    typeof op === "function" && "entry" in op ? [op.entry as Entry] : [],
  );
  entries.sort((a, b) => a.order - b.order);
  return new Map(entries.map((entry) => [entry.name, entry]));
}
