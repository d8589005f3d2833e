#!/usr/bin/env bash
# Expected: a Dataset that is written as JSON Lines and read again has the numbers that it had, as it has by way of Parquet
# or CSV, and as Python's own json module writes them.
# Seen (datasets 5.2.0 with pandas 3.1.1): Dataset.to_json keeps ten decimals, by a default of pandas. A margin of
# 2.880128973447901 comes back as 2.8801289734, and one of 3e-12 as 0, without a word. to_json(path, double_precision=15) keeps more.
# Matters: scores and margins of preference pairs that are handed on as JSON Lines: what is small becomes a tie.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install "datasets==5.2.0" "pandas==3.1.1" "pyarrow==26.0.1"
cat > program.py <<'PROGRAM'
import datasets
from datasets import Dataset

datasets.disable_progress_bars()
numbers = [2.880128973447901, 3e-12]
given = Dataset.from_dict({"margin": numbers})
given.to_json("pairs.jsonl")
given.to_csv("pairs.csv", index=False)
given.to_parquet("pairs.parquet")
for kind, file in [("json", "pairs.jsonl"), ("csv", "pairs.csv"), ("parquet", "pairs.parquet")]:
    back = datasets.load_dataset(kind, data_files=file, split="train", cache_dir="cache")
    print(kind, list(back["margin"]))
PROGRAM
python/bin/python program.py 2>/dev/null | tee seen.txt
diff seen.txt - <<'SEEN'
json [2.8801289734, 0.0]
csv [2.880128973447901, 3e-12]
parquet [2.880128973447901, 3e-12]
SEEN
