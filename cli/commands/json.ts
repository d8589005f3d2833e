// --json means the same in every command: what was found goes to standard output as one line of JSON, and
// nothing else goes there. What is said meanwhile goes to standard error, and there is no bar. Files have options
// of their own (--out, --results).
// Next: progress.ts for the display without --json.

import { InvalidArgumentError, Option } from "commander";
import { type Display, display } from "./progress.ts";

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

/** What a command is given that has the switch. */
export interface JsonFlag {
  readonly json?: boolean;
}

/** Where long work is shown. */
export function displayFor({ json }: JsonFlag): Display {
  if (!json) return display();
  return { say: (message) => console.error(message), show() {}, end() {} };
}

/** Says something to a person. */
export function sayFor({ json }: JsonFlag): (text: string) => void {
  return (text) => (json ? console.error(text) : console.log(text));
}

/** Prints what was found: as data, or as a text that says the same to a person. */
export function printFound({ json }: JsonFlag, data: unknown, text: string): void {
  console.log(json ? JSON.stringify(data) : text);
}
