#!/usr/bin/env bash
# Expected: generators made from seeds 0, 1, 2, ... give first numbers that look independent.
# Seen (seedrandom 3.0.5): for alea, xorshift7, xor128 and xorwow they aren't. Second differences of the
# first numbers of seeds 0 to 4001, modulo 1, should fall evenly into 20 bins; a third of alea's fall into
# the first bin (its numbers lie on a straight line) and all of xorshift7's; chi-squared is above 1,000
# with 19 degrees of freedom for all four. ARC4 (the default), tychei and xor4096 pass.
# Matters: who forks a stream by a counter (samples of one prompt, workers, folds of data) draws numbers
# that belong together. Mix the seed, by a hash, before it is used.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true }' > package.json
npm install --silent --no-audit --no-fund seedrandom@3.0.5
cat > program.mjs <<'PROGRAM'
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const seedrandom = require("seedrandom");
console.log("seedrandom", require("seedrandom/package.json").version);
const makers = { arc4: (s) => seedrandom(s) };
for (const name of ["alea", "tychei", "xor4096", "xor128", "xorwow", "xorshift7"]) makers[name] = seedrandom[name];
const firsts = [0, 1, 2, 3, 4, 5, 6].map((seed) => makers.alea(String(seed))().toFixed(4));
console.log("alea, first number of seeds 0 to 6:", firsts.join(" "));
const isFar = {};
for (const [name, make] of Object.entries(makers)) {
  const x = Array.from({ length: 4002 }, (_, seed) => make(String(seed))());
  const bins = Array(20).fill(0);
  for (let i = 2; i < x.length; i++) bins[Math.floor(20 * ((((x[i] - 2 * x[i - 1] + x[i - 2]) % 1) + 1) % 1))]++;
  const chi = bins.reduce((sum, n) => sum + (n - 200) ** 2 / 200, 0);
  isFar[name] = chi > 100; // 19 degrees of freedom: 43.8 is passed once in a thousand
  console.log(`${name}: chi-squared ${chi.toFixed(0)}, in the first bin ${bins[0]} of 4000`);
}
const far = Object.keys(isFar).filter((name) => isFar[name]).sort().join(" ");
if (far !== "alea xor128 xorshift7 xorwow") throw new Error(`far from independent: ${far}`);
if (firsts.join(" ") !== "0.5945 0.5260 0.4576 0.3891 0.3211 0.2526 0.1841") throw new Error("other numbers");
PROGRAM
node program.mjs
