// twoheads bon --candidates: the best of answers of one's own to each prompt, by any reward models, with the rewards that
// `twoheads score` gives. A row has a prompt and its answers; prompts without answers are written to by --policy.
// Next: bon.ts, ../../grm/textScores.ts.

import { ArgumentError, random } from "../../core/index.ts";
import { chatTemplateIn } from "../../grm/data/chat.ts";
import { type CandidateRow, candidatesOf } from "../../grm/data/formats.ts";
import { type Judged, judgedSequence, openConversation } from "../../grm/data/index.ts";
import { rowsAt } from "../../grm/data/onDisk.ts";
import { combineRewards, type EnsembleRule, standardize } from "../../grm/ensemble.ts";
import { bestOfNCurve } from "../../grm/policies/bestOfN.ts";
import type { RewardModelFolder } from "../../grm/rewardModelFiles.ts";
import { mean } from "../../grm/statistics/index.ts";
import { scoreJudged } from "../../grm/textScores.ts";
import { folderOnDisk } from "../../nn/checkpoints/files.ts";
import { generateAsync } from "../../nn/index.ts";
import { loadTokenizer, replaceFile } from "../../nn/node.ts";
import { type JsonFlag, printFound } from "./json.ts";
import { openCausalLM, openRewardModel, stopsOf, type UnfinishedFlag } from "./opened.ts";

export interface OwnFlags extends JsonFlag, UnfinishedFlag {
  readonly candidates: readonly string[];
  readonly reward?: readonly string[] | undefined;
  readonly rule: EnsembleRule;
  readonly policy?: string | undefined;
  readonly samples: number;
  readonly seed: number;
  readonly out?: string;
}

/** A prompt with its answers and their rewards, the best one named. */
interface Chosen {
  readonly file: string;
  readonly line: number;
  readonly id?: unknown;
  readonly prompt: Judged["prompt"];
  /** The place of the best answer, from 0; of several the first. */
  readonly best: number;
  readonly response: string;
  readonly reward: number;
  readonly rewards: readonly number[];
}

/** Chooses, and says what was chosen: lines of JSON in --out, all of it with --json, else a few and the mean by n. */
export async function runOwnBon(flags: OwnFlags, say: (message: string) => void): Promise<void> {
  const { reward = [], out } = flags;
  if (reward.length === 0) {
    throw new ArgumentError(
      "bon: --candidates are chosen by a reward model; name its folder, --reward FOLDER",
    );
  }
  const models = reward.map((folder) => openRewardModel(folder, flags));
  const rows = await readRows(flags, models[0] as RewardModelFolder, say);
  const chosen = await choose(rows, models, flags.rule);
  if (out !== undefined) {
    await replaceFile(out, chosen.map((one) => `${JSON.stringify(one)}\n`).join(""));
    say(`the best answer to each prompt: ${out}`);
  }
  printFound(flags, chosen, summary(chosen));
}

interface OwnRow extends CandidateRow {
  readonly file: string;
  readonly line: number;
}

async function readRows(
  flags: OwnFlags,
  first: RewardModelFolder,
  say: (message: string) => void,
): Promise<OwnRow[]> {
  const rows: OwnRow[] = [];
  for (const file of flags.candidates)
    for await (const row of rowsAt(file))
      rows.push({ file, line: row.line, ...candidatesOf(row.read()) });
  const open = rows.filter(({ answers }) => answers.length === 0);
  if (open.length === 0) return rows;
  if (flags.policy === undefined) {
    const [{ file, line } = { file: "", line: 0 }] = open;
    throw new ArgumentError(
      `bon: ${file}:${line} has a prompt and no answers; give "responses": [...], or name who writes them, --policy FOLDER`,
    );
  }
  say(`writing ${open.length * flags.samples} answers`);
  const written = await write(open, flags.policy, flags, first, say);
  return rows.map((row) => written.get(row) ?? row);
}

/** The longest answer that a policy writes to a prompt of one's own, in tokens, where the judge can read so many. */
const longest = 128;

