// Checkpoints: that files of others are read as they mean them, that ours are what others read, and that a
// file which lies is refused in one sentence before it costs anything. The kill tests run a child process
// that is killed in the middle of writing.
// Next: nn.tokenizers.test.ts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Tensor, tensor, zeros } from "../core/index.ts";
import {
  bytesAsFile,
  FileError,
  parseLlama2c,
  SafetensorsFile,
  safetensorsBytes,
  type Tensors,
} from "../nn/checkpoints/index.ts";
import {
  loadModel,
  loadSafetensors,
  openFile,
  openSharded,
  openWeights,
  readLlama2c,
  replaceFile,
  saveModel,
  saveSafetensors,
  saveSharded,
} from "../nn/node.ts";
import { holds } from "../testing/property.ts";
import { watched } from "./fileOperations.ts";
import { root, temporaryFolder } from "./folders.ts";

const folder = temporaryFolder("checkpoints");

const data = process.env.TWOHEADS_DATA ?? join(root, "../shared/data");
const stories = join(data, "stories260k/stories260K.bin");
const withStories = existsSync(stories) ? {} : { skip: `needs ${stories} (TWOHEADS_DATA)` };

/** The bytes of a safetensors file with this header and data. */
function file(header: unknown, bytes: number[] | Uint8Array = [], length?: bigint): Uint8Array {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  const out = new Uint8Array(8 + json.length + bytes.length);
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  out.set(json, 8);
  out.set(bytes, 8 + json.length);
  return out;
}

function parse(bytes: Uint8Array): SafetensorsFile {
  return new SafetensorsFile(bytesAsFile("x.safetensors", bytes));
}

async function bytesOf(tensors: Tensors, metadata?: Record<string, string>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of safetensorsBytes(tensors, metadata ? { metadata } : {}))
    chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks)); // a Buffer's slice() would share its memory
}

function refuses(run: () => unknown, ...parts: RegExp[]): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof FileError, `a FileError, not ${String(error)}`);
    for (const part of parts) assert.match(error.message, part);
    return true;
  });
}

function same(a: Tensor | undefined, b: Tensor | undefined): void {
  assert.ok(a && b);
  assert.deepEqual([a.shape, a.dtype, [...a.data]], [b.shape, b.dtype, [...b.data]]);
}

