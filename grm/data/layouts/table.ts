// How the field writes preferences, a layout an entry: what a row of it looks like, and its answers with a score
// each. From scores to pairs there is one rule (../formats.ts): each answer with each that is scored lower. A row is
// of the first layout whose columns it has.
// Next: columns.ts for prompts and verdicts, answers.ts for what an answer stands behind.

import { Field } from "../../../nn/checkpoints/json.ts";
import type { Judged } from "../template.ts";
import { answersTo, contextOf, type Note, turnByTurn } from "./answers.ts";
import {
  byLetter,
  byNumber,
  bySign,
  columnAt,
  firstOf,
  type Keys,
  needs,
  numberIn,
  promptOf,
  type Verdict,
} from "./columns.ts";
import { has, holdsTurns, isText } from "./turns.ts";

/** An answer and what it was given; higher is better. */
export interface ScoredAnswer {
  readonly judged: Judged;
  readonly score: number;
}

/** What a row says. */
export interface Judgement {
  readonly answers: readonly ScoredAnswer[];
  /** Whether differences of scores are margins, and not just an order. */
  readonly isScale: boolean;
}

/** A layout that preference data has in the field: how it is told, and how its rows become pairs. */
export interface PairLayout {
  readonly name: string;
  /** Where it is met. */
  readonly seen: string;
  is(row: Field, keys: Keys): boolean;
  read(row: Field, keys: Keys, notes: Note[]): Judgement;
  /** Whether a row has one answer, and the next rows may have others to the same prompt. */
  readonly single?: true;
}

const [zeroOne, oneTwo] = [byNumber(0, 1), byNumber(1, 2)];

/** Two answers side by side: their columns, and what says which is better. */
const sides: readonly Sides[] = [
  {
    name: "SHP",
    seen: "stanfordnlp/SHP",
    prompt: "history",
    a: "human_ref_A",
    b: "human_ref_B",
    verdict: "labels",
    better: byNumber(1, 0),
  },
  {
    name: "PKU-SafeRLHF",
    seen: "PKU-Alignment/PKU-SafeRLHF",
    a: "response_0",
    b: "response_1",
    verdict: "better_response_id",
    better: zeroOne,
  },
  {
    name: "HelpSteer preferences",
    seen: "nvidia/HelpSteer2, HelpSteer3",
    a: "response_1|response1",
    b: "response_2|response2",
    verdict: "preference_strength|overall_preference",
    better: bySign,
  },
  {
    name: "WebGPT",
    seen: "openai/webgpt_comparisons",
    prompt: "question.full_text|question",
    a: "answer_0",
    b: "answer_1",
    ratings: ["score_0", "score_1"],
  },
  {
    name: "rated conversations",
    seen: "llm-blender/Unified-Feedback",
    a: "conv_A|conversation_a",
    b: "conv_B|conversation_b",
    ratings: ["conv_A_rating|rating_a", "conv_B_rating|rating_b"],
  },
  {
    name: "arena conversations",
    seen: "lmsys/mt_bench_human_judgments, lmarena-ai/arena-human-preference-*",
    a: "conversation_a|conversation_A",
    b: "conversation_b|conversation_B",
    verdict: "winner",
    better: byLetter,
  },
  {
    name: "arena flags",
    seen: "lmarena-ai/arena-human-preference-55k",
    a: "response_a",
    b: "response_b",
    flags: ["winner_model_a", "winner_model_b"],
  },
  {
    name: "two answers by number",
    seen: "princeton-nlp/LLMBar, AlpacaFarm",
    a: "output_1|response_1|answer_1|completion_1|output1|response1|answer1",
    b: "output_2|response_2|answer_2|completion_2|output2|response2|answer2",
    verdict: "label|preference|winner|choice|better|chosen",
    better: oneTwo,
  },
  {
    name: "two answers from zero",
    seen: "pairs called 0 and 1",
    a: "output_0|response_0|answer_0|completion_0",
    b: "output_1|response_1|answer_1|completion_1",
    verdict: "label|preference|winner|choice|better|chosen",
    better: zeroOne,
  },
  {
    name: "two answers of a judge's task",
    seen: "prometheus-eval/Preference-Collection",
    prompt: "orig_instruction", // beside "instruction", which is what a judge is asked
    a: "orig_response_A",
    b: "orig_response_B",
    verdict: "orig_preference",
    better: byLetter,
  },
  {
    name: "two answers by letter",
    seen: "JudgeBench",
    a: "response_a|response_A|answer_a|answer_A|output_a|output_A|completion_a|completion_A|text_a",
    b: "response_b|response_B|answer_b|answer_B|output_b|output_B|completion_b|completion_B|text_b",
    verdict: "winner|label|preference|choice|better|chosen",
    better: byLetter,
  },
  {
    name: "two rated answers",
    seen: "pairs with a score each",
    a: "response_a|response_A|answer_a|answer_A|response_1|response_0|answer_1|response1",
    b: "response_b|response_B|answer_b|answer_B|response_2|response_1|answer_2|response2",
    ratings: [
      "score_a|score_A|rating_a|rating_A|score_1|rating_1|score_0|rating_0|score1|rating1",
      "score_b|score_B|rating_b|rating_B|score_2|rating_2|score_1|rating_1|score2|rating2",
    ],
  },
];

