// npm run site [FOLDER]: makes the explorer for a static host, in site/ unless said.
// Next: build.ts.

import { resolve } from "node:path";
import { buildExplorer } from "./build.ts";

const folder = resolve(process.argv[2] ?? "site");
await buildExplorer(folder);
console.log(`The explorer is in ${folder}; any static host serves it.
Where the host sends Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp,
it computes with threads; elsewhere with one.`);
