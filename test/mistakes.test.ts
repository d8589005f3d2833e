// What plain JavaScript is told: from the arguments that every op's entry draws, wrong calls are made (an
// option of another name, a value by position, an argument too few or too many, null, another kind of value),
// as function and as method, and each must be refused by a TwoheadsError; only what the signature allows to
// be left out may be. The signatures themselves are held against the TypeScript types by the compiler.
// Next: errors.test.ts for what is wrong with right arguments.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import "../core/further/methods.ts";
import * as core from "../core/index.ts";
import {
  furtherOps,
  opTable,
  random,
  Tensor,
  TwoheadsError,
  tensor,
  zeros,
} from "../core/index.ts";
import { accept, type Signature, signature } from "../core/signature.ts";
import * as grm from "../grm/index.ts";
import * as kernels from "../kernels/index.ts";
import * as nn from "../nn/index.ts";
import { described } from "../testing/draw.ts";
import { holds } from "../testing/property.ts";
import { compilerOn } from "./compiler.ts";
import { functionOf } from "./opNamed.ts";

type Parameters = NonNullable<Signature["parameters"]>;

/** What an op takes, read by the code that checks calls. */
function parametersOf(name: string, takes: string, args: readonly unknown[]): Parameters {
  const read = signature(name, takes);
  accept(read, args);
  return read.parameters ?? [];
}

/** The call throws a TwoheadsError whose message begins with the name and holds the words. */
function refused(name: string, what: string, call: () => unknown, ...words: string[]): void {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    assert.ok(error instanceof TwoheadsError, `${what}: ${String(error)}`);
    assert.ok(error.message.startsWith(`${name}: `), `${what}: "${error.message}"`);
    for (const word of words)
      assert.ok(error.message.includes(word), `${what}: "${error.message}" lacks ${word}`);
    return;
  }
  assert.fail(`${what}: ${name} took it and gave ${String(result)}`);
}

/** An op in both forms: sum(x, ...rest), and x.sum(...rest) where there is such a method. */
function bothForms(name: string, args: readonly unknown[]): (() => unknown)[] {
  const [x, ...rest] = args;
  const forms = [() => functionOf(name)(...args)];
  if (x instanceof Tensor && name in x) {
    const methods = x as unknown as Record<string, (...rest: unknown[]) => unknown>;
    forms.push(() => methods[name]?.(...rest));
  }
  return forms;
}

