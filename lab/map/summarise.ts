// npm run map: makes summary.json again from the committed results. Next: summary.ts.

import { writeFileSync } from "node:fs";
import { summariesMade } from "./summary.ts";

const summaries = summariesMade();
writeFileSync(new URL("summary.json", import.meta.url), `${JSON.stringify(summaries, null, 2)}\n`);
for (const { world, seeds, models, answers } of summaries)
  console.log(`${world}: ${models} reward models of ${seeds} seeds\n${answers.join("\n")}\n`);
