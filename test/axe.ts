// What axe-core, which looks for barriers, finds on a page that is open. Next: site.test.ts.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

/** A rule that a page breaks, how badly, and the first element that does. */
export interface Barrier {
  readonly id: string;
  readonly impact: "minor" | "moderate" | "serious" | "critical";
  readonly html: string;
}

/** All that axe finds on a page as it is now. */
export async function barriersOn(page: Page): Promise<Barrier[]> {
  const axe = createRequire(import.meta.url).resolve("axe-core");
  await page.evaluate(readFileSync(axe, "utf8"));
  const { violations } = (await page.evaluate("axe.run()")) as {
    violations: (Barrier & { nodes: { html: string }[] })[];
  };
  return violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0]?.html ?? "" }));
}
