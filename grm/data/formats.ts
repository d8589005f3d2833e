// What one row of preference data says, as pairs: layouts/table.ts knows the forms that the field writes it in, and
// here scores become comparisons. The rule: every answer is compared with every one that is scored lower, the
// better ones in their order; where scores are ratings their difference is the margin.
// Next: layouts/table.ts.

import { accept, signatures } from "../../core/signature.ts";
import { Field } from "../../nn/checkpoints/json.ts";
import { answersTo, type Note } from "./layouts/answers.ts";
import {
  columnsOf,
  type Keys,
  needs,
  noteUnusedPrompts,
  numberIn,
  promptOf,
} from "./layouts/columns.ts";
import { layouts, type PairLayout, type ScoredAnswer } from "./layouts/table.ts";
import { has } from "./layouts/turns.ts";
import type { Judged, Message } from "./template.ts";

const takes = signatures(
  {
    comparisonsOf: "row: Field, keys?: object",
    responseOf: "row: Field",
  },
  () => ({ Field }),
);

/** Two answers of which one was chosen. */
export interface Comparison {
  readonly chosen: Judged;
  readonly rejected: Judged;
  /** By how much the chosen answer was rated better. */
  readonly margin?: number;
  readonly source?: string;
  /** What the row calls itself. */
  readonly id?: string;
  /** Of a row with more than two answers: the places of the two among the better and the worse ones. */
  readonly places?: readonly [chosen: number, rejected: number];
}

/** A row, read. */
export interface RowRead {
  readonly layout: PairLayout;
  readonly answers: readonly ScoredAnswer[];
  readonly isScale: boolean;
  /** What the row itself says of its pair. */
  readonly margin?: number;
  readonly source?: string;
  readonly id?: string;
  readonly notes: readonly Note[];
}

/** The fields in which data sets say which part of them a pair belongs to; the first one counts. */
const sourceFields = ["source", "subset", "domain", "category"];

/** Beyond this no difference of ratings goes, and float32 arithmetic on it is of no use. */
const mostMargin = 1e6;

/** Reads a row; a FileError names the line and the column that is wrong. */
export function readRow(row: Field, keys: Keys = {}): RowRead {
  const layout = layoutOf(row, keys);
  const notes: Note[] = [];
  const { answers, isScale } = layout.read(row, keys, notes);
  const source = sourceOf(row, keys);
  const { value: id } = row.get("id");
  const margin = layout.name === "chosen and rejected" ? marginOf(row) : undefined;
  const best = answers.reduce<ScoredAnswer | undefined>(
    (a, b) => (a && a.score >= b.score ? a : b),
    undefined,
  );
  noteUnusedPrompts(row, best?.judged, keys, notes);
  return {
    ...{ layout, answers, isScale, notes },
    ...(margin !== undefined && { margin }),
    ...(source !== undefined && { source }),
    ...((typeof id === "string" || typeof id === "number") && { id: String(id) }),
  };
}

/** The pairs of a row; a FileError names the line and the column that is wrong. */
export function comparisonsOf(row: Field, keys: Keys = {}): Comparison[] {
  accept(takes.comparisonsOf, arguments);
  return pairsIn(readRow(row, keys), row);
}

/** Every answer with every one that is scored lower; where all are scored alike, one tie. */
export function pairsIn(
  { answers, isScale, margin, source, id }: Omit<RowRead, "layout" | "notes">,
  row: Field,
): Comparison[] {
  const scores = answers.map(({ score }) => score);
  const places = (score: number): Map<number, number> => {
    const same = answers.flatMap((answer, i) => (answer.score === score ? [i] : []));
    return new Map(same.map((i, place) => [i, place]));
  };
  const place = new Map(scores.flatMap((score) => [...places(score)]));
  const named = { ...(source !== undefined && { source }), ...(id !== undefined && { id }) };
  const found = answers.flatMap((better, i) =>
    answers.flatMap((worse, j): Comparison[] => {
      if (!(better.score > worse.score)) return [];
      const apart =
        margin ?? (isScale ? checkedMargin(row, better.score - worse.score) : undefined);
      return [
        {
          ...{ chosen: better.judged, rejected: worse.judged, ...named },
          ...(apart !== undefined && { margin: apart }),
          ...(answers.length > 2 && { places: [place.get(i) ?? 0, place.get(j) ?? 0] as const }),
        },
      ];
    }),
  );
  const [one, two] = answers;
  if (found.length > 0 || one === undefined || two === undefined) return found;
  return [{ chosen: one.judged, rejected: two.judged, margin: 0, ...named }];
}

