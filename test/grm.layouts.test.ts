// The files of the field, in small: for each layout a few rows, the pairs that they must give, and a damaged twin with
// the sentence that refuses it; and the same rows as JSON Lines, a JSON array, CSV, TSV and Parquet.
// Texts are ours; the columns are those of the data sets that layouts/table.ts names.
// Next: grm.data.test.ts.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import {
  comparisonsOf,
  type Judged,
  type Keys,
  layouts,
  pairsFromFiles,
} from "../grm/data/index.ts";
import { readPairs } from "../grm/node.ts";
import { Field } from "../nn/checkpoints/json.ts";
import { ByteTokenizer } from "../nn/index.ts";
import { temporaryFolder } from "./folders.ts";

const folder = temporaryFolder("layouts");
const tokenizer = new ByteTokenizer({ special: { bos: "<s>", eos: "</s>" } });
const options = { tokenizer, maxLength: 500 };

/** A pair as [prompt, chosen, rejected], its margin behind it; turns of a prompt as role: content. */
type Told = readonly [prompt: string, chosen: string, rejected: string, margin?: number];

interface Case {
  readonly rows: readonly object[];
  readonly pairs: readonly Told[];
  readonly damaged: object;
  readonly sentence: RegExp;
}

const user = (content: unknown) => ({ role: "user", content });
const assistant = (content: unknown) => ({ role: "assistant", content });
const ask = "user: What is the sky?";
const [q, blue, green] = ["What is the sky?", "Blue, mostly.", "Green."];
const said: Told = [ask, blue, green];

