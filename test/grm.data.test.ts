// Preference data: every form that the field writes it in becomes the same tokens, labels stand on the
// judged answer and nowhere else, what doesn't fit is cut as the policy says, and every line that was
// dropped is accounted for. Damaged files are refused by file and line. Next: grm.score.test.ts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type Draw, random } from "../core/index.ts";
import {
  chatTemplate,
  cutToLength,
  encodeJudged,
  type Judged,
  jinjaOf,
  type Message,
  plain,
  type ReadPairsOptions,
  reasons,
  render,
  sequenceOf,
  transcript,
  truncations,
} from "../grm/data/index.ts";
import { linesOf, readPairs } from "../grm/node.ts";
import type { Pair, Sequence } from "../grm/pairs.ts";
import { ByteTokenizer, type Tokenizer, trainBPE } from "../nn/index.ts";
import { loadTokenizer } from "../nn/node.ts";
import { holds } from "../testing/property.ts";
import { temporaryFolder } from "./folders.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const data = process.env.TWOHEADS_DATA ?? join(root, "../shared/data");
const needs = (path: string): object =>
  existsSync(join(data, path)) ? {} : { skip: `needs ${join(data, path)} (TWOHEADS_DATA)` };

const folder = temporaryFolder("data");

const special = { bos: "<s>", eos: "</s>" };
const bytes = new ByteTokenizer({ special });
const bpe = trainBPE(["Human: the cat sat\n\nAssistant: on the mat the cat sat on the mat"], {
  vocabSize: 290,
  special,
});
const tokenizers: Readonly<Record<string, Tokenizer>> = {
  bytes,
  bpe,
  "bytes without special tokens": new ByteTokenizer(),
};

let files = 0;

/** Writes a file of that content into the folder. */
function file(content: string | Uint8Array, ending = ".jsonl"): string {
  const path = join(folder, `${files++}${ending}`);
  writeFileSync(path, content);
  return path;
}

const jsonl = (lines: readonly unknown[]): string =>
  lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");

function read(lines: readonly unknown[], options: Partial<ReadPairsOptions> = {}) {
  return readPairs([file(jsonl(lines))], { tokenizer: bytes, maxLength: 1000, ...options });
}

/** The prompt and the answer of a sequence of bytes, as the labels divide it. */
function textsOf({ ids, labels }: Sequence): { prompt: string; answer: string } {
  const border = labels.findIndex((label) => label >= 0);
  return { prompt: bytes.decode(ids.slice(0, border)), answer: bytes.decode(ids.slice(border)) };
}

const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });

