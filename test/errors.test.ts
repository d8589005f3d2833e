// What a person gets wrong, and what they read then: every mistake below must throw the right kind of
// TwoheadsError, with a message that begins with the op, shows the shapes that met, and ends with what to
// do. A message is part of the interface, so its words are tested.
// Next: values.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as core from "../core/index.ts";
import {
  ArgumentError,
  add,
  arange,
  bernoulli,
  cat,
  crossEntropy,
  DeviceError,
  type DType,
  DTypeError,
  einsum,
  embedding,
  eye,
  full,
  GradcheckError,
  GraphError,
  grad,
  gradcheck,
  IndexError,
  layerNorm,
  linear,
  linspace,
  maximum,
  type Nested,
  noGrad,
  oneHot,
  ones,
  ReleasedError,
  rand,
  randint,
  randn,
  random,
  rmsNorm,
  rope,
  ShapeError,
  scaledDotProductAttention,
  stack,
  type Tensor,
  TwoheadsError,
  tensor,
  use,
  where,
  zeros,
} from "../core/index.ts";

type Class = new (message: string) => TwoheadsError;

/** `run` throws exactly this class, and the message holds every part. */
function refuses(
  what: string,
  run: () => unknown,
  type: Class,
  ...parts: readonly (string | RegExp)[]
): void {
  test(what, () => {
    let result: unknown;
    try {
      result = run();
    } catch (error) {
      assert.ok(error instanceof Error);
      assert.ok(
        error instanceof TwoheadsError,
        `a ${type.name}, not ${error.name}: ${error.message}`,
      );
      assert.equal(error.name, type.name, error.message);
      for (const part of parts) {
        const found =
          typeof part === "string" ? error.message.includes(part) : part.test(error.message);
        assert.ok(found, `"${error.message}" lacks ${String(part)}`);
      }
      return;
    }
    assert.fail(`nothing was thrown; the result is ${String(result)}`);
  });
}

/** A value that the type checker would refuse, as a caller in JavaScript may pass it. */
function sneak(value: unknown): never {
  return value as never;
}

const int = (values: Nested): Tensor => tensor(values, { dtype: "int32" });
const rng = random(0);

