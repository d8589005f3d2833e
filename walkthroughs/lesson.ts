// A lesson is Markdown whose code runs: all its ```ts blocks are one module, and what each prints stands
// below it in a ```text block. Here a lesson is taken apart, run, compared with what it says, and given
// new outputs. Nothing here knows what a lesson is about.
// Next: run.ts, the command; ../test/walkthroughs.test.ts, which holds the lessons to their word.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const tsx = createRequire(import.meta.url).resolve("tsx/cli");

/** A fenced block. */
export interface CodeBlock {
  /** What stands after the opening fence. */
  readonly language: string;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
}

export function blocksOf(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```(\w[\w ]*)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: language = "", 2: text = "", index }) => ({
      language,
      text,
      line: markdown.slice(0, index).split("\n").length,
    }),
  );
}

/** A block of code, and the text below it that it should print. */
export interface LessonStep {
  readonly code: CodeBlock;
  readonly expected: CodeBlock | undefined;
}

export function stepsOf(markdown: string): LessonStep[] {
  const blocks = blocksOf(markdown);
  return blocks.flatMap((code, i) => {
    const next = blocks[i + 1];
    const expected = next?.language.startsWith("text") ? next : undefined;
    return code.language === "ts" ? [{ code, expected }] : [];
  });
}

/** Where the solutions begin: a reader's run stops before. */
export const exercises = "## Exercises";

// --- Running -----------------------------------------------------------------------------------------

/** Written before what a block prints. */
const mark = "\u001e";

/**
 * All code as one module. Each line stands where it stands in the lesson, so that an error's line number
 * is the lesson's; opening fences become marks in the output.
 */
export function moduleOf(markdown: string): string {
  const lines = markdown.split("\n").map(() => "");
  for (const { code } of stepsOf(markdown)) {
    lines[code.line - 1] = `process.stdout.write("\\u001e");`;
    code.text.split("\n").forEach((line, i) => {
      lines[code.line + i] = line;
    });
  }
  return `${lines.join("\n")}\nexport {};\n`; // a module even without imports
}

/** Makes a temporary folder in which programs find this repository's packages, for as long as `use` takes. */
export async function inFolder<T>(use: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "twoheads-document-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs TypeScript in `folder`, at the repository's root, and gives what it prints. */
export function runProgram(
  folder: string,
  code: string,
  { name = "block.ts", onPrint = (_text: string): void => {} } = {},
): Promise<string> {
  const file = join(folder, name);
  writeFileSync(file, code);
  const args = [tsx, "--tsconfig", join(root, "tsconfig.json"), file];
  const plain = { DEBUG: "", TWOHEADS_DEVICE: "", TWOHEADS_FMA: "" };
  const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...plain } });
  let [printed, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
    onPrint(text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve(printed);
      else reject(new Error(`${name} ended with status ${status}\n${errors}`));
    });
  });
}

/** Runs a lesson; gives what each block prints. `onPrint` hears the number of the block, and a piece of it. */
export async function runLesson(
  name: string,
  markdown: string,
  onPrint: (step: number, text: string) => void = () => {},
): Promise<string[]> {
  let step = -1;
  const hear = (text: string): void =>
    text.split(mark).forEach((part, i) => {
      if (i > 0) step++;
      onPrint(step, part);
    });
  const options = { name: `${name}.ts`, onPrint: hear };
  const printed = await inFolder((folder) => runProgram(folder, moduleOf(markdown), options));
  return printed.split(mark).slice(1);
}

// --- Comparing ---------------------------------------------------------------------------------------

/** Output whose numbers depend on the machine: `# ms` in place of `31.4 ms`. */
function withoutNumbers(text: string): string {
  return text.replaceAll(/\d+(\.\d+)?/g, "#").replaceAll(/ +/g, " ");
}

/**
 * What doesn't stand in the lesson as it was printed; empty if all does. Bit for bit, except below
 * ```text numbers vary, where anything may stand for a number.
 */
export function problemsOf(markdown: string, outputs: readonly string[]): string[] {
  return stepsOf(markdown).flatMap(({ code, expected }, i) => {
    const printed = outputs[i];
    if (printed === undefined) return [`line ${code.line}: the block wasn't run`];
    const said = expected?.text ?? "";
    const seen = expected?.language === "text numbers vary" ? withoutNumbers : String;
    const changes = changesBetween(linesOf(seen(said)), linesOf(seen(printed)));
    const line = expected?.line ?? code.line;
    return changes.length === 0 ? [] : [`line ${line} of the lesson:\n${changes.join("\n")}`];
  });
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** Lines that differ, place by place: `- as the lesson says`, `+ as printed`. */
function changesBetween(said: readonly string[], printed: readonly string[]): string[] {
  const places = Array.from({ length: Math.max(said.length, printed.length) }, (_, i) => i);
  return places.flatMap((i) => {
    if (said[i] === printed[i]) return [];
    const [old, now] = [said[i], printed[i]];
    return [...(old === undefined ? [] : [`- ${old}`]), ...(now === undefined ? [] : [`+ ${now}`])];
  });
}

/** The lesson with what was printed where it belongs. */
export function updated(markdown: string, outputs: readonly string[]): string {
  const lines = markdown.split("\n");
  const steps = [...stepsOf(markdown).entries()];
  for (const [i, { code, expected }] of steps.reverse()) {
    const printed = outputs[i] ?? "";
    const end = (block: CodeBlock): number => block.line + block.text.split("\n").length - 1;
    const body = printed.split("\n").slice(0, -1);
    if (expected !== undefined) lines.splice(expected.line, end(expected) - expected.line, ...body);
    else if (printed !== "") lines.splice(end(code) + 1, 0, "", "```text", ...body, "```");
  }
  return lines.join("\n");
}