describe("safetensors", () => {
  test("writes the bytes that the reference implementation writes", async () => {
    // from the unit tests of huggingface/safetensors, safetensors/src/tensor.rs
    const floats = [
      0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64, 0, 0, 160, 64,
    ];
    const numbers = Float32Array.of(0, 1, 2, 3, 4, 5);
    const plain = '{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}';
    const padded = '{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       ';
    const a = await bytesOf({ "attn.0": tensor(numbers, { shape: [1, 2, 3] }) });
    const b = await bytesOf({ attn0: tensor(numbers, { shape: [1, 1, 2, 3] }) });
    assert.deepEqual([...a], [...file(plain, floats)]);
    assert.deepEqual([...b], [...file(padded, floats)]);
    assert.deepEqual([...(await bytesOf({}))], [...file("{}      ")]);
    const metadata = '{"__metadata__":{"framework":"pt"}}     ';
    assert.deepEqual([...(await bytesOf({}, { framework: "pt" }))], [...file(metadata)]);
  });

  test("writes wide dtypes first, then by name, and starts the data at a multiple of 8", async () => {
    const bytes = await bytesOf({
      m: tensor([true, false, true]),
      b: tensor([1]),
      a: tensor([2]),
      "7": tensor([1, -1], { dtype: "int32" }),
      d: tensor([0.1], { dtype: "float64" }),
    });
    const { stored } = parse(bytes);
    assert.deepEqual([...stored.keys()], ["d", "a", "b", "7", "m"]);
    assert.equal((stored.get("d")?.start ?? 1) % 8, 0);
    const text = new TextDecoder().decode(bytes.subarray(8, 100));
    assert.match(text, /^\{"d":\{"dtype":"F64","shape":\[1\],"data_offsets":\[0,8\]\},"a"/);
  });

  test("reads every dtype", () => {
    const cases: [type: string, array: ArrayBufferView, dtype: string, values: number[]][] = [
      ["F64", Float64Array.of(0.1, -3), "float64", [0.1, -3]],
      ["F32", Float32Array.of(0.5, -3), "float32", [0.5, -3]],
      ["I64", BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n), "int32", [-(2 ** 31), 2 ** 31 - 1]],
      ["U64", BigUint64Array.of(7n), "int32", [7]],
      ["I32", Int32Array.of(-5, 5), "int32", [-5, 5]],
      ["U32", Uint32Array.of(2 ** 31 - 1), "int32", [2 ** 31 - 1]],
      ["I16", Int16Array.of(-(2 ** 15)), "int32", [-(2 ** 15)]],
      ["U16", Uint16Array.of(2 ** 16 - 1), "int32", [2 ** 16 - 1]],
      ["I8", Int8Array.of(-128, 1), "int32", [-128, 1]],
      ["U8", Uint8Array.of(255), "int32", [255]],
      ["BOOL", Uint8Array.of(1, 0), "bool", [1, 0]],
      ["BF16", Uint16Array.of(0x3f80, 0xc049, 0x7f80), "float32", [1, -3.140625, Infinity]],
      [
        "F16",
        Uint16Array.of(0x3c00, 0xc248, 1, 0x7bff),
        "float32",
        [1, -3.140625, 2 ** -24, 65504],
      ],
      ["F8_E5M2", Uint8Array.of(0x3c, 0x01, 0xfc), "float32", [1, 2 ** -16, -Infinity]],
      ["F8_E4M3", Uint8Array.of(0x38, 0x01, 0xfe), "float32", [1, 2 ** -9, -448]],
    ];
    for (const [type, { buffer, byteLength }, dtype, values] of cases) {
      const header = { x: { dtype: type, shape: [values.length], data_offsets: [0, byteLength] } };
      const x = parse(file(header, new Uint8Array(buffer as ArrayBuffer))).read("x");
      assert.deepEqual([type, x.dtype, [...x.data]], [type, dtype, values]);
    }
  });

  test("all 65,536 patterns of F16 and BF16, and all of F8, are what their formats define", () => {
    const formats: [type: string, e: number, m: number, finite: boolean][] = [
      ["F16", 5, 10, false],
      ["BF16", 8, 7, false],
      ["F8_E5M2", 5, 2, false],
      ["F8_E4M3", 4, 3, true],
    ];
    for (const [type, e, m, finite] of formats) {
      const n = 2 ** (1 + e + m);
      const patterns = Array.from({ length: n }, (_, i) => i);
      const array = n === 256 ? Uint8Array.from(patterns) : Uint16Array.from(patterns);
      const header = { x: { dtype: type, shape: [n], data_offsets: [0, array.byteLength] } };
      const read = parse(file(header, new Uint8Array(array.buffer))).read("x").data;
      for (const pattern of patterns) {
        const [sign, top] = [pattern < n / 2 ? 1 : -1, 2 ** e - 1];
        const [exponent, mantissa] = [(pattern >> m) % 2 ** e, pattern % 2 ** m];
        const bias = 2 ** (e - 1) - 1;
        let value = sign * (exponent === 0 ? 0 : 1) + (sign * mantissa) / 2 ** m;
        value *= 2 ** (Math.max(exponent, 1) - bias);
        if (exponent === top && !finite) value = mantissa === 0 ? sign * Infinity : Number.NaN;
        if (exponent === top && finite && mantissa === 7) value = Number.NaN;
        assert.ok(
          Object.is(read[pattern], value),
          `${type} ${pattern}: ${read[pattern]}, ${value}`,
        );
      }
    }
  });

  test("numbers that core can't hold are errors", () => {
    const one = (dtype: string, bytes: Uint8Array) =>
      parse(file({ x: { dtype, shape: [1], data_offsets: [0, bytes.length] } }, bytes)).read("x");
    const eight = (value: bigint) => new Uint8Array(BigInt64Array.of(value).buffer);
    refuses(
      () => one("I64", eight(2n ** 31n)),
      /x\.safetensors: "x": I64 2147483648 at 0 is no int32/,
    );
    refuses(() => one("U64", eight(-1n)), /U64 18446744073709551615 at 0 is no int32/);
    refuses(() => one("U32", Uint8Array.of(0, 0, 0, 128)), /U32 2147483648 at 0 is no int32/);
    refuses(() => one("BOOL", Uint8Array.of(2)), /BOOL 2 at 0 is no bool/);
  });

  test("what is written is read: shapes, numbers, names, metadata", async () => {
    const draws: { tensors: Tensors; metadata: Record<string, string> }[] = [];
    const name = fc.string({ unit: "grapheme" }).filter((text) => text !== "__metadata__");
    const shape = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 });
    const drawn = fc.record({
      tensors: fc.dictionary(name, shape.chain(tensorOf), { maxKeys: 5 }),
      metadata: fc.dictionary(fc.string(), fc.string({ unit: "grapheme" }), { maxKeys: 3 }),
    });
    fc.assert(
      fc.property(drawn, (each) => void draws.push(each)),
      { numRuns: 50 },
    );
    for (const { tensors, metadata } of draws) {
      const read = parse(await bytesOf(tensors, metadata));
      assert.deepEqual(Object.fromEntries(read.metadata), { ...metadata });
      assert.deepEqual([...read.stored.keys()].sort(), Object.keys(tensors).sort());
      for (const [key, x] of Object.entries(tensors)) same(read.read(key), x);
    }
  });

  test("reads only what is asked for", async () => {
    const path = join(folder, "lazy.safetensors");
    await saveSafetensors(path, { big: zeros([100_000]), small: tensor([1, 2]) });
    const source = openFile(path);
    let bytes = 0;
    const counted = {
      ...source,
      read: (...args: Parameters<typeof source.read>) => {
        bytes += args[2];
        return source.read(...args);
      },
    };
    const opened = new SafetensorsFile(counted);
    same(opened.read("small"), tensor([1, 2]));
    opened.close();
    assert.ok(bytes < 300, `${bytes} bytes read`);
    assert.deepEqual(Object.keys(loadSafetensors(path, ["small"])), ["small"]);
    refuses(() => loadSafetensors(path, ["wide"]), /holds no tensor "wide"; it holds big, small/);
  });
});

