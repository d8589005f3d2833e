// The package installed into an empty project, with what others build and run it with beside it. It is packed
// from a copy of the sources and installed alone, once for all files of a run: the first that asks does it, the
// others wait; each has a copy of that project for itself. Next: bundles.test.ts; emptyProject.ts for the project.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
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

/** What npm install is told: neither network without need, nor scripts, nor advertisements. */
export const quietly = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];

export interface Installed extends EmptyProject {
  /** Why what was to be installed beside the package isn't there; null if it is. */
  readonly missing: string | null;
  /** What npm would publish, in the project's folder. */
  readonly tarball: string;
}

/** Packs a copy of the sources into a project, as npm would publish it, and installs the package from there. */
async function install(project: EmptyProject): Promise<void> {
  const copy = join(project.folder, "..", "sources");
  cpSync(root, copy, { recursive: true, filter: (path) => !left.has(relative(root, path)) });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
  await project.npm("pack", copy);
  await project.npm("install", `twoheads@file:${tarballIn(project)}`, ...quietly); // by its name: unpacked twice, not thrice
}

function tarballIn({ folder }: EmptyProject): string {
  const name = readdirSync(folder).find((file) => file.endsWith(".tgz"));
  if (name === undefined) throw new Error("npm pack wrote no tarball");
  return join(folder, name);
}

/** A folder with the package installed alone, of all files of a run, whose own folder is `shared`: see run.ts. */
async function installedIn(shared: string): Promise<string> {
  const [folder, failed] = ["installed", "failed"].map((name) => join(shared, name)) as [
    string,
    string,
  ];
  const isFirst = mkdirSync(join(shared, "begun"), { recursive: true }) !== undefined;
  if (isFirst) {
    const project = emptyProject();
    try {
      await install(project);
      renameSync(project.folder, folder);
    } catch (error) {
      writeFileSync(failed, String(error));
    } finally {
      project.remove();
    }
  }
  while (!existsSync(folder)) {
    if (existsSync(failed)) throw new Error(readFileSync(failed, "utf8"));
    await setTimeout(100);
  }
  return folder;
}

/** Installs the package into a new project, and others beside it, if they can be had. */
export async function installed(others: readonly string[]): Promise<Installed> {
  const project = emptyProject();
  const shared = process.env.TWOHEADS_SHARED;
  if (shared === undefined) await install(project);
  else
    cpSync(await installedIn(shared), project.folder, { recursive: true, verbatimSymlinks: true });
  let missing: string | null = null;
  try {
    await project.npm("install", ...others, ...quietly);
  } catch (error) {
    const [, why = String(error)] = String(error).split("\n");
    missing = `npm can't install ${others.join(", ")} here: ${why}`;
  }
  return { ...project, missing, tarball: tarballIn(project) };
}
