// Runs a lesson, or any program of the documentation, in Node at the repository's root.
// Next: run.ts, the command; lesson.ts for what a lesson is.

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mark, moduleOf } from "./lesson.ts";

export const root = fileURLToPath(new URL("..", import.meta.url));
/** The lessons' files, in their order. */
export function lessonFiles(): string[] {
  const names = readdirSync(join(root, "walkthroughs"));
  return names.filter((name) => /^\d\d-.*\.md$/.test(name)).sort();
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
  const args = ["--import", import.meta.resolve("tsx"), file];
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
