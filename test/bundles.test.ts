// The package in other people's bundlers, browsers and runtimes: installed into an empty project, built by
// Vite, webpack and esbuild without a warning, and run in pages, workers, Deno and Bun with the bits that Node
// gives. One installation serves all. What can't be had here is skipped, and the reason said.
// Next: installed.ts for the project, bundles/program.js for what runs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { extname, join, normalize } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import { blocksOf } from "../walkthroughs/lesson.ts";
import { launchBrowser, noBrowser } from "./chromium.ts";
import { type Installed, installed, root } from "./installed.ts";

/** What program.js found. */
interface Found {
  readonly last: string;
  readonly numbers: readonly number[];
  readonly device: string;
  readonly threads: number;
  /** The device that use("wasm") gives, or the error. */
  readonly wasm: string;
}

/** Threads that a page may have, see kernels/wasm/threads.ts. */
const allThreads = Math.min(8, availableParallelism());

describe("the package, installed", () => {
  let project: Installed;
  let inNode: Found;

  before(async () => {
    project = await installed(["vite@8", "webpack@5", "deno@2", "bun@1"]);
    cpSync(join(root, "test/bundles"), join(project.folder, "src"), { recursive: true });
    const program =
      'import { program } from "./src/program.js"; say(JSON.stringify(await program()));';
    project.write("program.mjs", `const say = console.log;\n${program}`);
    inNode = JSON.parse(await project.run(process.execPath, "program.mjs")) as Found;
  });
  after(() => project.remove());

  /** Skips a test if what came beside the package isn't there. */
  function needs(t: TestContext, ...files: readonly string[]): boolean {
    const lacks = files.find((file) => !existsSync(join(project.folder, "node_modules", file)));
    if (lacks !== undefined) t.skip(project.missing ?? `npm brought no ${lacks} for this machine`);
    return lacks === undefined;
  }

  test("in Node, every door opens, and the model's digits are the README's", async () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    assert.ok(readme.includes(`step 20: ${inNode.last}\n`), inNode.last);
    assert.deepEqual([inNode.device, inNode.wasm], ["wasm", "wasm"]);
    const doors = ["", "/core", "/kernels", "/nn", "/grm", "/lab", "/report", "/node"];
    const opened = doors.map((door) => `await import("twoheads${door}");`).join(" ");
    await project.run(process.execPath, "--input-type=module", "--eval", opened);
  });

  describe("sizes of what a page loads, minified and gzipped", () => {
    for (const [what, source, most] of [
      ["core", 'export { tensor } from "twoheads/core";', 32_000],
      [
        "core with the SIMD device, its WebAssembly apart",
        'export { tensor } from "twoheads/core"; export { ready } from "twoheads/kernels";',
        60_000,
      ],
    ] as const) {
      test(`${what}: at most ${most} bytes`, async () => {
        const { outputFiles } = await build({
          stdin: { contents: source, resolveDir: project.folder },
          ...{ bundle: true, minify: true, format: "esm", target: "es2022", write: false },
        });
        const size = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
        assert.ok(size > 10_000 && size <= most, `${size} bytes`);
      });
    }
  });

  describe("other runtimes", () => {
    test("Bun gives the same bits", async (t) => {
      const bun = firstThatRuns(project.folder, "@oven", "bin/bun");
      if (bun === null) return t.skip(project.missing ?? "npm brought no bun for this machine");
      assert.deepEqual(JSON.parse(await project.run(bun, "program.mjs")), inNode);
    });

    test("Deno gives the same bits, and core needs no permission", async (t) => {
      const deno = firstThatRuns(project.folder, "@deno", "deno");
      if (deno === null) return t.skip(project.missing ?? "npm brought no deno for this machine");
      const run = (...args: string[]) => project.run(deno, "run", "--no-prompt", ...args);
      assert.deepEqual(JSON.parse(await run("--allow-read=.", "program.mjs")), inNode);
      project.write(
        "core.mjs",
        'import { tensor } from "twoheads/core"; console.log(String(tensor([1]).mul(2)));',
      );
      assert.equal(await run("core.mjs"), "[2]\n");
      const without = JSON.parse(await run("program.mjs")) as Found;
      assert.equal(without.device, "reference");
      assert.match(
        without.wasm,
        /^DeviceError: wasm: .*kernels\.wasm can't be read \(.*--allow-read/,
      );
    });
  });

  describe("bundlers, without a warning", () => {
    test("Vite", async (t) => {
      if (!needs(t, "vite")) return;
      const page = '<!doctype html><script type="module" src="/src/page.js"></script>\n';
      project.write("index.html", page);
      const quick = "rolldownOptions: { checks: { pluginTimings: false } }"; // how long a loaded machine takes
      const config = `{ base: "./", worker: { format: "es" }, logLevel: "warn", build: { outDir: "vite", ${quick} } }`;
      const script = `import { build } from "vite"; await build({ configFile: false, ...${config} });`;
      assert.equal(await printed(project, script), "");
    });

    test("webpack", async (t) => {
      if (!needs(t, "webpack")) return;
      const script = `
        import webpack from "webpack";
        const output = { path: process.cwd() + "/webpack", publicPath: "auto", module: false };
        const config = { mode: "production", entry: "./src/page.js", output, performance: false,
          optimization: { minimize: false } }; // Vite and esbuild do that
        webpack(config, (error, stats) => console.log(
          error ?? stats.toString({ all: false, errors: true, warnings: true })));`;
      assert.equal((await printed(project, script)).trim(), "");
      assert.ok(readdirSync(join(project.folder, "webpack")).length >= 3);
    });

    test("esbuild, as a module and as a plain script", async () => {
      for (const format of ["esm", "iife"] as const) {
        const { warnings } = await build({
          absWorkingDir: project.folder,
          entryPoints: { page: "src/page.js", worker: "src/worker.js" },
          ...{ bundle: true, minify: true, outdir: `esbuild-${format}`, logLevel: "silent" },
          format,
          ...(format === "iife" && {
            entryPoints: { script: "src/program.js" },
            globalName: "bundled",
          }),
        });
        assert.deepEqual(warnings, []);
        const wasm = "node_modules/twoheads/dist/kernels/wasm/kernels.wasm";
        cpSync(
          join(project.folder, wasm),
          join(project.folder, `esbuild-${format}`, "kernels.wasm"),
        );
      }
    });
  });

  describe("pages in Chromium", { skip: noBrowser }, () => {
    let browser: Browser;
    let server: Server;

    before(async () => {
      browser = await launchBrowser();
      server = serve(project.folder);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    });
    after(async () => {
      await browser?.close();
      server?.close();
    });

    /** Opens a page of the project under some headers; what it found, said and fetched. */
    async function open(mode: Mode, path: string, result = "globalThis.found") {
      const page = await browser.newPage();
      const said: string[] = [];
      const fetched: string[] = [];
      page.on("console", (message) => {
        if (message.text().startsWith("wasm:")) said.push(message.text());
      });
      page.on("requestfinished", (request) => fetched.push(request.url().split("/").pop() ?? ""));
      const { port } = server.address() as AddressInfo;
      await page.goto(`http://localhost:${port}/${mode}/${path}`);
      const found = (await page.evaluate(result)) as Found;
      await page.close();
      return { found, said, fetched: fetched.filter((name) => name.endsWith(".wasm")) };
    }

    /** What is the same everywhere, and the threads. */
    const expected = (threads: number) => ({ ...inNode, threads });

    test("Vite's: in the page and in a worker, and one module is fetched", async (t) => {
      if (!needs(t, "vite")) return;
      for (const path of ["vite/index.html", "vite/index.html?worker"]) {
        const { found, said, fetched } = await open("plain", path);
        assert.deepEqual([found, said], [expected(1), []], path);
        assert.match(fetched.join(), /^kernels-[^.,]*\.wasm$/, path);
      }
    });

    test("Vite's: isolated, with threads", async (t) => {
      if (!needs(t, "vite")) return;
      for (const path of ["vite/index.html", "vite/index.html?worker"]) {
        const { found, said } = await open("isolated", path);
        assert.deepEqual([found, said], [expected(allThreads), []], path);
      }
    });

    test("Vite's: under a strict policy, with one thread where workers of blobs are forbidden", async (t) => {
      if (!needs(t, "vite")) return;
      const { found, said } = await open("strict", "vite/index.html");
      assert.deepEqual([found, said], [expected(1), []]);
      const isolated = await open("strictIsolated", "vite/index.html");
      assert.deepEqual(isolated.found, expected(1));
      const refused = /^wasm: a worker didn't start \(.*blob:\); computing with one thread$/;
      if (allThreads > 1) assert.match(isolated.said.join("\n"), refused);
    });

    test("Vite's: where the policy forbids WebAssembly, one sentence and no quiet change", async (t) => {
      if (!needs(t, "vite")) return;
      const { found, said } = await open("noWasm", "vite/index.html");
      const why = "wasm: this page's Content-Security-Policy lets no WebAssembly compile ";
      const reason = `${why}(script-src needs 'wasm-unsafe-eval')`;
      assert.equal(found.device, "reference");
      assert.deepEqual(said, [`${reason}; the reference device is taken instead`]);
      assert.equal(found.wasm, `DeviceError: ${reason}`);
    });

    test("Vite's: FMA is fetched when it is asked for, and alone", async (t) => {
      if (!needs(t, "vite")) return;
      const { found, fetched } = await open("plain", "vite/index.html?fma");
      assert.equal(found.device, "wasm");
      assert.match(fetched.join(), /^kernels\.fma-[^.,]*\.wasm$/);
    });

    test("webpack's, in the page and in a worker", async (t) => {
      if (!needs(t, "webpack")) return;
      project.write("webpack.html", '<!doctype html><script src="webpack/main.js"></script>');
      for (const path of ["webpack.html", "webpack.html?worker"]) {
        assert.deepEqual((await open("plain", path)).found, expected(1), path);
      }
    });

    test("esbuild's, a module and a plain script", async () => {
      const module = '<script type="module" src="esbuild-esm/page.js"></script>';
      project.write("module.html", `<!doctype html>${module}`);
      for (const path of ["module.html", "module.html?worker"])
        assert.deepEqual((await open("plain", path)).found, expected(1), path);
      const page = '<!doctype html><script src="script.js"></script>';
      project.write("esbuild-iife/script.html", page);
      const run = await open("plain", "esbuild-iife/script.html", "bundled.program()");
      assert.deepEqual(run.found, expected(1));
    });

    test("a plain page, as the README has it", async () => {
      const blocks = blocksOf(readFileSync(join(root, "README.md"), "utf8"));
      const at = blocks.findIndex(({ language }) => language === "html");
      project.write("plain.html", blocks[at]?.text ?? "");
      const output = `new Promise((resolve) => {
        const look = () => out.textContent.includes("step 60") ? resolve(out.textContent) : setTimeout(look, 50);
        look();
      })`;
      const { found, fetched } = await open("plain", "plain.html", output);
      assert.equal(`${String(found).trim()}\n`, blocks[at + 1]?.text);
      assert.deepEqual(fetched, ["kernels.wasm"]);
    });

    test("an engine without SIMD, and a kernel that isn't where it should be, are told", async (t) => {
      if (!needs(t, "vite")) return;
      const { port } = server.address() as AddressInfo;
      for (const [script, reason] of [
        ["WebAssembly.validate = () => false", /^wasm: this engine lacks WebAssembly SIMD;/],
        ["delete globalThis.WebAssembly", /^wasm: this engine has no WebAssembly/],
        ['globalThis.fetch = async () => new Response("<!doctype html>")', /is no WebAssembly/],
        ["globalThis.fetch = async () => new Response(null, { status: 404 })", /\(status 404\)/],
      ] as const) {
        const page = await browser.newPage();
        const said: string[] = [];
        page.on("console", (message) => said.push(message.text()));
        await page.addInitScript(script);
        await page.goto(`http://localhost:${port}/plain/vite/index.html`);
        const found = (await page.evaluate("globalThis.found")) as Found;
        assert.equal(found.device, "reference", script);
        assert.match(said.filter((text) => text.startsWith("wasm:")).join("\n"), reason);
        assert.match(found.wasm, /^DeviceError: wasm: /);
        await page.close();
      }
    });
  });
});

