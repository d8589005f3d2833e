// Everything in one import, for a program that wants all rooms: import { tensor } from "twoheads".
// Each room has its own door too (twoheads/core, twoheads/nn, twoheads/grm); devices beyond the
// reference come with twoheads/kernels. Next: core/index.ts.

export * from "./core/index.ts";
export * from "./grm/index.ts";
export * from "./nn/index.ts";
