// kernels' door to the engine: a program in Node may have it join vectors. Next: wasm/wide.ts.

export { wideLanes } from "./wasm/wide.ts";
