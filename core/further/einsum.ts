// Sums of products by naming axes, made of products, sums and moves that have gradients already: an op that
// no device knows. Next: losses.ts.

import { indicesLike } from "../creation.ts";
import { ArgumentError, ShapeError } from "../errors.ts";
import type { FreeOp } from "../op.ts";
import { formatShape, type Shape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { further } from "./make.ts";

interface Term {
  readonly letters: readonly string[];
  readonly x: Tensor;
}

/**
 * Sums of products by naming axes, as in numpy: einsum("bij,bjk->bik", a, b). A letter that the result
 * lacks is summed; one that a tensor repeats takes the diagonal; "..." stands for axes that broadcast.
 */
export const einsum: FreeOp<(equation: string, ...operands: Tensor[]) => Tensor> =
  /* @__PURE__ */ further({
    name: "einsum",
    definition: (equation: string, ...operands: Tensor[]) => {
      const { terms, result } = parse(equation, operands);
      const diagonal = terms.map(takeDiagonals);
      const total = diagonal.reduce((left, right, i) => {
        const later = new Set([
          ...result,
          ...diagonal.slice(i + 1).flatMap((term) => term.letters),
        ]);
        return multiply(left, right, later);
      });
      return arrange(total, result);
    },
    takes: "equation: string, ...operand: Tensor",
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
    const x = operands[i] as Tensor;
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

function sidesDiffer(equation: string, letter: string, one: number, other: number): ShapeError {
  return new ShapeError(`einsum: axis "${letter}" of "${equation}" has sizes ${one} and ${other}`);
}

function checkSides(equation: string, terms: readonly Term[]): void {
  const sides = new Map<string, number>();
  for (const { letters, x } of terms) {
    letters.forEach((letter, d) => {
      const side = x.shape[d] ?? 0;
      const first = x.shape[letters.indexOf(letter)] ?? 0; // a diagonal doesn't broadcast
      if (first !== side) throw sidesDiffer(equation, letter, first, side);
      const known = sides.get(letter) ?? 1;
      if (known !== 1 && side !== 1 && known !== side) {
        throw sidesDiffer(equation, letter, known, side);
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
