// Fields of a tokenizer.json that may be missing, and the parts that a type chooses among.
// Next: normalizers.ts, which is read with this.

import type { Field } from "../../checkpoints/json.ts";

/** Whether a field is missing or null. */
export function isNone(field: Field): boolean {
  return field.value === undefined || field.value === null;
}

export function stringOr(field: Field, otherwise: string): string {
  return isNone(field) ? otherwise : field.string();
}

export function booleanOr(field: Field, otherwise: boolean): boolean {
  if (isNone(field)) return otherwise;
  return typeof field.value === "boolean" ? field.value : field.fail("needs true or false");
}

/** A single character, such as Metaspace's. */
export function characterOr(field: Field, otherwise: string): string {
  const text = stringOr(field, otherwise);
  return Array.from(text).length === 1 ? text : field.fail("needs one character");
}

/** What makes a part, by the name of its type. */
export type Makers<Part> = Readonly<Record<string, (field: Field) => Part>>;

/** The part that a field describes; null where it describes none. */
export function partIn<Part>(field: Field, makers: Makers<Part>): Part | null {
  if (isNone(field)) return null;
  const type = field.get("type");
  const maker = Object.hasOwn(makers, type.string()) ? makers[type.string()] : undefined;
  if (maker !== undefined) return maker(field);
  return type.fail(`"${type.string()}" isn't known; known are ${Object.keys(makers).join(", ")}`);
}

/** The parts of a list, in their order. */
export function partsIn<Part>(list: Field, makers: Makers<Part>): Part[] {
  return list.items().map((item) => partIn(item, makers) ?? item.fail("is no part"));
}