const cases: Readonly<Record<string, Case>> = {
  "chosen and rejected": {
    rows: [
      { prompt: q, chosen: blue, rejected: green },
      { question: q, chosen: blue, rejected: green },
      { query: q, chosen: assistant(blue), rejected: assistant(green) },
      { prompt: [user(q)], chosen: [assistant(blue)], rejected: [assistant(green)] },
      { chosen: [user(q), assistant(blue)], rejected: [user(q), assistant(green)] },
      {
        chosen: { messages: [user(q), assistant(blue)] },
        rejected: { messages: [user(q), assistant(green)] },
      },
      {
        conversations: [{ from: "human", value: q }],
        chosen: { from: "gpt", value: blue },
        rejected: { from: "gpt", value: green },
      },
      { prompt: q, chosen: `${q} ${blue}`, rejected: `${q}\n${green}` },
      {
        prompt: q,
        prompt_id: "7 a",
        messages: [user(q), assistant(blue)],
        chosen: [user(q), assistant(blue)],
        rejected: [user(q), assistant(green)],
      },
      { messages: [user(q), assistant(blue)], chosen: blue, rejected: green },
    ],
    pairs: Array.from({ length: 10 }, () => said),
    damaged: { prompt: q, chosen: blue, rejected: 5 },
    sentence: /:1: rejected: needs a text or messages, a list of \{role, content\}$/,
  },
  "turns of both sides": {
    rows: [{ user_turns: ["Hi.", q], chosen_turns: ["Ho.", blue], rejected_turns: ["Hm.", green] }],
    pairs: [[`user: Hi. | assistant: Ho. | ${ask}`, blue, green]],
    damaged: { user_turns: ["Hi.", q], chosen_turns: ["Ho."], rejected_turns: ["Hm.", green] },
    sentence: /:1: chosen_turns: needs as many turns as user_turns, 2, and at least one$/,
  },
  "lists of better and worse answers": {
    rows: [
      {
        id: "1",
        prompt: q,
        chosen: [blue, "It is blue."],
        rejected: [green, "Red."],
        subset: "Ties",
      },
    ],
    pairs: [said, [ask, blue, "Red."], [ask, "It is blue.", green], [ask, "It is blue.", "Red."]],
    damaged: { prompt: [5], chosen: [blue], rejected: [green] },
    sentence: /:1: prompt\[0\]: needs a message \{role, content\}, or \{from, value\}$/,
  },
  "preferred and non-preferred output": {
    rows: [
      {
        input: { messages: [user(q)], tools: [] },
        preferred_output: [assistant(blue)],
        non_preferred_output: [assistant(green)],
      },
    ],
    pairs: [said],
    damaged: {
      input: { messages: [user(q)] },
      preferred_output: [user(blue)],
      non_preferred_output: [assistant(green)],
    },
    sentence: /:1: preferred_output: needs the assistant's turn at its end$/,
  },
  "a conversation and a rejected answer": {
    rows: [{ messages: [user(q), assistant(blue)], rejected_response: green }],
    pairs: [said],
    damaged: { messages: [user(q)], rejected_response: green },
    sentence: /:1: messages: needs the chosen answer, an assistant's turn, at its end$/,
  },
  SHP: {
    rows: [
      {
        domain: "explainlikeimfive_train",
        history: q,
        human_ref_A: green,
        human_ref_B: blue,
        labels: 0,
        score_A: 3,
        score_B: 40,
      },
      {
        domain: "explainlikeimfive_train",
        history: q,
        human_ref_A: blue,
        human_ref_B: green,
        labels: 1,
        score_A: 40,
        score_B: 3,
      },
    ],
    pairs: [said, said],
    damaged: { history: q, human_ref_A: green, human_ref_B: blue, labels: 2 },
    sentence: /:1: labels: is 2; needs 1 where the first answer is better, 0 where the second is$/,
  },
  "PKU-SafeRLHF": {
    rows: [
      {
        prompt: q,
        response_0: green,
        response_1: blue,
        is_response_0_safe: true,
        better_response_id: 1,
        safer_response_id: 0,
      },
    ],
    pairs: [said],
    damaged: { prompt: q, response_0: green, response_1: blue, better_response_id: -1 },
    sentence:
      /:1: better_response_id: is -1; needs 0 where the first answer is better, 1 where the second is$/,
  },
  "HelpSteer preferences": {
    rows: [
      { prompt: q, response_1: green, response_2: blue, preference_strength: 2 },
      {
        domain: "stem",
        context: [user(q)],
        response1: blue,
        response2: green,
        overall_preference: -3,
      },
    ],
    pairs: [
      [ask, blue, green, 2],
      [ask, blue, green, 3],
    ],
    damaged: { prompt: q, response_1: green, response_2: blue, preference_strength: "much" },
    sentence: /:1: preference_strength: needs a number$/,
  },
  WebGPT: {
    rows: [
      {
        question: { dataset: "eli5", id: "1", full_text: q },
        answer_0: green,
        answer_1: blue,
        score_0: -0.5,
        score_1: 0.5,
      },
    ],
    pairs: [[ask, blue, green, 1]],
    damaged: {
      question: { full_text: q },
      answer_0: green,
      answer_1: blue,
      score_0: -0.5,
      score_1: "high",
    },
    sentence: /:1: score_1: needs a number$/,
  },
  "rated conversations": {
    rows: [
      {
        conv_A: [user(q), assistant(green)],
        conv_B: [user(q), assistant(blue)],
        conv_A_rating: 1,
        conv_B_rating: 4.5,
        source: "lmsys",
      },
    ],
    pairs: [[ask, blue, green, 3.5]],
    damaged: {
      conv_A: [user(q), assistant(green)],
      conv_B: [user(q)],
      conv_A_rating: 1,
      conv_B_rating: 4.5,
    },
    sentence: /:1: conv_B: needs the assistant's turn at its end$/,
  },
  "arena conversations": {
    rows: [
      {
        ...{ question_id: 81, model_a: "m", model_b: "n", winner: "model_b", turn: 1 },
        conversation_a: [user(q), assistant(green), user("More?"), assistant("No.")],
        conversation_b: [user(q), assistant(blue), user("More?"), assistant("Yes.")],
      },
      {
        winner: "model_a",
        conversation_a: [
          user([{ type: "text", text: q, image: null }]),
          assistant([{ type: "text", text: blue }]),
        ],
        conversation_b: [
          user([{ type: "text", text: q }]),
          assistant([{ type: "text", text: green }]),
        ],
      },
    ],
    pairs: [said, said],
    damaged: {
      winner: "model_c",
      conversation_a: [user(q), assistant(blue)],
      conversation_b: [user(q), assistant(green)],
    },
    sentence: /:1: winner: says "model_c"; needs the better one: a, b or tie$/,
  },
  "arena flags": {
    rows: [
      {
        prompt: JSON.stringify(["Hi.", q]),
        response_a: JSON.stringify(["Hm.", green]),
        response_b: JSON.stringify(["Ho.", blue]),
        winner_model_a: 0,
        winner_model_b: 1,
        winner_tie: 0,
      },
    ],
    pairs: [[`user: Hi. | assistant: Ho. | ${ask}`, blue, green]],
    damaged: {
      prompt: '["Hi."]',
      response_a: '["Hm.", "Ha."]',
      response_b: '["Ho."]',
      winner_model_a: 0,
      winner_model_b: 1,
    },
    sentence: /:1: response_a: needs as many turns as prompt, 1, and at least one$/,
  },
  "two answers by number": {
    rows: [
      { input: q, output_1: green, output_2: blue, label: 2 },
      { instruction: "Answer.", input: q, output_1: blue, output_2: green, preference: 1 },
    ],
    pairs: [said, [`user: Answer.\n${q}`, blue, green]],
    damaged: { input: q, output_1: green, output_2: blue, label: 0 },
    sentence: /:1: label: is 0; needs 1 where the first answer is better, 2 where the second is$/,
  },
  "two answers from zero": {
    rows: [{ prompt: q, response_0: blue, response_1: green, label: 0 }],
    pairs: [said],
    damaged: { prompt: q, response_0: blue, response_1: green, label: 3 },
    sentence: /:1: label: is 3; needs 0 where the first answer is better, 1 where the second is$/,
  },
  "two answers of a judge's task": {
    rows: [
      {
        instruction: "Which is better?",
        ...{ orig_instruction: q, orig_response_A: green, orig_response_B: blue },
        orig_preference: "B",
      },
    ],
    pairs: [said],
    damaged: {
      orig_instruction: q,
      orig_response_A: 1,
      orig_response_B: blue,
      orig_preference: "B",
    },
    sentence: /:1: orig_response_A: needs a text/,
  },
  "two answers by letter": {
    rows: [
      { question: q, response_A: blue, response_B: green, label: "A>B" },
      { prompt: q, response_a: green, response_b: blue, winner: "b" },
    ],
    pairs: [said, said],
    damaged: { question: q, response_A: blue, response_B: green, label: 1 },
    sentence: /:1: label: says 1; needs the better one: a, b or tie$/,
  },
  "two rated answers": {
    rows: [{ prompt: q, response_a: green, response_b: blue, score_a: 1, score_b: 3 }],
    pairs: [[ask, blue, green, 2]],
    damaged: { prompt: q, response_a: green, response_b: blue, score_a: 1, score_b: 1e300 },
    sentence: /:1: the margin is 1e\+300; needed a number from 0 to 1000000$/,
  },
  "ranked answers": {
    rows: [
      {
        prompt: `\n\nHuman: ${q}\n\nAssistant: `,
        answers: [
          { answer: green, model: "m", rank: 2 },
          { answer: blue, rank: 1 },
          { answer: "Grass.", rank: 3 },
        ],
      },
    ],
    pairs: [[ask, green, "Grass."], said, [ask, blue, "Grass."]],
    damaged: {
      prompt: q,
      answers: [
        { answer: green, rank: "last" },
        { answer: blue, rank: 1 },
      ],
    },
    sentence: /:1: answers\[0\]\.rank: needs a number$/,
  },
  "rated answers": {
    rows: [
      {
        source: "flan",
        instruction: q,
        models: ["m", "n"],
        completions: [
          { response: green, overall_score: 9, "fine-grained_score": 1.5 },
          { response: blue, overall_score: 1, "fine-grained_score": 4 },
        ],
      },
      {
        qid: 1,
        question: q,
        answers: [
          { text: blue, pm_score: 3 },
          { text: green, pm_score: 1 },
        ],
      },
    ],
    pairs: [
      [ask, blue, green, 2.5],
      [ask, blue, green, 2],
    ],
    damaged: {
      question: q,
      answers: [
        { text: blue, pm_score: [] },
        { text: green, pm_score: 1 },
      ],
    },
    sentence: /:1: answers\[0\]\.pm_score: needs a number$/,
  },
  choices: {
    rows: [{ input: q, targets: { choices: [green, blue], labels: [0, 1] } }],
    pairs: [[ask, blue, green, 1]],
    damaged: { input: q, targets: { choices: [green, blue], labels: [1] } },
    sentence: /:1: targets\.labels: has 1 numbers, there are 2 answers$/,
  },
  summaries: {
    rows: [
      {
        info: { id: "t", post: q, title: "Sky" },
        summaries: [
          { text: green, policy: "p" },
          { text: blue, policy: "q" },
        ],
        choice: 1,
      },
    ],
    pairs: [said],
    damaged: { info: { post: q }, summaries: [{ text: green }, { text: blue }], choice: "second" },
    sentence: /:1: choice: needs a number$/,
  },
  "texts with ranks": {
    rows: [{ prompt: q, responses: [green, blue], ranks: [2, 1] }],
    pairs: [said],
    damaged: { prompt: q, responses: [green, blue], ranks: [1, 2, 3] },
    sentence: /:1: ranks: has 3 numbers, there are 2 answers$/,
  },
  "texts with scores": {
    rows: [{ input: q, generations: [green, blue], rating: [1, 4] }],
    pairs: [[ask, blue, green, 3]],
    damaged: { input: q, generations: [green, blue], rating: [1, null] },
    sentence: /:1: rating\[1\]: needs a number$/,
  },
  "best first": {
    rows: [
      {
        instruction: q,
        input: "",
        output: [blue, green],
        system: "Be brief.",
        history: [["Hi.", "Ho."]],
      },
    ],
    pairs: [[`system: Be brief. | user: Hi. | assistant: Ho. | ${ask}`, blue, green]],
    damaged: { instruction: q, output: [blue, green], history: [["Hi."]] },
    sentence: /:1: history\[0\]: needs a question and its answer$/,
  },
};

