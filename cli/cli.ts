// The command line: what can be asked of the library without writing a program. A mistake of the user
// (TwoheadsError) prints its message and exits with 1; a stack is for mistakes of ours.
// Next: commands/pretrain.ts for the longest; ../core/index.ts for the op table that `twoheads ops` lists.

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { ArgumentError, type Entry, furtherOps, opTable, TwoheadsError } from "../core/index.ts";
import { addBase } from "./commands/base.ts";
import { addBon } from "./commands/bon.ts";
import { addCheck } from "./commands/check.ts";
import { addCompare } from "./commands/compare.ts";
import { addData } from "./commands/data.ts";
import { addDemo } from "./commands/demo.ts";
import { addEval } from "./commands/eval.ts";
import { addExport } from "./commands/export.ts";
import { refuseForeignFlags } from "./commands/foreignFlags.ts";
import { addFrontier } from "./commands/frontier.ts";
import { addGenerate } from "./commands/generate.ts";
import { addInspect } from "./commands/inspect.ts";
import { type JsonFlag, jsonOption, printFound } from "./commands/json.ts";
import { addMap } from "./commands/map.ts";
import { addOveropt } from "./commands/overopt.ts";
import { addPpo } from "./commands/ppo.ts";
import { addPretrain } from "./commands/pretrain.ts";
import { addReport } from "./commands/report.ts";
import { addRloo } from "./commands/rloo.ts";
import { addScore } from "./commands/score.ts";
import { addServe } from "./commands/serve.ts";
import { addSweep } from "./commands/sweep.ts";
import { addTape } from "./commands/tape.ts";
import { addTrain } from "./commands/train.ts";
import { addWorld } from "./commands/world.ts";
import { flagsTakenByNpm } from "./npmFlags.ts";

const examples = `
Where the package is installed in a project, and in a checkout, write npx twoheads.

Examples:
  $ twoheads demo                                   what it is about, measured in three minutes
  $ twoheads overopt                                rewards optimised until true quality falls
  $ twoheads ops                                    every op by kind, with an example
  $ twoheads ops softmax                            one op: its kind, its example, what it can do
  $ twoheads check my-op.ts                         whether gradients of your own ops are right
  $ twoheads pretrain --corpus a.txt --minutes 5    a language model of your own
  $ twoheads generate runs/pretrain-1               what it writes
  $ twoheads world spelled --samples 5              stories of a demo world
  $ twoheads data pairs.jsonl                       preference pairs as a model would read them
  $ twoheads report runs/demo                       a run as one page, to look into
`;

/** The version in package.json, which stands above this file in a checkout and above dist/ in a package. */
function version(): string {
  for (const up of ["../package.json", "../../package.json"]) {
    try {
      const text = readFileSync(new URL(up, import.meta.url), "utf8");
      return (JSON.parse(text) as { version: string }).version;
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
  }
  return "unknown";
}

/** The ops of both tables. */
const everyOp = new Map([...opTable, ...furtherOps]);

/** What is known of an op beside its name. */
function factsOf(entry: Entry) {
  const fused = entry.definition !== undefined && entry.kernel.kind !== "composed";
  return { name: entry.name, kind: entry.kernel.kind, fused, example: exampleOf(entry) };
}

/** Shows all ops, or the one called `name`. */
function showOps(name: string | undefined, flags: JsonFlag): void {
  if (name === undefined) {
    printFound(flags, [...everyOp.values()].map(factsOf), allOps());
    return;
  }
  const entry = everyOp.get(name);
  if (entry === undefined) throw new ArgumentError(unknownOp(name));
  const facts = factsOf(entry);
  const lines = [
    `${name}: ${facts.kind}`,
    ...facts.example.split("\n").map((line) => `  ${line}`),
    ...(facts.fused ? ["fused: checked against its definition in smaller ops"] : []),
  ];
  printFound(flags, facts, lines.join("\n"));
}

/** All ops under the heading of their kind. */
function allOps(): string {
  const entries = [...everyOp.values()];
  const kinds = new Set(entries.map((entry) => entry.kernel.kind));
  const width = Math.max(...[...everyOp.keys()].map((key) => key.length));
  const blocks = [...kinds].map((kind) => {
    const lines = entries
      .filter((entry) => entry.kernel.kind === kind)
      .map((entry) => `  ${entry.name.padEnd(width)}  ${oneLine(exampleOf(entry))}`);
    return [`${kind} (${lines.length})`, ...lines].join("\n");
  });
  return [...blocks, `${everyOp.size} ops`].join("\n\n");
}

function unknownOp(name: string): string {
  const near = [...everyOp.keys()].filter((key) => isNear(key.toLowerCase(), name.toLowerCase()));
  const hint = near.length > 0 ? `did you mean ${near.join(", ")}?` : "`twoheads ops` lists them";
  return `ops: there is no op "${name}"; ${hint}`;
}

function isNear(known: string, asked: string): boolean {
  return known.startsWith(asked.slice(0, 3)) || known.includes(asked);
}

/** An op's example. The built package has them in a file of their own: see build.js. */
function exampleOf({ name, example }: Entry): string {
  if (example !== undefined) return example;
  const file = readFileSync(new URL("./examples.json", import.meta.url), "utf8");
  return (JSON.parse(file) as Record<string, string>)[name] ?? "";
}

function oneLine(example: string): string {
  return example.replaceAll(/\s*\n\s*/g, " ");
}

/** The commands, not yet run: what a test or a page of documentation can look at. */
export function program(): Command {
  const command = new Command("twoheads")
    .description("Reward models you can see into, on a from-scratch autograd framework")
    .version(version())
    .showHelpAfterError("(twoheads --help shows what there is)")
    .addHelpText("after", examples);
  command
    .command("ops")
    .description("list the ops of the library, or show one with its example")
    .argument("[name]", "name of an op, such as softmax (default: all ops are listed)")
    .addOption(jsonOption())
    .action(showOps);
  addCheck(command);
  addDemo(command);
  addPretrain(command);
  addGenerate(command);
  addWorld(command);
  addFrontier(command);
  addSweep(command);
  addMap(command);
  addData(command);
  addTrain(command);
  addEval(command);
  addCompare(command);
  addScore(command);
  addServe(command);
  addExport(command);
  addInspect(command);
  addReport(command);
  addTape(command);
  addBase(command);
  addOveropt(command);
  addBon(command);
  addPpo(command);
  addRloo(command);
  return command;
}

/** Flags that npm kept for itself where a script of package.json is a command: `npm run demo --quick`. */
function takenByNpm(program: Command, name: string | undefined): string[] {
  if (process.env.npm_lifecycle_event !== name) return [];
  const options = program.commands.find((command) => command.name() === name)?.options ?? [];
  const flags = (isValued: boolean): string[] =>
    options.flatMap(({ required, long }) => (required === isValued && long ? [long] : []));
  return flagsTakenByNpm(flags(false), flags(true));
}

/** Runs a command line; `argv` as Node gives it, `begin` what chooses how the devices run. */
export async function main(argv: readonly string[], begin = (): void => {}): Promise<void> {
  try {
    begin();
    const command = program();
    const [, , name, ...words] = argv;
    refuseForeignFlags(
      command.commands.find((one) => one.name() === name),
      words,
    );
    await command.parseAsync([...argv, ...takenByNpm(command, name)]);
  } catch (error) {
    if (!(error instanceof TwoheadsError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
