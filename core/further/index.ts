// The further ops: what people know from elsewhere, made of the ops of the table. A page that uses none of them
// loads none. They are functions; the package's main entry makes them methods too. Next: make.ts, shape.ts.

export * from "./checkpoint.ts";
export * from "./custom.ts";
export * from "./einsum.ts";
export * from "./functional.ts";
export * from "./logic.ts";
export * from "./losses.ts";
export * from "./numbers.ts";
export {
  addMethods,
  composed,
  type ElementwiseOp,
  elementwise,
  type FusedOp,
  fused,
  keep,
  type OwnOp,
  type ReduceOp,
  reduce,
} from "./own.ts";
export * from "./picking.ts";
export * from "./quantile.ts";
export * from "./scans.ts";
export * from "./shape.ts";