describe("shapes that don't fit", () => {
  refuses(
    "add",
    () => zeros([2, 3]).add(zeros([4])),
    ShapeError,
    /^add:/,
    "[2,3] and [4]",
    "3 and 4",
  );
  refuses(
    "a broadcast of three",
    () => where(tensor([true, false]), zeros([3]), 0),
    ShapeError,
    /^where:/,
    "[2]",
    "[3]",
  );
  refuses(
    "matmul, with the remedy that fits",
    () => zeros([2, 3]).matmul(zeros([4, 3])),
    ShapeError,
    /^matmul:/,
    "[2,3] x [4,3]",
    "3 and 4 differ",
    "b.transpose() would fit",
  );
  refuses(
    "matmul of batches",
    () => zeros([2, 2, 3]).matmul(zeros([3, 3, 2])),
    ShapeError,
    /^matmul:/,
    "[2]",
    "[3]",
  );
  refuses(
    "matmul of a tall product shows the shapes as given",
    () => zeros([5, 2, 3]).matmul(zeros([4, 2])),
    ShapeError,
    "[5,2,3] x [4,2]",
  );
  refuses(
    "matmul of a scalar",
    () => tensor(1).matmul(zeros([2, 2])),
    ShapeError,
    /^matmul:/,
    "use mul",
  );
  refuses(
    "linear",
    () => linear(zeros([2, 3]), zeros([4, 5])),
    ShapeError,
    /^linear:/,
    "[2,3]",
    "[4,5]",
    "[out, in]",
  );
  refuses(
    "linear's bias",
    () => linear(zeros([2, 3]), zeros([4, 3]), zeros([3])),
    ShapeError,
    /^linear:/,
    "[3]",
    "[4]",
  );
  refuses(
    "layerNorm",
    () => layerNorm(zeros([2, 3]), ones([2])),
    ShapeError,
    /^layerNorm:/,
    "[2]",
    "[2,3]",
  );
  refuses(
    "rmsNorm",
    () => rmsNorm(zeros([2, 3]), ones([4])),
    ShapeError,
    /^rmsNorm:/,
    "[4]",
    "[2,3]",
  );
  refuses(
    "cat",
    () => cat([zeros([2, 3]), zeros([2, 4])], { dim: 0 }),
    ShapeError,
    /^cat:/,
    "[2,3] and [2,4]",
  );
  refuses("stack", () => stack([zeros([2]), zeros([3])]), ShapeError, "[1,2] and [1,3]");
  refuses(
    "reshape",
    () => zeros([2, 3]).reshape([4]),
    ShapeError,
    /^reshape:/,
    "[2,3]",
    "6 elements",
    "[4]",
  );
  refuses(
    "reshape with -1 that doesn't divide",
    () => zeros([2, 3]).reshape([-1, 4]),
    ShapeError,
    /^reshape:/,
    "[-1,4]",
  );
  refuses("reshape with two -1", () => zeros([2, 3]).reshape([-1, -1]), ShapeError, /^reshape:/);
  refuses(
    "expand",
    () => zeros([2, 3]).expand([2, 6]),
    ShapeError,
    /^expand:/,
    "[2,3]",
    "[2,6]",
    "size 1",
  );
  refuses("squeeze", () => zeros([2, 3]).squeeze(0), ShapeError, /^squeeze:/, "[2,3]", "slice");
  refuses(
    "permute",
    () => zeros([2, 3]).permute([0, 0]),
    ShapeError,
    /^permute:/,
    "[0,0]",
    "[2,3]",
  );
  refuses("pad", () => zeros([2]).pad([1, -1]), ShapeError, /^pad:/, "[1,-1]", "[2]");
  refuses(
    "gather",
    () => zeros([2, 3]).gather(int([0]), { dim: 0 }),
    ShapeError,
    /^gather:/,
    "[1]",
    "[2,3]",
  );
  refuses(
    "scatterAdd",
    () => zeros([3]).scatterAdd(int([0, 1]), zeros([3]), { dim: 0 }),
    ShapeError,
    /^scatterAdd:/,
    "[3]",
    "[2]",
  );
  refuses(
    "indexSelect by a matrix",
    () => zeros([3]).indexSelect(int([[0]])),
    ShapeError,
    /^indexSelect:/,
    "[1,1]",
    "embedding",
  );
  refuses(
    "crossEntropy",
    () => crossEntropy(zeros([2, 3]), int([0])),
    ShapeError,
    /^crossEntropy:/,
    "[2,3]",
    "[1]",
    "[..., classes]",
  );
  refuses(
    "rope",
    () => rope(zeros([4, 3]), zeros([4, 1]), zeros([4, 1])),
    ShapeError,
    /^rope:/,
    "[4,3]",
  );
  refuses(
    "attention",
    () => scaledDotProductAttention(zeros([3, 2, 4]), zeros([2, 2, 4]), zeros([2, 2, 4])),
    ShapeError,
    /^scaledDotProductAttention:/,
    "[3,2,4]",
    "multiple of Hkv",
  );
  refuses(
    "attention's mask",
    () =>
      scaledDotProductAttention(zeros([2, 4]), zeros([3, 4]), zeros([3, 4]), {
        mask: zeros([2, 2]),
      }),
    ShapeError,
    "[2,2]",
    "[2,3]",
  );
  refuses(
    "the flat array and its shape",
    () => tensor(new Float32Array(5), { shape: [2, 3] }),
    ShapeError,
    /^tensor:/,
    "5 numbers",
    "[2,3]",
  );
  refuses("max of nothing", () => zeros([2, 0]).max({ dims: 1 }), ShapeError, /^max:/, "[2,0]");
  refuses("argmin of nothing", () => zeros([0]).argmin(), ShapeError, /^argmin:/, "[0]");
  test("item of several elements", async () => {
    await assert.rejects(async () => zeros([2]).item(), {
      name: "ShapeError",
      message: /^item: .*\[2\].*read\(\)/,
    });
  });
});

