// Over-optimisation: what becomes of true quality when answers are chosen, or a policy is trained, by a
// learnt reward. Read judges.ts (what rewards are), preferences.ts (how proxies come about), bestOfN.ts,
// policyTrainer.ts (PPO and RLOO) in this order; lab/overopt compares all of it.

export * from "./advantages.ts";
export * from "./bestOfN.ts";
export * from "./fits.ts";
export * from "./judges.ts";
export * from "./kl.ts";
export type { PolicyCheckpoint, PolicyState } from "./policyCheckpoint.ts";
export * from "./policyLosses.ts";
export { type PolicyRecord, policyRecordSchema } from "./policyRecords.ts";
export {
  type PolicyOptions,
  type PolicySettings,
  policySchema,
  policySettings,
} from "./policySettings.ts";
export {
  type PolicyHooks,
  type PolicyParts,
  type TrainedPolicy,
  trainPolicy,
} from "./policyTrainer.ts";
export * from "./preferences.ts";
export * from "./proxies.ts";
export type { Task } from "./task.ts";
