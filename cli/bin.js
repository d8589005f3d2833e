#!/usr/bin/env node
// The twoheads command. In a checkout it runs the TypeScript source, so that an edit shows at once; an
// installed package, which has no tsconfig.json, runs what was built. The devices are chosen here, at the
// program's edge: no room imports kernels. This process is the command's own, so its engine may join vectors.
// Next: cli.ts.

import { existsSync } from "node:fs";

const inCheckout = existsSync(new URL("../tsconfig.json", import.meta.url));
if (inCheckout) {
  const { register } = await import("tsx/esm/api");
  register();
}

/** A module of the package, by its path without the ending. */
function load(name) {
  return import(new URL(inCheckout ? `../${name}.ts` : `../dist/${name}.js`, import.meta.url).href);
}

// `twoheads ops | head` ends in silence when nobody reads any more, as a shell says it: 128 + SIGPIPE
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(141);
});

await load("kernels/index");
const { wideLanes } = await load("kernels/node");
const { main } = await load("cli/cli");
await main(process.argv, wideLanes);
