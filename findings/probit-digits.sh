#!/usr/bin/env bash
# Expected: probit(0.975) is the 1.95996 of every table, and the normal distribution goes on beyond z = 3.
# Seen (simple-statistics 7.8.8): probit(0.975) is 1.9572 and probit(0.001) is -3.0801 (right: -3.0902);
# cumulativeStdNormalProbability reads a table of two digits of z, and is 0.999 at z = 3.5 and at z = 5
# (right: 0.99977 and 0.9999997), so that a p-value below 0.001 can't come out of it.
# Matters: intervals, power and p-values of comparisons that are computed in JavaScript.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund --prefix . simple-statistics@7.8.8
node --input-type=module <<'PROGRAM'
import { readFileSync } from "node:fs";
import { cumulativeStdNormalProbability, probit } from "simple-statistics";
console.log("simple-statistics", JSON.parse(readFileSync("node_modules/simple-statistics/package.json", "utf8")).version);
const seen = {
  "probit(0.975)": probit(0.975).toFixed(4),
  "probit(0.001)": probit(0.001).toFixed(4),
  "P(Z < 3.5)": String(cumulativeStdNormalProbability(3.5)),
  "P(Z < 5)": String(cumulativeStdNormalProbability(5)),
};
console.log(seen);
const expected = ["1.9572", "-3.0801", "0.999", "0.999"];
if (Object.values(seen).join(" ") !== expected.join(" ")) throw new Error("other numbers than written down");
PROGRAM
