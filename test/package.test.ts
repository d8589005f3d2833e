// The package as others meet it: packed, installed into an empty project, imported by plain Node, compiled
// against with every TypeScript that it promises, looked up in an editor, and run as a command.
// Next: emptyProject.ts for where, consumer/ for what is compiled, ../build.js for what is packed.

import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { createRequire, SourceMap, type SourceMapping } from "node:module";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { transform } from "esbuild";
import { twoheads } from "./commandLine.ts";
import { typescript as own } from "./compiler.ts";
import { Editor } from "./editor.ts";
import { checkAlone, type EmptyProject, emptyProject } from "./emptyProject.ts";
import { type Installed, installed, quietly, root } from "./installed.ts";

/** Most bytes of the package; 0.9 MB of them are the three bases, 0.7 MB its sources and maps, and 0.1 MB its tests' kit. */
const most = 3_200_000;
/** What `twoheads ops` lists. */
const everyOp = /^elementwise \(\d+\)\n {2}add .*\n {2}sub .*\d+ ops\n$/s;
/** Compilers from npm, besides the repository's own. */
const versions = ["5.0.4", "5.5.4", "5.9.3", "6.0.3"] as const;

let project: Installed;
let compilers: EmptyProject;
let folder = "";

const node = (...args: string[]): Promise<string> => project.run(process.execPath, ...args);
const evaluate = (program: string): Promise<string> =>
  node("--input-type=module", "--eval", program);

/** The folder of a version of TypeScript. */
function typescript(version: string): string {
  return (versions as readonly string[]).includes(version)
    ? join(compilers.folder, "node_modules", `typescript-${version}`)
    : own;
}

before(async () => {
  compilers = emptyProject();
  const aliases = versions.map((version) => `typescript-${version}@npm:typescript@${version}`);
  const compiling = compilers.npm("install", ...aliases, ...quietly);
  project = await installed(["gpu.js@2"]);
  assert.equal(project.missing, null);
  await compiling;
  folder = join(project.folder, "node_modules", "twoheads");
  for (const name of readdirSync(join(root, "test/consumer")))
    cpSync(join(root, "test/consumer", name), join(project.folder, name));
});

after(() => {
  project.remove();
  compilers.remove();
});

test("a folder of modules above a project is an error that says what to do", () => {
  const inside = join(project.folder, "inside");
  mkdirSync(inside);
  assert.throws(() => checkAlone(inside), /node_modules would help .*set TMPDIR/);
  rmSync(inside, { recursive: true });
});

test("nothing that the package brings along is native or runs a script when it is installed", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, Record<"dev" | "hasInstallScript" | "cpu" | "os", unknown>>;
  };
  const brought = Object.entries(packages).filter(([name, { dev }]) => name !== "" && !dev);
  assert.ok(brought.length >= 10, `${brought.length} packages`);
  const native = brought.filter(
    ([, { hasInstallScript, cpu, os }]) => hasInstallScript || cpu || os,
  );
  assert.deepEqual(native, []);
  const binaries = brought.flatMap(([name]) =>
    readdirSync(join(root, name), { recursive: true, encoding: "utf8" }).filter((file) =>
      /\.(node|so|dll|dylib|exe)$/.test(file),
    ),
  );
  assert.deepEqual(binaries, []);
});

