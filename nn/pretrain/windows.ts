// The order in which training sees a corpus: in each epoch the documents are shuffled, laid end to end,
// cut into windows at another place, and the windows come in random order. Everything follows from the
// seed and the position, two numbers, so that a run goes on exactly where it stopped.
// Next: trainer.ts, which takes a batch a step.

import { type Random, type Tensor, tensor } from "../../core/index.ts";
import { joinIds } from "../arrays.ts";
import { Epochs } from "../run/epochs.ts";

/** Windows [B,T] and the token after each of theirs. */
export interface WindowBatch {
  readonly ids: Tensor;
  readonly targets: Tensor;
}

/** Where in the data a run is. */
export interface Position {
  /** How often all documents were seen. */
  readonly epoch: number;
  /** The next window of this epoch. */
  readonly window: number;
}

/** A batch of windows, each given with the token after it: B arrays of T + 1 ids. */
export function batchOf(windows: readonly Int32Array[]): WindowBatch {
  const shape = [windows.length, (windows[0]?.length ?? 1) - 1];
  return {
    ids: tensor(joinIds(windows.map((ids) => ids.subarray(0, -1))), { shape }),
    targets: tensor(joinIds(windows.map((ids) => ids.subarray(1))), { shape }),
  };
}

/** Places of windows that follow each other from `first` on, each with a token after it. */
export function windowStarts(length: number, context: number, first = 0): number[] {
  const windows = Math.max(0, Math.floor((length - 1 - first) / context));
  return Array.from({ length: windows }, (_, i) => first + i * context);
}

/** Batches without end. */
export class Windows {
  readonly #documents: readonly Int32Array[];
  readonly #context: number;
  readonly #starts: Epochs<number>;
  #ids = new Int32Array(0);

  /** `documents` hold more than `context` ids together. Draws from forks of `rng` alone. */
  constructor(documents: readonly Int32Array[], context: number, rng: Random) {
    this.#documents = documents;
    this.#context = context;
    this.#starts = new Epochs(rng, (rng) => this.#shuffle(rng));
  }

  get position(): Position {
    const { epoch, at: window } = this.#starts;
    return { epoch, window };
  }

  set position({ epoch, window }: Position) {
    this.#starts.goTo(epoch, window);
  }

  /** Lays an epoch's documents end to end, and says where its windows begin. */
  #shuffle(rng: Random): number[] {
    const order = rng.permutation(this.#documents.length);
    this.#ids = joinIds(Array.from(order, (i) => this.#documents[i] as Int32Array));
    const room = this.#ids.length - this.#context; // at least 1: one window fits at place 0
    const first = rng.integer(0, Math.min(this.#context, room));
    const starts = windowStarts(this.#ids.length, this.#context, first);
    return Array.from(rng.permutation(starts.length), (i) => starts[i] as number);
  }

  /** The next `size` windows. */
  next(size: number): WindowBatch {
    const windows: Int32Array[] = [];
    while (windows.length < size) {
      const start = this.#starts.next() ?? 0;
      windows.push(this.#ids.subarray(start, start + this.#context + 1));
    }
    return batchOf(windows);
  }
}
