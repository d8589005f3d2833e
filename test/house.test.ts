// The rooms of the house and the arrows between them: site -> explorer; cli, explorer -> report -> lab -> grm -> nn -> core <- kernels. Imports are read
// from the sources, so a wrong one fails here before anybody depends on it; and core is copied out and
// run alone, which is the promise that the arrows protect.
// Files of a room don't import each other in circles, and each part of the house has a budget of lines.
// Next: ../core/index.ts.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { describe, test } from "node:test";
import { build } from "esbuild";
import { copyOf, printedIn, root } from "./folders.ts";

/** The rooms that each room may import; itself always, and built-in modules everywhere but in core. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  kernels: ["core"],
  nn: ["core"],
  grm: ["nn", "core"],
  lab: ["grm", "nn", "core"],
  testing: ["nn", "core"],
  report: ["lab", "grm", "nn", "core"],
  cli: ["testing", "report", "lab", "grm", "nn", "core"],
  explorer: ["report", "lab", "grm", "nn", "core", "kernels"],
  site: ["explorer", "report", "lab", "grm", "nn", "core", "kernels"],
};

/** Every source of a room; kernels in AssemblyScript (*.as.ts) have imports of their own kind. */
function sourcesOf(room: string): string[] {
  return readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
    .filter((name) => !name.includes("node_modules")) // of bench/peers, where they are installed
    .filter((name) => /\.(tsx?|js)$/.test(name) && !/\.(as|d)\.ts$/.test(name))
    .map((name) => join(root, room, name));
}

/** What a source imports: in from clauses, for side effects, as a type, or dynamically. */
function specifiersOf(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const patterns = [
    /^\s*(?:import|export)\b[^;"']*?\bfrom\s+["']([^"']+)["']/gm,
    /^\s*import\s+["']([^"']+)["']/gm,
    /\bimport\(\s*["']([^"']+)["']/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map(([, name = ""]) => name));
}

/** The room that a specifier leads to; for a library its name, for a built-in "node". */
function targetOf(specifier: string, file: string): string {
  if (specifier.startsWith(".")) {
    return relative(root, resolve(dirname(file), specifier)).split(sep)[0] ?? "";
  }
  if (isBuiltin(specifier)) return "node";
  if (specifier.startsWith("twoheads/")) return specifier.split("/")[1] ?? "";
  return specifier.startsWith("@") ? specifier : (specifier.split("/")[0] ?? ""); // of a file in it
}

function importsOf(room: string): { file: string; specifier: string; target: string }[] {
  return sourcesOf(room).flatMap((file) =>
    specifiersOf(readFileSync(file, "utf8")).map((specifier) => ({
      file: relative(root, file),
      specifier,
      target: targetOf(specifier, file),
    })),
  );
}

describe("the arrows", () => {
  const rooms = Object.keys(mayImport);

  for (const [room, allowed] of Object.entries(mayImport)) {
    test(`${room} imports ${["itself", ...allowed].join(", ")} and no other room`, () => {
      const found = importsOf(room);
      const outside = [...rooms, "twoheads", "bench", "test", "index.ts", "node.ts"];
      const wrong = found.filter(
        ({ target }) => outside.includes(target) && target !== room && !allowed.includes(target),
      );
      assert.deepEqual(wrong, []);
      assert.ok(sourcesOf(room).length > 0, "the room has sources");
    });
  }

  test("core needs seedrandom and nothing else", () => {
    const found = importsOf("core");
    assert.ok(found.length > 20, "the scan finds imports");
    assert.deepEqual(new Set(found.map(({ target }) => target)), new Set(["core", "seedrandom"]));
  });

  test("the scan sees every form of import", () => {
    const source = `
      import { a } from "./a.ts";
      import type { B } from "./b.ts";
      import {
        c,
        d,
      } from "./c.ts";
      import "./d.ts";
      export * from "./e.ts";
      const f = await import("./f.ts");
      // import { g } from "./g.ts";
    `;
    const found = specifiersOf(source).sort().join(" ");
    assert.equal(found, "./a.ts ./b.ts ./c.ts ./d.ts ./e.ts ./f.ts");
  });
});

describe("the doors that a page may open", () => {
  /** Built-in modules that a bundler finds behind a door, and who asks for them. */
  async function builtinsBehind(door: string): Promise<string[]> {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: [door],
      ...{ bundle: true, write: false, metafile: true, format: "esm", outdir: "none" },
      packages: "external", // what others import is held by the bundles of bundles.test.ts
      platform: "node", // so that built-in modules are found, and not refused
      ignoreAnnotations: true,
      logLevel: "silent",
    });
    const inputs = Object.entries(metafile.inputs);
    assert.ok(inputs.length > 20, "the graph has modules");
    return inputs.flatMap(([file, { imports }]) =>
      imports.filter(({ path }) => isBuiltin(path)).map(({ path }) => `${file}: ${path}`),
    );
  }

  for (const door of ["index.ts", ...Object.keys(mayImport).map((room) => `${room}/index.ts`)]) {
    if (/^(?:cli|site)/.test(door)) continue; // programs
    test(`${door} leads to no built-in module`, async () => {
      assert.deepEqual(await builtinsBehind(door), []);
    });
  }

  test("node.ts leads to files: the scan sees them", async () => {
    assert.match((await builtinsBehind("node.ts")).join(), /files\.ts: node:fs/);
  });

  test("nobody asks the process for one, but the file that knows its environment, and who finds the runner of tests", () => {
    const rooms = Object.keys(mayImport).filter((room) => room !== "cli");
    const asking = rooms
      .flatMap(sourcesOf)
      .filter((file) => readFileSync(file, "utf8").includes("getBuiltinModule"))
      .map((file) => relative(root, file).split(sep).join("/"));
    assert.deepEqual(asking, [
      "core/device.ts",
      "testing/runner.ts", // whose hooks tell the test that runs
    ]);
  });
});

