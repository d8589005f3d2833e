// The table at the top of the results: a training step in every engine that is at hand. Ours under three
// versions of Node, with 128 and 256 bits and with fused multiply-add; other libraries in JavaScript; PyTorch and
// JAX, whose Python is told by TWOHEADS_PYTHON (one program or several, as in PATH; python3 unless said). All
// take turns in one race. Read next: race.ts.

import { execFileSync } from "node:child_process";
import { delimiter } from "node:path";
import { type Finish, howToInstall, peersInstalled, race } from "./race.ts";
import { type RacesOptions, raceOptions } from "./races.ts";
import { digits, duration, type ResultTable } from "./report.ts";
import type { Entrant } from "./runner.ts";
import { sizes } from "./works.ts";

/** What a program prints, or nothing where it can't be had or fails. */
function said(program: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(program, args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}

/** The Node of a version, through npm, which keeps it for the next time: its program and version. */
function nodeOf(version: string): { program: string; version: string } | undefined {
  const print = "node -p \"process.execPath + ' ' + process.version\"";
  const [program, exact] =
    said("npm", ["exec", "--yes", `--package=node@${version}`, "-c", print])?.split(" ") ?? [];
  return program === undefined || exact === undefined ? undefined : { program, version: exact };
}

/** The Nodes to run under: this one, and those that npm gives. */
function nodes(table: ResultTable): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  const major = (version: string) => Number.parseInt(version.slice(1), 10);
  for (const wanted of ["20", "24", "latest"]) {
    const node = nodeOf(wanted);
    if (node !== undefined) found.set(major(node.version), node.program);
    else table.note(`Node ${wanted} left out: npm couldn't bring it`);
  }
  if (!found.has(major(process.version))) found.set(major(process.version), process.execPath);
  return new Map([...found].sort(([a], [b]) => a - b));
}

function oursOn(nodes: ReadonlyMap<number, string>, threads: number): Entrant[] {
  return [...nodes].flatMap(([major, program]): Entrant[] => {
    const env = { TWOHEADS_THREADS: String(threads) };
    const plain = { file: "twoheads.ts", program, env, title: `twoheads, Node ${major}` };
    if (process.arch !== "x64" || major < 24) return [plain];
    const wide = { ...plain, env: { ...env, TWOHEADS_WIDE: "1" } };
    return [
      plain,
      { ...wide, title: `${plain.title}, 256-bit lanes` },
      { ...wide, args: ["fma"], title: `${plain.title}, 256-bit lanes, FMA (other bits)` },
    ];
  });
}

/** What a Python has of torch and jax, and whether torch multiplies by something else than MKL: OpenBLAS, then. */
const probe = `
import json
found = {}
try:
    import torch
    found.update(torch=torch.__version__, openblas=not torch.backends.mkl.is_available())
except ImportError: pass
try:
    import jax
    found.update(jax=jax.__version__)
except ImportError: pass
print(json.dumps(found))`;

interface Found {
  readonly torch?: string;
  readonly openblas?: boolean;
  readonly jax?: string;
}

/** The Pythons that are named, and what each has. */
function pythons(table: ResultTable): ReadonlyMap<string, Found> {
  const programs = (process.env.TWOHEADS_PYTHON ?? "python3").split(delimiter);
  const found = new Map(
    programs.map((one) => [one, JSON.parse(said(one, ["-c", probe]) ?? "{}") as Found]),
  );
  if (![...found.values()].some(({ torch, jax }) => torch ?? jax))
    table.note("PyTorch and JAX aren't here: TWOHEADS_PYTHON names a Python that has them");
  return found;
}

function inPython(pythons: ReadonlyMap<string, Found>, threads: number): Entrant[] {
  const count = String(threads);
  const env = { OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count, MKL_NUM_THREADS: count };
  return [...pythons].flatMap(([program, { torch, openblas, jax }]): Entrant[] => {
    const pytorch = { file: "peers/pytorch.py", program, args: [count], env };
    const wide = { ...env, OPENBLAS_CORETYPE: "SkylakeX", ATEN_CPU_CAPABILITY: "avx512" };
    return [
      ...(torch === undefined ? [] : [pytorch]),
      ...(openblas ? [{ ...pytorch, env: wide, title: `PyTorch ${torch}, AVX-512` }] : []),
      ...(torch === undefined || openblas ? [] : [{ ...pytorch, args: [count, "compiled"] }]),
      ...(jax === undefined ? [] : [{ file: "peers/jaxCpu.py", program, args: [count], env }]),
    ];
  });
}

const inJavaScript: readonly Entrant[] = peersInstalled
  ? [{ file: "peers/jax.ts", args: ["jit"] }, { file: "peers/tfjs.ts" }]
  : [];

const names = ["XS", "S", "M"] as const;

export async function engines(table: ResultTable, options: RacesOptions): Promise<void> {
  const works = options.quick ? names.slice(0, 2) : names;
  table.head(
    "a step of training",
    ...works.flatMap((size) => [`${size}, one thread`, `${size}, two`]),
  );
  const found = { nodes: nodes(table), pythons: pythons(table) };
  const times = new Map<string, Map<string, Finish>>();
  for (const threads of [1, 2]) {
    const entrants = [
      ...oursOn(found.nodes, threads),
      ...inPython(found.pythons, threads),
      ...(threads === 1 ? inJavaScript : []),
    ];
    for (const size of works) {
      const work = { kind: "train", gpt: sizes[size] } as const;
      for (const finish of await race(work, entrants, raceOptions(work, options))) {
        const cells = times.get(finish.name) ?? new Map<string, Finish>();
        times.set(finish.name, cells.set(`${size} ${threads}`, finish));
        if (!/twoheads|PyTorch|JAX/.test(finish.name))
          // whose names say it
          table.versions[finish.name.replace(/,.*/, "")] = finish.version;
        if (finish.note !== undefined) table.note(`${finish.name}: ${finish.note}`);
      }
    }
  }
  for (const [name, cells] of times) {
    const row = works.flatMap((size) =>
      [1, 2].map((threads) => cellOf(cells.get(`${size} ${threads}`))),
    );
    await table.row([name, ...row], { finishes: Object.fromEntries(cells) });
  }
  for (const size of works) table.note(comparison(size, times));
  if (!peersInstalled) table.note(howToInstall);
}

/** How long the others take for a step on one thread, as multiples of our fastest with the same bits. */
function comparison(size: string, times: ReadonlyMap<string, ReadonlyMap<string, Finish>>): string {
  const found = [...times].flatMap(([name, cells]) => {
    const median = cells.get(`${size} 1`)?.timing?.median;
    return median === undefined || name.includes("FMA") ? [] : [{ name, median }];
  });
  const isOurs = ({ name }: { name: string }) => name.startsWith("twoheads");
  const [best] = found.filter(isOurs).sort((a, b) => a.median - b.median);
  if (best === undefined) return `${size}: ours didn't run`;
  const others = found.filter((one) => !isOurs(one));
  const list = others.map(({ name, median }) => `${name} ${digits(median / best.median)}x`);
  return `${size}, one thread, in times of ${best.name}: ${list.join(", ") || "nobody else ran"}`;
}

function cellOf(finish: Finish | undefined): string {
  if (finish?.timing === undefined) return "-";
  return `${finish.isDisturbed ? "~" : ""}${duration(finish.timing.median)}`;
}
