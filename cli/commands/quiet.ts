// The display of a command whose standard output is data: what is said goes to standard error, and there
// is no bar. Next: progress.ts.

import type { Display } from "./progress.ts";

export function quiet(): Display {
  return { say: (message) => console.error(message), show() {}, end() {} };
}
