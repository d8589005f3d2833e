// A turn of a conversation in each of the ways that files write it: {role, content}, {from, value}, contents that are
// null or a list of parts, tool calls, other names for the speakers. Next: answers.ts, which puts an answer behind turns.

import { type Field, parseJson } from "../../../nn/checkpoints/json.ts";
import type { Message, Speaker } from "../template.ts";

/** The names that data sets give to speakers. */
const speakerOf: Readonly<Record<string, Speaker>> = {
  system: "system",
  developer: "system",
  user: "user",
  human: "user",
  prompter: "user",
  assistant: "assistant",
  gpt: "assistant",
  chatgpt: "assistant",
  bot: "assistant",
  chatbot: "assistant",
  model: "assistant",
  ai: "assistant",
  function_call: "assistant",
  tool: "tool",
  function: "tool",
  observation: "tool",
  ipython: "tool",
};

/** Whether a field is there and isn't null. */
export const has = (row: Field, name: string): boolean => row.get(name).value != null;

export const isText = (field: Field): boolean => typeof field.value === "string";

const printedByPython = /^\s*\[?\s*\{\s*'(role|from|content|value)':\s/;

/**
 * Whether a field holds turns: a list of them, one turn, {messages}, or one of these as JSON text, as tables hold it. How
 * Python prints them (to_csv does) is a FileError, as that isn't read back for sure.
 */
export function holdsTurns(field: Field): boolean {
  const { value } = field;
  if (typeof value === "string" && printedByPython.test(value))
    field.fail("holds messages as Python prints them; write the data as JSON Lines or Parquet");
  if (typeof value === "string") return /^\s*\[\s*\{\s*"(role|from|content|value)"/.test(value);
  return typeof value === "object" && value !== null;
}

/** The turns in a field. */
export function turnsIn(field: Field): Message[] {
  if (isText(field) && holdsTurns(field)) {
    return turnsIn(parseJson(field.file, field.string(), field.path));
  }
  if (Array.isArray(field.value)) return field.items().map(turnOf);
  if (!holdsTurns(field)) field.fail("needs a text or messages, a list of {role, content}");
  return has(field, "messages") ? turnsIn(field.get("messages")) : [turnOf(field)];
}

function turnOf(turn: Field): Message {
  if (typeof turn.value !== "object" || turn.value === null) {
    return turn.fail("needs a message {role, content}, or {from, value}");
  }
  const role = turn.get(has(turn, "from") ? "from" : "role");
  const known = speakerOf[role.string().toLowerCase()];
  if (known === undefined) {
    return role.fail(`names no known speaker; needs one of ${Object.keys(speakerOf).join(", ")}`);
  }
  const content = contentOf(turn.get("value" in turn.object() ? "value" : "content"));
  return { role: known, content: [content, ...callsOf(turn)].filter((x) => x !== "").join("\n") };
}

/** A text, nothing, or a list of parts of which each has a text. */
export function contentOf(content: Field): string {
  if (content.value === null) return "";
  if (!Array.isArray(content.value)) return content.string();
  return content
    .items()
    .map((part) => {
      if (isText(part)) return part.string();
      const kind = part.get("type").value ?? "text";
      if (kind !== "text")
        part.fail(`is a part of kind ${String(kind)}; needs text, the model sees nothing else`);
      return part.get("text").string();
    })
    .join("");
}

/** The calls of tools in a turn, a line of JSON each: {"name": ..., "arguments": ...}. */
function callsOf(turn: Field): string[] {
  if (!has(turn, "tool_calls")) return [];
  return turn
    .get("tool_calls")
    .items()
    .map((call) => JSON.stringify(has(call, "function") ? call.get("function").value : call.value));
}
