// The reward server: both ways of asking give what `twoheads score` gives, whoever asks with whom; what is too large, too
// much, unknown or without its token is refused by status and sentence; no request is lost under load or at the end.
// And score as a co-process answers line by line. Next: grm.score.test.ts.

import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { rewardServer } from "../cli/commands/serve.ts";
import { BatchQueue } from "../cli/commands/serveQueue.ts";
import { type Judged, plain, scoreJudged, textJudge, transcript } from "../grm/index.ts";
import { saveRewardModel } from "../grm/node.ts";
import { ByteTokenizer, type ModelOptions } from "../nn/index.ts";
import { bin } from "./commandLine.ts";
import { temporaryFolder } from "./folders.ts";
import { backbones, drawnModel, heads, reading, tokenizer } from "./rewardFolders.ts";
import "../kernels/index.ts";

const model = drawnModel(backbones.llama as ModelOptions, heads.linear ?? {});
const folder = { model, tokenizer, reading };
const path = join(temporaryFolder("serve"), "model");
const limits = { name: "model", maxBody: 4000, batch: 32, waiting: 64 };
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

const judged = (i: number): Judged => ({
  prompt: [{ role: "user", content: `the cat ${i}` }],
  answer: `sat on ${i % 7} mats`,
});
const rewardsOf = async (count: number): Promise<number[]> => {
  const scores = await scoreJudged(
    folder,
    Array.from({ length: count }, (_, i) => judged(i)),
  );
  return scores.map(({ reward }) => Number(reward?.toPrecision(9)));
};
/** Rounding differs with what is in a batch. */
const isNear = (a: unknown, b = Number.NaN): boolean => Math.abs(Number(a) - b) < 1e-5;
const asRow = (i: number) => ({ messages: judged(i).prompt, response: judged(i).answer });

const server = rewardServer(folder, limits);
let port = 0;

before(async () => {
  await saveRewardModel(path, folder);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});

after(() => {
  server.close();
  agent.destroy();
});

interface Said {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

function ask(
  to: string,
  body: unknown,
  { at = port, headers = {}, method = "POST" } = {},
): Promise<Said> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port: at, path: to, method, headers, agent },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Said["body"] });
        });
      },
    );
    asked.on("error", reject);
    asked.end(
      body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    );
  });
}

describe("the ways of asking", () => {
  test("plain JSON: one answer, a list of them, as twoheads score reads and scores them", async () => {
    const wanted = await rewardsOf(3);
    const one = await ask("/score", asRow(0));
    assert.equal(one.status, 200);
    assert.ok(isNear(one.body.reward, wanted[0]));
    const all = await ask("/score", [0, 1, 2].map(asRow));
    assert.deepEqual(
      (all.body as unknown as { reward: number }[]).map(({ reward }) => reward),
      wanted,
    );
    const long = await ask("/score", { prompt: "the cat ".repeat(60), response: "sat" });
    assert.equal(long.body.cut, true);
  });

  test("OpenRLHF's: whole texts, with or without the end token, padding ignored", async () => {
    const wanted = await rewardsOf(2);
    const text = (i: number) => `<s>Human: the cat ${i}\n\nAssistant: sat on ${i % 7} mats`;
    const query = [text(0), `${text(1)}</s><pad><pad>`];
    const { status, body } = await ask("/get_reward", {
      query,
      prompts: ["a", "b"],
      labels: ["", ""],
    });
    assert.equal(status, 200);
    assert.deepEqual(body, { rewards: wanted, scores: wanted, extra_logs: {} });
  });

  test("health says that the server is there", async () => {
    const { status, body } = await ask("/health", undefined, { method: "GET" });
    assert.deepEqual([status, body], [200, { status: "ok", model: "model", waiting: 0 }]);
  });
});

describe("a reward model as the judge of what others write", () => {
  test("scores the texts as twoheads score does, whatever tokens they were written with", async () => {
    const writer = new ByteTokenizer();
    const [prompt, answer] = ["the cat", "sat on the mat"];
    const written = {
      prompt: [...writer.encode(prompt)],
      response: [...writer.encode(` ${answer}`)],
    };
    const context = [{ role: "user", content: prompt }] as const;
    for (const template of [transcript, plain]) {
      const judge = { ...folder, reading: { ...reading, template } };
      const [rewards, [wanted]] = await Promise.all([
        textJudge("judge", judge, writer).score([written]),
        scoreJudged(judge, [
          { prompt: context, answer: template === plain ? ` ${answer}` : answer },
        ]),
      ]);
      assert.equal(rewards[0], wanted?.reward);
      assert.equal(wanted?.sequence?.ids.at(-1), tokenizer.special.eos, "read at the end token");
    }
    const drop = { ...folder, reading: { ...reading, truncation: "drop" as const } };
    const long = { ...written, response: Array.from({ length: 99 }, () => 65) };
    await assert.rejects(
      textJudge("judge", drop, writer).score([long]),
      /^ArgumentError: judge: answer 1 is longer than 64 tokens$/,
    );
  });
});

