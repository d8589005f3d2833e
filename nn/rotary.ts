// The angle tables of rotary positions, made once for a model's whole context in double precision with
// portable functions, and kept in every dtype that asks. The rotation itself is core's op `rope`, in
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
  /** Cosine and sine of position × base^(-2i/headDim), each [context, headDim/2]. */
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

  /** The tables in a dtype; the same tensors every time. */
  tables(dtype: DType): RotaryTables {
    const known = this.#tables.get(dtype);
    if (known !== undefined) return known;
    const fresh = { cos: this.#table(portable.cos, dtype), sin: this.#table(portable.sin, dtype) };
    this.#tables.set(dtype, fresh);
    return fresh;
  }

  #table(turn: (angle: number) => number, dtype: DType): Tensor {
    const half = this.headDim / 2;
    const angles = Float64Array.from(
      { length: this.context * half },
      (_, at) =>
        Math.floor(at / half) *
        scaled(portable.pow(this.base, (-2 * (at % half)) / this.headDim), this.scaling),
    );
    return tensor(angles.map(turn), { shape: [this.context, half], dtype }).keep();
  }
}