function layoutOf(row: Field, keys: Keys): PairLayout {
  const named = keys.chosen !== undefined || keys.rejected !== undefined;
  if (named)
    for (const name of [keys.chosen ?? "chosen", keys.rejected ?? "rejected"]) needs(row, name);
  const layout = layouts.find(
    (one) => (!named || one.name === "chosen and rejected") && one.is(row, keys),
  );
  if (layout !== undefined) return layout;
  return row.fail(
    `needs the fields chosen and rejected, has ${columnsOf(row)} (--chosen-key and --rejected-key name others)`,
  );
}

function sourceOf(row: Field, { source }: Keys): string | undefined {
  if (source !== undefined) return String(needs(row, source).value);
  const found = sourceFields.map((name) => row.get(name).value);
  const value = found.find((one) => one != null && typeof one !== "object");
  return value === undefined ? undefined : String(value);
}

/** The margin, or the difference of the scores; undefined where neither is given. */
function marginOf(row: Field): number | undefined {
  const [better, worse] = scoreFields.find((names) => names.every((name) => has(row, name))) ?? [];
  if (better !== undefined && worse !== undefined) {
    return checkedMargin(row, numberIn(row.get(better)) - numberIn(row.get(worse)));
  }
  return has(row, "margin") ? checkedMargin(row, numberIn(row.get("margin"))) : undefined;
}

const scoreFields = [
  ["score_chosen", "score_rejected"],
  ["chosen_score", "rejected_score"],
] as const;

function checkedMargin(row: Field, margin: number): number {
  if (margin >= 0 && margin <= mostMargin) return margin;
  if (margin < 0 && margin >= -mostMargin) {
    return row.fail(`the margin is ${margin}, which says that the rejected answer is better`);
  }
  return row.fail(`the margin is ${margin}; needed a number from 0 to ${mostMargin}`);
}

/**
 * Reads an answer to be scored: {prompt, response} or {messages, response}, {messages} that end with the
 * answer, or {response} alone. A FileError names the line and the field that is wrong.
 */
export function responseOf(row: Field): Judged {
  accept(takes.responseOf, arguments);
  const answer = ["response", "completion", "answer"].find((name) => has(row, name));
  if (answer !== undefined) {
    const context = promptOf(row, {});
    if (context === null) return { prompt: "", answer: row.get(answer).string() };
    return answersTo(context, [row.get(answer)], [])[0] as Judged;
  }
  const whole = ["messages", "conversations"].find((name) => has(row, name));
  if (whole !== undefined) return answersTo(null, [row.get(whole)], [])[0] as Judged;
  return row.fail(
    `needs a response, and a prompt or messages before it; has the fields ${columnsOf(row)}`,
  );
}

/** A prompt and answers to choose from; there may be none. */
export interface CandidateRow {
  readonly prompt: readonly Message[];
  readonly answers: readonly string[];
  readonly id?: unknown;
}

const candidateFields = ["responses", "completions", "candidates", "answers", "generations"];

/** Reads a row of answers to choose from: a prompt, and responses, a list of texts (or response, one). */
export function candidatesOf(row: Field): CandidateRow {
  const context = promptOf(row, {});
  if (context === null) return row.fail(`needs a prompt or messages, has ${columnsOf(row)}`);
  const { value: id } = row.get("id");
  const list = candidateFields.find((name) => has(row, name));
  const fields =
    list !== undefined ? row.get(list).items() : has(row, "response") ? [row.get("response")] : [];
  const answers = fields.map((answer) => answer.string());
  return { prompt: context.turns, answers, ...(id !== undefined && { id }) };
}
