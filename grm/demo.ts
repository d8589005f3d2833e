// npm run demo: a line fitted to points by gradient descent, with the tape of one step. It stands in
// until the reward model can be shown here. Same seed, same numbers on every machine.
// Next: ../core/tape.ts for what backward() does.

import { noGrad, randn, random, showTape, tensor } from "../core/index.ts";

const steps = 60;
const rate = 0.2;

const x = randn([32], { rng: random("demo") }).named("x");
const target = x.mul(3).add(0.5).named("target");
const slope = tensor(0, { requiresGrad: true, name: "slope" });
const offset = tensor(0, { requiresGrad: true, name: "offset" });
const loss = () => x.mul(slope).add(offset).sub(target).square().mean().named("loss");

console.log(`${showTape(loss())}\n`);
for (let step = 0; step <= steps; step++) {
  const now = loss();
  if (step % 20 === 0) console.log(`step ${step}: loss ${now}, slope ${slope}, offset ${offset}`);
  now.backward();
  for (const parameter of [slope, offset]) {
    const { grad } = parameter;
    if (grad !== null) parameter.assign(noGrad(() => parameter.sub(grad.mul(rate))));
    parameter.grad = null;
  }
}
