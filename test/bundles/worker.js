// The same program in a Web Worker. Next: program.js.

import { program } from "./program.js";

postMessage(await program());
