// What a program in plain JavaScript is told at every door of the package: each exported function and class,
// found by itself, is called in wrong ways (with nothing, null, a number, an object, an option of another
// name, an option by position, an argument too many), and each call must end in a TwoheadsError or in a
// result. What comes before a wrong argument is found by trying values until the message names the next one.
// Next: mistakes.test.ts for the ops and for what the messages say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { random, TwoheadsError, tensor } from "../core/index.ts";
import { RewardModel } from "../grm/index.ts";
import { Field } from "../nn/checkpoints/json.ts";
import { CausalLM, SGD } from "../nn/index.ts";
import { root } from "./folders.ts";

/** Why a door isn't called. */
const exempt: Readonly<Record<string, string>> = {
  ...of("an abstract class", "Module"),
  ...of("makes an empty one", "PairReport"),
  ...of("called by devices and ops on their way", "Storage Tensor Wasm WasmMemory WasmDevice"),
  ...of("called by devices and ops on their way", "constant indicesLike runLoops shareOf isFloat"),
  ...of("called by devices and ops on their way", "environment registerDevice within"),
  ...of("takes nothing", "currentDevice wideLanes"),
};

function of(reason: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(" ").map((name) => [name, reason]));
}

/** Take any value. */
const open = ["showTree", "namedTensors", "tensorsOf"];

/** All that they take may be left out. */
const allOptional = [
  "mapSummaries",
  "setMemoryLimit",
  "masks",
  "shapes",
  "tensors",
  "ready",
  "createWasm",
  "ByteTokenizer",
  "GpuDevice",
];

class Stranger {
  readonly strange = 1;
}

type Loose = (...args: unknown[]) => unknown;

interface Door {
  readonly name: string;
  readonly call: Loose;
}

/** Every function and class of a door, and of the rooms in it. */
function doorsOf(module: object): Door[] {
  return Object.entries(module).flatMap(([name, value]): Door[] => {
    if (Object.prototype.toString.call(value) === "[object Module]")
      return doorsOf(value as object);
    if (typeof value !== "function" || "entry" in value || name in exempt) return [];
    const isClass = /^class\b/.test(Function.prototype.toString.call(value));
    if (value.prototype instanceof Error) return [];
    const make: Loose = (...args) => Reflect.construct(value, args);
    return [{ name, call: isClass ? make : (value as Loose) }];
  });
}

/** What a call ends in: an error, or undefined. Streams are asked for their first piece. */
async function errorOf(call: Loose, args: readonly unknown[]): Promise<unknown> {
  try {
    const made = await call(...args);
    if (Symbol.asyncIterator in Object(made)) await (made as AsyncGenerator).next();
    return undefined;
  } catch (error) {
    return error;
  }
}

const rng = random(0);
const lm = new CausalLM({ vocabSize: 8, dim: 8, layers: 1, heads: 2, context: 8 }, { rng });
/** What an argument may be: the first that is taken. */
const candidates: readonly unknown[] = [
  ...[1, "x", true, () => 1, rng, lm, new RewardModel(lm, { rng }), lm.lmHead, [1], tensor([1])],
  ...["float32", "bon", "all", "afinn", "drop", new Field("", "", 1), new SGD(lm, { lr: 1 }), {}],
];

/** A value of a kind that a message names: "ids must be an array of numbers". */
const kinds: Readonly<Record<string, unknown>> = {
  ...{ string: "x", array: [1], object: {}, number: 1, null: null, function: () => 1 },
};

/** An object that gets the fields that the messages ask for, as long as they ask. */
async function grown(run: (value: object) => Promise<unknown>): Promise<object> {
  let value: Record<string, unknown> = {};
  for (let most = 9; most > 0; most--) {
    const said = String(await run(value));
    const asked = /: \w+\.(\w+) must be (?:one of )?(?:an? )?(\w+)/.exec(said);
    const [, field = "", kind = ""] = asked ?? [];
    if (asked === null) break;
    value = { ...value, [field]: kind in kinds ? kinds[kind] : kind };
  }
  return value;
}

