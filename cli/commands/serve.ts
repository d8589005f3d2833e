// twoheads serve: a reward model behind HTTP, for trainers and programs that ask for rewards. Two ways of asking:
// OpenRLHF's (POST /get_reward with texts that are written by a template already) and plain JSON (POST /score with
// what `twoheads score` reads). Requests that come together are scored together.
// Next: serveQueue.ts, ../../grm/textScores.ts.

import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Command } from "commander";
import { ArgumentError, TwoheadsError } from "../../core/index.ts";
import { judgedSequence, responseOf, type SequenceRead } from "../../grm/data/index.ts";
import type { Sequence } from "../../grm/pairs.ts";
import type { RewardModelFolder } from "../../grm/rewardModelFiles.ts";
import { scoreSequences } from "../../grm/scores.ts";
import { type Field, parseJson } from "../../nn/checkpoints/json.ts";
import { type JsonFlag, jsonOption, printFound } from "./json.ts";
import { naturalNumber, wholeNumber } from "./numbers.ts";
import { openRewardModel, type UnfinishedFlag, unfinishedOption } from "./opened.ts";
import { addReadingOptions, type ReadingFlags, readingOf } from "./reading.ts";
import { BatchQueue } from "./serveQueue.ts";
import { stopOnSignals } from "./stop.ts";

interface Given extends ReadingFlags, JsonFlag, UnfinishedFlag {
  readonly host: string;
  readonly port: number;
  readonly token?: string;
  readonly maxBody: number;
  readonly batch: number;
  readonly waiting: number;
}

const examples = `
Ways of asking:
  POST /get_reward {"query": [text, ...], "prompts": [...], "labels": [...]}   as OpenRLHF asks; texts hold prompt and
       answer as the template writes them. Answer: {"rewards": [...], "scores": [...], "extra_logs": {}}
  POST /score      what twoheads score reads: {"prompt": ..., "response": ...}, or a list of such. Answer:
       {"reward": ..., "tokens": ...}, or a list of such; "cut": true where it didn't fit whole
  GET  /health     {"status": "ok", "model": ..., "waiting": 0}

Examples:
  $ twoheads serve runs/train-1
  $ twoheads serve runs/train-1 --port 8080 --token "$TOKEN"
  $ curl localhost:5000/score -d '{"prompt": "2 + 2?", "response": "4"}'
`;

/** Adds the command. */
export function addServe(program: Command): void {
  const command = program
    .command("serve")
    .description(
      "answer requests for rewards over HTTP, as OpenRLHF asks for them and as plain JSON",
    )
    .argument("<model>", "folder of the reward model that scores")
    .option(
      "--host <address>",
      "address to listen at; beyond this machine it needs a --token",
      "127.0.0.1",
    )
    .option("--port <number>", "port to listen at, 0 for any that is free", naturalNumber, 5000)
    .option(
      "--token <text>",
      "secret that requests must bring: Authorization: Bearer TEXT (default: $TWOHEADS_TOKEN, or none)",
    )
    .option("--max-body <number>", "largest request in bytes", wholeNumber, 2 ** 22)
    .option(
      "--batch <number>",
      "largest number of answers that are scored together",
      wholeNumber,
      64,
    )
    .option(
      "--waiting <number>",
      "number of answers that may wait; more are told to come again",
      wholeNumber,
      4096,
    );
  addReadingOptions(command)
    .addOption(jsonOption())
    .addOption(unfinishedOption())
    .addHelpText("after", examples)
    .action((model: string, given: Given) => runServe(model, given));
}

async function runServe(path: string, given: Given): Promise<void> {
  const { host, port, token = process.env.TWOHEADS_TOKEN } = given;
  if (!isLoopback(host) && (token ?? "") === "") {
    throw new ArgumentError(`serve: ${host} can be reached from other machines; give a --token`);
  }
  const opened = openRewardModel(path, given);
  const folder = { ...opened, reading: readingOf(given, opened.reading) };
  const server = rewardServer(folder, { ...given, name: path, token });
  const address = await listening(server, host, port);
  const { port: own } = server.address() as AddressInfo; // which --port 0 leaves to the system
  const url = `http://${address.includes(":") ? `[${address}]` : address}:${own}`;
  printFound(given, { model: path, url, port: own }, `${path} answers at ${url}`);
  const closed = new Promise<void>((resolve) => server.on("close", () => resolve()));
  const stop = stopOnSignals(
    () => {
      console.error("stopping after the requests that are here; Ctrl-C again quits at once");
      server.close();
      server.closeIdleConnections();
    },
    () => {},
  );
  await closed;
  stop.dispose();
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host.startsWith("127.");

/** Waits until a server listens; a port that is taken is an ArgumentError. */
function listening(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE"
          ? "is taken by another program; choose another --port"
          : cause.message;
      reject(new ArgumentError(`serve: port ${port} at ${host} ${why}`, { cause }));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).address));
  });
}

export interface ServeOptions {
  readonly name: string;
  readonly token?: string | undefined;
  readonly maxBody: number;
  readonly batch: number;
  readonly waiting: number;
}

