// Tokenizers of others: small tokenizer.json files, one for each kind of step that such a file can ask for, with
// the ids and texts that the original library gives (golden/nn/tokenizerKinds.json says its version, and
// ../interop/makeKinds.py made it). Each is read by the reader of all kinds, and by the one that loading chooses.
// Next: ../nn/tokenizers/parts/ for the steps.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { FileError } from "../nn/checkpoints/index.ts";
import { HuggingFaceTokenizer, type Tokenizer, tokenizerFromFiles } from "../nn/index.ts";

interface KindCase {
  readonly text: string;
  readonly ids: readonly number[];
  readonly decoded: string;
  /** With special tokens as text, with the file's template around, and decoded without special tokens. */
  readonly plain?: readonly number[];
  readonly whole?: readonly number[];
  readonly shown?: string;
}

const { library, kinds } = JSON.parse(
  readFileSync(new URL("golden/nn/tokenizerKinds.json", import.meta.url), "utf8"),
) as { library: string; kinds: { kind: string; file: object; cases: KindCase[] }[] };

const chosen = (file: object): Tokenizer =>
  tokenizerFromFiles(new Map([["tokenizer.json", new TextEncoder().encode(JSON.stringify(file))]]));

describe(`a tokenizer.json is read as by ${library}`, () => {
  for (const { kind, file, cases } of kinds) {
    test(kind, () => {
      const general = HuggingFaceTokenizer.fromJSON(file);
      for (const tokenizer of [general, chosen(file)]) {
        for (const { text, ids, decoded, plain = ids, shown = decoded } of cases) {
          const says = JSON.stringify(text);
          assert.deepEqual([...tokenizer.encode(text)], ids, says);
          assert.deepEqual([...tokenizer.encode(text, { parseSpecial: false })], plain, says);
          assert.equal(tokenizer.decode(ids), decoded, says);
          assert.equal(tokenizer.decode(ids, { skipSpecial: true }), shown, says);
        }
      }
      for (const { text, ids, whole = ids } of cases)
        assert.deepEqual([...general.encode(text, { template: true })], whole);
    });
  }
});

describe("what can't be read is refused by its name", () => {
  const model = { type: "WordLevel", vocab: { a: 0 }, unk_token: "a" };
  const pattern = (Regex: string) => ({
    pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated" },
  });
  const cases: [what: string, steps: object, says: RegExp][] = [
    [
      "a pre-tokenizer",
      { pre_tokenizer: { type: "UnicodeScripts" } },
      /pre_tokenizer\.type: "UnicodeScripts" isn't known; known are Sequence, Whitespace/,
    ],
    ["a normalizer", { normalizer: { type: "Magic" } }, /normalizer\.type: "Magic" isn't known/],
    ["a decoder", { decoder: { type: "Magic" } }, /decoder\.type: "Magic" isn't known/],
    [
      "a behavior",
      { pre_tokenizer: { type: "Punctuation", behavior: "Lost" } },
      /behavior: needs one of Removed, Isolated/,
    ],
    [
      "merges at random",
      { model: { type: "BPE", vocab: { a: 0 }, merges: [], dropout: 0.1 } },
      /dropout: merges at random; only null or 0/,
    ],
    [
      "a repetition of a repetition",
      pattern("(a+)+b"),
      /Regex: a repetition of what repeats or has a choice, which can take for ever/,
    ],
    ["a repetition of a choice", pattern("(?:a|ab|b)*c"), /can take for ever/],
    [
      "repetitions side by side",
      pattern("\\s*\\s*\\s*\\s*\\s*b"),
      /so many repetitions, which can take/,
    ],
    [
      "many that are optional",
      pattern("(?:a?){50}b"),
      /so many repetitions, which can take for ever/,
    ],
    ["optional ones, nested", pattern("(?:(?:a?){9}){9}b"), /so many repetitions/],
    ["a large repetition of a repetition", pattern("(a*){200}"), /can take for ever/],
    [
      "a group without an end",
      pattern("(a"),
      /a group that doesn't end can't be read, at character 3/,
    ],
    ["a property of nobody", pattern("\\p{Elvish}"), /\\p\{Elvish\} can't be read/],
    ["a conditional", pattern("(?(1)a|b)"), /a group of this kind can't be read/],
    [
      "a table of replacements",
      { normalizer: { type: "Precompiled", precompiled_charsmap: "AAAA" } },
      /precompiled_charsmap: is no table/,
    ],
  ];
  for (const [what, steps, says] of cases) {
    test(what, () => {
      const json = { version: "1.0", added_tokens: [], model, ...steps };
      assert.throws(
        () => chosen(json),
        (error: unknown) => error instanceof FileError && says.test(error.message),
      );
    });
  }
});

test("a text of 300,000 letters takes time by its length, not by its square", () => {
  const vocab = Object.fromEntries(["a", "b", "ab", "aa", "▁"].map((token, id) => [token, id]));
  const json = { model: { type: "BPE", vocab, merges: ["a b", "a a"], unk_token: null } };
  const long = "ab a".repeat(75_000);
  const begin = performance.now();
  assert.equal(HuggingFaceTokenizer.fromJSON(json).encode(long).length, 149_999 + 1);
  assert.ok(performance.now() - begin < 20_000);
});

test("special tokens count where the caller says, and are text elsewhere, whatever normalises them", () => {
  const vocab = Object.fromEntries([..."<s>ab"].map((token, id) => [token, id]));
  for (const normalized of [false, true]) {
    const json = {
      normalizer: { type: "Lowercase" },
      added_tokens: [{ id: 5, content: "<s>", special: true, normalized }],
      model: { type: "BPE", vocab, merges: [] },
    };
    const tokenizer = HuggingFaceTokenizer.fromJSON(json);
    const ids = tokenizer.encode("<s>a<s>b", { parseSpecial: (begin) => begin === 0 });
    assert.deepEqual([...ids], [5, 3, 0, 1, 2, 4]);
  }
});
