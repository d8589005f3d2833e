// The gpu device in headless Chromium, on webgl2 and webgpu with software rendering. A mode that can't
// start is skipped with its reason; where Chromium is, at least one of the two must really run.
// Next: gpu/suite.ts for what is tried, gpu/judge.ts for what must hold.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { judge } from "./gpu/judge.ts";
import type { Findings, Plan } from "./gpu/suite.ts";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const hasBrowser = existsSync(executablePath);
const reason = hasBrowser
  ? false
  : `no ${executablePath}; install chromium, or name one in the CHROMIUM variable`;

/** Software rendering for both APIs, so that no GPU is needed. */
const args = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-unsafe-swiftshader",
  "--use-angle=swiftshader",
];

/** The page's script; minified as a careful site would serve it, because kernels are made of their text. */
async function bundle(minify: boolean): Promise<string> {
  const contents = `
    import gpujs from "gpu.js";
    import { device } from "./core/index.ts";
    import { provideGpu } from "./kernels/index.ts";
    import { suite } from "./test/gpu/suite.ts";
    provideGpu(gpujs);
    globalThis.trial = {
      ready: (mode) => device("gpu:" + mode).ready().then(() => "", (error) => error.message),
      best: () => device("gpu").ready(),
      suite,
    };`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL("..", import.meta.url)), loader: "ts" },
    bundle: true,
    minify,
    format: "iife",
    target: "es2023",
    platform: "browser",
    write: false,
    define: { "import.meta.url": '"http://localhost/"', "process.env": "{}" },
    logLevel: "silent",
    ignoreAnnotations: true, // in the repository, importing core registers the reference device
  });
  return outputFiles[0]?.text ?? "";
}

interface Trial {
  ready(mode: string): Promise<string>;
  best(): Promise<string>;
  suite(mode: string, plan: Plan): Promise<Findings>;
}

/** Calls a function of the page's script. */
function call<K extends keyof Trial>(
  page: Page,
  name: K,
  ...given: Parameters<Trial[K]>
): Promise<Awaited<ReturnType<Trial[K]>>> {
  const run = ([fn, values]: [string, unknown[]]): unknown => {
    const { trial } = globalThis as unknown as {
      trial: Record<string, (...x: unknown[]) => unknown>;
    };
    return trial[fn]?.(...values);
  };
  return page.evaluate(run as never, [name, given] as never);
}

describe("the gpu device in Chromium", { skip: reason }, () => {
  let browser: Browser;
  const started = new Map<string, string>();

  const open = async (minify = false): Promise<Page> => {
    const page = await browser.newPage();
    const script = await bundle(minify);
    await page.route("http://localhost/**", (route) => {
      const isScript = new URL(route.request().url()).pathname === "/run.js";
      const body = isScript ? script : '<!doctype html><script src="/run.js"></script>';
      return route.fulfill({ body, contentType: isScript ? "text/javascript" : "text/html" });
    });
    await page.goto("http://localhost/");
    return page;
  };

  before(async () => {
    browser = await chromium.launch({ executablePath, args });
  });
  after(() => browser.close());

  for (const mode of ["webgl2", "webgpu"] as const) {
    const plan = { runs: 2, steps: 50 };
    test(`${mode} answers`, async (t) => {
      const page = await open();
      const refusal = await call(page, "ready", mode);
      await page.close();
      started.set(mode, refusal);
      if (refusal !== "") t.skip(`gpu:${mode} was not tested: ${refusal}`);
    });
    describe(mode, () => {
      judge("Chromium", mode, plan, async () => {
        const page = await open(mode === "webgl2");
        return call(page, "suite", mode, plan);
      });
    });
  }

  test('at least one real GPU API ran, and use("gpu") takes the best', async () => {
    const answered = [...started].flatMap(([mode, refusal]) => (refusal === "" ? [mode] : []));
    assert.ok(
      answered.length > 0,
      `neither webgl2 nor webgpu: ${[...started.values()].join("; ")}`,
    );
    const best = await call(await open(), "best");
    assert.equal(best, answered.includes("webgpu") ? "webgpu" : "webgl2");
  });
});
