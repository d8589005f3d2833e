// The gpu device in headless Chromium, on webgl2 and webgpu with software rendering. A mode that can't
// start is skipped with its reason; where Chromium is, at least one of the two must really run.
// Next: gpu/suite.ts for what is tried, gpu/judge.ts for what must hold.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, noBrowser } from "./chromium.ts";
import { judge } from "./gpu/judge.ts";
import type { Findings, SuitePlan } from "./gpu/suite.ts";

/** Software rendering for both APIs, so that no GPU is needed. */
const flags = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-unsafe-swiftshader",
  "--use-angle=swiftshader",
];

/** The page's script; minified as a careful site would serve it, because kernels are made of their text. */
async function bundle(minify: boolean): Promise<string> {
  const contents = `
    import gpujs from "gpu.js";
    import { device, tensor, use } from "./core/index.ts";
    import { provideGpu } from "./kernels/index.ts";
    import { suite } from "./test/gpu/suite.ts";
    provideGpu(gpujs);
    globalThis.trial = {
      ready: (mode) => device("gpu:" + mode).ready().then(() => "", (error) => error.message),
      best: () => device("gpu").ready(),
      starve: async (mode) => {
        const gpu = use("gpu:" + mode);
        const x = tensor([1, 2]).add(1);
        await x.read();
        const { gpu: { context } } = await gpu.engine.ready();
        if (context) context.getError = () => context.OUT_OF_MEMORY;
        else {
          const { device } = await gpujs.WebGPUContext.acquire();
          const error = new GPUOutOfMemoryError("no room for 64 MiB");
          device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
        }
        return (async () => x.mul(2).read())().then(() => "no error", (error) => error.message);
      },
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
    define: { "process.env": "{}" },
    logLevel: "silent",
    ignoreAnnotations: true, // in the repository, importing core registers the reference device
  });
  return outputFiles[0]?.text ?? "";
}

interface Trial {
  ready(mode: string): Promise<string>;
  best(): Promise<string>;
  starve(mode: string): Promise<string>;
  suite(mode: string, plan: SuitePlan): Promise<Findings>;
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

describe("the gpu device in Chromium", { skip: noBrowser }, () => {
  let browser: Browser;
  /** Why a mode didn't start; empty if it did. */
  const refusals = new Map<string, string>();

  const scripts = new Map<boolean, Promise<string>>();
  const open = async (minify = false): Promise<Page> => {
    const page = await browser.newPage();
    const known = scripts.get(minify) ?? bundle(minify);
    scripts.set(minify, known);
    const script = await known;
    await page.route("http://localhost/**", (route) => {
      const isScript = new URL(route.request().url()).pathname === "/run.js";
      const body = isScript ? script : '<!doctype html><script src="/run.js"></script>';
      return route.fulfill({ body, contentType: isScript ? "text/javascript" : "text/html" });
    });
    await page.goto("http://localhost/");
    return page;
  };

  before(async () => {
    browser = await launchBrowser(...flags);
  });
  after(() => browser.close());

  for (const mode of ["webgl2", "webgpu"] as const) {
    const plan = { runs: 2, steps: 50 };
    judge("Chromium", mode, plan, async () => {
      const page = await open(mode === "webgl2");
      const refusal = await call(page, "ready", mode);
      refusals.set(mode, refusal);
      return refusal === "" ? call(page, "suite", mode, plan) : refusal;
    });
  }

  test("running out of memory is a clear error", async () => {
    for (const [mode, refusal] of refusals) {
      if (refusal !== "") continue;
      const message = await call(await open(), "starve", mode);
      assert.match(message, new RegExp(`^gpu:${mode}: out of GPU memory.*is intact`));
    }
  });

  test('at least one real GPU API ran, and use("gpu") takes the best', async () => {
    const answered = [...refusals].flatMap(([mode, refusal]) => (refusal === "" ? [mode] : []));
    assert.ok(
      answered.length > 0,
      `neither webgl2 nor webgpu: ${[...refusals.values()].join("; ")}`,
    );
    const best = await call(await open(), "best");
    assert.equal(best, answered.includes("webgpu") ? "webgpu" : "webgl2");
  });
});
