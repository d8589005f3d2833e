// What is raced against the peers, and how long a work of ours takes as it grows and as threads are
// added: the works, who takes part, and the tables that come of it.
// Read next: race.ts for how a race is run, works.ts for what is in a work.

import { availableParallelism } from "node:os";
import {
  type Finish,
  howToInstall,
  ours,
  oursWide,
  peers,
  peersInstalled,
  type RaceOptions,
  race,
  textbook,
  trainingPeers,
} from "./race.ts";
import { digits, type ResultTable, timed } from "./report.ts";
import type { Entrant } from "./runner.ts";
import { type GPTShape, nameOf, sizes, type Work } from "./works.ts";

export interface RacesOptions {
  /** A first impression: fewer rounds, smaller works. */
  readonly quick: boolean;
}

/** Steps, and products of float32 in different orders, differ by rounding. */
const tolerance = { train: 1e-3, matmul: 1e-4, exp: 1e-5, softmax: 1e-5 } as const;

export function raceOptions(work: Work, { quick }: RacesOptions): RaceOptions {
  const turns = quick ? { rounds: 3, milliseconds: 100 } : { rounds: 7, milliseconds: 300 };
  return { ...turns, tolerance: tolerance[work.kind] };
}

/** Runs a work and adds a row with everybody's time; returns what each did. */
async function addRace(
  table: ResultTable,
  work: Work,
  entrants: readonly Entrant[],
  options: RacesOptions,
  rate: (seconds: number) => string,
): Promise<readonly Finish[]> {
  const finishes = await race(work, entrants, raceOptions(work, options));
  const [first] = finishes;
  if (first?.timing === undefined) throw new Error(`${nameOf(work)}: ours failed: ${first?.note}`);
  if (table.columns.length === 0) {
    table.head("work", "rate, 1 thread", ...finishes.map(({ name }) => name));
    for (const { name, version, about } of finishes) {
      if (/twoheads|textbook/.test(name)) continue;
      table.versions[name.replace(/,.*/, "")] = version;
      table.note(`${name}: ${about}`);
    }
  }
  const base = first.timing.median;
  const cells = finishes.map((finish, i) => cellOf(finish, i === 0 ? null : base));
  await table.row([nameOf(work), rate(base), ...cells], { work, finishes });
  for (const { name, note, deviation } of finishes) {
    if (note !== undefined) table.note(`${name}: ${note}`);
    else if (deviation) addDeviation(table, name, deviation);
  }
  return finishes;
}

function cellOf({ timing, isDisturbed }: Finish, base: number | null): string {
  if (timing === undefined) return "-";
  const time = `${isDisturbed ? "~" : ""}${timed(timing)}`;
  return base === null ? time : `${time}, ${digits(timing.median / base)}x`;
}

const deviations = new WeakMap<ResultTable, Map<string, number>>();

/** Keeps the largest difference of each contestant from ours, for the note at the end. */
function addDeviation(table: ResultTable, name: string, deviation: number): void {
  const known = deviations.get(table) ?? new Map<string, number>();
  deviations.set(table, known.set(name, Math.max(deviation, known.get(name) ?? 0)));
}

function noteDeviations(table: ResultTable): void {
  const most = [...(deviations.get(table) ?? [])].map(
    ([name, d]) => `${name} ${d.toExponential(0)}`,
  );
  if (most.length > 0)
    table.note(`Largest difference from ours, relative to 1 + |x|: ${most.join(", ")}`);
  if (!peersInstalled) table.note(howToInstall);
}

const gflops = (operations: number) => (seconds: number) =>
  `${digits(operations / seconds / 1e9)} GFLOP/s`;

// --- The subjects ------------------------------------------------------------------------------

export async function matmul(table: ResultTable, options: RacesOptions): Promise<void> {
  for (const n of options.quick ? [64, 256] : [64, 128, 256, 512, 1024]) {
    const entrants = [ours(1), ours(2), ...oursWide, ...peers];
    await addRace(table, { kind: "matmul", n }, entrants, options, gflops(2 * n ** 3));
  }
  noteDeviations(table);
}

export async function rows(table: ResultTable, options: RacesOptions): Promise<void> {
  for (const shape of [
    [512, 256],
    [4096, 64],
    [1024, 512],
  ] as const) {
    const bytes = 8 * shape[0] * shape[1]; // read once, written once
    const rate = (seconds: number) => `${digits(bytes / seconds / 1e9)} GB/s`;
    for (const kind of ["exp", "softmax"] as const)
      await addRace(
        table,
        { kind, shape },
        [ours(1), ours(2), ...oursWide, ...peers],
        options,
        rate,
      );
  }
  noteDeviations(table);
}

const tokens =
  ({ B, T }: GPTShape) =>
  (seconds: number) =>
    `${digits((B * T) / seconds)} tokens/s`;

export async function training(table: ResultTable, options: RacesOptions): Promise<void> {
  for (const gpt of options.quick ? [sizes.XS, sizes.S] : Object.values(sizes)) {
    const entrants = [ours(1), ours(2), ...oursWide, textbook, ...trainingPeers, ...peers];
    const finishes = await addRace(table, { kind: "train", gpt }, entrants, options, tokens(gpt));
    const peaks = finishes.map(({ timing, peakBytes = 0 }) =>
      timing === undefined ? "-" : `${Math.round(peakBytes / 2 ** 20)} MiB`,
    );
    await table.row(["  peak memory of the process", "", ...peaks], {});
  }
  noteDeviations(table);
}

export async function threads(table: ResultTable, options: RacesOptions): Promise<void> {
  const counts = [1, 2, 4, 8].filter((count) => count <= availableParallelism());
  const entrants = counts.map(ours);
  const flops = (n: number) => gflops(2 * n ** 3);
  for (const n of [64, 128, 256, 512])
    await addRace(table, { kind: "matmul", n }, entrants, options, flops(n));
  for (const gpt of Object.values(sizes))
    await addRace(table, { kind: "train", gpt }, entrants, options, tokens(gpt));
}
