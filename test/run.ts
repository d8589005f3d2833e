// npm test: finds the test files itself, as no shell on Windows does, and hands them to Node's runner with
// whatever flags it is given. What it prints and how it ends are the runner's own.
// Next: ../testing/property.ts for what a failing property prints, ../.ci/run for everything that must hold.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { flagsTakenByNpm } from "../cli/npmFlags.ts";
import { bundledTests } from "./bundled.js";
import { transpileAll } from "./transpiled.js";

const root = fileURLToPath(new URL("..", import.meta.url));

const usage = `npm test                                     every file of test/
npm test -- --test-reporter=dot              with flags of Node's test runner
npm run test:one FILE [PATTERN]              one file; of it, tests whose name fits a regular expression
npm run test:one -- FILE PATTERN --replay=SEED:PATH   a property's counterexample once more
npm run test:watch [FILE...]                 again whenever a file changes`;

/** Flags of Node's runner that have a value, which may stand behind a space; and one of ours. */
const valued = [
  "--test-name-pattern",
  "--test-skip-pattern",
  "--test-reporter",
  "--test-reporter-destination",
  "--test-concurrency",
  "--test-timeout",
  "--test-shard",
  "--replay",
];
const switches = ["--test-only", "--test-force-exit", "--watch"];

/** Flags as --name=value, and the words between them. */
function apart(given: readonly string[]): { flags: string[]; words: string[] } {
  const flags: string[] = [];
  const words: string[] = [];
  for (let i = 0; i < given.length; i++) {
    const word = given[i] ?? "";
    if (valued.includes(word)) flags.push(`${word}=${given[++i] ?? ""}`);
    else (word.startsWith("-") ? flags : words).push(word);
  }
  return { flags, words };
}

/** A test file by its path, its name or its subject: test/ops.test.ts, ops.test.ts or ops. */
function fileNamed(name: string): string | undefined {
  return [name, `test/${name}`, `test/${name}.test.ts`].find(
    (path) => path.endsWith(".test.ts") && existsSync(resolve(root, path)),
  );
}

/** The files that take longest, first, so that no core waits at the end for one of them. */
const longest = [
  ...["walkthroughs", "package", "grm.demo", "explorer", "bundles", "grm.overopt.comparison"],
  ...["kernels", "ops", "pretrain", "seam", "gpu"],
].map((name) => `test/${name}.test.ts`);

function allFiles(): string[] {
  const names = readdirSync(join(root, "test")).filter((name) => name.endsWith(".test.ts"));
  const files = names.sort().map((name) => `test/${name}`);
  return [...longest, ...files.filter((file) => !longest.includes(file))];
}

/** What the files of one run share, in the environment of all their processes: see installed.ts, transpiled.js. */
async function sharedByAll(): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), "twoheads-shared-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  await transpileAll(root, folder);
  const flags = `--enable-source-maps --import=${new URL("transpiled.js", import.meta.url).href}`;
  return {
    TWOHEADS_SHARED: folder,
    TWOHEADS_THREADS: process.env.TWOHEADS_THREADS ?? "1", // files share the cores; tests of threads say how many
    NODE_OPTIONS: [process.env.NODE_OPTIONS, flags].filter(Boolean).join(" "),
  };
}

/** Runs Node's runner: flags before files, as Node 22 and later don't look behind them. */
async function start(flags: readonly string[], files: readonly string[]): Promise<void> {
  const otherwise = (name: string, value: unknown): string[] =>
    flags.some((flag) => flag.startsWith(`${name}=`)) ? [] : [`${name}=${value}`];
  const replay = flags.find((flag) => flag.startsWith("--replay="))?.slice("--replay=".length);
  const isAlone = files.length === 1 || flags.includes("--watch");
  const shared = isAlone ? {} : await sharedByAll();
  const bundled = bundledTests(root, shared.TWOHEADS_SHARED ?? "");
  const args = [
    ...(isAlone ? ["--import", "tsx"] : []),
    "--test",
    ...otherwise("--test-reporter", "spec"),
    ...otherwise("--test-concurrency", availableParallelism() + 1), // as many a test waits
    ...flags.filter((flag) => !flag.startsWith("--replay")),
    ...files.map((file) => (isAlone ? file : (bundled.get(file) ?? file))),
  ];
  const env = {
    ...process.env,
    ...shared,
    ...(replay !== undefined && { TWOHEADS_REPLAY: replay }),
    TWOHEADS_RERUN: "npm run test:one -- {file} {test} --replay={replay}",
  };
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit", env });
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => child.kill(name));
  child.on("exit", (status) => {
    process.exitCode = status ?? 1;
  });
}

function refuse(reason: string): void {
  console.error(`${reason}\n\n${usage}`);
  process.exitCode = 1;
}

const isOne = process.argv[2] === "--one";
const { flags, words } = apart(process.argv.slice(isOne ? 3 : 2));
const [names, patterns] = isOne ? [words.slice(0, 1), words.slice(1)] : [words, []];
const unknown = names.find((name) => fileNamed(name) === undefined);
if (flags.includes("--help")) console.log(usage);
else if (isOne && names.length === 0) refuse("test:one needs a file");
else if (unknown !== undefined) refuse(`there is no test file "${unknown}"`);
else {
  const files = names.flatMap((name) => fileNamed(name) ?? []);
  const own = [...flags, ...flagsTakenByNpm(switches, valued)];
  const named = patterns.map((pattern) => `--test-name-pattern=${pattern}`);
  await start([...own, ...named], files.length === 0 ? allFiles() : files);
}
