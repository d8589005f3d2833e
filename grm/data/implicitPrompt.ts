// Pairs that don't say where the prompt ends: two whole texts, which begin alike. A transcript in
// Anthropic's form is cut into its turns; in other text the prompt is what both begin with, up to the end
// of a line or sentence. Next: formats.ts.

import type { Message, Speaker } from "./template.ts";

const speakerOf: Readonly<Record<string, Speaker>> = { Human: "user", Assistant: "assistant" };

/** Whether a text is a conversation in the form "\n\nHuman: ...\n\nAssistant: ...". */
export function isTranscript(text: string): boolean {
  return /^\s*Human:|\n\nHuman:/.test(text) && text.includes("\n\nAssistant:");
}

/** The turns of a transcript, without the white space around them; text before the first is the system's. */
export function turnsOf(text: string): Message[] {
  const [preamble = "", ...rest] = text.split(/(?:^\s*|\n\n)(Human|Assistant):/);
  const turns: Message[] = [];
  for (let i = 0; i < rest.length; i += 2) {
    const role = speakerOf[rest[i] ?? ""] ?? "user";
    turns.push({ role, content: (rest[i + 1] ?? "").trim() });
  }
  const content = preamble.trim();
  return content === "" ? turns : [{ role: "system", content }, ...turns];
}

/**
 * How many letters of two texts are their prompt: what both begin with, up to the last end of a line or
 * sentence (. ? ! :) in it. A few words that two answers happen to begin with are no prompt, nor is what
 * would leave one of them without an answer.
 */
export function commonPrompt(chosen: string, rejected: string): number {
  const common = commonLength(chosen, rejected);
  let length = 0;
  for (const { index, 0: end } of chosen.slice(0, common + 1).matchAll(/[.?!:](?=\s)|\n+/g)) {
    const at = index + end.length;
    const leavesAnswers = [chosen, rejected].every((text) => text.slice(at).trim() !== "");
    if (at <= common && leavesAnswers) length = at;
  }
  return length;
}

function commonLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  for (let i = 0; i < most; i++) if (a[i] !== b[i]) return i;
  return most;
}
