"""Holds `twoheads eval --suite reward-bench` against RewardBench: its own runner scores a classifier's folder that is written
here, on pairs in its layout with its subsets; rewards, the accuracy of each subset and of each section are the same.
Ends with "N agree, M differ".

  python interop/compareRewardBench.py      # in an environment of its own: see README.md
"""

import json, os, random, subprocess, sys, tempfile
import transformers
from importlib.metadata import version
from rewardbench.constants import EXAMPLE_COUNTS, SUBSET_MAPPING
from rewardbench.utils import calculate_scores_per_section

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
work = tempfile.mkdtemp()
draw = random.Random(1)
words = "the cat sat on mat é 日本 it's, 42 no! yes".split(" ")


def text():
    return " ".join(draw.choice(words) for _ in range(draw.randint(1, 8)))


def turns(*said):
    return [{"role": role, "content": content} for role, content in zip(["user", "assistant"] * 3, said)]


rows = []
for subset in [name for names in SUBSET_MAPPING.values() for name in names]:
    for _ in range(3):
        prompt, better, worse = text(), text(), text()
        rows.append(dict(id=len(rows), subset=subset, chosen=turns(prompt, better), rejected=turns(prompt, worse + "!")))
with open(os.path.join(work, "bench.jsonl"), "w") as file:
    file.writelines(json.dumps(row) + "\n" for row in rows)


def run(*words, cwd=root):
    found = subprocess.run(words, capture_output=True, text=True, cwd=cwd)
    if found.returncode != 0:
        sys.exit(found.stdout[-3000:] + found.stderr[-3000:])
    return found.stdout


run("npx", "tsx", f"{root}/interop/trainHere.ts", work, "4")
runner = """
from transformers import BatchEncoding
to = BatchEncoding.to
BatchEncoding.to = lambda batch, device: to(batch, "cpu")  # its pipeline says cuda
from rewardbench.rewardbench import main
main()
"""
flags = ["--model=start", "--dataset=bench.jsonl", "--load_json", "--not_quantized", "--torch_dtype=float32", "--batch_size=4", "--output_dir=results/"]
run(sys.executable, "-c", runner, *flags, cwd=work)
theirs = [json.loads(line) for line in open(os.path.join(work, "results", "start_outputs.jsonl"))]
accuracy = json.load(open(os.path.join(work, "results", "start.json")))["accuracy"]
scored = os.path.join(work, "scored.jsonl")
ours = json.loads(run("node", "cli/bin.js", "eval", f"{work}/start", "--suite", "reward-bench", "--data", f"{work}/bench.jsonl", "--pairs-out", scored, "--max-length", "96", "--json"))
pairs = [json.loads(line) for line in open(scored)]
grouped = {}
for row in theirs:
    grouped.setdefault(row["subset"], []).append(row["results"])
subsets = {name: sum(wins) / len(wins) for name, wins in grouped.items()}
sections = calculate_scores_per_section(EXAMPLE_COUNTS, SUBSET_MAPPING, subsets)
print(f"rewardbench {version('rewardbench')}, transformers {transformers.__version__}, {len(rows)} pairs\n")
print("| what | numbers | largest difference |\n|---|--:|--:|")
agree, differ = 0, 0


def compare(what, theirs, here, limit):
    """Counts numbers that should be the same."""
    global agree, differ
    away = [abs(a - b) for a, b in zip(theirs, here, strict=True)]
    near = sum(x <= limit for x in away)
    agree, differ = agree + near, differ + len(away) - near
    print(f"| {what} | {len(away)} | {max(away):.1e} |")


for side in ("chosen", "rejected"):
    compare(f"reward of the {side} answer", [row[f"scores_{side}"] for row in theirs], [pair[side] for pair in pairs], 1e-5)
compare("accuracy of all pairs", [accuracy], [sum(pair["correct"] for pair in pairs) / len(pairs)], 1e-12)
compare("accuracy of a subset", list(subsets.values()), [{s["name"]: s["score"] for s in ours["suite"]["subsets"]}[name] for name in subsets], 1e-12)
compare("score of a section", list(sections.values()), [{s["name"]: s["score"] for s in ours["suite"]["sections"]}[name] for name in sections], 1e-12)
print(f"\n{agree} agree, {differ} differ")
