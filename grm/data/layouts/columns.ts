// Which column holds what: the prompt under the names that data sets give it, numbers, verdicts. A column that looks
// like the prompt's and isn't used is an error where there is no other, and a note where there is.
// Next: table.ts.

import type { Field } from "../../../nn/checkpoints/json.ts";
import type { Judged, Message } from "../template.ts";
import { type Context, contextOf, historyOf, type Note, systemOf } from "./answers.ts";
import { isText } from "./turns.ts";

/** The columns that a person names where the usual names don't hold. An empty prompt says that there is none. */
export interface Keys {
  readonly prompt?: string;
  readonly chosen?: string;
  readonly rejected?: string;
  /** The column that says which part of the data a pair belongs to. */
  readonly source?: string;
}

/** What prompts are called, in the order in which they are looked for. */
const promptColumns = [
  ...["messages", "prompt", "conversations", "conversation", "question", "instruction", "query"],
  ...["context", "input", "dialogue", "problem", "orig_instruction"],
];

/** A column by name, or by its place within others: question.full_text. */
export function columnAt(row: Field, name: string): Field {
  if (name in row.object()) return row.get(name);
  return name.split(".").reduce((at, part) => {
    const inside = typeof at.value === "object" && at.value !== null && !Array.isArray(at.value);
    return inside ? at.get(part) : row.get(name);
  }, row);
}

/** The first of some columns (names with | between them) that a row has; undefined if it has none. */
export function firstOf(row: Field, names: string): string | undefined {
  return names.split("|").find((name) => columnAt(row, name).value != null);
}

/** What a row's answers stand behind: in the column that was named, in one of `own`, or in one of the usual ones. */
export function promptOf(row: Field, keys: Keys, own?: string): Context | null {
  if (keys.prompt === "") return null;
  if (keys.prompt !== undefined) needs(row, keys.prompt);
  const name = keys.prompt ?? firstOf(row, own ?? promptColumns.join("|"));
  if (name === undefined) return emptyUnless(row);
  const { turns, isTranscript } = contextOf(columnAt(row, name));
  const system = turns[0]?.role === "system" ? [] : systemOf(row);
  const before = name === "history" ? [] : historyOf(row);
  return { turns: [...system, ...before, ...withInput(row, name, turns)], isTranscript };
}

/** A context of a system's turn or a history alone; null where there is neither. */
function emptyUnless(row: Field): Context | null {
  const turns = [...systemOf(row), ...historyOf(row)];
  return turns.length === 0 ? null : { turns, isTranscript: false };
}

/** Alpaca's rows: an instruction, and what it is to be done with on the lines after it. */
function withInput(row: Field, name: string, turns: readonly Message[]): readonly Message[] {
  const input = row.get("input");
  const [only] = turns;
  if (
    name !== "instruction" ||
    only === undefined ||
    !isText(input) ||
    input.string().trim() === ""
  )
    return turns;
  return [{ ...only, content: `${only.content}\n${input.string()}` }];
}

/** An error unless a row has the column that was named. */
export function needs(row: Field, name: string): Field {
  const found = columnAt(row, name);
  if (found.value !== undefined) return found;
  return row.fail(`has no column ${name}; has ${columnsOf(row)}`);
}

export const columnsOf = (row: Field): string => Object.keys(row.object()).join(", ") || "none";

// --- Columns that look like the prompt's -------------------------------------------------------------

const looksLike =
  /prompt|question|instruction|query|context|history|^input|_input|conversation|dialog|messages|problem|passage|document|article|(^|_)post|request|user_(text|turn)/i;
const isAbout =
  /chosen|rejected|response|answer|output|summar|model|score|rating|(^|_)(id|ids|idx|index|type|source|origin|category|domain|topic|lang|language|len|length|tokens|hash|sha256|level|count|url|date|metadata|quality|difficulty)$|^is_|^num_/i;

/**
 * Looks for text that may be the prompt and isn't in what the model would see. Where the answers stand behind
 * nothing, that is a FileError; else a note.
 */
