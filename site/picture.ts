// npm run picture: draws README's picture of the explorer, a training at a hot rate at its end, in light and dark,
// into docs/. Needs Chromium, as the tests do. Next: build.ts.

import { join } from "node:path";
import { chromium } from "playwright-core";
import { buildExplorer } from "../explorer/build.ts";
import { passingFolder, serveFolder } from "../explorer/serve.ts";
import { root } from "../walkthroughs/running.ts";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const size = { width: 1180, height: 740 };

const folder = passingFolder();
await buildExplorer(folder);
const { server, address } = await serveFolder(folder);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const colorScheme of ["light", "dark"] as const) {
  const page = await browser.newPage({ viewport: size, colorScheme });
  await page.goto(`${address}#train?method=grm-sft&alpha=0.5&lr=5e-3&seed=1&base=1`);
  await page.getByRole("button", { name: "Start" }).click();
  await page.getByText("Finished").waitFor({ timeout: 120_000 });
  const path = join(root, `docs/explorer-${colorScheme}.png`);
  await page.screenshot({ path });
  console.log(path);
}
await browser.close();
server.close();
