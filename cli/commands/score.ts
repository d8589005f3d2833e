// twoheads score: what a reward model thinks of answers. Reads a line of JSON for each, writes a line of
// JSON for each, in the same order; what stands on standard output is data, what is said about it goes to
// standard error. Next: ../../grm/data/readResponses.ts, ../../grm/tokenRewards.ts.

import { once } from "node:events";
import type { Command } from "commander";
import { ArgumentError } from "../../core/index.ts";
import type { Response } from "../../grm/data/index.ts";
import { standardInput } from "../../grm/data/lines.ts";
import { readResponses } from "../../grm/data/onDisk.ts";
import { IGNORE } from "../../grm/losses.ts";
import type { Sequence } from "../../grm/pairs.ts";
import type { RewardModelFolder } from "../../grm/rewardModelFiles.ts";
import { scoreSequences } from "../../grm/scores.ts";
import { tokenRewards } from "../../grm/tokenRewards.ts";
import type { Tokenizer } from "../../nn/index.ts";
import { replaceFile } from "../../nn/node.ts";
import { type JsonFlag, jsonOption } from "./json.ts";
import { wholeNumber } from "./numbers.ts";
import { openRewardModel, type UnfinishedFlag, unfinishedOption } from "./opened.ts";
import { kindsOfFiles } from "./preferences.ts";
import { addReadingOptions, type ReadingFlags, readingOf } from "./reading.ts";

interface Given extends ReadingFlags, JsonFlag, UnfinishedFlag {
  readonly out?: string;
  readonly perToken?: boolean;
  readonly lenient?: boolean;
  readonly batchTokens: number;
}

const examples = `
A line is {"prompt": ..., "response": ...}, with a prompt of text or of messages {"role", "content"}; or
{"messages": [...]} that end with the answer; or {"response": ...} alone. An "id" comes out again.

Examples:
  $ twoheads score runs/train-1 answers.jsonl > rewards.jsonl
  $ echo '{"prompt": "2 + 2?", "response": "4"}' | twoheads score runs/train-1
  $ my-program | twoheads score runs/train-1 | my-program      each line is answered as it comes
  $ twoheads score runs/train-1 answers.jsonl.gz --per-token --out rewards.jsonl
`;

/** Adds the command. */
export function addScore(program: Command): void {
  const command = program
    .command("score")
    .description("give each answer in a file its reward")
    .argument("<model>", "folder of the reward model that scores")
    .argument("[files...]", `files of answers: ${kindsOfFiles} (default: standard input)`)
    .option(
      "--out <file>",
      "JSON Lines file that the rewards are written to (default: standard output)",
    )
    .option("--per-token", "write what the reward head says after each token of the answer as well")
    .option("--lenient", "go on after malformed lines, which get an error in place of a reward")
    .option(
      "--batch-tokens <number>",
      "number of places that are scored in one batch, in tokens with padding",
      wholeNumber,
      4096,
    )
    .addOption(jsonOption())
    .addOption(unfinishedOption())
    .addHelpText("after", examples)
    .action((model: string, files: readonly string[], given: Given) =>
      runScore(model, files, given),
    );
  addReadingOptions(command);
}

interface Counts {
  lines: number;
  cut: number;
  failed: number;
}

async function runScore(path: string, files: readonly string[], given: Given): Promise<void> {
  const folder = openRewardModel(path, given);
  const { tokenizer } = folder;
  const reading = readingOf(given, folder.reading);
  checkLength(reading.maxLength, folder);
  const sources = files.length === 0 ? [standardInput] : files;
  const lenient = given.lenient ?? false;
  const responses = readResponses(sources, { ...reading, tokenizer, lenient });
  const counts: Counts = { lines: 0, cut: 0, failed: 0 };
  const rewards = scored(responses, folder, given, counts, sources);
  const records = await written(rewards, given);
  const { lines, cut, failed } = counts;
  if (given.json) {
    const kept = given.out === undefined ? { rewards: records } : { out: given.out };
    console.log(JSON.stringify({ model: path, answers: lines, cut, failed, ...kept }));
  }
  const lost = failed === 0 ? "" : `; ${failed} without a reward, with an error instead`;
  console.error(`${lines} answers, ${cut} of them cut to ${reading.maxLength} tokens${lost}`);
  if (failed > 0) process.exitCode = 1;
}

function checkLength(maxLength: number, { model: { model: backbone } }: RewardModelFolder): void {
  if (maxLength <= backbone.context) return;
  throw new ArgumentError(
    `score: --max-length ${maxLength} is beyond the model's context of ${backbone.context} tokens`,
  );
}

