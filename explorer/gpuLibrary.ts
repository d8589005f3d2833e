// gpu.js as a file of its own, which only those load who let the GPU train. Next: worker.ts.

import gpujs from "gpu.js";

// biome-ignore lint/style/noDefaultExport: it stands for the library's own
export default gpujs;
