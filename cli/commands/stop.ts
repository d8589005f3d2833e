// Ctrl-C for a command that trains: the first lets it finish what it is at and save, the second quits at
// once. Next: pretrain.ts.

export interface Stop {
  /** Aborted by the first Ctrl-C, or by a SIGTERM. */
  readonly signal: AbortSignal;
  /** Gives the signals back to Node. */
  dispose(): void;
}

/** Says to the shell that the work was stopped before its end: 128 + SIGINT. */
export function exitAsStopped(): void {
  process.exitCode = stopped;
}

const stopped = 130;

const signals = ["SIGINT", "SIGTERM"] as const;

/** Listens from now on; `onStop` says that it was heard, `onQuit` tidies up before the process ends. */
export function stopOnSignals(onStop: () => void, onQuit: () => void): Stop {
  const controller = new AbortController();
  const listener = (): void => {
    if (controller.signal.aborted) {
      onQuit();
      process.exit(stopped);
    }
    controller.abort();
    onStop();
  };
  for (const name of signals) process.on(name, listener);
  return {
    signal: controller.signal,
    dispose() {
      for (const name of signals) process.off(name, listener);
    },
  };
}
