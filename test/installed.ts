// The package installed into an empty project, with what others build and run it with beside it. It is packed
// from a copy of the sources, once for all files of a run: the first that asks packs, the others wait.
// Next: bundles.test.ts; emptyProject.ts for the project.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type EmptyProject, emptyProject } from "./emptyProject.ts";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** What a copy leaves out: what is made, what is installed, and what isn't the package's. */
const left = new Set(["node_modules", "dist", ".git", "runs", "shared"]);

const quietly = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];

export interface Installed extends EmptyProject {
  /** Why what was to be installed beside the package isn't there; null if it is. */
  readonly missing: string | null;
}

/** The tarball that npm would publish, written into a project. */
export async function pack(project: EmptyProject): Promise<string> {
  const shared = process.env.TWOHEADS_SHARED; // by run.ts, for all files of one run
  if (shared === undefined) return packed(project);
  const tarball = join(shared, "twoheads.tgz");
  const isFirst = mkdirSync(join(shared, "begun"), { recursive: true }) !== undefined;
  if (isFirst) {
    const made = await packed(project).catch((error: unknown) => {
      writeFileSync(join(shared, "failed"), String(error));
      throw error;
    });
    cpSync(made, join(shared, "partial"));
    renameSync(join(shared, "partial"), tarball);
  }
  while (!existsSync(tarball)) {
    if (existsSync(join(shared, "failed"))) throw new Error("npm pack failed in another file");
    await setTimeout(100);
  }
  return tarball;
}

/** Packs a copy of the sources, into the project. */
async function packed(project: EmptyProject): Promise<string> {
  const copy = join(project.folder, "..", "sources");
  cpSync(root, copy, { recursive: true, filter: (path) => !left.has(relative(root, path)) });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
  await project.npm("pack", copy);
  rmSync(copy, { recursive: true, force: true });
  const tarball = readdirSync(project.folder).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack wrote no tarball");
  return join(project.folder, tarball);
}

/** Installs the package into a new project, and others beside it, if they can be had. */
export async function installed(others: readonly string[] = []): Promise<Installed> {
  const project = emptyProject();
  const tarball = await pack(project);
  const install = (...names: string[]) => project.npm("install", ...names, ...quietly);
  let missing: string | null = null;
  try {
    await install(tarball, ...others);
  } catch (error) {
    if (others.length === 0) throw error;
    const [, why = String(error)] = String(error).split("\n");
    missing = `npm can't install ${others.join(", ")} here: ${why}`;
    await install(tarball);
  }
  return { ...project, missing };
}
