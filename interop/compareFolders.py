"""Holds models against transformers, in both directions: small models of every family that it makes with random weights
and saves are opened here, and what is written here is opened by AutoModelForCausalLM and
AutoModelForSequenceClassification. Logits and rewards differ by less than 1e-5 of the largest, or of 1 where that is
smaller. Ends with "N agree, M differ".

  python interop/compareFolders.py [SEEDS]
"""

import json, os, sys, tempfile, warnings
import torch, transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from families import configs, drawn, drawn_ids
from ours import run

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
work = tempfile.mkdtemp()


def rename(folder, change):
    """The weights of a folder under other names, as other programs write them."""
    path = os.path.join(folder, "model.safetensors")
    save_file(change(load_file(path)), path, {"format": "pt"})


def old_llama(tensors):
    """Without the backbone's prefix, and with the frequencies of rotary angles, as older versions saved them."""
    bare = {name.removeprefix("model."): x for name, x in tensors.items()}
    return bare | {"layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}


def old_gpt2(tensors):
    """As OpenAI's GPT-2 is published: without the prefix, with the masks of attention."""
    bare = {name.removeprefix("transformer."): x for name, x in tensors.items() if name != "lm_head.weight"}
    return bare | {"h.0.attn.bias": torch.ones(1, 1, 64, 64), "h.0.attn.masked_bias": torch.tensor(-1e4)}


cases = []
for name, config in configs.items():
    for seed in range(seeds):
        folder = os.path.join(work, f"{len(cases)}")
        model = drawn(AutoModelForCausalLM.from_config(config), seed)
        model.save_pretrained(folder, **({"max_shard_size": "20KB"} if seed == 2 else {}))
        if seed == 1:
            rename(folder, old_gpt2 if name.startswith("gpt2") else old_llama)
            if name.startswith("gpt2") and not config.tie_word_embeddings:
                rename(folder, lambda tensors: tensors | {"lm_head.weight": model.lm_head.weight.detach()})
        ids = drawn_ids(config.vocab_size, seed)
        with torch.no_grad():
            theirs = model(torch.tensor(ids)).logits.flatten().tolist()
        cases.append(dict(name=name, direction="logits, theirs here", folder=folder, kind="lm", ids=ids, theirs=theirs))
for case, ours in zip(cases, run("readFolders.ts", given=json.dumps(cases))):
    case["ours"] = ours

for kind, column, auto in (("lm", "logits, ours there", AutoModelForCausalLM), ("classifier", "rewards, ours there", AutoModelForSequenceClassification)):
    for case in run("writeFolders.ts", work, kind, str(seeds)):
        model, seen = auto.from_pretrained(case["folder"], output_loading_info=True)
        assert not any(seen.values()), (case["folder"], seen)
        assert model.config.eos_token_id is not None and model.config.pad_token_id is not None
        with torch.no_grad():
            theirs = model.eval()(torch.tensor(case["ids"])).logits.flatten().tolist()
        cases.append(case | dict(direction=column, theirs=theirs))

table, agree, differ = {}, 0, 0
for case in cases:
    if isinstance(case["ours"], dict):
        away, case["ours"] = float("inf"), []
    else:
        away = max(abs(a - b) for a, b in zip(case["theirs"], case["ours"], strict=True)) / max(1, *map(abs, case["theirs"]))
    row = table.setdefault(case["name"], {}).setdefault(case["direction"], [])
    row.append(away)
    agree, differ = agree + (away < 1e-5), differ + (away >= 1e-5)
print(f"transformers {transformers.__version__}, torch {torch.__version__}: the largest difference of {seeds} models each\n")
columns = ["logits, theirs here", "logits, ours there", "rewards, ours there"]
print("| model | " + " | ".join(columns) + " |\n|---|" + "--:|" * len(columns))
for name, row in table.items():
    print(f"| {name} | " + " | ".join(f"{max(row[c]):.1e}" if c in row else "" for c in columns) + " |")
print(f"\n{agree} agree, {differ} differ")
