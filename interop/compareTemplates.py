"""Holds what chat templates write against transformers, as text: every .jinja file of some folders, over conversations with
and without a system message, with thoughts, tools, turns that don't alternate, white space. Ends with "N agree, M differ".

  python interop/compareTemplates.py FOLDER...
"""

import glob, json, os, subprocess, sys
import transformers
from transformers.utils import chat_template_utils

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
turn = lambda role: lambda content: {"role": role, "content": content}
system, user, assistant, tool = map(turn, ("system", "user", "assistant", "tool"))
said = [
    ("Hello!", "4."),
    ("  What is 2 + 2?\n", " Four, of course.\n"),
    ("naïve café 日本語 😀 'q' \"d\" <b>&", "<think>\nhm\n</think>\n\nFour"),
    ("x\n\n y", "it's\n\n"),
    ("", ""),
]
told = []
for asked, answer in said:
    for start in ([], [system("You are kind.")], [system(" Be brief. \n")]):
        told += [
            (start + [user(asked)], True),
            (start + [user(asked), assistant(answer)], False),
            (start + [user(asked), assistant(answer), user("and " + asked), assistant(answer + "!")], False),
            (start + [user("q"), assistant(answer), user(asked)], True),
        ]
told += [
    ([user("q"), assistant('{"name": "f", "arguments": {"x": 1}}'), tool('{"r": [1, 2.5, null, true]}'), assistant("done")], False),
    ([assistant("begun"), user("x")], True),
    ([user("a"), user("b")], True),
    ([system("only")], True),
    ([user("a"), assistant("b"), assistant("c")], False),
]
given = {"bos_token": "<BOS>", "eos_token": "<EOS>", "tools": None, "documents": None}
conversations = [{"messages": messages, "add_generation_prompt": opens, **given} for messages, opens in told]
files = sorted(file for folder in sys.argv[1:] for file in glob.glob(f"{folder}/*.jinja"))
templates = [open(file).read() for file in files]
run = subprocess.run(
    ["npx", "tsx", f"{root}/interop/renderTemplates.ts"], input=json.dumps({"templates": templates, "conversations": conversations}), capture_output=True, text=True, cwd=root
)
if run.returncode != 0:
    sys.exit(run.stderr)

agree = differ = 0
print(f"transformers {transformers.__version__}, {len(conversations)} conversations each\n")
print("| template | same | different | refused by both | by us | by them |\n|---|--:|--:|--:|--:|--:|")
for file, template, rows in zip(files, templates, json.loads(run.stdout)):
    counts = [0] * 5
    for conversation, row in zip(conversations, rows):
        try:
            compiled = chat_template_utils._compile_jinja_template(template)
            compiled.globals["strftime_now"] = lambda form: "28 Nov 2026"
            theirs = compiled.render(**conversation)
        except Exception:
            theirs = None
        ours = row.get("text")
        counts[(2 if ours is None else 4) if theirs is None else 3 if ours is None else int(ours != theirs)] += 1
    print(f"| {os.path.basename(file)[:-6]} | {' | '.join(map(str, counts))} |", flush=True)
    agree, differ = agree + (counts[1] == 0), differ + (counts[1] > 0)
print(f"\n{agree} agree, {differ} differ")
