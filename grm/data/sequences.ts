// From an answer in its context to tokens: a begin token, the prompt, the answer, an end token. Only the
// answer and its end carry text-generation loss. What doesn't fit is cut by a stated policy, for both
// sides of a pair at once. Next: readPairs.ts.

import { accept, signatures } from "../../core/signature.ts";
import { joinIds } from "../../nn/arrays.ts";
import { documentStart, type Tokenizer } from "../../nn/index.ts";
import { IGNORE } from "../losses.ts";
import type { Sequence } from "../pairs.ts";
import { encodeChat, openChat } from "./chat.ts";
import {
  type ChatTemplate,
  isJinja,
  type JinjaTemplate,
  type Judged,
  type Message,
  plain,
  render,
} from "./template.ts";

const takes = signatures({
  encodeJudged:
    "judged: { prompt: string | any[], answer: string, ... }, tokenizer: { encode: function, decode: function, ... }, template: object",
  openConversation: "messages: any[], template: object, tokenizer: object",
  sequenceOf: "tokens: { start: number[], prompt: number[], ... }",
  judgedSequence:
    'judged: { prompt: string | any[], answer: string, ... }, { tokenizer: object, maxLength: number, truncation: "prompt" | "answer" | "drop", template: object, lenient?: boolean }',
  cutToLength: 'sides: any[], maxLength: number, truncation: "prompt" | "answer" | "drop"',
});

/**
 * What to do with sequences longer than the limit:
 * - "prompt": the oldest tokens of the prompt go, answers stay whole; where an answer alone is too long,
 *   the pair is dropped. The default: people judged whole answers, and the reward is read at their end.
 * - "answer": the end goes, as the official code does it; the reward is then read where the cut is.
 * - "drop": the pair is dropped. Nothing is judged by a part, but long data loses much of itself.
 */
export const truncations = ["prompt", "answer", "drop"] as const;

/**
 * What is done with a sequence that is too long: its prompt is cut at the begin, its answer at the end, or
 * it is dropped.
 */
export type Truncation = (typeof truncations)[number];

/** How text becomes sequences: what a model was trained with, it must be scored with. */
export interface Reading {
  /** The longest sequence in tokens, begin and end token included. */
  readonly maxLength: number;
  /** What to do with longer ones. */
  readonly truncation: Truncation;
  /** How conversations are written. */
  readonly template: ChatTemplate;
}

/** The tokens of an answer in its context, not yet cut to a length. */
export interface Tokens {
  /** What a document begins with; never cut by "prompt". */
  readonly start: readonly number[];
  readonly prompt: Int32Array;
  /** With the end token, where the tokenizer has one. */
  readonly answer: Int32Array;
}

/**
 * Encodes an answer in its context, special tokens in it being text like any other. A conversation is written
 * by the template, a prompt of text stands letter for letter. The border between
 * prompt and answer is one of tokens: where a token of the whole would reach over it, both are encoded
 * apart.
 */
export function encodeJudged(judged: Judged, tokenizer: Tokenizer, template: ChatTemplate): Tokens {
  accept(takes.encodeJudged, arguments);
  if (isJinja(template) && typeof judged.prompt !== "string") {
    return chatTokens(judged.prompt, judged.answer, tokenizer, template);
  }
  const text = render(judged, isJinja(template) ? plain : template);
  const encode = (part: string): Int32Array => tokenizer.encode(part, { parseSpecial: false });
  const prompt = encode(text.prompt);
  const whole = encode(text.prompt + text.answer);
  const isBorder = prompt.every((id, i) => id === whole[i]);
  const answer = isBorder ? whole.subarray(prompt.length) : encode(text.answer);
  const { eos } = tokenizer.special;
  return {
    start: documentStart(tokenizer),
    prompt,
    answer: eos === undefined ? answer : joinIds([answer, [eos]]),
  };
}

