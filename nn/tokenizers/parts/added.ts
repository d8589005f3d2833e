// Added tokens as tokenizer.json lists them, and what tokenizer_config.json adds to them. Next: finder.ts.

import { Field } from "../../checkpoints/json.ts";
import { addedFields, checkAddedIds, readId, readRoles } from "../jsonFile.ts";
import { booleanOr, isNone } from "./fields.ts";
import type { FoundToken } from "./finder.ts";

/** The added tokens of a tokenizer.json. */
function addedIn(root: Field, ids: ReadonlyMap<string, number>): FoundToken[] {
  checkAddedIds(root, ids);
  return addedFields(root)
    .filter((field) => field.get("content").string() !== "")
    .map((field) => addedTokenIn(field, readId(field.get("id"))));
}

/** An added token as a tokenizer.json or a tokenizer_config.json describes it. */
function addedTokenIn(field: Field, id: number): FoundToken {
  const special = booleanOr(field.get("special"), false);
  return {
    content: field.get("content").string(),
    id,
    special,
    singleWord: booleanOr(field.get("single_word"), false),
    lstrip: booleanOr(field.get("lstrip"), false),
    rstrip: booleanOr(field.get("rstrip"), false),
    normalized: booleanOr(field.get("normalized"), !special),
  };
}

/**
 * The added tokens of both files: those of tokenizer.json, then what tokenizer_config.json adds to them, as
 * transformers takes them: its added_tokens_decoder, and tokens of the vocabulary that have a role.
 */
export function allAdded(
  root: Field,
  config: Field,
  vocabulary: ReadonlyMap<string, number>,
): FoundToken[] {
  const added = new Map(addedIn(root, vocabulary).map((token) => [token.content, token]));
  const decoder = config.get("added_tokens_decoder");
  for (const [id, field] of isNone(decoder) ? [] : decoder.entries()) {
    const token = addedTokenIn(field, readId(new Field(field.file, field.path, Number(id))));
    if (token.content !== "" && !added.has(token.content)) added.set(token.content, token);
  }
  for (const content of Object.values(readRoles(config))) {
    const token = added.get(content);
    const id = token?.id ?? vocabulary.get(content);
    if (id === undefined) continue;
    const plain = { singleWord: false, lstrip: false, rstrip: false, normalized: false };
    added.set(content, { ...plain, ...token, content, id, special: true });
  }
  return [...added.values()];
}
