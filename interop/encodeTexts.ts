// One half of a comparison with the original library of tokenizer.json: draws texts, encodes and decodes them
// with each tokenizer, and prints a line of JSON for each. Next: compareTokenizers.py, which calls this and compares.
//   tsx interop/encodeTexts.ts TEXTS SEED FOLDER...

import { basename } from "node:path";
import { random } from "../core/index.ts";
import { readFile } from "../nn/checkpoints/files.ts";
import { parseJson } from "../nn/checkpoints/json.ts";
import { loadTokenizer } from "../nn/node.ts";

const telling = [
  ..."a e L the The Lily LILY category cat Cats hello world don't they'll I'M we've naïve café Ω≈ç√ ß İ ſ K ﬁ".split(
    " ",
  ),
  ...[
    "wait...",
    "1",
    "42",
    "2024",
    "½",
    "٣٤",
    "Ⅻ",
    "x²",
    "3.14",
    "1,000",
    "'s",
    "'LL",
    "'",
    "''",
    '"',
    "!",
    ".",
    "-",
    "_",
    "(",
    ")]",
    "$&",
    "$1",
    "\\",
  ],
  ...[
    "é",
    "e\u0301",
    "日本語",
    "中文字",
    "한국어",
    "привет",
    "ñandú",
    "สวัสดี",
    "नमस्ते",
    "مرحبا",
    "שלום",
    "😀",
    "👩‍👩‍👧",
    "🏳️‍🌈",
    "🇩🇪",
  ],
  ...[
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u0085",
    "\u00a0",
    "\u3000",
    "\u2028",
    "\0",
    "\u00ad",
    "\u2581",
    "▁▁",
    "Ġ",
    "Ċ",
    "<0x0A>",
    "##s",
    "</w>",
  ],
  ...[
    " ",
    " ",
    " ",
    "  ",
    "    ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    " \n ",
    "http://x.y/z?a=1",
    "snake_case",
    "camelCase",
    "if (x) {\n\treturn;\n}",
  ],
];

const [count = "500", seed = "1", ...folders] = process.argv.slice(2);
for (const folder of folders) {
  const json = parseJson("", readFile(`${folder}/tokenizer.json`)).value as {
    added_tokens?: { content: string }[];
  };
  const added = (json.added_tokens ?? []).map(({ content }) => content);
  const rng = random(`${seed} ${basename(folder)}`);
  const pick = (list: readonly string[]): string =>
    list[Math.floor(rng.uniform() * list.length)] ?? "";
  const character = (): string => {
    const code = Math.floor(rng.uniform() * (rng.uniform() < 0.8 ? 0x3000 : 0x1_f000));
    return String.fromCodePoint(code >= 0xd800 && code < 0xe000 ? 0x41 : code);
  };
  const part = (): string => {
    const at = rng.uniform();
    if (at < 0.15 && added.length > 0) return pick(added);
    return at < 0.25 ? character() : pick(telling);
  };
  const texts = Array.from({ length: Number(count) }, () =>
    Array.from(
      { length: Math.floor(rng.uniform() * 12) },
      () => part() + (rng.uniform() < 0.3 ? " " : ""),
    ).join(""),
  );
  try {
    const begin = performance.now();
    const tokenizer = loadTokenizer(folder);
    const rows = texts.map((text) => {
      try {
        const ids = [...tokenizer.encode(text)];
        const plain = [...tokenizer.encode(text, { parseSpecial: false })];
        return {
          text,
          ids,
          plain,
          decoded: tokenizer.decode(ids),
          shown: tokenizer.decode(ids, { skipSpecial: true }),
        };
      } catch (error) {
        return { text, error: (error as Error).message };
      }
    });
    const seconds = (performance.now() - begin) / 1000;
    console.log(JSON.stringify({ folder, kind: tokenizer.constructor.name, seconds, rows }));
  } catch (error) {
    console.log(JSON.stringify({ folder, error: (error as Error).message }));
  }
}
