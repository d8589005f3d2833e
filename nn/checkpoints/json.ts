// JSON that somebody else wrote. JSON.parse takes the last of two equal keys and says nothing, which
// has let two readers of one file see two different files; here that is an error, as is nesting without
// end. A Field is a value with its path, so that every complaint names the file and the place in it.
// Next: header.ts, which reads a header through this.

import { FileError } from "./byteSource.ts";

const deepest = 64;

/** A value of a JSON file and where it stands there. */
export class Field {
  constructor(
    readonly file: string,
    /** Such as `model.merges[3]`; empty for the whole. */
    readonly path: string,
    readonly value: unknown,
  ) {}

  /** Throws a FileError about this place. */
  fail(problem: string): never {
    throw new FileError(this.file, this.path, problem);
  }

  #needs(what: string): never {
    return this.fail(
      this.value === undefined
        ? `missing; needs ${what}`
        : `needs ${what}, got ${show(this.value)}`,
    );
  }

  /** The field of an object; its value is undefined if the object lacks it. */
  get(key: string): Field {
    const object = this.object();
    return this.#child(key, Object.hasOwn(object, key) ? object[key] : undefined);
  }

  /** The fields of an object. */
  entries(): [key: string, field: Field][] {
    return Object.entries(this.object()).map(([key, value]) => [key, this.#child(key, value)]);
  }

  /** The items of an array. */
  items(): Field[] {
    if (!Array.isArray(this.value)) return this.#needs("an array");
    return this.value.map((item, i) => new Field(this.file, `${this.path}[${i}]`, item));
  }

  object(): Readonly<Record<string, unknown>> {
    const { value } = this;
    if (value === null || typeof value !== "object" || Array.isArray(value))
      this.#needs("an object");
    return value as Record<string, unknown>;
  }

  string(): string {
    return typeof this.value === "string" ? this.value : this.#needs("a string");
  }

  /** A whole number from 0 to `most`. */
  wholeNumber(most = Number.MAX_SAFE_INTEGER): number {
    const { value } = this;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most) {
      return value;
    }
    return this.#needs(`a whole number from 0 to ${most}`);
  }

  #child(key: string, value: unknown): Field {
    const plain = /^\w+$/.test(key);
    const dot = this.path === "" ? "" : ".";
    const path = plain ? `${this.path}${dot}${key}` : `${this.path}[${show(key)}]`;
    return new Field(this.file, path, value);
  }
}

/** Reads JSON from UTF-8 or text. Duplicate keys, wrong UTF-8 and wrong JSON are FileErrors. */
export function parseJson(file: string, content: Uint8Array | string, path = ""): Field {
  const text = typeof content === "string" ? content : decoded(file, content, path);
  if (text.startsWith("version https://git-lfs.")) {
    const problem = "is a pointer of Git LFS, not the file itself: git lfs pull fetches it";
    throw new FileError(file, path, problem);
  }
  try {
    scan(text, (problem) => new Field(file, path, text).fail(problem));
    return new Field(file, path, JSON.parse(text));
  } catch (cause) {
    if (cause instanceof FileError) throw cause;
    throw new FileError(file, path, `is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function decoded(file: string, bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FileError(file, path, "is not UTF-8", { cause });
  }
}

/** Finds what JSON.parse lets pass or takes too much memory for; wrong JSON is left to JSON.parse. */
function scan(text: string, fail: (problem: string) => never): void {
  const open: Set<string>[] = []; // the keys seen in each object that is open; arrays have none
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "{" || char === "[") {
      open.push(new Set());
      if (open.length > deepest) fail(`nests deeper than ${deepest} levels`);
    } else if (char === "}" || char === "]") {
      open.pop();
    } else if (char === '"') {
      const end = closingQuote(text, at);
      if (isKey(text, end)) {
        const key = JSON.parse(text.slice(at, end + 1)) as string;
        const keys = open.at(-1);
        if (keys?.has(key)) fail(`the key ${show(key)} stands twice in one object`);
        keys?.add(key);
      }
      at = end;
    }
  }
}

/** Where the string that begins at `start` ends; the end of the text if it doesn't. */
function closingQuote(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return at;
    if (text[at] === "\\") at++;
  }
  return text.length;
}

/** Whether a colon follows the string that ends at `end`. */
function isKey(text: string, end: number): boolean {
  let at = end + 1;
  while (at < text.length && " \t\r\n".includes(text[at] ?? "")) at++;
  return text[at] === ":";
}

/** A value as it stands in errors: JSON, cut to what a line holds. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
