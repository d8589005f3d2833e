// explorer: the live page. A training that runs in a worker and in Node alike (liveTraining.ts), what a reader can
// choose (settings.ts), what is shown as one plain value (state.ts), views that are functions of it (views/),
// and the same training as a program to copy (code.ts). Stands beside cli: nobody imports it.
// Read settings.ts, liveTraining.ts, host.ts, state.ts, views/train.tsx in this order.

export { codeOf } from "./code.ts";
export { type HostDoors, TrainingHost } from "./host.ts";
export { LiveTraining, type Look, type ModelLook } from "./liveTraining.ts";
export type { Request, Told } from "./messages.ts";
export {
  choices,
  type ExplorerSettings,
  initialSettings,
  queryOf,
  settingsFromQuery,
} from "./settings.ts";
export { type Action, addressOf, after, type ExplorerState, heard, stateAt } from "./state.ts";
