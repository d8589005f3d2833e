// Conversations by a model's own chat template, in Jinja: the ids are those of transformers' apply_chat_template
// followed by the tokenizer. Special tokens count where the template puts them; spelled out in what somebody
// said they are text. The template says where a conversation begins and ends, so nothing is put around it.
// Next: jinja.ts for running a template, sequences.ts for what becomes of the tokens.

import { FileError, type Folder, readAll } from "../../nn/checkpoints/byteSource.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import type { Tokenizer } from "../../nn/index.ts";
import { renderJinja } from "./jinja.ts";
import type { JinjaTemplate, Message, Speaker } from "./template.ts";

/** A text, and at which places of it special tokens are the template's own. */
interface WrittenChat {
  readonly text: string;
  readonly isToken: (begin: number) => boolean;
}

const marks = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0xfdd0 + i)); // never characters

/** What a template writes of a conversation; `opens` begins the assistant's next turn. */
export function writeChat(
  messages: readonly Message[],
  template: JinjaTemplate,
  tokenizer: Tokenizer,
  opens = false,
): WrittenChat {
  const mark = marks.find((each) => messages.every(({ content }) => !content.includes(each))) ?? "";
  const write = (turns: readonly Message[]): string =>
    renderJinja(template.jinja, {
      ...{ messages: turns, tools: null, documents: null }, // as transformers gives them
      add_generation_prompt: opens,
      strftime_now: (format: string) => dateIn(format, template.date ?? "2024-07-26"),
      ...specialTokens(tokenizer),
    });
  const whole = write(messages.map(({ role, content }) => ({ role, content })));
  const rendered = markings(messages, mark, tokenizer)
    .map(write)
    .find((text) => text.replaceAll(mark, "") === whole);
  const [first = "", ...rest] = mark === "" ? [whole] : (rendered ?? whole).split(mark);
  const places = new Set<number>();
  let text = first;
  for (const part of rest) {
    places.add(text.length - 1);
    text += part;
  }
  return { text, isToken: (begin) => !places.has(begin) };
}

/**
 * The turns with marks, as far as there is something to mark: in all of them, and in all but the assistant's. A template
 * that looks for a special token in what the assistant said, such as the end of a thought, doesn't find it behind a mark.
 */
function markings(messages: readonly Message[], mark: string, tokenizer: Tokenizer): Message[][] {
  const marked = messages.map(({ content }) => withMarks(content, mark, tokenizer));
  if (mark === "" || marked.every((content, i) => content === messages[i]?.content)) return [];
  const turns = (spared?: Speaker): Message[] =>
    messages.map(({ role, content }, i) => ({
      role,
      content: role === spared ? content : (marked[i] ?? content),
    }));
  return [turns(), turns("assistant")];
}

/** What somebody said, with a mark behind the first character of each special token that is spelled in it. */
function withMarks(content: string, mark: string, tokenizer: Tokenizer): string {
  let marked = "";
  let done = 0;
  tokenizer.encode(content, {
    parseSpecial(begin) {
      marked += content.slice(done, begin + 1) + mark;
      done = begin + 1;
      return false;
    },
  });
  return marked + content.slice(done);
}

function specialTokens(tokenizer: Tokenizer): Record<string, string> {
  const ids = Object.entries(tokenizer.special);
  return Object.fromEntries(ids.map(([role, id]) => [`${role}_token`, tokenizer.tokenOf(id)]));
}

/** A conversation's ids, and how many of them the answer stands behind. */
export interface ChatIds {
  readonly ids: Int32Array;
  readonly promptLength: number;
}

/**
 * An answer in its conversation. Where the last turn is the assistant's, the answer goes on with it; else it
 * is a turn of its own, behind what the template begins one with.
 */