describe("what is no shape", () => {
  for (const side of [Number.NaN, -1, 1.5, Infinity, 2 ** 60]) {
    const bad = [2, side];
    refuses(`zeros([2, ${side}])`, () => zeros(bad), ShapeError, /^zeros:/, String(side), "axis 1");
    refuses(`ones([2, ${side}])`, () => ones(bad), ShapeError, /^ones:/, String(side));
    refuses(`full([2, ${side}])`, () => full(bad, 1), ShapeError, /^full:/, String(side));
    refuses(`randn([2, ${side}])`, () => randn(bad, { rng }), ShapeError, /^randn:/, String(side));
    refuses(
      `tensor with shape [2, ${side}]`,
      () => tensor([1, 2], { shape: bad }),
      ShapeError,
      /^tensor:/,
    );
    if (side !== -1)
      refuses(`expand to [2, ${side}]`, () => zeros([3]).expand(bad), ShapeError, /^expand:/);
    refuses(`eye(${side})`, () => eye(side), ShapeError, /^eye:/);
    refuses(`linspace with ${side} numbers`, () => linspace(0, 1, side), ShapeError, /^linspace:/);
    if (side !== -1)
      refuses(`reshape to [2, ${side}]`, () => zeros([2, 3]).reshape(bad), ShapeError, /^reshape:/);
  }
  refuses("a number in place of a shape", () => zeros(sneak(3)), ShapeError, "array of sizes", "3");
  refuses(
    "reshape(2, 3), as PyTorch would have it",
    () => zeros([6]).reshape(sneak(2)),
    ShapeError,
    /^reshape:/,
    "array of sizes",
  );
  refuses("expand(3)", () => zeros([1]).expand(sneak(3)), ShapeError, /^expand:/, "array of sizes");
  refuses("text as a side", () => zeros(sneak([2, "3"])), ShapeError, "axis 1");
  refuses(
    "one-hot of no classes",
    () => oneHot(int([0]), { classes: Number.NaN }),
    ShapeError,
    /^oneHot:/,
  );
});

describe("ragged nested arrays", () => {
  refuses(
    "rows of different length",
    () => tensor([[1, 2], [3]]),
    ShapeError,
    /^tensor: ragged/,
    "[2,2]",
    "1 values at [1]",
  );
  refuses("a number among rows", () => tensor([[1], 2]), ShapeError, "ragged", "found 2 at [1]");
  refuses("a row among numbers", () => tensor([1, [2]]), ShapeError, "ragged", "at [1]");
  refuses(
    "deeper down",
    () =>
      tensor([
        [[1], [2]],
        [[3], [4, 5]],
      ]),
    ShapeError,
    "ragged",
    "[1][1]",
  );
  refuses("empty beside full", () => tensor([[], [1]]), ShapeError, "ragged");
  refuses("text inside", () => tensor(sneak([1, "2"])), ArgumentError, /^tensor:/, "2");
  refuses("null inside", () => tensor(sneak([1, null])), ArgumentError, /^tensor:/, "null");
  refuses("nothing at all", () => tensor(sneak(undefined)), ArgumentError, /^tensor:/);
});

