// The updates by name, for the devices that have kernels for them. Next: update.ts and attendNext.ts.

import { attendNextEntry } from "./attendNext.ts";
import { adamwEntry, normEntry, rowsEntry, sgdEntry } from "./update.ts";

export const updates = {
  adamwStep: adamwEntry,
  sgdStep: sgdEntry,
  globalNorm: normEntry,
  writeRows: rowsEntry,
  attendNext: attendNextEntry,
};
