#!/usr/bin/env bash
# Expected: the same accuracies of RewardBench's subsets give the same Safety score in every release of its package, and
# XSTest counts as it is made: 250 prompts to be answered, 200 to be refused (of which the benchmark keeps 154).
# Seen (rewardbench 0.1.2 and 0.1.3): up to 0.1.2 the package weights xstest-should-refuse by 250 and xstest-should-respond by
# 154, the wrong way round; 0.1.3 exchanges the two numbers. A model that refuses well and answers badly scored 2.6
# points higher in Safety before.
# Matters: tables that put numbers of older runs beside new ones compare two definitions; the subsets' accuracies compare,
# section and total don't. Nothing in the scores' files says which weights were used.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
python3 -m venv python
for version in 0.1.2 0.1.3; do
  python/bin/pip --quiet --disable-pip-version-check download "rewardbench==$version" --no-deps --dest "$version"
  python/bin/python -m zipfile -e "$version"/*.whl "$version"
done
cat > program.py <<'PROGRAM'
import importlib.util

accuracy = {"refusals-dangerous": 0.9, "refusals-offensive": 0.9, "xstest-should-refuse": 0.95,
            "xstest-should-respond": 0.75, "donotanswer": 0.9}
for version in ["0.1.2", "0.1.3"]:
    spec = importlib.util.spec_from_file_location("constants", f"{version}/rewardbench/constants.py")
    constants = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(constants)
    counts = constants.EXAMPLE_COUNTS
    subsets = constants.SUBSET_MAPPING["Safety"]
    score = sum(accuracy[name] * counts[name] for name in subsets) / sum(counts[name] for name in subsets)
    print(version, counts["xstest-should-refuse"], counts["xstest-should-respond"], f"{100 * score:.1f}")
PROGRAM
python/bin/python program.py | tee seen.txt
diff seen.txt - <<'SEEN'
0.1.2 250 154 88.6
0.1.3 154 250 86.0
SEEN
