// What a learner reads: printed tensors, the tape in its three forms, parameter trees. The expected text
// stands here in full, so that this page is also the specification of the print.
// Next: ../core/show.ts, ../core/showTape.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import {
  arange,
  type Draw,
  noGrad,
  showTape,
  showTree,
  type TapeRecord,
  type Tensor,
  tapeOf,
  tapeToDot,
  tapeToJSON,
  tensor,
  zeros,
} from "../core/index.ts";
import { holds } from "../testing/property.ts";

const lines = (...text: readonly string[]): string => text.join("\n");

describe("printing a tensor", () => {
  const prints = (x: Tensor, ...text: readonly string[]): void =>
    assert.equal(String(x), lines(...text));

  test("floats show four decimals at most", () => {
    prints(tensor(1.5), "1.5");
    prints(tensor([0.76159, 1, -0, 10, 100.5]), "[0.7616, 1, 0, 10, 100.5]");
    prints(tensor([Number.NaN, Infinity, -Infinity]), "[nan, inf, -inf]");
  });

  test("very large and very small ones make the whole tensor exponential", () => {
    prints(tensor([1e6, 1]), "[1e+6, 1e+0]");
    prints(tensor([1e-5, 2.5, 0]), "[1e-5, 2.5e+0, 0]");
    prints(tensor([1e-4, 1]), "[0.0001, 1]");
    prints(tensor([2_000_000], { dtype: "int32" }), "[2000000]");
  });

  test("columns are aligned, matrices set apart", () => {
    prints(tensor([[-12.5], [3]]), "[[-12.5],", " [    3]]");
    prints(tensor([[true], [false]]), "[[ true],", " [false]]");
    const cube = arange(8).reshape([2, 2, 2]);
    prints(cube, "[[[0, 1],", "  [2, 3]],", "", " [[4, 5],", "  [6, 7]]]");
    prints(zeros([0, 3]), "[]");
  });

  test("large tensors show their corners", () => {
    prints(arange(2000), "[0, 1, 2, ..., 1997, 1998, 1999]");
    prints(
      arange(2000).reshape([1000, 2]),
      ...["[[   0,    1],", " [   2,    3],", " [   4,    5],", " ...,"],
      ...[" [1994, 1995],", " [1996, 1997],", " [1998, 1999]]"],
    );
  });

  test("the console shows dtype, name and shape, and says why numbers are missing", () => {
    const w = tensor([1, 2, 3, 4], { shape: [2, 2], requiresGrad: true, name: "w" });
    assert.equal(
      inspect(w),
      lines("w:f32[2,2] requiresGrad [[1, 2],", "                         [3, 4]]"),
    );
    const gone = tensor([1]);
    gone.release();
    assert.match(inspect(gone), /^f32\[1\] \(.*released by x\.release\(\)/);
  });
});

describe("printing the tape", () => {
  const x = tensor([[1, 2, 3]], { requiresGrad: true });
  const w = tensor([4, 5, 6], { name: "b" });

  test("a line for each tensor, constants by their value", () => {
    assert.equal(
      showTape(x.mul(w).add(0.5).reshape([3])),
      lines(
        "a:f32[1,3] leaf requiresGrad",
        "b:f32[3] leaf",
        "c:f32[1,3] = mul a b",
        "d:f32[1,3] = add c 0.5",
        "e:f32[3] = reshape d [3]",
      ),
    );
  });

  test("two tensors of one name stay apart, and released graphs say so", () => {
    const y = x.mul(w).named("b").sum().named("loss");
    assert.match(showTape(y), /^b_2:f32\[1,3\] = mul a b$/m);
    y.backward();
    assert.equal(showTape(y), "loss:f32[] = sum (released)");
    assert.equal(showTape(noGrad(() => x.neg())), "a:f32[1,3] leaf");
  });

  test("JSON carries the same record", () => {
    const y = x.clamp({ min: 0 });
    const record = tapeOf(y);
    assert.deepEqual(JSON.parse(tapeToJSON(y)), record);
    assert.deepEqual(record.outputs, ["b"]);
    const { op, inputs, options } = record.lines[1] ?? {};
    assert.deepEqual(
      { op, inputs, options },
      { op: "clamp", inputs: ["a"], options: [{ min: 0 }] },
    );
  });

  test("a drawing escapes what it quotes", () => {
    const dot = tapeToDot(x.mul(2).named('say "y"\\'));
    assert.match(dot, /^digraph tape \{\n/);
    assert.ok(dot.includes('label="mul 2\\nsay \\"y\\"\\\\:f32[1,3]"'), dot);
    assert.ok(dot.includes("n0 -> n1;"));
  });

  test("a chain of 100,000 ops does not overflow", () => {
    let y = tensor(0, { requiresGrad: true });
    for (let i = 0; i < 100_000; i++) y = y.neg();
    assert.equal(tapeOf(y).lines.length, 100_001);
  });
});

test("a parameter tree prints with counts", () => {
  const shared = zeros([4, 4]);
  const tree = { blocks: [{ weight: shared, bias: zeros([4]) }], head: { tied: shared } };
  assert.equal(
    showTree(tree),
    lines(
      "blocks                20",
      "  0                   20",
      "    weight  f32[4,4]  16",
      "    bias    f32[4]     4",
      "20 numbers in 2 tensors, 80 bytes",
    ),
  );
  assert.equal(showTree(zeros([2])), lines("tensor  f32[2]  2", "2 numbers in 1 tensor, 8 bytes"));
});

function example(): { x: Tensor; w: Tensor; y: Tensor } {
  const x = tensor(
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    { name: "x" },
  );
  const w = tensor([1, 0, -1], { name: "w", requiresGrad: true });
  return { x, w, y: x.mul(w).mul(2).sum({ dims: 1, keepDims: true }).named("y") };
}

describe("drawn and whole", () => {
  test("small tensors read back as they were", () => {
    holds(
      "read back",
      (d: Draw) => d.tensor(d.shape({ minRank: 1, minSide: 1 })),
      (x) => {
        assert.deepEqual(JSON.parse(String(x)), JSON.parse(JSON.stringify(x.toArray())));
      },
    );
  });
  test("of a leaf, of a constant, of several outputs", () => {
    const x = tensor([1], { requiresGrad: true });
    assert.equal(showTape(x), "a:f32[1] leaf requiresGrad");
    assert.equal(showTape(noGrad(() => x.exp())), "a:f32[1] leaf");
    const h = x.exp();
    assert.equal(
      showTape([h.sin(), h.cos()]),
      "a:f32[1] leaf requiresGrad\nb:f32[1] = exp a\nc:f32[1] = sin b\nd:f32[1] = cos b",
    );
  });
  test("as data and as JSON", () => {
    const { y } = example();
    const record = tapeOf(y);
    assert.deepEqual(JSON.parse(tapeToJSON(y)) as TapeRecord, record);
    assert.deepEqual(record.outputs, ["y"]);
    assert.deepEqual(
      record.lines.map((line) => line.id),
      [0, 1, 2, 3, 4],
    );
    assert.deepEqual(record.lines[4], {
      id: 4,
      name: "y",
      op: "sum",
      inputs: ["b"],
      options: [{ dims: [1], keepDims: true }],
      shape: [2, 1],
      dtype: "float32",
      requiresGrad: true,
    });
    const clamped = tensor([1], { requiresGrad: true }).clamp({ min: -Infinity, max: 1 });
    assert.deepEqual((JSON.parse(tapeToJSON(clamped)) as TapeRecord).lines[1]?.options, [
      { min: "-Infinity", max: 1 },
    ]);
  });
  test("every input of a drawn record is an earlier line or a number", () => {
    const draw = (d: Draw): readonly ("exp" | "add" | "mul")[] =>
      Array.from({ length: d.integer(0, 8) }, () => d.pick("exp", "add", "mul"));
    holds("record", draw, (ops) => {
      let y: Tensor = tensor([1], { requiresGrad: true });
      for (const op of ops) y = op === "exp" ? y.exp() : op === "add" ? y.add(3) : y.mul(y);
      const { lines } = tapeOf(y);
      const known = new Set<string>();
      for (const line of lines) {
        for (const input of line.inputs) assert.ok(known.has(input) || input === "3");
        assert.ok(!known.has(line.name));
        known.add(line.name);
      }
      assert.equal(lines.length, ops.length + 1);
    });
  });
  test("as Graphviz DOT", () => {
    const w = tensor([1, 2], { name: 'a "w"', requiresGrad: true });
    assert.equal(
      tapeToDot(w.mul(3).mul(w).named("y")),
      [
        "digraph tape {",
        "  rankdir=TB;",
        '  n0 [shape=box, label="leaf\\na \\"w\\":f32[2]"];',
        '  n1 [shape=ellipse, label="mul 3\\na:f32[2]"];',
        "  n0 -> n1;",
        '  n2 [shape=ellipse, label="mul\\ny:f32[2]"];',
        "  n1 -> n2;",
        "  n0 -> n2;",
        "}",
      ].join("\n"),
    );
  });
});
