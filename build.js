// Builds dist/, what other projects import: JavaScript and type declarations of everything that the
// package exports, what stands beside it (compiled kernels, the demo's bases, what was measured once), and
// dist/browser, the same doors for a page that has no bundler. Nothing in this repository needs it; tests and
// commands run the TypeScript. npm runs it before it packs.
// Next: tsconfig.build.json for what is compiled, package.json for what is exported.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "acorn";
import { build } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));
const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(typescript, "bin/tsc"), "-p", "tsconfig.build.json", "--checkers", "1"],
  {
    cwd: root,
    stdio: "inherit",
  },
);
const beside = ["kernels/wasm/kernels.wasm", "kernels/wasm/kernels.fma.wasm", "lab/demo/bases"];
for (const results of ["lab/demo/seeds.jsonl", "lab/frontier.jsonl", "lab/map/summary.json"])
  if (existsSync(join(root, results))) beside.push(results);
for (const path of beside) cpSync(join(root, path), join(root, "dist", path), { recursive: true });

/**
 * A declaration as any TypeScript from 5.0 on reads it: names files that are there, gives typed arrays
 * no type argument (new in 5.7), and takes schemas' types from nn/schema.ts. Lines and columns stay, so
 * that the map to the source holds.
 */
function portable(declaration, file) {
  const schema = relative(dirname(file), join(root, "dist/nn/schema.js")).replaceAll("\\", "/");
  return declaration
    .replaceAll(/(["'])(\.{1,2}\/[^"'\n]*)\.ts\1/g, "$1$2.js$1")
    .replaceAll(/\b(\w+Array)<ArrayBuffer(?:Like)?>/g, "$1")
    .replace(
      /import (?:type )?(?:\{ z \}|\* as z) from "zod";/,
      `import type * as z from "./${schema}";`,
    )
    .replaceAll(", z.core.$strict>", ">");
}

for (const name of readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" })) {
  if (!name.endsWith(".d.ts")) continue;
  const file = join(root, "dist", name);
  writeFileSync(file, portable(readFileSync(file, "utf8"), file));
}

/** The names that a declaration file exports, those of files behind `export *` among them. */
function exportedNames(file) {
  const text = readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const declared =
    /^export declare (?:abstract )?(?:const|function|class|type) (\w+)|^export (?:interface|type) (\w+)/gm;
  const listed = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list]) =>
    list.split(",").flatMap((one) => /(\w+)\s*$/.exec(one)?.[1] ?? []),
  );
  const behind = [...text.matchAll(/^export \* from "(.*)";/gm)].flatMap(([, from]) =>
    exportedNames(join(dirname(file), from.replace(/\.js$/, ".d.ts"))),
  );
  const own = [...text.matchAll(declared)].map(([, a, b]) => a ?? b);
  return [...new Set([...own, ...listed, ...behind])];
}

/** A declaration that exports types as it does values: an alias can't be of what was exported as a type. */
function untyped(declaration) {
  return declaration.replaceAll(/(?<=[{,]\s*)type (?=\w)|(?<=^export )type (?=\{)/gm, "");
}

/**
 * A declaration in which a room that is exported as one name (inspect, statistics, worlds) is a namespace: of a module
 * that is exported so, an editor shows no comment.
 */
function named(declaration, file) {
  let text = declaration;
  for (const [, room, from] of declaration.matchAll(/^import \* as (\w+Room) from "(.*)";/gm)) {
    const [whole, comment, name] =
      new RegExp(`\\s*(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/)\\s*${room} as (\\w+),`).exec(text) ?? [];
    if (whole === undefined) throw new Error(`${file}: ${room} has no name with a comment`);
    const behind = join(dirname(file), from.replace(/\.js$/, ".d.ts"));
    writeFileSync(behind, untyped(readFileSync(behind, "utf8")));
    const lines = exportedNames(behind).map((one) => `export import ${one} = ${room}.${one};`);
    text = `${text.replace(whole, "")}\n${comment}\nexport declare namespace ${name} { ${lines.join(" ")} }\n`;
  }
  return text;
}

for (const door of ["grm", "lab"]) {
  const file = join(root, "dist", door, "index.d.ts");
  writeFileSync(file, named(readFileSync(file, "utf8"), file));
}

// testing has the ops once more, with what they draw: see testing/table.ts
const table = join(root, "dist/testing/table.js");
const twice = ["ops", "further", "op.js", "kinds.js", "moreKinds.js"].map((name) =>
  join(root, "dist/core", name),
);
await build({
  entryPoints: [table],
  outfile: table,
  allowOverwrite: true,
  ...{
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    logLevel: "warning",
  },
  plugins: [
    {
      name: "all but what describes ops stays where it is",
      setup: ({ onResolve }) =>
        onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
          const file = join(resolveDir, path);
          if (twice.some((path) => file.startsWith(path))) return { path: file };
          return { path: relative(dirname(table), file).replaceAll("\\", "/"), external: true };
        }),
    },
  ],
});
rmSync(`${table}.map`); // of what was compiled before

