// twoheads check: the gradients of every op of this package, or of the ops that a module of somebody exports, with counts,
// the time that is left, and for a failure the smallest counterexample and the command that runs its case again.
// Next: ../../testing/op.ts for what is asked, ../../testing/catalogue.ts for how good the check is.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Command, InvalidArgumentError } from "commander";
import { ArgumentError, type Entry, furtherOps, opTable } from "../../core/index.ts";
import { displayFor, type JsonFlag, jsonOption, printFound } from "./json.ts";
import { clockTime, type Display } from "./progress.ts";

interface Given extends JsonFlag {
  readonly runs: number;
  readonly order: number;
  readonly only?: string;
  readonly seed?: number;
  readonly replay?: string;
  readonly catalogue?: true;
  readonly seeds: number;
}

/** An op, callable. */
type AnyOp = ((...args: never[]) => unknown) & { readonly entry: Entry };

/** Draw counts of the catalogue's table. */
const draws = [1, 3, 10, 25, 100];

const examples = `
Examples:
  $ twoheads check                        every op of this package
  $ twoheads check my-op.ts               the ops that a module of yours exports
  $ twoheads check --only softmax         one op
  $ twoheads check --catalogue            which mistakes are caught by how many draws
`;

/** Adds the command. */
export function addCheck(program: Command): void {
  program
    .command("check")
    .description("hold gradients of ops against finite differences, and devices against each other")
    .argument("[module]", "file whose exported ops are checked (default: the ops of this package)")
    .option("--runs <number>", "number of inputs that are drawn for each property", count, 25)
    .option(
      "--order <number>",
      "order of the gradients that are checked; 2 checks second derivatives too",
      count,
      2,
    )
    .option(
      "--only <names>",
      "names of the ops to check, separated by commas (default: all are checked)",
    )
    .option("--seed <number>", "seed of what is drawn (default: another one each time)", integer)
    .option(
      "--replay <place>",
      "place of one failing case, as a failure prints it (default: none, all cases run)",
    )
    .option("--catalogue", "print which planted mistakes are caught by how many draws")
    .option(
      "--seeds <number>",
      "number of seeds that the catalogue's table is counted over",
      count,
      200,
    )
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((file: string | undefined, given: Given) =>
      given.catalogue ? showCatalogue(given) : check(file, given),
    );
}

function count(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Not a whole number.");
}

function integer(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Not a whole number.");
}

/** The room of tests, or what to install for it. */
async function testing() {
  try {
    const [{ opProperties }, { catalogue, detections, detectionTable }] = await Promise.all([
      import("../../testing/op.ts"),
      import("../../testing/catalogue.ts"),
    ]);
    await import("../../core/further/methods.ts"); // examples call them
    return { opProperties, catalogue, detections, detectionTable };
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new ArgumentError(
      "check: fast-check draws the inputs, and isn't installed here; npm install --save-dev fast-check brings it",
    );
  }
}

// --- Ops ---------------------------------------------------------------------------------------------

const isOp = (value: unknown): value is AnyOp => typeof value === "function" && "entry" in value;

/** The ops that a module exports, under their exported names. */
async function opsOf(file: string): Promise<Map<string, AnyOp>> {
  const module = await imported(file);
  const ops = Object.entries(module).filter((pair): pair is [string, AnyOp] => isOp(pair[1]));
  const names = Object.keys(module);
  if (ops.length > 0) return new Map(ops);
  throw new ArgumentError(
    `check: ${file} exports no op, ${names.length === 0 ? "nothing at all" : `but ${names.join(", ")}`}; ` +
      "elementwise(), reduce(), fused(), composed() and custom() make one: export const f = elementwise({ ... })",
  );
}

async function imported(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === "ERR_MODULE_NOT_FOUND" && message.includes(resolve(file)))
      throw new ArgumentError(`check: there is no file ${file}`);
    if (code === "ERR_UNKNOWN_FILE_EXTENSION")
      throw new ArgumentError(
        `check: this Node doesn't read ${file}: from 22.18 on Node reads TypeScript; before, ` +
          `NODE_OPTIONS="--import tsx" npx twoheads check ${file} does, with tsx installed`,
      );
    throw error;
  }
}