/** Lists of answers with a number each: columns of objects, or a column of texts and one of numbers. */
const lists: readonly List[] = [
  {
    name: "ranked answers",
    seen: "berkeley-nest/Nectar",
    list: "answers|responses|completions|candidates",
    text: "answer|response|text|completion|content",
    rank: "rank",
  },
  {
    name: "rated answers",
    seen: "openbmb/UltraFeedback, HuggingFaceH4/stack-exchange-preferences",
    list: "completions|answers|responses|candidates|samples",
    text: "response|text|answer|completion|content|messages",
    score: "fine-grained_score|overall_score|pm_score|score|rating|reward|evals.score",
  },
  {
    name: "choices",
    seen: "HuggingFaceH4/hhh_alignment",
    list: "targets.choices",
    numbers: "targets.labels",
  },
  {
    name: "summaries",
    seen: "openai/summarize_from_feedback",
    prompt: "info.post|info.article",
    list: "summaries",
    text: "text",
    best: "choice",
  },
  {
    name: "texts with ranks",
    seen: "rankings of any length",
    list: "responses|completions|generations|answers|outputs|candidates",
    ranks: "ranks|ranking|rank",
  },
  {
    name: "texts with scores",
    seen: "argilla/distilabel-*",
    list: "responses|completions|generations|answers|outputs|candidates",
    numbers: "scores|ratings|rewards|rating|labels",
  },
  {
    name: "best first",
    seen: "LLaMA-Factory's early rankings",
    list: "output|outputs",
    inOrder: true,
  },
];

/** Every layout that is known, in the order in which they are tried. */
export const layouts: readonly PairLayout[] = [
  {
    name: "turns of both sides",
    seen: "MT-bench, as pairs",
    is: (row) => has(row, "chosen_turns"),
    read: (row) =>
      order(
        ["chosen_turns", "rejected_turns"].map((name) =>
          turnByTurn(row, row.get("user_turns"), row.get(name)),
        ),
      ),
  },
  {
    name: "lists of better and worse answers",
    seen: "allenai/reward-bench-2, THU-KEG/RM-Bench",
    is: (row) =>
      ["chosen", "rejected"].every((name) => isTexts(row.get(name)) || isText(row.get(name))) &&
      (isTexts(row.get("chosen")) || isTexts(row.get("rejected"))),
    read(row, keys, notes) {
      const listIn = (name: string): Field[] =>
        isText(row.get(name)) ? [row.get(name)] : row.get(name).items();
      const [better, worse] = [listIn("chosen"), listIn("rejected")];
      const judged = answersTo(promptOf(row, keys), [...better, ...worse], notes);
      return {
        answers: judged.map((one, i) => ({ judged: one, score: i < better.length ? 1 : 0 })),
        isScale: false,
      };
    },
  },
  chosenAndRejected(
    "chosen and rejected",
    "Anthropic/hh-rlhf, TRL, HuggingFaceH4/ultrafeedback_binarized, allenai/reward-bench",
    "chosen",
    "rejected",
  ),
  chosenAndRejected(
    "preferred and non-preferred output",
    "preference fine-tuning of hosted models",
    "preferred_output",
    "non_preferred_output",
    "input",
  ),
  chosenAndRejected(
    "a conversation and a rejected answer",
    "ms-swift",
    "messages",
    "rejected_response|rejected_messages",
  ),
  ...sides.map(sideBySide),
  ...lists.map(listed),
  {
    name: "an answer a row, rated",
    seen: "nvidia/HelpSteer, HelpSteer2",
    single: true,
    is: (row) =>
      firstOf(row, answerColumns) !== undefined && firstOf(row, ratingColumns) !== undefined,
    read(row, keys, notes) {
      const answer = columnAt(row, firstOf(row, answerColumns) ?? "");
      const score = numberIn(columnAt(row, firstOf(row, ratingColumns) ?? ""));
      const [judged] = answersTo(
        promptOf(row, keys) ?? { turns: [], isTranscript: false },
        [answer],
        notes,
      );
      return { answers: judged === undefined ? [] : [{ judged, score }], isScale: true };
    },
  },
];