function tensorOf(shape: number[]): fc.Arbitrary<Tensor> {
  const size = shape.reduce((a, b) => a * b, 1);
  const exactly = { minLength: size, maxLength: size };
  return fc.oneof(
    fc
      .array(fc.float({ noNaN: true }), exactly)
      .map((x) => tensor(Float32Array.from(x), { shape })),
    fc
      .array(fc.double({ noNaN: true }), exactly)
      .map((x) => tensor(Float64Array.from(x), { shape })),
    fc.array(fc.integer(), exactly).map((x) => tensor(Int32Array.from(x), { shape })),
    fc.array(fc.nat(1), exactly).map((x) => tensor(Uint8Array.from(x), { shape })),
  );
}

describe("hostile safetensors", () => {
  const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32") => {
    return { dtype, shape, data_offsets: [begin, end] };
  };
  const twelve = new Uint8Array(12);
  const cases: [what: string, bytes: Uint8Array, ...parts: RegExp[]][] = [
    [
      "nothing",
      new Uint8Array(0),
      /^x\.safetensors: header length: needs bytes 0 to 8, the file has 0/,
    ],
    ["7 bytes", new Uint8Array(7), /the file has 7/],
    ["a header of 2^60 bytes", file("{}", [], 2n ** 60n), /header length: is 1152921504606846976/],
    [
      "a header of 2^64-1 bytes",
      file("{}", [], 2n ** 64n - 1n),
      /header length: is 1844674407370955/,
    ],
    ["a header one byte too long", file("{}", [], 3n), /header length: is 3 bytes, at most 2/],
    ["an empty header", file(""), /header: doesn't begin with \{/],
    ["a space in front", file(" {}"), /header: doesn't begin with \{/],
    ["no JSON", file("{a}"), /header: is not JSON/],
    ["two values", file("{}{}"), /header: is not JSON/],
    ["wrong UTF-8", file("{}").map((byte, i) => (i === 9 ? 0xff : byte)), /header: is not UTF-8/],
    ["deep nesting", file(`{"a":${"[".repeat(99999)}`), /header: nests deeper than 64/],
    [
      "the same name twice",
      file('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"\\u0061":1}'),
      /header: the key "a" stands twice/,
    ],
    [
      "the same field twice",
      file('{"a":{"dtype":"F32","dtype":"F64","shape":[],"data_offsets":[0,4]}}'),
      /the key "dtype" stands twice/,
    ],
    ["an array", file({ a: [] }), /header\.a: needs an object, got \[\]/],
    ["no dtype", file({ a: { shape: [], data_offsets: [0, 4] } }), /header\.a\.dtype: missing/],
    [
      "an unknown dtype",
      file({ "w.b": entry(0, 4, [1], "F4") }, [0, 0, 0, 0]),
      /header\["w\.b"\]\.dtype: F4 can't be read; known are F64, F32/,
    ],
    ["a dtype of Object", file({ a: entry(0, 4, [1], "toString") }), /toString can't be read/],
    ["no shape", file({ a: { dtype: "F32", data_offsets: [0, 4] } }), /header\.a\.shape: missing/],
    [
      "a negative side",
      file({ a: entry(0, 4, [-1]) }, [0, 0, 0, 0]),
      /shape\[0\]: needs a whole number/,
    ],
    [
      "half a side",
      file({ a: entry(0, 4, [0.5]) }, [0, 0, 0, 0]),
      /shape\[0\]: needs a whole number/,
    ],
    [
      "a shape that overflows",
      file({ a: entry(0, 0, [2 ** 32, 2 ** 32, 0]) }),
      /\.shape: \[4294967296,4294967296,0\] is larger/,
    ],
    [
      "a shape that wraps to its size",
      file({ a: entry(0, 4, [2 ** 52 + 1, 4096]) }, [0, 0, 0, 0]),
      /is larger than any file/,
    ],
    [
      "one offset",
      file({ a: { dtype: "F32", shape: [], data_offsets: [0] } }),
      /data_offsets: needs \[begin, end\]/,
    ],
    [
      "three offsets",
      file({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4, 8] } }),
      /data_offsets: needs/,
    ],
    [
      "offsets backwards",
      file({ a: { dtype: "F32", shape: [1], data_offsets: [4, 0] } }, twelve),
      /begin <= end/,
    ],
    [
      "offsets beyond 2^53",
      file({ a: { dtype: "F32", shape: [1], data_offsets: [2 ** 60, 2 ** 60 + 4] } }),
      /data_offsets\[0\]: needs a whole number/,
    ],
    [
      "a range that isn't the shape's",
      file({ a: entry(0, 8, [1]) }, twelve),
      /holds 8 bytes, but F32 of shape \[1\] has 4/,
    ],
    [
      "an overlap",
      file({ a: entry(0, 8), b: entry(4, 12) }, twelve),
      /header\["b"\]\.data_offsets: overlaps "a"/,
    ],
    ["the same range twice", file({ a: entry(0, 12), b: entry(0, 12) }, twelve), /overlaps "a"/],
    [
      "a hole",
      file({ a: entry(0, 4), b: entry(8, 12) }, twelve),
      /header\["b"\]\.data_offsets: leaves a hole of 4 bytes after "a"/,
    ],
    [
      "a late start",
      file({ a: entry(8, 12) }, twelve),
      /leaves a hole of 8 bytes after the header/,
    ],
    ["bytes at the end", file({ a: entry(0, 4) }, twelve), /8 bytes after "a" belong to nothing/],
    [
      "truncated data",
      file({ a: entry(0, 12) }, twelve.subarray(1)),
      /ends 1 bytes after the end of the file/,
    ],
    [
      "a range far outside",
      file({ a: entry(0, 4e15) }, twelve),
      /ends 3999999999999988 bytes after the end/,
    ],
    [
      "metadata that is no text",
      file({ __metadata__: { a: 1 } }),
      /header\.__metadata__\.a: needs a string, got 1/,
    ],
  ];
  for (const [what, bytes, ...parts] of cases) {
    test(what, () => refuses(() => parse(bytes), ...parts));
  }

  test("a tensor called __proto__ is a tensor", () => {
    const header = `{"__proto__":${JSON.stringify(entry(0, 12))}}`;
    const read = parse(file(header, twelve));
    assert.deepEqual([...read.stored.keys()], ["__proto__"]);
    assert.deepEqual(read.read("__proto__").shape, [3]);
  });

  test("a valid file with some bytes changed gives a FileError, or tensors inside the file", async () => {
    const valid = await bytesOf(
      {
        weight: tensor([
          [1, 2],
          [3, 4],
        ]),
        ids: tensor([5, 6], { dtype: "int32" }),
        mask: tensor([true]),
      },
      { format: "pt" },
    );
    const telling = [...new TextEncoder().encode('0123456789"{}[],:')];
    let read = 0;
    holds(
      "mutated safetensors",
      (d) =>
        Array.from({ length: d.integer(1, 3) }, () => {
          const at = Math.floor(d.rng.uniform() * valid.length);
          return [at, d.pick(d.integer(0, 255), d.pick(...telling))] as const;
        }),
      (changes) => {
        const bytes = valid.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          const mutated = parse(bytes);
          for (const [name, { start, length }] of mutated.stored) {
            assert.ok(start >= 8 && start + length <= bytes.length);
            mutated.read(name);
            read++;
          }
        } catch (error) {
          if (!(error instanceof FileError)) throw error;
          assert.match(error.message, /^x\.safetensors: /);
        }
      },
      { runs: 3000 },
    );
    assert.ok(read > 300, `some mutations leave a readable file, not ${read}`);
  });

  test("a file cut anywhere is an error", async () => {
    const valid = await bytesOf({
      w: tensor([
        [1, 2],
        [3, 4],
      ]),
      m: tensor([true, false]),
    });
    for (let n = 0; n < valid.length; n++) refuses(() => parse(valid.subarray(0, n)));
    assert.equal(parse(valid).stored.size, 2);
  });

  test("what isn't a file is said", () => {
    refuses(
      () => loadSafetensors(join(folder, "none.safetensors")),
      /none\.safetensors: there is no such file/,
    );
    refuses(() => loadSafetensors(folder), /is no regular file/);
  });
});

