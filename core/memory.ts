// Who still needs the memory of which tensor. Inside of confine() everything that is made is noted, and what
// nobody asked for is released at its end: scope() is made of it, and so is every backward walk. Gradients
// is the walk's own bookkeeping: a map that counts, so that memory is released while the walk goes on and
// the next op finds it still in the processor's cache.
// Next: storage.ts for what is released, tape.ts for the walk.

import type { Storage } from "./storage.ts";
import type { Tensor } from "./tensor.ts";

/** What was made since the innermost confine began, in order. */
let made: Storage[] | null = null;
let serials = 0;

/** Notes that a storage was made. Returns its serial number, which grows with time. */
export function noteMade(storage: Storage): number {
  made?.push(storage);
  return serials++;
}

/** How many storages there were: the serial number of the next one. */
export function madeSoFar(): number {
  return serials;
}

/**
 * Runs `fn`; releases every storage made inside but those that `wanted` finds in the result, which become
 * the surrounding confine's, and those that are kept. `by` stands in the error of whoever reads one later.
 */
export function confine<T>(
  fn: () => T,
  wanted: (result: T) => Iterable<Storage | undefined>,
  by: string,
): T {
  const outer = made;
  const own: Storage[] = [];
  made = own;
  try {
    const result = fn();
    const stay = new Set(wanted(result));
    for (const storage of own) if (!stay.has(storage) && !storage.kept) storage.release(by);
    return result;
  } finally {
    made = outer;
    if (outer)
      for (const storage of own) if (!storage.released && !storage.kept) outer.push(storage);
  }
}

/** What stands in the error of whoever reads what a backward walk released. */
export const walkName = "the backward walk that made it";

/** The gradients that a backward walk has so far, by tensor: a map that also counts who needs which memory. */
export class Gradients {
  readonly #of = new Map<Tensor, Tensor>();
  readonly #first = serials;
  /** How many of `made` were looked at, and what the map needed and needs no more. */
  #seen = made?.length ?? 0;
  #dropped: Storage[] = [];

  /** `isRecorded`: the graph of the walk itself needs all of them; nothing is counted or released. */
  constructor(readonly isRecorded: boolean) {}

  get(x: Tensor): Tensor | undefined {
    return this.#of.get(x);
  }

  set(x: Tensor, g: Tensor): void {
    g.storage.needs++; // before what was there is dropped: it may be the same
    const before = this.#of.get(x);
    if (before !== undefined) this.#drop(before.storage);
    this.#of.set(x, g);
  }

  delete(x: Tensor): void {
    const g = this.#of.get(x);
    if (g === undefined) return;
    this.#of.delete(x);
    this.#drop(g.storage);
  }

  [Symbol.iterator](): IterableIterator<[Tensor, Tensor]> {
    return this.#of.entries();
  }

  /** Releases what was made since the last sweep, or was in the map, and is needed by nobody. */
  sweep(): void {
    if (this.isRecorded || made === null) return;
    for (; this.#seen < made.length; this.#seen++) releaseIfFree(made[this.#seen] as Storage);
    for (let s = this.#dropped.pop(); s !== undefined; s = this.#dropped.pop()) releaseIfFree(s);
  }

  /** The map as it is at the end: the walk needs it no more, others do. */
  handOver(): ReadonlyMap<Tensor, Tensor> {
    for (const g of this.#of.values()) g.storage.needs--;
    return this.#of;
  }

  #drop(storage: Storage): void {
    storage.needs--;
    if (storage.serial >= this.#first) this.#dropped.push(storage); // older ones aren't the walk's to release
  }
}

function releaseIfFree(storage: Storage): void {
  if (storage.needs === 0 && !storage.kept) storage.release(walkName);
}
