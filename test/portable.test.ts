// The portable functions: against values that mpmath computed in 60 digits (within 2 units in the last
// place, also where the argument is huge, tiny or beside a zero), against the engine's own over their
// ranges, and at zeros, infinities and NaN. That they are the same bits in every engine is IEEE 754's
// doing; golden.test.ts has a hash that would notice. Next: update.test.ts.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { portable } from "../core/index.ts";
import { checkProperty } from "../testing/property.ts";

type Name = Exclude<keyof typeof portable, "pow">;

/** Distance in units of the last place of `want`. */
function ulps(got: number, want: number): number {
  if (Object.is(got, want)) return 0;
  const size = Math.max(Math.abs(want), 2 ** -1022);
  return Math.abs(got - want) / 2 ** (Math.floor(Math.log2(size)) - 52);
}

// mpmath 1.3.0, mp.prec = 1300, at the double that the argument names
const exact: readonly (readonly [Name, number, number])[] = [
  ["exp", 1.0, Math.E],
  ["exp", -1.0, 0.36787944117144233],
  ["exp", 1e-10, 1.0000000001],
  ["exp", 709.7, 1.6549840276802644e308],
  ["exp", -745.0, 5e-324],
  ["exp", -708.5, 2.006132305331306e-308],
  ["exp", 0.34657359027997264, Math.SQRT2],
  ["exp", 88.7, 3.325986980250579e38],
  ["expm1", 1e-20, 1e-20],
  ["expm1", -1e-9, -9.999999995e-10],
  ["expm1", 0.3467, 0.41439234401320396],
  ["expm1", -0.5, -0.3934693402873666],
  ["expm1", 1.0, 1.7182818284590453],
  ["expm1", -37.0, -0.9999999999999999],
  ["expm1", 56.5, 3.4485635021385364e24],
  ["expm1", 700.0, 1.0142320547350045e304],
  ["log", 5e-324, -744.4400719213812],
  ["log", 1e-310, -713.8013788281542],
  ["log", 0.9999999999999999, -1.1102230246251565e-16],
  ["log", 1.0000000000000002, 2.2204460492503128e-16],
  ["log", 0.7071067811865475, -0.34657359027997275],
  ["log", 2.0, Math.LN2],
  ["log", 1e308, 709.1962086421661],
  ["log", Math.SQRT2, 0.3465735902799727],
  ["log1p", 1e-20, 1e-20],
  ["log1p", -0.9999999999999999, -36.7368005696771],
  ["log1p", -0.29289321881345254, -0.34657359027997275],
  ["log1p", 0.41421356, 0.34657358860194104],
  ["log1p", 1e-9, 9.999999995e-10],
  ["log1p", 1e20, 46.051701859880914],
  ["sin", 100000000.0, 0.931639027109726],
  ["sin", 1e22, -0.8522008497671888],
  ["sin", Math.PI, 1.2246467991473532e-16],
  ["sin", 5.319372648326541e255, 1.0],
  ["sin", 1.7976931348623157e308, 0.004961954789184062],
  ["sin", 1e-8, 1e-8],
  ["sin", 0.7853981633974483, 0.7071067811865475],
  ["sin", 100000.0, 0.03574879797201651],
  ["sin", 1048576.0, 0.3304931400217347],
  ["cos", 100000000.0, -0.3633850893556905],
  ["cos", 1e22, 0.523214785395139],
  ["cos", 1.5707963267948966, 6.123233995736766e-17],
  ["cos", 5.319372648326541e255, -4.687165924254628e-19],
  ["cos", 1.7976931348623157e308, -0.9999876894265599],
  ["cos", 1e-8, 1.0],
  ["cos", 0.7853981633974483, Math.SQRT1_2],
  ["cos", 11.0, 0.004425697988050785],
  ["tanh", 1e-9, 1e-9],
  ["tanh", 0.3, 0.2913126124515909],
  ["tanh", 0.5493061443340549, 0.5],
  ["tanh", 1.0, 0.7615941559557649],
  ["tanh", -5.0, -0.9999092042625951],
  ["tanh", 19.0, 0.9999999999999999],
  ["erf", 1e-10, 1.1283791670955126e-10],
  ["erf", 0.1, 0.1124629160182849],
  ["erf", 0.5, 0.5204998778130465],
  ["erf", 0.9999, 0.8426592780487595],
  ["erf", 1.0, 0.8427007929497149],
  ["erf", 1.5, 0.9661051464753108],
  ["erf", 2.0, 0.9953222650189527],
  ["erf", 2.9999, 0.9999778955735178],
  ["erf", 3.0, 0.9999779095030014],
  ["erf", 3.5, 0.9999992569016276],
  ["erf", 4.0, 0.9999999845827421],
  ["erf", 5.9, 0.9999999999999999],
];