export function encodeChat(
  messages: readonly Message[],
  answer: string,
  template: JinjaTemplate,
  tokenizer: Tokenizer,
): ChatIds {
  const last = messages.at(-1);
  const begun = last?.role === "assistant" ? last.content : null;
  const before = begun === null ? messages : messages.slice(0, -1);
  const content = (begun ?? "") + answer;
  const whole = writeChat([...before, { role: "assistant", content }], template, tokenizer);
  const prompt =
    begun === null
      ? writeChat(messages, template, tokenizer, true)
      : { ...whole, text: upTo(whole.text, content, begun) };
  const ids = idsOf(whole, tokenizer);
  const promptIds = idsOf(prompt, tokenizer);
  let promptLength = 0;
  while (promptLength < promptIds.length && promptIds[promptLength] === ids[promptLength])
    promptLength++;
  return { ids, promptLength: Math.min(promptLength, ids.length) };
}

/** What the assistant's turn is begun with: ids to generate from. */
export function openChat(
  messages: readonly Message[],
  template: JinjaTemplate,
  tokenizer: Tokenizer,
): Int32Array {
  const last = messages.at(-1);
  if (last?.role !== "assistant")
    return idsOf(writeChat(messages, template, tokenizer, true), tokenizer);
  const whole = writeChat(messages, template, tokenizer);
  return idsOf({ ...whole, text: upTo(whole.text, last.content, last.content) }, tokenizer);
}

/** The text up to the end of what a turn begins with; its content may have been trimmed. */
function upTo(text: string, content: string, begun: string): string {
  const at = text.lastIndexOf(content);
  if (at >= 0) return text.slice(0, at + begun.length);
  const trimmed = text.lastIndexOf(content.trim());
  const kept = begun.trimStart().length;
  return trimmed < 0 ? text : text.slice(0, trimmed + kept);
}

function idsOf({ text, isToken }: WrittenChat, tokenizer: Tokenizer): Int32Array {
  return tokenizer.encode(text, { parseSpecial: isToken });
}

/** The chat template of a model's folder, and the file it stands in; null where there is none. */
export function chatTemplateIn(folder: Folder): { template: JinjaTemplate; file: string } | null {
  const [own, config] = ["chat_template.jinja", "tokenizer_config.json"];
  if (folder.has(own)) {
    const jinja = new TextDecoder().decode(readAll(folder.open(own)));
    return { template: dated(jinja), file: own };
  }
  if (!folder.has(config)) return null;
  const source = folder.open(config);
  const field = parseJson(source.name, readAll(source)).get("chat_template");
  const { value } = field;
  if (value === undefined || value === null) return null;
  if (typeof value === "string") return { template: dated(value), file: config };
  const named = field.items().find((item) => item.get("name").value === "default");
  if (named !== undefined) return { template: dated(named.get("template").string()), file: config };
  throw new FileError(
    source.name,
    "chat_template",
    'has several templates, and none is called "default"',
  );
}

/** A template that asks for the date gets today's, which is kept with it: what is trained on is scored with. */
export function dated(jinja: string): JinjaTemplate {
  const today = new Date().toISOString().slice(0, 10);
  return jinja.includes("strftime_now") ? { jinja, date: today } : { jinja };
}

/** A date as strftime writes it, in English. */
function dateIn(format: string, date: string): string {
  const day = new Date(`${date}T00:00:00Z`);
  const shown = (options: Intl.DateTimeFormatOptions): string =>
    new Intl.DateTimeFormat("en-US", { timeZone: "UTC", ...options }).format(day);
  const fields: Readonly<Record<string, () => string>> = {
    Y: () => date.slice(0, 4),
    m: () => date.slice(5, 7),
    d: () => date.slice(8, 10),
    y: () => date.slice(2, 4),
    b: () => shown({ month: "short" }),
    B: () => shown({ month: "long" }),
    a: () => shown({ weekday: "short" }),
    A: () => shown({ weekday: "long" }),
    H: () => "00",
    M: () => "00",
    S: () => "00",
  };
  return format.replace(/%(.)/g, (all, letter: string) => fields[letter]?.() ?? all);
}
