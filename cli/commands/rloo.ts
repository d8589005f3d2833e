// twoheads rloo: what `twoheads ppo` does, with RLOO: no value head, no ratios, one update a round.
// Next: ppo.ts.

import type { Command } from "commander";
import { addPolicyCommand } from "./ppo.ts";

/** Adds the command. */
export function addRloo(program: Command): void {
  addPolicyCommand(
    program,
    "rloo",
    "train a policy against a reward with RLOO, while the true reward is measured",
  );
}