/** The arguments with another one in a place, which may be behind the last. */
function replaced(args: readonly unknown[], at: number, value: unknown): unknown[] {
  const others = Array.from({ length: Math.max(args.length, at + 1) }, (_, i) => args[i]);
  return others.with(at, value);
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Values of kinds that an argument may have been mixed up with. */
const others: readonly unknown[] = [null, "text", true, 7, [1, 2], zeros([2]), () => 1, new Map()];

const every = new Map([...opTable, ...furtherOps]);

for (const [name, entry] of every) {
  const { takes } = entry;
  describe(name, () => {
    const mistake = (
      what: string,
      make: (args: readonly unknown[], parameters: Parameters) => readonly (readonly unknown[])[],
      words: readonly string[] = [],
    ): void => {
      test(`${name}: ${what}`, () =>
        holds(
          `${name}: ${what}`,
          described(entry).draw,
          (args) => {
            for (const wrong of make(args, parametersOf(name, takes, args)))
              for (const call of bothForms(name, wrong)) refused(name, what, call, ...words);
          },
          { runs: 5 },
        ));
    };
    mistake(
      "an option that isn't there is named",
      (args, parameters) => {
        const at = parameters.findIndex((p) => p.types.some(({ options }) => options));
        const given = at < 0 ? {} : args[at];
        const wrong = [...args];
        wrong[at < 0 ? args.length : at] = { ...(given as object), bogusOption: 1 };
        return [wrong];
      },
      ["bogusOption"],
    );
    mistake(
      "options in other spellings are told the right one",
      (args, parameters) => {
        const at = parameters.length - 1;
        const options = parameters[at]?.types[0]?.options ?? [];
        const given = (args[at] ?? {}) as Readonly<Record<string, unknown>>;
        return options.flatMap(({ name: option }) => {
          const { [option]: value = 1, ...rest } = given;
          const spellings = [snake(option), option.toUpperCase(), option.toLowerCase()];
          return spellings
            .filter((spelling) => spelling !== option)
            .map((spelling) => [...args.slice(0, at), { ...rest, [spelling]: value }]);
        });
      },
      ["did you mean"],
    );
    mistake("an option by position is refused", (args, parameters) => {
      const at = parameters.length - 1;
      const options = parameters[at]?.types[0]?.options;
      const values = options === undefined ? [] : [0, 1, true, "sum", [0], null, zeros([1])];
      return values.map((value) => [...args.slice(0, at), value]);
    });
    mistake("an argument too many is refused", (args, parameters) => {
      const full = [...args];
      while (full.length < parameters.length) full.push(undefined);
      return [7, null, "text", { dim: 0 }].map((extra) => [...full, extra]);
    });
    mistake("a missing argument is refused, unless it is optional", (args, parameters) =>
      parameters.flatMap(({ isOptional, isRest }, at) =>
        isOptional || isRest ? [] : [args.slice(0, at), replaced(args, at, undefined)],
      ),
    );
    mistake("another kind of value is refused", (args, parameters) =>
      parameters.flatMap((parameter, at) =>
        others.flatMap((other) => {
          const alone = { ...signature(name, ""), parameters: [parameter] };
          const isFine = succeeds(() => accept(alone, [other]));
          return isFine ? [] : [replaced(args, at, other)];
        }),
      ),
    );
    mistake("another kind of value of an option is refused", (args, parameters) => {
      const at = parameters.length - 1;
      const options = parameters[at]?.types[0]?.options ?? [];
      return options.flatMap((option) =>
        others.flatMap((other) => {
          const alone = { ...signature(name, ""), parameters: [option] };
          if (succeeds(() => accept(alone, [other]))) return [];
          return [[...args.slice(0, at), { ...(args[at] as object), [option.name]: other }]];
        }),
      );
    });
  });
}

function succeeds(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    assert.ok(error instanceof TwoheadsError);
    return false;
  }
}

test("a function may be what a list is mapped with", () => {
  const list = [zeros([2]), zeros([3])];
  assert.equal(list.map(core.zerosLike).length, 2);
  assert.equal(list.map(core.exp).length, 2);
});

// --- Lines and types ---------------------------------------------------------------------------------

const root = fileURLToPath(new URL("..", import.meta.url));

/** A signature's line as a TypeScript type: it is one already, but for the names of kinds. */
function typeOf(takes: string): string {
  const isOpen = (fields: string): boolean => /\w:/.test(fields.replaceAll(/\{[^{}]*\}/g, ""));
  return takes
    .replaceAll(
      /, (\{.*\})$/g,
      (_, fields: string) => `, options${isOpen(fields.slice(1, -1)) ? "" : "?"}: ${fields}`,
    )
    .replaceAll("...operand: Tensor", "...operand: Tensor[]")
    .replaceAll(/\bShape\b/g, "readonly number[]")
    .replaceAll("number[]", "readonly number[]")
    .replaceAll("readonly readonly", "readonly")
    .replaceAll("Tensor[]", (list, at: number, all: string) =>
      all.slice(at - 12, at).includes("...") ? list : "readonly Tensor[]",
    )
    .replaceAll(/\bDType\b/g, "core.DType")
    .replaceAll(/\bTensor\b/g, "core.Tensor")
    .replaceAll(/\bRandom\b/g, "core.Random");
}

/** Ops that take more than their types say: a mask may be a boolean, and clamp itself says that it lacks a bound. */
const wider = ["where", "maskedFill", "clamp"];

