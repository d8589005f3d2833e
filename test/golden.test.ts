// The same seed gives the same bits on every machine: a hash of 400 training losses, here in Node (.ci/run
// tries a newer one too) and in Chromium, whose engine compiles both JavaScript and kernels in its own way;
// and another of numbers in double precision, which Bun and Deno must give as well.
// If a change of an algorithm moves the hash, write the new one here and say so. Next: golden/losses.ts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { use } from "../core/index.ts";
import { kernelsUrl } from "../kernels/index.ts";
import { launchBrowser, noBrowser } from "./chromium.ts";
import { float64Hash } from "./golden/float64.ts";
import { goldenHash } from "./golden/losses.ts";

const golden = "dda3978e";

test(`the golden hash of 400 training losses, in Node ${process.version}`, () => {
  assert.equal(use("wasm").name, "wasm");
  assert.deepEqual(goldenHash(), { hash: golden, device: "wasm" });
});

/** Of numbers in double precision; no engine's own functions are in it. */
const golden64 = "66127628";

test(`the float64 hash of functions and training steps, in Node ${process.version}`, () => {
  assert.equal(float64Hash(), golden64);
});

/** Further engines, as commands with commas between them: "npx -y -p bun bun,npx -y -p deno deno run -A". */
const engines = (process.env.TWOHEADS_ENGINES ?? "").split(",").filter(Boolean);

test(`the float64 hash in other engines: ${engines.join(", ")}`, {
  skip: engines.length === 0 && "no TWOHEADS_ENGINES",
}, async () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "engines-"));
  const outfile = join(folder, "hash.mjs");
  const contents = `import { launchBrowser, noBrowser } from "./chromium.ts";
import { float64Hash } from "./test/golden/float64.ts"; console.log(float64Hash());`;
  await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile,
    logLevel: "silent",
    ignoreAnnotations: true,
  });
  for (const engine of engines) {
    const [command = "", ...args] = engine.trim().split(" ");
    const found = execFileSync(command, [...args, outfile], { encoding: "utf8" });
    assert.equal(found.trim(), golden64, engine);
  }
  rmSync(folder, { recursive: true });
});

/** The page's script: everything in one file, which fetches the kernels beside it. */
async function bundle(): Promise<string> {
  const contents = `
    import { registerDevice, use } from "./core/index.ts";
    import { kernelsUrl, WasmDevice } from "./kernels/index.ts";
    import { goldenHash } from "./test/golden/losses.ts";
    let bytes;
    globalThis.run = async (threads) => {
      bytes ??= new Uint8Array(await (await fetch(kernelsUrl)).arrayBuffer());
      const name = "wasm with " + threads;
      const device = new WasmDevice({ bytes, threads, worthSharing: 500 });
      registerDevice(name, () => device);
      use(name);
      const found = [];
      for (let i = 0; i < 2; i++) {
        found.push(goldenHash());
        await new Promise((resolve) => setTimeout(resolve, 100)); // a page's workers start between tasks
      }
      return { found, shared: device.wasm.threads.shared, isolated: crossOriginIsolated };
    };`;
  const root = fileURLToPath(new URL("..", import.meta.url));
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    format: "esm",
    target: "es2023",
    write: false,
    logLevel: "silent",
    ignoreAnnotations: true, // in the repository, importing core registers the reference device
  });
  return outputFiles[0]?.text ?? "";
}

/** A page of its own origin, isolated if it is to have shared memory. */
async function openPage(headless: Browser, isolated: boolean): Promise<Page> {
  const page = await headless.newPage();
  const headers: Record<string, string> = isolated
    ? {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      }
    : {};
  const script = await bundle();
  await page.route("http://localhost/**", (route) => {
    const path = new URL(route.request().url()).pathname;
    if (path === "/kernels.wasm") return route.fulfill({ body: readFileSync(kernelsUrl), headers });
    const body =
      path === "/run.js" ? script : '<!doctype html><script type="module" src="/run.js"></script>';
    const contentType = path === "/run.js" ? "text/javascript" : "text/html";
    return route.fulfill({ body, contentType, headers });
  });
  await page.goto("http://localhost/");
  return page;
}

for (const [what, isolated, threads] of [
  ["one thread", false, 1],
  ["two threads over shared memory", true, 2],
] as const) {
  test(`the golden hash in Chromium, ${what}`, { skip: noBrowser }, async () => {
    const headless = await launchBrowser();
    try {
      const page = await openPage(headless, isolated);
      const result = await page.evaluate(
        (count) => (globalThis as unknown as { run: (n: number) => Promise<Found> }).run(count),
        threads,
      );
      assert.equal(result.isolated, isolated);
      assert.ok(threads === 1 ? result.shared === 0 : result.shared > 100, "work was shared");
      for (const found of result.found) assert.deepEqual(found, { hash: golden, device: "wasm" });
    } finally {
      await headless.close();
    }
  });
}

/** What the page's script reports. */
interface Found {
  readonly found: readonly { readonly hash: string; readonly device: string }[];
  readonly shared: number;
  readonly isolated: boolean;
}