describe("dtypes", () => {
  for (const [name, make] of [
    ["tensor", (dtype) => tensor([1], { dtype })],
    ["zeros", (dtype) => zeros([1], { dtype })],
    ["full", (dtype) => full([1], 1, { dtype })],
    ["arange", (dtype) => arange(2, { dtype })],
    ["linspace", (dtype) => linspace(0, 1, 2, { dtype })],
    ["eye", (dtype) => eye(2, { dtype })],
    ["randn", (dtype) => randn([1], { rng, dtype })],
    ["rand", (dtype) => rand([1], { rng, dtype })],
    ["randint", (dtype) => randint([1], { rng, high: 2, dtype })],
    ["oneHot", (dtype) => oneHot(int([0]), { classes: 2, dtype })],
    ["to", (dtype) => zeros([1]).to(dtype)],
  ] satisfies [string, (dtype: DType) => Tensor][]) {
    refuses(
      `${name}: an unknown one`,
      () => make(sneak("float16")),
      DTypeError,
      new RegExp(`^${name}:`),
      "float16",
      "float32, float64, int32, bool",
    );
  }
  refuses(
    "int32 from 1.5",
    () => tensor([1, 1.5], { dtype: "int32" }),
    DTypeError,
    /^tensor:/,
    "1.5 at 1",
    "round",
  );
  refuses("int32 from NaN", () => tensor([Number.NaN], { dtype: "int32" }), DTypeError, "NaN");
  refuses("int32 from 2^31", () => tensor([2 ** 31], { dtype: "int32" }), DTypeError, "2147483648");
  refuses(
    "full of 1.5 as int32",
    () => full([2], 1.5, { dtype: "int32" }),
    DTypeError,
    /^full:/,
    "1.5",
  );
  refuses(
    "arange of halves as int32",
    () => arange(0, 1, 0.5, { dtype: "int32" }),
    DTypeError,
    /^arange:/,
    "0.5",
  );
  refuses(
    "a typed array of another kind",
    () => tensor(sneak(new Float64Array(2).buffer)),
    ArgumentError,
    /^tensor:/,
  );
  refuses(
    "64-bit integers",
    () => tensor(sneak(new BigInt64Array(2))),
    DTypeError,
    /^tensor:/,
    "BigInt64Array",
    "Float32Array.from",
  );
  refuses(
    "requiresGrad on int32",
    () => tensor([1], { dtype: "int32", requiresGrad: true }),
    DTypeError,
    /^tensor:/,
    "int32",
  );
  refuses(
    "requiresGrad on bool zeros",
    () => zeros([1], { dtype: "bool", requiresGrad: true }),
    DTypeError,
    /^zeros:/,
    "bool",
  );
  refuses(
    "requiresGrad_() on int32",
    () => int([1]).requiresGrad_(),
    DTypeError,
    /^requiresGrad_:/,
    "int32",
  );
  refuses(
    "matmul of two dtypes",
    () => zeros([1, 1]).matmul(zeros([1, 1], { dtype: "float64" })),
    DTypeError,
    /^matmul:/,
    "float32",
    "float64",
    ".to(",
  );
  refuses(
    "linear of two dtypes",
    () => linear(zeros([1]), zeros([1, 1], { dtype: "float64" })),
    DTypeError,
    /^linear:/,
    ".to(",
  );
  refuses("cat of two dtypes", () => cat([zeros([1]), int([1])]), DTypeError, /^cat:/, "int32");
  refuses(
    "softmax of integers",
    () => int([1, 2]).softmax({ dim: 0 }),
    DTypeError,
    /^softmax:/,
    "int32",
    "to(",
  );
  refuses("mean of integers", () => int([1, 2]).mean(), DTypeError, /^mean:/, "int32");
  refuses("layerNorm of bools", () => layerNorm(tensor([true])), DTypeError, /^layerNorm:/, "bool");
  refuses(
    "gather by floats",
    () => zeros([1]).gather(zeros([1]), { dim: 0 }),
    DTypeError,
    /^gather:/,
    "float32",
    'to("int32")',
  );
  refuses(
    "embedding by floats",
    () => embedding(zeros([1, 1]), zeros([1])),
    DTypeError,
    /^embedding:/,
    "float32",
  );
  refuses(
    "oneHot of floats",
    () => oneHot(zeros([1]), { classes: 2 }),
    DTypeError,
    /^oneHot:/,
    "float32",
  );
  refuses(
    "crossEntropy with float targets",
    () => crossEntropy(zeros([1, 2]), zeros([1])),
    DTypeError,
    /^crossEntropy:/,
    "int32",
  );
  refuses(
    "where with numbers for a mask",
    () => where(zeros([1]), 1, 0),
    DTypeError,
    /^where:/,
    "bool",
    "ne(0)",
  );
  refuses(
    "maskedFill with numbers for a mask",
    () => zeros([1]).maskedFill(int([1]), 0),
    DTypeError,
    /^maskedFill:/,
    "int32",
  );
  refuses(
    "attention's mask",
    () =>
      scaledDotProductAttention(zeros([1, 1]), zeros([1, 1]), zeros([1, 1]), { mask: int([[1]]) }),
    DTypeError,
    "int32",
  );
  refuses(
    "gradcheck in float32",
    () => gradcheck((x) => x.exp(), zeros([1]).requiresGrad_()),
    ArgumentError,
    /^gradcheck:/,
    "float64",
  );
});

