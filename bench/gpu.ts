// The gpu device by mode, eager against recorded, and the SIMD device beside it: npm run bench:gpu. Node
// has webgpu, webasm and cpu; Chromium, if there is one, webgpu and webgl2. A GPU is taken where a driver
// answers; what computed stands in the first column, and SwiftShader there means: no GPU, in software.
// Read next: gpuWork.ts for what is timed.

import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";
import type { GpuJob, Outcome } from "./gpuWork.ts";
import type { RacesOptions } from "./races.ts";
import { digits, progress, type ResultTable, timed } from "./report.ts";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Does a job in a process of its own, so that a mode's memory and driver are gone after it. */
function inNode(job: GpuJob): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL("./gpuNode.ts", import.meta.url)), [], {
      execArgv: ["--import", "tsx"],
    });
    child.once("message", (answer: Outcome | { readonly error: string }) => {
      child.kill();
      if ("error" in answer) reject(new Error(answer.error));
      else resolve(answer);
    });
    child.once("exit", (code) => reject(new Error(`its process ended with code ${code}`)));
    child.send(job);
  });
}

/** Does a job in a page; without a GPU, with `software`, Chromium's own drivers compute. */
async function inChromium(job: GpuJob, software: boolean): Promise<Outcome> {
  const args = ["--no-sandbox", "--enable-unsafe-webgpu", "--ignore-gpu-blocklist"];
  const soft = ["--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader"];
  const hard = ["--enable-features=Vulkan"];
  const browser = await chromium.launch({
    executablePath,
    args: [...args, ...(software ? soft : hard)],
  });
  try {
    return await inPage(browser, job);
  } finally {
    await browser.close();
  }
}

async function inPage(browser: Browser, job: GpuJob): Promise<Outcome> {
  const page = await browser.newPage();
  const script = await bundle();
  await page.route("http://localhost/**", (route) => {
    const isScript = new URL(route.request().url()).pathname === "/run.js";
    const body = isScript ? script : '<!doctype html><script src="/run.js"></script>';
    return route.fulfill({ body, contentType: isScript ? "text/javascript" : "text/html" });
  });
  await page.goto("http://localhost/");
  const run = (given: GpuJob): Promise<Outcome> =>
    (globalThis as unknown as { work: (job: GpuJob) => Promise<Outcome> }).work(given);
  return page.evaluate(run, job);
}

async function bundle(): Promise<string> {
  const contents = `
    import gpujs from "gpu.js";
    import { provideGpu } from "../kernels/index.ts";
    import { work } from "./gpuWork.ts";
    provideGpu(gpujs);
    globalThis.work = work;`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "ts" },
    bundle: true,
    format: "iife",
    target: "es2023",
    platform: "browser",
    write: false,
    define: { "import.meta.url": '"http://localhost/"' },
    logLevel: "silent",
    ignoreAnnotations: true,
  });
  return outputFiles[0]?.text ?? "";
}

/** In Chromium: on its GPU, or where none answers in software. */
async function anyChromium(job: GpuJob): Promise<Outcome> {
  try {
    return await inChromium(job, false);
  } catch {
    return inChromium(job, true);
  }
}

export async function gpu(table: ResultTable, { quick }: RacesOptions): Promise<void> {
  const sides = quick ? [128] : [128, 256, 512];
  const common = { sides, size: quick ? "XS" : "S", milliseconds: quick ? 50 : 1000 } as const;
  const rates = sides.map((n) => `matmul ${n}, GFLOP/s`);
  table.head("device", ...rates, "training step", "recorded", "recorded: x of wasm");
  const wasm = await inNode({ ...common, device: "wasm", losses: null });
  const show = (name: string, { adapter, products, eager, recorded, plan }: Outcome) => {
    const gflops = products.map((t, i) => digits((2 * (sides[i] as number) ** 3) / t.median / 1e9));
    const ratio = recorded === null ? "" : `${digits(recorded.median / wasm.eager.median)} x`;
    const cells = [timed(eager), recorded === null ? "" : timed(recorded), ratio];
    if (plan !== "") table.note(`${name}: ${adapter}; a recorded step: ${plan}`);
    return table.row([name, ...gflops, ...cells], { adapter, products, eager, recorded, plan });
  };
  await show("wasm", wasm);
  const inNodeModes = ["webgpu", "webasm", "cpu"].map((mode) => [mode, "Node", inNode] as const);
  const inPages = ["webgpu", "webgl2"].map((mode) => [mode, "Chromium", anyChromium] as const);
  for (const [mode, where, run] of [...inNodeModes, ...inPages]) {
    const name = `gpu:${mode} in ${where}`;
    if (where === "Chromium" && !existsSync(executablePath)) {
      table.note(`${name}: no ${executablePath}; CHROMIUM names one`);
      continue;
    }
    progress(name);
    try {
      await show(name, await run({ ...common, device: `gpu:${mode}`, losses: wasm.losses }));
    } catch (error) {
      table.note(`${name}: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
    }
  }
}
