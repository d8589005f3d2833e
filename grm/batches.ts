// From pairs to what a model is fed: padded ids with a mask, the places that carry text-generation loss,
// and the order in which training sees the data, with pairs of similar length together.
// Next: trainer.ts.

import { ArgumentError, type Random, type Tensor, tensor } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { Epochs } from "../nn/run/epochs.ts";
import { IGNORE } from "./losses.ts";
import type { Pair, Sequence } from "./pairs.ts";
import type { Targets } from "./rewardModel.ts";

/** Sequences side by side: B rows of T places. */
const options = '{ padding?: "left" | "right", withTargets?: number }';
const takes = signatures({
  pairLength: "pair: { chosen: object, rejected: object, ... }",
  epochBatches: "lengths: number[], batchSize: number, rng: Random",
  batchesByLength: "lengths: number[], tokens: number",
  chunks: "list: any[], size: number",
  DataOrder: "lengths: number[], batchSize: number, rng: Random",
  makeBatch: `sequences: any[], ${options}`,
  makePairBatch: `pairs: any[], ${options}`,
});

/** Sequences of different lengths as one batch of B rows and T places, padded to the longest. */
export interface PaddedBatch {
  /** [B,T] int32; 0 where there is padding. */
  readonly ids: Tensor;
  /** [B,T] bool: where tokens are. */
  readonly mask: Tensor;
  readonly targets: Targets;
  /** How many tokens there are, padding not counted. */
  readonly tokens: number;
}

/** How sequences of different lengths become one batch. */
export interface BatchOptions {
  /** Where padding goes. Default "right", which costs a causal model nothing. */
  readonly padding?: "left" | "right";
  /** How many of the rows, the first ones, get targets. Default: all. */
  readonly withTargets?: number;
}

/**
 * Pads sequences to the longest. A label at a sequence's first token is no target: nothing predicts it.
 * An ArgumentError for no sequences, an empty one, or labels of another length.
 */
export function makeBatch(
  sequences: readonly Sequence[],
  settings: BatchOptions = {},
): PaddedBatch {
  accept(takes.makeBatch, arguments);
  const { padding = "right", withTargets = sequences.length } = settings;
  sequences.forEach(checkSequence);
  const [B, T] = [sequences.length, longest(sequences)];
  if (B === 0) throw new ArgumentError("makeBatch: got no sequences");
  const ids = new Int32Array(B * T);
  const mask = new Uint8Array(B * T);
  const offset = ({ ids }: Sequence): number => (padding === "left" ? T - ids.length : 0);
  sequences.forEach((sequence, b) => {
    const start = b * T + offset(sequence);
    ids.set(sequence.ids, start);
    mask.fill(1, start, start + sequence.ids.length);
  });
  const labelled = sequences.slice(0, withTargets);
  return {
    ids: tensor(ids, { shape: [B, T] }),
    mask: tensor(mask, { shape: [B, T] }),
    targets: targetsOf(labelled, (sequence, b) => b * T + offset(sequence)),
    tokens: sequences.reduce((sum, { ids }) => sum + ids.length, 0),
  };
}

/** `startOf` gives the place of a sequence's first token. */
function targetsOf(
  sequences: readonly Sequence[],
  startOf: (sequence: Sequence, row: number) => number,
): Targets {
  const [places, tokens, rows]: number[][] = [[], [], []];
  const counts = sequences.map((sequence, row) => {
    const start = startOf(sequence, row);
    let count = 0;
    for (let t = 1; t < sequence.labels.length; t++) {
      const label = sequence.labels[t] ?? IGNORE;
      if (label === IGNORE) continue;
      places?.push(start + t - 1);
      tokens?.push(label);
      rows?.push(row);
      count++;
    }
    return count;
  });
  const int32 = (values: number[] = []): Tensor => tensor(Int32Array.from(values));
  return { places: int32(places), tokens: int32(tokens), rows: int32(rows), counts };
}

