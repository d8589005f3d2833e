#!/usr/bin/env node
// The twoheads command. In a checkout it runs the TypeScript source, so that an edit shows at once;
// an installed package holds no source and runs what was built. Next: cli.ts.

import { existsSync } from "node:fs";

const source = new URL("./cli.ts", import.meta.url);
if (existsSync(source)) {
  const { register } = await import("tsx/esm/api");
  register();
}
const { main } = await import(
  existsSync(source) ? source.href : new URL("../dist/grm/cli.js", import.meta.url).href
);
await main(process.argv);