describe("models in folders", () => {
  const config = { model_type: "llama", hidden_size: 4 };
  const stateDict = {
    "model.norm.weight": tensor([1, 2, 3, 4]),
    "model.embed_tokens.weight": tensor([
      [1, 2],
      [3, 4],
    ]),
    ids: tensor([7], { dtype: "int32" }),
  };

  test("config, weights and metadata come back", async () => {
    const path = join(folder, "single");
    await saveModel(path, { config, stateDict, metadata: { step: "12" } });
    const loaded = loadModel(path);
    assert.deepEqual(loaded.config, config);
    assert.deepEqual(Object.fromEntries(loaded.metadata), { format: "pt", step: "12" });
    for (const [name, x] of Object.entries(stateDict)) same(loaded.tensors[name], x);
    assert.deepEqual(readdirSync(path).sort(), ["config.json", "model.safetensors"]);
  });

  test("shards behind an index, saved again and again, then as one file", async () => {
    const path = join(folder, "shards");
    await saveModel(path, { config, stateDict });
    for (let save = 1; save <= 3; save++) {
      const changed = { ...stateDict, ids: tensor([save], { dtype: "int32" }) };
      await saveModel(path, { config, stateDict: changed, shardBytes: 20 });
      const loaded = loadModel(path);
      for (const [name, x] of Object.entries(changed)) same(loaded.tensors[name], x);
      assert.equal(loaded.metadata.get("format"), "pt");
      const shards = readdirSync(path).filter((name) => name.endsWith(".safetensors"));
      assert.deepEqual(shards, [
        `model-g${save}-00001-of-00002.safetensors`,
        `model-g${save}-00002-of-00002.safetensors`,
      ]);
    }
    const index = JSON.parse(readFileSync(join(path, "model.safetensors.index.json"), "utf8"));
    assert.equal(index.metadata.total_size, 36);
    assert.deepEqual(Object.keys(index.weight_map), Object.keys(stateDict));
  });

  test("shards are known by their SHA-256: one flipped bit is told, and an index of others has none", async () => {
    const path = join(folder, "flipped");
    await saveModel(path, { config, stateDict, shardBytes: 20 });
    const shard = join(path, "model-g1-00002-of-00002.safetensors");
    const whole = readFileSync(shard);
    writeFileSync(
      shard,
      whole.map((byte, i) => (i === whole.length - 1 ? byte ^ 1 : byte)),
    );
    refuses(
      () => loadModel(path),
      /model-g1-00002-of-00002\.safetensors: is damaged, or another model's: its SHA-256/,
    );
    const index = join(path, "model.safetensors.index.json");
    const { metadata, ...rest } = JSON.parse(readFileSync(index, "utf8"));
    assert.equal(Object.keys(metadata.sha256).length, 2);
    writeFileSync(index, JSON.stringify({ ...rest, metadata: { total_size: 36 } }));
    loadModel(path);
    writeFileSync(index, JSON.stringify({ ...rest, metadata: { sha256: { [shard]: 3 } } }));
    refuses(() => loadModel(path), /metadata\.sha256.*needs a string/);
  });

  test("an index that is wrong is an error", async () => {
    const path = join(folder, "wrong");
    const index = join(path, "model.safetensors.index.json");
    await saveSafetensors(join(path, "a.safetensors"), { x: tensor([1]), y: tensor([2]) });
    const write = (map: unknown) => writeFileSync(index, JSON.stringify({ weight_map: map }));
    write({ x: "../a.safetensors", y: "a.safetensors" });
    refuses(
      () => openSharded(index),
      /index\.json: weight_map\.x: "\.\.\/a\.safetensors" is no name/,
    );
    write({ x: "a.safetensors", y: "a.safetensors", "z.w": "a.safetensors" });
    refuses(() => openSharded(index), /weight_map\["z\.w"\]: a\.safetensors holds no such tensor/);
    write({ x: "a.safetensors" });
    refuses(
      () => openSharded(index),
      /weight_map\["y"\]: doesn't name a\.safetensors, which holds it/,
    );
    write({ x: "b.safetensors" });
    refuses(() => openSharded(index), /b\.safetensors: there is no such file/);
    write([]);
    refuses(() => openSharded(index), /weight_map: needs an object/);
    write({ x: "a.safetensors", y: "a.safetensors" });
    const opened = openWeights(path);
    same(opened.read("y"), tensor([2]));
    refuses(() => opened.read("q"), /has no "q"/);
    opened.close();
    await assert.rejects(
      saveSharded(join(path, "x.json"), {}, { shardBytes: 1 }),
      /doesn't end in/,
    );
    refuses(() => openWeights(folder), /holds neither model\.safetensors nor/);
  });
});