/** The ops of this package. */
async function builtIn(): Promise<Map<string, AnyOp>> {
  const core: Readonly<Record<string, unknown>> = { ...(await import("../../core/index.ts")) };
  const names = [...opTable.keys(), ...furtherOps.keys()];
  return new Map(names.map((name) => [name, core[name] as AnyOp]));
}

/** Those of the ops that were asked for. */
function chosen(all: ReadonlyMap<string, AnyOp>, only: string | undefined): [string, AnyOp][] {
  if (only === undefined) return [...all];
  return only.split(",").map((name) => {
    const op = all.get(name);
    if (op !== undefined) return [name, op];
    throw new ArgumentError(
      `check: there is no op "${name}"; there are ${[...all.keys()].join(", ")}`,
    );
  });
}

// --- Checking ----------------------------------------------------------------------------------------

interface Tally {
  properties: number;
  readonly failures: { readonly op: string; readonly message: string }[];
}

async function check(file: string | undefined, given: Given): Promise<void> {
  const { opProperties } = await testing();
  const ops = chosen(file === undefined ? await builtIn() : await opsOf(file), given.only);
  const { runs, order, seed, replay } = given;
  const flags = `--runs ${runs} --order ${order}`;
  if (replay !== undefined) process.env.TWOHEADS_REPLAY = replay;
  const started = performance.now();
  const shown = displayFor(given);
  const tally: Tally = { properties: 0, failures: [] };
  try {
    for (const [i, [name, op]] of ops.entries()) {
      const seconds = (performance.now() - started) / 1000;
      const left = i === 0 ? "" : `, ${clockTime((seconds / i) * (ops.length - i))} left`;
      shown.show(i / ops.length, `${name}, ${i} of ${ops.length} ops${left}`);
      process.env.TWOHEADS_RERUN =
        `npx twoheads check ${file ?? ""} --only ${name} ${flags} --replay {replay}`.replace(
          "  ",
          " ",
        );
      const options = { runs, order, name, ...(seed !== undefined && { seed }) };
      checkOne(name, () => opProperties(op, options), tally, shown);
      await new Promise(setImmediate); // so that the bar moves and Ctrl-C is heard
    }
  } finally {
    shown.end();
  }
  const seconds = (performance.now() - started) / 1000;
  const { properties, failures } = tally;
  const drawn =
    replay === undefined
      ? `${properties} properties of ${runs} drawn inputs each`
      : "one case again";
  const result = failures.length === 0 ? "all hold" : `${failures.length} failed`;
  const text = `${ops.length} ${ops.length === 1 ? "op" : "ops"}, ${drawn}, in ${seconds.toFixed(1)} s: ${result}`;
  const names = ops.map(([name]) => name);
  printFound(given, { ops: names, properties, runs, order, seconds, failures }, text);
  if (failures.length > 0) process.exitCode = 1;
}

/** All properties of an op; the first of each kind of failure is printed, and the next op goes on. */
function checkOne(
  name: string,
  properties: () => readonly { run(): void }[],
  tally: Tally,
  shown: Display,
): void {
  try {
    for (const { run } of properties()) {
      tally.properties++;
      run();
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    tally.failures.push({ op: name, message: error.message });
    shown.say(`${name} FAILED\n  ${error.message.replaceAll("\n", "\n  ")}\n`);
  }
}

async function showCatalogue(given: Given): Promise<void> {
  const { catalogue, detections, detectionTable } = await testing();
  const shown = displayFor(given);
  let done = 0;
  const found = detections(draws, given.seeds, (what) =>
    shown.show(++done / catalogue.length, what),
  );
  shown.end();
  printFound(given, { draws, seeds: given.seeds, found }, detectionTable(draws, found));
}
