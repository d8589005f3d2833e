// Contractions: the matrix product, and what is made of it. Most of a network's time is spent here.
// The gradient of a product is two products: with C = A B, dA = G Bᵀ and dB = Aᵀ G, whose transposes
// cost nothing because they are flags of the same kernel. Next: normalization.ts.

import { indicesLike } from "../creation.ts";
import type { Draw } from "../draw.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { composed, contract, fused } from "../kinds.ts";
import type { Contraction, Op } from "../op.ts";
import { broadcastShapes, broadcastStrides, formatShape, type Shape, sizeOf } from "../shape.ts";
import { checkTensor, type Tensor } from "../tensor.ts";

export interface MatmulOptions {
  /** Use Aᵀ (Bᵀ): the last two axes exchanged, without a copy. */
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** The strides of the batch axes, in elements of the whole matrices. */
function batchStrides(shape: Shape, batch: Shape): number[] {
  const matrix = sizeOf(shape.slice(-2));
  return broadcastStrides(shape.slice(0, -2), batch).map((stride) => stride * matrix);
}

/** The last two sides of a matrix, turned if asked. */
function sides({ shape }: Tensor, transposed: boolean): [rows: number, columns: number] {
  const [rows = 0, columns = 0] = [shape[shape.length - 2], shape[shape.length - 1]];
  return transposed ? [columns, rows] : [rows, columns];
}

function contractionOf(a: Tensor, b: Tensor, options: Required<MatmulOptions>): Contraction {
  const { transposeA, transposeB } = options;
  const [rows, k] = sides(a, transposeA);
  const [kB, n] = sides(b, transposeB);
  if (k !== kB) throw innerMismatch(a, b, options, k, kB);
  if (b.rank === 2 && (a.rank === 2 || !transposeA)) {
    const m = a.rank === 2 ? rows : sizeOf(a.shape.slice(0, -1)); // one tall product instead of a batch
    return { batch: [], m, n, k, transposeA, transposeB, strideA: [], strideB: [] };
  }
  const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  const strideA = batchStrides(a.shape, batch);
  const strideB = batchStrides(b.shape, batch);
  return { batch, m: rows, n, k, transposeA, transposeB, strideA, strideB };
}

function innerMismatch(
  a: Tensor,
  b: Tensor,
  options: Required<MatmulOptions>,
  k: number,
  kB: number,
): ShapeError {
  const other = b.shape.at(options.transposeB ? -2 : -1);
  const flags = options.transposeA || options.transposeB ? ` with ${JSON.stringify(options)}` : "";
  const remedy = k === other ? "b.transpose() would fit" : "reshape one of them";
  return new ShapeError(
    `matmul: ${formatShape(a.shape)} x ${formatShape(b.shape)}${flags}: inner sizes ${k} and ${kB} differ; ${remedy}`,
  );
}

type MatmulRule = (a: Tensor, b: Tensor, options: Required<MatmulOptions>) => Tensor;

/** Vectors become matrices for the product, and their axis leaves the result again (as PyTorch). */
function matmulCall(run: MatmulRule, a: Tensor, b: Tensor, options: MatmulOptions): Tensor {
  const { transposeA = false, transposeB = false } = options;
  checkTensor("matmul", a, "a");
  checkTensor("matmul", b, "b");
  if (a.rank === 0 || b.rank === 0) {
    throw new ShapeError(
      `matmul: ${formatShape(a.shape)} x ${formatShape(b.shape)}: a scalar has no rows; use mul`,
    );
  }
  if (a.dtype !== b.dtype) {
    throw new DTypeError(
      `matmul: a is ${a.dtype}, b is ${b.dtype}; b.to("${a.dtype}") converts it`,
    );
  }
  const flags = { transposeA: transposeA && a.rank > 1, transposeB: transposeB && b.rank > 1 };
  if (a.rank === 1)
    return dropAxis(
      run(a.reshape([1, a.size]), b.rank === 1 ? b.reshape([b.size, 1]) : b, flags),
      -2,
      b.rank === 1,
    );
  if (b.rank === 1) return dropAxis(run(a, b.reshape([b.size, 1]), flags), -1, false);
  return run(a, b, flags);
}

function dropAxis(y: Tensor, dim: number, both: boolean): Tensor {
  return both ? y.reshape([]) : y.squeeze(dim);
}

/** Matrix product of the last two axes; the axes before them are a batch and broadcast. */
export const matmul: Op<(a: Tensor, b: Tensor, options?: MatmulOptions) => Tensor> = contract({
  contraction: (a: Tensor, b: Tensor, options: Required<MatmulOptions>) =>
    contractionOf(a, b, options),
  infer: (a, b, options) => {
    const { batch, m, n } = contractionOf(a, b, options);
    const isTall = b.rank === 2 && !options.transposeA;
    return [{ shape: isTall ? [...a.shape.slice(0, -1), n] : [...batch, m, n], dtype: a.dtype }];
  },
  vjp: (g, _y, a, b, { transposeA, transposeB }) => {
    const isTall = b.rank === 2 && !transposeA;
    const [rowsG, rowsA] = isTall ? [asRows(g), asRows(a)] : [g, a];
    return [
      () =>
        transposeA
          ? b.matmul(g, { transposeA: transposeB, transposeB: true })
          : g.matmul(b, { transposeB: !transposeB }),
      () =>
        transposeB
          ? rowsG.matmul(rowsA, { transposeA: true, transposeB: transposeA })
          : rowsA.matmul(rowsG, { transposeA: !transposeA }),
    ];
  },
  call:
    (run: MatmulRule) =>
    (a, b, options = {}) =>
      matmulCall(run, a, b, options),
  example: "tensor([[1, 2], [3, 4]]).matmul(tensor([[5], [6]]))  // [[17],\n [39]]",
  draw: (d: Draw) => {
    const [m, n, k] = [d.integer(0, 3), d.integer(0, 3), d.integer(0, 3)];
    const batch = d.shape({ maxRank: 2, maxSide: 2 });
    const [transposeA, transposeB] = [d.pick(true, false), d.pick(true, false)];
    const a = d.tensor([...batch, ...(transposeA ? [k, m] : [m, k])]);
    const b = d.tensor([...d.broadcast(batch), ...(transposeB ? [n, k] : [k, n])]);
    return [a, b, { transposeA, transposeB }];
  },
});

type LinearRule = (x: Tensor, weight: Tensor, bias: Tensor | null) => Tensor;

/** y = x Wᵀ + bias over the last axis: x [..., in], weight [out, in], bias [out] or none. */
export const linear: Op<(x: Tensor, weight: Tensor, bias?: Tensor | null) => Tensor> = fused({
  definition: (x: Tensor, weight: Tensor, bias: Tensor | null) => {
    const y = x.matmul(weight, { transposeB: true });
    return bias === null ? y : y.add(bias);
  },
  infer: (x, weight) => [
    { shape: [...x.shape.slice(0, -1), weight.shape[0] ?? 0], dtype: x.dtype },
  ],
  forward: ([y], x, weight, bias) => {
    const [out = 0, width = 0] = weight.shape;
    for (let i = 0; i < y.data.length; i++) {
      const [row, o] = [Math.floor(i / out), i % out];
      let sum = bias?.data[o] ?? 0;
      for (let k = 0; k < width; k++)
        sum += (x.data[row * width + k] ?? 0) * (weight.data[o * width + k] ?? 0);
      y.data[i] = sum;
    }
  },
  vjp: (g, _y, x, weight) => {
    const rows = asRows(g);
    return [
      () => g.matmul(weight),
      () => rows.matmul(asRows(x), { transposeA: true }),
      () => rows.sum({ dims: 0 }),
    ];
  },
  call:
    (run: LinearRule) =>
    (x, weight, bias = null) => {
      checkLinear(x, weight, bias);
      return run(x, weight, bias);
    },
  example: "tensor([1, 2]).linear(tensor([[3, 4], [5, 6]]), tensor([0, 1]))  // [11, 18]",
  draw: (d: Draw) => {
    const [width, out] = [d.integer(0, 3), d.integer(0, 3)];
    return [
      d.tensor([...d.shape({ maxRank: 2 }), width]),
      d.tensor([out, width]),
      d.pick(d.tensor([out]), null),
    ];
  },
});

/** y = bias + x W over the last axis: x [..., in], weight [in, out], bias [out]. linear with W as it is multiplied. */
export const addmm: Op<(bias: Tensor, x: Tensor, weight: Tensor) => Tensor> = fused({
  definition: (bias: Tensor, x: Tensor, weight: Tensor) => x.matmul(weight).add(bias),
  infer: (_bias, x, weight) => [
    { shape: [...x.shape.slice(0, -1), weight.shape[1] ?? 0], dtype: x.dtype },
  ],
  forward: ([y], bias, x, weight) => {
    const [width = 0, out = 0] = weight.shape;
    for (let i = 0; i < y.data.length; i++) {
      const [row, o] = [Math.floor(i / out), i % out];
      let sum = bias.data[o] ?? 0;
      for (let k = 0; k < width; k++)
        sum += (x.data[row * width + k] ?? 0) * (weight.data[k * out + o] ?? 0);
      y.data[i] = sum;
    }
  },
  vjp: (g, _y, _bias, x, weight) => {
    const rows = asRows(g);
    return [
      () => rows.sum({ dims: 0 }),
      () => g.matmul(weight, { transposeB: true }),
      () => asRows(x).matmul(rows, { transposeA: true }),
    ];
  },
  call: (run: (bias: Tensor, x: Tensor, weight: Tensor) => Tensor) => (bias, x, weight) => {
    checkAddmm(bias, x, weight);
    return run(bias, x, weight);
  },
  example: "tensor([1, 1]).addmm(tensor([[1, 2]]), tensor([[3, 4], [5, 6]]))  // [[14, 17]]",
  draw: (d: Draw) => {
    const [width, out] = [d.integer(0, 3), d.integer(0, 3)];
    const x = d.tensor([...d.shape({ maxRank: 2 }), width]);
    return [d.tensor([out]), x, d.tensor([width, out])];
  },
});

function checkAddmm(bias: Tensor, x: Tensor, weight: Tensor): void {
  const [width, out] = checkTensor("addmm", weight, "weight").shape;
  const isRow = checkTensor("addmm", bias, "bias").rank === 1 && bias.size === out;
  if (
    weight.rank !== 2 ||
    checkTensor("addmm", x, "x").rank === 0 ||
    x.shape.at(-1) !== width ||
    !isRow
  ) {
    throw new ShapeError(
      `addmm: bias ${formatShape(bias.shape)}, x ${formatShape(x.shape)}, weight ${formatShape(weight.shape)}: ` +
        "needed [out], [..., in] and [in, out]",
    );
  }
  if (x.dtype !== weight.dtype || bias.dtype !== x.dtype) {
    throw new DTypeError(
      `addmm: bias is ${bias.dtype}, x ${x.dtype}, weight ${weight.dtype}; they must be the same, see x.to(dtype)`,
    );
  }
}

/** x [..., n] as a matrix [rows, n]. */
function asRows(x: Tensor): Tensor {
  return x.rank === 2 ? x : x.reshape([sizeOf(x.shape.slice(0, -1)), x.shape.at(-1) ?? 0]);
}

function checkLinear(x: Tensor, weight: Tensor, bias: Tensor | null): void {
  const [out, width] = checkTensor("linear", weight, "weight").shape;
  if (weight.rank !== 2 || checkTensor("linear", x, "x").rank === 0 || x.shape.at(-1) !== width) {
    throw new ShapeError(
      `linear: x ${formatShape(x.shape)} and weight ${formatShape(weight.shape)}: needed x [..., in] and weight [out, in]`,
    );
  }
  if (bias !== null && (checkTensor("linear", bias, "bias").rank !== 1 || bias.shape[0] !== out)) {
    throw new ShapeError(
      `linear: bias ${formatShape(bias.shape)} must be [${out}], as weight has ${out} rows`,
    );
  }
  for (const [name, other] of [
    ["weight", weight],
    ["bias", bias],
  ] as const) {
    if (other !== null && other.dtype !== x.dtype) {
      throw new DTypeError(
        `linear: x is ${x.dtype}, ${name} is ${other.dtype}; ${name}.to("${x.dtype}") converts it`,
      );
    }
  }
}

// --- einsum ------------------------------------------------------------------------------------------

interface Term {
  readonly letters: readonly string[];
  readonly x: Tensor;
}

/**
 * Sums of products by naming axes, as in numpy: einsum("bij,bjk->bik", a, b). A letter that the result
 * lacks is summed; one that a tensor repeats takes the diagonal; "..." stands for axes that broadcast.
 */
export const einsum: Op<(equation: string, ...operands: Tensor[]) => Tensor> = composed({
  definition: (equation: string, ...operands: Tensor[]) => {
    const { terms, result } = parse(equation, operands);
    const diagonal = terms.map(takeDiagonals);
    const total = diagonal.reduce((left, right, i) => {
      const later = new Set([...result, ...diagonal.slice(i + 1).flatMap((term) => term.letters)]);
      return multiply(left, right, later);
    });
    return arrange(total, result);
  },
  example: 'einsum("ij,j->i", tensor([[1, 2], [3, 4]]), tensor([1, 1]))  // [3, 7]',
  draw: (d) => {
    const [i, j, k] = [d.integer(1, 3), d.integer(1, 3), d.integer(1, 3)];
    return d.pick<readonly unknown[]>(
      ["ij,jk->ik", d.tensor([i, j]), d.tensor([j, k])],
      ["bij,kj->bki", d.tensor([2, i, j]), d.tensor([k, j])],
      ["ii->i", d.tensor([i, i])],
      ["...i,i->...", d.tensor([2, i]), d.tensor([i])],
      ["ij,jk,k", d.tensor([i, j]), d.tensor([j, k]), d.tensor([k])],
    );
  },
});

/** The letters of each operand and of the result, with "..." spelled out as digits. */
function parse(equation: string, operands: readonly Tensor[]): { terms: Term[]; result: string[] } {
  const [left = "", right, ...more] = equation.replaceAll(" ", "").split("->");
  const inputs = left.split(",");
  if (more.length > 0 || inputs.length !== operands.length || operands.length === 0) {
    throw new ArgumentError(
      `einsum: "${equation}" names ${inputs.length} tensors, got ${operands.length}; write "ij,jk->ik" for two`,
    );
  }
  const terms = inputs.map((text, i) => {
    const x = checkTensor("einsum", operands[i], "operand", i + 1);
    const hidden = x.rank - text.replace("...", "").length;
    const letters = spell(text, hidden);
    if (letters.length === x.rank && /^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(text))
      return { letters, x };
    throw new ShapeError(
      `einsum: "${text}" in "${equation}" doesn't name the axes of ${formatShape(x.shape)}`,
    );
  });
  checkSides(equation, terms);
  const all = terms.flatMap((term) => term.letters);
  const hidden = [...new Set(all.filter((letter) => letter.startsWith(".")))].sort().reverse();
  const once = all.filter(
    (letter) => !letter.startsWith(".") && all.indexOf(letter) === all.lastIndexOf(letter),
  );
  const result = right === undefined ? [...hidden, ...once.sort()] : spell(right, hidden.length);
  const unknown = result.find((letter, i) => !all.includes(letter) || result.indexOf(letter) !== i);
  if (unknown !== undefined) {
    throw new ArgumentError(
      `einsum: "${unknown}" in the result of "${equation}" is not an axis of the tensors, or stands twice`,
    );
  }
  return { terms, result };
}

/** Letters of one term; the hidden axes of "..." are named by their distance from the right. */
function spell(text: string, hidden: number): string[] {
  const [before = "", after] = text.split("...");
  if (after === undefined) return [...before];
  const dots = Array.from({ length: Math.max(0, hidden) }, (_, i) => `.${hidden - 1 - i}`);
  return [...before, ...dots, ...after];
}

function checkSides(equation: string, terms: readonly Term[]): void {
  const sides = new Map<string, number>();
  for (const { letters, x } of terms) {
    letters.forEach((letter, d) => {
      const side = x.shape[d] ?? 0;
      const known = sides.get(letter) ?? 1;
      if (known !== 1 && side !== 1 && known !== side) {
        throw new ShapeError(
          `einsum: axis "${letter}" of "${equation}" has sizes ${known} and ${side}`,
        );
      }
      sides.set(letter, known === 1 ? side : known);
    });
  }
}

/** A letter that a term repeats: the diagonal, by a mask that is 1 where the two axes agree. */
function takeDiagonals(term: Term): Term {
  const { letters, x } = term;
  const second = letters.findIndex((letter, d) => letters.indexOf(letter) !== d);
  if (second < 0) return term;
  const first = letters.indexOf(letters[second] ?? "");
  const index = (d: number): Tensor =>
    indicesLike(x, x.shape[d] ?? 0).reshape(x.shape.map((side, axis) => (axis === d ? side : 1)));
  const diagonal = index(first).eq(index(second)).where(x, 0).sum({ dims: second });
  return takeDiagonals({ letters: letters.filter((_, d) => d !== second), x: diagonal });
}

/** Sums away axes of size 1 or more that only this term has. */
function sumOut(term: Term, keep: (letter: string) => boolean): Term {
  const dims = term.letters.flatMap((letter, d) => (keep(letter) ? [] : [d]));
  if (dims.length === 0) return term;
  return { letters: term.letters.filter(keep), x: term.x.sum({ dims }) };
}

/** One term in the order of `letters`; axes it lacks get size 1. */
function arrange(term: Term, letters: readonly string[]): Tensor {
  const { letters: own, x } = sumOut(term, (letter) => letters.includes(letter));
  const there = letters.filter((letter) => own.includes(letter));
  const shape = letters.map((letter) =>
    own.includes(letter) ? (x.shape[own.indexOf(letter)] ?? 1) : 1,
  );
  return x.permute(there.map((letter) => own.indexOf(letter))).reshape(shape);
}

/** Two terms as one batched matmul: shared kept letters are the batch, shared dropped ones the inner axis. */
function multiply(left: Term, right: Term, later: ReadonlySet<string>): Term {
  const a = sumOut(left, (letter) => later.has(letter) || right.letters.includes(letter));
  const b = sumOut(right, (letter) => later.has(letter) || left.letters.includes(letter));
  const shared = a.letters.filter((letter) => b.letters.includes(letter));
  const batch = shared.filter((letter) => later.has(letter));
  const inner = shared.filter((letter) => !later.has(letter));
  const rows = a.letters.filter((letter) => !shared.includes(letter));
  const columns = b.letters.filter((letter) => !shared.includes(letter));
  const side = (letter: string): number => {
    const sides = [a, b].map(({ letters, x }) => x.shape[letters.indexOf(letter)] ?? 1);
    return sides.find((size) => size !== 1) ?? 1;
  };
  const size = (letters: readonly string[]): number => sizeOf(letters.map(side));
  const matrix = (term: Term, letters: readonly string[], shape: Shape): Tensor => {
    const x = arrange(term, letters);
    const wide = x.expand(letters.map((letter) => (batch.includes(letter) ? -1 : side(letter))));
    return wide.reshape([
      ...batch.map((letter) => wide.shape[letters.indexOf(letter)] ?? 1),
      ...shape,
    ]);
  };
  const x = matrix(a, [...batch, ...rows, ...inner], [size(rows), size(inner)]);
  const y = matrix(b, [...batch, ...inner, ...columns], [size(inner), size(columns)]);
  const letters = [...batch, ...rows, ...columns];
  return { letters, x: x.matmul(y).reshape(letters.map(side)) };
}