test("an op's signature says what its TypeScript type says", () => {
  const folder = mkdtempSync(join(tmpdir(), "twoheads-signatures-"));
  try {
    const lines = [...every].flatMap(([name, { takes }]) => {
      const line = `Parameters<(${typeOf(takes)}) => void>`;
      const type = `Parameters<typeof core.${name}>`;
      const forth = `{ const _: ${line} = null! as ${type}; }`;
      const back = `{ const _: ${type} = null! as ${line}; }`;
      const keys = `{ const _: Keys<${line}> = null! as Keys<${type}>; }`;
      return wider.includes(name) ? [forth, keys] : [forth, back, keys];
    });
    const source = [
      `import * as core from ${JSON.stringify(join(root, "core/index.ts"))};`,
      "type Last<P> = Required<P> extends readonly [...infer _, infer L] ? L : never;",
      "type Keys<P> = Last<P> extends core.Tensor | number | boolean | string ? never : keyof Last<P>;",
      ...lines,
    ];
    writeFileSync(join(folder, "signatures.ts"), source.join("\n"));
    const config = {
      extends: join(root, "tsconfig.json"),
      files: ["signatures.ts", join(root, "core/alea.d.ts")],
    };
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const typeRoots = [join(root, "node_modules/@types")];
    const compilerOptions = { exactOptionalPropertyTypes: false, typeRoots };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ ...config, compilerOptions }));
    assert.equal(compilerOn(folder), "");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

// --- Beyond the ops ----------------------------------------------------------------------------------

const rng = random(0);
const x = zeros([2, 2]);
const leaf = tensor([1, 2], { requiresGrad: true });
const config = { vocabSize: 11, dim: 8, layers: 1, heads: 2, context: 16 };
const lm = new nn.CausalLM(config, { rng });
const model = new grm.RewardModel(lm, { rng });
const ids = tensor([[1, 2, 3]], { dtype: "int32" });

/** Doors as plain JavaScript sees them. */
type Loose = (...args: unknown[]) => unknown;
type LooseClass = new (...args: unknown[]) => unknown;
const of = (door: object, name: string): Loose => (door as Record<string, Loose>)[name] as Loose;
const make = (door: object, name: string, ...args: unknown[]): unknown =>
  new ((door as Record<string, LooseClass>)[name] as LooseClass)(...args);

