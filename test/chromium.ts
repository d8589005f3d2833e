// The Chromium that tests open pages in. Next: bundles.test.ts.

import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why tests that need Chromium are skipped; false where it is. */
export const noBrowser = existsSync(executablePath)
  ? false
  : `no ${executablePath}; install chromium, or name one in the CHROMIUM variable`;

export function launchBrowser(...flags: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath, args: ["--no-sandbox", ...flags] });
}
