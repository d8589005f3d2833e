"""Holds the ids of conversations by a model's own chat template against transformers: a whole conversation,
a generation prompt, an answer that was begun (continue_final_message). Ends with "N agree, M differ".

  python interop/compareChats.py FOLDER...
"""

import json, os, subprocess, sys
import transformers
from transformers import PreTrainedTokenizerFast

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
said = ["Hello!", "  What is 2 + 2?\n", "naïve café 日本語 😀", "if (x) {\n\treturn;\n}", "it's <b>bold</b> & \"so\"", "x" * 300, "a\n\n\nb  c", "1. one\n2. two"]
answers = ["4.", " Four, of course.\n", "<think>\nhm\n</think>\n\nFour", "日本", "", "a  b\n\n"]
systems = [None, "You are kind.", " Be brief. \n"]
asked = []
for i, system in enumerate(systems):
    for j, answer in enumerate(answers):
        start = [] if system is None else [{"role": "system", "content": system}]
        one = start + [{"role": "user", "content": said[(i + j) % len(said)]}]
        more = one + [{"role": "assistant", "content": answers[(j + 1) % 4]}, {"role": "user", "content": said[(i + j + 3) % len(said)]}]
        begun = one + [{"role": "assistant", "content": "Well, the answer"}]
        asked += [{"messages": m, "answer": answer} for m in (one, more, begun)]

agree, differ = [], []
print(f"transformers {transformers.__version__}, {len(asked)} conversations each\n")
print("| template | same | different | refused by both |\n|---|--:|--:|--:|")
for folder in sys.argv[1:]:
    name = os.path.basename(folder.rstrip("/"))
    theirs = PreTrainedTokenizerFast.from_pretrained(folder)
    if not theirs.chat_template:
        continue
    run = subprocess.run(["npx", "tsx", f"{root}/interop/encodeChats.ts", folder], input=json.dumps(asked), capture_output=True, text=True, cwd=root)
    if run.returncode != 0:
        sys.exit(run.stderr)
    same, wrong, refused = 0, [], 0
    for case, row in zip(asked, json.loads(run.stdout)):
        messages, answer = case["messages"], case["answer"]
        begun = messages[-1]["role"] == "assistant"
        whole = messages[:-1] if begun else messages
        last = {"role": "assistant", "content": (messages[-1]["content"] if begun else "") + answer}
        try:
            ids = theirs.apply_chat_template(whole + [last], tokenize=True, return_dict=False)
            how = {"continue_final_message": True} if begun else {"add_generation_prompt": True}
            open_ids = theirs.apply_chat_template(messages, tokenize=True, return_dict=False, **how)
        except Exception as error:
            if "error" in row:
                refused += 1
            else:
                wrong.append((case, row, f"transformers: {error}"))
            continue
        if row.get("ids") == ids and row.get("open") == open_ids:
            same += 1
        else:
            wrong.append((case, row.get("error") or theirs.decode(row["ids"] if row["ids"] != ids else row["open"]), theirs.decode(ids if row.get("ids") != ids else open_ids)))
    print(f"| {name} | {same} | {len(wrong)} | {refused} |", flush=True)
    for case in wrong[: int(os.environ.get("SHOW", "0"))]:
        print("   ", "\n      ".join(repr(part) for part in case))
    (differ if wrong else agree).append(name)
print(f"\n{len(agree)} agree, {len(differ)} differ" + (f": {', '.join(differ)}" if differ else ""))