/** What a message tells to write: NAME(a, b?, { c, d? }) as the names of parameters, with "{" for options. */
function parametersIn(message: string): string[] | null {
  const [, self, list] =
    /[wW]rite (?:new )?(?:([a-z]\w*)\.)?[\w.]+\(([^;]*)\)$/.exec(message) ?? [];
  if (list === undefined) return null;
  const names = list.replace(/\{.*\}/, "{").split(", ");
  return self === undefined ? names : [self, ...names];
}

/** One argument more than there may be: no call with it ever runs. */
const surplus = Object.freeze({ surplus: true });

/** Arguments that a door takes before its options. */
async function rightArguments({ name, call }: Door, parameters: readonly string[]) {
  const args: unknown[] = [];
  for (const parameter of parameters.filter((text) => text !== "{")) {
    const rest = parameters.slice(args.length + 1).map(() => undefined);
    const run = (value: unknown) => errorOf(call, [...args, value, ...rest, surplus]);
    const isTaken = async (value: unknown): Promise<boolean> => {
      const message = String(((await run(value)) as Error | undefined)?.message);
      const [, about = ""] = /^[\w.]+: (\w+)/.exec(message) ?? [];
      return about !== parameter.replace("?", "");
    };
    const values = parameter.endsWith("?") ? [undefined] : [...candidates, await grown(run)];
    const taken = await Promise.all(values.map(isTaken));
    assert.ok(taken.includes(true), `${name}: no candidate is a ${parameter}`);
    args.push(values[taken.indexOf(true)]);
  }
  return args;
}

const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, { readonly default?: string } | string>>;
};
const files = Object.values(exports).flatMap((door) =>
  typeof door === "string" || door.default === undefined // types alone
    ? []
    : [door.default.replace("./dist/", "").replace(".js", ".ts")],
);
const found = new Map<unknown, Door>();
for (const file of files)
  for (const door of doorsOf((await import(pathToFileURL(join(root, file)).href)) as object))
    found.set(`${door.name}`, door);

describe("a wrong call is told what is wrong", () => {
  test("doors are found", () => assert.ok(found.size > 300, `${found.size} functions and classes`));

  for (const { name, call } of found.values()) {
    test(name, async () => {
      for (const args of [[], [null], [5], [{}], [new Stranger()], [{ bogusOption: 1 }]]) {
        const error = await errorOf(call, args);
        const what = `${name}(${args.map((arg) => JSON.stringify(arg))}): ${String(error)}`;
        const isOurs = error instanceof TwoheadsError;
        assert.ok(isOurs || error === undefined, what);
        const isWrong =
          args[0] instanceof Stranger || Object.hasOwn(Object(args[0]), "bogusOption");
        if (isWrong && !open.includes(name)) assert.ok(isOurs, what);
        const isEmpty = args.length === 0 || args[0] === null;
        if (isEmpty && !open.includes(name) && !allOptional.includes(name)) assert.ok(isOurs, what);
      }
    });
  }
});

describe("options are given by name, and none is one too many", () => {
  let walked = 0;
  for (const door of found.values()) {
    test(door.name, async (t) => {
      const { name, call } = door;
      const message = String(
        ((await errorOf(call, [new Stranger()])) as Error | undefined)?.message,
      );
      const parameters = parametersIn(message);
      if (parameters === null) return t.diagnostic(`says nothing of its parameters: ${message}`);
      walked++;
      const args = await rightArguments(door, parameters);
      const wrong = [...args, ...parameters.slice(args.length).map(() => undefined), surplus];
      assert.ok((await errorOf(call, wrong)) instanceof TwoheadsError, `${name}: one too many`);
      if (parameters.at(-1) !== "{") return;
      const { message: named } = (await errorOf(call, [...args, { bogusOption: 1 }])) as Error;
      assert.match(named, /bogusOption/, `${name}: an option that isn't there`);
      for (const value of [7, "text", [0], null]) {
        const { message: told } = (await errorOf(call, [...args, value])) as Error;
        assert.match(told, /options are given by name/, `${name}: ${JSON.stringify(value)}`);
      }
    });
  }
  test("most doors say what they take", () => assert.ok(walked > 250, `only ${walked}`));
});
