#!/usr/bin/env bash
# Expected: a permutation test of 1,000 random orders gives p no smaller than 1/1,001, since the order that was seen is one of
# those that chance makes; a p of 0 would say that chance can't.
# Seen: simple-statistics 7.12.1 divides the count of extreme orders by 1,000 alone, so that ten numbers against ten larger ones
# have p = 0, with 10 orders as with 1,000. SciPy 1.17.1 counts the order that was seen: 2/1,001 = .001998, two-sided.
# Matters: accuracies of two reward models over ten seeds that don't overlap are compared so. A p of 0 stays 0 however many
# comparisons it is corrected for (Bonferroni, Benjamini-Hochberg), and has no logarithm for a combined test (Fisher).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
echo '{ "private": true, "type": "module" }' > package.json
npm install --silent --no-audit --no-fund simple-statistics@7.12.1
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install scipy==1.17.1
cat > program.mjs <<'PROGRAM'
import { permutationTest } from "simple-statistics";
const accuracies = [61, 62, 63, 64, 65, 66, 67, 68, 69, 70];
const better = accuracies.map((x) => x + 20);
let state = 1;
const uniform = () => (state = (state * 16807) % 2147483647) / 2147483647; // Lehmer's, so that runs agree
for (const rounds of [10, 1000])
  console.log(rounds, permutationTest(accuracies, better, "two_side", rounds, uniform));
PROGRAM
cat > program.py <<'PROGRAM'
import numpy
from scipy.stats import permutation_test
accuracies = numpy.arange(61, 71)
difference = lambda a, b, axis: a.mean(axis) - b.mean(axis)
for rounds in [10, 1000]:
    rng = numpy.random.default_rng(1)
    test = permutation_test((accuracies, accuracies + 20), difference, n_resamples=rounds, rng=rng)
    print(rounds, round(test.pvalue, 6))
PROGRAM
node program.mjs | tee js.txt
python/bin/python program.py | tee py.txt
diff js.txt - <<'SEEN'
10 0
1000 0
SEEN
diff py.txt - <<'SEEN'
10 0.181818
1000 0.001998
SEEN
