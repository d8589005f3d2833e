// twoheads report: a run's folder as one HTML file that opens from disk; of two runs of one kind, both side
// by side. Training and the demo write theirs at their end by themselves.
// Next: runs.ts for what is read, ../report/ for what is drawn.

import { dirname } from "node:path";
import type { Command } from "commander";
import { ArgumentError } from "../../core/index.ts";
import { joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { FileError, parsePretrainMetrics, replaceFile } from "../../nn/index.ts";
import { readResults } from "../overopt/comparison/results.ts";
import { PolicyFolder } from "../overopt/policyFolder.ts";
import { bestOfNPage, overoptPage, policyPage, pretrainPage } from "../report/otherPages.ts";
import { demoPageOf } from "./demoReport.ts";
import { display } from "./progress.ts";
import { kindOf, nameOf, namesOf, openRun, type Progress, pageOfRuns } from "./runs.ts";

interface Given {
  readonly out?: string;
}

const examples = `
Examples:
  $ twoheads report runs/grm                     training curves, evaluation, and a look inside
  $ twoheads report runs/bt runs/grm             two reward models side by side
  $ twoheads report runs/ppo-1                   a policy; runs/pretrain-1, runs/overopt and runs/demo too
  $ twoheads bon --json bon.json; twoheads report bon.json
`;

/** Adds the command. */
export function addReport(program: Command): void {
  program
    .command("report")
    .description("write a run's report.html: figures, tables and texts, without network or script")
    .argument("<run>", "the folder of a run, or the .json file of twoheads bon")
    .argument("[second]", "another run of the same kind")
    .option("--out <file>", "where it goes (default: report.html in the first folder)")
    .addHelpText("after", examples)
    .action((first: string, second: string | undefined, given: Given) =>
      runReport(second === undefined ? [first] : [first, second], given),
    );
}

async function runReport(paths: readonly string[], { out }: Given): Promise<void> {
  const [first = ""] = paths;
  const screen = display();
  try {
    const html = await pageOf(paths, (done, status) => screen.show(done, status), screen.say);
    screen.end();
    const isFile = first.endsWith(".json");
    const own = isFile ? first.replace(/\.json$/, ".html") : joinPath(first, defaultName(paths));
    console.log(await writePage(out ?? own, html));
  } finally {
    screen.end();
  }
}

/** Two runs have a page of their own beside each one's. */
function defaultName(paths: readonly string[]): string {
  const [, second] = paths;
  return second === undefined ? "report.html" : `report-and-${nameOf(second)}.html`;
}

/** Writes a page; returns what to tell of it. */
export async function writePage(path: string, html: string): Promise<string> {
  const bytes = new TextEncoder().encode(html);
  await replaceFile(path, [bytes]);
  return `the report (${Math.ceil(bytes.length / 1024).toLocaleString("en-US")} KB): ${path}`;
}

async function pageOf(
  paths: readonly string[],
  progress: Progress,
  say: (message: string) => void,
): Promise<string> {
  const kinds = paths.map(kindOf);
  const [first = "", second] = paths;
  const kind = kinds[0] ?? "train";
  if (kinds.some((other) => other !== kind)) {
    throw new ArgumentError(
      `report: ${first} is a run of ${kind} and ${second} one of ${kinds[1]}; needed two of one kind`,
    );
  }
  if (second !== undefined && kind !== "train" && kind !== "policy") {
    throw new ArgumentError(
      `report: two runs of ${kind} have no common page; needed training runs or policies, or one run alone`,
    );
  }
  switch (kind) {
    case "train":
      return pageOfRuns(await Promise.all(paths.map((path) => openRun(path, say))), progress);
    case "policy":
      return policyPage(policiesOf(paths));
    case "pretrain":
      return pretrainPageOf(first);
    case "overopt":
      return overoptPageOf(first);
    case "demo":
      return demoPageOf(first, progress);
    case "bon":
      return bestOfNPageOf(first);
  }
}

function policiesOf(paths: readonly string[]) {
  const names = namesOf(paths);
  return paths.map((path, i) => {
    const folder = new PolicyFolder(path);
    const { flags = {}, settings = {} } = folder.run().object() as Record<string, object>;
    return { name: names[i] ?? "", settings: { ...flags, ...settings }, records: folder.metrics() };
  });
}

function pretrainPageOf(path: string): string {
  const file = joinPath(path, "run.json");
  const { corpus, settings } = parseJson(file, readFile(file)).object() as {
    corpus: readonly string[];
    settings: Record<string, unknown>;
  };
  const metrics = joinPath(path, "metrics.jsonl");
  const { records } = parsePretrainMetrics(new TextDecoder().decode(readFile(metrics)), metrics);
  return pretrainPage(nameOf(path), { corpus: corpus.map(nameOf), ...settings }, records);
}

function overoptPageOf(path: string): string {
  const found = readResults(joinPath(path, "results.json"));
  if (found !== null) return overoptPage(nameOf(path), found);
  throw new FileError(path, "results.json", "isn't there any more");
}

function bestOfNPageOf(path: string): string {
  const json = parseJson(path, readFile(path));
  const { given, ns, kl, measures, curves } = json.object() as Partial<
    Parameters<typeof bestOfNPage>[0]
  > & { readonly given?: Record<string, unknown> };
  if (!given || !ns || !kl || !measures || !curves)
    return json.fail("is no file of `twoheads bon`");
  const { json: _file, data, ...settings } = given;
  const shown = { ...settings, ...(typeof data === "string" && { data: nameOf(data) }) };
  return bestOfNPage({ name: nameOf(dirname(path)), settings: shown, ns, kl, measures, curves });
}
