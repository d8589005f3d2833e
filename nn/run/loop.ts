// A run from step to step, whatever a step is: until it is finished or told to stop, with a turn for the
// rest of the program in between; how long it has worked; and what keeps it from going on where another
// stopped. Next: ../pretrain.ts, the first of these runs.

/** What whoever starts a run says of it, and is told. */
export interface RunHooks<Checkpoint> {
  /** Goes on from there, with the same settings and the same data. */
  readonly resume?: Checkpoint | undefined;
  /** Ends the run after the current step, with a checkpoint. */
  readonly signal?: { readonly aborted: boolean } | undefined;
  /** Milliseconds that only go up; performance.now unless said. */
  readonly now?: (() => number) | undefined;
}

/** A run that can be stopped after any step. */
export interface Steps {
  readonly finished: boolean;
  next(): Promise<void>;
}

/** Takes steps until there are no more, or the signal is aborted. */
export async function takeSteps(run: Steps, signal?: { readonly aborted: boolean }): Promise<void> {
  while (!run.finished && !signal?.aborted) {
    await run.next();
    await breathe();
  }
}

let rested = 0;

/** Lets the rest of the program have its turn now and then: signals, timers, a page's events. */
export async function breathe(): Promise<void> {
  if (performance.now() - rested < 20) return;
  await new Promise((resolve) => setTimeout(resolve, 0));
  rested = performance.now();
}

/** Tells for how many seconds a run has worked, `before` among them, in whole milliseconds. */
export function stopwatch(before: number, now = () => performance.now()): () => number {
  const start = now();
  return () => before + Math.round(now() - start) / 1000;
}

/** In words, the settings that aren't those with which a run was begun. */
export function changesOf(
  begun: Readonly<Record<string, unknown>>,
  asked: Readonly<Record<string, unknown>>,
): string[] {
  const show = (value: unknown): string => JSON.stringify(value) ?? "unset";
  return Object.entries(asked).flatMap(([name, value]) => {
    const [was, is] = [show(begun[name]), show(value)];
    return was === is ? [] : [`${name} was ${was}, not ${is}`];
  });
}
