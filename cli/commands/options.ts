// Command-line options from a schema of settings: one for each field, with the description and the
// default that stand in the schema, so that a new setting is an option without another line here.
// Next: pretrain.ts.

import type { Command } from "commander";
import type { z } from "zod";

/** batchSize as --batch-size. */
function flagOf(field: string): string {
  return `--${field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Adds an option for every field; what the user gives comes out under the field's own name. */
export function addOptions(command: Command, schema: z.ZodObject): void {
  const defaults = schema.parse({});
  for (const [field, { description = "" }] of Object.entries(schema.shape as Fields)) {
    const value = defaults[field];
    const isText = typeof value === "string";
    const flag = `${flagOf(field)} <${isText ? "text" : "number"}>`;
    const shown = value === null ? "" : ` (default: ${JSON.stringify(value)})`;
    command.option(flag, description + shown, (text) => (isText ? text : numberOf(text)));
  }
}

type Fields = Readonly<Record<string, { readonly description?: string }>>;

/** A number, or the text itself where it is none: the schema then says what it should be. */
function numberOf(text: string): number | string {
  return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
}