describe("a killed writer", () => {
  const files = join(root, "nn/checkpoints/files.ts");
  const tsx = ["--import", import.meta.resolve("tsx"), "--input-type=module", "--eval"];
  const path = join(folder, "killed", "weights.bin");
  const size = 1 << 20;
  const start = `import { replaceFile } from ${JSON.stringify(files)};
    const path = ${JSON.stringify(path)};
    const chunk = (byte) => new Uint8Array(${size} / 4).fill(byte);
    await replaceFile(path, [1, 1, 1, 1].map(chunk));`;

  /** The one byte that the whole file consists of. */
  function onlyByte(): number {
    const bytes = readFileSync(path);
    assert.equal(bytes.length, size);
    const [first = -1] = bytes;
    assert.ok(
      bytes.every((byte) => byte === first),
      "the file is of one piece",
    );
    return first;
  }

  test("in the middle of writing leaves the old file", () => {
    const program = `${start}
      await replaceFile(path, (function* () {
        yield chunk(2);
        yield chunk(2);
        process.kill(process.pid, "SIGKILL");
      })());`;
    assert.throws(() => execFileSync(process.execPath, [...tsx, program], { stdio: "ignore" }));
    assert.equal(onlyByte(), 1);
  });

  test("at any moment leaves the old file or a new one", async () => {
    const write = (byte: number) =>
      replaceFile(
        path,
        [0, 0, 0, 0].map(() => new Uint8Array(size / 4).fill(byte)),
      );
    await write(1);
    const found: number[] = [];
    await watched(
      () => found.push(onlyByte()), // as somebody finds it who comes between two calls
      () => write(2),
    );
    assert.deepEqual([found.includes(1), found.at(-1), onlyByte()], [true, 2, 2]);
    assert.ok(found.length > 8, `${found}`);
  });

  test("of shards leaves the old model whole", () => {
    const place = join(folder, "killed-shards");
    const program = `import { saveModel } from ${JSON.stringify(join(root, "nn/node.ts"))};
      import { tensor } from ${JSON.stringify(join(root, "core/index.ts"))};
      const save = (a, b) => saveModel(${JSON.stringify(place)},
        { config: {}, stateDict: { a: tensor([a]), b }, shardBytes: 4 });
      await save(1, tensor([2]));
      const deadly = tensor([4]);
      deadly.read = () => process.kill(process.pid, "SIGKILL");
      await save(3, deadly);`;
    assert.throws(() => execFileSync(process.execPath, [...tsx, program], { stdio: "ignore" }));
    assert.ok(existsSync(join(place, "model-g2-00001-of-00002.safetensors")), "half of it is new");
    const { tensors } = loadModel(place);
    assert.deepEqual([tensors.a?.toArray(), tensors.b?.toArray()], [[1], [2]]);
  });

  test("leaves a temporary file that goes with a later save", async () => {
    const place = join(folder, "killed");
    const leftovers = () => readdirSync(place).filter((name) => name.endsWith(".tmp"));
    const long = new Date(Date.now() - 2 * 3_600_000);
    const dead = `${hostname().replaceAll(/[^\w-]/g, "")}-4999999-t0-0`;
    const at = (name: string): string => join(place, `.weights.bin.${name}.tmp`);
    const [elsewhere, old, young] = [at("other-1-t0-0"), at("123-old-0"), at("123-young-0")];
    for (const name of [elsewhere, old, young, at(dead)]) writeFileSync(name, "");
    utimesSync(old, long, long);
    await replaceFile(path, [Uint8Array.of(9)]);
    const stay = [young, elsewhere].map((name) => basename(name));
    assert.deepEqual(leftovers(), stay, "those that may still be written to, elsewhere or unknown");
    assert.deepEqual([...readFileSync(path)], [9]);
  });

  test("an error while writing leaves the old file and nothing else", async () => {
    const place = join(folder, "failed");
    const target = join(place, "a.bin");
    await replaceFile(target, [Uint8Array.of(1)]);
    const failing = (function* () {
      yield Uint8Array.of(2);
      throw new Error("no more");
    })();
    await assert.rejects(replaceFile(target, failing), /no more/);
    assert.deepEqual([readdirSync(place), [...readFileSync(target)]], [["a.bin"], [1]]);
  });
});

