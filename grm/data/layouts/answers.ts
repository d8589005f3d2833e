// Answers behind what they answer to. The prompt stands in a column, or at the beginning of each answer, or in
// both; what an answer repeats of it is taken off, and said. Next: table.ts for which columns hold what.

import type { Field } from "../../../nn/checkpoints/json.ts";
import { commonPrompt, isTranscript, turnsOf } from "../implicitPrompt.ts";
import type { Reason } from "../report.ts";
import type { Judged, Message } from "../template.ts";
import { contentOf, has, holdsTurns, isText, turnsIn } from "./turns.ts";

/** What was noticed of a row that is kept all the same. */
export interface Note {
  readonly reason: Reason;
  /** Which column, where one is to blame. */
  readonly problem?: string;
}

/** What answers stand behind. */
export interface Context {
  readonly turns: readonly Message[];
  /** Whether the prompt was a transcript of one text, whose answers begin with a space. */
  readonly isTranscript: boolean;
}

/** A prompt of text, of turns, or of a transcript that is cut into its turns. */
export function contextOf(prompt: Field): Context {
  if (holdsTurns(prompt)) return { turns: listOf(prompt), isTranscript: false };
  const text = prompt.string();
  if (!isTranscript(text)) {
    return { turns: [{ role: "user", content: text }], isTranscript: false };
  }
  const turns = turnsOf(text);
  const last = turns.at(-1);
  const opens = last?.role === "assistant" && last.content === ""; // "...\n\nAssistant:"
  return { turns: opens ? turns.slice(0, -1) : turns, isTranscript: true };
}

/** A list of texts is the user's and the assistant's in turn. */
function listOf(prompt: Field): readonly Message[] {
  if (!Array.isArray(prompt.value) || prompt.value.some((x) => typeof x !== "string"))
    return turnsIn(prompt);
  return prompt
    .items()
    .map((text, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content: text.string() }));
}

/** The answers to one context, or, where there is none, texts or conversations that hold it themselves. */
export function answersTo(
  context: Context | null,
  answers: readonly Field[],
  notes: Note[],
): Judged[] {
  if (answers.every((answer) => isText(answer) && !holdsTurns(answer))) {
    const texts = answers.map((answer) => answer.string());
    return context === null ? withImplicitPrompt(texts) : behind(context, texts, notes);
  }
  const own = context === null ? null : withoutAnswer(context, answers.map(lastContent), notes);
  return answers.map((answer) => {
    if (answer.value === null || (isText(answer) && !holdsTurns(answer))) {
      return { prompt: own?.turns ?? "", answer: contentOf(answer) };
    }
    return conversation(own?.turns ?? [], answer);
  });
}

/** A conversation that ends with the judged answer; one that begins with another speaker repeats its prompt. */
export function conversation(before: readonly Message[], field: Field): Judged {
  const turns = turnsIn(field);
  const messages = turns[0]?.role === "assistant" ? [...before, ...turns] : turns;
  const last = messages.at(-1);
  if (last?.role !== "assistant") return field.fail("needs the assistant's turn at its end");
  return { prompt: messages.slice(0, -1), answer: last.content };
}

const lastContent = (answer: Field): string | undefined =>
  holdsTurns(answer)
    ? turnsIn(answer).at(-1)?.content
    : isText(answer)
      ? answer.string()
      : undefined;

/** Answers of text behind a context, less what they repeat of it. */
function behind(context: Context, texts: readonly string[], notes: Note[]): Judged[] {
  if (texts.length === 1) return [asAnswer(context, texts[0] ?? "")]; // one alone may begin with the same words
  const own = withoutAnswer(context, texts, notes);
  const whole = texts.map((text) =>
    isTranscript(text) && !context.isTranscript ? lastTurnOf(text) : null,
  );
  if (whole.every((judged) => judged !== null && repeats(judged, own))) {
    notes.push({ reason: "promptRepeated" });
    return texts.map((text) => ({ prompt: own.turns, answer: lastTurnOf(text).answer }));
  }
  const rest = withoutPrompt(own, texts);
  if (rest !== null) notes.push({ reason: "promptRepeated" });
  return (rest ?? texts).map((answer) => asAnswer(own, answer));
}

