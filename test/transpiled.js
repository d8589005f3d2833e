// Stands in for tsx in every process of one npm test: each of some two hundred processes would load tsx, and look
// for what it has transpiled. Here the sources are transpiled once, by run.ts, and found by the hash of what they
// say, so that copies of them in other folders are found too. Loaded by --import from NODE_OPTIONS; where it isn't,
// as when one file is run, everything runs with tsx itself. Next: run.ts.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import * as modules from "node:module";
import { basename, join, resolve as resolvePath } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundleAll, bundledEntries } from "./bundled.js";

const isTypeScript = /(?<!\.d|\.as)\.m?tsx?$/;

/** Where the JavaScript of a source lies. */
function placeOf(source, folder) {
  return join(folder, `${createHash("sha256").update(source).digest("hex")}.js`);
}

/** What esbuild is told: the same as tsx tells it, with a map to the lines of the source. */
function settings(path) {
  return {
    loader: path.endsWith("x") ? "tsx" : "ts",
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    sourcefile: basename(path),
    sourcemap: "inline",
    sourcesContent: false,
  };
}

/** Writes the JavaScript of every source below a folder into another one. */
export async function transpileAll(root, folder) {
  const { transform } = await import("esbuild");
  const paths = readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const path = join(root, entry.name);
    if (!entry.isDirectory()) return [path];
    if (entry.name.startsWith(".") || entry.name === "node_modules") return [];
    return readdirSync(path, { recursive: true }).map((name) => join(path, name));
  });
  const wanted = paths.filter((path) => isTypeScript.test(path) && !path.includes("node_modules"));
  await Promise.all(
    wanted.map(async (path) => {
      const source = readFileSync(path, "utf8");
      const { code } = await transform(source, settings(path));
      writeFileSync(placeOf(source, folder), code);
    }),
  );
  await bundleAll(root, folder);
}

/** Instead of tsx: nothing. */
const instead = "data:text/javascript,export%20const%20register=()=>{}";

const isTsx = /^tsx(\/esm\/api)?$|\/node_modules\/tsx\/dist\/loader\.mjs$/;

/** Names of modules that a folder's tsconfig.json has, as tsx reads them where it is started: twoheads/core. */
function namesIn(started) {
  const tsconfig = join(started, "tsconfig.json");
  if (!existsSync(tsconfig)) return new Map();
  const { paths = {} } = JSON.parse(readFileSync(tsconfig, "utf8")).compilerOptions ?? {};
  return new Map(
    Object.entries(paths).map(([name, [file]]) => [name, pathToFileURL(join(started, file)).href]),
  );
}

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = pathToFileURL(join(root, "cli/bin.js")).href;
let folder;
let names = new Map();
let bundled = new Map();

/**
 * Called with where the JavaScript is, and the program that runs; by Node, where hooks have a thread of their own:
 * before 22.15. Commands have the bundle, and what lies elsewhere has it by names, as lessons do; other programs of the
 * house may import any of its files, and have each by itself.
 */
export function initialize(given) {
  folder = given.folder;
  names = namesIn(process.cwd());
  const entries = bundledEntries(root, folder);
  const { program } = given;
  if (program.startsWith(join(root, "cli"))) bundled = entries;
  else if (program !== "" && !program.startsWith(root))
    names = new Map([...names].map(([name, url]) => [name, entries.get(url) ?? url]));
}

export function resolve(specifier, context, next) {
  const { parentURL = "" } = context;
  const found = isTsx.test(specifier) ? instead : urlOf(specifier, parentURL);
  const isOutside = parentURL === bin || !parentURL.startsWith(pathToFileURL(root).href);
  const url = (isOutside && bundled.get(found)) || found;
  return url === undefined || parentURL.includes("/node_modules/")
    ? next(specifier, context)
    : { url, shortCircuit: true };
}

/** Where a name of tsconfig.json leads, or a path beside a source: sooner than Node finds it. */
function urlOf(specifier, parentURL) {
  if (!/^(\.|file:)/.test(specifier) || !isTypeScript.test(specifier)) return names.get(specifier);
  const url = new URL(specifier, parentURL || undefined);
  return existsSync(url) ? url.href : undefined;
}

export function load(url, context, next) {
  if (!url.startsWith("file:") || !isTypeScript.test(url)) return next(url, context);
  const path = fileURLToPath(url);
  const source = readFileSync(path, "utf8");
  const place = placeOf(source, folder);
  try {
    return { format: "module", source: readFileSync(place, "utf8"), shortCircuit: true };
  } catch {
    // a program that a test wrote
    const { transformSync } = modules.createRequire(import.meta.url)("esbuild");
    const { code } = transformSync(source, settings(path));
    writeFileSync(`${place}.${process.pid}`, code);
    renameSync(`${place}.${process.pid}`, place);
    return { format: "module", source: code, shortCircuit: true };
  }
}

const given = process.env.TWOHEADS_SHARED;
const isRunner = process.execArgv.includes("--test"); // which only starts others
if (given !== undefined && !isRunner && !import.meta.url.endsWith("?hooks")) {
  const program = process.argv[1] === undefined ? "" : resolvePath(process.argv[1]);
  const data = { folder: given, program };
  if (program.startsWith(join(given, "bundled")))
    // a test file: needs no hooks, and is called what it was
    process.argv[1] = join(root, "test", basename(program).replace(/js$/, "ts"));
  else if (modules.registerHooks) {
    initialize(data);
    modules.registerHooks({ resolve, load });
  } else modules.register(`${import.meta.url}?hooks`, { data });
}
