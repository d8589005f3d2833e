// Ctrl-C for a command that trains: the first lets it finish what it is at and save, the second quits at
// once. Next: pretrain.ts.

export interface Stop {
  /** Aborted by the first Ctrl-C, or by a SIGTERM. */
  readonly signal: AbortSignal;
  /** Gives the signals back to Node. */
  dispose(): void;
}

const signals = ["SIGINT", "SIGTERM"] as const;

/** Listens from now on; `onStop` says that it was heard, `onQuit` tidies up before the process ends. */
export function stopOnSignals(onStop: () => void, onQuit: () => void): Stop {
  const controller = new AbortController();
  const listener = (): void => {
    if (controller.signal.aborted) {
      onQuit();
      process.exit(130); // as a shell says it: 128 + SIGINT
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
