// twoheads map: what a sweep's results say, as sentences and as a page. This file talks to the person.
// Next: ../../lab/map/answers.ts, ../../report/mapPage.ts.

import { type Command, Option } from "commander";
import { answersOf, findingsOf } from "../../lab/map/answers.ts";
import { readMerged } from "../../lab/sweep/results.ts";
import { type JsonFlag, jsonOption, printFound } from "./json.ts";
import { writePage } from "./report.ts";

interface Given extends JsonFlag {
  readonly out?: string;
  readonly by?: "accuracy" | "loss";
  readonly per?: "seed" | "cell";
}

const examples = `
Examples:
  $ twoheads map runs/map/results.jsonl
  $ twoheads map runs/map/results.jsonl --per cell     settings chosen over all seeds together
`;

/** Adds the command. */
export function addMap(program: Command): void {
  program
    .command("map")
    .description(
      "compare methods over a sweep's results, each with its settings chosen by validation",
    )
    .argument("<results>", "results.jsonl of twoheads sweep")
    .option(
      "--out <file>",
      "HTML file that the page is written to (default: map.html beside the results)",
    )
    .addOption(
      new Option(
        "--by <measure>",
        "measure of validation that settings are chosen by (default: the plan's)",
      ).choices(["accuracy", "loss"]),
    )
    .addOption(
      new Option(
        "--per <unit>",
        "choose for each seed, or for all seeds of a cell (default: the plan's)",
      ).choices(["seed", "cell"]),
    )
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((path: string, given: Given) => map(path, given));
}

async function map(path: string, given: Given): Promise<void> {
  const { by, per, out } = given;
  const { plan, outcomes } = readMerged(path);
  const { choose = {}, ...rest } = plan as { choose?: object };
  const chosen = { ...rest, choose: { ...choose, ...(by && { by }), ...(per && { per }) } };
  const findings = findingsOf(chosen, outcomes);
  const answers = answersOf(findings);
  const { mapPage } = await import("../../report/mapPage.ts"); // with what it takes to draw
  const file = out ?? `${path.replace(/[^/\\]*$/, "")}map.html`;
  const { told, path: page, bytes } = await writePage(file, mapPage(findings));
  const { comparisons, plateaus } = findings;
  const data = { answers, comparisons, plateaus, page, bytes };
  printFound(given, data, [...answers, told].join("\n"));
}