test("core runs alone", () => {
  const program = `
      import { grad, random, randn, tensor } from "./core/index.ts";
      const x = tensor([[1, 2], [3, 4]], { requiresGrad: true });
      const [dx] = grad(x.matmul(x).sum(), [x]);
      console.log(String(dx), randn([2], { rng: random(1) }).shape.length);
    `;
  // d/dX sum(X X) = 1 Xᵀ + Xᵀ 1: row sums across, column sums down
  const printed = printedIn(copyOf(["core"], ["seedrandom"]), program);
  assert.equal(printed, "[[ 7, 11],\n [ 9, 13]] 1\n");
});

// --- Cycles ------------------------------------------------------------------------------------------

/** The files of a room that each of its files runs before itself: what it imports, types aside. */
function importsByFile(room: string): Map<string, string[]> {
  const pattern = /^\s*(?:import|export)\b(?!\s+type\b)([^;"']*?)\bfrom\s+["'](\.[^"']+)["']/gm;
  const hasValue = (names: string): boolean =>
    !/^\s*\{/.test(names) ||
    names
      .replaceAll(/[{}\s]+/g, " ")
      .split(",")
      .some((name) => /^\s*(?!type )\S/.test(name));
  const imports = sourcesOf(room).map((file): [string, string[]] => {
    const code = readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
    const values = [...code.matchAll(pattern)].filter(([, names = ""]) => hasValue(names));
    return [file, values.map(([, , specifier = ""]) => resolve(dirname(file), specifier))];
  });
  return new Map(imports);
}

/** Cycles as lists of files, each said once, from its first file. */
function cyclesOf(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0)
      found.add(
        path
          .slice(at)
          .map((f) => relative(root, f))
          .sort()
          .join(" "),
      );
    if (at >= 0 || done.has(file)) return;
    for (const next of imports.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return [...found].sort();
}

/** Cycles on purpose: what is used from the other file is called later, never while the files load. */
const known: readonly (readonly string[])[] = [
  // what a call that doesn't fit is told names tensors and generators, which check their own calls
  ["core/random.ts", "core/refusal.ts", "core/signature.ts", "core/tensor.ts"],
  // a module announces its activations, and the listeners are found by module
  ["nn/activations.ts", "nn/module.ts"],
];

describe("cycles", () => {
  for (const room of Object.keys(mayImport)) {
    test(`${room}: files don't wait for each other while they load, but where it is on purpose`, () => {
      const wrong = cyclesOf(importsByFile(room)).filter(
        (cycle) => !known.some((files) => cycle.split(" ").every((file) => files.includes(file))),
      );
      assert.deepEqual(wrong, []);
    });
  }

  test("a cycle is found, a chain and types aren't one", () => {
    const of = (...arrows: readonly string[]): string[] =>
      cyclesOf(new Map(arrows.map((a) => [join(root, a[0] ?? ""), [join(root, a[1] ?? "")]])));
    assert.deepEqual(of("ab", "bc", "ca", "da"), ["a b c"]);
    assert.deepEqual(of("ab", "bc", "cd"), []);
    const tape = importsByFile("core").get(join(root, "core/tape.ts")) ?? [];
    const names = tape.map((file) => relative(root, file));
    assert.ok(
      names.includes("core/memory.ts") && !names.includes("core/storage.ts"),
      "types aside",
    );
  });
});

// --- Sizes -------------------------------------------------------------------------------------------

/**
 * The most lines that each part may have. A number is raised on purpose, in the commit whose reasons say
 * what the lines are for; a part that shrank takes its number along.
 */
const budget: readonly (readonly [part: string, most: number, of: (file: string) => boolean])[] = [
  ["the engine", 5_620, (file) => /^core\/(?!portable)[^/]+$/.test(file)],
  ["elementary functions", 360, (file) => file === "core/portable.ts"],
  ["ops", 1_850, (file) => /^core\/ops\/[^/]+$/.test(file)],
  ["further ops", 2_400, (file) => file.startsWith("core/further/")],
  ["fused ops", 1_650, (file) => file.startsWith("core/ops/fused/")],
  ["the wasm device", 8_000, (file) => /^kernels\/(wasm\/|[^/]+$)/.test(file)],
  ["the gpu device", 3_950, (file) => file.startsWith("kernels/gpu/")],
  ["nn", 7_650, (file) => /^nn\/(?!tokenizers\/)/.test(file)],
  ["tokenizers", 3_070, (file) => file.startsWith("nn/tokenizers/")],
  ["grm", 9_100, (file) => file.startsWith("grm/") && !file.startsWith("grm/data/")],
  ["preference data", 3_400, (file) => file.startsWith("grm/data/")],
  ["lab", 6_750, (file) => file.startsWith("lab/")],
  ["testing", 2_250, (file) => file.startsWith("testing/")],
  ["report", 5_500, (file) => file.startsWith("report/")],
  ["cli", 6_950, (file) => file.startsWith("cli/")],
  ["the explorer", 6_320, (file) => file.startsWith("explorer/")],
  ["the site", 740, (file) => file.startsWith("site/")],
];

function linesOf(file: string): number {
  return readFileSync(join(root, file), "utf8").split("\n").length - 1;
}

describe("sizes", () => {
  const files = Object.keys(mayImport).flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts"))
      .map((name) => `${room}/${name.split(sep).join("/")}`),
  );

  test("every source belongs to one part", () => {
    const parts = files.map((file) => budget.filter(([, , of]) => of(file)).length);
    assert.deepEqual(
      files.filter((_, i) => parts[i] !== 1),
      [],
    );
  });

  for (const [part, most, of] of budget) {
    test(`${part}: at most ${most} lines`, (t) => {
      const lines = files.filter(of).reduce((sum, file) => sum + linesOf(file), 0);
      t.diagnostic(`${lines} of ${most}`);
      assert.ok(
        lines <= most,
        `${part} has ${lines} lines, its budget is ${most}: see test/house.test.ts`,
      );
      assert.ok(lines > 0.9 * most, `${part} has only ${lines} lines: lower its budget of ${most}`);
    });
  }

  test("the first evening's path is at most 2,400 lines, and its files are there", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const [, section = ""] = /^## One evening\n([\s\S]*?)\n## /m.exec(readme) ?? [];
    const path = [...section.matchAll(/`((?:core|grm)\/[\w/.]+\.ts)`/g)].map(([, f = ""]) => f);
    assert.ok(path.length >= 10, `only ${path.length} files`);
    const lines = path.reduce((sum, file) => sum + linesOf(file), 0);
    assert.ok(lines <= 2400, `${lines} lines: ${path.join(" ")}`);
  });
});

