// One half of a comparison with transformers' chat templates: reads conversations, writes each with a folder's
// own template and prints the ids, as JSON. Next: compareChats.py, which calls this and compares.
//   tsx interop/encodeChats.ts FOLDER < conversations.json

import { readFileSync } from "node:fs";
import { chatTemplateIn, encodeChat, openChat, writeChat } from "../grm/data/chat.ts";
import type { Message } from "../grm/data/index.ts";
import { folderOnDisk } from "../nn/checkpoints/files.ts";
import { loadTokenizer } from "../nn/node.ts";

interface Asked {
  readonly messages: Message[];
  readonly answer: string;
}

const [folder = "."] = process.argv.slice(2);
const tokenizer = loadTokenizer(folder);
const found = chatTemplateIn(folderOnDisk(folder));
const asked = JSON.parse(readFileSync(0, "utf8")) as Asked[];
const rows = asked.map(({ messages, answer }) => {
  if (found === null) return { error: "no template" };
  const { template } = found;
  try {
    const { ids, promptLength } = encodeChat(messages, answer, template, tokenizer);
    const open = [...openChat(messages, template, tokenizer)];
    return {
      ids: [...ids],
      promptLength,
      open,
      text: writeChat(messages, template, tokenizer, true).text,
    };
  } catch (error) {
    return { error: (error as Error).message };
  }
});
console.log(JSON.stringify(rows));
