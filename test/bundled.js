// The doors of the house and its command line as a few files, for processes that a test starts: a command loads
// some six hundred modules, which takes .8 s of processor time where hooks see each of them (Node 20), and .2 s so.
// One build has all doors, so that what a file of ops imports by name is what the command computes with; every
// file still knows its own place. Next: transpiled.js, which says whose imports lead here.

import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The files that begin a program: what tsconfig.json gives names to, and what cli/bin.js loads. */
function entriesOf(root) {
  const { paths } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8")).compilerOptions;
  const named = Object.values(paths).map(([file]) => file.replace("./", ""));
  return [...new Set([...named, "kernels/node.ts", "cli/cli.ts"])];
}

/** Where the bundle has an entry of the house; undefined for other files. */
export function bundledEntries(root, folder) {
  const at = (place, file) => pathToFileURL(join(place, file)).href;
  return new Map(
    entriesOf(root).map((file) => [
      at(root, file),
      at(join(folder, "bundled"), file.replace(".ts", ".js")),
    ]),
  );
}

/** Writes the bundle. */
export async function bundleAll(root, folder) {
  const { build } = await import("esbuild");
  const requiring =
    'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';
  await build({
    absWorkingDir: root,
    entryPoints: entriesOf(root),
    outbase: root,
    outdir: join(folder, "bundled"),
    ...{ bundle: true, splitting: true, format: "esm", platform: "node", target: "es2022" },
    external: ["fast-check"], // a file of ops may import it, too
    banner: { js: requiring }, // for what is CommonJS
    logLevel: "warning",
    plugins: [
      {
        name: "every file knows its own place",
        setup: ({ onLoad }) =>
          onLoad({ filter: /\.tsx?$/ }, ({ path }) => {
            const place = JSON.stringify(pathToFileURL(path).href);
            const contents = readFileSync(path, "utf8").replaceAll("import.meta.url", place);
            return { contents, loader: path.endsWith("x") ? "tsx" : "ts" };
          }),
      },
    ],
  });
  symlinkSync(join(root, "node_modules"), join(folder, "bundled/node_modules"), "junction");
}
