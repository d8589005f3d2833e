// Requests that wait for a model: what has come while the model was at work is scored next, together, so that many
// small requests cost little more than one. A queue has an end: what doesn't fit is told to come again.
// Next: serve.ts.

/** Work on items in groups, in the order in which they came. */
export class BatchQueue<Item, Result> {
  readonly #waiting: Waiting<Item, Result>[] = [];
  #items = 0;
  #isRunning = false;

  constructor(
    readonly work: (items: readonly Item[]) => Promise<readonly Result[]>,
    /** Items of one group, and items that may wait. */
    readonly limits: { readonly batch: number; readonly waiting: number },
  ) {}

  /** How many items wait or are worked on. */
  get size(): number {
    return this.#items;
  }

  /** The results of some items; null if there are too many before them. */
  add(items: readonly Item[]): Promise<readonly Result[]> | null {
    if (this.#items + items.length > this.limits.waiting) return null;
    this.#items += items.length;
    const done = new Promise<readonly Result[]>((resolve, reject) => {
      this.#waiting.push({ items, resolve, reject });
    });
    if (!this.#isRunning) void this.#run();
    return done;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      await new Promise(setImmediate); // so that what has arrived by now is heard of
      await this.#serve(this.#next());
    }
    this.#isRunning = false;
  }

  /** The next group: as many requests as fit, and at least one. */
  #next(): Waiting<Item, Result>[] {
    let size = 0;
    const more = this.#waiting.findIndex(({ items }) => {
      size += items.length;
      return size > this.limits.batch;
    });
    return this.#waiting.splice(0, more < 0 ? this.#waiting.length : Math.max(1, more));
  }

  async #serve(group: readonly Waiting<Item, Result>[]): Promise<void> {
    const items = group.flatMap((one) => one.items);
    try {
      const results = await this.work(items);
      let at = 0;
      for (const { items: own, resolve } of group) {
        resolve(results.slice(at, at + own.length));
        at += own.length;
      }
    } catch (error) {
      for (const one of group) one.reject(error);
    } finally {
      this.#items -= items.length;
    }
  }
}

interface Waiting<Item, Result> {
  readonly items: readonly Item[];
  resolve(results: readonly Result[]): void;
  reject(error: unknown): void;
}