/** Runs a script in the project; what it prints on both streams. */
function printed(project: Installed, script: string): Promise<string> {
  project.write("build.mjs", `console.error = console.warn = console.log;\n${script}`);
  return project.run(process.execPath, "build.mjs");
}

/** A program of one of a scope's packages that starts on this machine; null if none does. */
function firstThatRuns(folder: string, scope: string, file: string): string | null {
  const packages = join(folder, "node_modules", scope);
  const candidates = existsSync(packages) ? readdirSync(packages).sort() : [];
  for (const name of candidates) {
    const program = join(packages, name, file);
    try {
      execFileSync(program, ["--version"], { stdio: "pipe" });
      return program;
    } catch {
      // made for another processor or C library
    }
  }
  return null;
}

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
const policy = (script: string) => ({
  "Content-Security-Policy": `default-src 'none'; connect-src 'self'; worker-src 'self'; script-src ${script}`,
});
const modes = {
  plain: {},
  isolated: isolation,
  strict: policy("'self' 'wasm-unsafe-eval'"),
  strictIsolated: { ...isolation, ...policy("'self' 'wasm-unsafe-eval'") },
  noWasm: policy("'self'"),
};
type Mode = keyof typeof modes;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/** Serves a project's files under /<mode>/, with that mode's headers; absolute paths are of no mode. */
function serve(folder: string): Server {
  return createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const [, first = "", ...rest] = pathname.split("/");
    const isMode = first in modes;
    const path = join(folder, normalize(isMode ? rest.join("/") : pathname));
    const headers = isMode ? modes[first as Mode] : {};
    if (!existsSync(path)) return response.writeHead(404).end();
    response.writeHead(200, { ...headers, "Content-Type": types[extname(path)] ?? "text/plain" });
    response.end(readFileSync(path));
  });
}