describe("the package in an empty project", () => {
  test("isn't larger than it need be", () => {
    const { size } = statSync(project.tarball);
    assert.ok(size < most, `the tarball has ${size} bytes`);
  });

  test("is imported by plain Node, with gradients", async () => {
    const program = `
      import { tensor } from "twoheads/core";
      const x = tensor([1, 2, 3], { requiresGrad: true });
      x.mul(x).sum().backward();
      console.log(String(x.grad));
    `;
    assert.equal((await evaluate(program)).trim(), "[2, 4, 6]");
  });

  test("has ops of other people: on every device, with gradients to order 2", async () => {
    const file = readFileSync(join(project.folder, "own.ts"), "utf8");
    project.write("own.mjs", (await transform(file, { loader: "ts" })).code);
    const program = `
      import { report } from "./own.mjs";
      for (const device of ["reference", "wasm", "gpu:cpu"]) console.log(await report(device));`;
    const [reference = "", ...others] = (await evaluate(program)).trim().split("\n");
    assert.match(
      reference,
      /squareplus: .* gradient says .* finite differences say .*; roundSte 1 1; mix -0\.2391 -0\.1112 0\.0737 -0\.8813/,
    );
    assert.deepEqual(others, [reference, reference]);
  });

  test("every door opens, and the kernels find their WebAssembly", async () => {
    const program = `
      for (const door of ["", "/core", "/nn", "/grm", "/lab", "/report", "/node"])
        await import("twoheads" + door);
      const { createWasm } = await import("twoheads/kernels");
      const wasm = createWasm({ threads: 1 });
      console.log(wasm.alloc(64) > 0);
    `;
    assert.equal((await evaluate(program)).trim(), "true");
  });

  test("gives the command twoheads", async () => {
    const bin = join(project.folder, "node_modules", ".bin", "twoheads");
    assert.match(await project.run(bin, "--help"), /Usage: twoheads .*Examples:/s);
    const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
    assert.equal((await project.run(bin, "--version")).trim(), version);
  });

  test("lists the ops with their examples, as a checkout does", async () => {
    const bin = join(project.folder, "node_modules", ".bin", "twoheads");
    for (const what of [[], ["softmax"]]) {
      const listed = await project.run(bin, "ops", ...what);
      assert.equal(listed, twoheads(["ops", ...what]).stdout);
      assert.match(listed, what.length === 0 ? everyOp : /^softmax: fused\n {2}.*softmax/);
    }
  });

  test("what a page loads has no examples and draws, and is where its map says", async () => {
    const program = `
      import { furtherOps, opTable } from "twoheads/core";
      const told = [...opTable.values(), ...furtherOps.values()].filter((entry) => "example" in entry || "draw" in entry);
      console.log(opTable.size > 80, told.length);
    `;
    assert.equal((await evaluate(program)).trim(), "true 0");
    const file = join(folder, "dist/core/ops/reduce.js");
    const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")));
    const line = readFileSync(file, "utf8")
      .split("\n")
      .findIndex((text) => /const cumsum/.test(text));
    const { originalSource, originalLine } = map.findEntry(line, 0) as SourceMapping;
    const source = readFileSync(resolve(dirname(file), originalSource), "utf8");
    assert.match(source.split("\n")[originalLine] ?? "", /^export const cumsum/);
  });

  test("has the demo's bases, and runs them by their names", async () => {
    const bin = join(project.folder, "node_modules", ".bin", "twoheads");
    const options = ["--prompt", "the fox", "--seed", "1", "--max-tokens", "8"];
    for (const base of ["spelled-1", "stories"])
      assert.match(await project.run(bin, "generate", base, ...options), /the fox/);
  });

  test("maps lead from what runs and from declarations to sources that are there", () => {
    const names = readdirSync(join(folder, "dist"), { recursive: true, encoding: "utf8" });
    const maps = names.filter((name) => /\.(js|d\.ts)\.map$/.test(name));
    for (const name of maps) {
      const file = join(folder, "dist", name);
      const { sources } = JSON.parse(readFileSync(file, "utf8")) as { sources: string[] };
      for (const source of sources)
        assert.ok(existsSync(resolve(dirname(file), source)), `${name}: there is no ${source}`);
    }
    const code = names.filter((name) => /(?<!\.d)\.ts$/.test(name) || /\.js$/.test(name));
    const bundled = /^(browser|testing.table\.js$)/;
    const own = code.filter((name) => !bundled.test(name));
    const unmapped = own.filter((name) => !maps.includes(`${name}.map`));
    assert.deepEqual(unmapped, []);
    assert.ok(maps.length > 400, `${maps.length} maps`);
  });
});

describe("types, in strict projects that have no others", { concurrency: 2 }, () => {
  const common = {
    target: "es2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    skipDefaultLibCheck: true, // TypeScript's own declarations; ours are checked
    types: [],
  };
  const styles = {
    nodenext: { module: "nodenext", lib: ["es2022"] },
    bundler: { module: "esnext", moduleResolution: "bundler", lib: ["es2022"] },
    "nodenext with the DOM": { module: "nodenext", lib: ["es2023", "dom"] },
  };

  /** All styles in one process, which takes .8 of what one for each would. */
  const compile = async (version: string, tried: readonly (keyof typeof styles)[]) => {
    const names = tried.map((style) => {
      const name = `tsconfig.${version}.${style}.json`.replaceAll(" ", "-");
      const compilerOptions = { ...common, ...styles[style] };
      const files = ["core.ts", "own.ts", "rooms.ts"];
      project.write(name, JSON.stringify({ compilerOptions, files }));
      return name;
    });
    try {
      const one = typescript(version) === own ? ["--checkers", "1"] : []; // others of a run work too
      await node(join(typescript(version), "bin/tsc"), "--build", ...names, ...one);
    } catch (error) {
      assert.fail((error as { stdout?: string }).stdout ?? String(error));
    }
  };

  for (const version of [...versions, "of this repository"]) {
    const dom = version === "6.0.3" ? (["nodenext with the DOM"] as const) : [];
    const tried = ["nodenext", "bundler", ...dom] as const;
    test(`TypeScript ${version}, ${tried.join(", ")}`, () => compile(version, tried));
  }
});

