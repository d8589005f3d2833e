// Sequences that begin alike, as the two answers of a pair do and all answers to one prompt: what they share
// is computed once, and kept as keys and values (or states) from which each reads on. Shared beginnings are
// cut to few lengths, so that those of a batch are equally long: nothing is padded between a beginning and
// what follows, every sum has the terms and the order that it has without sharing.
// Next: scores.ts, which scores them.

import { noGrad, scope, tensor } from "../core/index.ts";
import type { Cache } from "../nn/backbone.ts";
import type { Backbone } from "../nn/index.ts";
import { IGNORE } from "./losses.ts";
import type { Sequence } from "./pairs.ts";

/** Some sequences, by their places in a list, whose first `shared` tokens are the same. */
export interface Family {
  readonly shared: number;
  readonly members: readonly number[];
}

/** A batch of sequences that read on after beginnings of `shared` tokens each. */
export interface SharedBatch {
  readonly shared: number;
  readonly members: readonly number[];
  /** Which members begin alike: those of one family, by its first member's place in the batch. */
  readonly families: readonly number[];
}

/** Beginnings shorter than this are read again. */
const leastShared = 8;

/** A length cut to one of four an octave: 8, 10, 12, 14, 16, 20, 24, ...; 0 for what is too short. */
function cut(length: number): number {
  if (length < leastShared) return 0;
  const step = 2 ** Math.floor(Math.log2(length)) / 4;
  return length - (length % step);
}

/** How many tokens two sequences have in common from the start. */
function commonLength(a: Int32Array, b: Int32Array): number {
  const most = Math.min(a.length, b.length);
  let t = 0;
  while (t < most && a[t] === b[t]) t++;
  return t;
}

/** How many first tokens can be read apart: neither the last one nor, with labels, one that predicts a labelled token. */
function shareable({ ids, labels }: Sequence, withLabels: boolean): number {
  const first = withLabels ? labels.findIndex((label, t) => t > 0 && label !== IGNORE) : -1;
  return (first < 0 ? ids.length : first) - 1;
}

/**
 * All sequences in families, those alone with nothing shared. In alphabetical order each either joins the
 * family before it, where that saves tokens although the common beginning may get shorter, or begins one:
 * also if it has more than twice as much in common with the next.
 */
export function familiesOf(sequences: readonly Sequence[], withLabels: boolean): Family[] {
  const order = alphabetical(sequences);
  const room = (i: number | undefined): number =>
    i === undefined ? 0 : shareable(sequences[i] as Sequence, withLabels);
  const common = order.map((i, k) => {
    const [a, b] = [sequences[order[k - 1] ?? -1], sequences[i] as Sequence];
    return a === undefined ? 0 : Math.min(commonLength(a.ids, b.ids), room(order[k - 1]), room(i));
  });
  const families: { shared: number; members: number[] }[] = [];
  for (const [k, i] of order.entries()) {
    const last = families.at(-1);
    const count = last?.members.length ?? 0;
    const shared = cut(Math.min(last?.shared ?? 0, common[k] ?? 0));
    const gain = count * shared - (count - 1) * (count > 1 ? (last?.shared ?? 0) : 0);
    if (last !== undefined && shared > 0 && gain >= 0 && 2 * gain >= cut(common[k + 1] ?? 0)) {
      last.members.push(i);
      last.shared = shared;
    } else families.push({ shared: room(i), members: [i] });
  }
  return families.map((family) => (family.members.length > 1 ? family : { ...family, shared: 0 }));
}

/** Places of sequences in the order of their tokens, what begins alike side by side. */
function alphabetical(sequences: readonly Sequence[]): number[] {
  return [...sequences.keys()].sort((i, j) => {
    const [a, b] = [sequences[i] as Sequence, sequences[j] as Sequence];
    const t = commonLength(a.ids, b.ids);
    return (a.ids[t] ?? -1) - (b.ids[t] ?? -1) || i - j;
  });
}

/** Families in batches of one length of beginnings and at most `tokens` places (but one family at least, cut if need be). */
export function sharedBatches(
  families: readonly Family[],
  lengths: readonly number[],
  tokens: number,
): SharedBatch[] {
  const longest = ({ members }: Family): number =>
    members.reduce((most, i) => Math.max(most, lengths[i] ?? 0), 0);
  const sizes = new Map(families.map((family) => [family, longest(family)]));
  const sizeOf = (family: Family): number => sizes.get(family) ?? 0;
  const order = [...families].sort((a, b) => b.shared - a.shared || sizeOf(b) - sizeOf(a));
  const batches: { shared: number; members: number[]; families: number[]; most: number }[] = [];
  for (const family of order) {
    family.members.forEach((i, k) => {
      let batch = batches.at(-1);
      const most = Math.max(batch?.most ?? 0, sizeOf(family));
      const isFull = batch !== undefined && (batch.members.length + 1) * most > tokens;
      if (batch === undefined || batch.shared !== family.shared || isFull) {
        batch = { shared: family.shared, members: [], families: [], most: sizeOf(family) };
        batches.push(batch);
      }
      const isFirst = k === 0 || batch.members.length === 0;
      batch.families.push(isFirst ? batch.members.length : (batch.families.at(-1) ?? 0));
      batch.members.push(i);
    });
  }
  return batches;
}

/** Reads the beginnings of a batch, each once; gives the cache, a row for each sequence, and what is left of them. */
export function readShared(
  model: Backbone,
  sequences: readonly Sequence[],
  { shared, families }: Pick<SharedBatch, "shared" | "families">,
): { readonly cache: Cache; readonly rest: Sequence[] } {
  const first = [...new Set(families)];
  const ids = new Int32Array(first.length * shared);
  for (const [row, at] of first.entries())
    ids.set((sequences[at] as Sequence).ids.subarray(0, shared), row * shared);
  const rowOf = new Map(first.map((at, row) => [at, row]));
  const rows = Int32Array.from(families, (at) => rowOf.get(at) ?? 0);
  const cache = model.newCache();
  noGrad(() =>
    scope(() => {
      model.forward(tensor(ids, { shape: [first.length, shared] }), { cache });
      cache.select(tensor(rows));
      return null;
    }),
  );
  const rest = sequences.map(({ ids, labels }) => {
    return { ids: ids.subarray(shared), labels: labels.subarray(shared) };
  });
  return { cache, rest };
}
