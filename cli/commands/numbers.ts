// Numbers on the command line. Next: options.ts, which makes options from a schema.

import { InvalidArgumentError } from "commander";

/** A whole number >= 0, such as a seed; commander prints what is wrong beside the option's name. */
export function naturalNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Not a whole number.");
}

/** A whole number > 0; commander prints what is wrong beside the option's name. */
export function wholeNumber(text: string): number {
  if (/^\d+$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError("Not a whole number > 0.");
}
