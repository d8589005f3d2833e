// Which test runs, and in whose runner: node:test, Vitest, Jest, or none, where a program calls the kit itself. A
// failure prints a command that runs its case again, in the runner that is in use. Next: property.ts.

/** What a process is in Node and its kin; a page has none. */
interface Host {
  readonly argv: readonly string[];
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  cwd(): string;
  getBuiltinModule?(name: "node:test"): {
    beforeEach(fn: (context: { name: string }) => void): void;
  };
}

/** Vitest's and Jest's expect, as far as it says what runs. */
interface Expect {
  getState(): { readonly currentTestName?: string; readonly testPath?: string };
}

const globals = globalThis as { readonly process?: Host; readonly expect?: Expect } & Record<
  symbol,
  unknown
>;
const host = globals.process;
const env = host?.env ?? {};

/** The test that node:test runs at the moment. */
let nodeTest: string | undefined;
if (env.NODE_TEST_CONTEXT && !env.VITEST)
  host?.getBuiltinModule?.("node:test").beforeEach(({ name }) => {
    nodeTest = name;
  });

/** The test that runs: its runner, its name if the runner says it, and its file. */
export interface Running {
  readonly runner: "node:test" | "Vitest" | "Jest" | "none";
  readonly test: string | undefined;
  readonly file: string;
}

/** What runs at the moment. */
export function running(): Running {
  const file = host?.argv[1] ?? "";
  const isVitest = Boolean(env.VITEST);
  if (isVitest || env.JEST_WORKER_ID) {
    const expect = (isVitest ? globals[Symbol.for("expect-global")] : globals.expect) as
      | Expect
      | undefined;
    const { currentTestName: test, testPath = file } = expect?.getState() ?? {};
    return {
      runner: isVitest ? "Vitest" : "Jest",
      test: test?.replaceAll(" > ", " "),
      file: testPath,
    };
  }
  if (env.NODE_TEST_CONTEXT) return { runner: "node:test", test: nodeTest, file };
  return { runner: "none", test: undefined, file };
}

/** A path as it is written from here. */
function fromHere(file: string): string {
  const [path, here] = [file, host?.cwd() ?? ""].map((text) => text.replaceAll("\\", "/")) as [
    string,
    string,
  ];
  return path.startsWith(`${here}/`) ? path.slice(here.length + 1) : path;
}

/** Flags of Node that its programs need again: loaders and the like, and not those of its test runner. */
function nodeFlags(): string[] {
  const flags: string[] = [];
  const given = host?.execArgv ?? [];
  given.forEach((flag, i) => {
    if (/^(--import|--require|-r|--loader|--experimental-loader)$/.test(flag))
      flags.push(flag, given[i + 1] ?? "");
    else if (
      /^--(import|require|loader|experimental-(?!test|default)\w[\w-]*|conditions)(=|$)/.test(flag)
    )
      flags.push(flag);
  });
  return flags;
}

/**
 * The command that runs a place of the running test again, from every shell: a character of the test's name that one
 * could misread is any character in the pattern. Scripts that start tests in another way say how in TWOHEADS_RERUN,
 * with {file}, {test} and {replay}.
 */
export function replayCommand(replay: string): string {
  const { runner, test, file: path } = running();
  const file = fromHere(path);
  const pattern = test?.replaceAll(/[^\p{L}\p{N} ,:=_-]/gu, ".").replace(/^-/, ".");
  const own = env.TWOHEADS_RERUN;
  if (own)
    return own
      .replace("{file}", file)
      .replace("{test}", `"${pattern ?? ""}"`)
      .replace("{replay}", replay);
  const named = (flag: string): string[] => (pattern === undefined ? [] : [`${flag}"${pattern}"`]);
  const commands = {
    "node:test": ["node", ...nodeFlags(), "--test", ...named("--test-name-pattern="), file],
    Vitest: ["npx vitest run", file, ...named("-t ")],
    Jest: ["npx jest", file, ...named("-t ")],
    none: ["node", ...nodeFlags(), file],
  };
  const modules =
    runner === "Jest" && env.NODE_OPTIONS?.includes("vm-modules")
      ? `NODE_OPTIONS=${env.NODE_OPTIONS.trim().split(" ").length > 1 ? JSON.stringify(env.NODE_OPTIONS) : env.NODE_OPTIONS} `
      : "";
  const command = commands[runner].join(" ");
  if (host?.platform === "win32") return `$env:TWOHEADS_REPLAY="${replay}"; ${command}`;
  return `${modules}TWOHEADS_REPLAY=${replay} ${command}`;
}

/** An environment variable. */
export function setting(name: string): string | undefined {
  return env[name] || undefined;
}
