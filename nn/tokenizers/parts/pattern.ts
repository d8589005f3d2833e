// The patterns of a tokenizer.json are Oniguruma's, in Ruby's syntax; here they become JavaScript's. \s, \d
// and \w are Unicode's, classes nest and intersect, `^` and `$` are those of lines, (?i:...) holds for a part.
// A file comes from strangers, so a pattern that can take for ever is refused: an endless repetition of what
// holds a choice or a repetition itself, and too many repetitions or choices one after the other. What is left takes at
// most a low power of the text's length, as it does in the original. Next: split.ts for what patterns cut.

import type { Field } from "../../checkpoints/json.ts";

/** What counts as white space, as a part of a word and as punctuation in Rust, inside of [ ]. */
export const space = "\\p{White_Space}";
export const wordLetters = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u{200C}\\u{200D}";
export const punctuation = "\\p{P}\\u{21}-\\u{2F}\\u{3A}-\\u{40}\\u{5B}-\\u{60}\\u{7B}-\\u{7E}";

/** A pattern of ours, written for JavaScript's v mode. */
export function compiled(source: string): RegExp {
  return new RegExp(source, "gv");
}

/** GPT-2's words. */
export const byteLevelWords = compiled(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${space}\\p{L}\\p{N}]+|[${space}]+(?![^${space}])|[${space}]+`,
);

/** The text as a pattern that matches it and nothing else. */
export function literally(text: string): string {
  return Array.from(text, literal).join("");
}

/** The pattern of a field: {"String": "..."} or {"Regex": "..."}. */
export function patternIn(field: Field): RegExp {
  const regex = field.get("Regex");
  if (regex.value === undefined) return compiled(literally(field.get("String").string()));
  const source = new Translation(regex).whole();
  try {
    return compiled(source);
  } catch (cause) {
    return regex.fail(`can't be read as a pattern: ${(cause as Error).message}`);
  }
}

