// Epoch after epoch without end, each in an order of its own, which follows from the generator and the
// epoch's number alone: two numbers say where a run is, and it goes on exactly there.
// Next: ../pretrain/windows.ts, the first order.

import type { Random } from "../../core/index.ts";

export class Epochs<T> {
  readonly #rng: Random;
  readonly #order: (rng: Random) => readonly T[];
  #epoch = 0;
  #list: readonly T[] = [];
  #at = 0;

  /** `order` lists what an epoch goes through, with a fork of `rng` for it. */
  constructor(rng: Random, order: (rng: Random) => readonly T[]) {
    this.#rng = rng;
    this.#order = order;
    this.goTo(0, 0);
  }

  /** How many epochs are over. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Where in this epoch's list the next one is. */
  get at(): number {
    return this.#at;
  }

  goTo(epoch: number, at: number): void {
    this.#list = this.#order(this.#rng.fork(`epoch ${epoch}`));
    this.#epoch = epoch;
    this.#at = at;
  }

  /** The next one; undefined in an epoch without any. */
  next(): T | undefined {
    if (this.#at === this.#list.length) this.goTo(this.#epoch + 1, 0);
    return this.#list[this.#at++];
  }
}
