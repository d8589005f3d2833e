// A key that pairs of one prompt share: what a split must not tear apart, and what training and test data must not
// have in common. It is of the prompt's text, so that neither the tokenizer nor a cut changes it.
// Next: holdOut.ts.

import type { Judged } from "./template.ts";

/** The key of a prompt, less case and blanks; of a conversation, of what others than the assistant say in it. */
export function promptKeyOf({ prompt }: Judged): { readonly promptKey?: string } {
  const texts =
    typeof prompt === "string"
      ? [prompt]
      : prompt.filter(({ role }) => role !== "assistant").map(({ content }) => content);
  const text = texts.map((one) => one.replaceAll(/\s+/g, " ").trim().toLowerCase()).join("\n");
  return text.trim() === "" ? {} : { promptKey: hashOf(text) };
}

/** 64 bits of FNV-1a, over the letters forward and backward; among a million prompts two meet once in 10⁷ times. */
function hashOf(text: string): string {
  let [a, b] = [0x811c9dc5, 0x811c9dc5];
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(text.length - 1 - i), 0x01000193);
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}