function told(judged: Judged): string {
  const { prompt } = judged;
  if (typeof prompt === "string") return prompt;
  return prompt.map(({ role, content }) => `${role}: ${content}`).join(" | ");
}

const tell = (row: object, keys?: Keys): Told[] =>
  comparisonsOf(new Field("rows:1", "", row), keys).map(({ chosen, rejected, margin }): Told => {
    const pair = [told(chosen), chosen.answer, rejected.answer] as const;
    return margin === undefined ? pair : [...pair, margin];
  });

describe("layouts of preference data", () => {
  for (const [name, { rows, pairs, damaged, sentence }] of Object.entries(cases)) {
    test(name, () => {
      assert.deepEqual(
        rows.flatMap((row) => tell(row)),
        pairs,
      );
      assert.throws(() => tell(damaged), sentence);
    });
  }

  test("every layout of the table is tried, and recognised as itself", async () => {
    const single = "an answer a row, rated"; // below
    assert.deepEqual(
      Object.keys(cases).sort(),
      layouts
        .map(({ name }) => name)
        .filter((name) => name !== single)
        .sort(),
    );
    for (const [name, { rows }] of Object.entries(cases)) {
      const { report } = await read("jsonl", rows);
      assert.deepEqual(
        report.files.map(({ layouts: found }) => found),
        [{ [name]: rows.length }],
      );
    }
  });

  test("rows of one answer each are compared with their neighbours of the same prompt", async () => {
    const rows = [
      { prompt: q, response: green, helpfulness: 1, correctness: 4 },
      { prompt: q, response: blue, helpfulness: 4, correctness: 1 },
      { prompt: "Alone here?", response: "Yes.", helpfulness: 2 },
      { prompt: "Tied here?", response: "Yes.", helpfulness: 2 },
      { prompt: "Tied here?", response: "No.", helpfulness: 2 },
    ];
    const { pairs, report } = await read("jsonl", rows);
    assert.deepEqual(
      pairs.map(({ line, margin }) => [line, margin]),
      [[1, 3]],
    );
    assert.deepEqual(
      report.places("unpaired").map(({ line }) => line),
      [3],
    );
    assert.deepEqual(
      report.places("tied").map(({ line }) => line),
      [4],
    );
    const [first] = rows;
    const damaged: readonly (readonly [object, RegExp])[] = [
      [{ prompt: q, response: blue, helpfulness: "very" }, /:2: helpfulness: needs a number$/],
      [{ prompt: q, response: 5, helpfulness: 4 }, /:2: response: needs a text or messages/],
    ];
    for (const [twin, sentence] of damaged)
      await assert.rejects(read("jsonl", [first as object, twin]), sentence);
  });
});

