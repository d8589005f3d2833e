// The op table: every op, in teaching order. An op's name is the name it is exported under; adding an
// entry to one of these files is all it takes to add an op. Next: ../index.ts, which makes the ops
// methods of Tensor.

export * from "./arithmetic.ts";
export * from "./functions.ts";
export * from "./activations.ts";
export * from "./logic.ts";
export * from "./reduce.ts";
export * from "./view.ts";
export * from "./indexing.ts";
export * from "./contract.ts";
export * from "./normalization.ts";
export * from "./attention.ts";
