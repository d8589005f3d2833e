// Property-based tests of gradients, for ops, functions and modules of anybody: what the tests of this package are made
// of. Inputs are drawn by fast-check, which stands beside (npm install --save-dev fast-check); a check throws with the
// smallest input that fails, so that node:test, Vitest, Jest or a plain program can have it.
// Next: checks.ts, op.ts, arbitraries.ts.

export {
  type Awkward,
  broadcastingShapes,
  broadcastingTensors,
  indices,
  masks,
  type RaggedBatch,
  raggedBatches,
  type ShapesOptions,
  shapes,
  type TensorsOptions,
  tensors,
} from "./arbitraries.ts";
export {
  type CheckGradientsOptions,
  type CheckOptions,
  checkGradients,
  type SameOnDevicesOptions,
  type SameOptions,
  sameAsDefinition,
  sameOnDevices,
} from "./checks.ts";
export type { Drawing } from "./draw.ts";
export { checkInvariant, checkModule, type Invariant, type SequenceModel } from "./module.ts";
export {
  type CheckOpOptions,
  checkOp,
  type OpProperty,
  type OpReport,
  opProperties,
} from "./op.ts";
export { PropertyError, type PropertyOptions } from "./property.ts";