describe("what a row says beside its answers", () => {
  test("tools, developers, parts and nothing", () => {
    const call = {
      ...assistant(null),
      tool_calls: [{ function: { name: "look", arguments: "{}" } }],
    };
    const row = {
      messages: [
        { role: "developer", content: "Be brief." },
        user([{ type: "text", text: q }]),
        call,
        { role: "tool", content: "It's day." },
      ],
      chosen: blue,
      rejected: [assistant(null)],
    };
    const prompt = `system: Be brief. | ${ask} | assistant: {"name":"look","arguments":"{}"} | tool: It's day.`;
    assert.deepEqual(tell(row), [[prompt, blue, ""]]);
    const image = {
      messages: [user([{ type: "image_url", image_url: "x" }])],
      chosen: blue,
      rejected: green,
    };
    assert.throws(
      () => tell(image),
      /messages\[0\]\.content\[0\]: is a part of kind image_url; needs text/,
    );
  });

  test("columns by name", () => {
    const row = { task: q, good: blue, bad: green, part: "sky" };
    const keys = { prompt: "task", chosen: "good", rejected: "bad" };
    assert.deepEqual(tell(row, keys), [said]);
    assert.deepEqual(tell({ ...row, inner: { task: q } }, { ...keys, prompt: "inner.task" }), [
      said,
    ]);
    assert.throws(
      () => tell(row, { ...keys, rejected: "worse" }),
      /:1: has no column worse; has task, good, bad, part$/,
    );
    const [pair] = comparisonsOf(new Field("rows:1", "", row), { ...keys, source: "part" });
    assert.equal(pair?.source, "sky");
  });

  test("a column that looks like the prompt's and isn't used: an error alone, a note beside a prompt", async () => {
    const row = { my_prompt: q, chosen: blue, rejected: green };
    assert.throws(
      () => tell(row),
      /the column my_prompt looks like the prompt's, and isn't used; name it \(--prompt-key my_prompt\), or say that there is none/,
    );
    assert.deepEqual(tell(row, { prompt: "my_prompt" }), [said]);
    assert.deepEqual(tell(row, { prompt: "" }), [["", blue, green]]);
    const { report } = await read("jsonl", [
      { prompt: q, question: "Is it the sky?", chosen: blue, rejected: green },
    ]);
    assert.match(
      String(report),
      /kept, without a column that looks like the prompt's: 1 \(line 1\)\n {4}the column question looks like the prompt's, and isn't used$/,
    );
    const silent = await read("jsonl", [
      { prompt: q, question: q, prompt_id: "a b", chosen: blue, rejected: green },
      { prompt: q, query: JSON.stringify(["Hi.", q]), chosen: blue, rejected: green },
    ]);
    assert.equal(silent.report.count("unusedPrompt"), 0);
  });

  test("repeated prompts and messages that end with the answer are noticed at the line", async () => {
    const rows = [
      { prompt: q, chosen: blue, rejected: green },
      { prompt: q, chosen: `${q}\n${blue}`, rejected: `${q}\n${green}` },
      { messages: [user(q), assistant(blue)], chosen: blue, rejected: green },
      {
        prompt: q,
        chosen: `\n\nHuman: ${q}\n\nAssistant: ${blue}`,
        rejected: `\n\nHuman: ${q}\n\nAssistant: ${green}`,
      },
    ];
    const { report, pairs } = await read("jsonl", rows);
    assert.deepEqual(
      report.places("promptRepeated").map(({ line }) => line),
      [2, 4],
    );
    assert.deepEqual(
      report.places("answerInPrompt").map(({ line }) => line),
      [3],
    );
    for (const { chosen } of pairs) assert.deepEqual(chosen, pairs[0]?.chosen);
  });

  test("margins that no rating gives", async () => {
    const row = { prompt: q, chosen: blue, rejected: green };
    for (const margin of ["1e300", "1e999", "-1e999", '"Infinity"']) {
      const text = `{"prompt":"p q","chosen":"a","rejected":"b","margin":1}\n${JSON.stringify(row).slice(0, -1)},"margin":${margin}}\n`;
      await assert.rejects(
        readPairs([write("jsonl", text)], options),
        /:2: the margin is -?(1e\+300|Infinity); needed a number from 0 to 1000000$/,
      );
    }
  });
});