const answerColumns = "response|completion|answer|output";
const ratingColumns = "helpfulness|overall_score|overall|score|rating|reward|label";

/** Answers in order, the best first. */
const order = (judged: readonly Judged[]): Judgement => ({
  answers: judged.map((one, i) => ({ judged: one, score: judged.length - i })),
  isScale: false,
});

const isTexts = ({ value }: Field): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");

function chosenAndRejected(
  name: string,
  seen: string,
  chosen: string,
  rejected: string,
  prompt?: string,
): PairLayout {
  const own = (keys: Keys): [string, string] => [keys.chosen ?? chosen, keys.rejected ?? rejected];
  return {
    name,
    seen,
    is: (row, keys) =>
      own(keys).every((names) =>
        names.split("|").some((name) => columnAt(row, name).value !== undefined),
      ),
    read(row, keys, notes) {
      const [better, worse] = own(keys).map((names) =>
        needs(row, firstOf(row, names) ?? names.split("|")[0] ?? ""),
      );
      if (better === undefined || worse === undefined) return row.fail("needs two answers");
      if (chosen === "messages") return order(chosenInMessages(better, worse));
      return order(answersTo(promptOf(row, keys, prompt), [better, worse], notes));
    },
  };
}

/** Messages that end with the chosen answer, and the other answer beside them. */
function chosenInMessages(messages: Field, rejected: Field): Judged[] {
  const { turns } = contextOf(messages);
  const last = turns.at(-1);
  if (last?.role !== "assistant")
    return messages.fail("needs the chosen answer, an assistant's turn, at its end");
  const context = { turns: turns.slice(0, -1), isTranscript: false };
  const [other] = answersTo(context, [rejected], []);
  return [{ prompt: context.turns, answer: last.content }, ...(other === undefined ? [] : [other])];
}

interface Sides {
  readonly name: string;
  readonly seen: string;
  readonly prompt?: string;
  /** The columns of the two answers, or several names for each, in the same order, with | between them. */
  readonly a: string;
  readonly b: string;
  readonly verdict?: string;
  readonly better?: Verdict;
  /** Of both, in place of a verdict; higher is better. */
  readonly ratings?: readonly [string, string];
  /** 1 for the answer that won, in place of a verdict. */
  readonly flags?: readonly [string, string];
}

function sideBySide({
  name,
  seen,
  prompt,
  a,
  b,
  verdict,
  better,
  ratings,
  flags,
}: Sides): PairLayout {
  const columns = (row: Field): readonly [string, string] | undefined => {
    const others = b.split("|");
    return a
      .split("|")
      .map((first, i): [string, string] => [first, others[i] ?? ""])
      .find((pair) => pair.every((column) => has(row, column)));
  };
  const numbered = ratings ?? flags;
  return {
    name,
    seen,
    is: (row) =>
      columns(row) !== undefined &&
      (numbered ?? [verdict ?? ""]).every((names) => firstOf(row, names) !== undefined),
    read(row, keys, notes) {
      const fields = (columns(row) ?? []).map((column) => row.get(column));
      const said = (names: string): Field => columnAt(row, firstOf(row, names) ?? names);
      const scores = numbered?.map((names) => numberIn(said(names)));
      const sign = better?.(said(verdict ?? "")) ?? 0;
      const [one = Math.max(sign, 0), two = Math.max(-sign, 0)] = scores ?? [];
      const judged = bothOf(row, fields, keys, notes, prompt);
      return {
        answers: judged.map((answer, i) => ({ judged: answer, score: i === 0 ? one : two })),
        isScale: ratings !== undefined || better === bySign,
      };
    },
  };
}

