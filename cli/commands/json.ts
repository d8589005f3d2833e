// --json means the same in every command that has it: what was found goes to standard output as JSON, and
// nothing else goes there. Files have options of their own (--out, --results).
// Next: quiet.ts, through which such a command talks.

import { InvalidArgumentError, Option } from "commander";

/** The switch. `fileOption` is where a file went in a command whose --json once took one: it is told so. */
export function jsonOption(fileOption?: string): Option {
  const about =
    "print the results as JSON on standard output, and everything else on standard error";
  const option = new Option("--json", about);
  if (fileOption === undefined) return option;
  option.optional = true; // so that a file behind it is heard of
  return option.argParser((file: string) => {
    throw new InvalidArgumentError(
      `--json takes no file any more: it prints JSON on standard output. Write ${fileOption} ${file}.`,
    );
  });
}
