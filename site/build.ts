// npm run site [FOLDER]: makes everything that can be read and tried into one folder for any static host, in
// site-built/ unless said: the front page, the explorer, the lessons with code that runs in the page, the results,
// and the API reference. Nothing in it comes from elsewhere when it is read.
// Next: pages.ts for what a page is, lessons.ts, ../explorer/build.ts, ../docs/build.js.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildExplorer } from "../explorer/build.ts";
import { root } from "../walkthroughs/running.ts";
import { buildRunner, lessonAddress, lessonNames, lessonPage, lessonsPage } from "./lessons.ts";
import { markdownHtml } from "./markdown.ts";
import { frontPage, pageOf } from "./pages.ts";

const here = fileURLToPath(new URL(".", import.meta.url));

/** What a site may leave out. */
export interface SiteOptions {
  /** The API reference, which TypeDoc takes a minute for. Default true. */
  readonly withReference?: boolean;
}

/** Writes the site into a folder, over what an earlier build left there. */
export async function buildSite(
  folder: string,
  { withReference = true }: SiteOptions = {},
): Promise<void> {
  const write = (path: string, html: string): void => writeFileSync(join(folder, path), html);
  mkdirSync(join(folder, "lessons"), { recursive: true });
  cpSync(join(here, "style.css"), join(folder, "style.css"));
  for (const file of ["explorer/icon.svg", "docs/explorer-light.png", "docs/explorer-dark.png"])
    cpSync(join(root, file), join(folder, basename(file)));
  write("index.html", frontPage());
  await buildExplorer(join(folder, "explorer"));
  await buildRunner(join(folder, "lessons/run"));
  write("lessons/index.html", lessonsPage());
  for (const name of lessonNames()) write(`lessons/${lessonAddress(name)}`, lessonPage(name));
  const results = markdownHtml(readFileSync(join(root, "lab/RESULTS.md"), "utf8"), "lab");
  write("results.html", pageOf({ ...results, up: "" }));
  if (withReference) await copyReference(join(folder, "api"));
}

/** The API reference, built anew. */
async function copyReference(folder: string): Promise<void> {
  execFileSync(process.execPath, [join(root, "docs/build.js")], { stdio: "inherit" });
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(root, "docs/api"), folder, { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2] ?? "site-built");
  await buildSite(folder);
  console.log(`The site is in ${folder}; any static host serves it.
Where the host sends Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp,
it computes with threads; elsewhere with one.`);
}
