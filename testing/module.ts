// Modules: the gradients of every parameter and every input, by name, and what a model of sequences must not look at:
// padding, the rest of the batch, the order of the rows. Next: arbitraries.ts for batches.

import fc from "fast-check";
import {
  ArgumentError,
  gradcheck,
  isFloat,
  noGrad,
  type Tensor,
  tensorsOf,
} from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { Module } from "../nn/index.ts";
import { batchOf, type RaggedBatch, raggedBatches } from "./arbitraries.ts";
import { floatsOf, outputsOf, replaceFloats } from "./calls.ts";
import type { CheckOptions } from "./checks.ts";
import { argumentsCode } from "./code.ts";
import { argumentsOf, type Drawing } from "./draw.ts";
import { checkProperty, PropertyError } from "./property.ts";

const property = "runs?: number, seed?: number, name?: string";
const takes = signatures(
  {
    checkModule: `module: Module, draw: function | object | any[], { order?: number, rtol?: number, atol?: number, ${property} }`,
    checkInvariant: `model: function | object, invariants: any[], { vocabulary?: number, maxRows?: number, maxLength?: number, tolerance?: number, ${property} }`,
  },
  () => ({ Module }),
);

// --- Gradients ---------------------------------------------------------------------------------------

function moduleHolds(
  module: Module,
  args: readonly unknown[],
  options: Parameters<typeof checkModule>[2] & object,
): void {
  const { order = 1, rtol, atol, name = module.constructor.name } = options;
  const doubles = replaceFloats(args, (x) => x.to("float64"));
  const inputs = floatsOf(doubles);
  const named = module.namedParameters().filter(([, p]) => isFloat(p.dtype));
  const trained = named.filter(([, p]) => p.requiresGrad);
  const values = new Map(named.map(([, p]) => [p, p.detach().to("float64")]));
  const forward = (...given: unknown[]): unknown =>
    (module as unknown as { forward(...given: unknown[]): unknown }).forward(...given);
  const run = (...xs: Tensor[]): Tensor[] => {
    const live = trained.map(([, p], i) => [p, xs[inputs.length + i] as Tensor] as const);
    const given = replaceFloats(doubles, (_, i) => xs[i] as Tensor);
    const ys = module.withParameters(new Map([...values, ...live]), () =>
      outputsOf(forward, given),
    );
    return ys.filter((y) => isFloat(y.dtype));
  };
  gradcheck(run, [...inputs, ...trained.map(([, p]) => values.get(p) as Tensor)], {
    name,
    order,
    names: [...inputs.map((_, i) => `input ${i}`), ...trained.map(([path]) => `parameter ${path}`)],
    ...(rtol !== undefined && { rtol }),
    ...(atol !== undefined && { atol }),
  });
}

/**
 * Throws unless the gradients of a module's forward() agree with central differences, for each input and each parameter
 * that asks for gradients: messages name it, "parameter layers.0.weight". Everything runs in float64, in evaluation
 * mode (nothing is dropped); the module is as before afterwards.
 */
export function checkModule(
  module: Module,
  draw: Drawing,
  options: CheckOptions & {
    /** 1 (default): gradients; 2: also the gradients of the gradients. */
    readonly order?: number;
    /** See gradcheck. */
    readonly rtol?: number;
    readonly atol?: number;
  } = {},
): void {
  accept(takes.checkModule, arguments);
  const { name = module.constructor.name } = options;
  const resume = module.pauseTraining();
  try {
    checkProperty(
      `${name}: gradients of inputs and parameters`,
      fc.property(argumentsOf("checkModule", draw), (args) => moduleHolds(module, args, options)),
      { runs: 5, ...options, show: ([args]) => `as code\nmodule.forward(${argumentsCode(args)})` },
    );
  } finally {
    resume();
  }
}

// --- Invariants --------------------------------------------------------------------------------------

/** What must not change a sequence's results: padding, other rows, the order of rows. */
export type Invariant = "padding" | "batch" | "order";

/** A model of sequences: forward(ids [B,T], { mask [B,T] }), or a function of both. Gives tensors [B, ...] or [B,T, ...]. */
export type SequenceModel =
  | { forward(ids: Tensor, options: { readonly mask: Tensor }): unknown }
  | ((ids: Tensor, mask: Tensor) => unknown);

/** What a model gave for each row of a batch: numbers of its own tokens, or of the row. */
type Rows = readonly (readonly number[])[];

class Sequences {
  constructor(readonly model: SequenceModel) {}

  /** What comes out of the batch, row by row. A tensor whose second axis is as long as the batch speaks of tokens. */
  rows(batch: RaggedBatch, tokens: readonly boolean[]): Rows {
    const found = this.outputs(batch);
    return batch.sequences.map((sequence, b) =>
      found.flatMap((y, i) => {
        const row = y.slice({ dim: 0, start: b, end: b + 1 });
        return [...(tokens[i] ? row.slice({ dim: 1, end: sequence.length }) : row).data];
      }),
    );
  }