// What only tests and `twoheads ops` read of an op is no part of what a page loads: examples stand in a file
// of their own, and how arguments are drawn is left out.
const { furtherOps, opTable } = await import("./dist/core/index.js");
const examples = Object.fromEntries(
  [...opTable, ...furtherOps].map(([name, { example }]) => [name, example]),
);
writeFileSync(join(root, "dist/cli/examples.json"), `${JSON.stringify(examples, null, 2)}\n`);

/** Whether this makes domains to draw from. */
function isDomain(node) {
  if (node?.type === "ArrayExpression")
    return node.elements.length > 0 && node.elements.every(isDomain);
  return node?.type === "CallExpression" && node.callee.name === "within";
}

/** The places of what only tests and commands read: properties of entries and domains that have a name. */
function toLeaveOut(node) {
  if (node === null || typeof node !== "object") return [];
  const found = Object.values(node).flatMap(toLeaveOut);
  if (node.type === "VariableDeclaration")
    return node.declarations.every(({ init }) => isDomain(init)) ? [node] : found;
  if (node.type !== "ObjectExpression" && node.type !== "ObjectPattern") return found;
  const ends = [...node.properties.slice(1).map(({ start }) => start), node.end - 1];
  const places = node.properties.map(({ key, start }, i) => ({ key, start, end: ends[i] }));
  return [...found, ...places.filter(({ key }) => ["example", "draw"].includes(key?.name))];
}

/** The program without that. Lines and columns stay, so that the map to the source holds. */
function lean(program) {
  let text = program;
  for (const { start, end } of toLeaveOut(
    parse(program, { ecmaVersion: 2022, sourceType: "module" }),
  ))
    text = text.slice(0, start) + text.slice(start, end).replaceAll(/./g, " ") + text.slice(end);
  return text;
}

/** The program without comments that have lines of their own: the sources, where maps lead, have them. */
function uncommented(program) {
  const comments = [];
  parse(program, { ecmaVersion: 2022, sourceType: "module", onComment: comments });
  let text = "";
  let at = 0;
  for (const { value, start, end } of comments) {
    const begin = program.lastIndexOf("\n", start) + 1;
    const isAlone =
      program.slice(begin, start).trim() === "" && /^\s*?(\n|$)/.test(program.slice(end));
    if (!isAlone || value.startsWith("#")) continue; // where the map is
    text += program.slice(at, begin) + program.slice(start, end).replaceAll(/[^\n]/g, "");
    at = end;
  }
  return text + program.slice(at);
}

for (const name of readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" })) {
  if (!name.endsWith(".js") || join(root, "dist", name) === table) continue;
  const file = join(root, "dist", name);
  const program = uncommented(readFileSync(file, "utf8"));
  writeFileSync(file, name.startsWith("core") ? lean(program) : program);
}

/**
 * A declaration whose settings say what their schemas say of them, so that an editor shows it. Lines stay, and
 * what is behind a setting's name in its line moves.
 */
function documented(declaration, module) {
  let shape;
  const lines = declaration.split("\n").map((line) => {
    const [, name] = /^export declare const (\w+): z\.ZodObject<\{$/.exec(line) ?? [];
    if (name !== undefined) shape = module[name].shape;
    if (line.startsWith("}")) shape = undefined;
    const [, indent, field] = /^( {4})(\w+): z\./.exec(line) ?? [];
    const said = shape?.[field]?.description;
    return said === undefined ? line : `${indent}/** ${said} */ ${line.trimStart()}`;
  });
  return lines.join("\n");
}

for (const name of ["nn/pretrain/settings", "grm/trainer", "grm/policies/policySettings"]) {
  const file = join(root, "dist", `${name}.d.ts`);
  const module = await import(`./dist/${name}.js`);
  writeFileSync(file, documented(readFileSync(file, "utf8"), module));
}

// One file for each door, and what they share in others beside them: a page loads each part once. With what
// the package depends on, which is CommonJS in part, and which a page couldn't find.
const doors = ["core", "kernels", "nn", "grm", "lab"];
await build({
  absWorkingDir: root,
  entryPoints: {
    index: "dist/index.js",
    ...Object.fromEntries(doors.map((door) => [door, `dist/${door}/index.js`])),
  },
  outdir: "dist/browser",
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  banner: {
    js: "/* twoheads, with seedrandom, zod and @huggingface/jinja (MIT) */",
  },
  logLevel: "warning",
});
for (const name of ["kernels.wasm", "kernels.fma.wasm"])
  cpSync(join(root, "kernels/wasm", name), join(root, "dist/browser", name));
