// The property tests' common part: how they draw what an op's entry asks for (core/draw.ts, over
// fast-check), how often they run, and what a failure prints: the shrunk counterexample and a command
// that replays exactly it. Next: ops.test.ts.

import { relative } from "node:path";
import { beforeEach } from "node:test";
import fc from "fast-check";
import { type Domain, type Draw, random, Tensor, tensor, within } from "../core/index.ts";
import { sizeOf } from "../core/shape.ts";

/** How many inputs each property draws; TWOHEADS_RUNS overrides it. */
export const RUNS = Number(process.env.TWOHEADS_RUNS ?? 25);

/** The test that runs, and how many properties it has begun. */
let running = { name: "", properties: 0 };
beforeEach(({ name }) => {
  running = { name, properties: 0 };
});

/**
 * Runs a property over drawn inputs. On failure the message holds the smallest counterexample, printed by
 * `show`, and a command that replays it.
 */
export function holds<T>(
  name: string,
  draw: (d: Draw) => T,
  predicate: (drawn: T) => void,
  { runs = RUNS, show = showArguments }: { runs?: number; show?: (drawn: T) => string } = {},
): void {
  // drawn when it is generated, not when it is tried: a path through shrunk values is walked without trying them
  const drawn = fc.gen().map((gen) => ({ value: draw(drawFrom(gen)) }));
  const property = fc.property(drawn, ({ value }) => predicate(value));
  checkProperty(name, property, { runs, show: ([{ value }]) => show(value) });
}

/** Checks a property of fast-check's own; a failure says the same as one of `holds`. */
export function checkProperty<T>(
  name: string,
  property: fc.IProperty<T>,
  { runs = RUNS, show = fc.stringify }: { runs?: number; show?: (drawn: T) => string } = {},
): void {
  const ordinal = ++running.properties;
  const report = fc.check(property, { numRuns: runs, ...replayed<T>(ordinal) });
  if (!report.failed) return;
  const { seed, counterexample, counterexamplePath, errorInstance: cause } = report;
  const message = cause instanceof Error ? cause.message : String(cause ?? "failed");
  const shown = counterexample === null ? "none" : show(counterexample);
  const place = `${ordinal}:${seed}:${counterexamplePath ?? ""}`;
  throw new Error(
    `${name}: ${message}\n  counterexample: ${shown}\n  replay: ${replayCommand(place)}`,
    { cause },
  );
}

/**
 * Runs one case of one property in the test that runs now, on every Node and from every shell: a character
 * of the test's name that one of them could misread is any character in the pattern.
 */
function replayCommand(place: string): string {
  const file = relative(process.cwd(), process.argv[1] ?? "").replaceAll("\\", "/");
  const pattern = running.name.replaceAll(/[^\p{L}\p{N} ,:=_-]/gu, ".").replace(/^-/, ".");
  return `npm run test:one -- ${file} "${pattern}" --replay=${place}`;
}

/** How fast-check draws a case again, if this is the property that is asked for. */
function replayed<T>(ordinal: number): fc.Parameters<T> {
  const asked = /^(\d+):(-?\d+):(.*)$/.exec(process.env.TWOHEADS_REPLAY ?? "");
  if (Number(asked?.[1]) !== ordinal) return {};
  return { seed: Number(asked?.[2]), path: asked?.[3] ?? "", endOnFailure: true };
}

/** Arguments as a person would write them. */
export function showArguments(drawn: unknown): string {
  if (drawn instanceof Tensor) {
    return `tensor(${JSON.stringify(drawn.toArray())}, { dtype: "${drawn.dtype}" }) of [${drawn.shape}]`;
  }
  if (Array.isArray(drawn)) return drawn.map(showArguments).join(", ");
  if (drawn !== null && typeof drawn === "object") {
    return `{${Object.entries(drawn).map(([key, value]) => `${key}: ${showArguments(value)}`)}}`;
  }
  return String(drawn);
}

/** core's Draw over a fast-check generator. Tensors are float64 on a grid of quarters. */
export function drawFrom(gen: fc.GeneratorValue): Draw {
  const integer = (low: number, high: number): number => gen(fc.integer, { min: low, max: high });
  const pick = <T>(...choices: readonly T[]): T => choices[integer(0, choices.length - 1)] as T;
  const shape: Draw["shape"] = ({ minRank = 0, maxRank = 4, minSide = 0, maxSide = 3 } = {}) =>
    Array.from({ length: integer(minRank, maxRank) }, () => integer(minSide, maxSide));
  const numbers = (size: number, { low, high, offset, distinct }: Domain): number[] => {
    if (distinct) {
      const order = random(integer(0, 1e6)).permutation(size);
      return [...order].map((rank) => low + ((high - low) * (rank + 0.5)) / size);
    }
    const grid = fc.integer({
      min: Math.ceil(low * 4),
      max: Math.floor(high * 4) - (offset > 0 ? 1 : 0),
    });
    return gen(fc.array, grid, { minLength: size, maxLength: size }).map((n) => n / 4 + offset);
  };
  return {
    rng: random(integer(0, 1e6)),
    integer,
    pick,
    shape,
    broadcast: (to) => to.slice(integer(0, to.length)).map((side) => pick(side, 1)),
    tensor: (sides, domain = within(-3, 3)) =>
      tensor(Float64Array.from(numbers(sizeOf(sides), domain)), { shape: sides }),
    indices: (sides, size) =>
      tensor(
        Int32Array.from({ length: sizeOf(sides) }, () => integer(0, Math.max(0, size - 1))),
        { shape: sides },
      ),
    mask: (sides) =>
      tensor(
        Uint8Array.from({ length: sizeOf(sides) }, () => integer(0, 1)),
        { shape: sides },
      ),
  };
}