  /** Which outputs speak of tokens: those that grow with the batch. */
  tokens({ sequences, ids, padding }: RaggedBatch): boolean[] {
    const [, length = 0] = ids.shape;
    const longer = this.outputs(batchOf(sequences, padding, length + 1));
    return this.outputs(batchOf(sequences, padding)).map(
      (y, i) => y.shape[1] !== longer[i]?.shape[1],
    );
  }

  outputs({ ids, mask }: RaggedBatch): Tensor[] {
    const { model } = this;
    const made = noGrad(() =>
      typeof model === "function" ? model(ids, mask) : model.forward(ids, { mask }),
    );
    const found = tensorsOf(made).filter((y) => isFloat(y.dtype) && y.shape[0] === ids.shape[0]);
    if (found.length > 0) return found;
    throw new ArgumentError(
      "checkInvariant: the model gave no float tensor with a row for each sequence; it must give [B, ...] or [B,T, ...]",
    );
  }
}

function compare(found: Rows, wanted: Rows, tolerance: number, what: string): void {
  found.forEach((row, b) => {
    row.forEach((x, i) => {
      const y = wanted[b]?.[i] ?? Number.NaN;
      if (Object.is(x, y) || Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y))) return;
      throw new PropertyError(`${what}: sequence ${b} gives ${x} instead of ${y} at ${i}`);
    });
  });
}

const invariants: Readonly<
  Record<Invariant, (of: Sequences, batch: RaggedBatch, tolerance: number) => void>
> = {
  padding: (of, batch, tolerance) => {
    const { sequences, ids, padding } = batch;
    const tokens = of.tokens(batch);
    const longer = batchOf(sequences, padding, (ids.shape[1] ?? 0) + 1);
    compare(
      of.rows(longer, tokens),
      of.rows(batch, tokens),
      tolerance,
      "with one more place of padding",
    );
    const other = batchOf(sequences, padding === 0 ? 1 : 0);
    compare(
      of.rows(other, tokens),
      of.rows(batch, tokens),
      tolerance,
      `with another id in the padding`,
    );
  },
  batch: (of, batch, tolerance) => {
    const tokens = of.tokens(batch);
    const alone = batch.sequences.map(
      (sequence) => of.rows(batchOf([sequence], batch.padding), tokens)[0] ?? [],
    );
    compare(of.rows(batch, tokens), alone, tolerance, "in the batch and not alone");
  },
  order: (of, batch, tolerance) => {
    const tokens = of.tokens(batch);
    const turned = batchOf(batch.sequences.toReversed(), batch.padding);
    compare(
      of.rows(turned, tokens).toReversed(),
      of.rows(batch, tokens),
      tolerance,
      "with the rows in reverse",
    );
  },
};

/** The size of a model's vocabulary, where it or its backbone says so. */
function vocabularyOf(model: object): number | undefined {
  const { config, model: inner } = model as {
    config?: { vocabSize?: number };
    model?: { config?: { vocabSize?: number } };
  };
  return config?.vocabSize ?? inner?.config?.vocabSize;
}

/**
 * Throws unless what a model says of a sequence stays the same with more padding, alone or in a batch, and in another
 * order of rows: `checkInvariant(model, ["padding", "batch", "order"])`. Draws batches of unlike lengths. Modules run in
 * evaluation mode.
 */
export function checkInvariant(
  model: SequenceModel,
  names: readonly Invariant[],
  options: CheckOptions & {
    /** How many ids there are. Default: what the model's config says. */
    readonly vocabulary?: number;
    /** Default: 3. */
    readonly maxRows?: number;
    /** Default: 5. */
    readonly maxLength?: number;
    /** The largest difference, relative to numbers above 1. Default: 1e-5. */
    readonly tolerance?: number;
  } = {},
): void {
  accept(takes.checkInvariant, arguments);
  const {
    vocabulary = vocabularyOf(model),
    maxRows = 3,
    maxLength = 5,
    tolerance = 1e-5,
  } = options;
  const { name = typeof model === "function" ? model.name || "model" : model.constructor.name } =
    options;
  if (vocabulary === undefined)
    throw new ArgumentError(
      "checkInvariant: the model doesn't say how many ids there are; pass { vocabulary: 100 }",
    );
  const strange = names.find((invariant) => !(invariant in invariants));
  if (strange !== undefined)
    throw new ArgumentError(
      `checkInvariant: there is no invariant "${strange}"; there are ${Object.keys(invariants).join(", ")}`,
    );
  const resume = model instanceof Module ? model.pauseTraining() : () => {};
  const of = new Sequences(model);
  try {
    for (const invariant of names)
      checkProperty(
        `${name}: ${invariant}`,
        fc.property(raggedBatches({ vocabulary, maxRows, maxLength }), (batch) =>
          invariants[invariant](of, batch, tolerance),
        ),
        {
          ...options,
          show: ([{ sequences, padding }]) =>
            `sequences ${JSON.stringify(sequences)}, padded with ${padding}`,
        },
      );
  } finally {
    resume();
  }
}