describe("functions and classes are told", () => {
  const told = (name: string, call: () => unknown, ...words: string[]): void => {
    test(`${name}: ${words.join(", ")}`, () => refused(name, "a wrong call", call, ...words));
  };
  const calls = (door: object, name: string, ...cases: [args: unknown[], ...string[]][]): void => {
    const isClass = /^[A-Z]/.test(name);
    for (const [args, ...words] of cases)
      told(name, () => (isClass ? make(door, name, ...args) : of(door, name)(...args)), ...words);
  };
  calls(
    core,
    "tensor",
    [
      [
        [1, 2],
        [2, 1],
      ],
      "{ shape: [2,1] }",
    ],
    [[[1], "int32"], "dtype"],
  );
  calls(core, "tensor", [[[1], { requires_grad: true }], "requiresGrad: true"], [[], "values"]);
  for (const name of ["zeros", "ones"]) {
    calls(core, name, [[2, 3], "array of sizes"], [[], "nothing"], [[[2], "int32"], "dtype"]);
    calls(core, name, [[[2], { dtype: "float16" }], "float16"], [[[2], {}, 3], "too many"]);
    calls(core, name, [[[2], { requires_grad: true }], "did you mean requiresGrad"], [[[2], null]]);
  }
  calls(core, "full", [[[2]], "value must be a number"], [[[2], 1, "int32"], 'dtype: "int32"']);
  calls(core, "arange", [[], "start"], [["5"], "start"], [[0, 5, { dtype: "int32" }, 1]]);
  calls(core, "arange", [[0, 5, { dtypes: "int32" }], "did you mean dtype"], [[0, 1, 1, {}, 1]]);
  calls(core, "linspace", [[0, 1], "count"], [[0, 1, 2, "float64"], "dtype"]);
  calls(core, "eye", [[[2]], "n must be a number"], [[2, 3], "options are given by name"]);
  calls(core, "oneHot", [[ids, 11], "{ classes: 11 }"], [[ids, { num_classes: 3 }], "classes: 3"]);
  calls(core, "oneHot", [[[1, 2], { classes: 3 }], "index must be a tensor"], [[ids], "classes"]);
  for (const name of ["rand", "randn", "bernoulli"]) {
    calls(core, name, [[[2]], "rng: random(seed)"], [[[2], random(1)], "{ rng"]);
    calls(core, name, [[[2], { seed: 1 }], "did you mean rng"], [[[2], { rng: 1 }], "generator"]);
  }
  calls(core, "randint", [[[2], 3], "high: 3"], [[[2], { rng }], "high must be a number"]);
  calls(core, "fullLike", [[x], "value"], [[[1], 2], "x must be a tensor"]);
  calls(core, "random", [[], "seed must be"], [[null], "null"]);
  calls(core, "use", [["wasm", { threads: 1 }], "only the name"]);
  told("clamp", () => of(x, "clamp").call(x), "neither min nor max");
  const more = "too many; write";
  for (const name of ["read", "keep", "detach", "release"])
    told(name, () => of(x, name).call(x, 1), more);
  told("normal", () => of(rng, "normal").call(rng, 0, 0.02), "too many");
  for (const name of ["eval", "freeze", "unfreeze", "parameters", "namedParameters", "stateDict"])
    told(name, () => of(lm, name).call(lm, true), more);
  calls(core, "grad", [[leaf.sum(), leaf, true], "options are given by name"], [[leaf.sum()]]);
  calls(core, "grad", [[leaf.sum(), leaf, { create_graph: true }], "createGraph: true"]);
  calls(core, "grad", [[leaf, leaf, { gradOutputs: [leaf, leaf] }], "one for each"]);
  calls(core, "grad", [[leaf, leaf, { gradOutputs: [null] }], "gradOutputs 0", "null"]);
  calls(core, "backward", [[leaf.mul(2), leaf], "gradient"], [[2], "y must be a tensor"]);
  calls(core, "backward", [[leaf.sum(), { retain_graph: true }], "retainGraph: true"]);
  calls(core, "registerHook", [[leaf], "hook must be a function"]);
  told(
    "registerHook",
    () => {
      const y = tensor([1], { requiresGrad: true });
      y.registerHook((() => 1) as never);
      y.sum().backward();
    },
    "what the hook returns",
  );
  for (const name of ["noGrad", "enableGrad", "detectAnomaly", "scope", "withDefinitions"])
    calls(core, name, [[], "fn must be a function"], [[x], "fn must be a function"]);
  const f64 = tensor([1], { dtype: "float64" });
  calls(core, "gradcheck", [[() => 3, f64], "a number"], [[() => [f64, 1], f64], "a number"]);
  calls(core, "gradcheck", [[core.exp, f64, { eps: 0.1 }], "did you mean step"], [[core.exp, 2]]);
  calls(core, "gradcheck", [[core.exp, [2]], "each input"], [[core.exp, f64, 1], "order: 1"]);
  calls(core, "vjp", [[() => 1, [leaf]], "what fn returns"], [[core.exp, leaf], "inputs"]);
  calls(core, "hvp", [[core.exp, [leaf]], "vectors"], [[() => 1, [leaf], [leaf]], "fn returns"]);
  calls(core, "ropeTables", [[[1, 2]], "dim"], [[[1, 2], 4], "{ dim: 4 }"]);
  calls(core, "adamwStep", [[[x], [x], [x], [x]], "lr"]);
  told("requiresGrad_", () => leaf.requiresGrad_("yes" as never), "true or false");

  for (const name of ["CausalLM", "Transformer", "makeBackbone"]) {
    calls(nn, name, [[config], "{ rng: random(seed) }"], [[config, rng], "{ rng }"]);
    calls(nn, name, [[config, { seed: 0 }], "did you mean rng"], [[]], [[config, { rng }, 1]]);
  }
  calls(nn, "modelConfig", [[{ ...config, hidden_size: 8 }], "dim"], [[], "nothing"]);
  calls(nn, "modelConfig", [[{ ...config, num_layers: 8 }], "layers"], [[{ n_embd: 8 }], "dim"]);
  for (const name of ["Linear", "Conv1D"]) {
    calls(nn, name, [[3, 4], "rng"], [[3, 4, true], "bias: true"], [[3, { rng }], "outFeatures"]);
    calls(nn, name, [[3, 4, { rng }, 1], "too many"], [[3, 4, { rng, biases: true }], "bias"]);
  }
  calls(nn, "Embedding", [[3, 4], "rng"], [[3, { rng }], "dim"], [[3, 4, rng], "{ rng }"]);
  calls(nn, "LSTM", [[{ style: "lstm", vocabSize: 3, dim: 4, layers: 1 }], "rng"]);
  for (const name of ["LayerNorm", "RMSNorm"])
    calls(nn, name, [[[3]], "dim must be a number"], [[3, { eps: 1 }], "eps must be a number"]);
  calls(nn, "Dropout", [[{ p: 0.5 }], "p must be a number"], [[]]);
  for (const [name, kind] of [
    ["Projection", "make a Linear or a Conv1D"],
    ["SelfAttention", "make a LlamaAttention or a GPT2Attention"],
    ["FeedForward", "make a SwiGLU or an MLP"],
    ["Backbone", "make a Transformer or an LSTM"],
    ["Optimiser", "make an AdamW or an SGD"],
  ] as const)
    calls(nn, name, [[], kind], [[config, { rng }], kind]);
  class Feed extends (nn.FeedForward as unknown as new (...args: unknown[]) => object) {}
  told("FeedForward", () => new Feed(), "config must be an object");
  calls(nn, "parseSafetensors", [[[1]], "Uint8Array"], [[new ArrayBuffer(8)], "new Uint8Array("]);
  calls(kernels, "provideGpu", [[{ default: 1 }], "provideGpu(gpujs)"], [[], "library"]);
  for (const name of ["AdamW", "SGD"]) {
    calls(nn, name, [[lm], "lr must be a number"], [[lm, 0.1], "{ lr: 0.1 }"]);
    calls(nn, name, [[lm, { learning_rate: 1 }], "lr: 1"], [[lm, { lr: "1" }], "lr"]);
    calls(nn, name, [[lm, { lr: 1, weight_decay: 1 }], "weightDecay: 1"]);
  }
  told("AdamW", () => make(nn, "AdamW", lm.parameters(), { lr: 1 }), "namedParameters()");
  told(
    "step",
    () => of(new nn.SGD(lm, { lr: 1 }), "step").call(new nn.SGD(lm, { lr: 1 }), 1),
    "maxNorm: 1",
  );
  for (const name of ["cosineSchedule", "linearSchedule"])
    calls(nn, name, [[0.1, 5], "{ lr: 0.1"], [[{ lr: 1, num_steps: 5 }], "did you mean steps"]);
  calls(
    nn,
    "generate",
    [[lm, [[1]]], "maxTokens"],
    [[lm, [1], { maxTokens: 1, rng }], "[[1, 2, 3]]"],
  );
  calls(
    nn,
    "generate",
    [[lm, [[1]], { max_new_tokens: 1 }], "maxTokens: 1"],
    [[{}, [[1]]], "CausalLM"],
  );
  calls(nn, "generate", [[lm, [["a"]], { maxTokens: 1, rng }], "token id"], [[lm, [[1]], 5]]);
  calls(nn, "addLoRA", [[lm, { r: 3 }], "did you mean rank"], [[3], "model must be a Module"]);
  calls(nn, "capture", [[lm, "hidden", () => 1], "names must be an array"], [[{}, [], () => 1]]);
  calls(nn, "accumulate", [[[1], () => 3], "number 3"]);
  told("forward", () => lm.forward([[1, 2]] as never), "ids must be a tensor", "an array");
  told("forward", () => lm.forward(ids, { attention_mask: ids } as never), "did you mean mask");
  told(
    "forward",
    () => new nn.Linear(2, 2, { rng }).forward([1, 2] as never),
    "x must be a tensor",
  );
  told("loadStateDict", () => lm.loadStateDict({}, false as never), "{ strict: false }");

  calls(grm, "RewardModel", [[lm], "rng"], [[config, { rng }], "lm must be a CausalLM"]);
  calls(grm, "RewardModel", [[lm, { rng, head: { hidden: 3 } }], '"head.hidden"']);
  const rows = zeros([2]);
  calls(grm, "bradleyTerry", [[rows], "r_r"], [[rows, rows, "sum"], "options are given by name"]);
  calls(grm, "bradleyTerry", [[rows, rows, { reduction: "sum" }], '"reduction"']);
  calls(grm, "bradleyTerry", [[rows, rows, { label_smoothing: 1 }], "labelSmoothing: 1"]);
  calls(grm, "grmLoss", [[rows], "regLoss"], [[rows, rows, 0.1], "{ alpha: 0.1 }"]);
  calls(grm, "sftRegularizer", [[rows, 0.1], "{ beta: 0.1 }"]);
  calls(grm, "positiveRegularizer", [[rows], "eps"], [[rows, null], "null"]);
  calls(grm, "dpoRegularizer", [[rows, rows, { reference: { s_c: rows } }], "reference.s_r"]);
  calls(grm, "combineRewards", [[[[1]], "mean"], '{ rule: "mean" }']);
  calls(grm, "makeBatch", [[], "sequences"], [[[], "left"], 'padding: "left"']);
  told("train", () => grm.trainSettings({ batch_size: 2 } as never), "did you mean batchSize");
  told("pretrain", () => nn.pretrainSettings({ num_layers: 2 } as never), "did you mean layers");
  const promised = { train: grm.train, scorePairs: grm.scorePairs, evaluate: grm.evaluate };
  for (const [name, fn] of Object.entries(promised)) {
    test(`${name} rejects`, async () => {
      const call = (...args: unknown[]): Promise<unknown> => (fn as never as typeof call)(...args);
      await assert.rejects(call(), {
        name: "ArgumentError",
        message: /model must be a RewardModel/,
      });
      const options = name === "train" ? [{}, { on_progress: 1 }] : [{ on_progress: () => 1 }];
      await assert.rejects(call(model, [], ...options), /did you mean onProgress/);
    });
  }
});

