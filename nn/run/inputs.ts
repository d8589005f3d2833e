// What a run reads and doesn't copy, known by its SHA-256: the model that it begins from, its judges, its task's
// data. Whoever goes on with the run finds the same there, or is told. Next: folder.ts, whose run.json keeps them.

import { createHash } from "node:crypto";
import * as paths from "node:path";
import { FileError } from "../checkpoints/byteSource.ts";
import { digestOfFile, fileExists, isFolder, joinPath, namesIn } from "../checkpoints/files.ts";

/** SHA-256 by path. */
export type InputDigests = Readonly<Record<string, string>>;

/** A model's files; a run's own, such as metrics, change without changing the model. */
const ofModel =
  /^(config|generation_config)\.json$|^tokenizer|^chat_template|^(?!checkpoint).*\.safetensors/;

/** The SHA-256 of a file, or of a folder: of a list of its files' names and their own, a model's alone if it holds one. */
function digestOf(path: string): string {
  if (!isFolder(path)) return digestOfFile(path);
  const isModel = fileExists(joinPath(path, "config.json"));
  const files = namesIn(path).filter((name) => !isModel || ofModel.test(name));
  const list = files.map((name) => `${digestOf(joinPath(path, name))}  ${name}\n`);
  return createHash("sha256").update(list.join("")).digest("hex");
}

/** What is there now, by paths that hold from every folder. */
export function inputsOf(files: readonly string[]): InputDigests {
  return Object.fromEntries(files.map((path) => [paths.resolve(path), digestOf(path)]));
}

/**
 * A FileError unless everything is what it was. What isn't there any more is an error as well, except what `isSpared`
 * says that the run goes on without.
 */
export function checkInputs(
  run: string,
  inputs: InputDigests = {},
  isSpared: (path: string) => boolean = () => false,
): void {
  for (const [path, digest] of Object.entries(inputs)) {
    const isThere = fileExists(path);
    if (isThere ? digestOf(path) === digest : isSpared(path)) continue;
    const problem = isThere ? "isn't any more what it was" : "isn't there any more, as it was";
    throw new FileError(
      path,
      "",
      `${problem} when the run in ${run} began; put back what was there, of the SHA-256 that run.json says, or begin a new run`,
    );
  }
}