describe("forms of preference data", () => {
  const conversation = [user("Hi."), assistant("Hello."), user("A joke?")];
  const spoken = "\n\nHuman: Hi.\n\nAssistant: Hello.\n\nHuman: A joke?\n\nAssistant:";
  const same: Readonly<Record<string, object>> = {
    transcripts: { chosen: `${spoken} Knock, knock.`, rejected: `${spoken} No.` },
    "a transcript as prompt": { prompt: spoken, chosen: " Knock, knock.", rejected: " No." },
    "messages and answers": { messages: conversation, chosen: "Knock, knock.", rejected: "No." },
    "a prompt of messages, answers of messages": {
      prompt: conversation,
      chosen: [assistant("Knock, knock.")],
      rejected: [assistant("No.")],
    },
    "whole conversations": {
      chosen: [...conversation, assistant("Knock, knock.")],
      rejected: [...conversation, assistant("No.")],
    },
    "a prompt that the conversations repeat": {
      prompt: "Hi.",
      chosen: [...conversation, assistant("Knock, knock.")],
      rejected: [...conversation, assistant("No.")],
    },
    "turns of both sides": {
      user_turns: ["Hi.", "A joke?"],
      chosen_turns: ["Hello.", "Knock, knock."],
      rejected_turns: ["Hello.", "No."],
    },
  };

  for (const [name, line] of Object.entries(same)) {
    test(name, async () => {
      const { pairs } = await read([line]);
      const prompt = "<s>Human: Hi.\n\nAssistant: Hello.\n\nHuman: A joke?\n\nAssistant:";
      assert.deepEqual(textsOf(pairs[0]?.chosen as Sequence), {
        prompt,
        answer: " Knock, knock.</s>",
      });
      assert.deepEqual(textsOf(pairs[0]?.rejected as Sequence), { prompt, answer: " No.</s>" });
    });
  }

  test("a prompt and answers of text", async () => {
    const { pairs } = await read([{ prompt: "2 + 2?", chosen: "4", rejected: "5" }]);
    const prompt = "<s>Human: 2 + 2?\n\nAssistant:";
    assert.deepEqual(textsOf(pairs[0]?.chosen as Sequence), { prompt, answer: " 4</s>" });
  });

  test("the plain template puts texts one after the other as they are", async () => {
    const line = { prompt: "Once upon a time", chosen: ", there was.", rejected: " no more." };
    const { pairs } = await read([line], { template: plain });
    const prompt = "<s>Once upon a time";
    assert.deepEqual(textsOf(pairs[0]?.chosen as Sequence), { prompt, answer: ", there was.</s>" });
    assert.deepEqual(textsOf(pairs[0]?.rejected as Sequence), { prompt, answer: " no more.</s>" });
  });

  test("a template of one's own", async () => {
    const template = chatTemplate({
      system: "{content}\n",
      user: "Q: {content}\n",
      assistant: "A: {content}\n",
    });
    const messages = [{ role: "system", content: "Be short." }, ...conversation];
    const { pairs } = await read([{ messages, chosen: "Yes.", rejected: "No." }], { template });
    assert.deepEqual(textsOf(pairs[0]?.chosen as Sequence), {
      prompt: "<s>Be short.\nQ: Hi.\nA: Hello.\nQ: A joke?\nA:",
      answer: " Yes.</s>",
    });
    assert.throws(
      () => chatTemplate({ system: "{content}", user: "x" }),
      /user: needs {content} in it once/,
    );
  });

  const beginnings: readonly (readonly [string, string, string])[] = [
    ["Q: How?\nA: Like this.", "Q: How?\nA: Like that.", "Q: How?\nA:"],
    ["A fine film.", "A bad film.", ""],
    ["Stop. Now.", "Stop. Now. Then go.", "Stop."],
    ["One.\n\nTwo", "One.\n\nThree", "One.\n\n"],
    ["Same.", "Same. And more.", ""],
    ["pi is 3.14", "pi is 3.15", ""],
  ];
  for (const [chosen, rejected, prompt] of beginnings) {
    test(`texts that begin with ${JSON.stringify(prompt)}`, async () => {
      const { pairs } = await read([{ chosen, rejected }]);
      assert.deepEqual(textsOf(pairs[0]?.chosen as Sequence), {
        prompt: `<s>${prompt}`,
        answer: `${chosen.slice(prompt.length)}</s>`,
      });
    });
  }

  test("margin, source and line", async () => {
    const answers = { chosen: "yes", rejected: "no" };
    const { pairs } = await read([
      { ...answers, margin: 1.5, source: "a", subset: "b" },
      { ...answers, score_chosen: 8, score_rejected: 5.5, domain: "movie" },
      "",
      { ...answers, margin: null },
    ]);
    const facts = pairs.map(({ margin, source, line }) => ({ margin, source, line }));
    assert.deepEqual(facts, [
      { margin: 1.5, source: "a", line: 1 },
      { margin: 2.5, source: "movie", line: 2 },
      { margin: undefined, source: undefined, line: 4 },
    ]);
  });
});