// --- Names -------------------------------------------------------------------------------------------

interface Declared {
  readonly name: string;
  readonly file: string;
  readonly isExported: boolean;
}

/** The types that a source declares at its top: classes, interfaces, enums and aliases. */
function typesIn(file: string, source: string): Declared[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const pattern =
    /^(export )?(?:declare )?(?:abstract )?(?:class|interface|enum|type) (\w+)(?=[\s<{=])/gm;
  return [...code.matchAll(pattern)].map(([, exported, name = ""]) => {
    return { name, file, isExported: exported !== undefined };
  });
}

/** Each name that one file exports and another one declares too, with these files. */
function namesakes(declared: readonly Declared[]): string[] {
  const filesOf = (name: string): string[] => [
    ...new Set(declared.filter((other) => other.name === name).map(({ file }) => file)),
  ];
  const exported = new Set(declared.filter(({ isExported }) => isExported).map(({ name }) => name));
  return [...exported]
    .map((name) => [name, filesOf(name)] as const)
    .filter(([, files]) => files.length > 1)
    .map(([name, files]) => `${name}: ${files.join(" ")}`);
}

describe("names", () => {
  const typesOf = (rooms: readonly string[]): Declared[] =>
    rooms
      .flatMap(sourcesOf)
      .flatMap((file) =>
        typesIn(relative(root, file).split(sep).join("/"), readFileSync(file, "utf8")),
      );
  const rooms = Object.keys(mayImport);

  test("a type's name that a room exports means one thing in all rooms", () => {
    const declared = typesOf(rooms);
    assert.ok(declared.length > 300, `only ${declared.length} types`);
    assert.deepEqual(namesakes(declared), []);
  });

  test("nor do tests, benchmarks and lessons export another meaning", () => {
    const others = typesOf(["bench", "test", "walkthroughs"]).filter((t) => t.isExported);
    const exported = typesOf(rooms).filter((t) => t.isExported);
    assert.deepEqual(namesakes([...exported, ...others]), []);
  });

  test("namesakes are found: exported or not, merged declarations aside", () => {
    const a = typesIn("a.ts", "export class A {}\nexport interface A {}\ntype B = 1;\n");
    const b = typesIn(
      "b.ts",
      "interface A<T> {}\ntype B = 2;\n// type C = 1\nexport type { D };\n",
    );
    assert.deepEqual(namesakes(a), []);
    assert.deepEqual(namesakes([...a, ...b]), ["A: a.ts b.ts"]);
  });
});

// --- The map -----------------------------------------------------------------------------------------

/** The files that a row of README's table names, each with the name in it that is looked for. */
function placesIn(row: string): { path: string; name: string | undefined }[] {
  return [...row.matchAll(/`([\w/.]+\.ts)`(?:: `(\w+)`)?/g)].map(([, path = "", name]) => {
    return { path, name };
  });
}

describe("README's map", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, section = ""] = /^Where is \.\.\.\?\n([\s\S]*?)\n\n(?!\|)/m.exec(readme) ?? [];
  const rows = section.split("\n").filter((line) => line.startsWith("| ") && line.includes("`"));

  test("every row leads to a file, and to what is looked for in it", () => {
    assert.ok(rows.length >= 8, `only ${rows.length} rows`);
    for (const row of rows) {
      const places = placesIn(row);
      assert.ok(
        places.some(({ name }) => name !== undefined),
        row,
      );
      for (const { path, name } of places) {
        assert.ok(existsSync(join(root, path)), `${path} isn't there: ${row}`);
        if (name === undefined) continue;
        const source = readFileSync(join(root, path), "utf8");
        assert.match(source, new RegExp(`\\b${name}\\b`), `${path} has no ${name}`);
      }
    }
  });

  test("it says where a gradient rule, Bradley-Terry, a figure and a flag are", () => {
    const has = (what: RegExp, path: string): boolean =>
      rows.some((row) => what.test(row) && placesIn(row).some((place) => place.path === path));
    assert.ok(has(/gradient rule/, "core/ops/arithmetic.ts"));
    assert.ok(has(/Bradley-Terry/, "grm/losses.ts"));
    assert.ok(has(/figure/, "report/charts.ts"));
    assert.ok(has(/flag/, "cli/commands/train.ts"));
  });

  test("the files that the rooms' rows name are there", () => {
    const rooms = [...readme.matchAll(/^\| `(\w+)\/` \| (.*) \|$/gm)];
    assert.ok(rooms.length >= 10, `only ${rooms.length} rooms`);
    for (const [, room = "", text = ""] of rooms) {
      for (const [, name = ""] of text.matchAll(/`([\w/.]+\.(?:test\.)?ts|[\w/]+\/)`/g))
        assert.ok(existsSync(join(root, room, name)), `${room}/${name}`);
    }
  });

  test("the words of the first evening are explained where the README says", () => {
    const [, evening = ""] = /^## One evening\n([\s\S]*?)\n## /m.exec(readme) ?? [];
    const paths = [...evening.matchAll(/`((?:core|grm)\/[\w/.]+\.ts)`/g)].map(([, f = ""]) => f);
    const found = [...evening.matchAll(/((?:\*[\w -]+\*(?:,| and)?\s+)+)in\s+`(\w+\.ts)`/g)];
    assert.ok(found.length >= 8, `only ${found.length} lists of words`);
    for (const [, words = "", file = ""] of found) {
      const path = paths.find((p) => p.endsWith(`/${file}`)) ?? "";
      assert.notEqual(path, "", `${file} isn't on the path`);
      const [head = ""] = readFileSync(join(root, path), "utf8").split("\n\n");
      for (const [, word = ""] of words.matchAll(/\*([\w -]+)\*/g))
        assert.match(head, new RegExp(word.replace(/s$/, ""), "i"), `${path}: ${word}`);
    }
  });
});
