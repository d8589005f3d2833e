// The tokenizer of a Hugging Face model, from its tokenizer.json: added tokens are found, the text between
// them is normalised, cut into words and given to the model, in the order and with the exceptions of the
// original library (https://github.com/huggingface/tokenizers), so that the ids are the same. Plain
// byte-level BPE and plain words are ours: bpe.ts, word.ts.
// Next: parts/ for each of the steps, folder.ts, which chooses.

import { IndexError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { Field } from "../checkpoints/json.ts";
import { configName, filesOf, readRoles } from "./jsonFile.ts";
import { allAdded } from "./parts/added.ts";
import { decoderIn } from "./parts/decoders.ts";
import { Finder, type FoundToken } from "./parts/finder.ts";
import { modelIn, type WordModel } from "./parts/models.ts";
import { type Normalizer, normalizerIn } from "./parts/normalizers.ts";
import { type PreTokenizer, preTokenizerIn } from "./parts/preTokenizers.ts";
import { type Frame, frameIn } from "./parts/template.ts";
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
  HuggingFaceTokenizer: "root: object, config: object", // by fromJSON
  fromJSON: "json: any, { config?: object, file?: string }",
  encode: `text: string, { ${encodeOptions}, template?: boolean }`,
  decode: "ids: number[], { skipSpecial?: boolean }",
});

/** EncodeOptions, and what the file's own post-processor adds. */
export interface HuggingFaceEncodeOptions extends EncodeOptions {
  /** Adds what the file's post-processor puts around a text, such as [CLS] and [SEP]; false unless said. */
  readonly template?: boolean;
}

/** The steps that a tokenizer.json describes. */
interface TokenizerSteps {
  readonly normalize: Normalizer;
  readonly cut: PreTokenizer;
  readonly model: WordModel;
  readonly decode: (tokens: readonly string[]) => string;
  readonly frame: Frame;
}

/**
 * The tokenizer of a Hugging Face model, from its tokenizer.json. Its truncation and padding blocks aren't
 * applied, as transformers doesn't apply them: how long a text may be is said where it is read.
 */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly special: SpecialIds;
  readonly #steps: TokenizerSteps;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #tokens: ReadonlyMap<number, string>;
  readonly #skippable: ReadonlySet<number>;
  readonly #raw: Finder;
  readonly #normalised: Finder;
  /** Special tokens as they are spelled. */
  readonly #special: Finder;
  readonly #json: object;
  readonly #config: object;

  private constructor(root: Field, config: Field) {
    accept(takes.HuggingFaceTokenizer, arguments);
    this.#json = root.object();
    this.#config = config.object();
    const model = modelIn(root.get("model"));
    const normalize = normalizerIn(root.get("normalizer"));
    this.#steps = {
      ...{ model, normalize },
      cut: preTokenizerIn(root.get("pre_tokenizer")),
      decode: decoderIn(root.get("decoder")),
      frame: frameIn(root.get("post_processor")),
    };
    const added = allAdded(root, config, model.ids);
    this.#ids = new Map([...model.ids, ...added.map(({ content, id }) => [content, id] as const)]);
    this.#tokens = tokensOf(model.ids, added, normalize);
    this.vocabSize = 1 + [...this.#tokens.keys()].reduce((most, id) => Math.max(most, id), -1);
    this.special = rolesOf(this.#ids, readRoles(config));
    const skippable = added.filter(({ special }) => special).map(({ id }) => id);
    this.#skippable = new Set([...skippable, ...Object.values(this.special)]);
    this.#raw = new Finder(
      added.filter(({ normalized }) => !normalized),
      (content) => content,
    );
    this.#normalised = new Finder(
      added.filter(({ normalized }) => normalized),
      normalize,
    );
    this.#special = new Finder(
      added.filter(({ special }) => special),
      (content) => content,
    );
  }

  /** From what a tokenizer.json and its tokenizer_config.json hold; a FileError says what is wrong. */
  static fromJSON(
    json: unknown,
    options: { config?: object; file?: string } = {},
  ): HuggingFaceTokenizer {
    accept(takes.fromJSON, arguments);
    const { config = {}, file = "tokenizer.json" } = options;
    return new HuggingFaceTokenizer(new Field(file, "", json), new Field(configName, "", config));
  }

  encode(text: string, options: HuggingFaceEncodeOptions = {}): Int32Array {
    accept(takes.encode, arguments);
    const ids: number[] = [];
    const [before, after] = options.template ? this.#steps.frame : [[], []];
    if (options.bos) ids.push(idWithRole("bos", this.special));
    ids.push(...before);
    this.#encodeInto(ids, text, options);
    ids.push(...after);
    if (options.eos) ids.push(idWithRole("eos", this.special));
    return Int32Array.from(ids);
  }

  #encodeInto(ids: number[], given: string, { parseSpecial = true }: EncodeOptions): void {
    const { normalize, cut, model } = this.#steps;
    const whole = given.replace(/\p{Cs}/gu, "\ufffd"); // half of a surrogate pair is no text
    const { text, mark } =
      typeof parseSpecial === "function"
        ? this.#marked(whole, parseSpecial)
        : { text: whole, mark: "" };
    const takes = (token: FoundToken): boolean => parseSpecial !== false || !token.special;
    for (const part of this.#raw.split(text, takes)) {
      const inner = "id" in part ? [part] : this.#normalised.split(normalize(part.text), takes);
      for (const each of inner) {
        if ("id" in each) ids.push(each.id);
        else {
          const isFirst = each.begin === 0 && "begin" in part && part.begin === 0;
          const plain = mark === "" ? each.text : each.text.replaceAll(mark, "");
          for (const word of plain === "" ? [] : cut({ text: plain, isFirst }))
            for (const id of model.encode(word.text)) ids.push(id);
        }
      }
    }
  }

  /** The text with a mark, which no text has, inside of each special token that is to stay text. */
  #marked(text: string, isToken: (begin: number) => boolean): { text: string; mark: string } {
    const mark = nonCharacters.find((each) => !text.includes(each)) ?? "";
    let marked = "";
    let done = 0;
    this.#special.split(text, ({ special }, begin) => {
      if (!special || isToken(begin)) return false; // what is looked for is only where they stand
      marked += text.slice(done, begin + 1) + mark;
      done = begin + 1;
      return false;
    });
    return { text: marked + text.slice(done), mark };
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    accept(takes.decode, arguments);
    const skips = (id: number): boolean => this.#skippable.has(id) || !this.#tokens.has(id);
    const shown = Array.from(ids).filter((id) => options.skipSpecial !== true || !skips(id));
    return this.#steps.decode(shown.map((id) => this.tokenOf(id)));
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  tokenOf(id: number): string {
    const token = this.#tokens.get(id);
    if (token !== undefined) return token;
    throw new IndexError(
      `tokenizer: no token has the id ${id}; the largest is ${this.vocabSize - 1}`,
    );
  }

  files(): TokenizerFile[] {
    return filesOf(this.#json, this.#config);
  }
}

/** Code points that Unicode will never give to a character. */
const nonCharacters = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0xfdd0 + i));

/** Each id's token. What is looked for in the normalised text is spelled as it stands there. */
function tokensOf(
  ids: ReadonlyMap<string, number>,
  added: readonly FoundToken[],
  normalize: Normalizer,
): Map<number, string> {
  const tokens = new Map<number, string>();
  for (const [token, id] of ids) tokens.set(id, token);
  for (const { content, id, normalized } of added)
    tokens.set(id, normalized ? normalize(content) : content);
  return tokens;
}