/** An ArgumentError for an empty sequence, or labels of another length. */
export function checkSequence({ ids, labels }: Sequence, i: number): void {
  if (ids.length > 0 && labels.length === ids.length) return;
  throw new ArgumentError(
    `makeBatch: sequence ${i} has ${ids.length} ids and ${labels.length} labels; needed as many, at least one`,
  );
}

function longest(sequences: readonly Sequence[]): number {
  return sequences.reduce((most, { ids }) => Math.max(most, ids.length), 0);
}

/** The chosen answers of pairs, then the rejected ones. */
export function answersOf(pairs: readonly Pair[]): Sequence[] {
  return [...pairs.map((p) => p.chosen), ...pairs.map((p) => p.rejected)];
}

/** B pairs as one batch of 2B rows: the chosen answers, then the rejected ones. */
export function makePairBatch(pairs: readonly Pair[], options?: BatchOptions): PaddedBatch {
  accept(takes.makePairBatch, arguments);
  return makeBatch(answersOf(pairs), options);
}

/** Tokens of the longer answer: what a pair costs. */
export function pairLength(pair: Pair): number {
  accept(takes.pairLength, arguments);
  const { chosen, rejected } = pair;
  return Math.max(chosen.ids.length, rejected.ids.length);
}

/** How many batches are drawn together to be sorted by length: more means less padding, less chance. */
const batchesInBucket = 16;

/**
 * An epoch over things of these lengths, as batches of their indices. All are shuffled, sorted by length
 * within buckets of 16 batches, and cut; the batches then come in random order. The last may be smaller.
 */
export function epochBatches(
  lengths: readonly number[],
  batchSize: number,
  rng: Random,
): readonly (readonly number[])[] {
  accept(takes.epochBatches, arguments);
  const order = [...rng.permutation(lengths.length)];
  const buckets = chunks(order, batchSize * batchesInBucket);
  const byLength = (a: number, b: number): number => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b;
  const batches = buckets.flatMap((bucket) => chunks(bucket.toSorted(byLength), batchSize));
  return Array.from(rng.permutation(batches.length), (i) => batches[i] ?? []);
}

/** All things, the long ones together, in batches of at most `tokens` places with padding (but one thing at least). */
export function batchesByLength(
  lengths: readonly number[],
  tokens: number,
): readonly (readonly number[])[] {
  accept(takes.batchesByLength, arguments);
  const order = lengths.map((_, i) => i).sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0));
  const batches: number[][] = [];
  for (let at = 0; at < order.length; ) {
    const most = lengths[order[at] ?? 0] ?? 1; // the first of a batch is its longest
    const size = Math.max(1, Math.floor(tokens / most));
    batches.push(order.slice(at, at + size));
    at += size;
  }
  return batches;
}

/** A list in pieces of `size`, the last perhaps shorter. */
export function chunks<T>(list: readonly T[], size: number): T[][] {
  accept(takes.chunks, arguments);
  const count = Math.ceil(list.length / size);
  return Array.from({ length: count }, (_, i) => list.slice(i * size, (i + 1) * size));
}

/** Where in the data a run is. */
export interface DataPosition {
  /** How often all pairs were seen. */
  readonly epoch: number;
  /** The next batch of this epoch. */
  readonly batch: number;
}

/** Batches without end, epoch after epoch. Everything follows from the generator's seed and the position. */
export class DataOrder {
  readonly #batches: Epochs<readonly number[]>;

  constructor(lengths: readonly number[], batchSize: number, rng: Random) {
    accept(takes.DataOrder, arguments);
    this.#batches = new Epochs(rng, (rng) => epochBatches(lengths, batchSize, rng));
  }

  get position(): DataPosition {
    const { epoch, at: batch } = this.#batches;
    return { epoch, batch };
  }

  set position({ epoch, batch }: DataPosition) {
    this.#batches.goTo(epoch, batch);
  }

  /** The next batch, as indices of pairs. */
  next(): readonly number[] {
    return this.#batches.next() ?? [];
  }
}
