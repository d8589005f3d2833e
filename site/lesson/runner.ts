// The worker of a lesson's page: takes the types out of its code, gives its imports the site's addresses, runs it
// as a module, and tells what it prints, as Node would print it. One worker runs once: a lesson begins anew each
// time, and stopping is ending the worker. Next: page.ts.

import { formatWithOptions } from "node-inspect-extracted";
import { transform } from "sucrase";
import { provideGpu, ready } from "../../kernels/index.ts";
import type { RunRequest, RunTold } from "./messages.ts";

const tell = (told: RunTold): void => postMessage(told);

/** Where the packages that lessons import are. */
const addresses: Readonly<Record<string, string>> = {
  twoheads: "twoheads.js",
  "twoheads/core": "twoheads.js",
  "twoheads/nn": "twoheads.js",
  "twoheads/grm": "twoheads.js",
  "twoheads/kernels": "twoheads-kernels.js",
  "twoheads/report": "twoheads-report.js",
  "twoheads/node": "twoheads-node.js",
  "node:fs": "node-fs.js",
  "fast-check": "fast-check.js",
};

/** Import clauses, with the site's addresses; an error names what a page can't import. */
function resolved(code: string): string {
  return code.replaceAll(
    /(^\s*(?:import|export)\b[^;"'()]*?\bfrom\s*|^\s*import\s*|\bimport\s*\(\s*)(["'])([^"'\n]+)\2/gm,
    (_, before: string, quote: string, name: string) => {
      const address = addresses[name];
      if (address === undefined)
        throw new Error(`import "${name}": a page has ${Object.keys(addresses).join(", ")}`);
      return `${before}${quote}${new URL(address, import.meta.url).href}${quote}`;
    },
  );
}

/** Lines as Node's console prints them. */
function print(...values: unknown[]): void {
  tell({ kind: "printed", text: `${formatWithOptions({ colors: false }, ...values)}\n` });
}

/** gpu.js, for the lessons that ask for it: it is half a megabyte. */
async function provideGpuJs(): Promise<void> {
  const { default: gpujs } = await import("gpu.js");
  provideGpu(gpujs);
}

async function run({ code }: RunRequest): Promise<void> {
  await ready();
  if (/["']gpu/.test(code)) await provideGpuJs();
  const { code: plain } = transform(code, {
    transforms: ["typescript"],
    disableESTransforms: true,
  });
  const url = URL.createObjectURL(new Blob([resolved(plain)], { type: "text/javascript" }));
  await import(url);
}

for (const name of ["log", "info", "warn", "error"] as const) console[name] = print;
Object.assign(globalThis, { beginStep: (step: number) => tell({ kind: "begun", step }) });
addEventListener("message", ({ data }: MessageEvent<RunRequest>) => {
  run(data).then(
    () => tell({ kind: "done" }),
    (error: unknown) => tell({ kind: "failed", message: String(error) }),
  );
});
