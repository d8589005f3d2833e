// What differs on purpose between devices and dtypes when numbers are hard: one table, which
// hardValues.test.ts reads. An entry says which kinds of numbers its ops aren't drawn, in which comparison,
// and why both answers are right. Next: hardValues.test.ts.

/** Kinds of hard numbers. */
export const classes = {
  usual: [0, 1, -1, 0.5, -2, 3, 0.1],
  zero: [0, -0],
  large: [1e5, -1e5, 88.7, -88.7, 104, -104],
  huge: [1e20, -1e20, 3.4028234663852886e38, -3.4028234663852886e38],
  tiny: [1e-20, -1e-20, 1.2e-38],
  denormal: [1e-40, -1e-40, 1.4e-45],
  infinite: [Infinity, -Infinity],
  nan: [NaN],
} as const satisfies Readonly<Record<string, readonly number[]>>;

export type Kind = keyof typeof classes;

/** wasm against the reference, in float32 or float64; the reference in float32 against float64. */
export type ComparedDevices = "wasm" | "wasm in float64" | "float64";

export interface KnownDifference {
  readonly ops: readonly string[] | "all";
  readonly comparison: ComparedDevices;
  /** The kinds that aren't drawn. */
  readonly kinds: readonly Kind[];
  /** How far numbers may be off besides, where terms cancel that no input's rounding moves. */
  readonly slack?: number;
  /** The size of such terms, from the largest of the inputs: they leave a few units in their last place. */
  readonly terms?: (largest: number) => number;
  readonly why: string;
}

export const differences: readonly KnownDifference[] = [
  {
    ops: ["matmul", "linear", "addmm", "einsum"],
    comparison: "wasm",
    kinds: ["huge"],
    why: "the kernels add products in float32, where the reference's doubles don't overflow",
  },
  {
    ops: ["layerNorm", "rmsNorm"],
    comparison: "wasm",
    kinds: ["huge"],
    slack: 1e-4,
    why: "gradients times weights overflow in float32; rows of huge numbers stand in secondOpinion.test.ts",
  },
  {
    ops: ["scaledDotProductAttention", "packedAttention"],
    comparison: "wasm",
    kinds: ["huge", "infinite", "nan"],
    slack: 1e-30,
    terms: (largest) => 32 * largest * largest, // dq = P (g v - delta) k, and g is up to 24
    why: "scores overflow in float32; and a key that may not be seen is passed over, or counts as 0 times its value; shares below 2^-125 are 0",
  },
  {
    ops: "all",
    comparison: "float64",
    kinds: ["huge", "tiny", "denormal"],
    why: "float64 holds results and terms that float32 doesn't",
  },
  {
    ops: ["pow"],
    comparison: "float64",
    kinds: ["large"],
    why: "powers of large numbers overflow in float32, and infinities of both signs meet in a gradient",
  },
  {
    ops: ["layerNorm", "rmsNorm", "std", "var"],
    comparison: "float64",
    kinds: [],
    slack: 1e-4,
    why: "a row's scale doesn't change its norm: terms of the gradient cancel, whatever the inputs are rounded to",
  },
  {
    ops: ["scaledDotProductAttention", "packedAttention"],
    comparison: "float64",
    kinds: [],
    terms: (largest) => 32 * largest * largest,
    why: "the same terms",
  },
];
