// "node:fs" for a lesson in a page: the one function that lessons write figures with. Next: runner.ts.

import type { RunTold } from "./messages.ts";

/** Shows a figure below the block that wrote it. */
export function writeFileSync(path: string, svg: string): void {
  if (!path.endsWith(".svg"))
    throw new Error(
      `writeFileSync: a page has no place for ${path}; only figures (.svg) are shown`,
    );
  const told: RunTold = { kind: "figure", path, svg };
  postMessage(told);
}