/** A conversation with an answer, of letters that make tokenizers work. */
function drawJudged({ integer, pick }: Draw): Judged {
  const text = (): string =>
    Array.from({ length: integer(0, 6) }, () =>
      pick("the ", "cat", " sat", "\n", "é", "😀", "Human:", " ", "</s>"),
    ).join("");
  const turns = (): Message[] =>
    Array.from({ length: integer(0, 3) }, (_, i) =>
      i % 2 === 0 ? user(text()) : assistant(text()),
    );
  return { prompt: pick<Judged["prompt"]>(text(), turns()), answer: text() };
}

describe("tokens and labels", () => {
  for (const [name, tokenizer] of Object.entries(tokenizers)) {
    const { bos, eos } = tokenizer.special;

    test(`${name}: decoded, the text; labels on the answer and the end token`, () => {
      holds(name, drawJudged, (judged) => {
        const tokens = encodeJudged(judged, tokenizer, transcript);
        const { ids, labels } = sequenceOf(tokens);
        const text = render(judged, transcript);
        const [first, last] = [bos, eos].map((id) =>
          id === undefined ? "" : tokenizer.decode([id]),
        );
        assert.equal(tokenizer.decode(ids), `${first}${text.prompt}${text.answer}${last}`);
        const border = labels.findIndex((label) => label !== -100);
        const from = border < 0 ? ids.length : border;
        assert.deepEqual(labels.slice(from), ids.slice(from));
        assert.ok(from >= 1 || ids.length === 0, "the first token has no label");
        const answer = tokenizer.decode(ids.slice(from));
        if (tokens.start.length + tokens.prompt.length > 0) {
          assert.equal(answer, `${text.answer}${last}`);
        }
      });
    });

    test(`${name}: cut to length as the policy says`, () => {
      const draw = (d: Draw) => ({
        sides: [drawJudged(d), drawJudged(d)].map((judged, _, [first]) => ({
          answer: judged.answer,
          prompt: first?.prompt ?? "",
        })),
        maxLength: d.integer(1, 40),
        truncation: d.pick(...truncations),
      });
      holds(name, draw, ({ sides, maxLength, truncation }) => {
        const tokens = sides.map((judged) => encodeJudged(judged, tokenizer, transcript));
        const whole = tokens.map(sequenceOf);
        const { sequences, wasCut } = cutToLength(tokens, maxLength, truncation);
        const fits = whole.every(({ ids }) => ids.length <= maxLength);
        assert.equal(wasCut, !fits && sequences !== null);
        if (fits) assert.deepEqual(sequences, whole);
        else if (truncation === "drop") assert.equal(sequences, null);
        if (fits || sequences === null) return;
        sequences.forEach(({ ids, labels }, i) => {
          assert.ok(ids.length <= maxLength);
          const { ids: all, labels: allLabels } = whole[i] as Sequence;
          const { start = [], answer = [] } = tokens[i] ?? {};
          const begin = truncation === "answer" ? ids.length : start.length;
          assert.deepEqual(ids.slice(0, begin), all.slice(0, begin));
          if (truncation === "answer") {
            assert.deepEqual(labels, allLabels.slice(0, ids.length));
          } else {
            const end = ids.length - begin;
            assert.deepEqual(ids.slice(begin), all.slice(all.length - end));
            assert.deepEqual([...ids.slice(ids.length - answer.length)], [...answer]);
          }
        });
      });
    });
  }

  test("both sides of a pair keep the same prompt", async () => {
    const line = { prompt: "abcdefgh", chosen: "x".repeat(9), rejected: "y" };
    const { pairs, report } = await read([line], { template: plain, maxLength: 15 });
    const [chosen, rejected] = [pairs[0]?.chosen, pairs[0]?.rejected] as [Sequence, Sequence];
    assert.deepEqual(textsOf(chosen), { prompt: "<s>efgh", answer: `${"x".repeat(9)}</s>` });
    assert.deepEqual(textsOf(rejected), { prompt: "<s>efgh", answer: "y</s>" });
    assert.equal(report.count("cutPrompt"), 1);
  });

  test("spelled-out special tokens in data are text", async () => {
    const { pairs } = await read([{ prompt: "</s>", chosen: "<s>", rejected: "no" }]);
    const ids = [...(pairs[0]?.chosen.ids ?? [])];
    assert.equal(ids.filter((id) => id === bytes.special.eos).length, 1);
    assert.equal(ids.filter((id) => id === bytes.special.bos).length, 1);
  });

  test("an answer of millions of bytes", async () => {
    const { pairs } = await read([{ chosen: "y".repeat(3e6), rejected: "no" }], { maxLength: 4e6 });
    assert.equal(pairs[0]?.chosen.ids.length, 3e6 + 2);
  });
});