/** A server of a reward model's rewards, not listening yet. */
export function rewardServer(folder: RewardModelFolder, options: ServeOptions): Server {
  const queue = new BatchQueue(
    async (sequences: readonly Sequence[]) => [
      ...(await scoreSequences(folder.model, sequences)).rewards,
    ],
    options,
  );
  const server = createServer((request, response) => {
    answer(request, folder, queue, options).then(
      (said) => reply(response, 200, said, !server.listening),
      (error: unknown) => {
        if (!(error instanceof Refusal || error instanceof TwoheadsError)) console.error(error);
        reply(response, statusOf(error), { error: messageOf(error) }, true);
      },
    );
  });
  server.requestTimeout = 60_000;
  return server;
}

/** What a request gets in place of an answer. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const statusOf = (error: unknown): number =>
  error instanceof Refusal ? error.status : error instanceof TwoheadsError ? 400 : 500;

const messageOf = (error: unknown): string =>
  error instanceof Refusal || error instanceof TwoheadsError
    ? error.message
    : "the server failed; its own output says why";

function reply(response: ServerResponse, status: number, said: object, isLast: boolean): void {
  const text = JSON.stringify(said);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...(status === 503 && { "retry-after": "1" }),
    ...(status === 401 && { "www-authenticate": "Bearer" }),
    ...(isLast && { connection: "close" }),
  });
  response.end(text);
}

type Queue = BatchQueue<Sequence, number>;

async function answer(
  request: IncomingMessage,
  folder: RewardModelFolder,
  queue: Queue,
  options: ServeOptions,
): Promise<object> {
  const { method, url = "/" } = request;
  const [path] = url.split("?", 1);
  if (path === "/health") return { status: "ok", model: options.name, waiting: queue.size };
  const route = path === undefined ? undefined : routes.get(path);
  if (route === undefined)
    throw new Refusal(404, `there is no ${path}; POST to ${[...routes.keys()].join(" or ")}`);
  if (method !== "POST") throw new Refusal(405, `${path} takes POST, not ${method}`);
  if (!isAllowed(request, options.token))
    throw new Refusal(401, "needs the server's token: Authorization: Bearer TOKEN");
  return route(parseJson("request", await bodyOf(request, options.maxBody)), folder, queue);
}

function isAllowed({ headers }: IncomingMessage, token = ""): boolean {
  if (token === "") return true;
  const [given, wanted] = [headers.authorization ?? "", `Bearer ${token}`].map((text) =>
    Buffer.from(text),
  );
  return given?.length === wanted?.length && timingSafeEqual(given as Buffer, wanted as Buffer);
}

async function bodyOf(request: IncomingMessage, most: number): Promise<Uint8Array> {
  const refuse = (): never => {
    throw new Refusal(
      413,
      `the request is larger than ${most} bytes; send fewer answers at a time, or raise --max-body`,
    );
  };
  if (Number(request.headers["content-length"] ?? 0) > most) refuse();
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > most) refuse();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

type Route = (body: Field, folder: RewardModelFolder, queue: Queue) => Promise<object>;

const routes: ReadonlyMap<string, Route> = new Map([
  ["/get_reward", getReward],
  ["/score", score],
]);

/** OpenRLHF's: whole texts. The end token is added where the text has none. */
async function getReward(
  body: Field,
  { tokenizer, reading }: RewardModelFolder,
  queue: Queue,
): Promise<object> {
  const query = body.get("query");
  const texts = typeof query.value === "string" ? [query] : query.items();
  const { eos, pad } = tokenizer.special;
  const sequences = texts.map((text) => {
    let ids = [...tokenizer.encode(text.string(), { parseSpecial: true })];
    while (ids.length > 0 && ids.at(-1) === pad) ids.pop();
    if (eos !== undefined && ids.at(-1) !== eos) ids.push(eos);
    if (ids.length === 0) text.fail("has no tokens");
    if (ids.length > reading.maxLength) ids = ids.slice(-reading.maxLength); // the end is what is judged
    return { ids: Int32Array.from(ids), labels: Int32Array.from(ids) };
  });
  const rewards = await rewardsOf(sequences, queue);
  return { rewards, scores: rewards, extra_logs: {} };
}

/** What `twoheads score` reads: one answer or a list of them. */
async function score(body: Field, folder: RewardModelFolder, queue: Queue): Promise<object> {
  const rows = Array.isArray(body.value) ? body.items() : [body];
  const read = rows.map((row) =>
    judgedSequence(responseOf(row), { ...folder.reading, tokenizer: folder.tokenizer }),
  );
  const sequences = read.map(
    ({ sequence, problem }, i) => sequence ?? (rows[i] as Field).fail(problem ?? "has no tokens"),
  );
  const rewards = await rewardsOf(sequences, queue);
  const said = read.map((one, i) => record(one, rewards[i] ?? Number.NaN));
  return Array.isArray(body.value) ? said : (said[0] ?? {});
}

function record({ sequence, wasCut }: SequenceRead, reward: number): object {
  return { reward, tokens: sequence?.ids.length ?? 0, ...(wasCut && { cut: true }) };
}

/** Rewards with the digits that a float32 needs. */
async function rewardsOf(sequences: readonly Sequence[], queue: Queue): Promise<readonly number[]> {
  if (sequences.length > queue.limits.waiting) {
    throw new Refusal(
      413,
      `the request has ${sequences.length} answers, more than the ${queue.limits.waiting} that may wait`,
    );
  }
  const done = queue.add(sequences);
  if (done === null)
    throw new Refusal(503, `${queue.size} answers are waiting; come again in a second`);
  return (await done).map((reward) => {
    if (Number.isFinite(reward)) return Number(reward.toPrecision(9));
    throw new Refusal(500, `a reward is ${reward}; the model is broken`);
  });
}
