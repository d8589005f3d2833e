"""Holds every tokenizer of some folders against the original library: ids with special tokens found and
with special tokens as text, and what is decoded. Ends with "N agree, M differ".

  python interop/compareTokenizers.py FOLDER... [--texts 1000] [--seed 1] [--show 3]
"""

import argparse, json, os, subprocess, sys
import tokenizers

parser = argparse.ArgumentParser()
parser.add_argument("folders", nargs="+")
parser.add_argument("--texts", default="1000")
parser.add_argument("--seed", default="1")
parser.add_argument("--show", type=int, default=0)
given = parser.parse_args()
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def original(folder):
    """The library's tokenizer with the special tokens of the configuration, as transformers makes it."""
    found = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
    found.no_truncation()
    found.no_padding()
    path = f"{folder}/tokenizer_config.json"
    config = json.load(open(path)) if os.path.exists(path) else {}
    known = {token.content for token in found.get_added_tokens_decoder().values()}
    for token in (config.get("added_tokens_decoder") or {}).values():
        if token["content"] not in known:
            flags = {k: v for k, v in token.items() if k in ("single_word", "lstrip", "rstrip", "normalized", "special")}
            found.add_tokens([tokenizers.AddedToken(token["content"], **flags)])
            known.add(token["content"])
    for role in ("bos", "eos", "pad", "unk"):
        token = config.get(f"{role}_token")
        content = token["content"] if isinstance(token, dict) else token
        if content and found.token_to_id(content) is not None:
            found.add_special_tokens([tokenizers.AddedToken(content, special=True, normalized=False)])
    return found


agree, differ = [], []
print(f"tokenizers {tokenizers.__version__}, {given.texts} texts each, seed {given.seed}\n")
print("| tokenizer | read by | ids | special tokens as text | decoded | without special |")
print("|---|---|--:|--:|--:|--:|")
for folder in given.folders:
    name = os.path.basename(folder.rstrip("/"))
    run = subprocess.run(
        ["npx", "tsx", f"{root}/interop/encodeTexts.ts", given.texts, given.seed, folder], capture_output=True, text=True, cwd=root
    )
    if run.returncode != 0:
        sys.exit(run.stderr)
    ours = json.loads(run.stdout)
    theirs = original(folder)
    wrong = {"ids": [], "plain": [], "decoded": [], "shown": []}
    if "error" in ours:
        print(f"| {name} | refused: {ours['error']} | | | | |")
        differ.append(name)
        continue
    for row in ours["rows"]:
        theirs.encode_special_tokens = False
        try:
            ids = theirs.encode(row["text"], add_special_tokens=False).ids
        except BaseException as error:
            if "error" not in row:
                wrong["ids"].append((row["text"], row.get("ids"), str(error)))
            continue
        theirs.encode_special_tokens = True
        want = {
            "ids": ids,
            "plain": theirs.encode(row["text"], add_special_tokens=False).ids,
            "decoded": theirs.decode(ids, skip_special_tokens=False),
            "shown": theirs.decode(ids, skip_special_tokens=True),
        }
        for what, value in want.items():
            if row.get(what, row.get("error")) != value:
                wrong[what].append((row["text"], row.get(what, row.get("error")), value))
    cells = " | ".join(str(len(wrong[what])) for what in wrong)
    print(f"| {name} | {ours['kind']} | {cells} |", flush=True)
    for what, cases in wrong.items():
        for text, got, value in sorted(cases, key=lambda case: len(case[0]))[: given.show]:
            print(f"    {what} of {text!r}\n      ours   {got!r}\n      theirs {value!r}")
    (differ if any(wrong.values()) else agree).append(name)
print(f"\n{len(agree)} agree, {len(differ)} differ" + (f": {', '.join(differ)}" if differ else ""))