/** Answers by a language model, which reads conversations by its own chat template, or as the first judge does. */
async function write(
  rows: readonly OwnRow[],
  folder: string,
  { samples, seed, ...flag }: OwnFlags,
  { reading, tokenizer: own }: RewardModelFolder,
  say: (message: string) => void,
) {
  const [lm, tokenizer] = [openCausalLM(folder, flag), loadTokenizer(folder)];
  const { template = reading.template } = chatTemplateIn(folderOnDisk(folder)) ?? {};
  const stop = stopsOf(folder, tokenizer);
  let left = 0;
  const written = new Map<OwnRow, OwnRow>();
  for (const [i, row] of rows.entries()) {
    const ids = openConversation(row.prompt, template, tokenizer);
    const rng = random(seed).fork(`prompt ${i}`);
    const maxTokens = Math.max(1, Math.min(longest, reading.maxLength - ids.length - 2));
    const found = await generateAsync(lm, [ids], {
      samples,
      maxTokens,
      stop,
      rng,
    });
    const answers = found.map(({ tokens }) => {
      const all = tokenizer.decode([...ids, ...tokens], { skipSpecial: true });
      const before = tokenizer.decode(ids, { skipSpecial: true });
      return all.slice(before.length).trim();
    });
    const read = answers.filter((answer) => {
      return judgedSequence({ prompt: row.prompt, answer }, { ...reading, tokenizer: own })
        .sequence;
    });
    left += answers.length - read.length;
    if (read.length === 0) {
      throw new ArgumentError(
        `bon: ${row.file}:${row.line}: no answer that ${folder} writes is short enough for the reward model`,
      );
    }
    written.set(row, { ...row, answers: read });
  }
  if (left > 0) say(`${left} answers are left out, as they are too long for the reward model`);
  return written;
}

async function choose(
  rows: readonly OwnRow[],
  models: readonly RewardModelFolder[],
  rule: EnsembleRule,
): Promise<Chosen[]> {
  const judged = rows.flatMap(({ prompt, answers }) =>
    answers.map((answer) => ({ prompt, answer })),
  );
  const places = rows.flatMap(({ file, line, answers }) =>
    answers.map((_, k) => `${file}:${line}: answer ${k + 1}`),
  );
  const each: Float64Array[] = [];
  for (const model of models) {
    const scores = await scoreJudged(model, judged);
    each.push(
      Float64Array.from(scores, ({ reward, problem }, i) => {
        if (reward !== null && Number.isFinite(reward)) return reward;
        throw new ArgumentError(
          `bon: ${places[i]} ${problem ?? `has the reward ${reward}; the model is broken`}`,
        );
      }),
    );
  }
  const [only] = each;
  const rewards =
    each.length === 1 && only !== undefined
      ? only
      : combineRewards(
          each.map((own) => standardize(own)),
          { rule },
        );
  let at = 0;
  return rows.map(({ answers, ...row }) => {
    const own = Array.from(rewards.subarray(at, at + answers.length), (x) =>
      Number(x.toPrecision(9)),
    );
    at += answers.length;
    const best = own.reduce((top, x, i) => (x > (own[top] ?? Number.NaN) ? i : top), 0);
    return {
      ...row,
      best,
      response: answers[best] ?? "",
      reward: own[best] ?? Number.NaN,
      rewards: own,
    };
  });
}

/** The mean reward of the best of n, over prompts, and the first answers that were chosen. */
function summary(chosen: readonly Chosen[]): string {
  const most = Math.min(...chosen.map(({ rewards }) => rewards.length));
  const ns = [1, 2, 4, 8, 16, 32, 64, 128].filter((n) => n < most).concat(most);
  const curves = chosen.map(({ rewards }) => bestOfNCurve(rewards, rewards, ns));
  const means = ns.map(
    (n, i) => `n = ${n}: ${mean(curves.map((curve) => curve[i] ?? Number.NaN)).toFixed(3)}`,
  );
  const shown = chosen.slice(0, 3).map(({ file, line, best, reward, response }) => {
    return `  ${file}:${line}, answer ${best + 1} (${reward.toFixed(3)}): ${response.trim().slice(0, 200)}`;
  });
  return [
    `${chosen.length} prompts; mean reward of the best of n: ${means.join(", ")}`,
    "the best answers to the first prompts:",
    ...shown,
  ].join("\n");
}