describe("indices out of range", () => {
  for (const bad of [-1, 3]) {
    refuses(
      `gather ${bad}`,
      () => zeros([3]).gather(int([0, bad]), { dim: 0 }),
      IndexError,
      /^gather:/,
      `index ${bad} at position 1`,
      "[0, 3)",
    );
    refuses(
      `scatterAdd ${bad}`,
      () => zeros([3]).scatterAdd(int([bad]), ones([1]), { dim: 0 }),
      IndexError,
      /^scatterAdd:/,
      String(bad),
    );
    refuses(
      `indexSelect ${bad}`,
      () => zeros([3]).indexSelect(int([bad])),
      IndexError,
      /^indexSelect:/,
      String(bad),
      "[0, 3)",
    );
    refuses(
      `indexAdd ${bad}`,
      () => zeros([3]).indexAdd(int([bad]), ones([1])),
      IndexError,
      /^indexAdd:/,
      String(bad),
    );
    refuses(
      `embedding ${bad}`,
      () => embedding(zeros([3, 2]), int([bad])),
      IndexError,
      /^embedding:/,
      String(bad),
      "[0, 3)",
    );
    refuses(
      `crossEntropy ${bad}`,
      () => crossEntropy(zeros([1, 3]), int([bad])),
      IndexError,
      /^crossEntropy:/,
      `target ${bad}`,
      "[0, 3)",
      "ignoreIndex -100",
    );
    refuses(
      `oneHot ${bad}`,
      () => oneHot(int([bad]), { classes: 3 }),
      IndexError,
      /^oneHot:/,
      String(bad),
      "[0, 3)",
    );
  }
});

describe("more than any machine holds", () => {
  const tooMany = 2 ** 40;
  const makers: Readonly<Record<string, () => unknown>> = {
    zeros: () => zeros([tooMany]),
    ones: () => ones([2 ** 20, 2 ** 20]),
    full: () => full([tooMany], 1, { dtype: "float64" }),
    arange: () => arange(tooMany),
    linspace: () => linspace(0, 1, tooMany),
    eye: () => eye(2 ** 20),
    oneHot: () => oneHot(tensor([0], { dtype: "int32" }), { classes: tooMany }),
    rand: () => rand([tooMany], { rng: random(1) }),
    randn: () => randn([tooMany], { rng: random(1) }),
    randint: () => randint([tooMany], { high: 2, rng: random(1) }),
    bernoulli: () => bernoulli([tooMany], { rng: random(1) }),
  };
  for (const [name, make] of Object.entries(makers))
    refuses(`${name} of it`, make, DeviceError, new RegExp(`^${name}: out of memory: .* GiB`));
  refuses(
    "a product", // on wasm: kernels.test.ts
    () => zeros([2 ** 20, 1]).matmul(zeros([1, 2 ** 20])),
    DeviceError,
    /^reference: out of memory: .* GiB/,
  );
});

describe("axes that aren't there", () => {
  for (const dim of [2, -3, 0.5, Number.NaN]) {
    refuses(
      `sum over ${dim}`,
      () => zeros([2, 3]).sum({ dims: dim }),
      ShapeError,
      /^sum:/,
      `no axis ${dim}`,
      "-2 to 1",
    );
    refuses(
      `softmax over ${dim}`,
      () => zeros([2, 3]).softmax({ dim }),
      ShapeError,
      /^softmax:/,
      `no axis ${dim}`,
    );
    refuses(`slice of ${dim}`, () => zeros([2, 3]).slice({ dim }), ShapeError, /^slice:/);
    refuses(`cumsum over ${dim}`, () => zeros([2, 3]).cumsum({ dim }), ShapeError, /^cumsum:/);
    refuses(`transpose ${dim}`, () => zeros([2, 3]).transpose(0, dim), ShapeError, /^transpose:/);
  }
  refuses(
    "the same twice",
    () => zeros([2, 3]).sum({ dims: [0, -2] }),
    ShapeError,
    /^sum:/,
    "twice",
  );
  refuses("of a scalar", () => tensor(1).sum({ dims: 1 }), ShapeError, /^sum: there is no axis 1/);
  refuses("mean", () => zeros([2]).mean({ dims: 1 }), ShapeError, /^mean:/);
  refuses("var", () => zeros([2]).var({ dims: 1 }), ShapeError, /^var:/);
  refuses("logSumExp", () => zeros([2]).logSumExp({ dims: 1 }), ShapeError, /^logSumExp:/);
});

