// What flows through a model, read out by name: which activations there are, which of them are the
// residual stream, and the states of every token of some sequences as matrices. Reward models and plain
// language models have the same names, so that one can be held against the other.
// Next: drift.ts, which compares them; ../../nn/activations.ts for the names.

import { ArgumentError, noGrad, scope, type Tensor, tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { CausalLM, capture } from "../../nn/index.ts";
import { breathe } from "../../nn/run/loop.ts";
import { batchesByLength, makeBatch } from "../batches.ts";
import type { Sequence } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { taken } from "../scores.ts";
import { type Matrix, matrix } from "./matrix.ts";

const takes = signatures(
  {
    activationNames: "model: RewardModel | CausalLM, run: function",
    backboneNames: "model: RewardModel | CausalLM",
    streamNames: "model: RewardModel | CausalLM, { middles?: boolean }",
    shortName: "name: string",
    tokenStates:
      "model: RewardModel | CausalLM, sequences: any[], { names?: any[], batchTokens?: number }",
    evaluating: "model: RewardModel | CausalLM, fn: function",
    lastRows: "sequences: any[]",
  },
  () => ({ CausalLM, RewardModel }),
);

/** A model with a backbone: what both kinds have in common. */
export type Model = RewardModel | CausalLM;

const deepest = 7; // parts of a name, as in model.layers.0.self_attn.pattern

/** The full names of all activations that `run` announces in `model`, in the order of their making. */
export function activationNames(model: Model, run: () => unknown): string[] {
  accept(takes.activationNames, arguments);
  const patterns = Array.from({ length: deepest }, (_, i) =>
    Array(i + 1)
      .fill("*")
      .join("."),
  );
  const found = patterns.filter((pattern) => {
    try {
      capture(model, [pattern], run);
      return true;
    } catch (error) {
      if (error instanceof ArgumentError) return false; // no name has so many parts
      throw error;
    }
  });
  return Object.keys(capture(model, found, run).activations);
}

/** The names of the backbone's activations, in the order of their making. */
export function backboneNames(model: Model): string[] {
  accept(takes.backboneNames, arguments);
  const ids = tensor([[0]], { dtype: "int32" });
  return evaluating(model, () =>
    scope(() => ({ names: activationNames(model, () => model.model.forward(ids)) })),
  ).names;
}

/**
 * The residual stream of a backbone from the embeddings to the final hidden states that both heads read:
 * embed, what each block leaves behind it (with `middles` also what attention leaves), hidden.
 */
export function streamNames(model: Model, options: { readonly middles?: boolean } = {}): string[] {
  accept(takes.streamNames, arguments);
  const { middles = false } = options;
  const wanted = middles ? /\.(embed|mid|resid|hidden)$/ : /\.(embed|resid|hidden)$/;
  return backboneNames(model).filter((name) => wanted.test(name));
}

/** The last part of a stream's name, with the number of its block: "embed", "1.mid", "hidden". */
export function shortName(name: string): string {
  accept(takes.shortName, arguments);
  const parts = name.split(".");
  const block = parts.findLastIndex((part) => /^\d+$/.test(part));
  return parts.slice(block < 0 ? -1 : block).join(".");
}

/** States by the activation's name: [N,C] each, N the real tokens of all sequences, one after the other. */
export type States = Readonly<Record<string, Matrix>>;

/** Reads the states of all tokens in evaluation mode; `names` are those of streamNames unless given. */
export async function tokenStates(
  model: Model,
  sequences: readonly Sequence[],
  options: { readonly names?: readonly string[]; readonly batchTokens?: number } = {},
): Promise<States> {
  accept(takes.tokenStates, arguments);
  const { names = streamNames(model), batchTokens = 2048 } = options;
  const lengths = sequences.map(({ ids }) => ids.length);
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, n) => sum + n, 0));
  const N = lengths.reduce((sum, n) => sum + n, 0);
  const states: Record<string, Matrix> = {};
  for (const batch of batchesByLength(lengths, batchTokens)) {
    const rows = batch.map((i) => sequences[i] as Sequence);
    for (const [name, x] of Object.entries(activationsOf(model, rows, names))) {
      const [, T = 0, C = 0] = x.shape;
      const numbers = Float64Array.from(await taken(x));
      const into = states[name] ?? matrix(N, C);
      states[name] = into;
      batch.forEach((i, row) => {
        const own = numbers.subarray(row * T * C, (row * T + (lengths[i] ?? 0)) * C);
        into.data.set(own, (starts[i] ?? 0) * C);
      });
    }
    await breathe();
  }
  return states;
}

/** Activations [B,T,C] of a batch, off the tape. An ArgumentError for one that isn't of this shape. */
function activationsOf(
  model: Model,
  rows: readonly Sequence[],
  names: readonly string[],
): Readonly<Record<string, Tensor>> {
  return evaluating(model, () =>
    scope(() => {
      const { ids, mask } = makeBatch(rows);
      const run = () => model.model.forward(ids, { mask });
      const { activations } = capture(model, names, run);
      for (const [name, { rank, shape }] of Object.entries(activations)) {
        if (rank === 3 && shape[1] === ids.shape[1]) continue;
        throw new ArgumentError(
          `tokenStates: "${name}" is [${shape}]; needed a state for each token, [B,T,C]`,
        );
      }
      return activations;
    }),
  );
}

/** Runs `fn` without recording and without dropout; the model's mode is afterwards as it was. */
export function evaluating<T>(model: Model, fn: () => T): T {
  accept(takes.evaluating, arguments);
  const resumeTraining = model.pauseTraining();
  try {
    return noGrad(fn);
  } finally {
    resumeTraining();
  }
}

/** Rows of the states that are each sequence's last token. */
export function lastRows(sequences: readonly Sequence[]): number[] {
  accept(takes.lastRows, arguments);
  let end = -1;
  return sequences.map(({ ids }) => {
    end += ids.length;
    return end;
  });
}
