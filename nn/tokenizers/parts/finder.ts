// Finds added tokens in a text. They may want to be words of their own, and may take the spaces beside them
// along. Next: added.ts for where they come from.

import type { AddedToken } from "../tokenizer.ts";
import { compiled, space, wordLetters } from "./pattern.ts";

/** An added token with what a tokenizer.json says about finding it. */
export interface FoundToken extends AddedToken {
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Looked for in the normalised text, its own spelling normalised, too. */
  readonly normalized: boolean;
}

/** A part of a text, or the added token that stood there. */
export type Part = { readonly text: string; readonly begin: number } | FoundToken;

const endsInWord = compiled(`[${wordLetters}]$`);
const beginsWithWord = compiled(`^[${wordLetters}]`);
const spacesAtStart = compiled(`^[${space}]*`);
const spacesAtEnd = compiled(`(?<![${space}])[${space}]*$`);

interface TrieNode {
  token: FoundToken | null;
  readonly next: Map<string, TrieNode>;
}

/** Finds the longest token at each place, from the left. */
export class Finder {
  readonly #root: TrieNode = { token: null, next: new Map() };

  constructor(tokens: readonly FoundToken[], spelling: (content: string) => string) {
    for (const token of tokens) {
      let node = this.#root;
      for (const unit of spelling(token.content).split("")) {
        const next = node.next.get(unit) ?? { token: null, next: new Map() };
        node.next.set(unit, next);
        node = next;
      }
      if (node !== this.#root) node.token ??= token;
    }
  }

  /** The text cut at its added tokens; `takes` says which count. */
  split(text: string, takes: (token: FoundToken, begin: number) => boolean): Part[] {
    if (this.#root.next.size === 0) return [{ text, begin: 0 }];
    const parts: Part[] = [];
    let before = 0;
    for (let at = 0; at < text.length; ) {
      const found = this.#longestAt(text, at);
      const end = found?.end ?? at + 1;
      if (found !== null && takes(found.token, at) && standsAlone(found.token, text, at, end)) {
        const [begin, stop] = withSpaces(found.token, text, at, end, before);
        if (before < begin) parts.push({ text: text.slice(before, begin), begin: before });
        parts.push(found.token);
        before = stop;
      }
      at = end;
    }
    if (before < text.length) parts.push({ text: text.slice(before), begin: before });
    return parts;
  }

  #longestAt(text: string, at: number): { token: FoundToken; end: number } | null {
    let found: { token: FoundToken; end: number } | null = null;
    let node = this.#root.next.get(text.charAt(at));
    for (let end = at + 1; node !== undefined; end++) {
      if (node.token !== null) found = { token: node.token, end };
      node = node.next.get(text.charAt(end));
    }
    return found;
  }
}

/** The last characters before a place: as much as a look back at one needs. */
const before = (text: string, at: number): string => text.slice(Math.max(0, at - 2), at);

function standsAlone(
  { singleWord }: FoundToken,
  text: string,
  begin: number,
  end: number,
): boolean {
  if (!singleWord) return true;
  return (
    before(text, begin).search(endsInWord) < 0 &&
    text.slice(end, end + 2).search(beginsWithWord) < 0
  );
}

/** Where a token begins and ends with the spaces that it takes, but none that one before it took. */
function withSpaces(
  { lstrip, rstrip }: FoundToken,
  text: string,
  begin: number,
  end: number,
  least: number,
): [begin: number, end: number] {
  const left = lstrip ? text.slice(least, begin).search(spacesAtEnd) + least : begin;
  const right = rstrip ? (text.slice(end).match(spacesAtStart)?.[0].length ?? 0) : 0;
  return [Math.min(left, begin), end + right];
}
