// npm run explorer [PORT]: builds the explorer and serves it on this machine until Ctrl+C.
// Next: build.ts, serve.ts.

import { buildExplorer } from "./build.ts";
import { passingFolder, serveFolder } from "./serve.ts";

const port = Number(process.argv[2] ?? 8080);
const folder = passingFolder();
await buildExplorer(folder);
const { address } = await serveFolder(folder, { port }).catch((error: NodeJS.ErrnoException) => {
  if (error.code !== "EADDRINUSE") throw error;
  console.log(`Port ${port} is taken; any free one is used.`);
  return serveFolder(folder);
});
console.log(`The explorer is at ${address} (Ctrl+C ends it)`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(0));