describe("what is no tensor", () => {
  refuses(
    "an array",
    () => add(sneak([1, 2]), 1),
    ArgumentError,
    /^add:/,
    "an array",
    "tensor(...)",
  );
  refuses("null", () => maximum(tensor([1]), sneak(null)), ArgumentError, /^maximum:/, "null");
  refuses("nothing", () => tensor([1]).mul(sneak(undefined)), ArgumentError, /^mul:/, "nothing");
  refuses("text", () => tensor([1]).div(sneak("2")), ArgumentError, /^div:/, "string 2");
  refuses(
    "a matrix product's",
    () => zeros([1, 1]).matmul(sneak([[1]])),
    ArgumentError,
    /^matmul:/,
    "an array",
  );
  refuses("sum's", () => core.sum(sneak([1])), ArgumentError, /^sum:/);
  refuses("cat's parts", () => cat([zeros([1]), sneak(2)]), ArgumentError, /^cat:/, "number 2");
  refuses("cat of nothing", () => cat([]), ArgumentError, /^cat:/, "at least one");
  refuses("cat without the array", () => cat(sneak(zeros([1]))), ArgumentError, /^cat:/);
  refuses("stack without the array", () => stack(sneak(zeros([1]))), ArgumentError, /^stack:/);
  refuses(
    "grad's input",
    () => grad(tensor(1, { requiresGrad: true }), sneak([2])),
    ArgumentError,
    /^grad:/,
  );
});

describe("einsum", () => {
  const [a, b] = [zeros([2, 3]), zeros([3, 4])];
  refuses(
    "too few tensors",
    () => einsum("ij,jk->ik", a),
    ArgumentError,
    /^einsum:/,
    "names 2 tensors, got 1",
  );
  refuses(
    "too many tensors",
    () => einsum("ij->ij", a, b),
    ArgumentError,
    "names 1 tensors, got 2",
  );
  refuses("no tensors", () => einsum("->"), ArgumentError, /^einsum:/);
  refuses(
    "an axis too few",
    () => einsum("i,jk->ik", a, b),
    ShapeError,
    /^einsum:/,
    '"i"',
    "[2,3]",
  );
  refuses("an axis too many", () => einsum("ijk,jk->ik", a, b), ShapeError, '"ijk"', "[2,3]");
  refuses("sizes that differ", () => einsum("ij,kj->ik", a, b), ShapeError, 'axis "j"', "3 and 4");
  refuses("a diagonal of a rectangle", () => einsum("ii->i", a), ShapeError, 'axis "i"', "2 and 3");
  refuses(
    "a result from nowhere",
    () => einsum("ij,jk->iz", a, b),
    ArgumentError,
    '"z"',
    "not an axis",
  );
  refuses("a result twice", () => einsum("ij,jk->ii", a, b), ArgumentError, '"i"', "twice");
  refuses("two arrows", () => einsum("ij->ji->ij", a), ArgumentError, /^einsum:/);
  refuses("a character that is no letter", () => einsum("i1->i1", a), ShapeError, '"i1"');
  refuses(
    "no tensor",
    () => einsum("ij->ij", sneak([[1]])),
    ArgumentError,
    /^einsum:/,
    "operand 1",
  );
});

