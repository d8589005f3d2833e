// A property that must hold for everything that is drawn, and what a failure says: the smallest counterexample as code,
// the seed and the path to it, and a command that runs exactly this case again. It throws, so that every runner of
// tests can have it. Next: runner.ts for the command, checks.ts for the properties of gradients.

import fc from "fast-check";
import { type Draw, TwoheadsError } from "../core/index.ts";
import { argumentsCode, codeOf } from "./code.ts";
import { drawFrom } from "./draw.ts";
import { replayCommand, running, setting } from "./runner.ts";

/** How many inputs a property draws unless it says another number; TWOHEADS_RUNS sets it. */
export const RUNS = Number(setting("TWOHEADS_RUNS") ?? 25);

/** A property that doesn't hold. `cause` is what the check threw. */
export class PropertyError extends TwoheadsError {
  override readonly name = "PropertyError";
}

/** How a property is run. */
export interface PropertyOptions {
  /** How many inputs are drawn. Default: 25, or TWOHEADS_RUNS. */
  readonly runs?: number;
  /** Where the draws begin. Default: another one each time. */
  readonly seed?: number;
}

/** How a counterexample is shown, besides. */
interface Shown<T> extends PropertyOptions {
  readonly show?: (drawn: T) => string;
}

/**
 * Runs a property over drawn inputs. On failure the message holds the smallest counterexample, printed by
 * `show`, and a command that replays it.
 */
export function holds<T>(
  name: string,
  draw: (d: Draw) => T,
  predicate: (drawn: T) => void,
  { show = shownBare, ...options }: Shown<T> = {},
): void {
  // drawn when it is generated, not when it is tried: a path through shrunk values is walked without trying them
  const drawn = fc.gen().map((gen) => ({ value: draw(drawFrom(gen)) }));
  const property = fc.property(drawn, ({ value }) => predicate(value));
  checkProperty(name, property, { ...options, show: ([{ value }]) => show(value) });
}

function shownBare(drawn: unknown): string {
  return Array.isArray(drawn) ? argumentsCode(drawn) : codeOf(drawn);
}

/** Checks a property of fast-check's own; a failure says the same as one of `holds`. */
export function checkProperty<T>(
  name: string,
  property: fc.IProperty<T>,
  options: Shown<T> = {},
): void {
  const place = placeOf(name);
  if (place === null) return;
  judge(name, place, fc.check(property, parametersOf<T>(place, options)), options);
}

/** The same of a property that waits. */
export async function checkAsyncProperty<T>(
  name: string,
  property: fc.IAsyncProperty<T>,
  options: Shown<T> = {},
): Promise<void> {
  const place = placeOf(name);
  if (place === null) return;
  judge(name, place, await fc.check(property, parametersOf<T>(place, options)), options);
}

function judge<T>(
  name: string,
  place: CasePlace,
  report: fc.RunDetails<T>,
  { show = fc.stringify }: Shown<T>,
): void {
  if (!report.failed) return;
  const {
    seed,
    counterexample,
    counterexamplePath,
    errorInstance: cause,
    numRuns,
    numShrinks,
  } = report;
  const message = cause instanceof Error ? cause.message : String(cause ?? "failed");
  const path = counterexamplePath ?? "";
  if (counterexample === null)
    throw new PropertyError(`${name}: too few inputs could be drawn (seed ${seed})`, { cause });
  throw new PropertyError(
    `${name}: ${message}\n  counterexample: ${show(counterexample).replaceAll("\n", "\n    ")}\n` +
      `  seed ${seed}, path "${path}", in case ${numRuns}, made smaller ${numShrinks} times\n` +
      `  replay: ${replayCommand(`${place.key}:${seed}:${path}`)}`,
    { cause },
  );
}

// --- Places ------------------------------------------------------------------------------------------

/** A property of a test, and how fast-check draws a case of it again if it is the one that is asked for. */
interface CasePlace {
  readonly key: string;
  readonly again: { readonly seed: number; readonly path: string } | null;
}

/** How often each property ran in the test that runs. */
let counts: { test: string; of: Map<string, number> } = { test: "", of: new Map() };

/** The property's place; null where a case of another one is asked for. */
function placeOf(name: string): CasePlace | null {
  const { test = "", file } = running();
  if (counts.test !== `${file} ${test}`) counts = { test: `${file} ${test}`, of: new Map() };
  const nth = (counts.of.get(name) ?? 0) + 1;
  counts.of.set(name, nth);
  const key = hashOf(`${test} ${name} ${nth}`);
  const replay = setting("TWOHEADS_REPLAY");
  if (replay === undefined) return { key, again: null };
  const [asked, seed, ...path] = replay.split(":");
  return asked === key ? { key, again: { seed: Number(seed), path: path.join(":") } } : null;
}

function parametersOf<T>(
  { again }: CasePlace,
  { runs = RUNS, seed }: PropertyOptions,
): fc.Parameters<T> {
  if (again !== null) return { numRuns: runs, ...again, endOnFailure: true };
  return { numRuns: runs, ...(seed !== undefined && { seed }) };
}

/** A name of eight characters (FNV-1a). */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
