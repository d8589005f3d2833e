// The package as others have it: packed from a copy of the sources, so that two test files may do so at once,
// and installed into an empty project with nothing above it. What such a project needs beside (bundlers,
// other runtimes) comes with the same call of npm. Next: bundles.test.ts.

import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** What a copy leaves out: what is made, what is installed, and what isn't the package's. */
const left = new Set(["node_modules", "dist", ".git", "runs", "shared"]);

const quiet = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];

/** The tarball that npm would publish, in `folder`. */
function pack(folder: string): string {
  const copy = join(folder, "sources");
  cpSync(root, copy, { recursive: true, filter: (path) => !left.has(relative(root, path)) });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
  execFileSync("npm", ["pack", "--pack-destination", folder], { cwd: copy, stdio: "pipe" });
  rmSync(copy, { recursive: true, force: true });
  const name = readdirSync(folder).find((file) => file.endsWith(".tgz"));
  if (name === undefined) throw new Error("npm pack wrote no tarball");
  return join(folder, name);
}

/** A project with the package in it. */
export interface Project {
  readonly folder: string;
  /** Runs a program in the project and gives what it prints; an error shows its own errors. */
  run(program: string, ...args: string[]): string;
  write(name: string, content: string): void;
  /** Why what was to be installed beside the package isn't there; null if it is. */
  readonly missing: string | null;
  remove(): void;
}

/** Installs the package into a new project, and then, if they can be had, others beside it. */
export function installed(others: readonly string[] = []): Project {
  const above = mkdtempSync(join(tmpdir(), "twoheads-installed-"));
  for (let at = above; at !== dirname(at); at = dirname(at)) {
    if (!existsSync(join(at, "node_modules"))) continue;
    throw new Error(`${at} holds node_modules, where a project below would find packages it lacks`);
  }
  const tarball = pack(above);
  const folder = mkdtempSync(join(above, "project-"));
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { cwd: folder, encoding: "utf8", stdio: "pipe" });
  const write = (name: string, content: string): void => writeFileSync(join(folder, name), content);
  write("package.json", '{ "type": "module", "private": true }\n');
  let missing: string | null = null;
  try {
    run("npm", "install", tarball, ...others, ...quiet);
  } catch (error) {
    if (others.length === 0) throw error;
    missing = `npm has no ${others.join(", ")} here: ${String(error).split("\n")[1] ?? error}`;
    run("npm", "install", tarball, ...quiet);
  }
  const remove = (): void => rmSync(above, { recursive: true, force: true });
  return { folder, run, write, missing, remove };
}