// --- Kinds of files ----------------------------------------------------------------------------------

let files = 0;

function write(ending: string, content: string | Uint8Array): string {
  const path = join(folder, `${files++}.${ending}`);
  writeFileSync(path, content);
  return path;
}

const columns = (rows: readonly object[]): string[] => Object.keys(rows[0] ?? {});
const cell = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value ?? "");
  return /[",\t\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const table = (rows: readonly object[], separator: string): string =>
  [columns(rows), ...rows.map((row) => Object.values(row))]
    .map((cells) => `${cells.map(cell).join(separator)}\r\n`)
    .join("");

const written: Readonly<Record<string, (rows: readonly object[]) => string | Uint8Array>> = {
  jsonl: (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join(""),
  json: (rows) => `\uFEFF${JSON.stringify(rows, null, 1)}`,
  csv: (rows) => `\uFEFF${table(rows, ",")}`,
  tsv: (rows) => table(rows, "\t"),
  parquet: (rows) =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: columns(rows).map((name) => {
          const data = rows.map((row) => (row as Record<string, unknown>)[name]);
          const type =
            typeof data[0] === "string"
              ? "STRING"
              : typeof data[0] === "number"
                ? "DOUBLE"
                : "JSON";
          return { name, data, type };
        }),
      }),
    ),
};