/** How many tokens are read before they are scored together, by length. */
const chunkTokens = 2 ** 15;

/** A record for each answer, in their order. */
async function* scored(
  responses: AsyncIterable<Response>,
  folder: RewardModelFolder,
  given: Given,
  counts: Counts,
  sources: readonly string[],
): AsyncGenerator<ScoreRecord> {
  const withFile = sources.length > 1;
  const most = sources.includes(standardInput) ? 1 : chunkTokens;
  for await (const chunk of chunksOf(responses, most)) {
    for (const { file, ...record } of await scoreChunk(chunk, folder, given)) {
      counts.lines++;
      if (record.cut) counts.cut++;
      if (record.reward === null) counts.failed++;
      yield withFile && file !== undefined ? { file, ...record } : record;
    }
  }
}

/**
 * Answers in groups of so many tokens. Those of standard input are scored one by one as they come: a program that asks
 * line by line is answered at once, and what stands in a group doesn't depend on when lines arrive.
 */
async function* chunksOf(
  responses: AsyncIterable<Response>,
  most: number,
): AsyncGenerator<Response[]> {
  let chunk: Response[] = [];
  let tokens = 0;
  for await (const response of responses) {
    chunk.push(response);
    tokens += 1 + (response.sequence?.ids.length ?? 0);
    if (tokens < most) continue;
    yield chunk;
    [chunk, tokens] = [[], 0];
  }
  if (chunk.length > 0) yield chunk;
}

/** What is written for an answer. */
interface ScoreRecord {
  readonly file?: string;
  readonly line: number;
  readonly id?: unknown;
  readonly reward: number | null;
  readonly tokens?: number;
  readonly cut?: true;
  readonly error?: string;
  readonly response_tokens?: readonly string[];
  readonly token_rewards?: readonly number[];
}

async function scoreChunk(
  chunk: readonly Response[],
  { model, tokenizer }: RewardModelFolder,
  { perToken, batchTokens }: Given,
): Promise<ScoreRecord[]> {
  const sequences = chunk.flatMap(({ sequence }) => sequence ?? []);
  const perPlace = perToken ? await tokenRewards(model, sequences, { batchTokens }) : null;
  const last = perPlace?.map((rewards) => rewards.at(-1) ?? Number.NaN);
  const rewards = last ?? (await scoreSequences(model, sequences, { batchTokens })).rewards;
  let at = 0;
  return chunk.map(({ sequence, wasCut, problem, ...place }) => {
    if (sequence === null) return { ...place, reward: null, error: problem ?? "" };
    const i = at++;
    const places = perPlace?.[i];
    return {
      ...place,
      reward: finite(rewards[i], place),
      tokens: sequence.ids.length,
      ...(wasCut && { cut: true }),
      ...(places !== undefined && answerPart(sequence, places, tokenizer)),
    };
  });
}

/** The digits that a float32 needs; an ArgumentError for what is no number. */
function finite(reward = Number.NaN, { file, line }: { file: string; line: number }): number {
  if (Number.isFinite(reward)) return Number(reward.toPrecision(9));
  throw new ArgumentError(`score: ${file}:${line}: the reward is ${reward}; the model is broken`);
}

/** The tokens of the answer as text, and what the reward head says after each. */
function answerPart({ ids, labels }: Sequence, rewards: Float64Array, tokenizer: Tokenizer) {
  const places = [...labels.keys()].filter((t) => labels[t] !== IGNORE);
  return {
    response_tokens: places.map((t) => tokenizer.decode([ids[t] ?? 0])),
    token_rewards: places.map((t) => Number(rewards[t]?.toPrecision(9))),
  };
}

/** Writes a line for each record, to a file or to standard output; with --json it gives them back instead. */
async function written(
  records: AsyncIterable<ScoreRecord>,
  { out, json }: Given,
): Promise<ScoreRecord[]> {
  if (out !== undefined) {
    await replaceFile(out, bytesOf(records));
    return [];
  }
  const kept: ScoreRecord[] = [];
  for await (const record of records) {
    if (json) kept.push(record);
    else if (!process.stdout.write(lineOf(record))) await once(process.stdout, "drain");
  }
  return kept;
}

const lineOf = (record: ScoreRecord): string => `${JSON.stringify(record)}\n`;

async function* bytesOf(records: AsyncIterable<ScoreRecord>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for await (const record of records) yield encoder.encode(lineOf(record));
}
