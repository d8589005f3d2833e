// Damaged and forged files. A seed says which of a sample's files is changed and how, so that every case can be made again.
// Bytes are flipped, cut, doubled and put in; in JSON, and in the JSON in front of safetensors, values take others' places:
// of other types, huge, deep, empty. Next: fuzzSamples.ts for the files and who reads them, fuzz.test.ts.

import { type Random, random } from "../core/index.ts";

/** Values that nobody expects. */
const strange: readonly (() => unknown)[] = [
  ...[null, true, -1, 0, 0.5, 2 ** 31, 2 ** 53, 1e308, "", "x", "\ud800", "__proto__"].map(
    (value) => () => value,
  ),
  () => "a".repeat(100_000),
  () => [],
  () => ({}),
  () => [[1, "a", null]],
  () => JSON.parse(`${"[".repeat(3000)}${"]".repeat(3000)}`),
  () => Array.from({ length: 5000 }, (_, i) => i),
];

function pick<T>(rng: Random, values: readonly T[]): T {
  return values[rng.integer(0, values.length)] as T;
}

/** Changes one place of a JSON value, in place where it can. */
function changeValue(rng: Random, value: unknown): unknown {
  if (typeof value !== "object" || value === null || rng.uniform() < 0.1)
    return pick(rng, strange)();
  const holder = value as Record<string, unknown>;
  const keys = Object.keys(holder);
  if (keys.length === 0) return pick(rng, strange)();
  const key = pick(rng, keys);
  const what = rng.uniform();
  if (what < 0.05) delete holder[key];
  else if (what < 0.1) holder[pick(rng, ["extra", "", "__proto__", `${key}2`])] = holder[key];
  else if (what < 0.15) holder[key] = holder[pick(rng, keys)];
  else holder[key] = changeValue(rng, holder[key]);
  return value;
}

/** Bytes that are damaged anywhere. */
function damaged(rng: Random, bytes: Uint8Array): Uint8Array {
  const [from, to] = [rng.integer(0, bytes.length + 1), rng.integer(0, bytes.length + 1)].sort(
    (a, b) => a - b,
  ) as [number, number];
  const parts = (...list: readonly Uint8Array[]): Uint8Array => Buffer.concat(list);
  switch (rng.integer(0, 5)) {
    case 0:
      return bytes.subarray(0, to);
    case 1:
      return parts(bytes.subarray(0, from), bytes.subarray(to));
    case 2:
      return parts(bytes.subarray(0, to), bytes.subarray(from));
    case 3: {
      const noise = Uint8Array.from({ length: rng.integer(1, 40) }, () => rng.integer(0, 256));
      return parts(bytes.subarray(0, from), noise, bytes.subarray(from));
    }
    default: {
      const copy = Uint8Array.from(bytes);
      for (let i = rng.integer(1, 9); i > 0; i--)
        copy[rng.integer(0, copy.length)] = rng.integer(0, 256);
      return copy;
    }
  }
}

/** JSON, lines of it, or the header of safetensors with other values; null where there is none. */
function forged(rng: Random, bytes: Uint8Array): Uint8Array | null {
  const text = Buffer.from(bytes).toString("utf8");
  const lines = text.trimEnd().split("\n");
  try {
    if (bytes[8] === 0x7b) {
      const end = 8 + Number(Buffer.from(bytes).readBigUInt64LE());
      const header = JSON.parse(Buffer.from(bytes.subarray(8, end)).toString("utf8")) as unknown;
      const json = Buffer.from(JSON.stringify(changeValue(rng, header)));
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(json.length));
      return Buffer.concat([length, json, bytes.subarray(end)]);
    }
    if (text.startsWith("{") && lines.length > 1 && lines[0]?.endsWith("}")) {
      const at = rng.integer(0, lines.length);
      lines[at] = JSON.stringify(changeValue(rng, JSON.parse(lines[at] ?? "")));
      return Buffer.from(lines.join("\n"));
    }
    return Buffer.from(JSON.stringify(changeValue(rng, JSON.parse(text))) ?? "");
  } catch {
    return null;
  }
}

/** A file's bytes, changed as the seed says: often in one place, at times in several. */
export function mutated(seed: string, bytes: Uint8Array): Uint8Array {
  const rng = random(seed);
  let changed = bytes;
  do changed = (rng.uniform() < 0.6 ? forged(rng, changed) : null) ?? damaged(rng, changed);
  while (rng.uniform() < 0.2);
  return changed;
}