describe("in an editor", () => {
  const editors = new Map<string, Editor>();
  /** An editor with a version of TypeScript, which starts when it is first asked for. */
  const editorWith = (version: string): Editor => {
    const editor =
      editors.get(version) ??
      new Editor(join(typescript(version), "lib/tsserver.js"), project.folder);
    editors.set(version, editor);
    return editor;
  };
  after(() => {
    for (const editor of editors.values()) editor.close();
  });

  for (const version of ["5.0.4", "6.0.3"]) {
    test(`TypeScript ${version}: a method shows its op's comment and leads to its entry`, async () => {
      const editor = editorWith(version);
      const source = 'import { tensor } from "twoheads";\ntensor([1]).tanh();\n';
      const file = join(project.folder, "hover.ts");
      editor.open(file, source);
      const place = { file, line: 2, offset: "tensor([1]).t".length };
      const { documentation } = await editor.ask<{ documentation: string }>("quickinfo", place);
      assert.match(documentation, /^Hyperbolic tangent/);
      const [found] = await editor.ask<{ file: string; start: { line: number } }[]>(
        "definition",
        place,
      );
      assert.ok(found);
      assert.equal(found.file, join(folder, "core/ops/functions.ts").replaceAll("\\", "/"));
      const line = readFileSync(found.file, "utf8").split("\n")[found.start.line - 1];
      assert.match(line ?? "", /^export const tanh/);
    });
  }

  test("a room shows its comment, and what is in it its own", async () => {
    const editor = editorWith("6.0.3");
    const source =
      'import { inspect, statistics, worlds } from "twoheads";\ninspect.linearCKA; statistics.mean; worlds.spelled;\n';
    const file = join(project.folder, "rooms.ts");
    editor.open(file, source);
    const line = source.split("\n")[1] ?? "";
    for (const [name, said] of [
      ["inspect", /^Looking into reward models/],
      ["statistics", /^Means, intervals/],
      ["worlds", /^Miniature languages/],
      ["linearCKA", /centred kernel alignment/i],
      ["mean", /mean/i],
      ["spelled", /./],
    ] as const) {
      const place = { file, line: 2, offset: line.indexOf(name) + 1 };
      const { documentation } = await editor.ask<{ documentation: string }>("quickinfo", place);
      assert.match(documentation, said);
    }
  });

  test("a setting shows what its schema says of it", async () => {
    const editor = editorWith("6.0.3");
    const options = "PretrainOptions = { lr: 1 }, TrainOptions = { alpha: 1 }";
    const source = `import type { PretrainOptions, TrainOptions } from "twoheads";\nconst a: ${options.replace(", ", ", b: ")};\n`;
    const file = join(project.folder, "settings.ts");
    editor.open(file, source);
    const line = source.split("\n")[1] ?? "";
    for (const [name, said] of [
      ["lr", /^highest learning rate/],
      ["alpha", /^weight alpha of the text-generation loss/],
    ] as const) {
      const place = { file, line: 2, offset: line.indexOf(`${name}:`) + 1 };
      const { documentation } = await editor.ask<{ documentation: string }>("quickinfo", place);
      assert.match(documentation, said);
    }
  });

  interface Completion {
    readonly name: string;
    readonly kind: string;
  }
  interface Details extends Completion {
    readonly documentation: readonly { readonly text: string }[];
  }
  const doors = ["", "/core", "/kernels", "/nn", "/grm", "/lab", "/report", "/testing", "/node"];

  const imports = doors.map((door) => `import {  } from "twoheads${door}";\n`).join("");
  for (const [i, door] of doors.entries()) {
    test(`what twoheads${door} exports says what it is`, async () => {
      const editor = editorWith("6.0.3");
      const file = join(project.folder, "doors.ts");
      editor.open(file, imports); // one program for all doors
      const place = { file, line: i + 1, offset: "import { ".length + 1 };
      const { entries } = await editor.ask<{ entries: Completion[] }>("completionInfo", place);
      const names = entries.filter(({ kind }) => kind !== "keyword").map(({ name }) => name);
      assert.ok(names.length > 10, `${names.length} exports`);
      const details = await editor.ask<Details[]>("completionEntryDetails", {
        ...place,
        entryNames: names,
      });
      const silent = details.filter(({ documentation }) => {
        const said = documentation.map(({ text }) => text).join("");
        return said.trim() === "" || /^See \S+\.ts\b/.test(said);
      });
      assert.equal(details.length, names.length);
      assert.deepEqual(
        silent.map(({ name }) => name),
        [],
      );
    });
  }
});

test("the command in a checkout answers a wrong name with one line, not with a stack", () => {
  const { status, stderr } = twoheads(["ops", "sofmax"]);
  assert.equal(status, 1);
  assert.equal(stderr.trim(), 'ops: there is no op "sofmax"; did you mean softplus, softmax?');
  assert.notEqual(twoheads(["nonsense"]).status, 0);
});