// --- Names -------------------------------------------------------------------------------------------

test("a name that two doors export is one thing", async () => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, { readonly default?: string } | string>>;
  };
  const doors = Object.values(exports).flatMap((door) =>
    typeof door === "string" || door.default === undefined // a file, or types alone
      ? []
      : [door.default.replace("./dist/", "").replace(".js", ".ts")],
  );
  assert.ok(doors.length >= 6, "package.json names doors");
  const seen = new Map<string, { door: string; value: unknown }>();
  for (const door of doors) {
    const exported = (await import(pathToFileURL(join(root, door)).href)) as object;
    for (const [name, value] of Object.entries(exported)) {
      const before = seen.get(name);
      assert.ok(
        before === undefined || before.value === value,
        `${name} is one thing in ${before?.door} and another in ${door}`,
      );
      seen.set(name, { door, value });
    }
  }
  assert.ok(seen.has("capture") && seen.has("recordStep"));
});

test("errors keep their names where a minifier renames the classes", async () => {
  const contents = `export * from ${JSON.stringify(join(root, "core/errors.ts"))};
    export { FileError } from ${JSON.stringify(join(root, "nn/checkpoints/byteSource.ts"))};`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    ...{ bundle: true, minify: true, write: false, format: "esm", platform: "node" },
  });
  const folder = mkdtempSync(join(tmpdir(), "twoheads-minified-"));
  try {
    const file = join(folder, "errors.mjs");
    writeFileSync(file, outputFiles[0]?.text ?? "");
    const classes = (await import(pathToFileURL(file).href)) as Record<string, LooseClass>;
    const errors = Object.entries(classes).map(([name, type]) => [name, new type("a", "b", "c")]);
    assert.ok(errors.length >= 11, "the bundle has the classes");
    assert.ok(
      Object.entries(classes).some(([name, type]) => type.name !== name),
      "the minifier renames classes",
    );
    for (const [name, error] of errors) assert.equal((error as Error).name, name);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
