// The page's script: the program in the page, or in a Web Worker if the address ends in ?worker.
// Next: program.js.

import { program } from "./program.js";

const asked = new URLSearchParams(location.search);

globalThis.found = asked.has("worker")
  ? new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    })
  : program(asked.has("fma") ? { fma: true } : {});
