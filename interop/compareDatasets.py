"""Holds readers of preference data against datasets: Parquet that it writes, in its codecs and with nested columns, its JSON
Lines and its CSV give the same rows here. Node reads zstd from version 22.15 on. Ends with "N agree, M differ".

  python interop/compareDatasets.py
"""

import json, os, random, subprocess, sys, tempfile
import datasets, pyarrow
import pyarrow.parquet
from datasets import ClassLabel, Dataset

datasets.disable_progress_bars()
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
work = tempfile.mkdtemp()
draw = random.Random(1)
words = ["the", "cat", "é", "日本", "😀", "it's", '"quoted"', "a,b", "line\nbreak", "\ttab", "", " "]


def text(most=12):
    return " ".join(draw.choice(words) for _ in range(draw.randint(0, most)))


def turns(count):
    return [{"role": ["user", "assistant"][i % 2], "content": text()} for i in range(count)]


rows = 600
sets = {
    "messages": [dict(prompt=turns(1), chosen=turns(2), rejected=turns(2), source=text(2)) for _ in range(rows)],
    "texts, numbers and nothing": [dict(prompt=text(), chosen=text(), rejected=draw.choice([None, text()]), score_chosen=draw.choice([None, draw.random() * 10]), votes=draw.randint(-5, 2**40), winner=draw.choice([True, False, None])) for _ in range(rows)],
    "lists of lists": [dict(instruction=text(), completions=[dict(model=text(1), response=text(), ratings=[draw.randint(1, 5) for _ in range(draw.randint(0, 3))]) for _ in range(draw.randint(0, 4))]) for _ in range(rows)],
    "long texts": [dict(prompt=text(400), chosen=text(3000), rejected=text(3000)) for _ in range(40)],
}
files = []
for name, content in sets.items():
    made = Dataset.from_list(content)
    for codec in ("snappy", "gzip", "zstd", "brotli", "none"):
        files.append((name, f"Parquet, {codec}", made, f"{codec}.parquet", lambda path, made=made, codec=codec: pyarrow.parquet.write_table(made.data.table, path, compression=codec, row_group_size=250)))
    files.append((name, "Parquet, the default", made, "plain.parquet", lambda path, made=made: made.to_parquet(path)))
    files.append((name, "JSON Lines", made, "rows.jsonl", lambda path, made=made: made.to_json(path)))
    files.append((name, "JSON Lines, gzip", made, "rows.jsonl.gz", lambda path, made=made: made.to_json(path, compression="gzip")))
flat = Dataset.from_list([dict(prompt=text() + "x", chosen=text() + "y", rejected=text() + "z") for _ in range(rows)])
files.append(("texts", "CSV", flat, "rows.csv", lambda path: flat.to_csv(path, index=False)))
labelled = Dataset.from_dict(dict(text=["a", "b"] * 50, label=[0, 1] * 50)).cast_column("label", ClassLabel(names=["bad", "good"]))
files.append(("labels", "Parquet, the default", labelled, "labels.parquet", labelled.to_parquet))

agree, differ = 0, 0
print(f"datasets {datasets.__version__}, pyarrow {pyarrow.__version__}\n")
print("| columns | file | rows that agree | that differ |\n|---|---|--:|--:|")
for i, (name, kind, made, end, write) in enumerate(files):
    path = os.path.join(work, f"{i}-{end}")
    write(path)
    found = subprocess.run(["node", "--import", "tsx", f"{root}/interop/printRows.ts", path], capture_output=True, text=True, cwd=root)
    expected = made.to_list()
    if end.endswith("csv"):
        expected = [{key: str(value) for key, value in row.items()} for row in expected]
    lines = [json.loads(line) for line in found.stdout.splitlines()][:-1]
    if "JSON" in kind:  # written by pandas, which rounds to ten decimals
        expected = [{key: round(x, 10) if isinstance(x, float) else x for key, x in row.items()} for row in expected]
    same = sum(a == b for a, b in zip(expected, lines))
    agree, differ = agree + same, differ + len(expected) - same
    print(f"| {name} | {kind} | {same} | {len(expected) - same} |", flush=True)
    if same < len(expected):
        print(found.stderr[:600] or next((a, b) for a, b in zip(expected, lines) if a != b), file=sys.stderr)
print(f"\n{agree} agree, {differ} differ")