describe("no line is lost in silence", () => {
  const good = { prompt: "p", chosen: "yes", rejected: "no" };

  test("every reason, with its lines", async () => {
    const long = "x".repeat(40);
    const lines = [
      good, // 1
      { ...good, margin: 0 }, // 2 tied
      { ...good, chosen: " \n" }, // 3 empty
      { ...good, rejected: "yes" }, // 4 identical
      { chosen: [user("a"), assistant("b")], rejected: [user("c"), assistant("d")] }, // 5
      { ...good, prompt: long }, // 6 cut
      { ...good, chosen: long }, // 7 too long
      { ...good, chosen: long }, // 8 too long
      "{", // 9 malformed
      { ...good, split: "test" }, // 10 left out
    ].map((line) => (typeof line === "string" ? line : { split: "train", ...line }));
    const where = { split: "train" };
    const { pairs, report } = await read(lines, { maxLength: 40, lenient: true, where });
    const found = Object.keys(reasons).map((reason) => {
      return [reason, report.places(reason as keyof typeof reasons).map(({ line }) => line)];
    });
    assert.deepEqual(Object.fromEntries(found), {
      cutPrompt: [6],
      cutAnswer: [],
      promptRepeated: [],
      answerInPrompt: [],
      unusedPrompt: [],
      unselected: [10],
      malformed: [9],
      unpaired: [],
      tied: [2],
      empty: [3],
      otherPrompt: [5],
      identical: [4],
      tooLong: [7, 8],
      identicalAfterCut: [],
      masked: [],
    });
    assert.deepEqual(
      pairs.map(({ line }) => line),
      [1, 6],
    );
    const printed = String(report);
    assert.match(printed, /: 2 pairs of 10 lines\n {2}JSON Lines: chosen and rejected\n/);
    assert.match(printed, /dropped, too long: 2 \(line 7-8\)/);
    assert.match(printed, /\.jsonl:9: is not JSON/);
    const json = JSON.parse(JSON.stringify(report)) as { reasons: object };
    assert.deepEqual(Object.keys(json.reasons).length, 8);
  });

  test("cut answers that become the same, or lose every token", async () => {
    const options = { template: plain, truncation: "answer", maxLength: 6 } as const;
    const { pairs, report } = await read(
      [
        { prompt: "p", chosen: "aaaab", rejected: "aaaac" }, // the same after 4 letters
        { prompt: "pppppppp", chosen: "a", rejected: "b" }, // no token of an answer is left
        { prompt: "p", chosen: "abcdef", rejected: "b" },
      ],
      options,
    );
    assert.deepEqual(
      report.places("identicalAfterCut").map(({ line }) => line),
      [1],
    );
    assert.deepEqual(
      report.places("masked").map(({ line }) => line),
      [2],
    );
    assert.deepEqual(
      report.places("cutAnswer").map(({ line }) => line),
      [3],
    );
    assert.equal(pairs[0]?.chosen.ids.length, 6);
    assert.ok(!pairs[0]?.chosen.ids.includes(bytes.special.eos as number));
  });

  test("each side may go on from its own earlier answers", async () => {
    const side = (first: string, last: string): Message[] => [
      user("a"),
      assistant(first),
      user("b"),
      assistant(last),
    ];
    const { pairs, report } = await read([{ chosen: side("1", "x"), rejected: side("2", "y") }]);
    assert.equal(pairs.length, 1);
    assert.equal(report.count("otherPrompt"), 0);
  });

  test("lines are pairs or have a reason, whatever the lines", async () => {
    const kinds: readonly unknown[] = [
      good,
      { ...good, margin: 0 },
      { ...good, chosen: "" },
      { ...good, rejected: good.chosen },
      { ...good, chosen: "x".repeat(50) },
      "nonsense",
      [],
      { chosen: "one-sided" },
    ];
    const dropped = Object.entries(reasons).filter(([, text]) => !text.startsWith("kept"));
    const draw = ({ integer, pick }: Draw): unknown[] => [
      good,
      ...Array.from({ length: integer(0, 12) }, () => pick(...kinds)),
    ];
    const checks: Promise<void>[] = [];
    holds("accounting", draw, (lines) => {
      const check = async (): Promise<void> => {
        const { pairs, report } = await read(lines, { lenient: true, maxLength: 40 });
        const lost = dropped.map(([reason]) => report.count(reason as keyof typeof reasons));
        assert.equal(pairs.length + lost.reduce((sum, n) => sum + n), lines.length);
        assert.equal(report.lines, lines.length);
      };
      checks.push(check());
    });
    await Promise.all(checks);
  });

  test("a limit says what was not read", async () => {
    const two = [file(jsonl([good, good, good])), file(jsonl([good]))];
    const { pairs, report } = await readPairs(two, { tokenizer: bytes, maxLength: 99, limit: 2 });
    assert.equal(pairs.length, 2);
    assert.deepEqual(
      report.files.map(({ lines, stopped }) => ({ lines, stopped })),
      [
        { lines: 2, stopped: true },
        { lines: 0, stopped: true },
      ],
    );
    assert.match(String(report), /2 pairs of 2 lines; the rest was not read/);
  });

  test("no pair at all is an error that says why", async () => {
    const lines = [{ ...good, margin: 0 }, good];
    await assert.rejects(
      read(lines, { where: { split: "train" } }),
      /there is no pair to use\n.*0 pairs of 2 lines\n.*left out, as asked for: 2 \(line 1-2\)/,
    );
  });
});