/** A Parquet file in whose row group a column has another name of the same length; the schema, which comes first, keeps it. */
function renamedColumn(file: Buffer, name: string): Buffer {
  const at = file.lastIndexOf(name);
  const changed = Buffer.from(file);
  changed[at] = "x".charCodeAt(0);
  return changed;
}

const read = (ending: string, rows: readonly object[]) =>
  readPairs([write(ending, written[ending]?.(rows) ?? "")], options);

describe("kinds of files, told by what is in them", () => {
  const rows = [
    {
      prompt: "Say a line, and one more.",
      chosen: 'First "line"\nsecond',
      rejected: "No",
      margin: 2,
      source: "a",
    },
    { prompt: "Umlaut?", chosen: "ä, ö\tü", rejected: "[none]", margin: 0.5, source: "b" },
  ];
  const expected = readPairs([write("jsonl", written.jsonl?.(rows) ?? "")], options);

  for (const [ending, writer] of Object.entries(written)) {
    for (const isPacked of [false, true]) {
      test(`${ending}${isPacked ? ", packed" : ""}, under any name`, async () => {
        const content = isPacked ? gzipSync(writer(rows)) : writer(rows);
        for (const name of [isPacked ? `${ending}.gz` : ending, "data"]) {
          const { pairs } = await readPairs([write(name, content)], options);
          const plain = (await expected).pairs;
          assert.deepEqual(
            pairs.map((pair) => ({ ...pair, file: "", line: 0 })),
            plain.map((pair) => ({ ...pair, file: "", line: 0 })),
          );
        }
      });
    }
  }

  test("turns in tables: lists in Parquet, JSON text in CSV", async () => {
    const talk = { prompt: [user(q)], chosen: [assistant(blue)], rejected: [assistant(green)] };
    const [plain] = (await read("jsonl", [talk])).pairs;
    for (const ending of ["csv", "tsv", "parquet"]) {
      const [pair] = (await read(ending, [talk])).pairs;
      assert.deepEqual(pair?.chosen, plain?.chosen, ending);
    }
  });

  test("turns as Python prints them are refused, as numpy's and pandas' to_csv write them", async () => {
    for (const between of [", ", "\n "]) {
      const turns = `[{'role': 'user', 'content': 'What is it?'}${between}{'role': 'assistant', 'content': "It's"}]`;
      const file = write("csv", table([{ chosen: turns, rejected: turns }], ","));
      const problem = /csv:2: chosen: holds messages as Python prints them; write the data as JSON/;
      await assert.rejects(readPairs([file], options), problem);
    }
  });

  test("a column of nulls, which pyarrow packs into pages of no bytes", async () => {
    // pyarrow 26.0.1: pq.write_table(pa.table({"chosen": ["Blue."], "rejected": ["Green."], "n": pa.array([None], pa.null())}))
    const base64 =
      "UEFSMRUAFR4VIiwVAhUAFQYVBhwAAAAPOAIAAAACAQUAAABCbHVlLhUAFSAVJCwVAhUAFQYVBhwAAAAQPAIAAAACAQYAAABHcmVlbi4VBBUAFQJMFQAVABIAAAAV" +
      "ABUOFRIsFQIVEBUGFQYcAAAABxgCAAAAAgAAFQQZTDUAGAZzY2hlbWEVBgAVDCUCGAZjaG9zZW4lAEwcAAAAFQwlAhgIcmVqZWN0ZWQlAEwcAAAAFQIlAhgBbmy8" +
      "AAAAFgIZHBk8JgAcFQwZJQYAGRgGY2hvc2VuFQIWAhZEFkgmCEkcFQAVABUCADwWChkGGSYAAgAAACYAHBUMGSUGABkYCHJlamVjdGVkFQIWAhZGFkomUEkcFQAV" +
      "ABUCADwWDBkGGSYAAgAAACYAHBUCGTUABhAZGAFuFQIWAhZQFlYmuAEmmgEpLBUEFQAVAgAVABUQFQIAPCkGGSYCAAAAABbaARYCJggW6AEAKCBwYXJxdWV0LWNw" +
      "cC1hcnJvdyB2ZXJzaW9uIDI2LjAuMRk8HAAAHAAAHAAAAB4BAABQQVIx";
    const { pairs } = await readPairs([write("parquet", Buffer.from(base64, "base64"))], options);
    assert.equal(pairs.length, 1);
  });

  test("semicolons, an object over several lines, a prompt of nothing", async () => {
    const semicolons = write("csv", "prompt;chosen;rejected\na b;c;d\n");
    await assert.rejects(readPairs([semicolons], options), /csv:1: has semicolons between columns/);
    const spread = write("json", JSON.stringify({ data: [] }, null, 1));
    await assert.rejects(
      readPairs([spread], options),
      /json:1: ends inside an object; needs a whole one in/,
    );
    const { report } = await read("jsonl", [{ prompt: null, chosen: blue, rejected: green }]);
    assert.match(String(report), /kept, without .*1 \(line 1\)\n.*the column prompt holds nothing/);
  });

  test("lines of a table are those of the file", async () => {
    const text = 'prompt,chosen,rejected\n"a\nb",yes,no\n\nc,yes,\nd,yes,no\n';
    const { pairs, report } = await readPairs([write("csv", text)], options);
    assert.deepEqual(
      pairs.map(({ line }) => line),
      [2, 6],
    );
    assert.deepEqual(
      report.places("empty").map(({ line }) => line),
      [5],
    );
  });

  const damaged: Readonly<
    Record<string, readonly [content: string | Uint8Array, sentence: RegExp]>
  > = {
    "a row with a cell too few": [
      "prompt,chosen,rejected\na,b\n",
      /:2: has 2 cells, the header names 3 columns$/,
    ],
    "a column twice": [
      "prompt,chosen,chosen\na,b,c\n",
      /:1: the column chosen stands there twice$/,
    ],
    "a quote that isn't closed": [
      'prompt,chosen,rejected\na,"b,c\n',
      /:2: a quoted cell that begins here or after isn't closed$/,
    ],
    "a header alone": ["prompt,chosen,rejected\n", /: is empty$/],
    "an array that is cut short": ['[{"chosen": "a"', /: is not JSON: /],
    "an empty array": ["[ ]", /: is an empty array$/],
    "an array of texts": ['["a"]', /:1: needs an object, got "a"$/],
    "Parquet that is cut short": [
      Buffer.from(written.parquet?.(rows) ?? "").subarray(0, 90),
      /: is damaged Parquet, or of a kind that isn't known, after row 0: /,
    ],
    "Parquet whose columns aren't those of its schema": [
      renamedColumn(Buffer.from(written.parquet?.(rows) ?? ""), "rejected"),
      /: is damaged Parquet.*after row 0: a row group's columns aren't those of the schema$/,
    ],
    "a zip archive": ["PK\x03\x04rest of it", /: is a zip archive/],
    "a Git LFS pointer": [
      "version https://git-lfs.github.com/spec/v1\noid",
      /: is a Git LFS pointer/,
    ],
    "UTF-16": [Buffer.from("\uFEFF{}", "utf16le"), /: is UTF-16 text; save it as UTF-8$/],
    "a pickle": [Uint8Array.of(0x80, 4, 0x95, 0), /: is a Python pickle/],
    "an Arrow file": ["ARROW1\0\0", /: is an Arrow file/],
    zstd: [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0), /: is zstd data/],
    "a web page": [
      "<!DOCTYPE html><p>404",
      /: is a page of HTML or XML; a download may have failed$/,
    ],
    prose: ["It was a dark night.\nAnd so on.\n", /:1: is not JSON: /],
  };
  for (const [name, [content, sentence]] of Object.entries(damaged)) {
    test(`refused by name: ${name}`, async () => {
      await assert.rejects(readPairs([write("data", content)], options), sentence);
      await assert.rejects(readPairs([write("data", gzipSync(content))], options), sentence);
    });
  }

  test("lenient reading goes on after a bad row of a table", async () => {
    const text = "prompt,chosen,rejected\na,b\nc,yes,no\n";
    const { pairs, report } = await readPairs([write("csv", text)], { ...options, lenient: true });
    assert.deepEqual([pairs.length, report.count("malformed")], [1, 1]);
  });

  test("in a browser: arrays and lines; tables are refused by name", async () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const row = { prompt: q, chosen: blue, rejected: green };
    const { pairs } = await pairsFromFiles(
      new Map([["a.json", bytes(JSON.stringify([row]))]]),
      options,
    );
    assert.equal(pairs.length, 1);
    const tables = pairsFromFiles(new Map([["a.csv", bytes(table([row], ","))]]), options);
    await assert.rejects(tables, /a\.csv: is CSV; only Node reads it, from a path/);
  });
});
