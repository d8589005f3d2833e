// What a benchmark leaves behind: rows on the screen as they come, a JSON file with every number, and
// results/README.md, made from all the JSON files there.
// Read next: index.ts, which runs the subjects.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { lanes } from "./lanes.ts";
import { spread, type Timing } from "./measure.ts";

const folder = fileURLToPath(new URL("results/", import.meta.url));

/** The machine and the versions that numbers belong to. */
export interface Stamp {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  /** Bits that our kernels computed at once; of tables that don't say, 128. */
  readonly lanes?: number | string | boolean;
  readonly date: string;
  /** Processes that wanted a core in the minute before: more than the cores disturb each other. */
  readonly load: number;
  readonly versions: Record<string, string>;
}

/** A results file. */
export interface BenchResult {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly stamp: Stamp;
  /** Why rows may be missing; absent when the subject ran to its end. */
  readonly unfinished?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
  /** The numbers behind the rows, unrounded, in seconds, bytes and operations a second. */
  readonly data: readonly unknown[];
}

export function stamp(versions: Record<string, string>): Stamp {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    lanes,
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    load: Number((loadavg()[0] ?? 0).toFixed(1)),
    versions,
  };
}

/** A table that grows a row at a time, shown as it grows. */
export class ResultTable {
  columns: readonly string[] = [];
  readonly rows: (readonly string[])[] = [];
  readonly notes: string[] = [];
  readonly data: unknown[] = [];
  readonly versions: Record<string, string> = {
    twoheads: versionIn(new URL("../package.json", import.meta.url)),
  };

  constructor(
    readonly name: string,
    readonly title: string,
    readonly about: string,
  ) {}

  /** Starts the table; before the first row. */
  head(...columns: readonly string[]): void {
    this.columns = columns;
    console.log(`\n${this.title}`);
    this.#print(columns);
  }

  /** Adds a row, with the numbers behind it; lets an interruption through. */
  row(cells: readonly string[], data: object): Promise<void> {
    this.rows.push(cells);
    this.data.push({ row: cells[0], ...data });
    this.#print(cells);
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** A line under the table. */
  note(text: string): void {
    if (this.notes.includes(text)) return;
    this.notes.push(text);
    clearProgress();
    console.log(`  ${text}`);
  }

  /** On a line; many columns below each other instead. */
  #print(cells: readonly string[]): void {
    clearProgress();
    if (this.columns.length <= 7) {
      const width = (i: number) => Math.max(12, (this.columns[i]?.length ?? 0) + 2);
      const [first = "", ...rest] = cells;
      const padded = rest.map((cell, i) => `  ${cell.padStart(width(i + 1) - 2)}`);
      console.log(`  ${first.padEnd(34)}${padded.join("")}`);
    } else if (cells !== this.columns) {
      const rest = cells.slice(1).map((c, i) => `    ${this.columns[i + 1]?.padEnd(22)}${c}`);
      console.log([`  ${cells[0]}`, ...rest].join("\n"));
    }
  }

  /** Writes results/<name>.json. */
  write(unfinished?: string): void {
    const { name, title, about, columns, rows, notes, data } = this;
    const result: BenchResult = {
      name,
      title,
      about,
      stamp: stamp(this.versions),
      ...(unfinished !== undefined && { unfinished }),
      columns,
      rows,
      notes,
      data,
    };
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}${name}.json`, `${JSON.stringify(result, null, 1)}\n`);
  }
}

/** Makes results/README.md of the results that are there, in the order of `names`. */
export function writeReadme(names: readonly string[]): void {
  const found = names.filter((name) => existsSync(`${folder}${name}.json`));
  const sections = found.map((name) =>
    section(JSON.parse(readFileSync(`${folder}${name}.json`, "utf8")) as BenchResult),
  );
  const introduction =
    "Made by `npm run bench`; each table has its JSON file beside this one. Every result was right " +
    "before it was timed. Times are medians, ± half of the middle half. `x` is how many times as " +
    "long as twoheads on one thread took in the same run, in turns. `~` marks times that were taken " +
    "while other processes wanted the cores: they are too long, and their ratios uncertain.";
  const text = ["# Benchmark results", introduction, ...sections].join("\n\n");
  writeFileSync(`${folder}README.md`, `${text}\n`);
}

function versionIn(packageFile: URL): string {
  return (JSON.parse(readFileSync(packageFile, "utf8")) as { version: string }).version;
}

function section({
  name,
  title,
  about,
  stamp,
  unfinished,
  columns,
  rows,
  notes,
}: BenchResult): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = columns.map((_, i) => (i === 0 ? ":--" : "--:"));
  const versions = Object.entries(stamp.versions).map(([who, version]) => `${who} ${version}`);
  const machine =
    `${stamp.cpu}, ${stamp.cores} cores, ${stamp.memoryGiB} GiB, ${stamp.platform}, ` +
    `Node ${stamp.node}, ${stamp.lanes ?? 128}-bit lanes, ${stamp.date} UTC, load ${stamp.load}; ${versions.join(", ")}`;
  return [
    `## ${title}`,
    `${about} (\`npm run bench -- ${name}\`)`,
    [line(columns), line(rule), ...rows.map(line)].join("\n"),
    ...(notes.length > 0 ? [notes.map((note) => `- ${note}`).join("\n")] : []),
    ...(unfinished ? [`Unfinished: ${unfinished}`] : []),
    `<sub>${machine}</sub>`,
  ].join("\n\n");
}

// --- Numbers for people ------------------------------------------------------------------------

/** Three digits, with the unit that suits. */
export function duration(seconds: number): string {
  const [scale, unit] = seconds < 1e-3 ? [1e6, "µs"] : seconds < 1 ? [1e3, "ms"] : [1, "s"];
  return `${digits(seconds * scale)} ${unit}`;
}

export function digits(x: number): string {
  return x >= 999.5 ? x.toFixed(0) : x.toPrecision(3);
}

/** 18.1 ms ±3 % */
export function timed(t: Timing): string {
  return `${duration(t.median)} ${spread(t)}`;
}

// --- Progress ----------------------------------------------------------------------------------

/** Says on the terminal what is going on, on a line that the next one replaces. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}
