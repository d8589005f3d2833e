// From a conversation to the text that a model reads. A template says how each speaker's turn is written;
// the answer that is judged comes last, in the assistant's turn, and the end token follows it. Ours is the
// transcript that people know from Anthropic's data: it is ordinary text, so every tokenizer of bytes or
// BPE can write it and a small base model need not learn marks of its own.
// Next: sequences.ts for the tokens.

import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { problemsOf } from "../../nn/checked.ts";
import type { SpecialIds } from "../../nn/index.ts";

const takes = signatures({
  render:
    "judged: { prompt: string | any[], answer: string, ... }, template: { system: string, user: string, ... }",
  jinjaOf: "template: object, special: object",
});

/** Those whose turns a template writes in a way of their own. */
const speakers = ["system", "user", "assistant"] as const;

/** Who speaks. What a tool answers is written as the user's turns are. */
export type Speaker = (typeof speakers)[number] | "tool";

/** A turn of a conversation. */
export interface Message {
  readonly role: Speaker;
  readonly content: string;
}

/**
 * What an answer stands behind: a conversation that it is the next turn of, or a text that it goes on
 * with, letter for letter.
 */
export type Prompt = string | readonly Message[];

/** An answer in its context: what gets a reward. */
export interface Judged {
  readonly prompt: Prompt;
  readonly answer: string;
}

/** A model's own template, in Jinja: see chat.ts. */
export interface JinjaTemplate {
  readonly jinja: string;
  /** The day that it is told, where it asks: 2026-11-27. */
  readonly date?: string | undefined;
}

/** How conversations are written: by turns, or by a model's own template. */
export type ChatTemplate = TurnTemplate | JinjaTemplate;

/** Whether a template is in Jinja. */
export function isJinja(template: ChatTemplate): template is JinjaTemplate {
  return "jinja" in template;
}

/** How each speaker's turn is written, with {content} where the text goes. */
export type TurnTemplate = { readonly [speaker in (typeof speakers)[number]]: string };

const slot = "{content}";

/** Human: ... Assistant: ..., with an empty line between turns. */
export const transcript: TurnTemplate = {
  system: `${slot}\n\n`,
  user: `Human: ${slot}\n\n`,
  assistant: `Assistant: ${slot}\n\n`,
};

/** Texts as they are, one right after the other: for answers that go on where the prompt ends. */
export const plain: TurnTemplate = { system: `${slot}\n\n`, user: slot, assistant: slot };

/** The templates that have a name. */
export const templates: Readonly<Record<string, TurnTemplate>> = { transcript, plain };

const turnSchema = z
  .string()
  .refine((text) => text.split(slot).length === 2, `needs ${slot} in it once`);

const turnsSchema = z.strictObject({ system: turnSchema, user: turnSchema, assistant: turnSchema });

/** What a template from outside must look like. */
export const chatTemplateSchema = z.union([
  turnsSchema,
  z.strictObject({ jinja: z.string(), date: z.string().optional() }),
]);

/** Checks a template that came from outside; an ArgumentError says what is wrong. */
export function chatTemplate(value: unknown): ChatTemplate {
  const isText = value !== null && typeof value === "object" && "jinja" in value;
  const parsed = (isText ? chatTemplateSchema : turnsSchema).safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ArgumentError(
    `chat template: ${problemsOf(parsed.error)}; such as ${JSON.stringify(transcript)}`,
  );
}

/** What stands before and after the content of a speaker's turn. */
function around(template: TurnTemplate, speaker: Speaker): [before: string, after: string] {
  const [before = "", after = ""] = template[speaker === "tool" ? "user" : speaker].split(slot);
  return [before, after];
}

/**
 * Prompt and answer as text. A space at the border belongs to the answer, because tokens of words begin
 * with the space in front of them.
 */
export function render(
  judged: Judged,
  template: TurnTemplate,
): { readonly prompt: string; readonly answer: string } {
  accept(takes.render, arguments);
  const { prompt, answer } = judged;
  const text = typeof prompt === "string" ? prompt : renderPrompt(prompt, template);
  return text.endsWith(" ")
    ? { prompt: text.slice(0, -1), answer: ` ${answer}` }
    : { prompt: text, answer };
}

/** The turns, and the assistant's next one opened; where the last one is the assistant's, the answer goes on with it. */
function renderPrompt(messages: readonly Message[], template: TurnTemplate): string {
  const last = messages.at(-1);
  const begun = last?.role === "assistant" ? last.content : null;
  const whole = begun === null ? messages : messages.slice(0, -1);
  const turns = whole.map(({ role, content }) => around(template, role).join(content));
  return turns.join("") + around(template, "assistant")[0] + (begun ?? "");
}

/**
 * The same template in Jinja, for tokenizer_config.json: what transformers' apply_chat_template writes
 * is what we write, with the begin and end tokens of a tokenizer that has them.
 */
export function jinjaOf(template: ChatTemplate, special: SpecialIds): string {
  accept(takes.jinjaOf, arguments);
  if (isJinja(template)) return template.jinja;
  const { bos, eos } = special;
  const end = eos === undefined ? "''" : "eos_token";
  const start = bos === undefined ? end : "bos_token";
  const turn = (speaker: Speaker): string => {
    const [before, after] = around(template, speaker).map(jinjaText);
    const last = speaker === "assistant" ? `(${end} if loop.last else ${after})` : after;
    const whose = speaker === "user" ? "in ['user', 'tool']" : `== '${speaker}'`;
    return `message['role'] ${whose} %}{{ ${before} + message['content'] + ${last} }}`;
  };
  const opening = jinjaText(around(template, "assistant")[0].replace(/ $/, ""));
  return (
    `{{ ${start} }}{% for message in messages %}{% if ` +
    speakers.map(turn).join("{% elif ") +
    `{% endif %}{% endfor %}{% if add_generation_prompt %}{{ ${opening} }}{% endif %}`
  );
}

function jinjaText(text = ""): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n");
  return `'${escaped}'`;
}
