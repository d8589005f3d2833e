// How property tests draw what an op's entry asks for (core/draw.ts, over fast-check), in Node and in pages.
// Next: property.ts.

import fc from "fast-check";
import { type Domain, type Draw, random, Tensor, tensor, within } from "../core/index.ts";
import type { Described, Entry } from "../core/op.ts";
import { sizeOf } from "../core/shape.ts";

/** The example and the draw of an entry, which every entry of these sources has. */
export function described({ name, example, draw }: Entry): Described {
  if (example === undefined || draw === undefined)
    throw new Error(`${name} lacks an example or what to draw`);
  return { example, draw };
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
