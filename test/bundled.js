// The doors of the house and its command line as a few files, for processes that a test starts: a command loads
// some six hundred modules, which takes .8 s of processor time where hooks see each of them (Node 20), and .2 s so.
// One build has all doors, so that what a file of ops imports by name is what the command computes with; another has
// the test files, which share their parts. Every file still knows its own place.
// Next: transpiled.js, which says whose imports lead here; run.ts, which runs the test files.

import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
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

/** Test files in which a program found or written as they run imports sources: they need the hooks for all they load. */
const importsSources = /\bimport\(pathToFileURL\(|"\.\.\/core\/index\.ts", import\.meta/;

/** Where the test files that are bundled stand, by their paths in the house. */
export function bundledTests(root, folder) {
  const names = readdirSync(join(root, "test")).filter((name) => name.endsWith(".test.ts"));
  const isWhole = (name) => !importsSources.test(readFileSync(join(root, "test", name), "utf8"));
  const at = (name) => join(folder, "bundled/tests", name.replace(".ts", ".js"));
  return new Map(names.filter(isWhole).map((name) => [`test/${name}`, at(name)]));
}

/** Writes the bundles. */
export async function bundleAll(root, folder) {
  const { build } = await import("esbuild");
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const requiring =
    'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';
  const common = {
    absWorkingDir: root,
    ...{ bundle: true, splitting: true, format: "esm", platform: "node", target: "es2022" },
    banner: { js: requiring }, // for what is CommonJS
    define: { "import.meta.url": "__place" },
    logLevel: "warning",
    plugins: [
      {
        name: "every file knows its own place",
        setup: ({ onLoad }) =>
          onLoad({ filter: /\.tsx?$/ }, ({ path }) => {
            const place = `const __place = ${JSON.stringify(pathToFileURL(path).href)};`;
            const contents = place + readFileSync(path, "utf8");
            return { contents, loader: path.endsWith("x") ? "tsx" : "ts" };
          }),
      },
    ],
  };
  await Promise.all([
    build({
      ...common,
      entryPoints: entriesOf(root),
      outbase: root,
      outdir: join(folder, "bundled"),
      external: ["fast-check"], // a file of ops may import it, too
    }),
    build({
      ...common,
      entryPoints: [...bundledTests(root, folder).keys()],
      outdir: join(folder, "bundled", "tests"),
      external: Object.keys(devDependencies),
      ...{ sourcemap: "inline", sourcesContent: false },
    }),
  ]);
  writeFileSync(join(folder, "bundled/package.json"), '{ "type": "module" }\n');
  symlinkSync(join(root, "node_modules"), join(folder, "bundled/node_modules"), "junction");
}
