// An empty project for tests of the package: a new folder where nothing above, at home or in the environment
// can lend it a module or a type, so that what works there works for everybody.
// Next: package.test.ts.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** The folders above one, the nearest first. */
function above(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [] : [parent, ...above(parent)];
}

/** Throws if a folder of modules lies anywhere above: what is found there would hide what is missing. */
export function checkAlone(folder: string): void {
  const helping = above(folder)
    .map((parent) => join(parent, "node_modules"))
    .find((path) => existsSync(path));
  if (helping === undefined) return;
  throw new Error(
    `${helping} would help a project in ${folder}, which must stand alone; ` +
      "remove it, or set TMPDIR to a folder with no node_modules in any folder above",
  );
}

export interface EmptyProject {
  readonly folder: string;
  /** Runs a command in it, with an empty home, and gives what it prints; what it complains of is in the error. */
  run(command: string, ...args: string[]): Promise<string>;
  /** Runs npm in it, quietly, with the cache and settings of whoever runs the tests. */
  npm(...args: string[]): Promise<string>;
  write(name: string, content: string): void;
  remove(): void;
}

/** A new project with nothing in it. */
export function emptyProject(): EmptyProject {
  const outer = mkdtempSync(join(tmpdir(), "twoheads-package-"));
  const folder = join(outer, "project");
  const home = join(outer, "home");
  for (const path of [folder, home]) mkdirSync(path);
  checkAlone(folder);
  const { NODE_PATH: _, NODE_OPTIONS: __, TWOHEADS_THREADS: ___, ...environment } = process.env;
  const started = async (env: NodeJS.ProcessEnv, command: string, args: string[]) => {
    const shell = process.platform === "win32" && !command.endsWith(".exe");
    const most = 2 ** 26;
    return (await execute(command, args, { cwd: folder, env, shell, maxBuffer: most })).stdout;
  };
  const write = (name: string, content: string): void => writeFileSync(join(folder, name), content);
  write("package.json", '{ "type": "module", "private": true }\n');
  const alone = { ...environment, HOME: home, USERPROFILE: home };
  return {
    folder,
    write,
    run: (command, ...args) => started(alone, command, args),
    npm: (...args) => started(environment, "npm", args),
    remove: () => rmSync(outer, { recursive: true, force: true }),
  };
}