test("within 2 units in the last place of mpmath's values", () => {
  for (const [name, x, y] of exact) {
    const got = portable[name](x);
    assert.ok(ulps(got, y) <= 2, `${name}(${x}) = ${got} instead of ${y}`);
  }
  for (const [a, b, y] of [
    [10000.0, -0.75, 0.001],
    [0.999, 5000.0, 0.006721111959865588],
    [1.0000001, 100000000.0, 22026.454910182532],
    [2.0, 0.5, Math.SQRT2],
    [5e-324, 0.1, 4.6706622762338734e-33],
    [1e300, -0.9, 9.999999999999847e-271],
    [-3.0, 21.0, -10460353203.0],
    [-1.5, -7.0, -0.05852766346593507],
    [0.9, 1000.0, 1.7478712517226947e-46],
    [1.7976931348623157e308, 1.0, 1.7976931348623157e308],
    [2.0, -1074.0, 5e-324],
    [10.0, -320.0, 1e-320],
  ] as const) {
    const got = portable.pow(a, b);
    assert.ok(ulps(got, y) <= 1, `pow(${a}, ${b}) = ${got} instead of ${y}`);
  }
});

const ranges: readonly (readonly [Name & keyof Math, number, number])[] = [
  ["exp", -745, 709],
  ["expm1", -40, 709],
  ["expm1", -1, 1],
  ["log", 5e-324, 1e308],
  ["log", 0.5, 2],
  ["log1p", -1, 10],
  ["log1p", -1e-8, 1e-8],
  ["tanh", -20, 20],
];
for (const [name, min, max] of ranges) {
  test(`portable.${name} on [${min}, ${max}] is Math's within 3 units`, () => {
    checkProperty(
      name,
      fc.property(fc.double({ min, max, noNaN: true }), (x) => {
        const [got, want] = [portable[name](x), Math[name](x)];
        assert.ok(ulps(got, want) <= 3, `${name}(${x}) = ${got} instead of ${want}`);
      }),
      { runs: 2000 },
    );
  });
}

// near a zero of sin or cos the engines themselves differ: absolute there
for (const name of ["sin", "cos"] as const) {
  test(`portable.${name} is Math's for angles of every size`, () => {
    checkProperty(
      name,
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => {
        assert.ok(Math.abs(portable[name](x) - Math[name](x)) < 5e-16, `${name}(${x})`);
      }),
      { runs: 2000 },
    );
  });
}

test("pow is Math's within 2 units, and IEEE 754's at the edges", () => {
  const size = fc.double({ min: 1e-300, max: 1e300, noNaN: true });
  checkProperty(
    "pow",
    fc.property(size, fc.double({ min: -3, max: 3, noNaN: true }), (a, b) => {
      const [got, want] = [portable.pow(a, b), a ** b];
      assert.ok(ulps(got, want) <= 2, `pow(${a}, ${b}) = ${got} instead of ${want}`);
    }),
    { runs: 2000 },
  );
  const edges = [0, -0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1e300, -1e300, Infinity, -Infinity, NaN];
  for (const a of edges) {
    for (const b of edges) {
      const isOne = a === 1 || (a === -1 && Math.abs(b) === Infinity); // where JavaScript has NaN
      const [got, want] = [portable.pow(a, b), isOne ? 1 : a ** b];
      const fits = Object.is(got, want) || (want !== 0 && ulps(got, want) <= 1);
      assert.ok(fits, `${a} ** ${b} = ${got} instead of ${want}`);
    }
  }
});

test("zeros keep their sign, infinities and NaN are IEEE 754's", () => {
  const names = ["exp", "expm1", "log", "log1p", "sin", "cos", "tanh"] as const;
  for (const name of names) {
    for (const x of [0, -0, 1, -1, -2, Infinity, -Infinity, NaN, 5e-324, -5e-324, 710, -746]) {
      const [got, want] = [portable[name](x), Math[name](x)];
      assert.ok(Object.is(got, want) || ulps(got, want) <= 1, `${name}(${x}) = ${got}`);
      assert.equal(Object.is(got, -0), Object.is(want, -0), `${name}(${x})`);
    }
  }
  for (const [x, y] of [
    [0, 0],
    [-0, -0],
    [Infinity, 1],
    [-Infinity, -1],
    [NaN, NaN],
  ] as const)
    assert.ok(Object.is(portable.erf(x), y));
});

test("core computes with these, and never with the engine's own", () => {
  const core = fileURLToPath(new URL("../core/", import.meta.url));
  for (const name of readdirSync(core, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const code = readFileSync(join(core, name), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    const own =
      /Math\.(a?(sin|cos|tan)h?|atan2|exp|expm1|log|log1p|log2|log10|pow|cbrt|hypot)\(/.exec(code);
    assert.equal(own, null, `${name} calls ${own?.[0]}`);
    for (const [text, base] of code.matchAll(/([\w.)\]]+) \*\* /g)) // exact: powers of two and of 0
      assert.ok(["2", "0"].includes(base ?? ""), `${name}: ${text}`);
  }
});
