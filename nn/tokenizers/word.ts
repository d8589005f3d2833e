// Whole words as tokens, for small worlds with a closed vocabulary. Text is cut at white space and put
// together again with single spaces. A word that isn't known is an error, unless a special token stands
// for unknown ones. Next: bpe.ts for text of the open world.

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { Field } from "../checkpoints/json.ts";
import { addedFields, configOf, filesOf, frameOf, standsPlainly } from "./jsonFile.ts";
import { compiled, space } from "./parts/pattern.ts";
import {
  type DecodeOptions,
  type SpecialTokens,
  type TokenizerFile,
  VocabularyTokenizer,
} from "./tokenizer.ts";

const takes = signatures({
  WordTokenizer: "{ words: Iterable, special?: object }",
  fromJSON: "json: any, { special?: object, file?: string }",
  decode: "ids: number[], { skipSpecial?: boolean }",
});

const notSpaces = compiled(`[^${space}]+`);

/** The words of a WordTokenizer, and its special tokens. */
export interface WordOptions {
  /** The words, each once, in the order of their ids. */
  readonly words: Iterable<string>;
  /**
   * Special tokens; those that aren't among the words stand in front of them. With a token for `unk`,
   * unknown words become that.
   */
  readonly special?: SpecialTokens;
}

/** A token for each word between spaces: for small languages whose words are all known. */
export class WordTokenizer extends VocabularyTokenizer {
  readonly #special: SpecialTokens;
  readonly #words: ReadonlyMap<string, number>;

  constructor(options: WordOptions) {
    accept(takes.WordTokenizer, arguments);
    const { words, special = {} } = options;
    const list = [...words];
    const roles = [...new Set(Object.values(special))];
    const ids = new Map<string, number>();
    for (const word of [...roles.filter((token) => !list.includes(token)), ...list]) {
      if (!/^\S+$/.test(word)) {
        throw new ArgumentError(`WordTokenizer: "${word}" is empty or holds white space`);
      }
      if (ids.has(word)) throw new ArgumentError(`WordTokenizer: "${word}" is given twice`);
      ids.set(word, ids.size);
    }
    const added = roles.map((content) => ({ content, id: ids.get(content) ?? 0, special: true }));
    super(ids, added, special);
    this.#special = special;
    this.#words = new Map([...ids].filter(([word]) => !roles.includes(word)));
  }

  /** From a tokenizer.json whose model is WordLevel; a FileError names the field that is wrong. */
  static fromJSON(
    json: unknown,
    options: { special?: SpecialTokens; file?: string } = {},
  ): WordTokenizer {
    accept(takes.fromJSON, arguments);
    const { special = {}, file = "tokenizer.json" } = options;
    const model = new Field(file, "", json).get("model");
    const entries = model.get("vocab").entries();
    const words = new Array<string>(entries.length);
    for (const [word, field] of entries) {
      const id = field.wholeNumber(entries.length - 1);
      if (words[id] !== undefined) field.fail(`${id} is the id of "${words[id]}" already`);
      if (!/^\S+$/.test(word)) field.fail("is no word: it is empty or holds white space");
      words[id] = word;
    }
    const unk = model.get("unk_token").value;
    const known = typeof unk === "string" && words.includes(unk) ? { unk } : {};
    return new WordTokenizer({ words, special: { ...known, ...special } });
  }

  protected encodePlain(text: string, ids: number[]): void {
    for (const word of text.match(notSpaces) ?? []) {
      const id = this.#words.get(word) ?? this.special.unk;
      if (id === undefined) {
        throw new ArgumentError(
          `WordTokenizer: "${word}" is none of the ${this.#words.size} words; ` +
            "add it, or a special token for unk",
        );
      }
      ids.push(id);
    }
  }

  /** The words with a space between each two. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string {
    accept(takes.decode, arguments);
    return Array.from(ids)
      .filter((id) => !this.skips(id, options))
      .map((id) => this.tokenOf(id))
      .join(" ");
  }

  files(): TokenizerFile[] {
    const json = {
      ...frameOf(this.added),
      pre_tokenizer: { type: "WhitespaceSplit" },
      post_processor: null,
      decoder: null,
      model: {
        type: "WordLevel",
        vocab: Object.fromEntries(this.ids),
        unk_token: this.#special.unk ?? "<unk>", // must be a string, though no token may have it
      },
    };
    return filesOf(json, configOf(this.#special));
  }
}

/** Whether a tokenizer.json holds whole words and nothing beside; added tokens are those with a role. */
export function isWordLevel(root: Field, special: SpecialTokens): boolean {
  const typeOf = (name: string): unknown =>
    (root.get(name).value as { type?: unknown } | null)?.type;
  const nothing = ["normalizer", "post_processor", "decoder"].every(
    (name) => root.get(name).value == null,
  );
  const withRole: readonly unknown[] = Object.values(special);
  const unk = root.get("model").get("unk_token").value;
  const hasUnk =
    typeof unk === "string" && root.get("model").get("vocab").get(unk).value !== undefined;
  return (
    nothing &&
    typeOf("model") === "WordLevel" &&
    typeOf("pre_tokenizer") === "WhitespaceSplit" &&
    special.unk === (hasUnk ? unk : undefined) &&
    addedFields(root).every(
      (field) => withRole.includes(field.get("content").value) && standsPlainly(field),
    )
  );
}
