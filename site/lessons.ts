// The lessons as pages whose code runs: each block of TypeScript gets buttons, and below it what the lesson says
// that it prints; the page runs it in a worker and shows where the two differ.
// Next: lesson/page.ts, which does that; ../walkthroughs/lesson.ts for what a lesson is.

import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { spelledBase } from "../lab/node.ts";
import { escape } from "../report/html.ts";
import { blocksOf, stepsOf } from "../walkthroughs/lesson.ts";
import { lessonFiles, root } from "../walkthroughs/running.ts";
import { baseFiles } from "./lesson/baseFiles.ts";
import type { PageStep } from "./lesson/messages.ts";
import { type BlockHtml, coloured, markdownHtml } from "./markdown.ts";
import { pageOf } from "./pages.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = join(root, "walkthroughs");

/** The lessons' files without their endings, in order. */
export function lessonNames(): string[] {
  return lessonFiles().map((name) => name.slice(0, -".md".length));
}

/** A lesson's address on the site has no number, so that links hold when the order changes. */
export function lessonAddress(name: string): string {
  return `${name.replace(/^\d\d-/, "")}.html`;
}

function markdownOf(name: string): string {
  return readFileSync(join(folder, `${name}.md`), "utf8");
}

/** What the page's program needs to know of a lesson. */
export function pageSteps(markdown: string): PageStep[] {
  return stepsOf(markdown).map(({ code: { text, line }, expected }) => ({
    text,
    line,
    expected: expected === undefined ? null : { language: expected.language, text: expected.text },
  }));
}

/** Fenced blocks that run, and those that say what is printed; both by the number of their step. */
function blockHtmlOf(markdown: string): BlockHtml {
  const blocks = blocksOf(markdown);
  const steps = stepsOf(markdown);
  return (_block, place) => {
    const block = blocks[place];
    const step = steps.findIndex(({ code }) => code.line === block?.line);
    if (block !== undefined && step >= 0) return runnable(block.text, step);
    const of = steps.findIndex(({ expected }) => expected?.line === block?.line);
    if (block === undefined || of < 0) return null;
    return `<pre class="said" data-step="${of}" tabindex="0"><code>${escape(block.text)}</code></pre>\n`;
  };
}

function runnable(text: string, step: number): string {
  const lines = text.trimEnd().split("\n").length;
  return `<div class="step" data-step="${step}">
<pre tabindex="0"><code>${coloured(text.trimEnd())}</code></pre>
<textarea hidden rows="${lines + 1}" spellcheck="false" autocapitalize="off" aria-label="Code of block ${step + 1}"></textarea>
<p class="tools" hidden><button type="button" class="run">Run to here</button> <button type="button" class="edit">Edit</button></p>
<div class="result" role="status"></div>
</div>
`;
}

/** A lesson's page. */
export function lessonPage(name: string): string {
  const markdown = markdownOf(name);
  const { title, description, body } = markdownHtml(
    markdown,
    "walkthroughs",
    blockHtmlOf(markdown),
  );
  const steps = JSON.stringify(pageSteps(markdown)).replaceAll("<", "\\u003c");
  const names = lessonNames();
  const at = names.indexOf(name);
  const link = (to: string | undefined, words: string): string =>
    to === undefined ? "" : `<a href="${lessonAddress(to)}">${words}</a>`;
  return pageOf({
    title,
    description,
    body: `<article>
<div class="bar" hidden><button type="button" id="run-all">Run the whole lesson</button>
<button type="button" id="stop" disabled>Stop</button> <span id="status" role="status"></span></div>
${body}
</article>
<nav class="turn" aria-label="Lessons">${link(names[at - 1], "The lesson before")} ${link(names[at + 1], "The next lesson")}</nav>
<script type="application/json" id="steps">${steps}</script>`,
    up: "../",
    script: "run/page.js",
  });
}

/** The list of lessons. */
export function lessonsPage(): string {
  const markdown = readFileSync(join(folder, "README.md"), "utf8");
  return pageOf({ ...markdownHtml(markdown, "walkthroughs"), up: "../" });
}

/** Bundles what runs lessons in a page: the page's program, the worker's, and the packages that lessons import. */
export async function buildRunner(to: string): Promise<void> {
  await build({
    absWorkingDir: here,
    entryPoints: {
      page: "lesson/page.ts",
      runner: "lesson/runner.ts",
      twoheads: "../index.ts",
      "twoheads-kernels": "../kernels/index.ts",
      "twoheads-report": "../report/index.ts",
      "twoheads-node": "lesson/node.ts",
      "node-fs": "lesson/fs.ts",
      "fast-check": "lesson/fastCheck.ts",
    },
    outdir: to,
    ...{ bundle: true, minify: true, format: "esm", target: "es2022", platform: "browser" },
    splitting: true,
    logLevel: "warning",
  });
  cpSync(join(root, "kernels/wasm/kernels.wasm"), join(to, "kernels.wasm"));
  for (const seed of [1, 2]) {
    const base = join(to, `lab/demo/bases/${seed}`);
    mkdirSync(base, { recursive: true });
    for (const file of baseFiles) cpSync(join(spelledBase(seed), file), join(base, file));
  }
}
