// The package as others meet it: packed, installed into an empty project, imported by plain Node,
// type-checked by the compiler, and run as a command. Everything happens in a temporary folder; npm
// takes the two dependencies from its cache where it can.
// Next: package.json for what is exported, ../build.js for what is packed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Most bytes of the package; 0.6 MB of them are the demo's two bases. */
const most = 1_500_000;

describe("the package in an empty project", () => {
  let project = "";
  let tarball = "";

  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: project, encoding: "utf8", stdio: "pipe" });
  const node = (...args: string[]): string => run(process.execPath, ...args);

  before(() => {
    project = mkdtempSync(join(tmpdir(), "twoheads-package-"));
    const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", project], {
      cwd: root,
      encoding: "utf8",
      stdio: "pipe",
    });
    // the build that npm runs first may print before the JSON
    const [{ filename }] = JSON.parse(packed.slice(packed.indexOf("[\n"))) as [
      { filename: string },
    ];
    tarball = join(project, filename);
    writeFileSync(join(project, "package.json"), '{ "type": "module", "private": true }\n');
    run(
      "npm",
      "install",
      tarball,
      ...["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"],
    );
  });

  after(() => {
    rmSync(project, { recursive: true, force: true });
  });

  test("is smaller than a megabyte", () => {
    const { size } = statSync(tarball);
    assert.ok(size < most, `the tarball has ${size} bytes`);
  });

  test("is imported by plain Node, with gradients", () => {
    const program = `
      import { tensor } from "twoheads/core";
      const x = tensor([1, 2, 3], { requiresGrad: true });
      x.mul(x).sum().backward();
      console.log(String(x.grad));
    `;
    assert.equal(node("--input-type=module", "--eval", program).trim(), "[2, 4, 6]");
  });

  test("every door opens, and the kernels find their WebAssembly", () => {
    const program = `
      for (const door of ["", "/core", "/nn", "/grm", "/report"]) await import("twoheads" + door);
      const { createWasm } = await import("twoheads/kernels");
      const wasm = createWasm({ threads: 1 });
      console.log(wasm.alloc(64) > 0);
    `;
    assert.equal(node("--input-type=module", "--eval", program).trim(), "true");
  });

  test("brings types that a strict project accepts", () => {
    const source = `
      import { grad, softmax, type Tensor, tensor } from "twoheads/core";
      import { tensor as same } from "twoheads";
      import { createWasm } from "twoheads/kernels";
      const x: Tensor = tensor([[1, 2]], { requiresGrad: true });
      export const found: (Tensor | null)[] = grad(x.softmax({ dim: -1 }).sum(), [x]);
      export const functions = [softmax(x, { dim: 0 }), same(1).data.length, createWasm] as const;
      // @ts-expect-error: the dtype is misspelt, which proves that the types are there
      tensor([1], { dtype: "float16" });
    `;
    writeFileSync(join(project, "uses.ts"), source);
    const options = {
      module: "nodenext",
      target: "es2022",
      lib: ["es2023", "dom"],
      strict: true,
      noEmit: true,
      types: [],
    };
    const config = { compilerOptions: options, files: ["uses.ts"] };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config));
    const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
    node(join(dirname(typescript), "bin/tsc"), "-p", ".");
  });

  test("gives the command twoheads", () => {
    const bin = join(project, "node_modules", ".bin", "twoheads");
    assert.match(run(bin, "--help"), /Usage: twoheads .*Examples:/s);
    const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
    assert.equal(run(bin, "--version").trim(), version);
  });

  test("has the demo's bases, and runs them", () => {
    const bin = join(project, "node_modules", ".bin", "twoheads");
    const base = join(project, "node_modules/twoheads/dist/lab/demo/bases/1");
    const written = run(
      bin,
      "generate",
      base,
      "--prompt",
      "the fox",
      "--seed",
      "1",
      "--max-tokens",
      "8",
    );
    assert.match(written, /the fox/);
  });
});

describe("the command in a checkout", () => {
  const twoheads = (...args: string[]) => {
    try {
      const bin = join(root, "grm", "bin.js");
      const stdout = execFileSync(process.execPath, [bin, ...args], {
        encoding: "utf8",
        stdio: "pipe",
      });
      return { status: 0, stdout, stderr: "" };
    } catch (error) {
      return error as { status: number; stdout: string; stderr: string };
    }
  };

  test("lists the ops, and shows one", () => {
    assert.match(twoheads("ops").stdout, /^elementwise \(\d+\)\n {2}add .*\n {2}sub .*\d+ ops\n$/s);
    assert.match(twoheads("ops", "softmax").stdout, /^softmax: fused\n {2}.*softmax/);
  });

  test("answers a wrong name with one line, not with a stack", () => {
    const { status, stderr } = twoheads("ops", "sofmax");
    assert.equal(status, 1);
    assert.equal(stderr.trim(), 'ops: there is no op "sofmax"; did you mean softplus, softmax?');
    assert.notEqual(twoheads("nonsense").status, 0);
  });
});
