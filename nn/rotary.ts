// The angle tables of rotary positions, made in double precision with portable functions for as many positions as were
// asked for, and kept in every dtype that asks. The rotation itself is core's op `rope`, in
// Hugging Face's half-rotation: channel i turns with channel i + D/2. Next: attention.ts.

import { type DType, portable, type Tensor, tensor } from "../core/index.ts";
import type { RopeScaling } from "./config.ts";

/** An angle a position, slowed down: all alike, or only those that turn seldom within the first context. */
function scaled(angle: number, scaling?: RopeScaling): number {
  if (scaling === undefined) return angle;
  const slow = angle / scaling.factor;
  if (scaling.type === "linear") return slow;
  const { lowFactor: low, highFactor: high, context } = scaling;
  const turns = (context * angle) / (2 * Math.PI);
  if (turns < low) return slow;
  if (turns > high) return angle;
  const share = (turns - low) / (high - low);
  return (1 - share) * slow + share * angle;
}

export interface RotaryTables {
  /** Cosine and sine of position × base^(-2i/headDim), each [positions, headDim/2]. */
  readonly cos: Tensor;
  readonly sin: Tensor;
}

export class Rotary {
  readonly #tables = new Map<DType, RotaryTables>();

  constructor(
    readonly context: number,
    readonly headDim: number,
    readonly base: number,
    readonly scaling?: RopeScaling,
  ) {}

  /** Tables in a dtype for at least the first `length` positions, at most the context; the same tensors until more are needed. */
  tables(dtype: DType, length: number): RotaryTables {
    const known = this.#tables.get(dtype);
    if (known !== undefined && (known.cos.shape[0] ?? 0) >= length) return known;
    const rows = Math.min(this.context, Math.max(512, 2 ** Math.ceil(Math.log2(length)))); // a context may be long
    const made = (turn: (angle: number) => number) => this.#table(rows, turn, dtype);
    const fresh = { cos: made(portable.cos), sin: made(portable.sin) };
    this.#tables.set(dtype, fresh);
    return fresh;
  }

  #table(rows: number, turn: (angle: number) => number, dtype: DType): Tensor {
    const half = this.headDim / 2;
    const angles = Float64Array.from(
      { length: rows * half },
      (_, at) =>
        Math.floor(at / half) *
        scaled(portable.pow(this.base, (-2 * (at % half)) / this.headDim), this.scaling),
    );
    return tensor(angles.map(turn), { shape: [rows, half], dtype }).keep();
  }
}
