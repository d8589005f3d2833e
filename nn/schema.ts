// What the published declarations say in place of zod's types. A project that imports twoheads then
// compiles with any TypeScript from 5.0 on and without the DOM's types, whatever its version of zod asks
// for. Types alone, under zod's own names: a schema, and what it reads (input) and gives (output).
// Next: ../build.js, which puts this in zod's place; checked.ts, which uses schemas.

/** A check of plain data: takes an `Input`, gives an `Output` with its defaults filled in. */
export interface ZodType<Output = unknown, Input = unknown> {
  readonly _output: Output;
  readonly _input: Input;
  /** The checked value; throws a ZodError. */
  parse(value: unknown): Output;
  /** The checked value, or what is wrong with it. */
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: Output }
    | { readonly success: false; readonly error: ZodError };
}

/** What is wrong with a value: one issue for each place in it. */
export interface ZodError extends Error {
  readonly issues: readonly {
    readonly path: readonly PropertyKey[];
    readonly message: string;
  }[];
}

/** What a schema gives. */
export type output<S extends ZodType> = S["_output"];
export type { output as infer };

/** What a schema takes. */
export type input<S extends ZodType> = S["_input"];

export interface ZodNumber extends ZodType<number, number> {}
export interface ZodInt extends ZodType<number, number> {}
export interface ZodString extends ZodType<string, string> {}
export interface ZodBoolean extends ZodType<boolean, boolean> {}
export interface ZodUnknown extends ZodType {}
export interface ZodLiteral<T> extends ZodType<T, T> {}
export interface ZodEnum<T> extends ZodType<T[keyof T], T[keyof T]> {}

export interface ZodNullable<S extends ZodType>
  extends ZodType<output<S> | null, input<S> | null> {}
export interface ZodArray<S extends ZodType> extends ZodType<output<S>[], input<S>[]> {}
export interface ZodRecord<K extends ZodType<string, string>, S extends ZodType>
  extends ZodType<Record<output<K>, output<S>>, Record<input<K>, input<S>>> {}
export interface ZodUnion<S extends readonly ZodType[]>
  extends ZodType<output<S[number]>, input<S[number]>> {}
export interface ZodDiscriminatedUnion<S extends readonly ZodType[], _Key>
  extends ZodType<output<S[number]>, input<S[number]>> {}

/** May be left out, and is then not there. */
export interface ZodOptional<S extends ZodType>
  extends ZodType<output<S> | undefined, input<S> | undefined> {
  readonly optional: "input and output";
}

/** May be left out, and then has its default. */
export interface ZodDefault<S extends ZodType> extends ZodType<output<S>, input<S> | undefined> {
  readonly optional: "input";
}

/** Fields by name. */
interface Fields {
  readonly [name: string]: ZodType;
}

/** A name, if its field may be left out; maps over names keep what is said of each. */
type Omissible<K, S, Where> = S extends { readonly optional: Where } ? K : never;
type Needed<K, S, Where> = S extends { readonly optional: Where } ? never : K;

/** An object of these fields and no others. */
export interface ZodObject<F extends Fields = Fields>
  extends ZodType<
    Flat<
      { [K in keyof F as Needed<K, F[K], "input and output">]: output<F[K]> } & {
        [K in keyof F as Omissible<K, F[K], "input and output">]?: output<F[K]>;
      }
    >,
    Flat<
      { [K in keyof F as Needed<K, F[K], string>]: input<F[K]> } & {
        [K in keyof F as Omissible<K, F[K], string>]?: input<F[K]>;
      }
    >
  > {
  /** The schema of each field. */
  readonly shape: F;
}

/** The same type, written as one object. */
type Flat<T> = { [K in keyof T]: T[K] };
