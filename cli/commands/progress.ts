// What a long command shows while it works: a bar that stays at the bottom of a terminal with messages
// above it, or, where the output goes to a file, the messages and a plain line now and then.
// Next: pretrain.ts, the first to use it.

import { MultiBar } from "cli-progress";

export interface Display {
  /** Prints a message that stays. */
  say(message: string): void;
  /** Shows how far the work is: a share from 0 to 1, and what else is to be known in a line. */
  show(done: number, status: string): void;
  /** Takes the bar away. */
  end(): void;
}

/** A display on standard output. */
export function display(): Display {
  return process.stdout.isTTY ? barDisplay() : lineDisplay();
}

function barDisplay(): Display {
  const bars = new MultiBar({
    format: "{bar} {percentage}%  {status}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 20,
    stream: process.stdout,
    clearOnComplete: true,
    hideCursor: true,
  });
  const bar = bars.create(1, 0, { status: "" });
  return {
    say: (message) => bars.log(`${message}\n`),
    show: (done, status) => bar.update(done, { status }),
    end() {
      bars.update(); // prints what was said last
      bars.stop();
    },
  };
}

const secondsBetweenLines = 15;

function lineDisplay(): Display {
  let last = performance.now();
  return {
    say: (message) => console.log(message),
    show(done, status) {
      const now = performance.now();
      if (now - last < 1000 * secondsBetweenLines) return;
      last = now;
      console.log(`${String(Math.floor(100 * done)).padStart(3)}%  ${status}`);
    },
    end() {},
  };
}

/** Seconds as a person reads them: 4:05, or 1:04:05. */
export function clockTime(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? `${part}` : String(part).padStart(2, "0"))).join(":");
}

/** A rate over the last seconds, so that it follows what the machine does now. */
export class Rate {
  readonly #points: { readonly seconds: number; readonly count: number }[] = [];

  /** Adds how many there were by then; returns how many a second there are now, 0 at first. */
  at(seconds: number, count: number): number {
    this.#points.push({ seconds, count });
    while (this.#points.length > 2 && seconds - (this.#points[0]?.seconds ?? 0) > 10) {
      this.#points.shift();
    }
    const first = this.#points[0] ?? { seconds, count };
    return seconds > first.seconds ? (count - first.count) / (seconds - first.seconds) : 0;
  }
}
