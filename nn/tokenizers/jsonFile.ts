// What every tokenizer.json has, whatever its model, and the tokenizer_config.json beside it, which says
// who is bos, eos, pad and unk. Next: bpeFile.ts for the model that is our own.

import type { Field } from "../checkpoints/json.ts";
import { toBytes } from "./bytes.ts";
import {
  type AddedToken,
  type Role,
  roles,
  type SpecialTokens,
  type TokenizerFile,
} from "./tokenizer.ts";

/** Far above any vocabulary, and low enough that a pair of ids is a whole number. */
export const mostTokens = 2 ** 24;

export const jsonName = "tokenizer.json";
export const configName = "tokenizer_config.json";

/** A token's id; a FileError about anything else. */
export function readId(field: Field): number {
  return field.wholeNumber(mostTokens - 1);
}

/** The entries of `added_tokens`. */
export function addedFields(root: Field): Field[] {
  const added = root.get("added_tokens");
  return added.value === undefined || added.value === null ? [] : added.items();
}

/**
 * Throws unless the ids of added tokens are those of the vocabulary or follow it: the original library numbers
 * them so, whatever the file says, so that a file which says something else means other tokens there.
 */
export function checkAddedIds(root: Field, ids: ReadonlyMap<string, number>): void {
  const tokens = new Map(Array.from(ids, ([token, id]) => [id, token]));
  let next = ids.size;
  for (const field of addedFields(root)) {
    const content = field.get("content").string();
    const id = readId(field.get("id"));
    const [otherId, otherToken] = [ids.get(content) ?? id, tokens.get(id) ?? content];
    if (otherId !== id) field.get("id").fail(`"${content}" has the id ${otherId} too`);
    if (otherToken !== content) field.get("id").fail(`${id} is the id of "${otherToken}" too`);
    if (content === "") continue;
    if (!ids.has(content) && id !== next) {
      field.get("id").fail(`is ${id}; the original library makes it ${next}`);
    }
    next = Math.max(next, id + 1);
  }
}

/** Whether an added token is found wherever it is spelled, and takes nothing along. */
export function standsPlainly(token: Field): boolean {
  return ["lstrip", "rstrip", "single_word"].every((flag) => token.get(flag).value !== true);
}

/** The tokens of a tokenizer.json by id; a Unigram vocabulary is a list in the order of ids. */
export function tokensById(root: Field): Map<number, string> {
  const { value } = root.get("model").get("vocab");
  const listed = Array.isArray(value);
  const entries = listed ? value.map((item, id) => [item?.[0], id]) : Object.entries(value ?? {});
  const added = addedFields(root).map((field) => [
    field.get("content").value,
    field.get("id").value,
  ]);
  return new Map([...entries, ...added].map(([token, id]) => [id, token]));
}

/** The roles that a tokenizer_config.json gives: `"bos_token": "<s>"`, or an object with `content`. */
export function readRoles(config: Field): SpecialTokens {
  const found: { [role in Role]?: string } = {};
  for (const role of roles) {
    const field = config.get(`${role}_token`);
    if (field.value === undefined || field.value === null) continue;
    found[role] = typeof field.value === "string" ? field.value : field.get("content").string();
  }
  return found;
}

/** The tokenizer_config.json that gives these roles. */
export function configOf(special: SpecialTokens): object {
  const named = Object.entries(special).map(([role, token]) => [`${role}_token`, token]);
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    ...Object.fromEntries(named),
  };
}

/** The two files with that content. */
export function filesOf(json: object, config: object): TokenizerFile[] {
  return Object.entries({ [jsonName]: json, [configName]: config }).map(([name, content]) => {
    return { name, bytes: toBytes(`${JSON.stringify(content, null, 2)}\n`) };
  });
}

/** The fields of every tokenizer.json, with those added tokens. */
export function frameOf(added: readonly AddedToken[]) {
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added.map(({ id, content, special }) => ({ id, content, ...plain, special })),
    normalizer: null,
  };
}
