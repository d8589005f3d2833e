// Tokenizers: what is decoded is what was encoded, whatever the text; our byte-level BPE gives the ids that
// Hugging Face's library gives on the same file; llama2.c's gives run.c's; and a file that is damaged is
// refused by name and field.
// Next: nn.checkpoints.test.ts.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { ArgumentError, type Draw, IndexError, random } from "../core/index.ts";
import { FileError } from "../nn/checkpoints/index.ts";
import { loadTokenizer, saveTokenizer } from "../nn/node.ts";
import {
  BPETokenizer,
  ByteTokenizer,
  HuggingFaceTokenizer,
  Llama2cTokenizer,
  type Tokenizer,
  trainBPE,
  WordTokenizer,
} from "../nn/tokenizers/index.ts";
import { type Merge, MergeTable } from "../nn/tokenizers/merges.ts";
import { holds } from "../testing/property.ts";
import { temporaryFolder } from "./folders.ts";

const folder = temporaryFolder("tokenizers");

const root = fileURLToPath(new URL("..", import.meta.url));
const data = process.env.TWOHEADS_DATA ?? join(root, "../shared/data");
const needs = (path: string) =>
  existsSync(join(data, path)) ? {} : { skip: `needs ${join(data, path)} (TWOHEADS_DATA)` };

const lily =
  "Lily's mom said, \"Don't go!\" They've 12 cats, 345 dogs.  Lily and Tom went to the park;\n\n" +
  "the park was big. Then they'll see the café, naïve Ω≈ç√, 日本語 and 😀😀. Once upon a time, the end.\n";
const special = { bos: "<s>", eos: "</s>", pad: "<pad>" };
const bpe = trainBPE([lily.repeat(3)], { vocabSize: 360, special, added: ["<|user|>"] });

const telling = [
  ...[
    "a",
    "e",
    "L",
    "the",
    "Lily",
    " ",
    "  ",
    "\n",
    "\t",
    "1",
    "42",
    "'s",
    "'ll",
    "'",
    "!",
    ".",
    "-",
  ],
  ...[
    "é",
    "e\u0301",
    "ß",
    "Ω",
    "日",
    "語",
    "😀",
    "👩‍👩‍👧",
    "\u200b",
    "\ufeff",
    "\u0085",
    "\u00a0",
    "\0",
  ],
  ...["\ud83d", "\ude00", "Ġ", "Ċ", "<s>", "</s>", "<|user|>", "<", "s>", "\u{10ffff}"],
];

/** Text with everything in it that has ever been cut wrongly, half surrogates included. */
function text(d: Draw): string {
  const parts = Array.from({ length: d.integer(0, 16) }, () =>
    d.integer(0, 4) === 0 ? String.fromCharCode(d.integer(0, 0xffff)) : d.pick(...telling),
  );
  return parts.join("");
}

/** What UTF-8 can hold of a string: half surrogates are U+FFFD. */
function wellFormed(string: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(string));
}

function fileOf(tokenizer: Tokenizer, name = "tokenizer.json") {
  const file = tokenizer.files().find((each) => each.name === name);
  return JSON.parse(new TextDecoder().decode(file?.bytes));
}

function refuses(run: () => unknown, ...parts: RegExp[]): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof FileError, `a FileError, not ${String(error)}`);
    for (const part of parts) assert.match(error.message, part);
    return true;
  });
}