const asAnswer = ({ turns, isTranscript: isTrimmed }: Context, text: string): Judged => ({
  prompt: turns,
  answer: isTrimmed ? text.trim() : text,
});

function repeats({ prompt }: Judged, { turns }: Context): boolean {
  const last = typeof prompt === "string" ? undefined : prompt.at(-1);
  return last !== undefined && last.content === turns.at(-1)?.content.trim();
}

/** Messages that already end with one of the answers, less it. */
function withoutAnswer(
  context: Context,
  answers: readonly (string | undefined)[],
  notes: Note[],
): Context {
  const last = context.turns.at(-1);
  if (last?.role !== "assistant" || !answers.includes(last.content)) return context;
  notes.push({ reason: "answerInPrompt" });
  return { ...context, turns: context.turns.slice(0, -1) };
}

/** What is left of texts that all begin with the prompt; null where they don't, or where it has hardly any words. */
function withoutPrompt({ turns }: Context, texts: readonly string[]): string[] | null {
  const prompt = turns.at(-1)?.content.trim() ?? "";
  if (prompt.split(/\s+/).length < 3) return null;
  const rest = texts
    .map((text) => text.trimStart())
    .map((text) => (text.startsWith(prompt) ? text.slice(prompt.length) : ""));
  return rest.every((text) => /^\s+\S/.test(text)) ? rest.map((text) => text.trimStart()) : null;
}

/** Texts that hold their prompt: transcripts, or texts with one beginning. */
function withImplicitPrompt(texts: readonly string[]): Judged[] {
  if (texts.every(isTranscript)) return texts.map(lastTurnOf);
  const [first = "", ...others] = texts;
  const length = Math.min(...others.map((other) => commonPrompt(first, other)));
  return texts.map((text) => ({ prompt: text.slice(0, length), answer: text.slice(length) }));
}

/** A transcript whose last turn is judged; one that ends with the user has an empty answer. */
function lastTurnOf(text: string): Judged {
  const turns = turnsOf(text);
  const last = turns.at(-1);
  return last?.role === "assistant"
    ? { prompt: turns.slice(0, -1), answer: last.content }
    : { prompt: turns, answer: "" };
}

/** What each side answered to the same turns of a user, as many as there are of them. */
export function turnByTurn(row: Field, user: Field, side: Field): Judged {
  const turns = textsIn(user);
  const answers = textsIn(side);
  if (answers.length !== turns.length || turns.length === 0) {
    side.fail(`needs as many turns as ${user.path}, ${turns.length}, and at least one`);
  }
  const messages = turns.flatMap((content, i): Message[] => [
    { role: "user", content },
    { role: "assistant", content: answers[i] ?? "" },
  ]);
  return { prompt: [...systemOf(row), ...messages.slice(0, -1)], answer: answers.at(-1) ?? "" };
}

function textsIn(field: Field): string[] {
  return field.items().map((item) => contentOf(item));
}

/** The system's turn that a column of its own holds. */
export function systemOf(row: Field): Message[] {
  const name = ["system", "system_prompt"].find((column) => isText(row.get(column)));
  const content = name === undefined ? "" : row.get(name).string();
  return content.trim() === "" || name === undefined ? [] : [{ role: "system", content }];
}

/** The turns before the prompt that a column called history holds, pairs of question and answer. */
export function historyOf(row: Field): Message[] {
  if (!has(row, "history") || !Array.isArray(row.get("history").value)) return [];
  const history = row.get("history");
  if (history.items().every(({ value }) => !Array.isArray(value))) return turnsIn(history);
  return history.items().flatMap((round) => {
    const [question, answer] = round.items();
    if (question === undefined || answer === undefined)
      return round.fail("needs a question and its answer");
    return [
      { role: "user", content: contentOf(question) },
      { role: "assistant", content: contentOf(answer) },
    ] as const;
  });
}
