#!/usr/bin/env bash
# Expected: a kernel of gpu.js computes with integers as JavaScript does, in every mode that runs without a GPU.
# Seen (gpu.js 2.24.1): mode cpu does; mode webasm takes numbers to int32 by cutting them off at the ends instead of modulo
# 2^32, and knows no unsigned numbers: 3000000000 | 0 is 2147483648 (as float32; right is -1294967296), -1 >>> 0 is -1, and
# Math.imul(3000000000, 3) is 2147483648 (right is 410065408). The remainder is computed as a - b * trunc(a / b): 1 % Infinity is NaN.
# Matters: random bits inside a kernel (hashes and counters for dropout, sampling) are other bits in each mode; keep such
# states below 2^31, or draw on the host and pass the numbers in.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix . gpu.js@2.24.1 >/dev/null
cat > program.cjs <<'PROGRAM'
const { GPU } = require("gpu.js");
const bodies = {
  or: ["return a[this.thread.x] | b[this.thread.x];", 3e9, 0],
  unsigned: ["return a[this.thread.x] >>> b[this.thread.x];", -1, 0],
  imul: ["return Math.imul(a[this.thread.x], b[this.thread.x]);", 3e9, 3],
  remainder: ["return a[this.thread.x] % b[this.thread.x];", 1, Infinity],
};
const seen = {};
for (const mode of ["cpu", "webasm"]) {
  const gpu = new GPU({ mode });
  seen[mode] = Object.entries(bodies).map(([name, [body, a, b]]) => {
    const kernel = gpu.createKernel(new Function("a", "b", body), { output: [1] });
    return `${name} ${kernel([a], [b])[0]}`;
  }).join(", ");
  gpu.destroy();
}
console.log("gpu.js 2.24.1", seen);
const written = {
  cpu: "or -1294967296, unsigned 4294967296, imul 410065408, remainder 1",
  webasm: "or 2147483648, unsigned -1, imul 2147483648, remainder NaN",
};
for (const mode of ["cpu", "webasm"])
  if (seen[mode] !== written[mode]) throw new Error("other than written down");
PROGRAM
node program.cjs
