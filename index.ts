// Everything in one import, for a program that wants all rooms: import { tensor } from "twoheads". The
// fast device comes along and is the default; a browser fetches its kernels, await ready(). Each room has its
// own door too (twoheads/core, twoheads/nn, twoheads/grm); core alone runs on the reference device, and
// twoheads/kernels adds the others. Nothing from here on touches files: those who do stand in node.ts.
// Next: core/index.ts.

import "./core/further/methods.ts";
import "./kernels/index.ts";

export * from "./core/index.ts";
export * from "./grm/index.ts";
export { type ReadyOptions, ready } from "./kernels/index.ts";
export * from "./lab/index.ts";
export * from "./nn/index.ts";
