// A contestant's process, as the race sees it: orders go in, replies come out. A TypeScript file is forked,
// under the Node that is asked for; a Python file is started with its interpreter and talks in lines of JSON.
// Read next: race.ts, which gives the orders; contestant.ts and peers/contestant.py, which answer them.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Order, Reply } from "./contestant.ts";
import {
  adamW,
  batchesOf,
  comparedSteps,
  initialWeights,
  layerNormEps,
  type Work,
} from "./works.ts";

/** How to start a contestant: its file, relative to this one, its arguments and environment. */
export interface Entrant {
  readonly file: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The Node or Python that runs it; unless said, this process's own Node. */
  readonly program?: string;
  /** Node's flags for it. */
  readonly flags?: readonly string[];
  /** What the table calls it, where its own name isn't enough. */
  readonly title?: string;
}

/** A process to talk with: how an order is sent and how replies and its end are heard. */
interface Line {
  readonly child: ChildProcess;
  send(order: Order): void;
  onReply(take: (reply: Reply) => void): void;
}

function nodeLine({ file, args = [], env = {}, program, flags = [] }: Entrant): Line {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    execArgv: [...flags, "--import", "tsx"],
    env: { ...process.env, ...env },
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    ...(program !== undefined && { execPath: program }),
  });
  return {
    child,
    send: (order) => child.send(order),
    onReply: (take) => child.on("message", take),
  };
}

function pythonLine({ file, args = [], env = {}, program = "python3" }: Entrant): Line {
  const child = spawn(program, [fileURLToPath(new URL(file, import.meta.url)), ...args], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const [input, output] = [child.stdin as Writable, child.stdout as Readable];
  input.on("error", () => {}); // it has ended, which the race is told
  return {
    child,
    send: (order) => input.write(`${JSON.stringify(withNumbers(order))}\n`),
    onReply: (take) =>
      createInterface({ input: output }).on("line", (line) => take(JSON.parse(line))),
  };
}

/** An order with the numbers that a contestant in another language can't make for itself. */
function withNumbers(order: Order): object {
  if (!("prepare" in order) || order.prepare.kind !== "train") return order;
  return { ...order, ...numbersOf(order.prepare), adamW, layerNormEps, comparedSteps };
}

function numbersOf({ gpt }: Work & { kind: "train" }): object {
  const sent = ({ buffer }: Float32Array | Int32Array, shape: readonly number[]) => ({
    shape,
    base64: Buffer.from(buffer as ArrayBuffer).toString("base64"),
  });
  const weights = Object.entries(initialWeights(gpt)).map(([name, { data, shape }]) => [
    name,
    sent(data, shape),
  ]);
  const batches = [0, 1, 2, 3]
    .map(batchesOf(gpt))
    .map(({ x, y }) => [x, y].map((ids) => sent(ids, [gpt.B, gpt.T])));
  return { weights: Object.fromEntries(weights), batches };
}

export class Runner {
  readonly #line: Line;
  readonly #answers: Reply[] = [];
  #waiting: ((answer: Reply) => void) | null = null;

  constructor(entrant: Entrant) {
    this.#line = entrant.file.endsWith(".py") ? pythonLine(entrant) : nodeLine(entrant);
    this.#line.onReply((answer) => this.#take(answer));
    const end = (how: string) => this.#take({ cannot: `its process ${how}` });
    this.#line.child.on("exit", (code) => end(`ended with code ${code}`));
    this.#line.child.on("error", (error) => end(`didn't start: ${error.message}`));
  }

  #take(answer: Reply): void {
    if (this.#waiting === null) this.#answers.push(answer);
    else this.#waiting(answer);
    this.#waiting = null;
  }

  hear(): Promise<Reply> {
    const [answer] = this.#answers.splice(0, 1);
    if (answer !== undefined) return Promise.resolve(answer);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  ask(order: Order): Promise<Reply> {
    this.#line.send(order);
    return this.hear();
  }

  stop(): void {
    this.#line.child.kill();
  }
}
