#!/usr/bin/env bash
# Expected: a NaN goes through clipByValue and relu6 as NaN, as it does through relu and maximum, on every backend.
# Seen (tfjs 4.22.0): on cpu it does; on wasm, clipByValue(NaN, -1, 1) is -1 and relu6(NaN) is 0, while relu,
# maximum and minimum keep NaN there. sign(NaN) is 0 on both. pow(1, NaN) is 1 on wasm and NaN on cpu.
# Matters: PPO clips its ratios, and a loss that is clipped looks healthy after its model has become NaN: test for NaN before
# a clip, not behind it, and don't take one backend's NaN for the library's.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
npm install --silent --no-audit --no-fund --prefix . \
  @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 >/dev/null
cat > program.mjs <<'PROGRAM'
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
const seen = {};
for (const backend of ["cpu", "wasm"]) {
  await tf.setBackend(backend);
  const x = tf.tensor([Number.NaN]);
  const made = {
    ...{ clip: tf.clipByValue(x, -1, 1), relu6: tf.relu6(x), relu: tf.relu(x), maximum: tf.maximum(x, 0) },
    ...{ minimum: tf.minimum(x, 0), sign: tf.sign(x), pow: tf.pow(tf.tensor([1]), x) },
  };
  seen[backend] = Object.entries(made).map(([name, y]) => `${name} ${y.dataSync()[0]}`).join(", ");
}
console.log("tfjs", tf.version_core, seen);
const written = {
  cpu: "clip NaN, relu6 NaN, relu NaN, maximum NaN, minimum NaN, sign 0, pow NaN",
  wasm: "clip -1, relu6 0, relu NaN, maximum NaN, minimum NaN, sign 0, pow 1",
};
for (const backend of ["cpu", "wasm"])
  if (seen[backend] !== written[backend]) throw new Error("other than written down");
PROGRAM
node program.mjs 2>&1 | grep -v -e '^$' -e '^====' -e '^Hi, '
