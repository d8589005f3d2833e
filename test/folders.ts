// Folders for what a test file writes. Next: pretrain.test.ts, which writes most.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

/** A folder of its own, which goes when the test file is done. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `twoheads-${name}-`));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
