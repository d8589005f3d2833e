// Tokenizers of others, whatever their tokenizer.json holds (WordPiece, Unigram, normalisers, templates),
// run by Hugging Face's own library behind our interface. Byte-level BPE and plain words are ours: bpe.ts,
// word.ts. Next: folder.ts, which chooses.

import { Tokenizer as Library } from "@huggingface/tokenizers";
import { ArgumentError, IndexError, TwoheadsError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { FileError } from "../checkpoints/byteSource.ts";
import { Field } from "../checkpoints/json.ts";
import { addedFields, configName, filesOf, readId, readRoles } from "./jsonFile.ts";
import {
  type DecodeOptions,
  type EncodeOptions,
  encodeOptions,
  idWithRole,
  rolesOf,
  type SpecialIds,
  type Tokenizer,
  type TokenizerFile,
} from "./tokenizer.ts";

const takes = signatures({
  HuggingFaceTokenizer: "ids: { values: function, ... }, json: object, config: object",
  fromJSON: "json: any, { config?: object, file?: string }",
  encode: `text: string, { ${encodeOptions}, template?: boolean }`,
  decode: "ids: number[], { skipSpecial?: boolean }",
});

/** EncodeOptions, and what the file's own post-processor adds. */
export interface HuggingFaceEncodeOptions extends EncodeOptions {
  /** Adds what the file's post-processor puts around a text, such as [CLS] and [SEP]; false unless said. */
  readonly template?: boolean;
}

/** The tokenizer of a Hugging Face model, from its tokenizer.json, read by @huggingface/tokenizers. */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly special: SpecialIds;
  readonly #library: Library;
  readonly #json: object;
  readonly #config: object;

  private constructor(ids: ReadonlyMap<string, number>, json: object, config: object) {
    accept(takes.HuggingFaceTokenizer, arguments);
    this.vocabSize = 1 + [...ids.values()].reduce((most, id) => Math.max(most, id), -1);
    this.special = rolesOf(ids, readRoles(new Field(configName, "", config)));
    this.#library = new Library(json, config);
    this.#json = json;
    this.#config = config;
  }

  /** From what a tokenizer.json and its tokenizer_config.json hold; a FileError says what is wrong. */
  static fromJSON(
    json: unknown,
    options: { config?: object; file?: string } = {},
  ): HuggingFaceTokenizer {
    accept(takes.fromJSON, arguments);
    const { config = {}, file = "tokenizer.json" } = options;
    const root = new Field(file, "", json);
    const ids = readIds(root);
    if (root.get("model").get("type").value === "BPE") root.get("model").get("merges").items();
    try {
      return new HuggingFaceTokenizer(ids, root.object(), config);
    } catch (cause) {
      if (cause instanceof TwoheadsError) throw cause;
      const problem = `@huggingface/tokenizers can't use it: ${(cause as Error).message}`;
      throw new FileError(file, "", problem, { cause });
    }
  }

  encode(text: string, options: HuggingFaceEncodeOptions = {}): Int32Array {
    accept(takes.encode, arguments);
    if (options.parseSpecial === false) {
      throw new ArgumentError(
        "HuggingFaceTokenizer: always finds special tokens in the text; parseSpecial: false needs a " +
          "byte-level BPE file, or text without them",
      );
    }
    const add_special_tokens = options.template ?? false;
    const ids: number[] = this.#library.encode(text, { add_special_tokens }).ids;
    const lost = ids.findIndex((id) => !Number.isInteger(id));
    if (lost >= 0) {
      throw new ArgumentError(
        `HuggingFaceTokenizer: token ${lost} of the text isn't in the vocabulary, which has no unk token`,
      );
    }
    if (options.bos) ids.unshift(idWithRole("bos", this.special));
    if (options.eos) ids.push(idWithRole("eos", this.special));
    return Int32Array.from(ids);
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    accept(takes.decode, arguments);
    const { skipSpecial = false } = options;
    const list = Array.from(ids);
    for (const id of list) this.tokenOf(id);
    if (list.length === 0) return "";
    const how = { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false };
    return this.#library.decode(list, how);
  }

  idOf(token: string): number | undefined {
    return this.#library.token_to_id(token);
  }

  tokenOf(id: number): string {
    const token = this.#library.id_to_token(id);
    if (token !== undefined) return token;
    throw new IndexError(
      `tokenizer: no token has the id ${id}; the largest is ${this.vocabSize - 1}`,
    );
  }

  files(): TokenizerFile[] {
    return filesOf(this.#json, this.#config);
  }
}

/** Every token's id; checked first, because the library makes arrays as long as the largest. */
function readIds(root: Field): Map<string, number> {
  const vocab = root.get("model").get("vocab");
  const listed = Array.isArray(vocab.value); // Unigram: [token, score] in the order of ids
  const ids = new Map<string, number>(
    listed
      ? vocab.items().map((item, id) => [item.items()[0]?.string() ?? "", id])
      : vocab.entries().map(([token, id]) => [token, readId(id)]),
  );
  for (const token of addedFields(root)) {
    ids.set(token.get("content").string(), readId(token.get("id")));
  }
  return ids;
}