describe("every tokenizer", () => {
  test("lone surrogates become U+FFFD, all other text comes back", () => {
    assert.equal(bpe.decode(bpe.encode("a\ud83db")), "a\ufffdb");
    assert.equal(bpe.decode(bpe.encode("\ufeffa")), "\ufeffa", "a byte order mark is text");
  });

  const tokenizers: [name: string, tokenizer: Tokenizer][] = [
    ["bytes", new ByteTokenizer({ special })],
    ["byte-level BPE", bpe],
    ["llama2.c", toyLlama()],
  ];
  for (const [name, tokenizer] of tokenizers) {
    test(`${name}: decode undoes encode`, () => {
      holds(
        `${name}: decode undoes encode`,
        (d) => ({ drawn: text(d), parseSpecial: d.pick(true, false) }),
        ({ drawn, parseSpecial }) => {
          const ids = tokenizer.encode(drawn, { bos: true, parseSpecial });
          const [first, ...rest] = ids;
          assert.equal(first, tokenizer.special.bos);
          assert.ok(rest.every((id) => id >= 0 && id < tokenizer.vocabSize));
          const bos = tokenizer.tokenOf(first ?? -1);
          assert.equal(tokenizer.decode(ids), bos + wellFormed(drawn));
        },
        { runs: 500 },
      );
    });
  }

  test("options: bos, eos, special tokens in the text and out of it", () => {
    const { bos, eos, pad } = bpe.special;
    assert.deepEqual([bos, eos, pad, bpe.idOf("<|user|>")], [0, 1, 2, 3]);
    const ids = bpe.encode("a</s>b", { bos: true, eos: true });
    assert.deepEqual([ids[0], ids[2], ids.at(-1)], [bos, eos, eos]);
    assert.equal(bpe.decode(ids), "<s>a</s>b</s>");
    assert.equal(bpe.decode(ids, { skipSpecial: true }), "ab");
    const plain = bpe.encode("a</s>b", { parseSpecial: false });
    assert.ok(!plain.includes(eos ?? -1));
    assert.equal(bpe.decode(plain, { skipSpecial: true }), "a</s>b");
    assert.deepEqual([...bpe.encode("")], []);
    assert.equal(bpe.decode([]), "");
  });

  test("the longest special token at a place is taken", () => {
    const tokenizer = new ByteTokenizer({ special: { bos: "<a>" }, added: ["<a><b>", "<b>"] });
    assert.deepEqual([...tokenizer.encode("<a><b><b><a>")], [257, 258, 256]);
  });

  test("what isn't there is an error with a remedy", () => {
    const plain = new ByteTokenizer();
    assert.throws(
      () => plain.encode("a", { bos: true }),
      /no token has the role bos; name one: special/,
    );
    assert.throws(() => bpe.decode([0, 9999]), IndexError);
    assert.equal(bpe.decode([97, 9999, 98], { skipSpecial: true }), bpe.decode([97, 98]));
    assert.throws(() => bpe.tokenOf(-1), /no token has the id -1; the largest is 359/);
    assert.throws(() => bpe.tokenOf(0.5), IndexError);
    assert.throws(() => new ByteTokenizer({ added: [""] }), /can't be empty/);
    assert.equal(bpe.idOf("nothing like it"), undefined);
  });
});

describe("byte-level BPE", () => {
  test("bytes are tokens 0 to 255", () => {
    const bytes = new ByteTokenizer({ special: { eos: "<end>" } });
    assert.deepEqual([...bytes.encode("aé", { eos: true })], [97, 0xc3, 0xa9, 256]);
    assert.equal(bytes.vocabSize, 257);
    assert.equal(bytes.decode([0xc3]), "\ufffd");
  });

  test("Hugging Face's library reads the saved file and gives the same ids", () => {
    for (const tokenizer of [bpe, new ByteTokenizer({ special })]) {
      const library = new Library(fileOf(tokenizer), fileOf(tokenizer, "tokenizer_config.json"));
      const again = BPETokenizer.fromJSON(fileOf(tokenizer), { special });
      holds(
        "Hugging Face's library reads the saved file and gives the same ids",
        // of spaces it has another idea than the original: findings/whitespace-ascii.sh
        (d) => ({ drawn: text(d).replace(/[\ufeff\u0085]/g, "") }),
        ({ drawn }) => {
          const ids = [...tokenizer.encode(drawn)];
          assert.deepEqual(library.encode(drawn).ids, ids);
          assert.deepEqual([...again.encode(drawn)], ids);
          if (ids.length > 0)
            assert.equal(
              library.decode(ids, { clean_up_tokenization_spaces: false }),
              tokenizer.decode(ids),
            );
        },
        { runs: 500 },
      );
    }
  });

  test("offsets cover the text, and each says what its token holds", () => {
    const { ids, offsets } = bpe.encodeWithOffsets("<s>Lily é😀", { bos: true, eos: true });
    assert.deepEqual(
      [offsets[0], offsets[1], offsets.at(-1)],
      [
        [0, 0],
        [0, 3],
        [11, 11],
      ],
    );
    assert.deepEqual(offsets.at(-2), [9, 11], "a part of a character holds all of it");
    assert.equal(ids.length, offsets.length);
    holds(
      "offsets cover the text",
      (d) => ({ drawn: text(d) }),
      ({ drawn }) => {
        const found = bpe.encodeWithOffsets(drawn);
        let end = 0;
        for (const [i, [from, to]] of found.offsets.entries()) {
          assert.ok(from <= end && to >= end && to > from);
          end = to;
          const token = bpe.decode([found.ids[i] ?? -1]);
          if (!token.includes("\ufffd")) assert.equal(drawn.slice(from, to), token);
        }
        assert.equal(end, drawn.length);
      },
      { runs: 300 },
    );
  });

  test("a file as GPT-2's: merges as text or as pairs, an added token beside the vocabulary", () => {
    const json = fileOf(new ByteTokenizer());
    const vocab = { ...json.model.vocab, he: 256, Ġt: 257, Ġthe: 258 };
    const added = { id: 259, content: "<|endoftext|>", special: true, single_word: false };
    const pairs = [
      ["h", "e"],
      ["Ġ", "t"],
      ["Ġt", "he"],
    ];
    for (const merges of [pairs, pairs.map((pair) => pair.join(" "))]) {
      const gpt2 = { ...json, added_tokens: [added], model: { ...json.model, vocab, merges } };
      const tokenizer = BPETokenizer.fromJSON(gpt2, { special: { eos: "<|endoftext|>" } });
      const ids = [...tokenizer.encode("he the<|endoftext|>", { eos: true })];
      assert.deepEqual(ids, [256, 258, 259, 259]);
      assert.deepEqual(new Library(gpt2, {}).encode("he the<|endoftext|>").ids, ids.slice(0, -1));
    }
  });

  test("merging through the heap is merging the lowest rank again and again", () => {
    holds(
      "merging through the heap is merging the lowest rank again and again",
      (d) => {
        const merges: Merge[] = [];
        const seen = new Set<number>();
        for (let into = 3; into < 9; into++) {
          const [left, right] = [d.integer(0, into - 1), d.integer(0, into - 1)];
          if (seen.has(left * 9 + right)) continue;
          seen.add(left * 9 + right);
          merges.push({ left, right, into, rank: d.integer(0, 4) });
        }
        return { merges, tokens: Array.from({ length: d.integer(0, 20) }, () => d.integer(0, 2)) };
      },
      ({ merges, tokens }) => {
        assert.deepEqual(
          new MergeTable(9, merges).apply(tokens),
          mergedByDefinition(tokens, merges),
        );
      },
      { runs: 1000 },
    );
  });

  test("a page without a space is no trap", () => {
    const began = performance.now();
    assert.equal(bpe.decode(bpe.encode("the".repeat(100_000))).length, 300_000);
    assert.ok(performance.now() - began < 5000);
  });
});

/** While any two neighbours may merge: the lowest rank, the leftmost. */
function mergedByDefinition(tokens: readonly number[], merges: readonly Merge[]): number[] {
  const ids = [...tokens];
  for (;;) {
    const found = ids
      .map((left, at) => ({
        at,
        merge: merges.find((m) => m.left === left && m.right === ids[at + 1]),
      }))
      .filter((each) => each.merge !== undefined)
      .sort((a, b) => (a.merge?.rank ?? 0) - (b.merge?.rank ?? 0) || a.at - b.at)[0];
    if (found?.merge === undefined) return ids;
    ids.splice(found.at, 2, found.merge.into);
  }
}

describe("training", () => {
  test("learns what counting everything anew before each merge learns", () => {
    holds(
      "learns what counting everything anew before each merge learns",
      (d) => ({
        texts: Array.from({ length: d.integer(0, 3) }, () =>
          Array.from({ length: d.integer(0, 30) }, () => d.pick("a", "b", "ab", " ", "c")).join(""),
        ),
        size: 256 + d.integer(0, 12),
        minFrequency: d.integer(1, 3),
      }),
      ({ texts, size, minFrequency }) => {
        const learnt = fileOf(trainBPE(texts, { vocabSize: size, minFrequency }));
        assert.deepEqual(learnt.model.merges, learntByDefinition(texts, size, minFrequency));
      },
      { runs: 300 },
    );
  });

  test("the same text gives the same tokens", () => {
    const again = trainBPE([lily.repeat(3)], { vocabSize: 360, special, added: ["<|user|>"] });
    assert.deepEqual(fileOf(again), fileOf(bpe));
  });

  test("special tokens are never learnt from, nor over", () => {
    const texts = ["go<end>go<end>go<end>"];
    const trained = trainBPE(texts, { vocabSize: 400, special: { eos: "<end>" } });
    assert.deepEqual(fileOf(trained).model.merges, ["g o"]);
    assert.equal(trained.vocabSize, 258, "fewer tokens than asked, as the text has no more pairs");
    assert.deepEqual([...trained.encode("go<end>")], [257, 0]);
  });

  test("says how far it is", () => {
    const seen: number[] = [];
    trainBPE([lily], { vocabSize: 270, onProgress: (tokens, of) => seen.push(tokens / of) });
    assert.equal(seen.length, 14);
    assert.equal(seen.at(-1), 1);
  });

  test("refuses what can't be", () => {
    const train = (options: Parameters<typeof trainBPE>[1]) => () => trainBPE([lily], options);
    assert.throws(train({ vocabSize: 256, special }), /vocabSize 256 must be .* from 259/);
    assert.throws(train({ vocabSize: 300.5 }), ArgumentError);
    assert.throws(train({ vocabSize: 300, added: ["Ġ"] }), /"Ġ" is spelled like a token of bytes/);
    assert.throws(
      train({ vocabSize: 300, added: ["Ġt"] }),
      /"Ġt" is spelled like a token of bytes/,
    );
    assert.throws(
      () => new ByteTokenizer({ added: ["A"] }),
      /"A" is spelled like a token of bytes/,
    );
  });

  const stories = "tinystories/part-a.txt.gz";
  test("4,000 tokens from 10 MB of stories", needs(stories), () => {
    const part = gunzipSync(readFileSync(join(data, stories))).toString("utf8");
    const began = performance.now();
    const texts = [part, part.toUpperCase(), part.split(" ").reverse().join(" "), part];
    const trained = trainBPE(texts, { vocabSize: 4000, special: { eos: "<|endoftext|>" } });
    const seconds = (performance.now() - began) / 1000;
    assert.equal(trained.vocabSize, 4000);
    assert.ok(seconds < 30, `${seconds} s`);
    const ids = trained.encode(part);
    assert.equal(trained.decode(ids), part);
    assert.ok(part.length / ids.length > 3.5, `${part.length / ids.length} characters a token`);
  });
});

/** The textbook: count all pairs, merge the most frequent one everywhere, start again. */
function learntByDefinition(
  texts: readonly string[],
  size: number,
  minFrequency: number,
): string[] {
  let words = texts.flatMap((each) => each.match(/ ?\S+|\s+(?!\S)|\s+/g) ?? []);
  words = words.map((word) => [...word.replaceAll(" ", "Ġ")].join(" "));
  const names = Object.keys(fileOf(new ByteTokenizer()).model.vocab).sort();
  const merges: string[] = [];
  while (names.length < size) {
    const counts = new Map<string, number>();
    for (const word of words) {
      const tokens = word.split(" ");
      for (let i = 1; i < tokens.length; i++) {
        const pair = `${tokens[i - 1]} ${tokens[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const order = (pair: string) => pair.split(" ").map((token) => names.indexOf(token));
    const [best] = [...counts].sort(([a, m], [b, n]) => {
      const [[a1 = 0, a2 = 0], [b1 = 0, b2 = 0]] = [order(a), order(b)];
      return n - m || a1 - b1 || a2 - b2;
    });
    if (best === undefined || best[1] < minFrequency) break;
    merges.push(best[0]);
    const name = best[0].replace(" ", "");
    if (!names.includes(name)) names.push(name);
    words = words.map((word) => {
      const [out, tokens] = [[] as string[], word.split(" ")];
      for (let i = 0; i < tokens.length; i++) {
        if (`${tokens[i]} ${tokens[i + 1]}` !== best[0]) out.push(tokens[i] ?? "");
        else {
          out.push(name);
          i++;
        }
      }
      return out.join(" ");
    });
  }
  return merges;
}

describe("words", () => {
  const world = new WordTokenizer({
    words: ["red", "blue", "ball", "1"],
    special: { pad: "<pad>", bos: "<bos>", eos: "<eos>" },
  });

  test("are numbered after the special tokens, and come back with single spaces", () => {
    assert.deepEqual([...world.encode("  red\tball\n1 <eos>", { bos: true })], [1, 3, 5, 6, 2]);
    assert.equal(world.decode([1, 3, 5, 2], { skipSpecial: true }), "red ball");
    assert.equal(world.decode(world.encode("red  blue")), "red blue");
    assert.equal(world.vocabSize, 7);
  });

  test("an unknown word is an error, or unk if there is one", () => {
    assert.throws(() => world.encode("red cube"), /"cube" is none of the 4 words; add it, or/);
    assert.throws(
      () => world.encode("red <eos>", { parseSpecial: false }),
      /"<eos>" is none of the 4/,
    );
    const open = new WordTokenizer({ words: ["red"], special: { unk: "?" } });
    assert.deepEqual([...open.encode("red cube")], [1, 0]);
    assert.throws(() => new WordTokenizer({ words: ["a", "a"] }), /"a" is given twice/);
    assert.throws(() => new WordTokenizer({ words: ["a b"] }), /holds white space/);
  });

  test("are saved, and read by Hugging Face's library with the same ids", async () => {
    await saveTokenizer(join(folder, "words"), world);
    const loaded = loadTokenizer(join(folder, "words"));
    assert.ok(loaded instanceof WordTokenizer);
    assert.deepEqual(loaded.special, world.special);
    const library = new Library(fileOf(world), fileOf(world, "tokenizer_config.json"));
    for (const line of ["red blue <eos> ball", "1", "<bos> red<eos>blue"]) {
      assert.deepEqual(loaded.encode(line), world.encode(line));
      assert.deepEqual(library.encode(line).ids, [...world.encode(line)]);
    }
  });
});

/** Bytes of a llama2.c tokenizer: the 259 that each has, then pieces with falling scores. */
function llamaFile(pieces: readonly string[], scores = pieces.map((_, i) => -i)): Uint8Array {
  const hex = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
  const first = ["<unk>", "\n<s>\n", "\n</s>\n", ...Array.from({ length: 256 }, (_, i) => hex(i))];
  const chunks: Uint8Array[] = [new Uint8Array(Int32Array.of(8).buffer)];
  for (const [i, piece] of [...first, ...pieces].entries()) {
    const bytes = new TextEncoder().encode(piece);
    const score = scores[i - first.length] ?? 0;
    chunks.push(new Uint8Array(Float32Array.of(score).buffer));
    chunks.push(new Uint8Array(Int32Array.of(bytes.length).buffer), bytes);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function toyLlama(): Tokenizer {
  const pieces = [
    " t",
    "he",
    " the",
    "th",
    " ",
    "t",
    "h",
    "e",
    "é",
    "😀",
    "<",
    "s",
    "L",
    "a",
    "ly",
  ];
  return Llama2cTokenizer.fromBytes(llamaFile(pieces));
}

describe("llama2.c", () => {
  test("run.c's ids, with every text back", needs("stories260k/golden/tokenizer.json"), () => {
    const tokenizer = loadTokenizer(join(data, "stories260k/tok512.bin"));
    const golden = readFileSync(join(data, "stories260k/golden/tokenizer.json"), "utf8");
    const { cases } = JSON.parse(golden) as { cases: { text: string; ids: number[] }[] };
    assert.equal(cases.length, 23);
    for (const { text, ids } of cases) {
      assert.deepEqual([...tokenizer.encode(text, { bos: true })], ids);
      assert.equal(tokenizer.decode(ids, { skipSpecial: true }), text);
    }
    assert.equal(tokenizer.vocabSize, 512);
  });

  test("the space in front goes after bos and stays elsewhere", () => {
    const toy = toyLlama();
    assert.equal(toy.decode([1, 261, 261], { skipSpecial: true }), "the the");
    assert.equal(toy.decode([261, 261]), " the the");
    assert.deepEqual([...toy.encode("")], []);
    assert.deepEqual([...toy.encode("the")], [261]);
  });

  test("merges by score, the left one among equals, and over spaces where pieces reach over them", () => {
    const ids = (pieces: string[], scores: number[], text: string) => {
      const tokenizer = Llama2cTokenizer.fromBytes(llamaFile(pieces, scores));
      return Array.from(tokenizer.encode(text), (id) => tokenizer.tokenOf(id));
    };
    assert.deepEqual(ids(["a", "b", " ", "ab", "ba"], [0, 0, 0, 1, 1], "aba"), [" ", "ab", "a"]);
    assert.deepEqual(ids(["a", "b", " ", "ab", "ba"], [0, 0, 0, 1, 2], "aba"), [" ", "a", "ba"]);
    assert.deepEqual(ids(["a", " ", "  "], [0, 0, 1], " a"), ["  ", "a"]);
  });

  test("is saved as it was", async () => {
    await saveTokenizer(join(folder, "llama"), bpe);
    await saveTokenizer(join(folder, "llama"), toyLlama()); // in its place
    const loaded = loadTokenizer(join(folder, "llama"));
    assert.ok(loaded instanceof Llama2cTokenizer);
    assert.deepEqual(loaded.encode("the é"), toyLlama().encode("the é"));
  });

  test("damaged files are refused", () => {
    const good = llamaFile([" t"]);
    const read = (bytes: Uint8Array) => () => Llama2cTokenizer.fromBytes(bytes, "t.bin");
    const changed = (at: number, ...values: number[]) => {
      const bytes = good.slice();
      bytes.set(values, at);
      return bytes;
    };
    refuses(read(good.subarray(0, 3)), /t\.bin: longest piece: needs bytes 0 to 4, the file has 3/);
    refuses(read(good.subarray(0, -1)), /t\.bin: token 259: needs bytes/);
    refuses(read(new Uint8Array(Int32Array.of(5).buffer)), /t\.bin: has 0 tokens, needs 259 to/);
    refuses(read(changed(8, 255, 255, 255, 127)), /token 0: has 2147483647 bytes; 0 to 8 can be/);
    refuses(read(changed(8, 255, 255, 255, 255)), /token 0: has -1 bytes/);
    refuses(read(changed(4, 0, 0, 192, 127)), /token 0: has the score NaN/);
    refuses(read(changed(good.length - 1, 255)), /token 259: is not UTF-8/);
    refuses(read(llamaFile(["a", "a"])), /token 260: "a" is token 259 already/);
    refuses(read(changed(good.length - 13, 90)), /token 258: is "<0xZF>", must be "<0xFF>"/);
  });

  test("a file with some bytes changed gives a FileError, or a tokenizer that gives text back", () => {
    const good = llamaFile([" t", "he", " the"]);
    let read = 0;
    holds(
      "mutated tokenizer.bin",
      (d) =>
        Array.from({ length: d.integer(1, 3) }, () => {
          return [
            d.pick(d.integer(0, 60), d.integer(0, good.length - 1)),
            d.integer(0, 255),
          ] as const;
        }),
      (changes) => {
        const bytes = good.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          const tokenizer = Llama2cTokenizer.fromBytes(bytes, "t.bin");
          const ids = tokenizer.encode("to the é", { bos: true });
          assert.equal(tokenizer.decode(ids, { skipSpecial: true }), "to the é");
          read++;
        } catch (error) {
          if (!(error instanceof FileError)) throw error;
        }
      },
      { runs: 1000 },
    );
    assert.ok(read > 50, `some mutations leave a readable file, not ${read}`);
  });
});

describe("tokenizers of others", () => {
  const base = { version: "1.0", added_tokens: [], normalizer: null, post_processor: null };
  const wordPiece = {
    ...base,
    added_tokens: [{ id: 1, content: "[CLS]", special: true }],
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "Whitespace" },
    post_processor: {
      type: "TemplateProcessing",
      single: [
        { SpecialToken: { id: "[CLS]", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
      ],
      pair: [],
      special_tokens: { "[CLS]": { id: "[CLS]", ids: [1], tokens: ["[CLS]"] } },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: false },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: { "[UNK]": 0, "[CLS]": 1, red: 2, ball: 3, "##s": 4, "[PAD]": 5 },
    },
  };

  test("WordPiece with a template, through the same interface", async () => {
    const path = join(folder, "wordpiece");
    const config = {
      unk_token: "[UNK]",
      pad_token: { content: "[PAD]" },
      chat_template: "as it was",
    };
    const made = HuggingFaceTokenizer.fromJSON(wordPiece, { config });
    await saveTokenizer(path, made);
    const tokenizer = loadTokenizer(path);
    assert.ok(tokenizer instanceof HuggingFaceTokenizer);
    assert.deepEqual(fileOf(tokenizer, "tokenizer_config.json"), config);
    assert.deepEqual([...tokenizer.encode("Red balls go")], [2, 3, 4, 0]);
    assert.deepEqual([...tokenizer.encode("red", { template: true })], [1, 2]);
    assert.deepEqual(tokenizer.special, { unk: 0, pad: 5 });
    assert.equal(tokenizer.decode([1, 2, 3, 4], { skipSpecial: true }), "red balls");
    assert.equal(tokenizer.decode([]), "");
    assert.deepEqual(
      [tokenizer.vocabSize, tokenizer.idOf("##s"), tokenizer.tokenOf(3)],
      [6, 4, "ball"],
    );
    assert.throws(() => tokenizer.decode([99]), IndexError);
    assert.equal(tokenizer.decode([2, 99, 3], { skipSpecial: true }), "red ball");
    assert.throws(() => tokenizer.encode("a", { bos: true }), /no token has the role bos/);
    assert.deepEqual([...tokenizer.encode("red [CLS]")], [2, 1]);
    assert.deepEqual([...tokenizer.encode("red [CLS]", { parseSpecial: false })], [2, 0, 0, 0]);
  });

  test("Unigram", () => {
    const vocab = [
      ["<unk>", 0],
      ["a", -1],
      ["b", -2],
      ["ab", -0.5],
    ];
    const model = { type: "Unigram", unk_id: 0, vocab };
    const unigram = { ...base, pre_tokenizer: null, decoder: null, model };
    assert.deepEqual([...HuggingFaceTokenizer.fromJSON(unigram).encode("aba")], [3, 1]);
  });

  test("a word that has no token, where no token is unk, is an error", () => {
    const model = { type: "WordLevel", unk_token: "?", vocab: { red: 0 } };
    const json = { ...base, pre_tokenizer: { type: "Whitespace" }, decoder: null, model };
    const tokenizer = HuggingFaceTokenizer.fromJSON(json);
    assert.deepEqual([...tokenizer.encode("red")], [0]);
    assert.throws(
      () => tokenizer.encode("red cube"),
      /"cube" isn't in the vocabulary, which has no token/,
    );
  });

  test("a role for a token that isn't there is an error of the file that gives it", () => {
    writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(wordPiece));
    writeFileSync(join(folder, "tokenizer_config.json"), '{"bos_token":{"content":"<s>"}}');
    refuses(
      () => loadTokenizer(folder),
      /tokenizer_config\.json: .*bos is to be "<s>", which isn't/,
    );
    writeFileSync(join(folder, "tokenizer_config.json"), '{"bos_token":7}');
    refuses(
      () => loadTokenizer(folder),
      /tokenizer_config\.json: bos_token: needs an object, got 7/,
    );
    rmSync(join(folder, "tokenizer_config.json"));
    assert.deepEqual(loadTokenizer(folder).special, {});
  });
});

describe("damaged tokenizer.json", () => {
  const json = fileOf(bpe);
  const withModel = (model: object) => ({ ...json, model: { ...json.model, ...model } });
  const other = { type: "Whitespace" };
  const cases: [what: string, json: unknown, ...parts: RegExp[]][] = [
    [
      "no merges",
      withModel({ merges: undefined }),
      /t\.json: model\.merges: missing; needs an array/,
    ],
    [
      "no merges, with other words",
      { ...withModel({ merges: undefined }), pre_tokenizer: other },
      /model\.merges: missing/,
    ],
    [
      "merges of nothing",
      withModel({ merges: ["Q QQ"] }),
      /model\.merges\[0\]: "QQ" isn't in model\.vocab/,
    ],
    [
      "merges into nothing",
      withModel({ merges: ["Q Q"] }),
      /model\.merges\[0\]: "QQ" isn't in model\.vocab/,
    ],
    ["a merge of three", withModel({ merges: ["a b c"] }), /model\.merges\[0\]: needs two tokens/],
    ["a merge of one", withModel({ merges: [["a"]] }), /model\.merges\[0\]: needs two tokens/],
    [
      "a merge of numbers",
      withModel({ merges: [[1, 2]] }),
      /model\.merges\[0\]\[0\]: needs a string, got 1/,
    ],
    ["no vocabulary", withModel({ vocab: undefined }), /model\.vocab: missing; needs an object/],
    [
      "an id of two tokens",
      withModel({ vocab: { ...json.model.vocab, aa: 40 } }),
      /model\.vocab\.aa: 40 is the id of/,
    ],
    [
      "an id of 2^40",
      withModel({ vocab: { ...json.model.vocab, aa: 2 ** 40 } }),
      /model\.vocab\.aa: needs a whole number/,
    ],
    [
      "an id of 2^40, with other words",
      { ...withModel({ vocab: { aa: 2 ** 40 } }), pre_tokenizer: other },
      /model\.vocab\.aa: needs a whole number/,
    ],
    [
      "an added token with two ids",
      { ...json, added_tokens: [{ id: 999, content: "a" }] },
      /added_tokens\[0\]\.id: "a" has the id \d+ too/,
    ],
    [
      "an added token without content",
      { ...json, added_tokens: [{ id: 1 }] },
      /added_tokens\[0\]\.content: missing/,
    ],
    ["no model", { ...json, model: undefined }, /model: missing; needs an object/],
    [
      "an unknown model",
      { ...json, model: { type: "Magic", vocab: {} }, pre_tokenizer: { type: "Spell" } },
      /model\.type: "Magic" isn't known; known are BPE/,
    ],
    ["no object", [], /t\.json: needs an object, got \[\]/],
  ];
  const path = join(folder, "t.json");
  for (const [what, content, ...parts] of cases) {
    test(what, () => {
      writeFileSync(path, JSON.stringify(content));
      refuses(() => loadTokenizer(path), ...parts);
    });
  }

  test("no JSON, the same key twice, nothing there", () => {
    writeFileSync(path, '{"model": {"vocab": {"a": 1, "a": 2}}}');
    refuses(() => loadTokenizer(path), /t\.json: the key "a" stands twice/);
    writeFileSync(path, '{"model": ');
    refuses(() => loadTokenizer(path), /t\.json: is not JSON/);
    refuses(
      () => loadTokenizer(join(folder, "nowhere")),
      /holds neither tokenizer\.json nor tokenizer\.bin/,
    );
    mkdirSync(join(folder, "older"));
    writeFileSync(join(folder, "older", "vocab.json"), "{}");
    refuses(
      () => loadTokenizer(join(folder, "older")),
      /holds vocab\.json, an older form, and no tokenizer\.json, which transformers writes/,
    );
    refuses(() => loadTokenizer(join(folder, "no.json")), /no\.json: there is no such file/);
  });

  test("an id of two words", () => {
    const model = (vocab: object) => ({ type: "WordLevel", vocab, unk_token: "?" });
    const wordLevel = { ...json, pre_tokenizer: { type: "WhitespaceSplit" }, post_processor: null };
    writeFileSync(path, JSON.stringify({ ...wordLevel, model: model({ a: 0, b: 0 }) }));
    refuses(() => loadTokenizer(path), /model\.vocab\.b: 0 is the id of "a" too/);
  });

  test("a file with some characters changed gives a FileError, or a tokenizer that gives text back", () => {
    const small = trainBPE(["the the the then"], { vocabSize: 262 });
    const good = new TextEncoder().encode(JSON.stringify(fileOf(small)));
    const rng = random(7);
    let read = 0;
    for (let run = 0; run < 300; run++) {
      const bytes = good.slice();
      for (let n = rng.integer(1, 4); n > 0; n--) {
        bytes[rng.integer(0, bytes.length)] = rng.integer(32, 127);
      }
      writeFileSync(path, bytes);
      try {
        const tokenizer = loadTokenizer(path);
        if (!(tokenizer instanceof BPETokenizer)) continue;
        assert.equal(tokenizer.decode(tokenizer.encode("then é")), "then é");
        read++;
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        assert.match(error.message, /t\.json: /);
      }
    }
    assert.ok(read > 5, `some mutations leave a readable file, not ${read}`);
  });
});
