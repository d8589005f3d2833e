// Values as code that a person pastes: tensor([0.5, -1], { dtype: "float64" }). Next: property.ts.

import { Random, Tensor } from "../core/index.ts";

/** A number as JavaScript writes it, 0's sign too. */
function numberCode(x: number): string {
  return Object.is(x, -0) ? "-0" : String(x);
}

function nestedCode(x: unknown): string {
  if (Array.isArray(x)) return `[${x.map(nestedCode).join(", ")}]`;
  return typeof x === "number" ? numberCode(x) : String(x);
}

function tensorCode(x: Tensor): string {
  const options = [
    ...(x.size === 0 ? [`shape: [${x.shape.join(", ")}]`] : []),
    ...(x.dtype === "float32" || (x.dtype === "bool" && x.size > 0) ? [] : [`dtype: "${x.dtype}"`]),
  ];
  const values = x.size === 0 ? "[]" : nestedCode(x.toArray());
  return `tensor(${values}${options.length > 0 ? `, { ${options.join(", ")} }` : ""})`;
}

/** A drawn value as code. */
export function codeOf(value: unknown): string {
  if (value instanceof Tensor) return tensorCode(value);
  if (value instanceof Random) return `Random.restore(${JSON.stringify(value.state())})`;
  if (Array.isArray(value)) return `[${value.map(codeOf).join(", ")}]`;
  if (typeof value === "number") return numberCode(value);
  if (typeof value === "function") return value.name || "fn";
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "undefined";
  if (Object.getPrototypeOf(value) !== Object.prototype) return String(value);
  return `{ ${Object.entries(value)
    .map(([key, item]) => `${key}: ${codeOf(item)}`)
    .join(", ")} }`;
}

/** Arguments of a call as code. */
export function argumentsCode(args: readonly unknown[]): string {
  return args.map(codeOf).join(", ");
}

/** The line that imports what a piece of code uses. */
export function importsFor(code: string): string {
  const names = ["Random", "gradcheck", "tensor", "withDefinitions"];
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(code));
  return used.length === 0 ? "" : `import { ${used.join(", ")} } from "twoheads";\n`;
}
