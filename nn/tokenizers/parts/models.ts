// What makes tokens of a word: BPE joins neighbours in the order in which that was learnt (mergeModel.ts),
// WordPiece takes the longest piece from the left, WordLevel the whole word, Unigram the pieces that are
// likeliest together. Each model of a tokenizer.json is a function from a word to ids, with the ids of its
// vocabulary. Next: mergeModel.ts, decoders.ts for the way back.

import { ArgumentError } from "../../../core/index.ts";
import type { Field } from "../../checkpoints/json.ts";
import { readId } from "../jsonFile.ts";
import { remembering } from "../wordCache.ts";
import { booleanOr, isNone, type Makers, partIn, stringOr } from "./fields.ts";
import { byteTokens, mergeModel } from "./mergeModel.ts";

/** A vocabulary, and how a word becomes ids of it. */
export interface WordModel {
  readonly ids: ReadonlyMap<string, number>;
  encode(word: string): readonly number[];
}

const makers: Makers<WordModel> = {
  BPE: (field) => mergeModel(field, vocabularyIn(field)),
  WordPiece: wordPiece,
  WordLevel: wordLevel,
  Unigram: unigram,
};

/** The model of a tokenizer.json. Older files don't say which; what they hold tells. */
export function modelIn(field: Field): WordModel {
  const model = isNone(field.get("type")) ? typed(field) : field;
  return partIn(model, makers) ?? field.fail("missing");
}

function typed(field: Field): Field {
  const has = (name: string): boolean => !isNone(field.get(name));
  const wordKind = has("continuing_subword_prefix") ? "WordPiece" : "WordLevel";
  const type = has("merges") ? "BPE" : has("unk_id") ? "Unigram" : wordKind;
  return new (field.constructor as typeof Field)(field.file, field.path, {
    ...field.object(),
    type,
  });
}

function vocabularyIn(model: Field): Map<string, number> {
  const ids = new Map<string, number>();
  const tokens = new Map<number, string>();
  for (const [token, field] of model.get("vocab").entries()) {
    const id = readId(field);
    const other = tokens.get(id);
    if (other !== undefined) field.fail(`${id} is the id of "${other}" too`);
    ids.set(token, id);
    tokens.set(id, token);
  }
  return ids;
}

/** The id of the model's token for the unknown; asked for when one is met. */
function unknownIn(model: Field, ids: ReadonlyMap<string, number>): (word: string) => number {
  const token = stringOr(
    model.get("unk_token"),
    model.get("type").value === "WordLevel" ? "<unk>" : "[UNK]",
  );
  return (word) => ids.get(token) ?? noToken(word);
}

/** Throws because a word has no token and no token stands for the unknown. */
function noToken(word: string): never {
  throw new ArgumentError(
    `tokenizer: ${JSON.stringify(word)} isn't in the vocabulary, which has no token for the unknown`,
  );
}

function wordLevel(model: Field): WordModel {
  const ids = vocabularyIn(model);
  const unknown = unknownIn(model, ids);
  return { ids, encode: (word) => [ids.get(word) ?? unknown(word)] };
}

function wordPiece(model: Field): WordModel {
  const ids = vocabularyIn(model);
  const unknown = unknownIn(model, ids);
  const prefix = stringOr(model.get("continuing_subword_prefix"), "##");
  const most = model.get("max_input_chars_per_word");
  const longest = isNone(most) ? 100 : most.wholeNumber();
  const encode = (word: string): number[] => {
    const characters = Array.from(word);
    if (characters.length > longest) return [unknown(word)];
    const found: number[] = [];
    for (let at = 0; at < characters.length; ) {
      let end = characters.length;
      const piece = (): string => (at === 0 ? "" : prefix) + characters.slice(at, end).join("");
      while (end > at && !ids.has(piece())) end--;
      if (end === at) return [unknown(word)];
      found.push(ids.get(piece()) ?? 0);
      at = end;
    }
    return found;
  };
  return { ids, encode: remembering(encode) };
}

/** A place in a text, and the likeliest way there. */
interface Way {
  score: number;
  /** Where its last token begins; -1 as long as there is no way. */
  from: number;
  id: number;
}

const unknownPenalty = 10;

/** Unigram (Kudo 2018, arXiv 1804.10959): the cut of the text whose tokens' log-probabilities sum highest. */
function unigram(model: Field): WordModel {
  const listed = model
    .get("vocab")
    .items()
    .map((item) => {
      const [token, score] = item.items();
      if (token === undefined || typeof score?.value !== "number")
        return item.fail("needs [token, score]");
      return [token.string(), score.value] as const;
    });
  const ids = new Map(listed.map(([token], id) => [token, id]));
  const scores = Float64Array.from(listed, ([, score]) => score);
  const unk = isNone(model.get("unk_id"))
    ? null
    : model.get("unk_id").wholeNumber(scores.length - 1);
  const bytes = booleanOr(model.get("byte_fallback"), false) ? byteTokens(ids) : null;
  const unknownScore = scores.reduce((a, b) => Math.min(a, b), 0) - unknownPenalty;
  const trie = trieOf(ids);

  const ways = (word: string): Way[] => {
    const found = Array.from(
      { length: word.length + 1 },
      (): Way => ({ score: 0, from: -1, id: 0 }),
    );
    const offer = (from: number, end: number, id: number, score: number): void => {
      const way = found[end] as Way;
      const total = (found[from] as Way).score + score;
      if (way.from < 0 || total > way.score) Object.assign(way, { score: total, from, id });
    };
    for (let at = 0; at < word.length; ) {
      const next = at + String.fromCodePoint(word.codePointAt(at) ?? 0).length;
      let hasOne = false;
      for (let node = trie.get(word.charAt(at)), end = at + 1; node !== undefined; end++) {
        if (node.id >= 0) offer(at, end, node.id, scores[node.id] ?? 0);
        if (node.id >= 0 && end === next) hasOne = true;
        node = end < word.length ? node.next.get(word.charAt(end)) : undefined;
      }
      if (!hasOne) offer(at, next, unk ?? noToken(word.slice(at, next)), unknownScore);
      at = next;
    }
    return found;
  };

  const idsOf = (text: string, unknown: number): readonly number[] => {
    const id = ids.get(text);
    return id === undefined ? (bytes?.(text) ?? [unknown]) : [id];
  };
  const encode = (word: string): number[] => {
    const found = ways(word);
    const cuts: string[] = []; // from the end; neighbours that are unknown are one
    let wasUnknown = false;
    for (let end = word.length; end > 0; end = (found[end] as Way).from) {
      const { from, id } = found[end] as Way;
      const text = word.slice(from, end);
      cuts.push(wasUnknown && id === unk ? text + cuts.pop() : text);
      wasUnknown = id === unk;
    }
    return cuts.reverse().flatMap((text) => idsOf(text, unk ?? 0));
  };
  return { ids, encode: remembering(encode) };
}

/** The tokens that begin with the characters on the way here: a node of a trie. */
interface TokenNode {
  /** The token that ends here; -1 for none. */
  id: number;
  readonly next: Map<string, TokenNode>;
}

function trieOf(ids: ReadonlyMap<string, number>): ReadonlyMap<string, TokenNode> {
  const root: TokenNode = { id: -1, next: new Map() };
  for (const [token, id] of ids) {
    let node = root;
    for (const unit of token.split("")) {
      const next = node.next.get(unit) ?? { id: -1, next: new Map() };
      node.next.set(unit, next);
      node = next;
    }
    node.id = id;
  }
  return root.next;
}
