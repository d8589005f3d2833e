// Rotary positions in Hugging Face's config.json, to and from our configuration, by the rules of transformers 5: what
// stands in rope_scaling (or else rope_parameters) wins over rope_theta beside it. Ways of scaling that this
// transformer doesn't do are refused by name. Next: configHF.ts for the other fields, rotary.ts for the angles.

import { ArgumentError } from "../core/index.ts";
import type { RopeScaling, TransformerConfig } from "./config.ts";

/** The content of a config.json. */
export type HF = Readonly<Record<string, unknown>>;

/** The field as a number; `otherwise` when it is absent, an ArgumentError when there is neither. */
export function number(config: HF, field: string, otherwise?: number): number {
  const value = config[field] ?? otherwise;
  if (typeof value === "number") return value;
  throw new ArgumentError(`configFromHF: ${field} is ${String(value)}, needed a number`);
}

/** Base and scaling of rotary angles. */
export function ropeFromHF(config: HF): Pick<TransformerConfig, "ropeBase" | "ropeScaling"> {
  const old = (config.rope_scaling ?? {}) as HF;
  const field = Object.keys(old).length > 0 ? "rope_scaling" : "rope_parameters";
  const given = (config[field] ?? {}) as HF;
  const ropeBase = number(given, "rope_theta", number(config, "rope_theta", 10000));
  const type = given.rope_type ?? given.type ?? "default";
  const nested = Object.values(given).some((value) => typeof value === "object" && value !== null);
  const turning = given.partial_rotary_factor ?? config.partial_rotary_factor ?? 1;
  if (nested || turning !== 1 || !["default", "linear", "llama3"].includes(String(type))) {
    throw new ArgumentError(
      `configFromHF: ${field} = ${JSON.stringify(given)}, partial_rotary_factor = ${JSON.stringify(turning)} ` +
        "isn't supported, only whole heads with rope_type default, linear or llama3",
    );
  }
  if (type === "default") return { ropeBase };
  const factor = number(given, "factor");
  if (type === "linear") return { ropeBase, ropeScaling: { type, factor } };
  return { ropeBase, ropeScaling: { type: "llama3", factor, ...llama3(config, given) } };
}

/** What Llama 3 says of its scaling; the context that it began with may stand beside, as Phi-3 has it. */
function llama3(config: HF, given: HF) {
  const began = "original_max_position_embeddings";
  const context = number(config, "max_position_embeddings", 2048);
  return {
    lowFactor: number(given, "low_freq_factor"),
    highFactor: number(given, "high_freq_factor"),
    context: number(config, began, number(given, began, context)),
  };
}

/** The fields of a scaling, rope_scaling, which transformers 4 and 5 read; none without one. */
export function ropeScalingToHF(scaling: RopeScaling | undefined): HF {
  if (scaling === undefined) return {};
  const { type: rope_type, factor } = scaling;
  if (scaling.type === "linear") return { rope_scaling: { rope_type, factor } };
  const [low_freq_factor, high_freq_factor] = [scaling.lowFactor, scaling.highFactor];
  const original_max_position_embeddings = scaling.context;
  const begun = { low_freq_factor, high_freq_factor, original_max_position_embeddings };
  return { rope_scaling: { rope_type, factor, ...begun } };
}