/** The tokens of a conversation by a model's own template, which says itself how one begins and ends. */
function chatTokens(
  messages: readonly Message[],
  answer: string,
  tokenizer: Tokenizer,
  template: JinjaTemplate,
): Tokens {
  const { ids, promptLength } = encodeChat(messages, answer, template, tokenizer);
  const { bos } = tokenizer.special;
  const first = bos !== undefined && ids[0] === bos && promptLength > 0 ? 1 : 0;
  return {
    start: Array.from(ids.subarray(0, first)),
    prompt: ids.subarray(first, promptLength),
    answer: ids.subarray(promptLength),
  };
}

/** A conversation and the assistant's next turn begun (or its last one, to go on with): ids to generate from. */
export function openConversation(
  messages: readonly Message[],
  template: ChatTemplate,
  tokenizer: Tokenizer,
): number[] {
  accept(takes.openConversation, arguments);
  if (isJinja(template)) return Array.from(openChat(messages, template, tokenizer));
  const { prompt } = render({ prompt: messages, answer: "" }, template);
  return [...documentStart(tokenizer), ...tokenizer.encode(prompt, { parseSpecial: false })];
}

/** The tokens as one sequence. The first has nothing before it that could predict it, so no label. */
export function sequenceOf(tokens: Tokens): Sequence {
  accept(takes.sequenceOf, arguments);
  const { start, prompt, answer } = tokens;
  const ids = joinIds([start, prompt, answer]);
  const labels = ids.slice().fill(IGNORE, 0, Math.max(1, start.length + prompt.length));
  return { ids, labels };
}

/** Sequences brought to a length. */
export interface Cut {
  /** Sequences of at most the length asked for; null where the policy can't make them. */
  readonly sequences: readonly Sequence[] | null;
  readonly wasCut: boolean;
}

/** Cuts the sides of a pair (or a single answer) to a length. Prompts are cut to one length for all. */
export function cutToLength(
  sides: readonly Tokens[],
  maxLength: number,
  truncation: Truncation,
): Cut {
  accept(takes.cutToLength, arguments);
  const whole = sides.map(sequenceOf);
  if (whole.every(({ ids }) => ids.length <= maxLength)) {
    return { sequences: whole, wasCut: false };
  }
  if (truncation === "drop") return { sequences: null, wasCut: false };
  if (truncation === "answer") {
    const sequences = whole.map(({ ids, labels }) => {
      return { ids: ids.slice(0, maxLength), labels: labels.slice(0, maxLength) };
    });
    return { sequences, wasCut: true };
  }
  const room = Math.min(...sides.map((s) => maxLength - s.start.length - s.answer.length));
  if (room < 0) return { sequences: null, wasCut: false };
  const sequences = sides.map((side) => {
    return sequenceOf({
      ...side,
      prompt: side.prompt.slice(Math.max(0, side.prompt.length - room)),
    });
  });
  return { sequences, wasCut: true };
}

/** An answer as one sequence: null with a problem where there is none that fits. */
export interface SequenceRead {
  readonly sequence: Sequence | null;
  /** Whether tokens were cut off to fit the limit. */
  readonly wasCut: boolean;
  readonly problem?: string;
}

/** The sequence that a reward model reads of an answer in its context, cut to length. */
export function judgedSequence(
  judged: Judged,
  options: Reading & { readonly tokenizer: Tokenizer },
): SequenceRead {
  accept(takes.judgedSequence, arguments);
  const { tokenizer, maxLength, truncation, template } = options;
  const tokens = encodeJudged(judged, tokenizer, template);
  const { sequences, wasCut } = cutToLength([tokens], maxLength, truncation);
  const [sequence = null] = sequences ?? [];
  if (sequence === null) return { sequence, wasCut, problem: `is longer than ${maxLength} tokens` };
  if (sequence.ids.length > 0) return { sequence, wasCut };
  return { sequence: null, wasCut, problem: "has no tokens" };
}

/** Whether any token carries text-generation loss. */
export function hasLabels({ labels }: Sequence): boolean {
  return labels.some((label) => label !== IGNORE);
}
