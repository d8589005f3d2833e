// How hard each of the two losses pushes: on the final hidden states that both heads read, and on the trained
// parameters. Measured beside the training, which doesn't need it.
// Next: objective.ts for the losses, ../inspect/gradients.ts for the same in detail.

import { globalNorm, grad, noGrad, stack, type Tensor } from "../../core/index.ts";
import { atPlaces } from "../rewardModel.ts";
import type { Seen } from "./objective.ts";

/**
 * After backward(), with the gradient of `seen.hidden` retained: the norms of what the reward loss and the
 * text-generation loss do to the final hidden states, [2]. The two never share a place.
 */
export function hiddenPushes({ hidden, places, batch }: Seen): Tensor {
  const at = (where: Tensor): Tensor => globalNorm([atPlaces(hidden.grad as Tensor, where)]);
  return noGrad(() => stack([at(places), at(batch.targets.places)]));
}

/**
 * Before backward(): the norms of (1 - α) ∇L_reward and α ∇L_reg over parameters, and their inner product,
 * [3]. Two more walks through the graph.
 */
export function parameterPushes(
  { rewardLoss, regLoss }: { readonly rewardLoss: Tensor; readonly regLoss: Tensor },
  parameters: readonly Tensor[],
  alpha: number,
): Tensor {
  const push = (loss: Tensor, weight: number): (Tensor | null)[] =>
    grad(loss.mul(weight), parameters, { retainGraph: true, allowUnused: true });
  const [reward, reg] = [push(rewardLoss, 1 - alpha), push(regLoss, alpha)];
  return noGrad(() => {
    const zero = rewardLoss.mul(0);
    const norm = (list: readonly (Tensor | null)[]): Tensor => {
      const given = list.filter((g) => g !== null);
      return given.length === 0 ? zero : globalNorm(given);
    };
    const inner = reward.reduce<Tensor>((sum, g, i) => {
      const other = reg[i] ?? null;
      return g === null || other === null ? sum : sum.add(g.mul(other).sum());
    }, zero);
    return stack([norm(reward), norm(reg), inner]);
  });
}
