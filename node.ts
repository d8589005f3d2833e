// What touches files or the engine, in one import, for Node and its kin: import { loadCausalLM } from
// "twoheads/node". Everything else stands in index.ts, which browsers import too. Next: nn/node.ts.

export * from "./grm/node.ts";
export * from "./kernels/node.ts";
export * from "./lab/node.ts";
export * from "./nn/node.ts";