export function noteUnusedPrompts(
  row: Field,
  judged: Judged | undefined,
  keys: Keys,
  notes: Note[],
): void {
  if (keys.prompt !== undefined || judged === undefined) return;
  const seen = squeezed(seenIn(judged));
  for (const [name, field] of row.entries()) {
    if (!looksLike.test(name) || isAbout.test(name)) continue;
    if (field.value === null && judged.prompt.length === 0)
      notes.push({ reason: "unusedPrompt", problem: `the column ${name} holds nothing` });
    const text = lastText(field.value);
    if (!/\S\s+\S/.test(text) || seen.includes(squeezed(text))) continue;
    const problem = `the column ${name} looks like the prompt's, and isn't used`;
    if (judged.prompt.length === 0)
      row.fail(
        `${problem}; name it (--prompt-key ${name}), or say that there is none (--prompt-key "")`,
      );
    notes.push({ reason: "unusedPrompt", problem });
  }
}

/** Without blanks that vary, and without the names that transcripts put before turns. */
const squeezed = (text: string): string =>
  text
    .replaceAll(/\b(human|user|assistant|system):/gi, " ")
    .replaceAll(/\s+/g, " ")
    .trim();

function seenIn({ prompt, answer }: Judged): string {
  const before = typeof prompt === "string" ? [prompt] : prompt.map(({ content }) => content);
  return [...before, answer].join(" ");
}

/** A text, or the last text in a list of texts or turns; nothing for anything else. */
function lastText(value: unknown): string {
  if (typeof value === "string") return /^\s*\["/.test(value) ? lastListed(value) : value;
  if (!Array.isArray(value)) return "";
  const last: unknown = value.at(-1);
  if (typeof last !== "object" || last === null) return typeof last === "string" ? last : "";
  const { content, value: said } = last as { content?: unknown; value?: unknown };
  return ([content, said].find((text) => typeof text === "string") as string | undefined) ?? "";
}

/** The last of a list of texts in JSON, as tables hold it; else the text as it is. */
function lastListed(text: string): string {
  try {
    return lastText(JSON.parse(text));
  } catch {
    return text;
  }
}

// --- Numbers and verdicts ----------------------------------------------------------------------------

/** A number, or a text that is one, as tables have them. */
export function numberIn(field: Field): number {
  const { value } = field;
  if (typeof value === "boolean") return Number(value);
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && !Number.isNaN(number)) return number;
  return field.fail("needs a number");
}

/** Which of two answers is better: above 0 the first, below 0 the second, 0 neither. */
export type Verdict = (field: Field) => number;

const first =
  /^\[*(model|response|answer|output|conversation|assistant)?[ _]?a\]*$|^a>+b$|^(left|first)$/;
const second =
  /^\[*(model|response|answer|output|conversation|assistant)?[ _]?b\]*$|^b>+a$|^(right|second)$/;
const neither = /^(tie.*|(a=b)|both.*|equal|same|neither|none|draw|\[*c\]*)$/;

/** A winner by letter: "A", "model_b", "B>A", "tie". */
export const byLetter: Verdict = (field) => {
  const said = String(field.value).trim().toLowerCase();
  if (first.test(said)) return 1;
  if (second.test(said)) return -1;
  return neither.test(said)
    ? 0
    : field.fail(`says ${JSON.stringify(field.value)}; needs the better one: a, b or tie`);
};

/** A winner by number, the first answer's and the second's. */
export function byNumber(a: number, b: number): Verdict {
  return (field) => {
    if (neither.test(String(field.value).toLowerCase())) return 0;
    const said = numberIn(field);
    if (said === a || said === b) return said === a ? 1 : -1;
    return field.fail(
      `is ${said}; needs ${a} where the first answer is better, ${b} where the second is`,
    );
  };
}

/** How much better the second answer is; below 0 the first is better (HelpSteer's preferences, -3 to 3). */
export const bySign: Verdict = (field) => -numberIn(field);