describe("what is refused", () => {
  const refused: Readonly<
    Record<string, readonly [to: string, body: unknown, status: number, said: RegExp]>
  > = {
    "no JSON": ["/score", "{", 400, /^request: is not JSON/],
    "another object": ["/score", { text: "a" }, 400, /^request: needs a response/],
    "a text that isn't one": [
      "/get_reward",
      { query: [5] },
      400,
      /^request: query\[0\]: needs a string, got 5$/,
    ],
    "nothing to score": ["/get_reward", {}, 400, /^request: query: missing/],
    "too large a body": [
      "/score",
      { response: "x".repeat(5000) },
      413,
      /larger than 4000 bytes; send fewer/,
    ],
    "too many at once": [
      "/get_reward",
      { query: Array(65).fill("a") },
      413,
      /65 answers, more than the 64/,
    ],
    "another path": [
      "/v1/rewards",
      {},
      404,
      /^there is no \/v1\/rewards; POST to \/get_reward or \/score$/,
    ],
  };
  for (const [name, [to, body, status, said]] of Object.entries(refused))
    test(name, async () => {
      const found = await ask(to, body);
      assert.equal(found.status, status);
      assert.match(String(found.body.error), said);
    });

  test("another method", async () => {
    assert.equal((await ask("/score", undefined, { method: "GET" })).status, 405);
  });

  test("a request without its token, or with another", async () => {
    const guarded = rewardServer(folder, { ...limits, token: "secret" }).listen(0, "127.0.0.1");
    await once(guarded, "listening");
    const at = (guarded.address() as AddressInfo).port;
    const status = async (headers: object) =>
      (await ask("/score", asRow(0), { at, headers })).status;
    assert.equal(await status({}), 401);
    assert.equal(await status({ authorization: "Bearer secreT" }), 401);
    assert.equal(await status({ authorization: "Bearer secret" }), 200);
    guarded.close();
  });
});

describe("many requests", () => {
  test("are answered each with its own reward, none lost", async (t) => {
    const count = 600;
    const wanted = await rewardsOf(count);
    const times: number[] = [];
    const begun = performance.now();
    const found = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        await new Promise((resolve) => setTimeout(resolve, i)); // a thousand a second are asked for
        const start = performance.now();
        const { body } = await ask("/score", asRow(i));
        times.push(performance.now() - start);
        return body.reward;
      }),
    );
    const seconds = (performance.now() - begun) / 1000;
    const wrong = found.flatMap((reward, i) => (isNear(reward, wanted[i]) ? [] : [i]));
    assert.deepEqual(wrong, []);
    times.sort((a, b) => a - b);
    const [p50, p99] = [0.5, 0.99].map((share) => times[Math.floor(share * count)]?.toFixed(0));
    t.diagnostic(`${Math.round(count / seconds)} requests a second; ms: median ${p50}, p99 ${p99}`);
    assert.ok(count / seconds > 20, "far below what an idle machine does");
  });

  test("a queue that is full says so, groups keep to their size, and an error reaches those that it concerns", async () => {
    const groups: number[] = [];
    const queue = new BatchQueue(
      async (items: readonly number[]) => {
        groups.push(items.length);
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (items.includes(-1)) throw new Error("bad");
        return items.map((x) => 2 * x);
      },
      { batch: 4, waiting: 10 },
    );
    const done = [queue.add([1, 2]), queue.add([3]), queue.add([4, 5, 6, 7, 8])];
    assert.equal(queue.size, 8);
    assert.equal(queue.add([1, 2, 3]), null);
    assert.deepEqual(await Promise.all(done), [[2, 4], [6], [8, 10, 12, 14, 16]]);
    assert.deepEqual(groups, [3, 5]);
    await assert.rejects(queue.add([-1]) ?? Promise.resolve(), /bad/);
    assert.deepEqual(await queue.add([1]), [2]);
    assert.equal(queue.size, 0);
  });
});

/** A command that goes on until it is told to stop, or the tests end. */
function start(...args: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, TWOHEADS_WIDE: "0" },
  });
  after(() => child.kill("SIGKILL"));
  return child;
}

test("the command answers, and a SIGTERM lets it finish what is here", async () => {
  const child = start("serve", path, "--port", "0", "--json");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { model: served, url, port: at } = JSON.parse(line);
  assert.deepEqual([served, url], [path, `http://127.0.0.1:${at}`]);
  const [wanted] = await rewardsOf(1);
  assert.ok(isNear((await ask("/score", asRow(0), { at })).body.reward, wanted));
  const asked = Promise.all(Array.from({ length: 12 }, () => ask("/score", asRow(0), { at })));
  await ask("/health", undefined, { at, method: "GET" });
  child.kill("SIGTERM");
  const ended = once(child, "exit");
  const rewards = (await asked).map(({ body }) => body.reward);
  assert.ok(
    rewards.every((reward) => isNear(reward, wanted)),
    String(rewards),
  );
  assert.deepEqual(await ended, [0, null]);
});

test("score as a co-process answers each line as it comes, with the same reward", async (t) => {
  const child = start("score", path);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const wanted = await rewardsOf(12);
  const times: number[] = [];
  for (let i = 0; i < 12; i++) {
    const begun = performance.now();
    child.stdin.write(`${JSON.stringify(asRow(i))}\n`);
    const { value } = await lines.next();
    times.push(performance.now() - begun);
    const { reward } = JSON.parse(String(value)) as { reward: number };
    assert.ok(isNear(reward, wanted[i]), `${reward}, ${wanted[i]}`);
  }
  child.stdin.end();
  const median = times.sort((a, b) => a - b)[6] ?? Number.NaN;
  t.diagnostic(
    `median ${median.toFixed(1)} ms, slowest ${times.at(-1)?.toFixed(0)} ms with the program's start`,
  );
  assert.ok(median < 100, `${median} ms`);
});
