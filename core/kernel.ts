// What a device has to know of an op to run it: its *kind*, and what that kind asks for (a formula, a step, a
// list of copies, loops). Data for the most part; whoever computes reads it. Next: kinds.ts, which builds
// these; reference.ts, which runs them.

import type { DType, TypedArray } from "./dtype.ts";
import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** Shape and dtype of an output before it exists. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A tensor as a loop sees it: its numbers and its shape. */
export interface Block extends Spec {
  readonly data: TypedArray;
}

/** One strided copy: to[offset + i·strides] = from[offset + i·strides] for every index i of `shape`. */
export interface Copy {
  /** Which of the op's tensors is read. */
  readonly input: number;
  readonly shape: Shape;
  readonly from: { readonly offset: number; readonly strides: readonly number[] };
  readonly to: { readonly offset: number; readonly strides: readonly number[] };
}

/** A reduction's walk: y[o, i] folds x[o, 0..n-1, i]. */
export interface Around {
  readonly outer: number;
  readonly n: number;
  readonly inner: number;
}

/** A matrix product's walk: for each batch index, C [m, n] = A [m, k] B [k, n], flags saying how they lie. */
export interface Contraction {
  readonly batch: Shape;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Elements from one batch index to the next, per batch axis; 0 where the operand is broadcast. */
  readonly strideA: readonly number[];
  readonly strideB: readonly number[];
}

/** Numbers that a scalar formula maps to a number; comparisons give booleans. */
export type Formula = (...numbers: number[]) => number | boolean;

/** A function of numbers as text, `function name(a, b) { ... }`. */
export interface FormulaText {
  readonly name: string;
  readonly source: string;
  readonly argumentNames: readonly string[];
}

/** Each element of the result from one element of each operand; operands broadcast. */
export interface ElementwiseKernel {
  readonly kind: "elementwise";
  readonly forward: Formula;
  /** The same for int32, modulo 2^32, where a product of doubles would lose its low bits. */
  readonly integer?: Formula;
  /** g times the derivative: (g, ...operands, ...scalars), for fused ops of one operand. */
  readonly backward?: Formula;
  /** Functions that the formulas call, for devices that compile the formulas' text. */
  readonly uses?: readonly Formula[];
  /** The numbers that the formulas take from the options, after the operands. */
  scalars(options: unknown): readonly number[];
}

/** Folds (or scans: keeps every partial result of) an axis with a step, in double precision. */
export interface ReduceKernel {
  readonly kind: "reduce" | "scan";
  readonly start: number;
  readonly step: (sum: number, x: number) => number;
  around(...args: readonly unknown[]): Around;
  /** Whether the scan runs from the end. */
  reverse?(...args: readonly unknown[]): boolean;
}

/** The position of the first element along an axis that no other is better than. */
export interface PickKernel {
  readonly kind: "pick";
  readonly better: (x: number, best: number) => boolean;
  around(...args: readonly unknown[]): Around;
}

/** Moves elements about by strided copies; what none of them writes is `fill`. */
export interface ViewKernel {
  readonly kind: "view";
  copies(...args: readonly unknown[]): readonly Copy[];
  fill?(...args: readonly unknown[]): number;
}

/** Shares the memory under another shape. */
export interface AliasKernel {
  readonly kind: "alias";
}

/** Batches of matrix products. */
export interface ContractKernel {
  readonly kind: "contract";
  contraction(...args: readonly unknown[]): Contraction;
}

/** Loops of its own: index ops, and fused ops, whose backward pass is a loop too. */
export interface LoopKernel {
  readonly kind: "index" | "fused";
  forward(outputs: Outputs<string, Block>, ...args: readonly unknown[]): void;
  /** Fills the gradients that are asked for; `results` are the outputs of the forward pass. */
  backward?(
    gradients: readonly (Block | null)[],
    g: Block,
    results: Outputs<string, Block>,
    ...args: readonly unknown[]
  ): void;
}

/**
 * Works on whole lists of tensors and may overwrite them: what an optimiser does to all parameters at
 * once. Its arguments are lists of tensors, tensors, nulls and options.
 */
export interface UpdateKernel<P extends readonly unknown[] = readonly unknown[]> {
  readonly kind: "update";
  forward(outputs: readonly Block[], ...args: ListBlocks<P>): void;
  /** The tensors among the arguments that it overwrites. */
  writes(...args: P): readonly Tensor[];
}

/** An update is called, but neither recorded nor differentiated: it needs no more than a name and a kernel. */
export interface UpdateEntry<P extends readonly unknown[] = readonly unknown[]> {
  readonly name: string;
  readonly kernel: UpdateKernel<P>;
}

/** Arguments with tensors, and lists of them, seen as blocks. */
export type ListBlocks<P extends readonly unknown[]> = {
  [K in keyof P]: P[K] extends readonly Tensor[] | null
    ? readonly Block[] | Extract<P[K], null>
    : P[K] extends Tensor | null
      ? Block | Extract<P[K], null>
      : P[K];
};

/** Made of other ops: no device ever sees it. */
export interface ComposedKernel {
  readonly kind: "composed";
}

/** How each kind is computed. A device implements these forms, and may override single ops by name. */
export type Kernel =
  | ElementwiseKernel
  | ReduceKernel
  | PickKernel
  | ViewKernel
  | AliasKernel
  | ContractKernel
  | LoopKernel
  | ComposedKernel;

/**
 * What an op makes: its result, and by name what its backward kernel reads again. S: those names; an op
 * that saves nothing has `never`, and makes [y] alone. Names, because places could be mixed up unseen.
 */
export type Outputs<S extends string, T> = [S] extends [never]
  ? readonly [y: T]
  : string extends S
    ? readonly [y: T, saved?: Readonly<Record<string, T>>]
    : readonly [y: T, saved: Readonly<Record<S, T>>];

/** Arguments with tensors seen as the blocks of numbers that loops walk. */
export type Blocks<P extends readonly unknown[]> = {
  [K in keyof P]: Tensor extends P[K] ? (null extends P[K] ? Block | null : Block) : P[K];
};
