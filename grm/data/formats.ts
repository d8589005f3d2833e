// What one line of preference data says, in any of the forms that the field writes it in:
//   {chosen, rejected}            texts or transcripts that begin alike, or whole conversations
//   {prompt, chosen, rejected}    prompt a text or messages; answers texts or messages
//   {messages, chosen, rejected}  the conversation so far, and two answers
//   {user_turns, chosen_turns, rejected_turns}   MT-bench: every turn of both sides
// and beside them, where given, margin (or score_chosen and score_rejected) and source.
// Next: template.ts for how it becomes text.

import { accept, signatures } from "../../core/signature.ts";
import { Field } from "../../nn/checkpoints/json.ts";
import { commonPrompt, isTranscript, turnsOf } from "./implicitPrompt.ts";
import { type Judged, type Message, speakers } from "./template.ts";

const takes = signatures(
  {
    comparisonOf: "line: Field",
    responseOf: "line: Field",
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
}

/** The fields in which data sets say which part of them a pair belongs to; the first one counts. */
const sourceFields = ["source", "subset", "domain", "category"];

/** Reads a pair; a FileError names the line and the field that is wrong. */
export function comparisonOf(line: Field): Comparison {
  accept(takes.comparisonOf, arguments);
  const margin = marginOf(line);
  const source = sourceFields.map((name) => line.get(name).value).find((x) => x != null);
  return {
    ...answersOf(line),
    ...(margin !== undefined && { margin }),
    ...(source !== undefined && { source: String(source) }),
  };
}

function answersOf(line: Field): { chosen: Judged; rejected: Judged } {
  if (has(line, "chosen_turns")) return turnsOfBoth(line);
  const [chosen, rejected] = [line.get("chosen"), line.get("rejected")];
  if (!has(line, "chosen") || !has(line, "rejected")) return unknown(line);
  if (has(line, "messages") || has(line, "prompt")) {
    return { chosen: judgedOf(line, chosen), rejected: judgedOf(line, rejected) };
  }
  if (isText(chosen) && isText(rejected)) return textPair(chosen.string(), rejected.string());
  return { chosen: conversationOf([], chosen), rejected: conversationOf([], rejected) };
}

function unknown(line: Field): never {
  const fields = Object.keys(line.object()).join(", ") || "none";
  return line.fail(`needs the fields chosen and rejected, has ${fields}`);
}

const has = (line: Field, name: string): boolean => line.get(name).value != null;
const isText = (field: Field): boolean => typeof field.value === "string";

/** The messages or the prompt of a line; a transcript in it is cut into its turns. */
function promptOf(line: Field): readonly Message[] {
  if (has(line, "messages")) return messagesOf(line.get("messages"));
  const prompt = line.get("prompt");
  if (!isText(prompt)) return messagesOf(prompt);
  if (!hasTranscript(line)) return [{ role: "user", content: prompt.string() }];
  const turns = turnsOf(prompt.string());
  const last = turns.at(-1);
  const opens = last?.role === "assistant" && last.content === ""; // "...\n\nAssistant:"
  return opens ? turns.slice(0, -1) : turns;
}

function hasTranscript(line: Field): boolean {
  const prompt = line.get("prompt").value;
  return typeof prompt === "string" && isTranscript(prompt);
}

/** An answer to a line's prompt. Messages that begin with another speaker than the assistant repeat it. */
function judgedOf(line: Field, answer: Field): Judged {
  const prompt = promptOf(line);
  if (isText(answer)) {
    const text = answer.string();
    return { prompt, answer: hasTranscript(line) ? text.trim() : text };
  }
  const repeats = messagesOf(answer)[0]?.role !== "assistant";
  return conversationOf(repeats ? [] : prompt, answer);
}

/** A conversation that ends with the judged answer. */
function conversationOf(before: readonly Message[], field: Field): Judged {
  const messages = [...before, ...messagesOf(field)];
  const last = messages.at(-1);
  if (last?.role !== "assistant") return field.fail("needs the assistant's turn at its end");
  return { prompt: messages.slice(0, -1), answer: last.content };
}

function messagesOf(field: Field): Message[] {
  if (!Array.isArray(field.value)) {
    const orText = field.path === "messages" ? "" : "a text or ";
    field.fail(`needs ${orText}messages, a list of {role, content}`);
  }
  return field.items().map((item) => {
    const role = item.get("role");
    const known = speakers.find((speaker) => speaker === role.string());
    if (known === undefined) return role.fail(`needs one of ${speakers.join(", ")}`);
    return { role: known, content: item.get("content").string() };
  });
}

/** Two texts with one beginning. */
function textPair(chosen: string, rejected: string): { chosen: Judged; rejected: Judged } {
  if (isTranscript(chosen) && isTranscript(rejected)) {
    return { chosen: lastTurnOf(chosen), rejected: lastTurnOf(rejected) };
  }
  const length = commonPrompt(chosen, rejected);
  const judged = (text: string): Judged => {
    return { prompt: text.slice(0, length), answer: text.slice(length) };
  };
  return { chosen: judged(chosen), rejected: judged(rejected) };
}

/** A transcript whose last turn is judged; one that ends with the user has an empty answer. */
function lastTurnOf(text: string): Judged {
  const turns = turnsOf(text);
  const last = turns.at(-1);
  return last?.role === "assistant"
    ? { prompt: turns.slice(0, -1), answer: last.content }
    : { prompt: turns, answer: "" };
}

/** MT-bench's form: the user's turns, and what each side answered to them. */
function turnsOfBoth(line: Field): { chosen: Judged; rejected: Judged } {
  const user = line.get("user_turns").items();
  const side = (name: string): Judged => {
    const field = line.get(name);
    const answers = field.items().map((turn) => turn.string());
    if (answers.length !== user.length || user.length === 0) {
      field.fail(`needs as many turns as user_turns, ${user.length}, and at least one`);
    }
    const turns = user.flatMap((turn, i): Message[] => [
      { role: "user", content: turn.string() },
      { role: "assistant", content: answers[i] ?? "" },
    ]);
    return { prompt: turns.slice(0, -1), answer: answers.at(-1) ?? "" };
  };
  return { chosen: side("chosen_turns"), rejected: side("rejected_turns") };
}

/** The margin, or the difference of the scores; undefined where neither is given. */
function marginOf(line: Field): number | undefined {
  const number = (name: string): number => {
    const field = line.get(name);
    if (typeof field.value !== "number") field.fail("needs a number");
    return field.value as number;
  };
  const scored = has(line, "score_chosen") && has(line, "score_rejected");
  if (!scored && !has(line, "margin")) return undefined;
  const margin = scored ? number("score_chosen") - number("score_rejected") : number("margin");
  if (margin >= 0) return margin;
  return line.fail(`the margin is ${margin}, which says that the rejected answer is better`);
}

/**
 * Reads an answer to be scored: {prompt, response} or {messages, response}, {messages} that end with the
 * answer, or {response} alone. A FileError names the line and the field that is wrong.
 */
export function responseOf(line: Field): Judged {
  accept(takes.responseOf, arguments);
  const response = line.get("response");
  const hasPrompt = has(line, "messages") || has(line, "prompt");
  if (has(line, "response")) {
    if (hasPrompt) return judgedOf(line, response);
    return { prompt: "", answer: response.string() };
  }
  if (has(line, "messages")) return conversationOf([], line.get("messages"));
  const fields = Object.keys(line.object()).join(", ") || "none";
  return line.fail(
    `needs a response, and a prompt or messages before it; has the fields ${fields}`,
  );
}
