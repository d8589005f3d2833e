// One half of a comparison with transformers' chat templates: reads templates and conversations, writes each conversation
// by each template and prints the texts, as JSON. Next: compareTemplates.py, which calls this and compares.
//   tsx interop/renderTemplates.ts < asked.json

import { readFileSync } from "node:fs";
import { renderJinja, type TemplateContext } from "../grm/data/jinja.ts";

const asked = JSON.parse(readFileSync(0, "utf8")) as {
  templates: string[];
  conversations: TemplateContext[];
};
const rows = asked.templates.map((template) =>
  asked.conversations.map((conversation) => {
    try {
      const strftime_now = (): string => "28 Nov 2026";
      return { text: renderJinja(template, { ...conversation, strftime_now }) };
    } catch (error) {
      return { error: (error as Error).message };
    }
  }),
);
console.log(JSON.stringify(rows));
