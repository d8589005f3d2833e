// grm's doors to the disk: reward models, preference data, runs and checkpoints from paths, and saved. Node and
// its kin have files; a browser has what index.ts exports. Next: rewardModelFolder.ts, data/onDisk.ts.

export { linesOf, readPairs, readResponses } from "./data/onDisk.ts";
export { type ExportOptions, exportRewardModel } from "./export.ts";
export { loadPolicyCheckpoint, savePolicyCheckpoint } from "./policies/policyCheckpoint.ts";
export { loadRewardModel, saveRewardModel } from "./rewardModelFolder.ts";
export { loadTrainCheckpoint, saveTrainCheckpoint } from "./trainer/checkpoint.ts";
export { TrainFolder } from "./trainer/folder.ts";
