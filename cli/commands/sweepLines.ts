// The hidden command that an engine runs on its machines: tasks of a sweep as lines in, results as lines out; or a share
// of a file of tasks, with results added to a part of the sweep's folder.
// Next: ../../lab/sweep/task.ts.

import { createReadStream } from "node:fs";
import { type Command, Option } from "commander";
import { partsIn, readResultLines } from "../../lab/sweep/results.ts";
import { doLines } from "../../lab/sweep/task.ts";
import { appendLine, joinPath, makeFolder } from "../../nn/checkpoints/files.ts";

interface Given {
  readonly tasks?: string;
  readonly share?: string;
  readonly folder?: string;
}

/** Adds the command. */
export function addSweepLines(program: Command): void {
  program
    .command("sweep-lines <bases>", { hidden: true })
    .addOption(new Option("--tasks <file>", "file of tasks in place of standard input"))
    .addOption(new Option("--share <i/n>", "every n-th task of the file, from the i-th"))
    .addOption(new Option("--folder <folder>", "sweep to whose parts results are added"))
    .action((bases: string, given: Given) => sweepLines(bases, given));
}

async function sweepLines(bases: string, { tasks, share = "0/1", folder }: Given): Promise<void> {
  const [i = 0, n = 1] = share.split("/").map(Number);
  const input = tasks === undefined ? process.stdin : createReadStream(tasks);
  const parts = folder === undefined ? [] : partsIn(folder);
  const done = new Set(
    parts.flatMap((part) => readResultLines(part).lines).map(({ result }) => result.job),
  );
  const stamp = `${Date.now().toString(36)}-${process.pid}`;
  const part = folder && joinPath(joinPath(folder, "parts"), `task-${i}-${stamp}.jsonl`);
  if (folder !== undefined) makeFolder(joinPath(folder, "parts"));
  await doLines(input, bases, {
    skips: ({ job }, at) => at % n !== i || (job !== undefined && done.has(job.id)),
    onLine: (line) => {
      if (part === undefined) process.stdout.write(`${line}\n`);
      else appendLine(part, line);
    },
  });
}