function literal(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** A part of a pattern, and what repeating it may cost. */
interface Term {
  readonly source: string;
  /** Matches one character whatever happens. */
  readonly isOne: boolean;
  /**
   * How many ways it has to match one text: 0 is one way, an endless repetition 1, a choice or something optional a
   * quarter. What stands side by side adds up: with 4 the ways grow as the fourth power of the text's length.
   */
  readonly freedom: number;
}

/** The most freedom that a pattern may have; those of known tokenizers have less than 3. */
const mostFreedom = 4;

const one = (source: string): Term => ({ source, isOne: true, freedom: 0 });
const place = (source: string): Term => ({ source, isOne: false, freedom: 0 });

const controls: Readonly<Record<string, string>> = {
  ...{ n: "\n", r: "\r", t: "\t", f: "\f", v: "\v", a: "\x07", e: "\x1b" },
};
const sets: Readonly<Record<string, string>> = {
  ...{ s: space, d: "\\p{Nd}", w: wordLetters, h: "0-9a-fA-F" },
};
const isWord = `[${wordLetters}]`;
const places: Readonly<Record<string, string>> = {
  b: `(?:(?<=${isWord})(?!${isWord})|(?<!${isWord})(?=${isWord}))`,
  B: `(?:(?<=${isWord})(?=${isWord})|(?<!${isWord})(?!${isWord}))`,
  A: "(?<![\\s\\S])",
  z: "(?![\\s\\S])",
  Z: "(?=\\n?(?![\\s\\S]))",
};
const groups: readonly (readonly [opening: string, written: string])[] = [
  ...(["?:", "?=", "?!", "?<=", "?<!"] as const).map((same) => [same, same] as const),
];

class Translation {
  readonly #field: Field;
  readonly #source: readonly string[];
  #at = 0;
  #ignoreCase = false;
  #atomic = 0;

  constructor(field: Field) {
    this.#field = field;
    this.#source = Array.from(field.string());
  }

  whole(): string {
    const { source } = this.#choice();
    if (this.#at < this.#source.length) this.#refuse("a bracket that nothing opens");
    return source;
  }

  #refuse(what: string): never {
    return this.#field.fail(`${what} can't be read, at character ${this.#at + 1} of the pattern`);
  }

  /** Whether the next characters are these; if so, they are taken. */
  #take(text: string): boolean {
    const found = this.#source.slice(this.#at, this.#at + text.length).join("") === text;
    if (found) this.#at += text.length;
    return found;
  }

  #next(): string {
    return this.#source[this.#at++] ?? this.#refuse("an end in the middle");
  }

  /** What stands before the closing character, which is taken. */
  #until(closing: string): string {
    let text = "";
    for (let next = this.#next(); next !== closing; next = this.#next()) text += next;
    return text;
  }

  /** a|b|c, up to the end or a closing bracket. */
  #choice(): Term {
    const ignoresCase = this.#ignoreCase; // (?i) holds up to the end of the group
    const ways: Term[][] = [[]];
    while (this.#at < this.#source.length && this.#source[this.#at] !== ")") {
      if (this.#take("|")) ways.push([]);
      else ways.at(-1)?.push(this.#repeated());
    }
    this.#ignoreCase = ignoresCase;
    const source = ways.map((terms) => terms.map((term) => term.source).join("")).join("|");
    const sums = ways.map((terms) => terms.reduce((sum, term) => sum + term.freedom, 0));
    const freedom = Math.max(...sums) + (ways.length > 1 ? 1 / 4 : 0);
    if (freedom > mostFreedom) this.#refuse("so many repetitions, which can take for ever,");
    return { source, isOne: false, freedom };
  }

  /** The freedom of a term that is repeated. */
  #freedom({ freedom }: Term, least: number, most: number): number {
    if (most > 99 && freedom > 0)
      this.#refuse("a repetition of what repeats or has a choice, which can take for ever,");
    const own = least === most ? 0 : most > 99 ? 1 : most > 9 ? 1 / 2 : 1 / 4;
    return own + freedom * Math.min(most, 99);
  }

  #repeated(): Term {
    let term = this.#atom();
    for (let count = this.#count(); count !== null; count = this.#count()) {
      const [least, most] = count;
      const freedom = this.#freedom(term, least, most);
      const braces = count.length === 3;
      const lazy = this.#take("?") ? "?" : "";
      const times = `{${least},${most === Number.POSITIVE_INFINITY ? "" : most}}`;
      const source = `${term.source}${times}${lazy}`;
      if (braces && term.isOne && least <= 1 && this.#take("+")) {
        term = { source: `${term.source}{${least},}`, isOne: false, freedom: 1 }; // (x{1,3})+ is x+
      } else {
        const keeps = !braces && this.#take("+");
        term = { source: keeps ? this.#keeping(source) : source, isOne: false, freedom };
      }
    }
    return term;
  }

  /** How often what stands before is repeated: least, most, and "{" for counts in braces; null for once. */
  #count(): [number, number] | [number, number, "{"] | null {
    if (this.#take("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#take("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#take("?")) return [0, 1];
    const rest = this.#source.slice(this.#at, this.#at + 20).join("");
    const [all, least, comma, most] = /^\{(\d*)(,?)(\d*)\}/.exec(rest) ?? [];
    if (all === undefined || (least === "" && most === "")) return null;
    this.#at += all.length;
    const end = comma === "" ? least : most;
    return [Number(least), end === "" ? Number.POSITIVE_INFINITY : Number(end), "{"];
  }

  /** (?>x): what x took once, it keeps. A look ahead is never tried another way. */
  #keeping(source: string): string {
    const name = `kept${this.#atomic++}`;
    return `(?=(?<${name}>${source}))\\k<${name}>`;
  }

  #atom(): Term {
    const next = this.#next();
    if (next === "(") return this.#group();
    if (next === "[") return one(this.#set());
    if (next === ".") return one("[^\\n]");
    if (next === "^") return place("(?<![^\\n])");
    if (next === "$") return place("(?![^\\n])");
    if ("*+?".includes(next)) this.#refuse("a repetition of nothing");
    if (next !== "\\") return one(this.#cased(next));
    const written = places[this.#source[this.#at] ?? ""];
    if (written !== undefined) this.#at++;
    return written === undefined ? one(`[${this.#escape()}]`) : place(written);
  }

  #group(): Term {
    if (this.#take("?i)")) {
      this.#ignoreCase = true;
      return place("");
    }
    const ignoresCase = this.#ignoreCase;
    if (this.#take("?i:")) {
      this.#ignoreCase = true;
      const term = this.#closed("?:");
      this.#ignoreCase = ignoresCase;
      return term;
    }
    if (this.#take("?>")) {
      const { source, freedom } = this.#closed("?:");
      return { source: `(?:${this.#keeping(source)})`, isOne: false, freedom };
    }
    for (const [opening, written] of groups) if (this.#take(opening)) return this.#closed(written);
    if (this.#source[this.#at] === "?") this.#refuse("a group of this kind");
    return this.#closed("?:");
  }

  #closed(opening: string): Term {
    const { source, freedom } = this.#choice();
    if (!this.#take(")")) this.#refuse("a group that doesn't end");
    return { source: `(${opening}${source})`, isOne: false, freedom };
  }

  /** A set of characters behind its "[", with sets in it, and "&&" for what several have in common. */
  #set(): string {
    const not = this.#take("^") ? "^" : "";
    const sides = [""];
    for (let first = true; first || this.#source[this.#at] !== "]"; first = false) {
      if (this.#take("&&")) sides.push("");
      else sides.push(`${sides.pop()}${this.#member()}`);
    }
    this.#at++;
    return `[${not}${sides.map((side) => `[${side}]`).join("&&")}]`;
  }

  /** A character, a range of them, or a set, as it stands inside of [ ]. */
  #member(): string {
    if (this.#take("[:")) return this.#refuse("a POSIX class");
    if (this.#take("[")) return this.#set();
    const from = this.#character();
    if (from.length > 1) return from;
    const dash = this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]";
    if (!dash) return this.#cased(from).replace(/^\[(.*)\]$/, "$1");
    this.#at++;
    const to = this.#character();
    if (to.length > 1) this.#refuse("a range up to a set");
    const range = `${literal(from)}-${literal(to)}`;
    const isLetters = /^([a-z]-[a-z]|[A-Z]-[A-Z])$/.test(`${from}-${to}`);
    if (!this.#ignoreCase || !/\p{L}/u.test(from + to)) return range;
    if (!isLetters) this.#refuse("a range without regard to case");
    const other = [from, to].map((end) =>
      /[a-z]/.test(end) ? end.toUpperCase() : end.toLowerCase(),
    );
    return `${range}${other.map(literal).join("-")}`;
  }

  /** A character, or a set as it stands inside of [ ]. */
  #character(): string {
    const next = this.#next();
    if (next !== "\\") return next;
    const set = this.#escape();
    const code = /^\\u\{([\da-f]+)\}$/.exec(set)?.[1];
    return code === undefined ? set : String.fromCodePoint(Number.parseInt(code, 16));
  }

  /** What stands behind a backslash, as it is written inside of [ ]. */
  #escape(): string {
    const next = this.#next();
    const set = sets[next.toLowerCase()];
    if (set !== undefined) return next === next.toLowerCase() ? set : `[^${set}]`;
    if (next === "p" || next === "P") return this.#property(next === "P");
    if (next === "u") return literal(this.#hex(4));
    if (next === "x") return literal(this.#take("{") ? fromHex(this.#until("}")) : this.#hex(2));
    const control = controls[next];
    if (control === undefined && /[\p{L}\p{N}]/u.test(next)) this.#refuse(`\\${next}`);
    return literal(control ?? next);
  }

  #hex(digits: number): string {
    this.#at += digits;
    return fromHex(this.#source.slice(this.#at - digits, this.#at).join(""));
  }

  /** \p{L}, \p{Han}, \p{^L}: a category, a property or a script. */
  #property(isNot: boolean): string {
    if (!this.#take("{")) return this.#refuse("\\p without {");
    const name = this.#until("}");
    const plain = name.replace(/^\^/, "");
    const p = isNot !== name.startsWith("^") ? "P" : "p";
    for (const written of [plain, `Script=${plain}`]) {
      const found = `\\${p}{${written}}`;
      try {
        new RegExp(found, "v");
        return found;
      } catch {} // not of this kind
    }
    return this.#refuse(`\\p{${name}}`);
  }

  /** A letter, where its case doesn't count in all its forms. */
  #cased(letter: string): string {
    const forms = new Set([letter]);
    if (this.#ignoreCase) {
      for (const form of [letter.toLowerCase(), letter.toUpperCase()]) forms.add(form);
      if (forms.has("s")) forms.add("\u017f");
      if (forms.has("k")) forms.add("\u212a");
    }
    const written = [...forms].filter((form) => Array.from(form).length === 1).map(literal);
    return written.length === 1 ? (written[0] ?? "") : `[${written.join("")}]`;
  }
}

function fromHex(digits: string): string {
  return String.fromCodePoint(Number.parseInt(digits, 16) || 0);
}
