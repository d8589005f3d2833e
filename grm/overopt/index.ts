// Over-optimisation: what becomes of true quality when answers are chosen, or a policy is trained, by a
// learnt reward. Read judges.ts (what rewards are), preferences.ts (how proxies come about), bestOfN.ts,
// policyTrainer.ts (PPO and RLOO), comparison/ (all of it at once, as a figure) in this order.

export * from "./advantages.ts";
export * from "./bestOfN.ts";
export * from "./fits.ts";
export * from "./kl.ts";
export * from "./policyLosses.ts";
