// What is raced: products, rows and the training step of a small GPT, with their inputs. Nothing
// here computes; every library, ours too, builds the same numbers from this file in a process of
// its own.
// Read next: contestant.ts, what a library has to be able to do with a work.

import { numbers } from "./measure.ts";

export type Work =
  | { readonly kind: "matmul"; readonly n: number }
  | { readonly kind: "exp" | "softmax"; readonly shape: readonly [number, number] }
  | { readonly kind: "train"; readonly gpt: GPTShape };

export function nameOf(work: Work): string {
  if (work.kind === "matmul") return `matmul ${work.n}`;
  if ("shape" in work) return `${work.kind} [${work.shape}]`;
  const size = Object.entries(sizes).find(([, gpt]) => gpt === work.gpt)?.[0];
  return `training ${size ?? JSON.stringify(work.gpt).replaceAll('"', "")}`;
}

/** The operands of a product [n,n] · [n,n]. */
export function factors(n: number): [Float32Array, Float32Array] {
  return [numbers(n * n, 1), numbers(n * n, 2)];
}

/** The rows of exp and softmax, in [-8, 8). */
export function rowsOf([rows, n]: readonly [number, number]): Float32Array {
  return numbers(rows * n, 3).map((x) => 8 * x);
}

// --- The training step -------------------------------------------------------------------------

/**
 * A GPT: vocabulary V, layers L, width D in H heads, T positions, B sequences. Pre-norm, causal,
 * feed-forward of 4 D with GPT-2's GELU (tanh), learned positions, a head of its own.
 */
export interface GPTShape {
  readonly V: number;
  readonly L: number;
  readonly D: number;
  readonly H: number;
  readonly T: number;
  readonly B: number;
}

export const sizes = {
  XS: { V: 64, L: 2, D: 32, H: 4, T: 32, B: 4 },
  S: { V: 256, L: 2, D: 64, H: 4, T: 64, B: 16 },
  M: { V: 512, L: 4, D: 128, H: 4, T: 64, B: 16 },
} as const satisfies Record<string, GPTShape>;

/** AdamW, decoupled decay on every parameter (1711.05101). */
export const adamW = { lr: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 } as const;

export const layerNormEps = 1e-5;

/** How many steps' losses are compared before a step is timed. */
export const comparedSteps = 5;

export interface Weight {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * The initial weights by name, named as in GPT-2; matrices lie [out, in]. Wide enough (variance
 * 1/(3 in)) that a wrong scale or mask anywhere shows in the losses.
 */
export function initialWeights({ V, L, D, T }: GPTShape): Record<string, Weight> {
  const weights: Record<string, Weight> = {};
  const add = (name: string, shape: readonly number[], scale: number, centre = 0) => {
    const seed = Object.keys(weights).length + 10;
    const size = shape.reduce((a, b) => a * b, 1);
    weights[name] = { shape, data: numbers(size, seed).map((x) => centre + scale * x) };
  };
  const linear = (name: string, out: number, into: number) => {
    add(`${name}.weight`, [out, into], 1 / Math.sqrt(into));
    add(`${name}.bias`, [out], 0.1);
  };
  const norm = (name: string) => {
    add(`${name}.weight`, [D], 0.1, 1);
    add(`${name}.bias`, [D], 0.1);
  };
  add("wte", [V, D], 0.5);
  add("wpe", [T, D], 0.5);
  for (let i = 0; i < L; i++) {
    norm(`h.${i}.ln_1`);
    linear(`h.${i}.attn.c_attn`, 3 * D, D);
    linear(`h.${i}.attn.c_proj`, D, D);
    norm(`h.${i}.ln_2`);
    linear(`h.${i}.mlp.c_fc`, 4 * D, D);
    linear(`h.${i}.mlp.c_proj`, D, 4 * D);
  }
  norm("ln_f");
  add("lm_head", [V, D], 1 / Math.sqrt(D));
  return weights;
}

export interface TokenBatch {
  /** Tokens, [B,T], and what should follow each of them. */
  readonly x: Int32Array;
  readonly y: Int32Array;
}

/** Four batches of random tokens; steps take them in turn. */
export function batchesOf({ V, B, T }: GPTShape): (step: number) => TokenBatch {
  const batches = [0, 1, 2, 3].map((seed) => {
    const stream = numbers(B * (T + 1), 1000 + seed).map((u) => Math.floor(((u + 1) / 2) * V));
    const take = (shift: number) =>
      Int32Array.from(
        { length: B * T },
        (_, i) => stream[Math.floor(i / T) * (T + 1) + (i % T) + shift]!,
      );
    return { x: take(0), y: take(1) };
  });
  return (step) => batches[step % batches.length]!;
}

/** A matrix the other way round, for libraries that want [in, out]. */
export function transposed({ shape, data }: Weight): Weight {
  const [rows = 0, columns = 0] = shape;
  const turned = data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)] as number);
  return { shape: [columns, rows], data: turned };
}
