// An editor's side of tsserver, the program that answers what stands in tooltips and where a name leads:
// requests as JSON lines, answers behind a header each. Next: package.test.ts.

import { type ChildProcess, spawn } from "node:child_process";

interface Answer {
  readonly type: string;
  readonly request_seq?: number;
  readonly success?: boolean;
  readonly message?: string;
  readonly body?: unknown;
}

export class Editor {
  readonly #server: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;
  #text = "";

  constructor(tsserver: string, folder: string) {
    const flags = [
      "--disableAutomaticTypingAcquisition",
      "--suppressDiagnosticEvents",
      "--useSingleInferredProject",
    ];
    const { NODE_OPTIONS: _, ...env } = process.env;
    this.#server = spawn(process.execPath, [tsserver, ...flags], { cwd: folder, env });
    this.#server.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
  }

  /** Opens a file with that content, whatever is on disk. */
  open(file: string, content: string): void {
    this.#send("open", { file, fileContent: content });
  }

  /** The body of the answer to a command of tsserver's protocol. */
  ask<T>(command: string, place: object): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(this.#send(command, place), ({ success, message, body }) =>
        success ? resolve(body as T) : reject(new Error(`${command}: ${message}`)),
      );
    });
  }

  close(): void {
    this.#server.kill();
  }

  #send(command: string, request: object): number {
    const seq = ++this.#asked;
    this.#server.stdin?.write(
      `${JSON.stringify({ seq, type: "request", command, arguments: request })}\n`,
    );
    return seq;
  }

  /** Every whole line that begins a JSON object is a message; the others are headers. */
  #read(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("{")) continue;
      const answer = JSON.parse(line) as Answer;
      if (answer.request_seq === undefined) continue;
      this.#waiting.get(answer.request_seq)?.(answer);
      this.#waiting.delete(answer.request_seq);
    }
  }
}