describe("damaged input", () => {
  const good = '{"prompt":"p","chosen":"yes","rejected":"no"}\n';
  const options = { tokenizer: bytes, maxLength: 1000 };
  const refused: Readonly<Record<string, readonly [path: string, message: RegExp]>> = {
    "an empty file": [file(""), /jsonl: is empty$/],
    "an empty .gz": [file(gzipSync(""), ".gz"), /gz: is empty$/],
    "a folder": [folder, /: is a folder; name the files in it$/],
    "no file": [join(folder, "none"), /none: there is no such file$/],
    "a .gz that is none": [file(good, ".gz"), /gz: is called .gz, but holds no gzip data$/],
    "a .gz cut short": [
      file(gzipSync(Buffer.from(noise())).subarray(0, -9), ".gz"),
      /gz: its gzip data is cut short after line \d+$/,
    ],
    "a damaged .gz": [
      file(damaged(gzipSync(Buffer.from(noise()))), ".gz"),
      /gz: its gzip data is damaged after line \d+: /,
    ],
    "bytes that are no UTF-8": [
      file(Buffer.concat([Buffer.from(good), Buffer.from([0xff, 0x0a])])),
      /jsonl:2: is not UTF-8$/,
    ],
    "what is no JSON": [file(`${good}{"prompt"\n`), /jsonl:2: is not JSON: /],
    "an array": [file("[1]\n"), /jsonl:1: needs an object, got 1$/],
    "a field twice": [file('{"a":1,"a":2}\n'), /:1: the key "a" stands twice/],
    "other fields": [
      file('{"text":"a"}\n'),
      /:1: needs the fields chosen and rejected, has text \(--chosen-key and --rejected-key name others\)$/,
    ],
    "a number for an answer": [
      file('{"prompt":"p","chosen":5,"rejected":"no"}\n'),
      /:1: chosen: needs a text or messages, a list of \{role, content\}$/,
    ],
    "an unknown role": [
      file('{"messages":[{"role":"narrator","content":""}],"chosen":"a","rejected":"b"}\n'),
      /:1: messages\[0\].role: names no known speaker; needs one of system, developer, user, /,
    ],
    "a conversation that ends with the user": [
      file('{"chosen":[{"role":"user","content":"a"}],"rejected":[]}\n'),
      /:1: chosen: needs the assistant's turn at its end$/,
    ],
    "a margin that isn't one": [
      file('{"chosen":"a","rejected":"b","margin":"big"}\n'),
      /:1: margin: needs a number$/,
    ],
    "a margin against the choice": [
      file('{"chosen":"a","rejected":"b","margin":-1}\n'),
      /:1: the margin is -1, which says that the rejected answer is better$/,
    ],
  };

  for (const [name, [path, message]] of Object.entries(refused)) {
    test(name, async () => {
      await assert.rejects(readPairs([path], options), (error: Error) => {
        assert.match(error.message, message);
        assert.equal(error.name, "FileError");
        return true;
      });
    });
  }

  test("a line of 100 MB, plain and packed, in the memory of a short one", async () => {
    const huge = Buffer.alloc(1e8, "a");
    const whole = Buffer.concat([Buffer.from(good), huge, Buffer.from(`\n${good}`)]);
    for (const path of [file(whole), file(gzipSync(whole, { level: 1 }), ".gz")]) {
      await assert.rejects(readPairs([path], options), /:2: is longer than 16777216 bytes$/);
      let most = 0;
      const before = process.memoryUsage().arrayBuffers;
      for await (const _ of linesOf(path)) {
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      }
      assert.ok(most < 6e7, `took ${most} bytes`);
      const { pairs, report } = await readPairs([path], { ...options, lenient: true });
      assert.deepEqual(
        pairs.map(({ line }) => line),
        [1, 3],
      );
      assert.equal(report.count("malformed"), 1);
      rmSync(path);
    }
  });

  test("ends of lines, a byte order mark, no end at the end", async () => {
    const line = good.trimEnd();
    const expected = await readPairs([file(good)], options);
    for (const text of [`\ufeff${line}`, `${line}\r\n`, `\n\n${line}\n \t\n`]) {
      for (const path of [file(text), file(gzipSync(text)), file(gzipSync(text), ".gz")]) {
        const { pairs } = await readPairs([path], options);
        const strip = ({ file: _, line: __, ...pair }: Pair): object => pair;
        assert.deepEqual(pairs.map(strip), expected.pairs.map(strip));
      }
    }
  });

  test("settings that make no sense", async () => {
    await assert.rejects(readPairs([], options), /name at least one file/);
    await assert.rejects(read([good], { maxLength: 0 }), /maxLength is 0, needed a whole number/);
    await assert.rejects(read([good], { limit: 1.5 }), /limit is 1.5, needed a whole number/);
  });
});