/** Two answers, two conversations (as far as the judged turn), or turn by turn what both sides said to a list of prompts. */
function bothOf(
  row: Field,
  answers: readonly Field[],
  keys: Keys,
  notes: Note[],
  prompt?: string,
): readonly Judged[] {
  const lists = answers.map(asList);
  const asked = asList(row.get("prompt"));
  if ([...lists, asked].every((list) => list !== null && isTexts(list)) && asked !== null) {
    return lists.map((list) => turnByTurn(row, asked, list ?? asked));
  }
  const conversations = answers.every((answer) => holdsTurns(answer));
  const judgedTurn = row.get("turn").value;
  if (!conversations || typeof judgedTurn !== "number") {
    return answersTo(conversations ? null : promptOf(row, keys, prompt), answers, notes);
  }
  const until = (field: Field): Field => asFar(field, 2 * judgedTurn);
  return answersTo(null, answers.map(until), notes);
}

/** The first turns of a conversation; MT-bench's have a second one after the turn that was judged. */
function asFar(field: Field, turns: number): Field {
  return Array.isArray(field.value) && field.value.length > turns
    ? new Field(field.file, field.path, field.value.slice(0, turns))
    : field;
}

/** A list, or the JSON text of one, as CSV files hold it. */
function asList(field: Field): Field | null {
  if (Array.isArray(field.value)) return field;
  if (typeof field.value !== "string" || !/^\s*\["/.test(field.value)) return null;
  try {
    return new Field(field.file, field.path, JSON.parse(field.value));
  } catch {
    return null;
  }
}

interface List {
  readonly name: string;
  readonly seen: string;
  readonly prompt?: string;
  /** The column of the answers; `text` where they are objects. */
  readonly list: string;
  readonly text?: string;
  /** In each object: its score, or its rank, of which 1 is the best. */
  readonly score?: string;
  readonly rank?: string;
  /** Beside the list: as many scores or ranks, or the place of the best answer, from 0. */
  readonly numbers?: string;
  readonly ranks?: string;
  readonly best?: string;
  readonly inOrder?: true;
}

function listed(entry: List): PairLayout {
  const { name, seen, prompt, list, text, score, rank, numbers, ranks, best, inOrder } = entry;
  const inside = score ?? rank;
  const beside = numbers ?? ranks ?? best;
  const isOurs = (items: Field): boolean =>
    text === undefined
      ? isTexts(items)
      : Array.isArray(items.value) &&
        items.value.length > 0 &&
        items.items().every((item) => {
          if (typeof item.value !== "object" || item.value === null) return false;
          return (
            firstOf(item, text) !== undefined &&
            (inside === undefined || firstOf(item, inside) !== undefined)
          );
        });
  const column = (row: Field): string | undefined =>
    list.split("|").find((one) => isOurs(columnAt(row, one)));
  return {
    name,
    seen,
    is: (row) =>
      column(row) !== undefined &&
      (inOrder === true || beside === undefined || firstOf(row, beside) !== undefined),
    read(row, keys, notes) {
      const items = columnAt(row, column(row) ?? list).items();
      const said = beside === undefined ? row : columnAt(row, firstOf(row, beside) ?? beside);
      const scores =
        best !== undefined
          ? items.map((_, i) => (i === numberIn(said) ? 1 : 0))
          : scoresOf(items, said);
      const answers = items.map((item) =>
        text === undefined ? item : columnAt(item, firstOf(item, text) ?? text),
      );
      const judged = answersTo(promptOf(row, keys, prompt), answers, notes);
      return {
        answers: judged.map((one, i) => ({ judged: one, score: scores[i] ?? 0 })),
        isScale: (score ?? numbers) !== undefined,
      };
    },
  };

  function scoresOf(items: readonly Field[], said: Field): number[] {
    if (inOrder) return items.map((_, i) => -i);
    if (inside !== undefined) {
      const found = items.map((item) => numberIn(columnAt(item, firstOf(item, inside) ?? inside)));
      return rank === undefined ? found : found.map((place) => -place);
    }
    const found = said.items().map(numberIn);
    if (found.length !== items.length)
      said.fail(`has ${found.length} numbers, there are ${items.length} answers`);
    return ranks === undefined ? found : found.map((place) => -place);
  }
}
