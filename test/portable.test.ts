// The portable functions against the engine's own: within a few units in the last place over the
// ranges that tables, schedules and random numbers use. That they are the same bits in every engine is
// IEEE 754's doing; test/golden has a hash that would notice. Next: update.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { portable } from "../core/index.ts";
import { checkProperty } from "./property.ts";

function close(
  name: string,
  f: (x: number) => number,
  g: (x: number) => number,
  range: [number, number],
): void {
  test(`portable.${name} on [${range}]`, () => {
    checkProperty(
      name,
      fc.property(fc.double({ min: range[0], max: range[1], noNaN: true }), (x) => {
        const [got, want] = [f(x), g(x)]; // pow multiplies the logarithm's error by |b ln a|, up to 9 here
        assert.ok(
          Math.abs(got - want) <=
            (name === "pow" ? 48 : 6) * 2 ** -53 * Math.max(Math.abs(want), 2 ** -1022),
          `${name}(${x}) = ${got} instead of ${want}`,
        );
      }),
      { runs: 2000 },
    );
  });
}

close("exp", portable.exp, Math.exp, [-700, 709]);
close("log", portable.log, Math.log, [1e-300, 1e300]);
close("log", portable.log, Math.log, [0.9, 1.1]);
close(
  "pow",
  (b) => portable.pow(10000, b),
  (b) => 10000 ** b,
  [-1, 1],
);

// a zero of sin or cos makes relative error meaningless: absolute, for angles that tables hold
for (const name of ["sin", "cos"] as const) {
  test(`portable.${name} on angles up to 100,000`, () => {
    checkProperty(
      name,
      fc.property(fc.double({ min: -1e5, max: 1e5, noNaN: true }), (x) => {
        assert.ok(Math.abs(portable[name](x) - Math[name](x)) < 1e-15, `${name}(${x})`);
      }),
      { runs: 2000 },
    );
  });
}

test("portable functions at the edges", () => {
  assert.deepEqual(
    [portable.exp(0), portable.exp(Infinity), portable.exp(-Infinity), portable.exp(NaN)],
    [1, Infinity, 0, NaN],
  );
  assert.deepEqual(
    [portable.log(1), portable.log(0), portable.log(Infinity), portable.log(-1)],
    [0, -Infinity, Infinity, NaN],
  );
  assert.deepEqual(
    [portable.pow(0.9, 3), portable.pow(2, -2), portable.pow(-3, 3)],
    [0.9 * 0.9 * 0.9, 0.25, -27],
  );
  assert.deepEqual([portable.sin(0), portable.cos(0)], [0, 1]);
});
