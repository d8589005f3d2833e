// twoheads report: a run's folder as one HTML file that opens from disk; of two runs of one kind, both side
// by side. Runs write theirs at their end by themselves.
// Next: pages.ts for what is read, ../report/ for what is drawn.

import type { Command } from "commander";
import { TwoheadsError } from "../../core/index.ts";
import { joinPath } from "../../nn/checkpoints/files.ts";
import { replaceFile } from "../../nn/node.ts";
import { displayFor, type JsonFlag, jsonOption, printFound } from "./json.ts";
import { nameOf } from "./runs.ts";

interface Given extends JsonFlag {
  readonly out?: string;
}

const examples = `
Examples:
  $ twoheads report runs/grm                     training curves, evaluation, and a look inside
  $ twoheads report runs/bt runs/grm             two reward models side by side
  $ twoheads report runs/demo/bt runs/demo/grm-sft   the two models that a demo kept
  $ twoheads report runs/ppo-1                   a policy; runs/pretrain-1, runs/overopt and runs/demo too
  $ twoheads bon --out bon.json; twoheads report bon.json
`;

/** Adds the command. */
export function addReport(program: Command): void {
  program
    .command("report")
    .description(
      "write a run's report.html: the answer first, then figures, tables and texts, without network or script",
    )
    .argument("<run>", "folder of a run, or the .json file that twoheads bon --out wrote")
    .argument("[second]", "folder of another run of the same kind, to be shown beside the first")
    .option(
      "--out <file>",
      "HTML file that the page is written to (default: report.html in the first folder)",
    )
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((first: string, second: string | undefined, given: Given) =>
      runReport(second === undefined ? [first] : [first, second], given),
    );
}

async function runReport(paths: readonly string[], given: Given): Promise<void> {
  const [first = ""] = paths;
  const screen = displayFor(given);
  try {
    const { pageOf } = await import("./pages.ts"); // with what it takes to draw
    const html = await pageOf(paths, (done, status) => screen.show(done, status), screen.say);
    screen.end();
    const isFile = first.endsWith(".json");
    const own = isFile ? first.replace(/\.json$/, ".html") : joinPath(first, defaultName(paths));
    const { told, path, bytes } = await writePage(given.out ?? own, html);
    printFound(given, { report: path, bytes }, told);
  } finally {
    screen.end();
  }
}

/** Two runs have a page of their own beside each one's. */
function defaultName(paths: readonly string[]): string {
  const [, second] = paths;
  return second === undefined ? "report.html" : `report-and-${nameOf(second)}.html`;
}

const silent = (): void => {};

/**
 * Writes the report of a run that has just ended, of its folder unless `make` has more at hand; returns what
 * to tell of it. What keeps it from being written is said and no error, as the run itself is safe by then.
 */
export async function reportOf(
  folder: string,
  make = (pages: typeof import("./pages.ts")) => pages.pageOf([folder], silent, silent),
): Promise<{ readonly told: string; readonly path: string | null }> {
  const path = joinPath(folder, "report.html");
  try {
    const html = await make(await import("./pages.ts")); // with what it takes to draw
    return await writePage(path, html);
  } catch (error) {
    if (!(error instanceof TwoheadsError)) throw error;
    return { told: `report.html wasn't written: ${error.message}`, path: null };
  }
}

/** Writes a page; returns what to tell of it. */
export async function writePage(path: string, html: string) {
  const page = new TextEncoder().encode(html);
  await replaceFile(path, [page]);
  const bytes = page.length;
  const size = `${Math.ceil(bytes / 1024).toLocaleString("en-US")} KB`;
  return { told: `the report (${size}): ${path}`, path, bytes };
}
