// What kernels.wasm exports. A kernel's first two parameters are the range of units [from, to) that
// this call computes; any partition of a kernel's units gives the same bits, so threads may share
// them as they like.
// Read next: matmul.as.ts, where most of the time goes.
export { setScratch, setWide, heapBase } from "./scratch.as";
export { matmulFewRows } from "./fewRows.as";
export { packB, matmulPacked, matmulSmall, matmulRow, matmulRowDots, peak } from "./matmul.as";
export * from "./unary.as";
export * from "./binary.as";
export * from "./pointwise.as";
export { sumRows, sumBlocks, sumDoubles, sumColumns, extreme, argExtreme } from "./reduce.as";
export {
  softmax,
  softmaxGrad,
  logSoftmax,
  logSoftmaxGrad,
  crossEntropy,
  crossEntropyGrad,
} from "./softmax.as";
export { norm, normGrad } from "./norm.as";
export { rope } from "./rope.as";
export { attention, attentionGrad } from "./attention.as";
export { attendOne } from "./attendOne.as";
export { stridedCopy, addRows } from "./copy.as";
export { gatherRows, scatterAddRows, gather, scatterAdd } from "./gather.as";
export { sumSquaresList, adamwList, sgdList } from "./optimizer.as";