/** Good lines that gzip can't make much smaller. */
function noise(): string {
  const rng = random(1);
  const word = (): string => Math.floor(rng.uniform() * 2 ** 40).toString(36);
  return jsonl(Array.from({ length: 5000 }, () => ({ chosen: word(), rejected: word() })));
}

/** With a checksum that isn't its content's. */
function damaged(gzip: Uint8Array): Uint8Array {
  return gzip.fill(0xff, gzip.length - 8, gzip.length - 4);
}

describe("the template in Jinja", () => {
  const python = "/usr/bin/python3";
  const found = spawnSync(python, ["-c", "import jinja2"]);
  const skip = found.status === 0 ? {} : { skip: "needs Python's jinja2" };

  test("writes what we write", skip, () => {
    const odd = {
      system: "{content}\n",
      user: "it's {content}\\\n",
      assistant: "so: {content}\n",
    };
    chatTemplate(odd); // may be
    const messages = [
      { role: "system", content: "Be kind." },
      user("Hi."),
      assistant("Hello."),
      user("{{ 1 }}\n'?"),
    ] as const;
    const judged = { prompt: messages, answer: "Yes." };
    const script = `
import json, sys, jinja2
for template, messages, opens in json.load(sys.stdin):
    env = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    text = env.from_string(template).render(messages=messages, add_generation_prompt=opens, bos_token="<s>", eos_token="</s>")
    print(json.dumps(text))
`;
    const cases = [transcript, plain, odd].flatMap((template) => {
      const jinja = jinjaOf(template, bytes.special);
      const text = render(judged, template);
      return [
        { input: [jinja, messages, true], expected: `<s>${text.prompt}` },
        {
          input: [jinja, [...messages, assistant("Yes.")], false],
          expected: `<s>${text.prompt}${text.answer}</s>`,
        },
      ];
    });
    const input = JSON.stringify(cases.map((one) => one.input));
    const { stdout, stderr } = spawnSync(python, ["-c", script], { input, encoding: "utf8" });
    const printed = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as string);
    assert.equal(stderr, "");
    assert.deepEqual(
      printed,
      cases.map(({ expected }) => expected),
    );
  });
});

