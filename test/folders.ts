// Folders for what a test writes, and for parts of the house that are tried without the rest.
// Next: pretrain.test.ts, which writes most; seam.test.ts for a part.

import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

/** The folder of the whole house. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** A folder of its own, which goes when the test, or the test file, is done. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `twoheads-${name}-`));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder with copies of these rooms alone, and the libraries that they may use: all, unless said. */
export function copyOf(rooms: readonly string[], libraries?: readonly string[]): string {
  const folder = temporaryFolder("copy");
  for (const room of rooms) cpSync(join(root, room), join(folder, room), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  if (libraries) mkdirSync(join(folder, "node_modules"));
  for (const path of libraries?.map((name) => `node_modules/${name}`) ?? ["node_modules"]) {
    if (!existsSync(join(root, path))) throw new Error(`no ${path}; npm install brings it`);
    symlinkSync(join(root, path), join(folder, path), "junction");
  }
  return folder;
}

/** What a program prints that runs in such a folder. */
export function printedIn(folder: string, program: string): string {
  writeFileSync(join(folder, "program.ts"), program);
  return execFileSync(process.execPath, ["--import", import.meta.resolve("tsx"), "program.ts"], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, TWOHEADS_DEVICE: "" },
  });
}