describe("llama2.c", () => {
  /** A file of these seven numbers and as many float32 1, 2, 3, ... as asked. */
  function bin(header: number[], floats: number): Uint8Array {
    const numbers = Float32Array.from({ length: floats }, (_, i) => i + 1);
    return Buffer.concat([
      new Uint8Array(Int32Array.from(header).buffer),
      new Uint8Array(numbers.buffer),
    ]);
  }
  const read = (bytes: Uint8Array) => parseLlama2c(bytesAsFile("m.bin", bytes));
  // dim 4, hidden 3, 1 layer, 1 head, 1 kv head, 2 tokens, context 2
  const header = [4, 3, 1, 1, 1, 2, 2];
  const body = 2 * 4 + 4 + 4 * 16 + 4 + 3 * 12 + 4;
  const tables = 2 * 2 * 2;

  test("every block has its name, and rotated rows change places", () => {
    const { tensors, config } = read(bin(header, body + tables));
    const first = (name: string) => tensors[name]?.data[0];
    assert.equal(first("model.embed_tokens.weight"), 1);
    assert.equal(first("model.layers.0.input_layernorm.weight"), 9);
    // rows 0, 1, 2, 3 of wq are the pairs (0, 1) and (2, 3): first halves 0, 2, then second halves 1, 3
    const wq = [13, 14, 15, 16, 21, 22, 23, 24, 17, 18, 19, 20, 25, 26, 27, 28];
    assert.deepEqual([...(tensors["model.layers.0.self_attn.q_proj.weight"]?.data ?? [])], wq);
    const wk = wq.map((n) => n + 16);
    assert.deepEqual([...(tensors["model.layers.0.self_attn.k_proj.weight"]?.data ?? [])], wk);
    assert.equal(first("model.layers.0.self_attn.v_proj.weight"), 45);
    assert.equal(first("model.layers.0.self_attn.o_proj.weight"), 61);
    assert.equal(first("model.layers.0.post_attention_layernorm.weight"), 77);
    assert.equal(first("model.layers.0.mlp.gate_proj.weight"), 81);
    assert.deepEqual(tensors["model.layers.0.mlp.down_proj.weight"]?.shape, [4, 3]);
    assert.equal(first("model.layers.0.mlp.up_proj.weight"), 105);
    assert.equal(first("model.norm.weight"), 117);
    assert.equal(Object.keys(tensors).length, 11);
    assert.equal(config.tie_word_embeddings, true);
  });

  test("a negative vocabulary means an output matrix of its own", () => {
    const { tensors, config } = read(bin(header.with(5, -2), body + tables + 8));
    assert.deepEqual(tensors["lm_head.weight"]?.toArray(), [
      [129, 130, 131, 132],
      [133, 134, 135, 136],
    ]);
    assert.equal(config.tie_word_embeddings, false);
  });

  test("files that lie are refused", () => {
    const good = bin(header, body + tables);
    refuses(
      () => read(good.subarray(0, 20)),
      /m\.bin: header: needs bytes 0 to 28, the file has 20/,
    );
    refuses(() => read(good.subarray(0, -1)), /has 539 bytes; its header asks for 540/);
    refuses(() => read(bin(header, body)), /its header asks for/);
    refuses(() => read(bin(header.with(0, 0), body)), /m\.bin: dim: is 0, must be > 0/);
    refuses(() => read(bin(header.with(2, -3), body)), /n_layers: is -3, must be > 0/);
    refuses(
      () => read(bin(header.with(5, -(2 ** 31)), body)),
      /vocab_size: is 2147483648, too large/,
    );
    refuses(() => read(bin(header.with(2, 100), body)), /its header asks for/);
    refuses(() => read(bin(header.with(3, 3), body)), /n_heads: 3 heads don't divide dim 4/);
    refuses(
      () => read(bin([4, 3, 1, 2, 3, 2, 2], body)),
      /n_kv_heads: 3 heads don't divide n_heads 2/,
    );
    refuses(() => read(bin(header.with(3, 4), body)), /a head of width 1 has no pairs/);
    refuses(() => read(bin(header.with(0, 0x616b3432), body)), /begins with "ak42"/);
  });

  test("stories260K becomes a LlamaForCausalLM that survives a folder", withStories, async () => {
    const model = readLlama2c(stories);
    assert.equal(Object.keys(model.tensors).length, 2 + 5 * 9);
    const size = Object.values(model.tensors).reduce((sum, x) => sum + x.size, 0);
    assert.equal(size, 260_032);
    const path = join(folder, "stories");
    await saveModel(path, { config: model.config, stateDict: model.tensors });
    const loaded = loadModel(path);
    assert.deepEqual(loaded.config, model.config);
    for (const [name, x] of Object.entries(model.tensors)) same(loaded.tensors[name], x);
  });
});
