// Looking into reward models: one file for each view, each a function of models and a batch that returns
// plain numbers. inspect.ts has all of them by one call; ../report/ draws what they return.
// Read states.ts, gradients.ts, drift.ts, retention.ts, attribution.ts in this order.

export * from "./attention.ts";
export * from "./attribution.ts";
export * from "./drift.ts";
export * from "./explain.ts";
export * from "./gradients.ts";
export * from "./inspect.ts";
export * from "./intervention.ts";
export { type Matrix, matrix } from "./matrix.ts";
export * from "./probes.ts";
export * from "./reliability.ts";
export * from "./retention.ts";
export * from "./states.ts";
export * from "./tokens.ts";
export * from "./watch.ts";