describe("the tape", () => {
  const x = tensor([1, 2], { requiresGrad: true });
  refuses(
    "backward on a non-scalar",
    () => x.mul(2).backward(),
    ShapeError,
    /^backward:/,
    "[2]",
    "y.sum().backward()",
  );
  refuses(
    "grad of a non-scalar",
    () => grad(x.mul(2), x),
    ShapeError,
    /^grad:/,
    "[2]",
    "gradOutputs",
  );
  refuses(
    "a second backward",
    () => {
      const y = x.square().sum();
      y.backward();
      y.backward();
    },
    GraphError,
    /^backward:/,
    "sum was released",
    "{ retainGraph: true }",
  );
  refuses(
    "nothing to differentiate",
    () => zeros([]).backward(),
    GraphError,
    /^backward:/,
    "requiresGrad: true",
  );
  refuses("made in noGrad", () => noGrad(() => x.sum()).backward(), GraphError, "noGrad");
  refuses(
    "an input without requiresGrad",
    () => grad(x.sum(), zeros([2])),
    GraphError,
    /^grad:/,
    "input 0",
  );
  refuses(
    "reading what was released",
    () => {
      const y = x.detach().mul(2);
      y.release();
      return y.data;
    },
    ReleasedError,
    "x.keep()",
  );
  refuses(
    "printing what was released",
    () => {
      const y = x.detach().mul(2);
      y.release();
      return String(y);
    },
    ReleasedError,
    "released by x.release()",
  );
  refuses(
    "walking through what was released",
    () => {
      const y = x.exp();
      const z = y.square().sum();
      y.release();
      z.backward();
    },
    ReleasedError,
    "x.release()",
  );
  refuses(
    "assign of another size",
    () => x.detach().assign([1, 2, 3].map(Number) as never),
    ShapeError,
    /^assign:/,
    "[3]",
    "[2]",
  );
  refuses(
    "a wrong gradient",
    () =>
      gradcheck((t) => t.detach().mul(t), tensor([2, 3], { dtype: "float64" }), { name: "half" }),
    GradcheckError,
    /^gradcheck: half: argument 0/,
    "finite differences say",
  );
  test("reading asynchronously what was released rejects", async () => {
    const y = zeros([1]);
    y.release();
    await assert.rejects(async () => y.read(), ReleasedError);
  });
});

describe("devices and options", () => {
  refuses(
    "an unknown device",
    () => use("cuda"),
    DeviceError,
    /^use:/,
    '"cuda"',
    "reference",
    "twoheads/kernels",
  );
  refuses("moving to an unknown device", () => zeros([1]).onDevice("tpu"), DeviceError, '"tpu"');
  refuses(
    "randn without a generator",
    () => randn([2], sneak({})),
    ArgumentError,
    /^randn:/,
    "random(seed)",
  );
  refuses("randn without options", () => randn([2], sneak(undefined)), ArgumentError, /^randn:/);
  refuses(
    "bernoulli without a generator",
    () => bernoulli([2], sneak({})),
    ArgumentError,
    /^bernoulli:/,
  );
  refuses(
    "dropout without a generator",
    () => zeros([2]).dropout(sneak({ p: 0.5 })),
    ArgumentError,
    /^dropout:/,
    "rng",
  );
  refuses(
    "dropout with p = 2",
    () => zeros([2]).dropout({ p: 2, rng }),
    ArgumentError,
    /^dropout:/,
    "2",
    "[0, 1]",
  );
  refuses("integers from an empty range", () => rng.integer(3, 3), ArgumentError, /^integer:/, "3");
  refuses("a permutation of -1", () => rng.permutation(-1), ArgumentError, /^permutation:/, "-1");
  refuses(
    "a permutation of NaN",
    () => rng.permutation(Number.NaN),
    ArgumentError,
    /^permutation:/,
  );
  refuses(
    "negative weights",
    () => rng.categorical([1, -1]),
    ArgumentError,
    /^categorical:/,
    "-1 at 1",
  );
  refuses("weights of 0", () => rng.categorical([0, 0]), ArgumentError, /^categorical:/);
  refuses("arange that never ends", () => arange(0, 1, 0), ArgumentError, /^arange:/, "step");
  refuses("topk of too many", () => zeros([3]).topk(4), ArgumentError, /^topk:/, "4", "3");
  refuses("split of size 0", () => zeros([3]).split(0), ArgumentError, /^split:/, "0");
  refuses(
    "crossEntropy's reduction",
    () => crossEntropy(zeros([1, 2]), int([0]), { reduction: sneak("avg") }),
    ArgumentError,
    "avg",
    "mean, sum, none",
  );
  refuses(
    "crossEntropy's smoothing",
    () => crossEntropy(zeros([1, 2]), int([0]), { labelSmoothing: 2 }),
    ArgumentError,
    "labelSmoothing 2",
  );
  refuses(
    "slice at a half",
    () => zeros([3]).slice({ dim: 0, start: 0.5 }),
    ArgumentError,
    /^slice:/,
    "0.5",
  );
});
