// The same seed gives the same bits on every machine: a hash of 400 training losses, here in Node (.ci/run
// tries a newer one too) and in Chromium, whose engine compiles both JavaScript and kernels in its own way.
// If a change of an algorithm moves the hash, write the new one here and say so. Next: golden/losses.ts.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { use } from "../core/index.ts";
import { kernelsUrl } from "../kernels/index.ts";
import { goldenHash } from "./golden/losses.ts";

const golden = "52c4d91e";

test(`the golden hash of 400 training losses, in Node ${process.version}`, () => {
  assert.equal(use("wasm").name, "wasm");
  assert.deepEqual(goldenHash(), { hash: golden, device: "wasm" });
});

const browser = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** The page's script: everything in one file, the kernels' bytes handed over by the page. */
async function bundle(): Promise<string> {
  const contents = `
    import { registerDevice, use } from "./core/index.ts";
    import { WasmDevice } from "./kernels/index.ts";
    import { goldenHash } from "./test/golden/losses.ts";
    globalThis.run = (bytes) => {
      registerDevice("wasm", () => new WasmDevice({ bytes: Uint8Array.from(bytes) }));
      use("wasm");
      return goldenHash();
    };`;
  const root = fileURLToPath(new URL("..", import.meta.url));
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    format: "iife",
    target: "es2023",
    write: false,
    define: { "import.meta.url": '"http://localhost/"' }, // an empty page has no address
    logLevel: "silent",
    ignoreAnnotations: true, // in the repository, importing core registers the reference device
  });
  return outputFiles[0]?.text ?? "";
}

const reason = existsSync(browser)
  ? false
  : `no ${browser}; install chromium, or name one in the CHROMIUM variable`;

test("the golden hash in Chromium", { skip: reason }, async () => {
  const headless = await chromium.launch({ executablePath: browser, args: ["--no-sandbox"] });
  try {
    const page = await headless.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.addScriptTag({ content: await bundle() });
    assert.deepEqual(errors, []);
    const bytes = [...readFileSync(kernelsUrl)];
    const found = await page.evaluate(
      (numbers) => (globalThis as unknown as { run: (b: number[]) => unknown }).run(numbers),
      bytes,
    );
    assert.deepEqual(found, { hash: golden, device: "wasm" });
  } finally {
    await headless.close();
  }
});
