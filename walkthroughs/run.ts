// npm run walkthrough 3: runs a lesson, says what each of its blocks prints as it goes, and whether that
// is what the lesson says. A figure that isn't the lesson's lies in walkthroughs/figures/own afterwards.
// Next: lesson.ts for how, README.md for the lessons.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { flagsTakenByNpm } from "../cli/npmFlags.ts";
import { exercises, problemsOf, stepsOf, updated } from "./lesson.ts";
import { lessonFiles, root, runLesson } from "./running.ts";

const folder = join(root, "walkthroughs");
const figures = join(folder, "figures");
const usage = `npm run walkthrough 3                lesson 3, without its exercises' solutions
npm run walkthrough 3 solutions      with them; --solutions says the same
npm run walkthrough 3 update         for maintainers: writes what is printed into the lesson`;

const switches = ["--solutions", "--update"];
const { values, positionals } = parseArgs({
  args: [...process.argv.slice(2), ...flagsTakenByNpm(switches)],
  options: { solutions: { type: "boolean" }, update: { type: "boolean" } },
  allowPositionals: true,
});
const words = positionals.slice(1); // as npm refuses or keeps flags that it doesn't know, words do too
const isUpdated = values.update || words.includes("update");
const isWhole = isUpdated || values.solutions || words.includes("solutions");

/** The heading that a line stands below. */
function headingOf(markdown: string, line: number): string {
  const above = markdown.split("\n").slice(0, line - 1);
  return above.findLast((text) => /^#+ /.test(text))?.replace(/^#+ /, "") ?? "";
}

/** The figures' folder: each drawing by its name. */
function figuresNow(): Map<string, string> {
  const names = readdirSync(figures).filter((name) => name.endsWith(".svg"));
  return new Map(names.map((name) => [name, readFileSync(join(figures, name), "utf8")]));
}

/**
 * Says which figures a lesson drew. One that differs from the lesson's, as changed code or other times make it, is kept in a folder
 * that git ignores, and the lesson has its own again.
 */
function tellFigures(markdown: string, before: ReadonlyMap<string, string>): void {
  for (const [figure, svg] of figuresNow()) {
    const path = `walkthroughs/figures/${figure}`;
    if (!markdown.includes(`"${path}"`)) continue;
    const said = before.get(figure);
    if (isUpdated || said === undefined || said === svg) {
      console.log(`figure: ${path}`);
      continue;
    }
    mkdirSync(join(figures, "own"), { recursive: true });
    writeFileSync(join(figures, "own", figure), svg);
    writeFileSync(join(figures, figure), said);
    console.log(`figure: walkthroughs/figures/own/${figure} (the lesson's is ${path})`);
  }
}

async function runNamed(name: string): Promise<void> {
  const file = join(folder, name);
  const whole = readFileSync(file, "utf8");
  const markdown = isWhole ? whole : (whole.split(`\n${exercises}\n`)[0] ?? "");
  const lines = stepsOf(markdown).map(({ code }) => code.line);
  const started = Date.now();
  const before = figuresNow();
  let current = -1;
  const outputs = await runLesson(name, markdown, (step, text) => {
    const line = lines[step];
    if (step !== current && line !== undefined)
      console.log(`\n--- ${headingOf(markdown, line)} (line ${line})`);
    current = step;
    process.stdout.write(text);
  });
  if (isUpdated) writeFileSync(file, updated(whole, outputs));
  const problems = isUpdated ? [] : problemsOf(markdown, outputs);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`\nwalkthroughs/${name}: ${seconds} s; ${verdict(problems)}`);
  tellFigures(markdown, before);
  for (const problem of problems) console.log(`\n${problem}`);
}

function verdict(problems: readonly string[]): string {
  if (isUpdated) return "the lesson says now what was printed";
  return problems.length === 0
    ? "as the lesson says"
    : "not as the lesson says (- said, + printed)";
}

const number = positionals[0]?.padStart(2, "0") ?? "";
const name = lessonFiles().find((lesson) => lesson.startsWith(`${number}-`));
const isKnown = words.every((word) => switches.includes(`--${word}`));
if (name === undefined || !isKnown) {
  console.log(`${usage}\n\n${lessonFiles().join("\n")}`);
  process.exitCode = 1;
} else {
  await runNamed(name).catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
