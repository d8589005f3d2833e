// Builds the explorer into a folder for any static host: page and worker bundled, the SIMD kernels, the bases that
// trainings begin as. Nothing in it comes from elsewhere when it runs.
// Next: serve.ts, which serves it here; site.ts, which makes the folder.

import { appendFileSync, cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { readResults } from "../lab/demo/resultFile.ts";
import { committedFrontier } from "../lab/frontier.ts";
import { mapSummaries } from "../lab/map/summary.ts";
import { tapeStyle } from "../report/tape/draw.ts";
import { manySeedsOf } from "./manySeeds.ts";
import { opSources } from "./opSources.ts";
import { choices } from "./settings.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("..", import.meta.url));

/** Writes the explorer into a folder, over what an earlier build left there. */
export async function buildExplorer(folder: string): Promise<void> {
  const found = readResults(join(root, "lab/demo/seeds.jsonl"));
  const frontier = committedFrontier();
  if (found === null || frontier === null)
    throw new Error("explorer: lab/demo/seeds.jsonl or lab/frontier.jsonl isn't there");
  await build({
    absWorkingDir: here,
    entryPoints: { page: "page.tsx", worker: "worker.ts", gpu: "gpuLibrary.ts" },
    outdir: folder,
    ...{ bundle: true, minify: true, format: "esm", target: "es2022", platform: "browser" },
    define: {
      MANY_SEEDS: JSON.stringify(
        manySeedsOf(found.results, found.plan, frontier.points, mapSummaries()),
      ),
      OP_SOURCES: JSON.stringify(opSources()),
    },
    logLevel: "warning",
  });
  for (const file of ["index.html", "style.css", "icon.svg"])
    cpSync(join(here, file), join(folder, file));
  appendFileSync(join(folder, "style.css"), tapeStyle);
  cpSync(join(root, "kernels/wasm/kernels.wasm"), join(folder, "kernels.wasm"));
  const bases = new Map<string, string>(
    choices.base.values.map((base) => [String(base), join(root, `lab/demo/bases/${base}`)]),
  );
  bases.set("tales", join(here, "bases/tales"));
  for (const [name, from] of bases) {
    mkdirSync(join(folder, `bases/${name}`), { recursive: true });
    for (const file of ["config.json", "model.safetensors"])
      cpSync(join(from, file), join(folder, `bases/${name}`, file));
  }
}
