// The op table: every op, in teaching order. An op's name is the name it is exported under; adding an
// entry to one of these files is all it takes to add an op. A first reader leaves out fused/, whose ops do
// at once what the others can do step by step. Next: ../index.ts, which makes the ops methods of Tensor.

export * from "./arithmetic.ts";
export * from "./clamp.ts";
export * from "./functions.ts";
export * from "./activations.ts";
export * from "./fused/activations.ts";
export * from "./logic.ts";
export * from "./reduce.ts";
export * from "./view.ts";
export * from "./indexing.ts";
export * from "./contract.ts";
export * from "./fused/linear.ts";
export * from "./fused/softmax.ts";
export * from "./fused/crossEntropy.ts";
export * from "./fused/normalization.ts";
export * from "./fused/embedding.ts";
export * from "./fused/dropout.ts";
export * from "./fused/rope.ts";
export * from "./fused/attention.ts";
export * from "./fused/packedAttention.ts";