describe("the data sets", () => {
  const tokens = "stories260k/tok512.bin";

  test("Anthropic's own file is the prepared one, pair for pair", needs("hh-rlhf"), async () => {
    const raw = await readPairs([join(data, "hh-rlhf/harmless-base.test.jsonl.gz")], {
      tokenizer: bytes,
      maxLength: 1e6,
    });
    const prepared = await readPairs([join(data, "hh-rlhf/pairs.jsonl.gz")], {
      tokenizer: bytes,
      maxLength: 1e6,
      where: { source: "harmless-base" },
    });
    assert.equal(raw.pairs.length, 2303);
    assert.equal(raw.report.count("empty") + raw.report.count("otherPrompt"), 9);
    const bare = ({ chosen, rejected }: Pair): object => ({ chosen, rejected });
    assert.deepEqual(raw.pairs.map(bare), prepared.pairs.map(bare));
  });

  test("lengths in llama2.c's tokens are those beside the data", needs(tokens), async () => {
    const tokenizer = loadTokenizer(join(data, tokens));
    const path = join(data, "pandalm-test/pairs.jsonl.gz");
    const { pairs } = await readPairs([path], { tokenizer, maxLength: 1e6 });
    const lengths: number[][] = [];
    for await (const { bytes: line } of linesOf(path)) {
      const text = new TextDecoder().decode(line as Uint8Array);
      lengths.push((JSON.parse(text) as { tok512: number[] }).tok512);
    }
    const found = pairs.map(({ chosen, rejected }) => {
      const masked = chosen.labels.findIndex((label) => label >= 0);
      const answers = [chosen, rejected].map(({ ids }) => ids.length - masked - 1); // the end token
      return [masked - 1, ...answers]; // the begin token
    });
    assert.deepEqual(found, lengths);
  });

  const kept: Readonly<Record<string, number>> = {
    "hh-rlhf/pairs.jsonl.gz": 4642,
    "qa-feedback/pairs.jsonl.gz": 2616,
    "hhh-alignment/pairs.jsonl.gz": 221,
    "mt-bench-human/pairs-majority.jsonl.gz": 1258, // in 4, an answer is empty
    "vader-icwsm2014/pairs.jsonl.gz": 16_000,
  };
  for (const [name, count] of Object.entries(kept)) {
    test(`${name}: ${count} pairs`, needs(name), async () => {
      const { pairs, report } = await readPairs([join(data, name)], {
        tokenizer: bytes,
        maxLength: 1e6,
      });
      assert.equal(pairs.length, count);
      assert.equal(report.count("empty"), name.startsWith("mt-bench") ? 4 : 0);
    });
  }
});
